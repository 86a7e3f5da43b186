package sinktest

import (
	"context"
	"reflect"
	"slices"

	"github.com/rowferry/rowferry"
	"github.com/rowferry/rowferry/schema"
)

var ctx = context.Background()

// keeperClauses are about the checkpoint.
var keeperClauses = []clause{
	{"no checkpoint is nil", func(e *env) {
		cp, err := e.keeper.ReadCheckpoint(ctx, "p")
		e.must(err)
		if cp != nil {
			e.t.Errorf("got %+v, want none", cp)
		}
		all, err := e.keeper.ListCheckpoints(ctx)
		e.must(err)
		if len(all) != 0 {
			e.t.Errorf("got %+v, want none", all)
		}
		tables, err := e.keeper.Tables(ctx)
		e.must(err)
		if len(tables) != 0 {
			e.t.Errorf("reading made a table: %v", tables[0].Name)
		}
	}},
	{"a checkpoint keeps every field", func(e *env) {
		want := checkpoint("p")
		e.must(e.keeper.WriteCheckpoint(ctx, nil, want))
		e.sees(want)
		now := want
		now.Fence, now.Sequence, now.Position, now.Lineage, now.Start = 7, 8, "0-1-5,1-2-9", "ü"+e.nul()+"x", "s"
		now.Config, now.StateID, now.Held, now.Log = "", "é", rowferry.Held{}, "'\""
		now.Commit, now.Updated = now.Commit.AddDate(1, 0, 0), now.Updated.AddDate(0, 1, 0)
		e.must(e.keeper.WriteCheckpoint(ctx, &want, now))
		e.sees(now)
	}},
	{"checkpoints are listed by name", func(e *env) {
		for _, p := range []string{"b", "a", "c"} {
			e.must(e.keeper.WriteCheckpoint(ctx, nil, checkpoint(p)))
		}
		all, err := e.keeper.ListCheckpoints(ctx)
		e.must(err)
		var names []string
		for _, cp := range all {
			names = append(names, cp.Pipeline)
		}
		if !slices.Equal(names, []string{"a", "b", "c"}) {
			e.t.Errorf("got %v", names)
		}
	}},
	{"a checkpoint is replaced only as it was", func(e *env) {
		first := checkpoint("p")
		e.must(e.keeper.WriteCheckpoint(ctx, nil, first))
		e.fenced(e.keeper.WriteCheckpoint(ctx, nil, first))
		stale := first
		stale.Fence++
		e.fenced(e.keeper.WriteCheckpoint(ctx, &stale, first))
		stale = first
		stale.Sequence++
		e.fenced(e.keeper.WriteCheckpoint(ctx, &stale, first))
		other := checkpoint("q")
		e.fenced(e.keeper.WriteCheckpoint(ctx, &other, other))
		e.sees(first)
	}},
	{"a checkpoint is deleted only as it was", func(e *env) {
		forgetter, ok := e.keeper.(rowferry.Forgetter)
		if !ok {
			e.t.Fatal("the sink cannot forget a pipeline")
		}
		e.fenced(forgetter.DeleteCheckpoint(ctx, checkpoint("p")))
		first, other := checkpoint("p"), checkpoint("q")
		e.must(e.keeper.WriteCheckpoint(ctx, nil, first))
		e.must(e.keeper.WriteCheckpoint(ctx, nil, other))
		stale := first
		stale.Fence++
		e.fenced(forgetter.DeleteCheckpoint(ctx, stale))
		stale = first
		stale.Sequence++
		e.fenced(forgetter.DeleteCheckpoint(ctx, stale))
		e.sees(first)
		e.must(forgetter.DeleteCheckpoint(ctx, first))
		if cp, err := e.keeper.ReadCheckpoint(ctx, "p"); err != nil || cp != nil {
			e.t.Errorf("after it was deleted: %+v, %v", cp, err)
		}
		e.fenced(forgetter.DeleteCheckpoint(ctx, first))
		e.sees(other)
	}},
	{"of two engines one gets the checkpoint", func(e *env) {
		first := checkpoint("p")
		e.must(e.keeper.WriteCheckpoint(ctx, nil, first))
		rival := e.again()
		seen, err := rival.ReadCheckpoint(ctx, "p")
		e.must(err)
		mine, theirs := first, *seen
		mine.Fence, theirs.Fence = 2, 3
		e.must(rival.WriteCheckpoint(ctx, seen, theirs))
		e.fenced(e.keeper.WriteCheckpoint(ctx, &first, mine))
		e.sees(theirs)
		e.must(rival.Close())
	}},
	{"a commit moves the checkpoint", func(e *env) {
		t := table("t", 1, column("id", integer))
		e.apply(shape(t), insert(t, 1))
		e.sees(e.cp)
		e.apply()
		e.sees(e.cp)
		if e.cp.Sequence != 2 {
			e.t.Errorf("sequence %d, want 2", e.cp.Sequence)
		}
	}},
	{"a commit needs the fence, the sequence and the row", func(e *env) {
		t := table("t", 1, column("id", integer))
		e.apply(shape(t), insert(t, 1))
		for name, spoil := range map[string]func(*rowferry.Checkpoint){
			"fence below":    func(cp *rowferry.Checkpoint) { cp.Fence-- },
			"fence above":    func(cp *rowferry.Checkpoint) { cp.Fence++ },
			"same sequence":  func(cp *rowferry.Checkpoint) { cp.Sequence-- },
			"sequence ahead": func(cp *rowferry.Checkpoint) { cp.Sequence++ },
			"no such row":    func(cp *rowferry.Checkpoint) { cp.Pipeline = "q" },
		} {
			cp := e.next()
			spoil(&cp)
			tx := e.begin()
			e.must(tx.Write(ctx, e.stamp([]rowferry.Mutation{insert(t, 2)})))
			err := tx.Commit(ctx, cp)
			if rowferry.CodeOf(err) != rowferry.CodeFenced {
				e.t.Errorf("%s: got %v, want %s", name, err, rowferry.CodeFenced)
			}
			e.must(tx.Rollback())
			e.rows(t, row(vals(1)))
			e.sees(e.cp)
		}
	}},
	{"a commit without any checkpoint is fenced", func(e *env) {
		tx, err := e.sink.Begin(ctx)
		e.must(err)
		cp := checkpoint("p")
		cp.Sequence = 1
		e.fenced(tx.Commit(ctx, cp))
		e.must(tx.Rollback())
	}},
	{"an engine that was overtaken commits nothing", func(e *env) {
		t := table("t", 1, column("id", integer))
		e.apply(shape(t), insert(t, 1))
		rival := e.again()
		taken := e.cp
		taken.Fence++
		e.must(rival.WriteCheckpoint(ctx, &e.cp, taken))
		e.must(rival.Close())
		tx := e.begin()
		e.must(tx.Write(ctx, e.stamp([]rowferry.Mutation{insert(t, 2)})))
		e.fenced(tx.Commit(ctx, e.next()))
		e.must(tx.Rollback())
		e.rows(t, row(vals(1)))
		e.sees(taken)
	}},
	{"a newer format is refused", func(e *env) {
		newer := checkpoint("p")
		newer.Format = rowferry.CheckpointFormat + 1
		e.must(e.keeper.WriteCheckpoint(ctx, nil, newer))
		if _, err := e.keeper.ReadCheckpoint(ctx, "p"); rowferry.CodeOf(err) != rowferry.CodeCheckpointNew {
			e.t.Errorf("got %v, want %s", err, rowferry.CodeCheckpointNew)
		}
		if _, err := e.keeper.ListCheckpoints(ctx); rowferry.CodeOf(err) != rowferry.CodeCheckpointNew {
			e.t.Errorf("got %v, want %s", err, rowferry.CodeCheckpointNew)
		}
		if _, err := e.keeper.ReadCheckpoint(ctx, "other"); err != nil {
			e.t.Errorf("another pipeline's checkpoint: %v", err)
		}
	}},
	{"occupied tables are told from empty ones", func(e *env) {
		full, empty := table(`fu"ll`, 1, column("id", integer)), table("empty", 1, column("id", integer))
		e.apply(shape(full), shape(empty), insert(full, 1))
		got, err := e.keeper.Occupied(ctx, []schema.Name{empty.Name, full.Name, {Table: "missing"}})
		e.must(err)
		if !slices.Equal(got, []schema.Name{full.Name}) {
			e.t.Errorf("got %v", got)
		}
	}},
	{"existing tables are told with their names and keys", func(e *env) {
		parent, child := family(schema.Cascade, schema.NoAction)
		child.Uniques = []schema.Index{{Name: "u", Columns: []int{1, 0}}}
		e.apply(shape(parent), shape(child))
		tables, err := e.keeper.Tables(ctx)
		e.must(err)
		if len(tables) != 2 {
			e.t.Fatalf("%d tables, want 2", len(tables))
		}
		for _, got := range tables {
			e.must(got.Validate())
			want := parent
			if got.Name.Table == child.Name.Table {
				want = child
			}
			if !slices.Equal(got.ColumnNames(got.PrimaryKey), want.ColumnNames(want.PrimaryKey)) || len(got.Columns) != len(want.Columns) ||
				len(got.Uniques) != len(want.Uniques) || len(got.ForeignKeys) != len(want.ForeignKeys) {
				e.t.Errorf("got %+v, want %+v", got, want)
			}
		}
	}},
}

func (e *env) again() rowferry.CheckpointKeeper {
	e.t.Helper()
	if e.o.Again == nil {
		e.t.Fatal("a CheckpointKeeper needs Options.Again")
	}
	return e.o.Again(e.t, e.sink).(rowferry.CheckpointKeeper)
}

// sees wants the checkpoint read back field by field.
func (e *env) sees(want rowferry.Checkpoint) {
	e.t.Helper()
	got, err := e.keeper.ReadCheckpoint(ctx, want.Pipeline)
	e.must(err)
	if got == nil {
		e.t.Fatalf("no checkpoint, want %+v", want)
	}
	if !got.Commit.Equal(want.Commit) || !got.Updated.Equal(want.Updated) {
		e.t.Errorf("times %s and %s, want %s and %s", got.Commit, got.Updated, want.Commit, want.Updated)
	}
	g := *got
	g.Commit, g.Updated = want.Commit, want.Updated
	if !reflect.DeepEqual(g, want) {
		e.t.Errorf("got %+v\nwant %+v", g, want)
	}
}

func (e *env) fenced(err error) {
	e.t.Helper()
	if rowferry.CodeOf(err) != rowferry.CodeFenced {
		e.t.Errorf("got %v, want %s", err, rowferry.CodeFenced)
	}
}
