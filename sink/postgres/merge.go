package postgres

import (
	"bytes"
	"context"
	"slices"
	"strings"

	"github.com/rowferry/rowferry"
	"github.com/rowferry/rowferry/internal/sqlsink"
)

var _ rowferry.MergeTx = (*batch)(nil)

// Merge merges changes of different rows: those of a table that write the same
// columns travel as one statement, whose parameters are arrays, one for each
// column.
func (b *batch) Merge(ctx context.Context, ms []rowferry.Mutation) error {
	return b.attempt(ctx, func() error { return b.merge(ctx, ms) })
}

// alikes are changes that one statement merges.
type alikes struct {
	target *target
	sets   []int
	key    []byte
	all    []*rowferry.Mutation
}

func (b *batch) merge(ctx context.Context, ms []rowferry.Mutation) error {
	groups, err := b.group(ctx, ms)
	if err != nil {
		return err
	}
	for _, g := range groups {
		for len(g.all) > 0 {
			n, size := 0, 0
			for n < min(len(g.all), mostRows) {
				if size += g.all[n].Before.Size() + g.all[n].After.Size(); n > 0 && size > mostRowBytes {
					break
				}
				n++
			}
			if err := b.mergeAlike(ctx, g, g.all[:n]); err != nil {
				return err
			}
			g.all = g.all[n:]
		}
	}
	return b.flush(ctx)
}

// group sorts changes by the statement that they need, in the order in which the
// first of each came. Since each is about another row, their order does not
// matter.
func (b *batch) group(ctx context.Context, ms []rowferry.Mutation) ([]*alikes, error) {
	var groups []*alikes
	of := map[*target]map[string]*alikes{}
	var sets []int
	for i := range ms {
		m := &ms[i]
		t, err := b.targetOf(ctx, m)
		if err == nil {
			err = t.CheckMerge(m)
		}
		if err != nil {
			return nil, sqlsink.Blame(err, m)
		}
		sets = t.MergeSets(sets[:0], m)
		if m.Op == rowferry.Update && len(sets) == 0 {
			continue
		}
		b.key = t.MergePattern(b.key[:0], m, sets)
		g := of[t][string(b.key)]
		if g == nil {
			g = &alikes{target: t, sets: slices.Clone(sets), key: bytes.Clone(b.key)}
			groups = append(groups, g)
			if of[t] == nil {
				of[t] = map[string]*alikes{}
			}
			of[t][string(g.key)] = g
		}
		g.all = append(g.all, m)
	}
	return groups, nil
}

// mergeAlike queues changes of one pattern as one statement.
func (b *batch) mergeAlike(ctx context.Context, g *alikes, ms []*rowferry.Mutation) error {
	t, m := g.target, ms[0]
	if m.Op == rowferry.Insert && t.fixes(g.sets) {
		// What cannot be overwritten is made anew.
		if err := b.mergeBy(ctx, t, append(g.key, 'D'), ms, anyRows, func() *statement { return t.composeUnmake() }); err != nil {
			return err
		}
		return b.mergeBy(ctx, t, append(g.key, 'I'), ms, int64(len(ms)), func() *statement { return t.composeArrays(m) })
	}
	rows := int64(anyRows)
	if m.Op == rowferry.Insert && len(t.overwrites(g.sets)) > 0 {
		rows = int64(len(ms))
	}
	return b.mergeBy(ctx, t, g.key, ms, rows, func() *statement { return t.composeMerge(m.Op, g.sets) })
}

// mergeBy queues changes for a statement, which compose writes where the session
// does not have it.
func (b *batch) mergeBy(ctx context.Context, t *target, key []byte, ms []*rowferry.Mutation, rows int64, compose func() *statement) error {
	st, ok := b.sink.statements.Get(&t.Table, key)
	if !ok {
		st = compose()
		b.sink.name(t, key, st)
	}
	e := entry{statement: st, target: t, mutation: ms[0], rows: rows, merged: true}
	return b.carry(ctx, e, func(i int) *rowferry.Mutation { return ms[i] }, len(ms))
}

// fixes reports whether a row that is there cannot be made what an insert says: a
// column outside the key takes a number when the row is made, and never again.
func (t *target) fixes(sets []int) bool {
	for _, o := range sets {
		if t.columns[o].always && !slices.Contains(t.Identity, o) {
			return true
		}
	}
	return false
}

// overwrites returns which of the columns an insert gives a row that is there.
// Those of the key may be equal and not the same: 1.0 and 1.00, or by a collation.
func (t *target) overwrites(sets []int) (over []int) {
	for _, o := range sets {
		if !t.columns[o].always {
			over = append(over, o)
		}
	}
	return over
}

// composeMerge writes the SQL that merges many changes which write the columns.
func (t *target) composeMerge(op rowferry.Op, columns []int) *statement {
	st := &statement{}
	v := &unnested{statement: st}
	var names, values, sets, on []string
	overriding := ""
	for _, o := range columns {
		st.set = append(st.set, o)
		names = append(names, t.Columns[o].Quoted)
		values = append(values, v.add(&t.columns[o]))
		sets = append(sets, t.Columns[o].Quoted+" = "+values[len(values)-1])
		if t.columns[o].always {
			overriding = " OVERRIDING SYSTEM VALUE"
		}
	}
	if op == rowferry.Insert {
		st.sql = "INSERT INTO " + t.quoted + " (" + strings.Join(names, ", ") + ")" + overriding +
			" SELECT " + strings.Join(values, ", ") + " FROM " + v.rows() + t.onConflict(columns)
		return st
	}
	for _, o := range t.Identity {
		st.match = append(st.match, o)
		on = append(on, t.columns[o].equals("o."+t.Columns[o].Quoted, v.add(&t.columns[o]), false))
	}
	where := v.rows() + " WHERE " + strings.Join(on, " AND ")
	if op == rowferry.Delete {
		st.sql = "DELETE FROM " + t.quoted + " o USING " + where
	} else {
		st.sql = "UPDATE " + t.quoted + " o SET " + strings.Join(sets, ", ") + " FROM " + where
	}
	return st
}

// onConflict is what becomes of a row that is there.
func (t *target) onConflict(columns []int) string {
	var key, sets []string
	for _, o := range t.Identity {
		key = append(key, t.Columns[o].Quoted)
	}
	for _, o := range t.overwrites(columns) {
		sets = append(sets, t.Columns[o].Quoted+" = excluded."+t.Columns[o].Quoted)
	}
	conflict := " ON CONFLICT (" + strings.Join(key, ", ") + ") DO "
	if len(sets) == 0 {
		return conflict + "NOTHING"
	}
	return conflict + "UPDATE SET " + strings.Join(sets, ", ")
}

// composeUnmake writes the SQL that deletes the rows with the keys of inserts.
func (t *target) composeUnmake() *statement {
	st := &statement{}
	v := &unnested{statement: st}
	var on []string
	for _, o := range t.Identity {
		st.set = append(st.set, o)
		on = append(on, t.columns[o].equals("o."+t.Columns[o].Quoted, v.add(&t.columns[o]), false))
	}
	st.sql = "DELETE FROM " + t.quoted + " o USING " + v.rows() + " WHERE " + strings.Join(on, " AND ")
	return st
}
