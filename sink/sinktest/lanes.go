package sinktest

import (
	"github.com/rowferry/rowferry"
	"github.com/rowferry/rowferry/schema"
)

// laneClauses hold for sinks that are a rowferry.Laner.
var laneClauses = []clause{
	{"lanes: two batches are open, and commit in order", func(e *env) {
		t := e.laned()
		lane := e.lane()
		first, second := e.begin(), begin(e, lane)
		e.must(second.Write(ctx, e.stamp([]rowferry.Mutation{update(t, vals(2, "b"), vals(2, "y"))})))
		e.must(first.Write(ctx, e.stamp([]rowferry.Mutation{update(t, vals(1, "a"), vals(1, "x"))})))
		cp := e.next()
		e.must(first.Commit(ctx, cp))
		e.cp = cp
		e.rows(t, row(vals(1, "x")), row(vals(2, "b")))
		e.must(second.Write(ctx, e.stamp([]rowferry.Mutation{update(t, vals(1, "x"), vals(1, "z"))})))
		cp = e.next()
		e.must(second.Commit(ctx, cp))
		e.cp = cp
		e.rows(t, row(vals(1, "z")), row(vals(2, "y")))
		e.must(lane.Close())
		e.apply(insert(t, 3, "c"))
		e.rows(t, row(vals(1, "z")), row(vals(2, "y")), row(vals(3, "c")))
	}},
	{"lanes: the second batch cannot commit before the first", func(e *env) {
		t := e.laned()
		lane := e.lane()
		first, second := e.begin(), begin(e, lane)
		e.must(first.Write(ctx, e.stamp([]rowferry.Mutation{update(t, vals(1, "a"), vals(1, "x"))})))
		e.must(second.Write(ctx, e.stamp([]rowferry.Mutation{update(t, vals(2, "b"), vals(2, "y"))})))
		early := e.next()
		early.Sequence++
		e.fenced(second.Commit(ctx, early))
		e.must(second.Rollback())
		cp := e.next()
		e.must(first.Commit(ctx, cp))
		e.cp = cp
		e.must(lane.Close())
		e.rows(t, row(vals(1, "x")), row(vals(2, "b")))
	}},
	{"lanes: closing one rolls its batch back", func(e *env) {
		t := e.laned()
		lane := e.lane()
		open := begin(e, lane)
		e.must(open.Write(ctx, e.stamp([]rowferry.Mutation{update(t, vals(2, "b"), vals(2, "y"))})))
		e.must(lane.Close())
		e.apply(update(t, vals(2, "b"), vals(2, "z")))
		e.rows(t, row(vals(1, "a")), row(vals(2, "z")))
	}},
}

// laned makes a table with two rows.
func (e *env) laned() *schema.Table {
	t := table("t", 1, column("id", integer), nullable("s", text))
	e.apply(shape(t), insert(t, 1, "a"), insert(t, 2, "b"))
	return t
}

func (e *env) lane() rowferry.Sink {
	e.t.Helper()
	lane, err := e.sink.(rowferry.Laner).Lane(ctx)
	e.must(err)
	if lane == nil {
		e.t.Fatal("there is no lane")
	}
	return lane
}

func begin(e *env, s rowferry.Sink) rowferry.SinkTx {
	e.t.Helper()
	tx, err := s.Begin(ctx)
	e.must(err)
	return tx
}
