package randomtx

import (
	"slices"

	"github.com/rowferry/rowferry"
	"github.com/rowferry/rowferry/schema"
)

// Transaction returns the changes of one random transaction.
func (w *World) Transaction() []rowferry.Mutation {
	if w.made++; w.busy == nil || w.random.IntN(100) == 0 {
		w.turn()
	}
	var ms []rowferry.Mutation
	for range 1 + w.random.IntN(6) {
		t := w.busy[w.random.IntN(len(w.busy))]
		switch n := w.random.IntN(40); {
		case n == 0 && len(w.busy) == len(w.tables):
			ms = w.parentless(ms)
		case n == 1 && len(w.busy) == len(w.tables):
			ms = w.childLast(ms)
		case len(t.rows) < 3 || n < 12 && len(t.rows) < mostRows:
			ms = w.insert(ms, t)
		case n < 28 || w.calm && w.random.IntN(30) > 0:
			ms = w.update(ms, t)
		case n < 30:
			ms = w.same(ms, t)
		case n < 33:
			ms = w.replace(ms, t)
		case n < 35:
			ms = w.hand(ms, t)
		default:
			ms, _ = w.remove(ms, t, w.random.IntN(len(t.rows)))
		}
	}
	return ms
}

// turn chooses the tables that are busy: all, a few, or one, and whether keys
// and unique values mostly stay. Among changes of all kinds of all tables there
// is always one before which nothing may be put off, so that little is folded.
func (w *World) turn() {
	w.busy, w.calm = w.tables, w.random.IntN(2) == 0
	if w.Plain {
		w.busy = slices.DeleteFunc(slices.Clone(w.tables), func(t *table) bool { return !t.plain() })
		return
	}
	if n := w.random.IntN(5); n > 0 {
		w.busy = nil
		for range n {
			w.busy = append(w.busy, w.tables[w.random.IntN(len(w.tables))])
		}
	}
}

func (t *table) plain() bool {
	for _, l := range slices.Concat(t.parents, t.children) {
		back := slices.ContainsFunc(l.parent.parents, func(k *link) bool { return k.parent == l.child })
		if l.onDelete.Acts() || l.onUpdate.Acts() || back && l.parent != l.child {
			return false
		}
	}
	return t.shape.Identity() != nil
}

// row returns a new row that points where rows are, or nil.
func (w *World) row(t *table) rowferry.Row {
	row := make(rowferry.Row, len(t.shape.Columns))
	for o := range row {
		row[o] = w.value(t, o)
	}
	for _, l := range t.parents {
		if !w.point(l, row) {
			return nil
		}
	}
	return row
}

func (w *World) insert(ms []rowferry.Mutation, t *table) []rowferry.Mutation {
	row := w.row(t)
	if row == nil || !t.free(row, -1) {
		return ms
	}
	return t.inserted(ms, row)
}

func (t *table) inserted(ms []rowferry.Mutation, row rowferry.Row) []rowferry.Mutation {
	t.rows = append(t.rows, row)
	return append(ms, rowferry.Mutation{Op: rowferry.Insert, Table: t.shape, After: row})
}

func (w *World) update(ms []rowferry.Mutation, t *table) []rowferry.Mutation {
	at := w.random.IntN(len(t.rows))
	if w.calm {
		at %= 4 // the same rows again and again
	}
	before, after := t.rows[at], slices.Clone(t.rows[at])
	for range 1 + w.random.IntN(2) {
		o := w.random.IntN(len(after))
		if slices.Contains(t.shape.PrimaryKey, o) && w.random.IntN(3) > 0 || w.calm && t.unique(o) && w.random.IntN(30) > 0 {
			continue
		}
		after[o] = w.value(t, o)
	}
	for _, l := range t.parents {
		if differ(before, after, l.columns) && !w.point(l, after) {
			return ms
		}
	}
	ms, _ = w.updated(ms, t, at, after)
	return ms
}

func differ(a, b rowferry.Row, columns []int) bool {
	return slices.ContainsFunc(columns, func(o int) bool { return a[o] != b[o] })
}

// unique reports whether a column is of a unique key.
func (t *table) unique(o int) bool {
	return slices.Contains(t.shape.PrimaryKey, o) ||
		slices.ContainsFunc(t.shape.Uniques, func(u schema.Index) bool { return slices.Contains(u.Columns, o) })
}

// updated changes a row, where its constraints allow it, and reports whether
// they did.
func (w *World) updated(ms []rowferry.Mutation, t *table, at int, after rowferry.Row) ([]rowferry.Mutation, bool) {
	before := t.rows[at]
	if slices.Equal(before, after) || !t.free(after, at) {
		return ms, false
	}
	for _, l := range t.children {
		if !differ(before, after, l.referenced) {
			continue
		}
		// Its own parent, under the key that it gives up, or under the new one, which
		// MySQL refuses where both come with one update.
		own := l.child == t && (l.refers(after, before) || l.refers(after, after))
		if own || l.onUpdate != schema.Cascade && l.referred(before) {
			return ms, false
		}
	}
	t.rows[at] = after
	for _, l := range t.children {
		l.moved(before, after)
	}
	return append(ms, w.image(rowferry.Mutation{Op: rowferry.Update, Table: t.shape, Before: before, After: after})), true
}

// moved does what a foreign key does when its parent's key changes, which no log
// tells of.
func (l *link) moved(before, after rowferry.Row) {
	if l.onUpdate != schema.Cascade {
		return
	}
	for i, r := range l.child.rows {
		if l.refers(r, before) {
			r = slices.Clone(r)
			for k, o := range l.columns {
				r[o] = after[l.referenced[k]]
			}
			l.child.rows[i] = r
		}
	}
}

// image returns a mutation with the images that a log would have.
func (w *World) image(m rowferry.Mutation) rowferry.Mutation {
	identity := m.Table.Identity()
	if !w.Minimal || identity == nil {
		return m
	}
	before, after := m.Before, m.After
	m.Before = make(rowferry.Row, len(before))
	for _, o := range identity {
		m.Before[o] = before[o]
	}
	if m.Op == rowferry.Update {
		m.After = make(rowferry.Row, len(after))
		for o := range after {
			if after[o] != before[o] {
				m.After[o] = after[o]
			}
		}
	}
	return m
}

// same is an update that leaves a row as it is.
func (w *World) same(ms []rowferry.Mutation, t *table) []rowferry.Mutation {
	row := t.rows[w.random.IntN(len(t.rows))]
	return append(ms, w.image(rowferry.Mutation{Op: rowferry.Update, Table: t.shape, Before: row, After: row}))
}

// remove deletes row number at, and reports whether it could.
func (w *World) remove(ms []rowferry.Mutation, t *table, at int) ([]rowferry.Mutation, bool) {
	row := t.rows[at]
	for _, l := range t.children {
		if !l.onDelete.Acts() && l.referred(row) {
			return ms, false // InnoDB also refuses a row that is its own parent
		}
	}
	t.rows = slices.Delete(t.rows, at, at+1)
	for _, l := range t.children {
		l.act(row)
	}
	return append(ms, w.image(rowferry.Mutation{Op: rowferry.Delete, Table: t.shape, Before: row})), true
}

// act does what a foreign key does when a parent goes, which no log tells of. No
// child has children.
func (l *link) act(parent rowferry.Row) {
	switch l.onDelete {
	case schema.Cascade:
		l.child.rows = slices.DeleteFunc(l.child.rows, func(r rowferry.Row) bool { return l.refers(r, parent) })
	case schema.SetNull:
		for i, r := range l.child.rows {
			if l.refers(r, parent) {
				r = slices.Clone(r)
				for _, o := range l.columns {
					r[o] = rowferry.NullValue()
				}
				l.child.rows[i] = r
			}
		}
	default:
	}
}

// replace deletes a row and inserts another with the same key.
func (w *World) replace(ms []rowferry.Mutation, t *table) []rowferry.Mutation {
	at := w.random.IntN(len(t.rows))
	old := t.rows[at]
	ms, gone := w.remove(ms, t, at)
	row := w.row(t)
	if !gone || row == nil {
		return ms
	}
	for _, o := range t.shape.Identity() {
		if len(t.parents) == 0 || !slices.Contains(t.parents[0].columns, o) {
			row[o] = old[o]
		}
	}
	for _, l := range t.parents {
		if l.parent == t && !w.point(l, row) { // it may have pointed to itself
			return ms
		}
	}
	if !t.free(row, -1) {
		return ms
	}
	return t.inserted(ms, row)
}

// hand has a row give a unique value up, which another row then takes.
func (w *World) hand(ms []rowferry.Mutation, t *table) []rowferry.Mutation {
	if len(t.shape.Uniques) == 0 || t.shape.PrimaryKey == nil || len(t.rows) < 2 {
		return ms
	}
	u := t.shape.Uniques[w.random.IntN(len(t.shape.Uniques))].Columns
	from := w.random.IntN(len(t.rows))
	to := (from + 1) % len(t.rows)
	old := t.rows[from]
	spare := slices.Clone(old)
	spare[u[0]] = w.value(t, u[0])
	ms, ok := w.updated(ms, t, from, spare)
	if !ok {
		return ms
	}
	taker := slices.Clone(t.rows[to])
	for _, o := range u {
		taker[o] = old[o]
	}
	ms, _ = w.updated(ms, t, to, taker)
	return ms
}

// parentless inserts a child before its parent, with the source's checks off.
func (w *World) parentless(ms []rowferry.Mutation) []rowferry.Mutation {
	l := w.links[w.random.IntN(len(w.links))]
	parent, child := w.row(l.parent), w.row(l.child)
	if parent == nil || child == nil || len(l.parent.rows) >= mostRows || len(l.child.rows) >= mostRows || !l.parent.free(parent, -1) {
		return ms
	}
	for i, o := range l.columns {
		child[o] = parent[l.referenced[i]]
	}
	if !l.refers(child, parent) || !l.child.free(child, -1) || l.child == l.parent && !apart(l, parent, child) {
		return ms
	}
	return unchecked(l.parent.inserted(l.child.inserted(ms, child), parent))
}

// apart reports whether two new rows of one table share no unique value, and the
// parent does not point to the child.
func apart(l *link, parent, child rowferry.Row) bool {
	t := &table{shape: l.parent.shape, rows: []rowferry.Row{child}}
	return t.free(parent, -1)
}

// childLast deletes a parent before its only child, with the source's checks off.
func (w *World) childLast(ms []rowferry.Mutation) []rowferry.Mutation {
	l := w.links[w.random.IntN(len(w.links))]
	if len(l.child.rows) == 0 || l.onDelete.Acts() {
		return ms
	}
	at := w.random.IntN(len(l.child.rows))
	child := l.child.rows[at]
	up := slices.IndexFunc(l.parent.rows, func(p rowferry.Row) bool { return l.refers(child, p) })
	if up < 0 || l.child == l.parent && up == at || slices.ContainsFunc(l.child.children, func(c *link) bool { return c.referred(child) }) {
		return ms
	}
	parent := l.parent.rows[up]
	l.child.rows = slices.Delete(l.child.rows, at, at+1)
	if slices.ContainsFunc(l.parent.children, func(c *link) bool { return c.referred(parent) }) {
		l.child.rows = slices.Insert(l.child.rows, at, child)
		return ms
	}
	l.parent.rows = slices.DeleteFunc(l.parent.rows, func(p rowferry.Row) bool { return &p[0] == &parent[0] })
	return unchecked(append(ms,
		w.image(rowferry.Mutation{Op: rowferry.Delete, Table: l.parent.shape, Before: parent}),
		w.image(rowferry.Mutation{Op: rowferry.Delete, Table: l.child.shape, Before: child})))
}

// unchecked marks the last two changes as made with the source's checks off.
func unchecked(ms []rowferry.Mutation) []rowferry.Mutation {
	for i := range ms[len(ms)-2:] {
		ms[len(ms)-2+i].ChecksOff = true
	}
	return ms
}
