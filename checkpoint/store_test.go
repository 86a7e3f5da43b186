package checkpoint

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/rowferry/rowferry"
	"github.com/rowferry/rowferry/schema"
)

const pipeline = "shop"

func tableOf(name string, columns int) *schema.Table {
	t := &schema.Table{Name: schema.Name{Schema: "shop", Table: name}, PrimaryKey: []int{0}}
	for i := range columns {
		t.Columns = append(t.Columns, schema.Column{Name: fmt.Sprintf("c%d", i), Type: schema.Type{Kind: schema.Int, Bits: 64}})
	}
	return t
}

// wide is a shape of several megabytes.
func wide(name string) *schema.Table {
	t := tableOf(name, 4000)
	for i := range t.Columns {
		t.Columns[i].Type = schema.Type{Kind: schema.Enum, Labels: []string{strings.Repeat("x", 600), fmt.Sprint(i)}}
	}
	return t
}

func recordOf(seq uint64, shapes ...*schema.Table) rowferry.Record {
	return rowferry.Record{
		Checkpoint: rowferry.Checkpoint{
			Pipeline: pipeline, Position: rowferry.Position(fmt.Sprintf("0-1-%d", seq)), Lineage: "l", Start: "0-1-0",
			Fence: 3, Sequence: seq, Config: "hash", StateID: "id", Held: rowferry.Held{Shapes: 2, Oldest: "0-1-0"},
			Log: "mysql-bin.000001:4", Commit: time.Unix(1700000000, 5e6).UTC(), Updated: time.Unix(1700000001, 0).UTC(), Format: 1,
		},
		Shapes: shapes,
		Rules:  "tables: [shop.*]",
	}
}

func stateDir(t testing.TB) string { return filepath.Join(t.TempDir(), "state") }

func open(t testing.TB, dir string, change ...func(*Options)) *Store {
	t.Helper()
	o := Options{Dir: dir, Pipeline: pipeline, LockWait: -1}
	for _, c := range change {
		c(&o)
	}
	s, err := Open(context.Background(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func mustClose(t testing.TB, s *Store) {
	t.Helper()
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
}

func mustRecord(t testing.TB, s *Store, rs ...rowferry.Record) {
	t.Helper()
	for _, r := range rs {
		if err := s.Record(r); err != nil {
			t.Fatal(err)
		}
	}
}

func mustLoad(t testing.TB, s *Store, through uint64) *rowferry.Remembered {
	t.Helper()
	r, err := s.Load(through)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func wantCode(t testing.TB, err error, want rowferry.Code) {
	t.Helper()
	if got := rowferry.CodeOf(err); got != want {
		t.Fatalf("error %v has code %q, want %q", err, got, want)
	}
}

// wantState checks the newest sequence and the names of the tables in force,
// with their numbers of columns.
func wantState(t testing.TB, r *rowferry.Remembered, seq uint64, tables string) {
	t.Helper()
	if r == nil {
		t.Fatalf("nothing is remembered, want sequence %d", seq)
	}
	var names []string
	for _, s := range r.Shapes {
		names = append(names, fmt.Sprintf("%s/%d", s.Name.Table, len(s.Columns)))
	}
	if got := strings.Join(names, " "); r.Checkpoint.Sequence != seq || got != tables {
		t.Fatalf("remembered sequence %d with %q, want %d with %q", r.Checkpoint.Sequence, got, seq, tables)
	}
}

func TestRecordAndLoad(t *testing.T) {
	for _, split := range []bool{false, true} {
		t.Run(fmt.Sprint("split ", split), func(t *testing.T) {
			dir := stateDir(t)
			s := open(t, dir, func(o *Options) { o.split = split })
			if r := mustLoad(t, s, rowferry.MaxSequence); r != nil {
				t.Fatalf("a new directory remembers %+v", r)
			}
			dropped := recordOf(5)
			dropped.Dropped = []schema.Name{{Schema: "shop", Table: "b"}}
			dropped.Rules = ""
			again := recordOf(7, tableOf("b", 9))
			again.Dropped = dropped.Dropped
			again.Rules = "other"
			mustRecord(t, s, recordOf(2, tableOf("a", 1), tableOf("b", 2)), recordOf(3), recordOf(4, tableOf("a", 3)), dropped, again)
			check := func(s *Store) {
				t.Helper()
				wantState(t, mustLoad(t, s, rowferry.MaxSequence), 7, "a/3 b/9")
				wantState(t, mustLoad(t, s, 7), 7, "a/3 b/9")
				wantState(t, mustLoad(t, s, 6), 5, "a/3")
				wantState(t, mustLoad(t, s, 4), 4, "a/3 b/2")
				wantState(t, mustLoad(t, s, 3), 3, "a/1 b/2")
				wantState(t, mustLoad(t, s, 2), 2, "a/1 b/2")
				if r := mustLoad(t, s, 1); r != nil {
					t.Fatalf("before the first sequence: %+v", r)
				}
				if got, want := mustLoad(t, s, 4), recordOf(4); !reflect.DeepEqual(got.Checkpoint, want.Checkpoint) || got.Rules != want.Rules {
					t.Fatalf("loaded %+v, want %+v", got, want)
				}
				if a, b := mustLoad(t, s, 5).Rules, mustLoad(t, s, 7).Rules; a != "" || b != "other" {
					t.Fatalf("rules are %q and %q", a, b)
				}
				if got := mustLoad(t, s, 2).Shapes[1]; !reflect.DeepEqual(got, tableOf("b", 2)) {
					t.Fatalf("a shape came back as %+v", got)
				}
			}
			check(s)
			id := s.ID()
			mustClose(t, s)
			s = open(t, dir)
			check(s)
			if s.ID() != id || len(id) != 32 {
				t.Fatalf("the identity was %q and is %q", id, s.ID())
			}
			ro := openReadOnlyBeside(t, s, dir)
			check(ro)
		})
	}
}

// openReadOnlyBeside closes s and opens its directory read-only.
func openReadOnlyBeside(t *testing.T, s *Store, dir string) *Store {
	t.Helper()
	mustClose(t, s)
	before := listing(t, dir)
	ro := open(t, dir, func(o *Options) { o.ReadOnly, o.Pipeline = true, "" })
	other := open(t, dir, func(o *Options) { o.ReadOnly = true })
	mustClose(t, other)
	wantCode(t, ro.Record(recordOf(99)), rowferry.CodeInternal)
	wantCode(t, ro.DiscardAfter(1), rowferry.CodeInternal)
	wantCode(t, ro.Reset(), rowferry.CodeInternal)
	_, err := ro.Spool()
	wantCode(t, err, rowferry.CodeInternal)
	_, err = Open(context.Background(), Options{Dir: dir, Pipeline: pipeline, LockWait: -1})
	wantCode(t, err, rowferry.CodeStateLocked)
	copied := ro.copied
	t.Cleanup(func() {
		mustClose(t, ro)
		if _, err := os.Stat(copied); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("the private copy is still there: %v", err)
		}
		if after := listing(t, dir); after != before {
			t.Errorf("reading changed the directory from\n%s\nto\n%s", before, after)
		}
	})
	return ro
}

// listing describes every file below dir by name, size and time.
func listing(t testing.TB, dir string) string {
	var b strings.Builder
	err := filepath.Walk(dir, func(path string, fi os.FileInfo, err error) error {
		if err == nil && !fi.IsDir() {
			fmt.Fprintln(&b, strings.TrimPrefix(path, dir), fi.Size(), fi.ModTime().UnixNano())
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestLargeRecord(t *testing.T) {
	dir := stateDir(t)
	s := open(t, dir)
	r := recordOf(1, wide("w1"), wide("w2"))
	r.Rules = strings.Repeat("rule ", 100_000)
	mustRecord(t, s, r)
	var many []*schema.Table
	for i := range 5000 {
		many = append(many, tableOf(fmt.Sprintf("t%04d", i), 3))
	}
	mustRecord(t, s, recordOf(2, many...))
	mustClose(t, s)
	s = open(t, dir)
	got := mustLoad(t, s, 1)
	if len(got.Shapes) != 2 || !reflect.DeepEqual(got.Shapes[1], wide("w2")) || got.Rules != r.Rules {
		t.Fatal("a large record did not come back as it was")
	}
	if got := mustLoad(t, s, 2); len(got.Shapes) != 5002 {
		t.Fatalf("%d shapes came back of 5002", len(got.Shapes))
	}
	if err := s.DiscardAfter(1); err != nil {
		t.Fatal(err)
	}
	if got := mustLoad(t, s, rowferry.MaxSequence); got.Checkpoint.Sequence != 1 || len(got.Shapes) != 2 {
		t.Fatalf("after a discard: %d with %d shapes", got.Checkpoint.Sequence, len(got.Shapes))
	}
}

func TestRecordRefusesSequences(t *testing.T) {
	s := open(t, stateDir(t))
	mustRecord(t, s, recordOf(5))
	for _, seq := range []uint64{0, 4, 5, rowferry.MaxSequence} {
		wantCode(t, s.Record(recordOf(seq)), rowferry.CodeInternal)
	}
	other := recordOf(6)
	other.Checkpoint.Pipeline = "other"
	wantCode(t, s.Record(other), rowferry.CodeInternal)
	long := recordOf(6, tableOf(strings.Repeat("x", maxName+1), 1))
	wantCode(t, s.Record(long), rowferry.CodeInternal)
	huge := recordOf(6)
	huge.Checkpoint.Position = rowferry.Position(strings.Repeat("x", maxCheckpoint))
	wantCode(t, s.Record(huge), rowferry.CodeInternal)
	mustRecord(t, s, recordOf(6))
	wantState(t, mustLoad(t, s, rowferry.MaxSequence), 6, "")
	mustClose(t, s)
	wantCode(t, s.Record(recordOf(7)), rowferry.CodeInternal)
	_, err := s.Load(1)
	wantCode(t, err, rowferry.CodeInternal)
}

func TestDiscardAfter(t *testing.T) {
	dir := stateDir(t)
	s := open(t, dir)
	for seq := uint64(1); seq <= 6; seq++ {
		mustRecord(t, s, recordOf(seq, tableOf("a", int(seq))))
	}
	for _, to := range []uint64{9, 6, 4, 4} {
		if err := s.DiscardAfter(to); err != nil {
			t.Fatal(err)
		}
		wantState(t, mustLoad(t, s, rowferry.MaxSequence), min(to, 6), fmt.Sprintf("a/%d", min(to, 6)))
	}
	mustRecord(t, s, recordOf(5))
	wantState(t, mustLoad(t, s, rowferry.MaxSequence), 5, "a/4")
	mustClose(t, s)
	s = open(t, dir)
	wantState(t, mustLoad(t, s, rowferry.MaxSequence), 5, "a/4")
	if err := s.Reset(); err != nil {
		t.Fatal(err)
	}
	id := s.ID()
	for range 2 {
		if r := mustLoad(t, s, rowferry.MaxSequence); r != nil {
			t.Fatalf("after a reset: %+v", r)
		}
		if n := countKeys(t, s); n != 1 {
			t.Fatalf("%d keys are left after a reset, want the head alone", n)
		}
		mustClose(t, s)
		s = open(t, dir)
	}
	mustRecord(t, s, recordOf(1, tableOf("z", 1)))
	wantState(t, mustLoad(t, s, rowferry.MaxSequence), 1, "z/1")
	if s.ID() != id {
		t.Fatal("a reset changed the identity")
	}
}

func TestOldCheckpointsAreSuperseded(t *testing.T) {
	dir := stateDir(t)
	few := func(o *Options) { o.retain, o.unsynced = 10, true }
	s := open(t, dir, few)
	for seq := uint64(11); seq <= 100; seq++ {
		r := recordOf(seq)
		if seq == 20 || seq == 30 {
			r = recordOf(seq, tableOf("a", int(seq)))
		}
		mustRecord(t, s, r)
	}
	check := func() {
		t.Helper()
		wantState(t, mustLoad(t, s, 91), 91, "a/30")
		for _, seq := range []uint64{11, 25, 90} {
			_, err := s.Load(seq)
			wantCode(t, err, rowferry.CodeStateNeeded)
		}
		if r := mustLoad(t, s, 10); r != nil {
			t.Fatalf("before the first sequence: %+v", r)
		}
		// head, rules, two shapes; marker and checkpoint of ten
		if n := countKeys(t, s); n != 24 {
			t.Fatalf("%d keys are kept, want 24", n)
		}
	}
	check()
	mustClose(t, s)
	s = open(t, dir, few)
	check()
	// The target went back beyond what is kept: shapes of the past are there,
	// its checkpoint is not, and no sequence is used twice.
	if err := s.DiscardAfter(25); err != nil {
		t.Fatal(err)
	}
	_, err := s.Load(rowferry.MaxSequence)
	wantCode(t, err, rowferry.CodeStateNeeded)
	wantCode(t, s.Record(recordOf(25)), rowferry.CodeInternal)
	mustRecord(t, s, recordOf(26))
	mustClose(t, s)
	s = open(t, dir, few)
	wantState(t, mustLoad(t, s, rowferry.MaxSequence), 26, "a/20")
	// A smaller number is reached a few at a time.
	for seq := uint64(27); seq <= 36; seq++ {
		mustRecord(t, s, recordOf(seq))
	}
	s.retain = 2
	mustRecord(t, s, recordOf(37), recordOf(38))
	if len(s.history.kept) != 2 {
		t.Fatalf("%d checkpoints are kept, want 2", len(s.history.kept))
	}
	mustClose(t, s)
	s = open(t, dir, few)
	wantState(t, mustLoad(t, s, 37), 37, "a/20")
}

func countKeys(t testing.TB, s *Store) int {
	t.Helper()
	n := 0
	if err := s.remove(func(entry) bool { n++; return false }); err != nil {
		t.Fatal(err)
	}
	return n
}
