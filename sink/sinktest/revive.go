package sinktest

import (
	"context"
	"slices"

	"github.com/rowferry/rowferry"
	"github.com/rowferry/rowferry/schema"
)

// reviveClauses hold for sinks that are a rowferry.Loader, whose batches are a
// rowferry.ReviveTx. The last column of their tables marks a row as deleted.
var reviveClauses = []clause{
	{"revive: which rows are marked", func(e *env) {
		t := table("t", 2, column("a", text), column("b", integer), nullable("gone", integer))
		e.apply(shape(t), insert(t, "x", 1, 9), insert(t, "x", 2, nil), insert(t, "Ä'\\", 3, 9), insert(t, "y", 1, 9))
		tx := e.open(update(t, vals("y", 1, 9), vals("y", 1, nil)), insert(t, "z", 1, 9))
		e.marked(tx, t, []bool{true, false, true, false, true, false, false},
			vals("x", 1, nil), vals("x", 2, nil), vals("Ä'\\", 3, nil), vals("y", 1, nil), vals("z", 1, nil), vals("X", 1, nil), vals("n", 7, nil))
		e.must(tx.Commit(context.Background(), e.next()))
		e.rows(t, row(vals("x", 1, 9)), row(vals("x", 2, nil)), row(vals("Ä'\\", 3, 9)), row(vals("y", 1, nil)), row(vals("z", 1, 9)))
	}},
	{"revive: many rows", func(e *env) {
		t := table("t", 1, column("id", integer), nullable("gone", integer))
		gone := func(i int) any { return map[bool]any{true: 9, false: nil}[i%3 == 0] }
		e.apply(append([]rowferry.Mutation{shape(t)}, each(50, func(i int) rowferry.Mutation { return insert(t, i, gone(i)) })...)...)
		want, rows := make([]bool, 64), make([][]any, 64)
		for i := range want {
			want[i], rows[i] = i < 50 && i%3 == 0, vals(i, nil)
		}
		tx := e.open()
		e.marked(tx, t, want, rows...)
		e.must(tx.Rollback())
	}},
}

// marked requires what the target says of inserts.
func (e *env) marked(tx rowferry.SinkTx, t *schema.Table, want []bool, rows ...[]any) {
	e.t.Helper()
	ms := make([]rowferry.Mutation, len(rows))
	for i := range rows {
		ms[i] = insert(t, rows[i]...)
		ms[i].Revives = len(t.Columns)
	}
	got, err := tx.(rowferry.ReviveTx).Marked(context.Background(), e.stamp(ms))
	e.must(err)
	if !slices.Equal(got, want) {
		e.t.Errorf("marked are %v, want %v", got, want)
	}
}
