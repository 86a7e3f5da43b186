package postgres

import (
	"bytes"
	"context"
	"encoding/hex"
	"strconv"
	"strings"

	"github.com/rowferry/rowferry"
	dialect "github.com/rowferry/rowferry/internal/dialect/postgres"
	"github.com/rowferry/rowferry/internal/sqlsink"
)

// fewest is how many changes are worth a statement of their own kind, and
// fewestCopied how many inserts a COPY, which waits for its answer: the server
// writes them to a table's pages together.
var (
	fewest       = 4
	fewestCopied = 64
)

const (
	// mostRows and mostRowBytes bound what one statement carries, mostCopied and
	// copyBytes what one COPY does: for each COPY in binary format the server makes
	// room for a thousand rows, and lets it go.
	mostRows     = 1000
	mostRowBytes = 1 << 20
	mostCopied   = 10_000
)

// WriteBulk writes changes of different rows: inserts, updates of the same
// columns and deletes of a table travel as one statement, whose parameters are
// arrays, one for each column.
func (b *batch) WriteBulk(ctx context.Context, ms []rowferry.Mutation) error {
	return b.attempt(ctx, func() error { return b.writeBulk(ctx, ms) })
}

func (b *batch) writeBulk(ctx context.Context, ms []rowferry.Mutation) error {
	for len(ms) > 0 {
		n, t, err := b.alike(ctx, ms)
		switch {
		case err != nil:
		case n < fewest:
			n = max(n, 1)
			err = b.each(ctx, ms[:n])
		case ms[0].Op == rowferry.Insert && n >= fewestCopied:
			err = b.copied(ctx, t, ms[:n])
		default:
			err = b.together(ctx, t, ms[:n])
		}
		if err != nil {
			return err
		}
		ms = ms[n:]
	}
	return b.flush(ctx)
}

// alike returns how many of the first mutations one statement may carry, and
// their table.
func (b *batch) alike(ctx context.Context, ms []rowferry.Mutation) (int, *target, error) {
	first := &ms[0]
	t, err := b.targetOf(ctx, first)
	if err != nil {
		return 0, nil, sqlsink.Blame(err, first)
	}
	if first.Op != rowferry.Insert && t.Identity == nil {
		return 0, t, nil
	}
	n, size := 0, 0
	rows, most := mostRows, mostRowBytes
	if first.Op == rowferry.Insert {
		rows, most = mostCopied, copyBytes
	}
	b.key = t.Pattern(b.key[:0], first)
	var other []byte
	for n < min(len(ms), rows) {
		m := &ms[n]
		if m.Op != first.Op || !t.Of(m.Table) || !t.mayJoin(m) {
			break
		}
		if other = t.Pattern(other[:0], m); n > 0 && !bytes.Equal(b.key, other) {
			break
		}
		if size += m.Before.Size() + m.After.Size(); n > 0 && size > most {
			break
		}
		n++
	}
	return n, t, nil
}

// mayJoin reports whether a change may be one of several.
func (t *target) mayJoin(m *rowferry.Mutation) bool { return !m.ChecksOff && t.CheckImages(m) == nil }

// together queues changes of one pattern as one statement.
func (b *batch) together(ctx context.Context, t *target, ms []rowferry.Mutation) error {
	m := &ms[0]
	b.key = append(t.Pattern(b.key[:0], m), 'A')
	st, ok := b.sink.statements.Get(&t.Table, b.key)
	if !ok {
		if st = t.composeArrays(m); len(st.set)+len(st.match) == 0 || m.Op == rowferry.Update && len(st.set) == 0 {
			return b.each(ctx, ms)
		}
		b.sink.name(t, b.key, st)
	}
	return b.carry(ctx, entry{statement: st, target: t, mutation: m, rows: int64(len(ms))}, func(i int) *rowferry.Mutation { return &ms[i] }, len(ms))
}

// carry queues an entry with the values of n changes as arrays.
func (b *batch) carry(ctx context.Context, e entry, at func(i int) *rowferry.Mutation, n int) error {
	t, st := e.target, e.statement
	for _, o := range st.set {
		a := array{column: &t.columns[o]}
		for i := range n {
			if err := a.add(at(i).After[o]); err != nil {
				return t.About(err, at(i)).Fact("column", "%s", t.Shape.Columns[o].Name)
			}
		}
		e.values, e.size = append(e.values, a.text()), e.size+len(a.buf)
	}
	for _, o := range st.match {
		a := array{column: &t.columns[o]}
		for i := range n {
			if err := a.add(at(i).Before[o]); err != nil {
				return t.Unheld(err, at(i), o)
			}
		}
		e.values, e.size = append(e.values, a.text()), e.size+len(a.buf)
	}
	last := at(n - 1)
	b.last[t.name] = rowferry.Mutation{Op: last.Op, Table: last.Table, Source: last.Source, Origin: last.Origin, Index: last.Index}
	if b.sink.options.Trace != nil {
		b.sink.options.Trace(st.sql, []string{strconv.Itoa(n) + " rows"})
	}
	b.queue.add(e)
	if b.queue.full() {
		return b.flush(ctx)
	}
	return nil
}

// copied writes new rows by COPY.
func (b *batch) copied(ctx context.Context, t *target, ms []rowferry.Mutation) error {
	c := newCopyIn(t)
	for i := range ms {
		if !c.fits(&ms[i]) {
			return b.together(ctx, t, ms)
		}
	}
	if err := b.flush(ctx); err != nil {
		return err
	}
	c.buf = b.sink.copyBuffer[:0]
	for i := range ms {
		if err := c.add(ctx, b.sink, &ms[i]); err != nil {
			return err
		}
	}
	b.last[t.name] = c.last
	err := c.flush(ctx, b.sink)
	b.sink.copyBuffer = c.buf
	return err
}

// composeArrays writes the SQL for many changes like m.
func (t *target) composeArrays(m *rowferry.Mutation) *statement {
	st := &statement{}
	v := &unnested{statement: st}
	var names, values, sets, on []string
	overriding := ""
	for o := range t.columns {
		if m.Op == rowferry.Delete || !t.Writes(m, o) {
			continue
		}
		st.set = append(st.set, o)
		names = append(names, t.Columns[o].Quoted)
		values = append(values, v.add(&t.columns[o]))
		sets = append(sets, t.Columns[o].Quoted+" = "+values[len(values)-1])
		if t.columns[o].always {
			overriding = " OVERRIDING SYSTEM VALUE"
		}
	}
	if m.Op == rowferry.Insert {
		st.sql = "INSERT INTO " + t.quoted + " (" + strings.Join(names, ", ") + ")" + overriding + " SELECT " + strings.Join(values, ", ") + " FROM " + v.rows()
		return st
	}
	for _, o := range t.Identity {
		st.match = append(st.match, o)
		on = append(on, t.columns[o].equals("o."+t.Columns[o].Quoted, v.add(&t.columns[o]), false))
	}
	for _, o := range t.Guarded(m) {
		name := "o." + t.Columns[o].Quoted
		if t.columns[o].loose {
			name += ` COLLATE "C"`
		}
		st.match = append(st.match, o)
		on = append(on, name+" IS NOT DISTINCT FROM "+v.add(&t.columns[o]))
	}
	where := v.rows() + " WHERE " + strings.Join(on, " AND ")
	if m.Op == rowferry.Delete {
		st.sql = "DELETE FROM " + t.quoted + " o USING " + where
	} else {
		st.sql = "UPDATE " + t.quoted + " o SET " + strings.Join(sets, ", ") + " FROM " + where
	}
	return st
}

// unnested are the parameters of a statement as rows v, a column for each.
type unnested struct {
	statement *statement
	given, as []string
}

// add adds a parameter for a column's values, and returns one of them.
func (u *unnested) add(c *column) string {
	element, cast := c.element()
	n := strconv.Itoa(len(u.given) + 1)
	u.given, u.as = append(u.given, "$"+n+"::"+element+"[]"), append(u.as, "a"+n)
	u.statement.types, u.statement.formats = append(u.statement.types, 0), append(u.statement.formats, textFormat)
	return "v.a" + n + cast
}

func (u *unnested) rows() string {
	return "unnest(" + strings.Join(u.given, ", ") + ") v(" + strings.Join(u.as, ", ") + ")"
}

// element returns the type whose arrays carry the column's values, and how one of
// them becomes a value of the column's type. There are no arrays of arrays, so
// those are carried as texts. Other types are not, where it can be helped: a text
// is not always cast as the type is read.
func (c *column) element() (element, cast string) {
	switch {
	case c.typ.Base == dialect.BitString:
		return string(dialect.VarBit), "" // bit alone means one bit, to which a cast would cut
	case c.typ.Base != "":
		return string(c.typ.Base), ""
	case c.listed:
		return c.cast, ""
	default:
		return "text", "::" + c.cast
	}
}

// array writes values as the text of an array
// (https://www.postgresql.org/docs/15/arrays.html#ARRAYS-IO).
type array struct {
	column *column
	buf    []byte
}

func (a *array) add(v rowferry.Value) *rowferry.Error {
	text, err := a.column.encode(v)
	if err != nil {
		return err
	}
	if len(a.buf) == 0 {
		a.buf = append(a.buf, '{')
	} else {
		a.buf = append(a.buf, ',')
	}
	switch {
	case text == nil:
		a.buf = append(a.buf, "NULL"...)
	case a.column.typ.Base == dialect.Bytea:
		a.buf = append(a.buf, `"\\x`...)
		a.buf = append(hex.AppendEncode(a.buf, text), '"')
	default:
		a.buf = append(a.buf, '"')
		for _, c := range text {
			if c == '"' || c == '\\' {
				a.buf = append(a.buf, '\\')
			}
			a.buf = append(a.buf, c)
		}
		a.buf = append(a.buf, '"')
	}
	return nil
}

func (a *array) text() []byte { return append(a.buf, '}') }
