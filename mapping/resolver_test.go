package mapping_test

import (
	"context"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/rowferry/rowferry"
	"github.com/rowferry/rowferry/mapping"
	"github.com/rowferry/rowferry/schema"
)

// counter hands keys out that no source has.
type counter struct{ last int64 }

func (c *counter) Reserve(_ context.Context, _ schema.Name, _ string, _ int) ([]rowferry.KeyRange, error) {
	first := c.last + 1
	c.last += 3 // so that they are short often
	return []rowferry.KeyRange{{First: first, Last: c.last}}, nil
}

// book is notes in memory.
type book struct {
	notes map[string][]byte
	kept  rowferry.Kept
	given map[rowferry.ChangeID]int64
	// at is what is resolved next, refused what the target took not.
	at      rowferry.ChangeID
	refused map[rowferry.ChangeID]*rowferry.Refusal
	fetched func(source schema.Name, key []rowferry.Value) *rowferry.Fetched
	leftOut map[schema.Name]int
}

func (b *book) Get(key []byte) ([]byte, error) { return b.notes[string(key)], nil }
func (b *book) Put(key, value []byte) {
	if value == nil {
		delete(b.notes, string(key))
		return
	}
	b.notes[string(key)] = slices.Clone(value)
}
func (b *book) Held() rowferry.Kept { return b.kept }
func (b *book) Count(k rowferry.Kept) {
	b.kept.Mapped += k.Mapped
	b.kept.Waiting += k.Waiting
	b.kept.Rejected += k.Rejected
	b.kept.Fetched += k.Fetched
	b.kept.Filtered += k.Filtered
}
func (b *book) LeftOut(source schema.Name) {
	if b.leftOut == nil {
		b.leftOut = map[schema.Name]int{}
	}
	b.leftOut[source]++
}
func (b *book) Fetched(source schema.Name, key []rowferry.Value) *rowferry.Fetched {
	return b.fetched(source, key)
}
func (b *book) Next() (int, *rowferry.Refusal) {
	at := b.at
	b.at.Nth++
	return at.Nth, b.refused[at]
}
func (b *book) Assigned(c rowferry.ChangeID) (int64, bool) {
	k, ok := b.given[c]
	return k, ok
}
func (b *book) Assign(c rowferry.ChangeID, key int64) { b.given[c] = key }

func (b *book) copied() *book {
	return &book{notes: maps.Clone(b.notes), kept: b.kept, given: b.given, refused: b.refused, fetched: b.fetched, leftOut: maps.Clone(b.leftOut)}
}

// TestReferences: whatever comes before what it refers to, keys that are given anew,
// that are shifted and that change, and attempts that are forgotten: the target
// never refuses a change, and in the end every reference leads to the same row.
func TestReferences(t *testing.T) {
	most, stops, all := 0, 0, worlds(150, 40_000)
	defer func(was int) { *mapping.Deepest = was }(*mapping.Deepest)
	for seed := range all {
		*mapping.Deepest = []int{500, 1, 2}[seed/3%3] // also where what is set free comes behind others
		w := newWorld(t, seed)
		if seed%3 == 2 {
			w = newMatchedWorld(t, seed)
		}
		w.minimal = seed%4 == 3
		names := slices.Sorted(maps.Keys(w.tables))
		for range 250 {
			table := names[w.rnd.IntN(len(names))]
			switch w.rnd.IntN(6) {
			case 0, 1, 2:
				w.insert(table)
			case 3, 4:
				w.update(table)
			default:
				w.remove(table)
			}
		}
		most = max(most, w.waited)
		w.arrive()
		if w.stopped {
			stops++
			continue
		}
		if w.notes.kept.Waiting != 0 {
			t.Fatalf("seed %d: %d rows still wait", seed, w.notes.kept.Waiting)
		}
		for key := range w.notes.notes {
			if !rowferry.Packed([]byte(key)) && key[0] != 'q' {
				t.Fatalf("seed %d: a note %q is left in the empty room", seed, key)
			}
		}
		w.requireForeign()
		want, got := w.natural(w.source), w.natural(w.target)
		if !slices.Equal(want, got) {
			lacks := func(a, b []string) string {
				return strings.Join(slices.DeleteFunc(slices.Clone(a), func(l string) bool { return slices.Contains(b, l) }), "\n\t")
			}
			t.Fatalf("seed %d: only in the source\n\t%s\nonly in the target\n\t%s", seed, lacks(want, got), lacks(got, want))
		}
	}
	if stops*8 > int(all) {
		t.Errorf("%d of %d worlds were stopped", stops, all)
	}
	if most < 5 {
		t.Errorf("at most %d rows waited at the same time", most)
	}
}

// worlds is how many are tried, few in make test and many in make soak.
func worlds(few, many uint64) uint64 {
	if os.Getenv("SCALE") == "soak" {
		return many
	}
	return few
}
