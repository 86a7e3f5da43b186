package checkpoint

import (
	"fmt"
	"strings"
	"testing"
)

// What was used lately stays known, and the rest goes.
func TestRecentIsBounded(t *testing.T) {
	var r recent
	key := func(i int) []byte { return fmt.Appendf(nil, "key %d", i) }
	stored := []byte{noteWhole, 'v'}
	const many = 3 * recentBytes / recentEntry
	r.put(key(0), stored)
	r.put(key(1), nil)
	for i := range many {
		r.put(key(2+i), stored)
		if _, known := r.get(key(0)); !known {
			t.Fatalf("after %d notes, one that was asked for all the time is not known", i)
		}
	}
	if _, known := r.get(key(1)); known {
		t.Error("a note that nobody asked for is still known")
	}
	if n := len(r.young) + len(r.old); n > 2*recentBytes/recentEntry+2 {
		t.Errorf("%d notes are known", n)
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
