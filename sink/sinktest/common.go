package sinktest

import (
	"context"

	"github.com/rowferry/rowferry"
)

// commonClauses hold for every sink, event logs included.
var commonClauses = []clause{
	{"every operation is taken", func(e *env) {
		t := table("t", 1, column("id", integer), nullable("s", text))
		e.apply(shape(t), insert(t, 1, "a"), update(t, vals(1, "a"), vals(1, "b")), remove(t, 1, "b"), insert(t, 2, nil), truncate(t))
	}},
	{"an empty batch commits", func(e *env) {
		e.apply()
		e.apply()
	}},
	{"a batch may be written in parts", func(e *env) {
		t := table("t", 1, column("id", integer))
		tx := e.open(shape(t))
		for i := range 10 {
			e.must(tx.Write(context.Background(), e.stamp([]rowferry.Mutation{insert(t, i)})))
		}
		e.must(tx.Commit(context.Background(), e.next()))
	}},
	{"a drop is refused by name", func(e *env) {
		t := table("t", 1, column("id", integer))
		e.apply(shape(t))
		tx := e.begin()
		err := tx.Write(context.Background(), e.stamp([]rowferry.Mutation{{Op: rowferry.Drop, Table: t}}))
		if rowferry.CodeOf(err) == "" {
			e.t.Errorf("got %v, want an error with a code", err)
		}
		e.must(tx.Rollback())
	}},
	{"after an error only a rollback may follow", func(e *env) {
		t := table("t", 1, column("id", integer))
		e.apply(shape(t))
		tx := e.begin()
		if err := tx.Write(context.Background(), e.stamp([]rowferry.Mutation{{Op: rowferry.Drop, Table: t}})); err == nil {
			e.t.Fatal("a drop was accepted")
		}
		if err := tx.Write(context.Background(), e.stamp([]rowferry.Mutation{insert(t, 1)})); err == nil {
			e.t.Error("a write after an error was accepted")
		}
		if err := tx.Commit(context.Background(), e.next()); err == nil {
			e.t.Error("a commit after an error was accepted")
		}
		e.must(tx.Rollback())
		e.apply(insert(t, 1))
	}},
	{"one batch at a time", func(e *env) {
		tx := e.begin()
		if other, err := e.sink.Begin(context.Background()); err == nil {
			e.t.Errorf("a second batch was opened: %v", other)
		}
		e.must(tx.Rollback())
	}},
	{"a rollback after a commit does nothing", func(e *env) {
		t := table("t", 1, column("id", integer))
		tx := e.open(shape(t), insert(t, 1))
		cp := e.next()
		e.must(tx.Commit(context.Background(), cp))
		e.cp = cp
		e.must(tx.Rollback())
		if e.o.Read != nil {
			e.rows(t, row(vals(1)))
		} else if n := e.o.Count(e.t, e.sink); n != 1 {
			e.t.Errorf("%d events, want 1", n)
		}
	}},
	{"a cancelled context stops", func(e *env) {
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		if tx, err := e.sink.Begin(ctx); err == nil {
			e.t.Error("a batch was begun under a cancelled context")
			e.must(tx.Rollback())
		}
	}},
	{"hostile names", func(e *env) {
		t := table(`a"b'c]d[e;f --g`+"`h", 1, column(`i"d; DROP TABLE x`, integer), nullable("sel\nect", text), nullable("Ünï日", text))
		e.apply(shape(t), insert(t, 1, "x", "y"), update(t, vals(1, "x", "y"), vals(1, `x"'`, "z")))
		if e.o.Read != nil {
			e.rows(t, row(vals(1, `x"'`, "z")))
		}
	}},
}

// logClauses hold for sinks that are event logs.
var logClauses = []clause{
	{"a commit is visible", func(e *env) {
		t := table("t", 1, column("id", integer), nullable("s", text))
		e.apply(shape(t), insert(t, 1, "a"), update(t, vals(1, "a"), vals(1, "b")), remove(t, 1, "b"), truncate(t))
		if n := e.o.Count(e.t, e.sink); n != 4 {
			e.t.Errorf("%d events, want 4: one for each operation but the shape", n)
		}
	}},
	{"a rollback leaves nothing", func(e *env) {
		t := table("t", 1, column("id", integer), nullable("s", blob))
		e.apply(shape(t), insert(t, 1, nil))
		tx := e.begin()
		e.must(tx.Write(context.Background(), e.stamp([]rowferry.Mutation{insert(t, 2, make([]byte, 1<<20)), insert(t, 3, nil)})))
		e.must(tx.Rollback())
		e.apply(insert(t, 4, nil))
		if n := e.o.Count(e.t, e.sink); n != 2 {
			e.t.Errorf("%d events, want 2", n)
		}
	}},
}
