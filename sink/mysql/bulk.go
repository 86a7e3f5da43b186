package mysql

import (
	"bytes"
	"cmp"
	"context"
	"slices"
	"strconv"
	"strings"

	"github.com/rowferry/rowferry"
	"github.com/rowferry/rowferry/internal/failpoint"
	"github.com/rowferry/rowferry/schema"
)

// joinCounts are the numbers of rows that one UPDATE or DELETE is written for,
// smallest first: few, so that few statements are prepared, and close enough, so
// that few of its rows are left empty.
var joinCounts = []int{2, 4, 8, 16, 32, 64, 96, 128, 160, 192, 256}

// fewJoined is how many updates a join must have at least where a table's updates
// change ever other columns, so that the statement would hardly be used again.
const fewJoined = 8

// joinParams bounds the parameters of one.
const joinParams = 8 << 10

// textClasses are the lengths, in characters, that the texts of one statement
// are given room for, smallest first.
var textClasses = []int{32, 128, 512, 2048, joinedBytes}

// joinedBytes is the size of the largest value that a join takes. MySQL gives
// its columns at most 65,535 bytes, four for each character, and refuses more.
const joinedBytes = 8 << 10

// WriteBulk writes changes of different rows: inserts of a table, updates of the
// same columns, and deletes, many in one statement each. An UPDATE or DELETE
// joins the table with the rows that it is given, and must find each of them. No
// statement waits for the answer to the one before it.
func (b *batch) WriteBulk(ctx context.Context, ms []rowferry.Mutation) error {
	return b.bulk(ctx, ms, func() error { return b.land(ctx, true) })
}

// WriteLast is WriteBulk, with the checkpoint behind the changes.
func (b *batch) WriteLast(ctx context.Context, ms []rowferry.Mutation, cp rowferry.Checkpoint) error {
	b.moved = !failpoint.On("position-apart")
	return b.bulk(ctx, ms, func() error { return b.conclude(ctx, cp, b.moved) })
}

func (b *batch) bulk(ctx context.Context, ms []rowferry.Mutation, end func() error) error {
	return b.whole(ctx, func() error {
		if err := b.launch(ctx, ms); err != nil {
			return err
		}
		return end()
	})
}

// whole runs what writes to the batch, which an error ends.
func (b *batch) whole(ctx context.Context, write func() error) error {
	if b.failed || b.sink.open != b {
		return rowferry.Errorf(rowferry.CodeInternal, "a write to a batch that is over")
	}
	err := write()
	if err != nil {
		b.failed = true
		if cause := ctx.Err(); cause != nil {
			return cause
		}
	}
	return err
}

// joinable returns how many of the first mutations are updates or deletes that
// one statement may carry, and their table.
func (b *batch) joinable(ctx context.Context, ms []rowferry.Mutation) (int, *target, error) {
	if ms[0].Op == rowferry.Insert || len(b.waiting.changes) > 0 {
		return 0, nil, nil
	}
	t, err := b.sink.target(ctx, &ms[0])
	if err != nil {
		return 0, nil, err
	}
	if !t.joins(ms[0].Op) {
		return 0, nil, nil
	}
	params := 0
	n, size := 0, 0
	b.key = t.Pattern(b.key[:0], &ms[0])
	var other []byte
	for n < min(joinCounts[len(joinCounts)-1], len(ms)) {
		m := &ms[n]
		if m.Op != ms[0].Op || !t.Of(m.Table) || !t.mayJoin(m) {
			break
		}
		if other = t.Pattern(other[:0], m); n > 0 && !bytes.Equal(b.key, other) {
			break
		}
		if n == 0 {
			set := t.written(m)
			if m.Op == rowferry.Update && set == 0 {
				break
			}
			params = set + len(t.Identity) + len(t.Guarded(m))
		}
		if size += m.Before.Size() + m.After.Size(); size > rowBytes || (n+1)*params > joinParams {
			break
		}
		n++
	}
	if n < joinCounts[0] || n < fewJoined && ms[0].Op == rowferry.Update && t.Scattered(b.key) {
		return 0, nil, nil
	}
	return n, t, nil
}

// mayJoin reports whether an update or delete may be one of several.
func (t *target) mayJoin(m *rowferry.Mutation) bool {
	large := func(v rowferry.Value) bool { return len(v.Str()) > joinedBytes }
	return !m.ChecksOff && t.CheckImages(m) == nil &&
		!(m.Op == rowferry.Update && (t.lenient(m) || t.decimals(m) || slices.ContainsFunc(m.After, large)))
}

// written returns how many columns an update writes.
func (t *target) written(m *rowferry.Mutation) (n int) {
	if m.Op == rowferry.Update {
		for i := range t.columns {
			if t.Writes(m, i) {
				n++
			}
		}
	}
	return n
}

// joins reports whether rows of the table are found by a join as surely as by a
// parameter. The server may remove the rows of one statement in any order.
func (t *target) joins(op rowferry.Op) bool {
	if t.Identity == nil {
		return false
	}
	for _, o := range t.Identity {
		switch t.columns[o].have.Kind {
		case schema.Int, schema.Char, schema.VarChar, schema.Binary, schema.VarBinary, schema.Decimal:
		default:
			return false
		}
	}
	if op == rowferry.Delete {
		for _, k := range t.existing.shape.ForeignKeys {
			if k.Parent == t.existing.shape.Name {
				return false
			}
		}
	}
	return true
}

// longestText returns the size of the largest text that is written or compared.
func (t *target) longestText(ms []rowferry.Mutation) (bytes int) {
	for i := range ms {
		for o := range t.columns {
			if t.columns[o].carry != carryText {
				continue
			}
			for _, row := range []rowferry.Row{ms[i].Before, ms[i].After} {
				if row != nil && len(row[o].Str()) <= joinedBytes { // larger ones are not compared
					bytes = max(bytes, len(row[o].Str()))
				}
			}
		}
	}
	return bytes
}

// joinComposer writes the statement of a join.
type joinComposer struct {
	target  *target
	server  *server
	text    int      // room for texts, in characters
	given   []string // what each row gives
	unsized bool     // of one of them the server knows no length
}

// like is compose for rows changes like m.
func (j *joinComposer) like(m *rowferry.Mutation, rows int) *statement {
	var columns []int
	for o := range j.target.columns {
		if m.Op == rowferry.Update && j.target.Writes(m, o) {
			columns = append(columns, o)
		}
	}
	return j.compose(m.Op, columns, j.target.Guarded(m), rows)
}

// compose writes the statement for rows updates or deletes: of the columns that
// an update writes, the key, and the old values that are compared.
func (j *joinComposer) compose(op rowferry.Op, written, guarded []int, rows int) *statement {
	t, st := j.target, &statement{rows: rows, set: written}
	var sets, on []string
	for o := range t.columns {
		quoted := t.column(o)
		switch {
		case slices.Contains(written, o):
			sets = append(sets, quoted+" = "+j.give(j.written(o)))
		case op == rowferry.Update && t.columns[o].onUpdate && !t.Columns[o].Computed:
			sets = append(sets, quoted+" = "+quoted)
		}
	}
	for _, o := range t.Identity {
		given := j.give(j.compared(o))
		st.match = append(st.match, o)
		on = append(on, t.column(o)+" = "+t.columns[o].found(given))
		if t.columns[o].coarse {
			on = append(on, j.sameAs(o, given))
		}
	}
	for _, o := range guarded {
		st.match = append(st.match, o)
		on = append(on, j.sameAs(o, j.give(j.compared(o))))
	}
	joined := j.rows(rows) + " STRAIGHT_JOIN " + t.quoted
	if t.primary { // statistics of a table that was just filled may tell of a few rows, which it would read all for each
		joined += " FORCE INDEX (PRIMARY)"
	}
	joined += " ON " + strings.Join(on, " AND ")
	if op == rowferry.Delete {
		st.sql = "DELETE " + t.quoted + " FROM " + joined
		return st
	}
	st.sql = "UPDATE " + joined + " SET " + strings.Join(sets, ", ")
	return st
}

// give adds to what each row gives, and returns its name.
func (j *joinComposer) give(expression string) string {
	j.given = append(j.given, expression)
	return "v.a" + strconv.Itoa(len(j.given)-1)
}

// rows returns the rows that are given, as a table v. VALUES costs the servers
// about a third less than a SELECT for each row. MariaDB takes the types of a
// table of VALUES from its first row, where even an integer is as long as its
// value, and can name its columns by a SELECT before it only, which therefore
// has all types at their longest, and no row.
func (j *joinComposer) rows(n int) string {
	names, named, typed := make([]string, len(j.given)), make([]string, len(j.given)), make([]string, len(j.given))
	for i, expression := range j.given {
		names[i] = "a" + strconv.Itoa(i)
		named[i] = expression + " AS " + names[i]
		typed[i] = strings.Replace(cmp.Or(widest[expression], expression), "?", "NULL", 1) + " AS " + names[i]
	}
	row := strings.Join(j.given, ", ")
	switch {
	case j.unsized:
		return "(SELECT " + strings.Join(named, ", ") + strings.Repeat(" UNION ALL SELECT "+row, n-1) + ") v"
	case j.server.MariaDB:
		return "(SELECT " + strings.Join(typed, ", ") + " FROM DUAL WHERE FALSE UNION ALL VALUES (" + row + ")" + strings.Repeat(", ("+row+")", n-1) + ") v"
	default:
		return "(VALUES ROW(" + row + ")" + strings.Repeat(", ROW("+row+")", n-1) + ") v (" + strings.Join(names, ", ") + ")"
	}
}

// widest are values of types that have no length of their own to give.
var widest = map[string]string{castSigned: "9223372036854775807", castUnsigned: "18446744073709551615"}

const (
	castSigned   = "CAST(? AS SIGNED)"
	castUnsigned = "CAST(? AS UNSIGNED)"
)

// column names a column in full: the session has no database of its own, without
// which no alias can be deleted from.
func (t *target) column(o int) string { return t.quoted + "." + t.Columns[o].Quoted }

// written is how a new value is given. A parameter alone would have no type in a
// join but that of a text, and on MariaDB of a CHAR, which drops spaces at its
// end.
func (j *joinComposer) written(o int) string {
	switch c := &j.target.columns[o]; c.carry {
	case carryBytes:
		j.unsized = true // with a length, zero bytes are appended
		return "CAST(? AS BINARY)"
	case carryFloat:
		return "CAST(? AS DOUBLE)"
	case carryBits:
		return castUnsigned
	case carryInteger:
		if c.have.Unsigned {
			return castUnsigned
		}
		return castSigned
	default:
		return j.asText()
	}
}

func (j *joinComposer) asText() string { return "CAST(? AS CHAR(" + strconv.Itoa(j.text) + "))" }

// compared is how an old value is given: with the type that it is compared by.
func (j *joinComposer) compared(o int) string {
	switch c := &j.target.columns[o]; c.have.Kind {
	case schema.Decimal:
		_, right := c.compared()
		return right
	case schema.Date:
		return "CAST(? AS DATE)"
	case schema.DateTime, schema.Timestamp:
		return "CAST(? AS DATETIME(6))"
	default:
		return j.written(o)
	}
}

// found is a given value as the column's index is searched for it.
func (c *column) found(given string) string {
	if c.have.Kind.Textual() && c.have.Charset != "" {
		return "CONVERT(" + given + " USING " + c.have.Charset + ") COLLATE " + c.have.Collation
	}
	return given
}

// sameAs returns the condition that a column has exactly the given value.
func (j *joinComposer) sameAs(o int, given string) string {
	quoted, c := j.target.column(o), &j.target.columns[o]
	switch c.have.Kind {
	case schema.Char, schema.VarChar, schema.Text:
		return quoted + " <=> " + given + " COLLATE " + j.server.Exact()
	case schema.Enum, schema.Set, schema.JSON:
		return "CAST(CONVERT(" + quoted + " USING utf8mb4) AS BINARY) <=> CAST(" + given + " AS BINARY)"
	case schema.Time: // MySQL compares one that was kept in a table of VALUES wrongly
		return quoted + " <=> CAST(" + given + " AS TIME(6))"
	case schema.UUID, schema.Inet4, schema.Inet6:
		return "CAST(" + quoted + " AS CHAR) <=> " + given
	default:
		return quoted + " <=> " + given
	}
}
