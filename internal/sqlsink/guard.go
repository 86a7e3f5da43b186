package sqlsink

import (
	"slices"
	"strings"

	"github.com/rowferry/rowferry"
	"github.com/rowferry/rowferry/schema"
)

// mostCompared is the size in bytes beyond which an old value is not compared:
// it would have to be sent with every change of its row.
const mostCompared = 8 << 10

// mostGuarded is how many old values are compared at most. Each costs the server
// a little with every change of a row, of tables with hundreds of columns more
// than the change itself, and sixteen tell whose row it is as well.
const mostGuarded = 16

// Guard marks the columns outside the key by which the row of another with the
// same key is told apart: an update or delete finds its row only where they
// have their old values too. Numbers with a binary point and JSON are left out,
// since databases write the same one in different ways, and so are what the
// target computes and what it does not hold exactly. A table without a key has
// none: every column finds its rows.
func (t *Table) Guard(exact func(ordinal int) bool) {
	if t.Identity == nil {
		return
	}
	for o := range t.Columns {
		c, s := &t.Columns[o], &t.Shape.Columns[o]
		k := s.Type.Kind
		c.guarded = k != schema.Float32 && k != schema.Float64 && k != schema.JSON &&
			!c.Computed && s.Generated == schema.NotGenerated && exact(o)
	}
	for _, o := range t.Identity {
		t.Columns[o].guarded = false
	}
}

// Guarded returns the columns outside the key whose old values m's row must
// have: those that Guard marked and that are in the old image, unless large. Where
// they are more than mostGuarded, those that change come first.
func (t *Table) Guarded(m *rowferry.Mutation) []int { return t.appendGuarded(nil, m) }

func (t *Table) appendGuarded(dst []int, m *rowferry.Mutation) []int {
	from := len(dst)
	for o := range t.Columns {
		if t.guards(m, o) {
			dst = append(dst, o)
		}
	}
	if len(dst)-from <= mostGuarded {
		return dst
	}
	all := dst[from:]
	kept := 0
	for i, o := range all { // the changed ones to the front, each in order
		if kept < mostGuarded && t.alters(m, o) {
			copy(all[kept+1:i+1], all[kept:i])
			all[kept] = o
			kept++
		}
	}
	slices.Sort(all[:mostGuarded])
	return dst[:from+mostGuarded]
}

// Mingles adds the columns that the update m changes to others, in order, and
// reports whether m may be written by a statement that writes all of them: they
// are no more than are compared, and both images have them at a size that is.
func (t *Table) Mingles(columns []int, m *rowferry.Mutation) (both []int, ok bool) {
	both = columns
	for o := range t.Columns {
		if t.Columns[o].Computed {
			continue
		}
		if m.Before[o].IsAbsent() || m.After[o].IsAbsent() || len(m.Before[o].Str()) > mostCompared {
			return columns, false
		}
		if m.Before[o] == m.After[o] {
			continue
		}
		if !t.Columns[o].guarded {
			return columns, false
		}
		if at, found := slices.BinarySearch(both, o); !found {
			both = slices.Insert(slices.Clip(both), at, o)
		}
	}
	return both, len(both) <= mostGuarded
}

// GuardedWith returns the columns that updates which Mingles took are compared
// in: those they write, and as many others of m as may be.
func (t *Table) GuardedWith(columns []int, m *rowferry.Mutation) []int {
	all := slices.Clone(columns)
	for o := 0; o < len(t.Columns) && len(all) < mostGuarded; o++ {
		if t.guards(m, o) && !slices.Contains(columns, o) {
			all = append(all, o)
		}
	}
	slices.Sort(all)
	return all
}

// alters reports whether m is an update that gives the column another value.
func (t *Table) alters(m *rowferry.Mutation, o int) bool {
	return m.Op == rowferry.Update && !m.After[o].IsAbsent() && m.After[o] != m.Before[o]
}

func (t *Table) guards(m *rowferry.Mutation, o int) bool {
	return t.Columns[o].guarded && !m.Before[o].IsAbsent() && len(m.Before[o].Str()) <= mostCompared
}

// Differs returns the error for an update or delete whose key is another row's:
// same says which of the guarded columns have the old values. Where all have
// them, the row was not there when it was looked for: it is missing.
func (t *Table) Differs(m *rowferry.Mutation, guarded []int, same []bool) error {
	var names []string
	for i, o := range guarded {
		if !same[i] {
			names = append(names, t.Shape.Columns[o].Name)
		}
	}
	if len(names) == 0 {
		return t.Missing(m, 0)
	}
	const most = 10
	if len(names) > most {
		names = append(names[:most:most], "…")
	}
	return t.differs(m, names...)
}

func (t *Table) differs(m *rowferry.Mutation, names ...string) *rowferry.Error {
	return t.About(rowferry.Errorf(rowferry.CodeRowDiffers, "the row to %s is not in the target as it was at the source", m.Op), m).
		Fact("differs in", "%s", strings.Join(names, ", "))
}

// Unheld returns the error for an old value of m that cannot be compared, given
// why: what the target cannot hold, its row does not have either.
func (t *Table) Unheld(why *rowferry.Error, m *rowferry.Mutation, o int) error {
	if why.Code != rowferry.CodeOutOfRange || !t.guards(m, o) {
		return t.About(why, m).Fact("column", "%s", t.Shape.Columns[o].Name)
	}
	e := t.differs(m, t.Shape.Columns[o].Name).Fact("not for the target", "%s", why.What)
	e.Facts = append(e.Facts, why.Facts...)
	return e
}
