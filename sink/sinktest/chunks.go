package sinktest

import (
	"slices"

	"github.com/rowferry/rowferry"
	"github.com/rowferry/rowferry/schema"
)

// chunkClauses are about what a Loader keeps of what was loaded.
var chunkClauses = []clause{
	{"chunks: told as they were claimed, and done with their rows", func(e *env) {
		a, b := numbered("a"), numbered("b")
		if got, err := e.loader().Chunks(ctx, e.cp.Pipeline); err != nil || len(got) > 0 {
			e.t.Fatalf("before anything: %v, %v", got, err)
		}
		e.prepareLoad(a)
		e.prepareLoad(b)
		e.ready()
		l := e.load().(*testLoad).Load
		claims := []rowferry.Chunk{
			{Table: schema.Name{Schema: "s", Table: "a"}, Number: 0, Upto: "i5,t00"},
			{Table: schema.Name{Schema: "s", Table: "a"}, Number: 1, Upto: ""},
			{Table: schema.Name{Schema: "s", Table: "A"}, Number: 0, Upto: "é"},
			{Table: schema.Name{Table: "a"}, Number: 10, Upto: "x"},
		}
		for _, c := range claims {
			e.must(l.Claim(ctx, e.cp, c))
		}
		other := e.cp
		other.Sequence++
		e.fenced(l.Claim(ctx, other, rowferry.Chunk{Table: schema.Name{Table: "b"}}))
		e.chunksAre(claims...)

		e.must(l.Begin(ctx, e.shaped(a), false))
		e.must(l.Write(ctx, e.stamp(started(a, 0, 5))))
		e.must(l.Rollback())
		e.chunksAre(claims...)
		e.must(l.Begin(ctx, e.shaped(a), false))
		e.must(l.Write(ctx, e.stamp(started(a, 0, 5))))
		claims[1].Done, claims[1].Rows, claims[1].Saw = true, 5, "10:20:12,15"
		e.must(l.Commit(ctx, e.cp, claims[1]))
		e.chunksAre(claims...)
		e.rows(a, rowsOf(5, start)...)

		for _, wrong := range []rowferry.Chunk{claims[1], {Table: claims[0].Table, Number: 7}} {
			e.must(l.Begin(ctx, e.shaped(b), false))
			e.must(l.Write(ctx, e.stamp(started(b, 0, 5))))
			if err := l.Commit(ctx, e.cp, wrong); rowferry.CodeOf(err) != rowferry.CodeInternal {
				e.t.Errorf("a chunk that is done, or was not claimed: %v", err)
			}
			e.must(l.Rollback())
			e.rows(b)
		}
		e.must(e.loader().ForgetChunks(ctx, "another"))
		e.chunksAre(claims...)
		e.must(e.loader().ForgetChunks(ctx, e.cp.Pipeline))
		e.chunksAre()
	}},
}

// chunksAre wants the chunks, in any order of tables.
func (e *env) chunksAre(want ...rowferry.Chunk) {
	e.t.Helper()
	got, err := e.loader().Chunks(ctx, e.cp.Pipeline)
	e.must(err)
	if len(got) != len(want) {
		e.t.Fatalf("%d chunks, want %d: %v", len(got), len(want), got)
	}
	for i, c := range got {
		if !slices.Contains(want, c) {
			e.t.Errorf("%+v is not wanted", c)
		}
		if i > 0 && got[i-1].Table == c.Table && got[i-1].Number >= c.Number {
			e.t.Errorf("%+v comes before %+v", got[i-1], c)
		}
	}
}
