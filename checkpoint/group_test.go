package checkpoint

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
)

// looked returns how many Gets of keys went to the database.
func looked(t *testing.T, s *Store, keys ...string) (n int) {
	t.Helper()
	for _, k := range keys {
		if _, known := s.known(nil, []byte(k)); !known {
			n++
		}
		if _, err := s.Get([]byte(k)); err != nil {
			t.Fatal(err)
		}
	}
	return n
}

// reopened closes a store and opens its directory again: nothing is known then.
func reopened(t *testing.T, s *Store) *Store {
	t.Helper()
	mustClose(t, s)
	return open(t, s.dir)
}

// A group that is looked into twice is known as a whole, with what it does not have.
func TestGroupsAreKnown(t *testing.T) {
	s := open(t, stateDir(t))
	mustRecord(t, s, noted(1, note("a0", "0"), note("a1", "1"), note("a2", "2"), note("a11", "longer"), note("b0", "other")))
	s = reopened(t, s)
	if n := looked(t, s, "a0", "a1", "a2", "a3", "a0"); n != 2 {
		t.Errorf("%d looks into a group, want 2", n)
	}
	if n := looked(t, s, "a11", "b0"); n != 2 {
		t.Errorf("%d looks into two other groups, want 2", n)
	}
	mustRecord(t, s, noted(2, note("a3", "3"), gone("a1")))
	if n := looked(t, s, "a0", "a1", "a3", "a4"); n != 0 {
		t.Errorf("%d looks into a group that a record changed, want none", n)
	}
	wantNotes(t, s, map[string]string{"a0": "0", "a2": "2", "a3": "3", "a11": "longer", "b0": "other"})
	if err := s.DiscardAfter(1); err != nil {
		t.Fatal(err)
	}
	if v, err := s.Get([]byte("a3")); v != nil || err != nil {
		t.Errorf("after going back there is %q, %v", v, err)
	}
	if v, err := s.Get([]byte("a1")); string(v) != "1" || err != nil {
		t.Errorf("after going back there is %q, %v, want 1", v, err)
	}
}

// A group of very many notes or bytes is not read as a whole, and of large notes it is
// not taken that they are absent.
func TestLargeGroups(t *testing.T) {
	s := open(t, stateDir(t))
	long := strings.Repeat("long", maxNoteWhole)
	r := noted(1, note("l0", long), note("l1", "1"))
	want := map[string]string{"l0": long, "l1": "1"}
	for i := range 100 {
		k, v := fmt.Sprintf("m%c", i), strings.Repeat("v", maxNoteWhole-1)
		r.Notes, want[k] = append(r.Notes, note(k, v)), v
	}
	for i := range 600 {
		k := fmt.Sprintf("n%04d", i)
		r.Notes, want[k] = append(r.Notes, note(k, "v")), "v"
	}
	mustRecord(t, s, r)
	s = reopened(t, s)
	if n := looked(t, s, "l1", "l2", "l0", "l3"); n != 3 { // a large note is read each time
		t.Errorf("%d looks into a group with a large note, want 3", n)
	}
	if n := looked(t, s, "mx", "my", "mz"); n != 3 {
		t.Errorf("%d looks into a group of many bytes, want 3", n)
	}
	if n := looked(t, s, "nx", "ny", "nz"); n != 3 {
		t.Errorf("%d looks into a group with many notes behind it, want 3", n)
	}
	wantNotes(t, s, want)
}

// TestNotesAreAsRecorded: with little room to know notes in, each is always told as it
// was recorded last.
func TestNotesAreAsRecorded(t *testing.T) {
	s := open(t, stateDir(t), func(o *Options) { o.unsynced, o.Recent = true, 1 })
	random := rand.New(rand.NewPCG(3, 3))
	want := map[string]string{}
	key := func() string { return fmt.Sprintf("key %04d", random.IntN(9000)) }
	for seq := uint64(1); seq <= uint64(scaled(150)); seq++ {
		r := noted(seq)
		in := map[string]bool{}
		for range 100 {
			k := key()
			if in[k] {
				continue
			}
			in[k] = true
			if random.IntN(3) == 0 {
				r.Notes = append(r.Notes, gone(k))
				delete(want, k)
				continue
			}
			want[k] = fmt.Sprint(seq, strings.Repeat(" ", random.IntN(60)))
			r.Notes = append(r.Notes, note(k, want[k]))
		}
		mustRecord(t, s, r)
		for range 300 {
			k := key()
			for range 1 + random.IntN(3) {
				got, err := s.Get([]byte(k))
				if value, there := want[k]; err != nil || string(got) != value || (got != nil) != there {
					t.Fatalf("at %d %s is %q, %v, want %q", seq, k, got, err, value)
				}
				k = k[:len(k)-1] + string(rune('0'+random.IntN(10)))
			}
		}
	}
}
