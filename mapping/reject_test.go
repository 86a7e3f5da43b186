package mapping_test

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"testing"

	"github.com/rowferry/rowferry"
	"github.com/rowferry/rowferry/mapping"
	"github.com/rowferry/rowferry/schema"
)

// rejecting is a world whose target refuses rows, of keys that are kept or given
// anew.
func rejecting(t *testing.T, seed uint64) *world {
	o := worldRules(mapping.KeyRule{Key: mapping.Allocate})
	if seed%2 == 0 {
		o.Entities = nil
	}
	o.OnReject = mapping.Quarantine
	w := newWorldOf(t, seed, o)
	w.strict = seed%2 == 0
	w.poison()
	return w
}

// poison has the target refuse one in eleven values, whether they come with a row or
// later, and one delete in eleven.
func (w *world) poison() {
	w.refuses = func(m *rowferry.Mutation) bool {
		row, o := m.After, 1
		if m.Table.Name.Table == "users" || m.Table.Name.Table == "products" {
			o = 2
		}
		if m.Op == rowferry.Delete {
			row = m.Before
		}
		return row[o].Kind() == rowferry.Int && row[o].Int()%11 == 0
	}
}

// rejected returns the numbers of the rows that were put aside and not dropped.
func (w *world) rejected() (numbers []uint64) {
	w.t.Helper()
	numbers = w.listed(false)
	if int64(len(numbers)) != w.notes.kept.Rejected {
		w.t.Fatalf("transaction %d: %d rows are listed, %d counted", w.tx, len(numbers), w.notes.kept.Rejected)
	}
	return numbers
}

func (w *world) aside() []uint64 { return append(w.rejected(), w.listed(true)...) }

func (w *world) listed(dropped bool) (numbers []uint64) {
	w.t.Helper()
	err := w.reader().Rejected(w.t.Context(), func(r *mapping.RejectedRow) error {
		if r.Why != "poison" && r.Code != rowferry.CodeWaitCycle || r.Tries < 1 || r.Key == nil || !r.For.Aside {
			w.t.Fatalf("transaction %d: %+v", w.tx, r)
		}
		if r.Dropped == dropped {
			numbers = append(numbers, r.Number)
		}
		return nil
	})
	if err != nil {
		w.t.Fatal(err)
	}
	return numbers
}

func (w *world) wish(wishes ...rowferry.Wish) {
	w.t.Helper()
	w.tx++
	for _, x := range wishes {
		if w.stopped {
			return
		}
		o := &rowferry.Origin{Tx: fmt.Sprintf("%d of %d", x.Number, w.tx)}
		w.carry(1, func(notes *book) ([]rowferry.Mutation, error) {
			notes.at = rowferry.ChangeID{Tx: o.Tx}
			return w.resolver.Reconsider(nil, x, o, notes)
		})
	}
}

// step makes one random change.
func (w *world) step() {
	for _, table := range []string{"users", "teams", "orders", "products"} {
		if w.strict && len(w.source[table]) == 0 {
			w.insert(table)
		}
	}
	names := slices.Sorted(maps.Keys(w.tables))
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

// TestRejects: whatever rows the target refuses, it is brought no change that would
// break anything else, and once it takes them and they are tried again, it is equal
// to the source.
func TestRejects(t *testing.T) {
	most, circles, all := int64(0), 0, worlds(150, 40_000)
	for seed := range all {
		w := rejecting(t, seed)
		for range 250 {
			w.step()
			if n := w.rejected(); len(n) > 0 && w.rnd.IntN(20) == 0 { // which helps where its row can be deleted by now
				w.wish(rowferry.Wish{Number: n[w.rnd.IntN(len(n))], Drop: w.rnd.IntN(4) == 0})
			}
			most = max(most, w.notes.kept.Rejected)
		}
		if !w.strict {
			w.arrive()
		}
		if !w.mend(seed) {
			circles++
		}
	}
	if circles*20 > int(all) {
		t.Errorf("%d of %d worlds ended in a circle", circles, all)
	}
	t.Logf("%d of %d worlds ended in a circle", circles, all)
	if most < 8 {
		t.Errorf("at most %d rows were put aside at the same time", most)
	}
}

// mend has the target take all rows, and each tried again until it is in its place.
// It reports false where they wait for each other in a circle.
func (w *world) mend(seed uint64) bool {
	w.t.Helper()
	w.refuses = nil
	rounds := 0
	for n := w.aside(); len(n) > 0 && rounds < 200; n = w.aside() { // those that were dropped too
		w.wish(rowferry.Wish{Number: n[rounds%len(n)]})
		rounds++
	}
	if rounds == 200 {
		return false
	}
	if w.notes.kept.Waiting != 0 {
		w.t.Fatalf("seed %d: %d rows still wait", seed, w.notes.kept.Waiting)
	}
	for key := range w.notes.notes {
		if !rowferry.Packed([]byte(key)) && key[0] != 'q' {
			w.t.Fatalf("seed %d: a note %q is left in the empty room", seed, key)
		}
	}
	if want, got := w.natural(w.source), w.natural(w.target); !slices.Equal(want, got) {
		w.t.Fatalf("seed %d: the source has\n%v\nand the target\n%v", seed, want, got)
	}
	return true
}

// copied brings what the source has as a copy does that is carried: table by table, in
// the order of the keys.
func (w *world) copied() {
	w.t.Helper()
	order := []string{"teams", "users", "products", "orders", "items", "remarks"}
	w.resolver.AwaitCircles()
	for _, name := range order {
		ms, err := w.handler.Handle(nil, &rowferry.Change{Op: rowferry.Shape, Table: w.tables[name]})
		if err != nil {
			w.t.Fatal(err)
		}
		if _, err := w.resolver.Resolve(nil, &ms[0], nil); err != nil {
			w.t.Fatal(err)
		}
	}
	now, place := 0, rowferry.Value{}
	w.reach = func(c *rowferry.Change) { now, place = slices.Index(order, c.Table.Name.Table), c.After[0] }
	been := func(source schema.Name, key []rowferry.Value) bool {
		at := slices.Index(order, source.Table)
		return at < now || at == now && key[0].Int() <= place.Int()
	}
	w.resolver.Carry(been)
	for _, name := range order {
		rows := slices.SortedFunc(slices.Values(w.source[name]), func(a, b rowferry.Row) int { return cmp.Compare(a[0].Int(), b[0].Int()) })
		for part := range slices.Chunk(rows, 5) {
			var changes []rowferry.Change
			for _, r := range part {
				changes = append(changes, rowferry.Change{Op: rowferry.Insert, Table: w.tables[name], After: r})
			}
			w.apply(changes...)
			if n := w.rejected(); len(n) > 0 && w.rnd.IntN(5) == 0 {
				w.wish(rowferry.Wish{Number: n[w.rnd.IntN(len(n))]}) // the place stays
			}
		}
	}
	w.reach = nil
	if err := w.resolver.Carried(); err != nil {
		w.t.Fatal(err)
	}
}

// TestRejectsOfACopy: a copy of rows that keep their keys brings every row that the
// target takes, but for those that depend on another, whichever of them comes first.
func TestRejectsOfACopy(t *testing.T) {
	most, circles, all := 0, 0, worlds(100, 20_000)
	for seed := range all {
		w := rejecting(t, 2*seed)
		w.stopped = true // the source goes on alone
		for range 200 {
			w.step()
		}
		w.stopped = false
		w.copied()
		most = max(most, w.waited-int(w.notes.kept.Rejected))
		for range 50 {
			w.step()
		}
		if !w.mend(seed) {
			circles++
		}
	}
	if circles*20 > int(all) || most < 8 {
		t.Errorf("%d of %d worlds ended in a circle; at most %d rows waited for another", circles, all, most)
	}
}
