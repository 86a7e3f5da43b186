package checkpoint

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/dgraph-io/badger/v4"

	"github.com/rowferry/rowferry"
)

// noted returns the record of a sequence with notes.
func noted(seq uint64, notes ...rowferry.Note) rowferry.Record {
	r := recordOf(seq)
	r.Notes = notes
	return r
}

func note(key, value string) rowferry.Note {
	return rowferry.Note{Key: []byte(key), Value: []byte(value)}
}

func gone(key string) rowferry.Note { return rowferry.Note{Key: []byte(key)} }

// allNotes returns what Scan shows of a prefix, and checks the order and that Get
// shows the same.
func allNotes(t testing.TB, s *Store, prefix string) map[string]string {
	t.Helper()
	all := map[string]string{}
	last := ""
	err := s.Scan([]byte(prefix), func(key, value []byte) error {
		if k := string(key); !strings.HasPrefix(k, prefix) || (len(all) > 0 && k <= last) {
			t.Fatalf("%q comes after %q", k, last)
		}
		last = string(key)
		all[last] = string(value)
		got, err := s.Get(key)
		if err != nil || !bytes.Equal(got, value) || got == nil {
			t.Fatalf("Get of %q is %.40q, %v; Scan has %.40q", key, got, err, value)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func wantNotes(t testing.TB, s *Store, want map[string]string) {
	t.Helper()
	got := allNotes(t, s, "")
	if maps.Equal(got, want) {
		return
	}
	for _, k := range slices.Sorted(maps.Keys(want)) {
		if v, ok := got[k]; !ok || v != want[k] {
			t.Errorf("%q is %.40q (%t), want %.40q", k, v, ok, want[k])
		}
	}
	for k, v := range got {
		if _, ok := want[k]; !ok {
			t.Errorf("%q is %.40q, want none", k, v)
		}
	}
	t.FailNow()
}

func TestNotes(t *testing.T) {
	dir := stateDir(t)
	s := open(t, dir)
	if v, err := s.Get([]byte("a")); v != nil || err != nil {
		t.Fatalf("a new directory has %q, %v", v, err)
	}
	long := strings.Repeat("long", 100_000)
	mustRecord(t, s,
		noted(1, note("a", "1"), note("b/1", "x"), note("b/2", ""), note("b\xff", "y"), note("", "empty"), note("c", long)),
		noted(2, note("a", "2"), gone("b/1"), gone("none"), note("d", "4")))
	want := map[string]string{"": "empty", "a": "2", "b/2": "", "b\xff": "y", "c": long, "d": "4"}
	check := func(s *Store) {
		t.Helper()
		wantNotes(t, s, want)
		if got := allNotes(t, s, "b"); !maps.Equal(got, map[string]string{"b/2": "", "b\xff": "y"}) {
			t.Fatalf("under b there is %q", got)
		}
		if v, err := s.Get([]byte("b/1")); v != nil || err != nil {
			t.Fatalf("a removed note is %q, %v", v, err)
		}
		if v, err := s.Get([]byte("b/2")); v == nil || len(v) > 0 || err != nil {
			t.Fatalf("an empty note is %v, %v", v, err)
		}
		stop, n := errors.New("stop"), 0
		if err := s.Scan(nil, func(_, _ []byte) error { n++; return stop }); !errors.Is(err, stop) || n != 1 {
			t.Fatalf("Scan went on %d times, and ended with %v", n, err)
		}
	}
	check(s)
	mustClose(t, s)
	s = open(t, dir)
	check(s)
	check(openReadOnlyBeside(t, s, dir))
	_, err := s.Get([]byte("a"))
	wantCode(t, err, rowferry.CodeInternal)
	wantCode(t, s.Scan(nil, nil), rowferry.CodeInternal)
}

func TestNotesTooLarge(t *testing.T) {
	s := open(t, stateDir(t))
	wantCode(t, s.Record(noted(1, note(strings.Repeat("k", maxNoteKey+1), "v"))), rowferry.CodeInternal)
	// As large as they may be: each step holds one.
	want := map[string]string{}
	r := noted(1)
	for i := range 20 {
		k, v := fmt.Sprintf("%0*d", maxNoteKey, i), strings.Repeat("v", maxNoteWhole)
		want[k] = v
		r.Notes = append(r.Notes, note(k, v))
	}
	mustRecord(t, s, r)
	r = noted(2)
	for k := range want {
		r.Notes = append(r.Notes, note(k, strings.Repeat("w", maxNoteWhole)))
	}
	mustRecord(t, s, r)
	if err := s.DiscardAfter(1); err != nil {
		t.Fatal(err)
	}
	wantNotes(t, s, want)
}

// TestNotesGoBack compares the notes with a map that remembers all its versions,
// over records, rewinds, attempts that are discarded, resets and openings.
func TestNotesGoBack(t *testing.T) {
	for seed := range uint64(scaled(30)) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			r := rand.New(rand.NewPCG(seed, 7))
			const retain = 6
			options := func(o *Options) { o.retain, o.unsynced, o.split = retain, true, seed%2 == 1 }
			dir := stateDir(t)
			s := open(t, dir, options)
			versions := []map[string]string{{}} // by sequence; 0 is the beginning
			for range 120 {
				now := len(versions) - 1
				switch op := r.IntN(20); {
				case op == 0:
					mustClose(t, s)
					s = open(t, dir, options)
				case op == 1:
					if err := s.Reset(); err != nil {
						t.Fatal(err)
					}
					versions = versions[:1]
				case op <= 4:
					to := max(0, now-r.IntN(retain))
					if op == 4 && now > 0 {
						to = r.IntN(now + 1)
					}
					if err := s.DiscardAfter(uint64(to)); err != nil {
						t.Fatal(err)
					}
					if versions = versions[:to+1]; len(s.history.kept) == 0 {
						clear(versions[to]) // nothing is kept that far back
					}
				default:
					next, notes := change(r, versions[now])
					versions = append(versions, next)
					mustRecord(t, s, noted(uint64(now+1), notes...))
				}
				wantNotes(t, s, versions[len(versions)-1])
			}
		})
	}
}

// change returns a version after another, and the notes between them.
func change(r *rand.Rand, was map[string]string) (map[string]string, []rowferry.Note) {
	next := maps.Clone(was)
	var notes []rowferry.Note
	for _, i := range r.Perm(24)[:r.IntN(20)] {
		key := fmt.Sprint("key", i)
		if i >= 12 { // in packs
			key = fmt.Sprintf("Key %02d", 5*i)
		}
		switch value := fmt.Sprint(r.Uint64()); r.IntN(5) {
		case 0:
			delete(next, key)
			notes = append(notes, gone(key))
		case 1:
			value = strings.Repeat(value, 9000)
			fallthrough
		default:
			next[key] = value
			notes = append(notes, note(key, value))
		}
	}
	return next, notes
}

// TestLargeNotesGoWithTheirRecords: what a large note was stays as long as a
// record can be gone back to that had it, and no longer.
func TestLargeNotesGoWithTheirRecords(t *testing.T) {
	s := open(t, stateDir(t), func(o *Options) { o.retain, o.unsynced = 3, true })
	long := func(i int) string { return strings.Repeat(fmt.Sprint(i), 100_000) }
	for i := 1; i <= 20; i++ {
		mustRecord(t, s, noted(uint64(i), note("a", long(i)), note(fmt.Sprint("b", i), "")))
	}
	if err := s.DiscardAfter(19); err != nil {
		t.Fatal(err)
	}
	if v, err := s.Get([]byte("a")); err != nil || string(v) != long(19) {
		t.Fatalf("going back by one shows %.10q, %v", v, err)
	}
	mustRecord(t, s, noted(20), noted(21), noted(22), noted(23), noted(24))
	values, steps := map[uint64]bool{}, 0
	err := s.remove(func(e entry) bool {
		if e.kind == largePrefix {
			values[e.seq] = true
		}
		if e.kind == undoPrefix {
			steps++
		}
		return false
	})
	if err != nil || len(values) != 1 || !values[19] || steps > 0 {
		t.Fatalf("there are the values of %v and %d steps, %v", values, steps, err)
	}
}

// TestNotesManyAtOnce: a record of very many notes, and back.
func TestNotesManyAtOnce(t *testing.T) {
	dir := stateDir(t)
	s := open(t, dir, func(o *Options) { o.unsynced = true })
	want := map[string]string{}
	for seq := uint64(1); seq <= 3; seq++ {
		r := noted(seq)
		for i := range scaled(200_000) {
			k := fmt.Sprintf("orders/%09d", i*int(seq))
			r.Notes = append(r.Notes, note(k, fmt.Sprint(seq)))
			if seq < 3 {
				want[k] = fmt.Sprint(seq)
			}
		}
		mustRecord(t, s, r)
	}
	if k := s.history.kept[2]; k.steps < 2 {
		t.Fatalf("%d steps show nothing", k.steps)
	}
	if err := s.DiscardAfter(2); err != nil {
		t.Fatal(err)
	}
	wantNotes(t, s, want)
	mustClose(t, s)
	s = open(t, dir)
	wantNotes(t, s, want)
	if err := s.Reset(); err != nil {
		t.Fatal(err)
	}
	wantNotes(t, s, nil)
	if n := countKeys(t, s); n != 1 {
		t.Fatalf("%d keys are left after a reset", n)
	}
}

// TestNotesBesideRecord: every Get and Scan shows one record as a whole.
func TestNotesBesideRecord(t *testing.T) {
	s := open(t, stateDir(t), func(o *Options) { o.unsynced, o.split, o.retain = true, true, 5 })
	record := func(seq uint64) error {
		r := noted(seq)
		for i := range 20 {
			r.Notes = append(r.Notes, note(fmt.Sprint("k", i), fmt.Sprint(seq)))
		}
		return s.Record(r)
	}
	if err := record(1); err != nil {
		t.Fatal(err)
	}
	stop := make(chan struct{})
	var wg sync.WaitGroup
	for range 2 {
		wg.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				one := ""
				err := s.Scan(nil, func(key, value []byte) error {
					if one == "" {
						one = string(value)
					}
					if got, err := s.Get(key); err != nil || got == nil || one != string(value) {
						return fmt.Errorf("%s beside %s, %v", value, one, err)
					}
					return nil
				})
				if err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	for seq := uint64(2); seq < 100; seq++ {
		err := record(seq)
		if err == nil && seq%10 == 0 { // again, after going back by two
			if err = s.DiscardAfter(seq - 2); err == nil {
				err = errors.Join(record(seq-1), record(seq))
			}
		}
		if err != nil {
			t.Error(err)
			break
		}
	}
	close(stop)
	wg.Wait()
}

// TestLostStepIsNoticed: a step that went missing could not be undone.
func TestLostStepIsNoticed(t *testing.T) {
	dir := stateDir(t)
	s := open(t, dir)
	mustRecord(t, s, noted(1, note("a", "1")), noted(2, note("a", "2")), noted(3))
	if err := s.remove(func(e entry) bool { return e.kind == undoPrefix && e.seq == 2 }); err != nil {
		t.Fatal(err)
	}
	mustClose(t, s)
	if err := removeClosed(dir); err != nil { // it would tell the same
		t.Fatal(err)
	}
	_, err := Open(t.Context(), Options{Dir: dir, Pipeline: pipeline})
	wantCode(t, err, rowferry.CodeStateCorrupt)
}

// TestHeldNotesAreRecorded with the checkpoint.
func TestHeldNotesAreRecorded(t *testing.T) {
	s := open(t, stateDir(t))
	r := recordOf(1)
	r.Checkpoint.Held.Notes = rowferry.Kept{Mapped: 7, Waiting: 3, Rejected: 2, Filtered: 5}
	mustRecord(t, s, r)
	if got := mustLoad(t, s, 1).Checkpoint; !reflect.DeepEqual(got, r.Checkpoint) {
		t.Fatalf("loaded %+v, want %+v", got, r.Checkpoint)
	}
}

// TestStepIsOneTransaction: notes and what they were before have one version, also
// where all else is written key by key, and where much goes into one record.
func TestStepIsOneTransaction(t *testing.T) {
	for _, split := range []bool{false, true} {
		s := open(t, stateDir(t), func(o *Options) { o.split, o.unsynced = split, true })
		r := crashRecord(9) // with tables before the notes
		for i := range 5000 {
			r.Notes = append(r.Notes, note(fmt.Sprint("more", i), strings.Repeat("v", i%200)))
		}
		mustRecord(t, s, r)
		steps := 0
		err := eachKey(s.db, []byte{undoPrefix}, func(item *badger.Item) error {
			steps++
			undo, err := s.readStep(item.KeyCopy(nil))
			if err != nil {
				return err
			}
			return eachUndo(undo, func(key, _ []byte) error {
				return s.look(func(txn *badger.Txn) error {
					n, err := txn.Get(noteKey(key))
					if err == nil && n.Version() != item.Version() {
						err = fmt.Errorf("%q has version %d, what it was %d", key, n.Version(), item.Version())
					}
					return err
				})
			})
		})
		if err != nil || steps < 3 {
			t.Fatalf("split %t: %d steps, %v", split, steps, err)
		}
	}
}
