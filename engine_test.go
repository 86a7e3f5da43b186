package rowferry_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rowferry/rowferry"
	"github.com/rowferry/rowferry/checkpoint"
	"github.com/rowferry/rowferry/mapping"
	"github.com/rowferry/rowferry/schema"
	"github.com/rowferry/rowferry/sink/jsonl"
)

func TestEngineResumes(t *testing.T) {
	b := newBench(t)
	all := counting(9)
	b.must(&script{txs: all.txs[:4]}, rowferry.Fresh)
	b.rows(upTo(4)...)
	b.must(all, rowferry.Resumed)
	b.must(all, rowferry.Resumed)
	b.rows(upTo(9)...)
}

// TestEngineTiesItsStart: a start of which nothing was applied yet is not gone
// on with in another log.
func TestEngineTiesItsStart(t *testing.T) {
	b := newBench(t)
	all := counting(4)
	b.must(&script{txs: all.txs[:2], first: 2}, rowferry.Fresh)
	b.fails(&script{txs: all.txs, broke: "lt2"}, rowferry.CodeLineageBroken)
	b.must(all, rowferry.Resumed)
}

// TestEngineKeepsWhatPrecedesARefusal: whatever was grouped, everything before
// the refused transaction is kept, nothing of it or after it.
func TestEngineKeepsWhatPrecedesARefusal(t *testing.T) {
	b := newBench(t)
	b.opts.BatchTxs = 100
	bad := log([]rowferry.Change{put(1, 0)}, []rowferry.Change{put(2, 0)}, []rowferry.Change{put(3, 0), change(99, 0, 1)}, []rowferry.Change{put(4, 0)})
	err := b.fails(bad, rowferry.CodeRowMissing)
	if !strings.Contains(err.Error(), "transaction: t3") {
		t.Errorf("the error does not name the transaction: %v", err)
	}
	b.rows(1, 2)
	mended := log([]rowferry.Change{put(1, 0)}, []rowferry.Change{put(2, 0)}, []rowferry.Change{put(3, 0)}, []rowferry.Change{put(4, 0)})
	b.must(mended, rowferry.Resumed)
	b.rows(1, 2, 3, 4)
}

// TestEngineStopsAtAnotherShape: a shape that differs stops before it; one
// that says the same does not.
func TestEngineStopsAtAnotherShape(t *testing.T) {
	b := newBench(t)
	same, other := *items, *items
	other.Columns = append(slices.Clone(items.Columns), schema.Column{Name: "x", Type: schema.Type{Kind: schema.Date}, Nullable: true})
	s := log([]rowferry.Change{put(1, 0)}, []rowferry.Change{{Op: rowferry.Shape, Table: &same}, put(2, 0)}, []rowferry.Change{{Op: rowferry.Shape, Table: &other}})
	err := b.fails(s, rowferry.CodeShapeChanged)
	if !strings.Contains(err.Error(), "column x added") {
		t.Errorf("the error does not say what changed: %v", err)
	}
	b.rows(1, 2)
	b.fails(s, rowferry.CodeShapeChanged) // and again, from what was recorded
	dropped := log([]rowferry.Change{put(1, 0)}, []rowferry.Change{put(2, 0)}, []rowferry.Change{{Op: rowferry.Drop, Table: items}})
	b.fails(dropped, rowferry.CodeShapeChanged)
	b.rows(1, 2)
}

// TestEngineFollowsARestoredTarget: the target went back; the engine follows
// it, and applies again what it lost.
func TestEngineFollowsARestoredTarget(t *testing.T) {
	b := newBench(t)
	all := counting(9)
	b.must(&script{txs: all.txs[:3]}, rowferry.Fresh)
	backup := b.target + ".backup"
	copyFile(t, b.target, backup)
	b.must(all, rowferry.Resumed)
	copyFile(t, backup, b.target)
	b.rows(upTo(3)...)
	b.must(all, rowferry.Rewound)
	b.rows(upTo(9)...)
}

// TestEngineRebuildsItsState: deleted, restored from yesterday, or of another
// history, the state is learnt again; refused where the log no longer reaches.
func TestEngineRebuildsItsState(t *testing.T) {
	b := newBench(t)
	all := counting(9)
	b.must(&script{txs: all.txs[:3]}, rowferry.Fresh)
	if err := os.RemoveAll(b.state); err != nil {
		t.Fatal(err)
	}
	err := b.fails(&script{txs: all.txs, first: 2}, rowferry.CodeStateNeeded)
	if !strings.Contains(err.Error(), "p0") {
		t.Errorf("the error does not say from where the log is needed: %v", err)
	}
	b.rows(1, 2, 3)
	b.must(&script{txs: all.txs[:3]}, rowferry.Rebuilt) // nothing new: still to be rebuilt
	b.must(&script{txs: all.txs[:6]}, rowferry.Rebuilt)
	b.must(all, rowferry.Resumed)
	b.rows(upTo(9)...)
	other := *items
	other.Columns = other.Columns[:1]
	changed := &script{txs: append(slices.Clone(all.txs), &rowferry.Tx{ID: "x", Changes: []rowferry.Change{{Op: rowferry.Shape, Table: &other}}, Last: true, Position: "p10"})}
	b.fails(changed, rowferry.CodeShapeChanged) // the rebuilt state knows the shape
}

// TestEngineStartsOver: the target was emptied, and the log still begins where
// the pipeline did.
func TestEngineStartsOver(t *testing.T) {
	b := newBench(t)
	all := counting(5)
	b.must(all, rowferry.Fresh)
	for _, f := range []string{b.target, b.target + "-wal", b.target + "-shm"} {
		if err := os.RemoveAll(f); err != nil {
			t.Fatal(err)
		}
	}
	b.fails(&script{txs: all.txs, first: 1}, rowferry.CodeTargetLost)
	b.opts.FromGiven = true
	b.fails(&script{txs: all.txs, first: 1}, rowferry.CodeFromConflict)
	b.opts.FromGiven = false
	b.must(all, rowferry.StartedOver)
	b.rows(upTo(5)...)
	execute(t, b.target, "DELETE FROM rowferry_checkpoint")
	b.fails(all, rowferry.CodeTargetOccupied)
	b.rows(upTo(5)...)
}

// TestEngineRefusesKeylessRows: rows of a table without a key could not be told
// from replicated ones, so a table that has some is not begun; while a lost
// state is rebuilt they are the pipeline's own.
func TestEngineRefusesKeylessRows(t *testing.T) {
	keyless := *items
	keyless.Name.Table, keyless.PrimaryKey = "log", nil
	line := func(n int64) []rowferry.Change {
		return []rowferry.Change{{Op: rowferry.Insert, Table: &keyless, After: item(n, n)}}
	}
	s := log(append([]rowferry.Change{{Op: rowferry.Shape, Table: &keyless}}, line(1)...), line(2), line(3))
	b := newBench(t)
	b.must(&script{txs: s.txs[:2]}, rowferry.Fresh)
	if err := os.RemoveAll(b.state); err != nil {
		t.Fatal(err)
	}
	known := &script{txs: s.txs, knows: &keyless}
	b.must(known, rowferry.Rebuilt)
	if got := query(t, b.target, "SELECT n FROM log"); !slices.Equal(got, []int64{1, 2, 3}) {
		t.Fatalf("rows %v", got)
	}
	stranger := &bench{t: t, target: b.target, state: b.state + "-2", opts: b.opts}
	stranger.opts.Pipeline = "stranger"
	stranger.fails(s, rowferry.CodeTargetOccupied)
	if got := query(t, b.target, "SELECT n FROM log"); !slices.Equal(got, []int64{1, 2, 3}) {
		t.Fatalf("rows %v", got)
	}
}

// TestEngineRefusesToDropStrangers: a table that ends and is not the
// pipeline's is no matter, unless the target has rows of it.
func TestEngineRefusesToDropStrangers(t *testing.T) {
	b := newBench(t)
	other := *items
	other.Name.Table = "other"
	s := log([]rowferry.Change{put(1, 0)}, []rowferry.Change{{Op: rowferry.Drop, Table: &other}, put(2, 0)}, []rowferry.Change{put(3, 0)})
	b.must(&script{txs: s.txs[:1]}, rowferry.Fresh)
	execute(t, b.target, "CREATE TABLE other (id INTEGER PRIMARY KEY, n INTEGER) STRICT")
	execute(t, b.target, "INSERT INTO other VALUES (1, 1)")
	b.fails(s, rowferry.CodeShapeChanged)
	b.rows(1)
	execute(t, b.target, "DELETE FROM other")
	b.must(s, rowferry.Resumed)
	b.rows(1, 2, 3)
}

// TestEngineIsFenced: an engine that was taken over commits nothing more,
// whether its successor has already written the same rows or none.
func TestEngineIsFenced(t *testing.T) {
	for _, applied := range []int64{3, 6} {
		t.Run(fmt.Sprint(applied), func(t *testing.T) { testFenced(t, applied) })
	}
}

func testFenced(t *testing.T, applied int64) {
	b := newBench(t)
	all := counting(9)
	b.must(&script{txs: all.txs[:3]}, rowferry.Fresh)
	old, closeOld, err := b.open(&script{txs: all.txs})
	if err != nil {
		t.Fatal(err)
	}
	defer closeOld()
	successor := &bench{t: t, target: b.target, state: b.state + "-2", opts: b.opts}
	successor.must(&script{txs: all.txs[:applied]}, rowferry.Rebuilt)
	if err := old.Run(t.Context()); rowferry.CodeOf(err) != rowferry.CodeFenced || rowferry.ClassOf(err) != rowferry.ClassHeld {
		t.Fatalf("the old engine: %v; want %s", err, rowferry.CodeFenced)
	}
	b.rows(upTo(applied)...)
}

func TestEngineRefusesOtherRulesAndStarts(t *testing.T) {
	b := newBench(t)
	all := counting(5)
	b.must(&script{txs: all.txs[:3]}, rowferry.Fresh)
	b.opts.Config, b.opts.Rules = "c2", "rules 2"
	err := b.fails(all, rowferry.CodeConfigChanged)
	if !strings.Contains(err.Error(), "then: rules 1") || !strings.Contains(err.Error(), "now: rules 2") {
		t.Errorf("the error does not show both: %v", err)
	}
	b.opts.Config, b.opts.Rules, b.opts.FromGiven = "c1", "rules 1", true
	b.fails(&script{txs: all.txs, first: 1}, rowferry.CodeFromConflict)
	b.fails(&script{txs: all.txs, broke: "lt3"}, rowferry.CodeLineageBroken)
	b.must(all, rowferry.Resumed) // --from is the start that was given
	b.rows(upTo(5)...)
}

// TestEngineSpools: a transaction larger than memory arrives whole, less what
// a savepoint took back; a rolled back one does not arrive.
func TestEngineSpools(t *testing.T) {
	b := newBench(t)
	b.opts.SpillBytes = 300
	keep := 25
	var chunks []*rowferry.Tx
	for i := range 10 {
		tx := &rowferry.Tx{ID: "big"}
		for k := range 10 {
			tx.Changes = append(tx.Changes, put(int64(10*i+k), 0))
		}
		chunks = append(chunks, tx)
	}
	chunks[0].Changes = append([]rowferry.Change{{Op: rowferry.Shape, Table: items}}, chunks[0].Changes...)
	chunks[5].DropFrom = &keep // the shape and rows 0 to 23
	chunks[9].Last, chunks[9].Position = true, "p10"
	undone := &rowferry.Tx{ID: "undone", Changes: slices.Clone(chunks[3].Changes)}
	undone.Changes = append(undone.Changes, chunks[4].Changes...)
	end := &rowferry.Tx{ID: "undone", Changes: chunks[2].Changes, Last: true, Discard: true, Position: "p12"}
	e, done, err := b.open(&script{txs: append(chunks, undone, end)})
	defer done()
	if err != nil {
		t.Fatal(err)
	}
	if err := e.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	var want []int64
	for id := int64(0); id < 100; id++ {
		if id < 24 || id >= 50 {
			want = append(want, id)
		}
	}
	b.rows(want...)
	if p := e.Progress(); p.Spilled != 2 || p.Transactions != 2 || p.Rows != uint64(len(want)) {
		t.Fatalf("progress %+v", p)
	}
}

// TestEngineCountsWhatItWrites: compacted, three changes of a row are one
// write.
func TestEngineCountsWhatItWrites(t *testing.T) {
	b := newBench(t)
	e, done, err := b.open(log([]rowferry.Change{put(1, 0), change(1, 0, 1), change(1, 1, 2), put(2, 0)}))
	defer done()
	if err != nil {
		t.Fatal(err)
	}
	if err := e.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	if p := e.Progress(); p.Rows != 4 || p.Mutations != 5 || p.Written != 3 || p.MostTransactions != 1 { // with the table itself
		t.Fatalf("progress %+v", p)
	}
}

// TestEngineHalvesARefusal: where compacting broke what only the target knows of,
// little of a large batch is written in the source's own order.
func TestEngineHalvesARefusal(t *testing.T) {
	const rows, trouble = 3000, 2000
	b := newBench(t)
	b.opts.BatchTxs, b.opts.BatchRows = 10*rows, 10*rows
	create(t, b.target, "CREATE TABLE items (id INTEGER PRIMARY KEY, n INTEGER UNIQUE)")
	all := [][]rowferry.Change{{put(1, -1)}}
	b.must(log(all...), rowferry.Fresh)
	for id := int64(2); id <= rows; id++ {
		all = append(all, []rowferry.Change{put(id, -id)}, []rowferry.Change{change(id, -id, id)})
		if id == trouble { // row 1 gives up what another takes
			all = append(all, []rowferry.Change{change(1, -1, 1)}, []rowferry.Change{put(rows+1, -1)})
		}
	}
	source := log(all...)
	for _, tx := range source.txs {
		tx.CommitTime = time.Unix(0, 0) // what lies far apart is not grouped
	}
	e, done, err := b.open(source)
	defer done()
	if err == nil {
		err = e.Run(t.Context())
	}
	if err != nil {
		t.Fatal(err)
	}
	if p := e.Progress(); p.Fallbacks == 0 || p.Written > rows+512 {
		t.Fatalf("%d batches refused, %d changes written of %d that come to %d", p.Fallbacks, p.Written, len(all), rows)
	}
	b.rows(upTo(rows + 1)...)
}

// TestEngineInterrupted: a cancelled run commits whole batches only and says
// that it is not finished.
func TestEngineInterrupted(t *testing.T) {
	b := newBench(t)
	e, done, err := b.open(counting(5))
	defer done()
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := e.Run(ctx); rowferry.ClassOf(err) != rowferry.ClassInterrupted {
		t.Fatalf("run: %v; want an interruption", err)
	}
}

// TestEngineWithoutTransactions: a target that keeps no checkpoint is resumed
// from the state, and every event has a key by which a repeated one is known.
func TestEngineWithoutTransactions(t *testing.T) {
	dir := t.TempDir()
	out := filepath.Join(dir, "out.jsonl")
	rules, err := mapping.New(mapping.Options{Namespaces: true})
	if err != nil {
		t.Fatal(err)
	}
	run := func(s *script, want rowferry.ResumeKind) {
		t.Helper()
		sink, err := jsonl.Open(out, jsonl.Options{})
		if err != nil {
			t.Fatal(err)
		}
		state, err := checkpoint.Open(t.Context(), checkpoint.Options{Dir: filepath.Join(dir, "state"), Pipeline: "test"})
		if err != nil {
			t.Fatal(err)
		}
		e, err := rowferry.Open(t.Context(), rowferry.Parts{Source: s, Handler: mapping.NewHandler(rules, nil), Sink: sink, State: state}, rowferry.Options{Pipeline: "test"})
		if err == nil && e.Resume().Kind != want {
			t.Errorf("found %q, want %q", e.Resume().Kind, want)
		}
		if err == nil {
			err = errors.Join(e.Run(t.Context()), e.Close())
		}
		if err := errors.Join(err, state.Close(), sink.Close()); err != nil {
			t.Fatal(err)
		}
	}
	all := counting(5)
	run(&script{txs: all.txs[:2]}, rowferry.Fresh)
	run(all, rowferry.Resumed)
	data, err := os.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(string(data)), "\n")
	if len(lines) != 5 {
		t.Fatalf("%d lines, want 5:\n%s", len(lines), data)
	}
	for i, l := range lines {
		if want := fmt.Sprintf(`"id":"t%d:0"`, i+1); !strings.Contains(l, want) {
			t.Errorf("line %d lacks %s: %s", i, want, l)
		}
	}
}
