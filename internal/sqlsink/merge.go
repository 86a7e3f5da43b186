package sqlsink

import (
	"slices"

	"github.com/rowferry/rowferry"
)

// CheckMerge demands what merging m needs: a change of one row, which its key
// finds before and after.
func (t *Table) CheckMerge(m *rowferry.Mutation) error {
	switch m.Op {
	case rowferry.Insert, rowferry.Update, rowferry.Delete:
	default:
		return rowferry.Errorf(rowferry.CodeInternal, "the operation %s cannot be merged", m.Op).Fact("table", "%s", m.Table.Name)
	}
	if t.Identity == nil {
		return t.About(rowferry.Errorf(rowferry.CodeInternal, "a change of a table without a key cannot be merged"), m)
	}
	if err := t.CheckImages(m); err != nil {
		return err
	}
	if m.Op == rowferry.Update && t.Changes(m, t.Identity) {
		return t.About(rowferry.Errorf(rowferry.CodeInternal, "an update that changes the key cannot be merged"), m)
	}
	return nil
}

// MergeSets appends to dst the ordinals of the columns that merging m writes. An
// update writes all that it tells, for the row may be another than it was at the
// source, but for the key.
func (t *Table) MergeSets(dst []int, m *rowferry.Mutation) []int {
	if m.Op == rowferry.Delete {
		return dst
	}
	for o := range t.Columns {
		if t.Columns[o].Computed || m.After[o].IsAbsent() || m.Op == rowferry.Update && slices.Contains(t.Identity, o) {
			continue
		}
		dst = append(dst, o)
	}
	return dst
}

// MergePattern appends to dst what tells statements that merge into this table
// apart, and from those of Pattern: the operation and the columns that it writes.
func (t *Table) MergePattern(dst []byte, m *rowferry.Mutation, sets []int) []byte {
	dst, bits := t.zeroBits(append(dst, 'M', byte(m.Op)))
	for _, o := range sets {
		bits[o/8] |= 1 << (o % 8)
	}
	return dst
}

// OnlyShapes refuses mutations that no tables can be made of.
func OnlyShapes(ms []rowferry.Mutation) error {
	for i := range ms {
		if ms[i].Op != rowferry.Shape {
			return rowferry.Errorf(rowferry.CodeInternal, "tables are not made for the operation %s", ms[i].Op)
		}
	}
	return nil
}
