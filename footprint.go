package rowferry

import (
	"encoding/binary"
	"hash/maphash"
	"reflect"
	"slices"

	"github.com/rowferry/rowferry/schema"
)

// footprint is what a batch touches: the rows and unique values that it changes,
// and the parents that it relies on, each by a hash. Where equal is not known
// exactly, as by a collation, all values of a key are one. Two batches of which
// neither changes what the other touches may be written in any order, or at the
// same time.
type footprint struct {
	everything bool // all that there is
	// touches of the mutations, one after the other, and where those of each
	// end. Empty where it is everything.
	touches []touch
	ends    []int
	changed map[uint64]struct{}
	relied  map[uint64]struct{}
}

// touch is a hash, and whether what it stands for is changed.
type touch struct {
	hash   uint64
	change bool
}

func (f *footprint) add(touches []touch) {
	if f.changed == nil {
		f.changed, f.relied = map[uint64]struct{}{}, map[uint64]struct{}{}
	}
	for _, t := range touches {
		if t.change {
			f.changed[t.hash] = struct{}{}
		} else {
			f.relied[t.hash] = struct{}{}
		}
	}
}

// meets reports whether one of the touches is of something that f changes, or
// changes something that f touches.
func (f *footprint) meets(touches []touch) bool {
	for _, t := range touches {
		if _, ok := f.changed[t.hash]; ok {
			return true
		}
		if !t.change {
			continue
		}
		if _, ok := f.relied[t.hash]; ok {
			return true
		}
	}
	return false
}

// apart divides the plan's parts into those that may be written while the
// batches of the given footprints are not committed yet, and those that have to
// wait for that. Each keeps its order, and what follows from something that
// waits, waits too.
func (p *plan) apart(earlier []*footprint) (now, later []part) {
	everything := p.print.everything
	for _, f := range earlier {
		everything = everything || f.everything
	}
	switch {
	case len(earlier) == 0:
		return p.parts, nil
	case everything:
		return nil, p.parts
	}
	waiting := &footprint{}
	k := 0
	touched := func() []touch {
		from := 0
		if k > 0 {
			from = p.print.ends[k-1]
		}
		k++
		return p.print.touches[from:p.print.ends[k-1]]
	}
	for _, whole := range p.parts {
		early, late := part{free: whole.free}, part{free: whole.free}
		for i := range whole.ms {
			touches := touched()
			if waiting.meets(touches) || slices.ContainsFunc(earlier, func(f *footprint) bool { return f.meets(touches) }) {
				waiting.add(touches)
				late.ms = append(late.ms, whole.ms[i])
			} else {
				early.ms = append(early.ms, whole.ms[i])
			}
		}
		if len(early.ms) > 0 {
			now = append(now, early)
		}
		if len(late.ms) > 0 {
			later = append(later, late)
		}
	}
	return now, later
}

// footprint returns what the parts touch. Whatever was passed in order may touch
// what no key tells, as the cascades of a delete do.
func (c *compactor) footprint(parts []part) footprint {
	f := footprint{everything: c.learned}
	for _, p := range parts {
		f.everything = f.everything || !p.free
	}
	if f.everything {
		return f
	}
	for _, p := range parts {
		for i := range p.ms {
			if !c.touch(&f, &p.ms[i]) {
				return footprint{everything: true}
			}
			f.ends = append(f.ends, len(f.touches))
		}
	}
	f.add(f.touches)
	return f
}

// touch adds what a mutation touches, and reports whether that is known.
func (c *compactor) touch(f *footprint, m *Mutation) bool {
	x := c.orders.known(m.Table)
	if x == nil || x.opaque {
		return false
	}
	note := func(of *tableOrder, i int, columns []int, row Row, change bool) {
		if hash, ok := c.stamp(of, i, columns, row); ok {
			f.touches = append(f.touches, touch{hash, change})
		}
	}
	for i := range x.uniques {
		columns := x.uniques[i].columns
		changes := m.Op != Update || m.changes(columns)
		if m.Op != Insert && (changes || slices.Equal(columns, x.identity)) {
			note(x, i, columns, m.Before, true)
		}
		if m.Op != Delete && changes {
			note(x, i, columns, whole(m, columns), true)
		}
	}
	for _, k := range x.parents {
		changes := m.Op != Update || m.changes(k.columns)
		if m.Op != Insert && changes {
			note(k.parent, k.unique, k.columns, m.Before, false)
		}
		if m.Op != Delete && changes {
			note(k.parent, k.unique, k.columns, whole(m, k.columns), false)
		}
	}
	return true
}

// whole returns the new image, with the columns that it lacks.
func whole(m *Mutation, columns []int) Row {
	if m.Before == nil || !slices.ContainsFunc(columns, m.After.absent) {
		return m.After
	}
	return over(m.Before, m.After)
}

// stamp returns the hash of the values that row has in columns, as ones of the
// table's unique key i. There is none where one is NULL or not known: the server
// then waits for whoever changes the row.
func (c *compactor) stamp(x *tableOrder, i int, columns []int, row Row) (uint64, bool) {
	c.key = binary.AppendUvarint(binary.AppendUvarint(c.key[:0], uint64(x.number)), uint64(i))
	for _, o := range columns {
		v := row[o]
		if v.IsNull() || v.IsAbsent() {
			return 0, false
		}
		if !x.uniques[i].stamped {
			continue
		}
		if v.kind == Int && v.Int() >= 0 { // the parent's column may have no sign
			v = UintValue(uint64(v.Int()))
		}
		c.key = v.appendTo(c.key)
	}
	return maphash.Bytes(c.seed, c.key), true
}

// parentKey is a foreign key: the unique key that it leads to, and the table's
// own columns in the order of that key's.
type parentKey struct {
	parent  *tableOrder
	unique  int
	columns []int
}

// rely notes that a foreign key of x leads to parent.
func (x *tableOrder) rely(parent *tableOrder, k schema.ForeignKey) {
	for i := range parent.uniques {
		u := &parent.uniques[i]
		columns := make([]int, 0, len(u.columns))
		for _, o := range u.columns {
			if at := slices.Index(k.Referenced, parent.table.Columns[o].Name); at >= 0 {
				columns = append(columns, k.Columns[at])
			}
		}
		if len(columns) != len(u.columns) || len(columns) != len(k.Columns) {
			continue
		}
		for n, o := range columns {
			u.stamped = u.stamped && alike(x.table.Columns[o].Type, parent.table.Columns[u.columns[n]].Type)
		}
		u.stamped = u.stamped && x.table.ByteExact(columns)
		x.parents = append(x.parents, parentKey{parent, i, columns})
		return
	}
	x.opaque, parent.opaque = true, true
}

// alike reports whether equal values of both types have one form.
func alike(a, b schema.Type) bool {
	return a.Kind == schema.Int && b.Kind == schema.Int || reflect.DeepEqual(a, b)
}
