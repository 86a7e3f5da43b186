package sqlite

import (
	"context"
	"slices"
	"strings"

	"github.com/rowferry/rowferry"
)

var _ rowferry.MergeTx = (*batch)(nil)

// Merge merges changes of different rows, one by one.
func (b *batch) Merge(ctx context.Context, ms []rowferry.Mutation) error {
	return b.each(ctx, ms, b.merge)
}

func (b *batch) merge(m *rowferry.Mutation) error {
	switch m.Op {
	case rowferry.Insert, rowferry.Update, rowferry.Delete:
	default:
		return rowferry.Errorf(rowferry.CodeInternal, "the operation %s cannot be merged", m.Op).Fact("table", "%s", m.Table.Name)
	}
	t, err := b.targetOf(m)
	if err != nil {
		return err
	}
	if err := t.CheckMerge(m); err != nil {
		return err
	}
	b.sets = t.MergeSets(b.sets[:0], m)
	if m.Op == rowferry.Update && len(b.sets) == 0 {
		return nil
	}
	b.key = t.MergePattern(b.key[:0], m, b.sets)
	st, err := b.prepared(t, func() *statement { return t.composeMerge(m.Op, b.sets) })
	if err != nil {
		return err
	}
	_, err = b.run(st, t, m)
	return err
}

// composeMerge writes the SQL that merges a change which writes the columns.
func (t *target) composeMerge(op rowferry.Op, columns []int) *statement {
	st := &statement{set: slices.Clone(columns)}
	var names, sets, marks []string
	for _, o := range columns {
		names = append(names, t.Columns[o].Quoted)
		sets = append(sets, t.Columns[o].Quoted+" = ?")
		marks = append(marks, "?")
	}
	if op == rowferry.Insert {
		st.sql = "INSERT INTO " + t.quoted + " (" + strings.Join(names, ", ") + ") VALUES (" + strings.Join(marks, ", ") + ")" + t.onConflict(columns)
		return st
	}
	where, match := t.are("", t.Identity)
	st.match = match
	if op == rowferry.Delete {
		st.sql = "DELETE FROM " + t.quoted + " WHERE " + where
	} else {
		st.sql = "UPDATE " + t.quoted + " SET " + strings.Join(sets, ", ") + " WHERE " + where
	}
	return st
}

// onConflict is what becomes of a row that is there. Its key is the same, unless
// its columns compare by a collation.
func (t *target) onConflict(columns []int) string {
	var key, sets []string
	for _, o := range t.Identity {
		key = append(key, t.Columns[o].Quoted)
	}
	for _, o := range columns {
		if t.coarse || !slices.Contains(t.Identity, o) {
			sets = append(sets, t.Columns[o].Quoted+" = excluded."+t.Columns[o].Quoted)
		}
	}
	conflict := " ON CONFLICT (" + strings.Join(key, ", ") + ") DO "
	if len(sets) == 0 {
		return conflict + "NOTHING"
	}
	return conflict + "UPDATE SET " + strings.Join(sets, ", ")
}
