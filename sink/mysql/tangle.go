package mysql

import (
	"context"
	"slices"
	"strings"

	"github.com/rowferry/rowferry"
)

// untangle settles, and where nothing more can be written, folds and doubles,
// until nothing helps.
func (b *batch) untangle(ctx context.Context) error {
	for len(b.waiting.changes) > 0 {
		if err := b.settle(ctx); err != nil || len(b.waiting.changes) == 0 {
			return err
		}
		if b.waiting.fold() {
			continue
		}
		if moved, err := b.double(ctx); err != nil || !moved {
			return err
		}
	}
	return nil
}

// fold makes one change of the first two of the same row that wait, and reports
// whether there were such. What the source looks at when a transaction ends may
// be wrong in between, and the server refuses that for ever: a row whose parent
// never comes, which goes again or gets another parent; a row that is deleted
// and inserted again while children point to it, as by MySQL's REPLACE.
func (w *waiting) fold() bool {
	for i := range w.changes {
		c := &w.changes[i]
		if !c.m.ChecksOff {
			continue
		}
		for j := i + 1; j < len(w.changes); j++ {
			next := &w.changes[j]
			if !slices.ContainsFunc(next.rows, func(r string) bool { return slices.Contains(c.rows, r) }) {
				continue
			}
			if !follows(c, next) {
				break
			}
			if gone := c.foldInto(next); gone {
				w.changes = slices.Delete(w.changes, j, j+1)
			}
			w.changes = slices.Delete(w.changes, i, i+1)
			return true
		}
	}
	return false
}

// follows reports whether next changes the row that c leaves, and not only one
// of a table whose rows are not told apart, nor another row with a key of c's.
func follows(c, next *change) bool {
	if !strings.Contains(c.rows[0], "\x00") || (c.m.Op == rowferry.Delete) != (next.m.Op == rowferry.Insert) {
		return false
	}
	return c.rows[len(c.rows)-1] == next.rows[0] // rowsOf: before, then after
}

// foldInto makes next what both changes come to. It reports whether nothing is
// left.
func (c *change) foldInto(next *change) (gone bool) {
	m := &next.m
	if m.Op == rowferry.Delete && c.m.Op == rowferry.Insert {
		return true
	}
	switch c.m.Op {
	case rowferry.Delete: // and inserted again
		m.Op, m.Before = rowferry.Update, c.m.Before
	case rowferry.Insert:
		m.Op, m.Before = rowferry.Insert, nil
	default:
		m.Before = c.m.Before
	}
	for o := range m.After {
		if m.After[o].IsAbsent() && c.m.After != nil {
			m.After[o] = c.m.After[o]
		}
	}
	m.ChecksOff = true
	rows := slices.Clone(c.rows[:1])
	if c.m.Op == rowferry.Insert {
		rows = nil
	}
	if m.After != nil {
		rows = append(rows, next.rows[len(next.rows)-1])
	}
	next.rows = rows
	return false
}

// double goes on where a parent's key changes and its children's with it, each
// of which the server refuses before the other: the parent is inserted under
// its new key, and what waits becomes the delete of the old one. It reports
// whether there was such a parent. Where the row's other unique values are in
// the way, or the table has what a copy would set off or lose, there is none.
func (b *batch) double(ctx context.Context) (bool, error) {
	moved := false
	for i := range b.waiting.changes {
		c := &b.waiting.changes[i]
		t, err := b.sink.target(ctx, &c.m)
		if err != nil {
			return false, err
		}
		if !t.doubles(&c.m) {
			continue
		}
		err = b.copyRow(ctx, t, &c.m)
		if err == nil {
			// Nor may it set off what the change of a key would not.
			c.m.Op, c.m.After, c.m.ChecksOff, moved = rowferry.Delete, nil, true, true
			continue
		}
		if b.sink.session.broken || !isRefusal(err) {
			return false, err
		}
	}
	return moved, nil
}

// doubles reports whether the mutation changes a row's key, and the row can be
// inserted a second time as the change leaves it.
func (t *target) doubles(m *rowferry.Mutation) bool {
	return m.Op == rowferry.Update && t.Identity != nil && t.Changes(m, t.Identity) &&
		len(t.existing.triggers) == 0 && len(t.existing.shape.Columns) == len(t.Shape.Columns)
}

// copyRow inserts the row that an update changes a second time, as the update
// leaves it. What the new image lacks is taken from the row that is there.
func (b *batch) copyRow(ctx context.Context, t *target, m *rowferry.Mutation) error {
	if !slices.ContainsFunc(m.After, rowferry.Value.IsAbsent) {
		row := *m
		row.Op, row.Before = rowferry.Insert, nil
		return b.change(ctx, t, &row)
	}
	copied := *m
	copied.Op = rowferry.Insert
	st, err := b.withDecimals(t, &copied)
	if err != nil {
		return err
	}
	exec := b.exec
	if t.lenient(m) {
		exec = b.execLenient
	}
	n, err := exec(ctx, t, st, []rowferry.Mutation{copied})
	if err != nil {
		return b.sink.refuse(err, t, m)
	}
	if n != 1 {
		return b.missing(ctx, t, m, n)
	}
	return nil
}
