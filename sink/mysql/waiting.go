package mysql

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"strings"

	"github.com/rowferry/rowferry"
	"github.com/rowferry/rowferry/internal/mysqlwire"
	"github.com/rowferry/rowferry/schema"
)

// waitingBytes bounds what waits, in memory.
const waitingBytes = 16 << 20

// waiting holds changes that a foreign key refused and that the source made with
// its checks off, or behind such, so that the parent may come later in the same
// transaction, or the child go. MySQL looks at once, so they are put off: to
// where the source's checks are on again, and to the commit. What comes later
// and touches the same row is put off behind them. The rest does not depend on
// them: the source made it all in one transaction, and every foreign key still
// holds at its end.
type waiting struct {
	changes []change
	bytes   int
	rows    map[string]int // changes by table and row; by table alone where a row is not told apart exactly
}

type change struct {
	m    rowferry.Mutation
	rows []string
	err  error // why it waits
}

// write writes one mutation, or puts it off.
func (b *batch) write(ctx context.Context, t *target, m *rowferry.Mutation) error {
	w := &b.waiting
	if len(w.changes) == 0 {
		return b.putOff(t, m, b.change(ctx, t, m))
	}
	if err := t.CheckImages(m); err != nil {
		return err
	}
	if !m.ChecksOff && w.changes[len(w.changes)-1].m.ChecksOff {
		if err := b.settle(ctx); err != nil {
			return err
		}
	}
	if w.touches(rowsOf(t, m)) {
		return b.wait(t, m, nil)
	}
	err := b.change(ctx, t, m)
	if err == nil || m.ChecksOff || !refusedByKey(err) {
		return b.putOff(t, m, err)
	}
	// MySQL logs children, with their checks off, before the parent whose new
	// key they already have.
	if err := b.wait(t, m, err); err != nil {
		return err
	}
	return b.untangle(ctx)
}

// putOff keeps a change that a foreign key refused although the source's were
// off, and returns any other error.
func (b *batch) putOff(t *target, m *rowferry.Mutation, err error) error {
	if err == nil || !m.ChecksOff || !refusedByKey(err) {
		return err
	}
	return b.wait(t, m, err)
}

func refusedByKey(err error) bool {
	var refused *mysqlwire.ServerError
	if !errors.As(err, &refused) {
		return false
	}
	switch refused.Number {
	case 1216, 1217, 1451, 1452:
		return true
	default:
		return false
	}
}

func (b *batch) wait(t *target, m *rowferry.Mutation, err error) error {
	w := &b.waiting
	w.bytes += m.Before.Size() + m.After.Size()
	if w.bytes > waitingBytes {
		e := rowferry.Errorf(rowferry.CodeRowRefused, "too many rows of one transaction wait for their parents")
		return t.About(e, m).Fact("limit", "%d bytes", waitingBytes)
	}
	c := change{m: *m, rows: rowsOf(t, m), err: err}
	c.m.Before, c.m.After = slices.Clone(m.Before), slices.Clone(m.After) // valid during Write alone
	if w.rows == nil {
		w.rows = map[string]int{}
	}
	for _, r := range c.rows {
		w.rows[r]++
	}
	w.changes = append(w.changes, c)
	return nil
}

func (w *waiting) touches(rows []string) bool {
	return slices.ContainsFunc(rows, func(r string) bool { return w.rows[r] > 0 })
}

// rowsOf returns the rows that a mutation touches, before and after, and for
// each also its table where a row may not be told apart exactly.
func rowsOf(t *target, m *rowferry.Mutation) []string {
	name := t.Shape.Name.String()
	if t.Identity == nil || slices.ContainsFunc(t.Identity, func(o int) bool { return !exactKey(t.Shape.Columns[o].Type.Kind, t.columns[o].have) }) {
		return []string{name}
	}
	var rows []string
	for _, image := range []rowferry.Row{m.Before, m.After} {
		if image == nil {
			continue
		}
		var b strings.Builder
		b.WriteString(name)
		for _, o := range t.Identity {
			v := image[o]
			if v.IsAbsent() && m.Before != nil {
				v = m.Before[o]
			}
			b.WriteString("\x00")
			if v.Kind() == rowferry.Text {
				b.WriteString(strconv.Quote(v.Str()))
			} else {
				b.WriteString(v.String())
			}
		}
		rows = append(rows, b.String())
	}
	return rows
}

// exactKey reports whether two values of a kind, in a column of the target, are the
// same key only if they print the same.
func exactKey(k schema.Kind, have schema.Type) bool {
	switch k {
	case schema.Int, schema.Bit, schema.Year, schema.Binary, schema.VarBinary:
		return true
	case schema.VarChar, schema.Text:
		return (have.Kind == schema.VarChar || have.Kind == schema.Text) && have.ByteExact()
	default:
		return false
	}
}

// settle writes what waits and can be written, each change after those before
// it that touch the same row, again and again until nothing more can.
func (b *batch) settle(ctx context.Context) error {
	for {
		before := b.waiting.changes
		b.waiting = waiting{}
		for i := range before {
			c := &before[i]
			t, err := b.sink.target(ctx, &c.m)
			if err != nil {
				return err
			}
			if !b.waiting.touches(c.rows) {
				if err = b.change(ctx, t, t.late(&c.m)); err == nil {
					continue
				}
				if !refusedByKey(err) {
					return err
				}
				c.err = err
			}
			if err := b.wait(t, &c.m, c.err); err != nil {
				return err
			}
		}
		if len(b.waiting.changes) == len(before) {
			return nil
		}
	}
}

// late returns a change as it is written once it has waited. What it was put off
// behind may have set off the target's foreign keys, and the source's not: its
// row had left them by then. So their columns are neither compared, nor written
// where the change leaves them as they were.
func (t *target) late(m *rowferry.Mutation) *rowferry.Mutation {
	if m.Op == rowferry.Insert || t.Identity == nil || len(t.acted) == 0 {
		return m
	}
	l := *m
	l.Before, l.After = slices.Clone(m.Before), slices.Clone(m.After)
	for _, o := range t.acted {
		if m.Op == rowferry.Update && m.After[o] == m.Before[o] {
			l.After[o] = rowferry.Value{}
		}
		l.Before[o] = rowferry.Value{}
	}
	return &l
}

// finish settles at the end: what waits still is refused.
func (b *batch) finish(ctx context.Context) error {
	if err := b.untangle(ctx); err != nil || len(b.waiting.changes) == 0 {
		return err
	}
	return b.waiting.changes[0].err
}
