package sinktest

import (
	"sync"

	"github.com/rowferry/rowferry"
	"github.com/rowferry/rowferry/schema"
)

// loadFenceClauses are about what of a rowferry.Load is committed, and when.
var loadFenceClauses = []clause{
	{"load: a rollback leaves nothing", func(e *env) {
		t := numbered("t")
		e.prepareLoad(t)
		l := e.load()
		e.must(l.Rollback())
		e.chunk(l, t, false, started(t, 0, 10)...)
		e.must(l.Rollback()) // after a commit it does nothing
		e.open1(l, t, false, started(t, 10, loadRows)...)
		e.must(l.Rollback())
		e.rows(t, rowsOf(10, start)...)
		e.open1(l, t, true, each(10, func(i int) rowferry.Mutation { return insert(t, i, "again", nil) })...)
		e.must(l.Rollback())
		e.rows(t, rowsOf(10, start)...)
		e.chunk(l, t, false, started(t, 10, 20)...)
		e.rows(t, rowsOf(20, start)...)
	}},
	{"load: closing rolls an open chunk back", func(e *env) {
		t := numbered("t")
		e.prepareLoad(t)
		l := e.load()
		e.open1(l, t, false, started(t, 0, loadRows)...)
		e.must(l.Close())
		e.rows(t)
		e.chunk(e.load(), t, false, started(t, 0, loadRows)...)
		e.rows(t, rowsOf(loadRows, start)...)
	}},
	{"load: after an error only a rollback may follow", func(e *env) {
		t := numbered("t")
		e.prepareLoad(t)
		l := e.load()
		e.must(l.Begin(ctx, e.shaped(t), false))
		if err := l.Write(ctx, e.stamp([]rowferry.Mutation{insert(t, 1, []byte("x"), 1)})); rowferry.CodeOf(err) != rowferry.CodeInternal {
			e.t.Fatalf("a value of another kind than its column: got %v, want %s", err, rowferry.CodeInternal)
		}
		if err := l.Write(ctx, e.stamp(started(t, 0, 3))); err == nil {
			e.t.Error("a write after an error was accepted")
		}
		if err := l.Commit(ctx, e.cp, rowferry.Chunk{}); err == nil {
			e.t.Error("a commit after an error was accepted")
		}
		e.must(l.Rollback())
		e.rows(t)
	}},
	{"load: only inserts of the chunk's table are taken", func(e *env) {
		t, u := numbered("t"), numbered("u")
		e.prepareLoad(t, u)
		l := e.load()
		if err := l.Write(ctx, e.stamp(started(t, 0, 3))); err == nil {
			e.t.Error("a write without a chunk was accepted")
		}
		for _, m := range []rowferry.Mutation{insert(u, start(1)...), remove(t, start(1)...), update(t, start(1), start(2)), truncate(t)} {
			e.must(l.Begin(ctx, e.shaped(t), false))
			if err := l.Write(ctx, e.stamp([]rowferry.Mutation{insert(t, start(7)...), m})); rowferry.CodeOf(err) != rowferry.CodeInternal {
				e.t.Errorf("%s of %s: got %v, want %s", m.Op, m.Table.Name, err, rowferry.CodeInternal)
			}
			e.must(l.Rollback())
		}
		e.rows(t)
		e.rows(u)
	}},
	{"load: a commit needs the fence, the sequence and the row", func(e *env) {
		t := numbered("t")
		e.prepareLoad(t)
		e.apply() // a sequence that can be lower
		l := e.load()
		e.chunk(l, t, false, started(t, 0, 5)...)
		for name, spoil := range map[string]func(*rowferry.Checkpoint){
			"fence below":    func(cp *rowferry.Checkpoint) { cp.Fence-- },
			"fence above":    func(cp *rowferry.Checkpoint) { cp.Fence++ },
			"sequence below": func(cp *rowferry.Checkpoint) { cp.Sequence-- },
			"sequence ahead": func(cp *rowferry.Checkpoint) { cp.Sequence++ },
			"no such row":    func(cp *rowferry.Checkpoint) { cp.Pipeline = "q" },
		} {
			cp := e.cp
			spoil(&cp)
			e.open1(l, t, false, started(t, 10, 20)...)
			if err := l.Commit(ctx, cp, rowferry.Chunk{}); rowferry.CodeOf(err) != rowferry.CodeFenced {
				e.t.Errorf("%s: got %v, want %s", name, err, rowferry.CodeFenced)
			}
			e.must(l.Rollback())
			e.rows(t, rowsOf(5, start)...)
			e.sees(e.cp)
		}
		e.chunk(l, t, false, started(t, 5, 9)...)
		e.rows(t, rowsOf(9, start)...)
	}},
	{"load: without any checkpoint it is fenced", func(e *env) {
		t := numbered("t")
		e.must(e.loader().PrepareLoad(ctx, e.shapes(t)))
		l, err := e.loader().Load(ctx)
		e.must(err)
		e.open1(l, t, false, started(t, 0, 3)...)
		e.fenced(l.Commit(ctx, checkpoint("p"), rowferry.Chunk{}))
		e.must(l.Rollback())
		e.must(l.Close())
		e.rows(t)
	}},
	{"load: an engine that was overtaken commits no chunk", func(e *env) {
		t := numbered("t")
		e.prepareLoad(t)
		l := e.load()
		e.open1(l, t, false, started(t, 0, 9)...)
		rival := e.again()
		taken := e.cp
		taken.Fence++
		switch err := rival.WriteCheckpoint(ctx, &e.cp, taken); rowferry.CodeOf(err) {
		case "":
			e.must(err)
			e.fenced(l.Commit(ctx, e.cp, rowferry.Chunk{}))
			e.must(l.Rollback())
			e.rows(t)
			e.sees(taken)
		case rowferry.CodeTargetConflict, rowferry.CodeTargetBusy: // where one alone writes, it has to wait
			e.must(l.Commit(ctx, e.cp, rowferry.Chunk{}))
			e.rows(t, rowsOf(9, start)...)
			e.sees(e.cp)
		default:
			e.t.Errorf("taking over beside an open chunk: %v", err)
		}
		e.must(rival.Close())
	}},
	{"load: a chunk is in the target before the pipeline is taken over, or never", func(e *env) {
		t := numbered("t")
		e.prepareLoad(t)
		l, rival := e.load(), e.again()
		var there []rowferry.Row
		for round := range 20 {
			e.open1(l, t, false, insert(t, start(round)...))
			taken, committed := e.cp, make(chan error, 1)
			taken.Fence++
			go func(cp rowferry.Checkpoint) { committed <- l.Commit(ctx, cp, rowferry.Chunk{}) }(e.cp)
			overtaken := rival.WriteCheckpoint(ctx, &e.cp, taken)
			seen := e.o.Read(e.t, e.sink, t)
			switch err := <-committed; rowferry.CodeOf(err) {
			case "":
				e.must(err)
				there = append(there, row(start(round)))
				if overtaken == nil && len(seen) != len(there) {
					e.t.Fatalf("round %d: a chunk was committed after the pipeline had been taken over", round)
				}
			case rowferry.CodeFenced:
				e.must(overtaken)
			default:
				e.t.Fatal(err)
			}
			e.must(l.Rollback())
			if overtaken == nil {
				e.cp = taken
			} else if code := rowferry.CodeOf(overtaken); code != rowferry.CodeTargetConflict && code != rowferry.CodeTargetBusy {
				e.t.Fatal(overtaken)
			}
			e.rows(t, there...)
		}
		e.must(rival.Close())
	}},
	{"load: several chunks of a table are open", func(e *env) {
		t := numbered("t")
		e.prepareLoad(t)
		first := e.load()
		second := e.another()
		if second == nil {
			second = first // where chunks come one by one
			e.chunk(first, t, false, started(t, 0, loadRows)...)
			e.chunk(second, t, false, started(t, loadRows, 2*loadRows)...)
		} else {
			e.open1(first, t, false, started(t, 0, loadRows/2)...)
			e.open1(second, t, false, started(t, loadRows, 2*loadRows)...)
			e.must(first.Write(ctx, e.stamp(started(t, loadRows/2, loadRows))))
			e.must(second.Commit(ctx, e.cp, rowferry.Chunk{}))
			e.rows(t, rowsOf(loadRows, func(i int) []any { return start(loadRows + i) })...)
			e.must(first.Commit(ctx, e.cp, rowferry.Chunk{}))
		}
		e.rows(t, rowsOf(2*loadRows, start)...)
		e.sees(e.cp)
	}},
	{"load: several at once", func(e *env) {
		t := numbered("t")
		e.prepareLoad(t)
		e.key(t)
		const chunks, size = 12, 200
		var group sync.WaitGroup
		failed := make(chan error, chunks)
		loads := []rowferry.Load{e.load(), e.another(), e.another()}
		if loads[1] == nil {
			loads = loads[:1]
		}
		var written [][]rowferry.Mutation
		for c := range chunks {
			written = append(written, e.stamp(started(t, c*size, (c+1)*size)))
		}
		for n, l := range loads {
			group.Go(func() {
				for c := n; c < chunks; c += len(loads) {
					for _, again := range []bool{false, true} {
						if err := e.again1(l, t, again, written[c]); err != nil {
							failed <- err
							return
						}
					}
				}
			})
		}
		group.Wait()
		close(failed)
		for err := range failed {
			e.t.Error(err)
		}
		e.rows(t, rowsOf(chunks*size, start)...)
	}},
}

// again1 loads a chunk, until nothing was in its way.
func (e *env) again1(l rowferry.Load, t *schema.Table, again bool, ms []rowferry.Mutation) error {
	for {
		m := shape(t)
		err := l.Begin(ctx, &m, again)
		if err == nil {
			err = l.Write(ctx, ms)
		}
		if err == nil {
			err = l.Commit(ctx, e.cp, rowferry.Chunk{})
		}
		if rowferry.CodeOf(err) != rowferry.CodeTargetConflict {
			return err
		}
		if err := l.Rollback(); err != nil {
			return err
		}
	}
}
