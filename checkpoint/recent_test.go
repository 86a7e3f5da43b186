package checkpoint

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
)

// What was used lately stays known, and the rest goes.
func TestRecentIsBounded(t *testing.T) {
	r := recent{bytes: leastRecent}
	key := func(i int) []byte { return fmt.Appendf(nil, "key %d", i) }
	stored := []byte{noteWhole, 'v'}
	const many = 3 * leastRecent / 8
	r.put(key(0), stored)
	r.put(key(1), nil)
	for i := range many {
		r.put(key(2+i), stored)
		if _, known := r.get(nil, key(0)); !known {
			t.Fatalf("after %d notes, one that was asked for all the time is not known", i)
		}
	}
	if _, known := r.get(nil, key(1)); known {
		t.Error("a note that nobody asked for is still known")
	}
	used := 0
	for _, g := range []generation{r.young, r.old} {
		used += cap(g.notes) + 4*len(g.slots)
	}
	if used > leastRecent {
		t.Errorf("notes take %d bytes of %d", used, leastRecent)
	}
}

// A note that was asked for is told as it is after every kind of change: written,
// removed, made large and small again, recorded beside others, and gone back over.
func TestKnownNotesChange(t *testing.T) {
	s := open(t, stateDir(t))
	large := strings.Repeat("large", maxNoteWhole)
	values := []string{"first", "", "second", large, "third", large, ""}
	want := func(seq int, value string) {
		t.Helper()
		for range 2 { // from the database, and as it is known
			got, err := s.Get([]byte("a"))
			if err != nil || string(got) != value || (got == nil) != (value == "") {
				t.Fatalf("at %d: %.20q, %v, want %.20q", seq, got, err, value)
			}
		}
	}
	want(0, "")
	for i, v := range values {
		n := note("a", v)
		if v == "" {
			n = gone("a")
		}
		mustRecord(t, s, noted(uint64(i+1), n, note("b", fmt.Sprint(i))))
		want(i+1, v)
	}
	for i := len(values) - 2; i >= 0; i-- {
		if err := s.DiscardAfter(uint64(i + 1)); err != nil {
			t.Fatal(err)
		}
		want(i+1, values[i])
	}
}

// What is known is what was put last, whatever else is put, dropped and forgotten.
func TestRecentIsRight(t *testing.T) {
	r := recent{bytes: leastRecent}
	random := rand.New(rand.NewPCG(1, 1))
	want := map[string][]byte{} // nil: nothing is stored
	hits := 0
	for range 300_000 {
		key := fmt.Appendf(nil, "key %d", random.IntN(5000))
		switch dice := random.IntN(100); {
		case dice < 40:
			stored := append([]byte{noteWhole}, strings.Repeat("v", random.IntN(20))...)
			stored = fmt.Append(stored, random.IntN(1000))
			r.put(key, stored)
			want[string(key)] = stored
		case dice < 50:
			r.put(key, nil)
			want[string(key)] = nil
		case dice < 55:
			r.drop(key)
			delete(want, string(key))
		default:
			got, known := r.get([]byte("before"), key)
			stored, put := want[string(key)]
			if !known {
				continue
			}
			hits++
			if stored != nil {
				stored = append([]byte("before"), stored...)
			}
			if !put || !bytes.Equal(got, stored) || (got == nil) != (stored == nil) {
				t.Fatalf("under %s is %q, want %q, put %t", key, got, stored, put)
			}
		}
	}
	if hits < 50_000 {
		t.Errorf("%d notes were known", hits)
	}
}
