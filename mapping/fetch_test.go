package mapping_test

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/rowferry/rowferry"
	"github.com/rowferry/rowferry/mapping"
	"github.com/rowferry/rowferry/schema"
)

// lag holds the log of a world back, so that what is read from its source is newer.
type lag struct {
	w        *world
	before   bool // nothing is logged yet
	applying bool
	log      [][]rowferry.Change
	applied  int
	found    map[string]*rowferry.Fetched // for the transaction in hand
	asked    []func()
	came     map[int64]bool // the uids of rows that came by the log
	fetched  int
}

// newLag makes a world that begins in the middle of the log.
func newLag(t *testing.T, seed uint64) *world {
	t.Helper()
	o := worldRules(mapping.KeyRule{Key: mapping.Allocate, Missing: mapping.Fetch})
	for _, name := range []string{"shop.orders", "shop.items", "shop.remarks"} {
		e := o.Entities[name]
		e.Keys.Missing = mapping.Fetch
		o.Entities[name] = e
	}
	w := newWorldOf(t, seed, o)
	for _, s := range w.tables {
		s.Uniques = nil // of rows from different moments two may have one value
	}
	l := &lag{w: w, before: true, came: map[int64]bool{}}
	w.lag, w.notes.fetched = l, l.fetch
	var shapes []rowferry.Mutation
	for _, name := range slices.Sorted(maps.Keys(w.tables)) {
		var err error
		if shapes, err = w.handler.Handle(shapes, &rowferry.Change{Op: rowferry.Shape, Table: w.tables[name]}); err != nil {
			t.Fatal(err)
		}
	}
	for i := range shapes {
		if _, err := w.resolver.Resolve(nil, &shapes[i], nil); err != nil {
			t.Fatal(err)
		}
	}
	return w
}

// hold keeps a transaction of the source in the log.
func (l *lag) hold(changes []rowferry.Change) {
	if l.before {
		return
	}
	for _, c := range changes {
		if c.Op == rowferry.Insert {
			l.came[c.After[l.w.tables[c.Table.Name.Table].Column("uid")].Int()] = true
		}
	}
	l.log = append(l.log, changes)
}

// apply goes through so much of the log.
func (l *lag) apply(n int) {
	l.w.t.Helper()
	for ; n > 0 && l.applied < len(l.log) && !l.w.stopped; n-- {
		l.found, l.applying = map[string]*rowferry.Fetched{}, true
		l.w.apply(l.log[l.applied]...)
		l.applying = false
		l.applied++
		err := l.w.resolver.Passed(l.w.notes, func(m rowferry.Mark) (bool, error) {
			at, err := strconv.Atoi(string(m))
			return l.applied >= at, err
		})
		if err != nil {
			l.w.t.Fatal(err)
		}
	}
}

// fetch is what was read of a row for the transaction in hand.
func (l *lag) fetch(source schema.Name, key []rowferry.Value) *rowferry.Fetched {
	name := fmt.Sprint(source, key)
	found, asked := l.found[name]
	if !asked {
		l.found[name] = nil
		key = slices.Clone(key)
		l.asked = append(l.asked, func() { l.found[name] = l.look(source.Table, key) })
	}
	return found
}

// read reads what was asked for, as the source has it now, and reports whether there
// was anything.
func (l *lag) read() bool {
	asked := l.asked
	l.asked = nil
	for _, look := range asked {
		look()
	}
	return len(asked) > 0
}

func (l *lag) look(table string, key []rowferry.Value) *rowferry.Fetched {
	f := &rowferry.Fetched{Mark: rowferry.Mark(strconv.Itoa(len(l.log)))}
	row := l.w.byID(l.w.source, table, key[0])
	if row == nil {
		return f
	}
	l.fetched++
	var err error
	if f.Rows, err = l.w.handler.Handle(nil, &rowferry.Change{Op: rowferry.Insert, Table: l.w.tables[table], After: slices.Clone(row)}); err != nil {
		l.w.t.Fatal(err)
	}
	return f
}

// TestFetchedRows: a target that begins in the middle of the log, which is held back:
// every parent is read as the source has it by then, and whatever becomes of it between
// its read and its mark, behind the mark the target has what the source had there: all
// rows that came, and of those from before what others refer to.
func TestFetchedRows(t *testing.T) {
	fetched, stops, all := 0, 0, worlds(150, 20_000)
	for seed := range all {
		w := newLag(t, seed)
		w.strict = true // before the beginning no row refers to one that is to come
		for range 60 {
			w.insert([]string{"users", "teams", "orders", "products"}[w.rnd.IntN(4)])
		}
		w.lag.before, w.strict, w.minimal = false, false, seed%4 == 3
		names := slices.Sorted(maps.Keys(w.tables))
		for range 150 {
			table := names[w.rnd.IntN(len(names))]
			switch w.rnd.IntN(6) {
			case 0, 1, 2:
				w.insert(table)
			case 3, 4:
				w.update(table)
			default:
				w.remove(table)
			}
			if w.rnd.IntN(30) == 0 {
				w.lag.apply(w.rnd.IntN(40))
			}
		}
		w.arrive()
		w.lag.apply(len(w.lag.log))
		fetched += w.lag.fetched
		if w.stopped {
			stops++
			continue
		}
		if k := w.notes.kept; k.Waiting != 0 || k.Fetched != 0 {
			t.Fatalf("seed %d: %d rows still wait, %d are newer than the log", seed, k.Waiting, k.Fetched)
		}
		for key := range w.notes.notes {
			if !rowferry.Packed([]byte(key)) && key[0] != 'q' {
				t.Fatalf("seed %d: a note %q is left", seed, key)
			}
		}
		w.requirePart(seed)
	}
	if fetched < int(all) || stops*8 > int(all) {
		t.Errorf("%d rows were fetched, and %d of %d worlds were stopped", fetched, stops, all)
	}
}

// requirePart requires that the target has rows of the source alone, and all those
// that came.
func (w *world) requirePart(seed uint64) {
	w.t.Helper()
	want, got := w.natural(w.source), w.natural(w.target)
	for _, line := range got {
		if !slices.Contains(want, line) {
			w.t.Fatalf("seed %d: only in the target\n\t%s\nthe source has\n\t%s", seed, line, strings.Join(want, "\n\t"))
		}
	}
	uids := map[int64]int{}
	for _, rows := range w.target {
		for _, r := range rows {
			uids[r[1].Int()]++
		}
	}
	for name, rows := range w.source {
		for _, r := range rows {
			uid := r[w.tables[name].Column("uid")].Int()
			if name == "items" {
				continue // whose second column is another
			}
			if w.lag.came[uid] && uids[uid] != 1 {
				w.t.Fatalf("seed %d: a row of %s came, and the target has it %d times: %v", seed, name, uids[uid], r)
			}
		}
	}
	if len(w.target["items"]) != len(w.source["items"]) {
		w.t.Fatalf("seed %d: %d items came, and the target has %d", seed, len(w.source["items"]), len(w.target["items"]))
	}
}
