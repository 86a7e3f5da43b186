package mysql

import (
	"bytes"
	"context"
	"slices"
	"strconv"
	"strings"

	"github.com/rowferry/rowferry"
	"github.com/rowferry/rowferry/schema"
)

// joinCounts are the numbers of rows that one UPDATE or DELETE may take, largest
// first.
var joinCounts = []int{128, 32, 8, 2}

// joinedBytes is the size of the largest value that a join takes. MySQL gives
// its columns at most 65,535 bytes, four for each character, and refuses more.
const joinedBytes = 8 << 10

// WriteBulk writes changes of different rows: inserts of a table, updates of the
// same columns, and deletes, many in one statement each. An UPDATE or DELETE
// joins the table with the rows that it is given, and must find each of them.
// What needs no look at an answer is queued, and all is answered at the end.
func (b *batch) WriteBulk(ctx context.Context, ms []rowferry.Mutation) error {
	if b.failed || b.sink.open != b {
		return rowferry.Errorf(rowferry.CodeInternal, "a write to a batch that is over")
	}
	err := b.launch(ctx, ms)
	if err == nil {
		err = b.land(ctx, true)
	}
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
	for n < min(joinCounts[0], len(ms)) {
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
		if size += m.Before.Size() + m.After.Size(); size > rowBytes || (n+1)*params > rowParams {
			break
		}
		n++
	}
	for _, count := range joinCounts {
		if n >= count {
			return count, t, nil
		}
	}
	return 0, nil, nil
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

// join queues updates or deletes of one pattern as one statement.
func (b *batch) join(ctx context.Context, t *target, ms []rowferry.Mutation) error {
	s := b.sink
	b.key = append(t.Pattern(b.key[:0], &ms[0]), 'J', byte(len(ms)), byte(len(ms)>>8))
	st, ok := s.stmts.Get(&t.Table, b.key)
	if !ok {
		st = t.composeJoin(&ms[0], len(ms))
		if err := s.prepare(ctx, st); err != nil {
			return err
		}
		s.stmts.Add(&t.Table, b.key, st, len(ms)*(len(st.set)+len(st.match)))
	}
	return b.fly(ctx, t, st, ms)
}

// composeJoin writes the statement for rows changes like m: of the columns that
// are written, the key, and the old values that are compared.
func (t *target) composeJoin(m *rowferry.Mutation, rows int) *statement {
	st := &statement{}
	var sets, on, first []string
	add := func(o int) string {
		name := "a" + strconv.Itoa(len(first))
		first = append(first, t.columns[o].given()+" AS "+name)
		return "v." + name
	}
	for o := range t.columns {
		quoted := t.column(o)
		switch {
		case m.Op == rowferry.Update && t.Writes(m, o):
			st.set = append(st.set, o)
			sets = append(sets, quoted+" = "+add(o))
		case m.Op == rowferry.Update && t.columns[o].onUpdate && !t.Columns[o].Computed:
			sets = append(sets, quoted+" = "+quoted)
		}
	}
	for _, o := range t.Identity {
		given := add(o)
		st.match = append(st.match, o)
		on = append(on, t.column(o)+" = "+t.columns[o].found(given))
		if t.columns[o].coarse {
			on = append(on, t.sameAs(o, given))
		}
	}
	for _, o := range t.Guarded(m) {
		st.match = append(st.match, o)
		on = append(on, t.sameAs(o, add(o)))
	}
	var more []string
	for _, f := range first {
		expression, _, _ := strings.Cut(f, " AS a")
		more = append(more, expression)
	}
	v := "(SELECT " + strings.Join(first, ", ") + strings.Repeat(" UNION ALL SELECT "+strings.Join(more, ", "), rows-1) + ") v"
	if m.Op == rowferry.Delete {
		st.sql = "DELETE " + t.quoted + " FROM " + v + " STRAIGHT_JOIN " + t.quoted + " ON " + strings.Join(on, " AND ")
		return st
	}
	st.sql = "UPDATE " + v + " STRAIGHT_JOIN " + t.quoted + " ON " + strings.Join(on, " AND ") + " SET " + strings.Join(sets, ", ")
	return st
}

// column names a column in full: the session has no database of its own, without
// which no alias can be deleted from.
func (t *target) column(o int) string { return t.quoted + "." + t.Columns[o].Quoted }

// given is how a value is given to a join. A parameter alone would have no type
// there but that of a text, and on MariaDB of a CHAR, which drops spaces at its
// end.
func (c *column) given() string {
	switch c.carry {
	case carryBytes:
		return "CAST(? AS BINARY)"
	case carryFloat:
		return "CAST(? AS DOUBLE)"
	case carryBits:
		return "CAST(? AS UNSIGNED)"
	case carryInteger:
		if c.have.Unsigned {
			return "CAST(? AS UNSIGNED)"
		}
		return "CAST(? AS SIGNED)"
	default:
		return "CAST(? AS CHAR)"
	}
}

// found is a given value as the column's index is searched for it.
func (c *column) found(given string) string {
	switch {
	case c.have.Kind.Textual() && c.have.Charset != "":
		return "CONVERT(" + given + " USING " + c.have.Charset + ") COLLATE " + c.have.Collation
	case c.have.Kind == schema.Decimal:
		_, right := c.compared()
		return strings.Replace(right, "?", given, 1)
	default:
		return given
	}
}

// sameAs returns the condition that a column has exactly the given value.
func (t *target) sameAs(o int, given string) string {
	quoted, c := t.column(o), &t.columns[o]
	switch c.have.Kind {
	case schema.Char, schema.VarChar, schema.Text, schema.Enum, schema.Set, schema.JSON:
		return "CAST(CONVERT(" + quoted + " USING utf8mb4) AS BINARY) <=> CAST(" + given + " AS BINARY)"
	case schema.Date:
		return quoted + " <=> CAST(" + given + " AS DATE)"
	case schema.DateTime, schema.Timestamp:
		return quoted + " <=> CAST(" + given + " AS DATETIME(6))"
	case schema.Time:
		return quoted + " <=> CAST(" + given + " AS TIME(6))"
	case schema.UUID, schema.Inet4, schema.Inet6:
		return "CAST(" + quoted + " AS CHAR) <=> " + given
	default:
		return quoted + " <=> " + c.found(given)
	}
}
