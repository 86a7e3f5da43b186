package mapping_test

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/rowferry/rowferry"
	"github.com/rowferry/rowferry/mapping"
	"github.com/rowferry/rowferry/schema"
)

// following is a world in which rows follow their parents' filters, and what is known of
// where its rows are: by uid, true in the target.
type following struct {
	*world
	known map[int64]bool
	seed  uint64
	bare  bool // bills have no filter of their own
}

// followUID is the ordinal of the uid, and followed that of the reference, 0 where there
// is none.
var followUID, followed = map[string]int{"accounts": 1, "bills": 1, "lines": 2, "notices": 1, "stamps": 1}, map[string]int{"bills": 2, "lines": 0, "notices": 2, "stamps": 2}

var followTables = []string{
	"accounts id! uid region", "bills id! uid account?>accounts amount code~", "lines bill!>bills line! uid", "notices id! uid bill?>>bills kind code~",
	"stamps id! uid notice>>notices", // which follow nothing, and wait where their notice is left out
}

func newFollowing(t *testing.T, seed uint64) *following {
	t.Helper()
	w := &following{world: emptyWorld(t, seed), known: map[int64]bool{}, bare: seed%5 == 4}
	key := []mapping.KeyRule{{Key: mapping.Allocate}, {}, {Key: mapping.Offset, Offset: 100_000_000}}[seed%3]
	to := func(table string) mapping.Column {
		return mapping.Column{Table: schema.Name{Schema: "shop", Table: table}, Name: "id"}
	}
	stamps := mapping.KeyRule{Missing: mapping.Wait, References: []mapping.Reference{{Column: "notice", To: to("notices")}}}
	bill := mapping.KeyRule{Key: mapping.Allocate, WhereParent: []string{"account"}}
	if seed%2 == 0 {
		bill.Key = mapping.Keep
	}
	told := seed%4 < 2
	lines := mapping.KeyRule{WhereParent: []string{"bill"}}
	if told {
		bill.References = []mapping.Reference{{Column: "account", To: to("accounts")}}
		lines.References = []mapping.Reference{{Column: "bill", To: to("bills")}}
	}
	where := map[bool]string{false: "amount < 70"}[w.bare]
	o := mapping.Options{Tables: []string{"shop.*"}, Namespaces: true, Entities: map[string]mapping.Entity{
		"shop.accounts": {Where: "region < 3", Keys: key},
		"shop.bills":    {Where: where, Keys: bill},
		"shop.lines":    {Keys: lines},
		"shop.stamps":   {Keys: stamps},
		"shop.notices": {Where: "kind != 0", Columns: map[string]string{"twice": "kind * 2"}, Keys: mapping.KeyRule{
			Key: mapping.Allocate, WhereParent: []string{"bill"}, References: []mapping.Reference{{Column: "bill", To: to("bills")}},
		}},
	}}
	if seed%7 == 6 {
		o.OnReject, w.refuses = mapping.Quarantine, poisoned
	}
	w.begin(followTables, o)
	w.crossing = true
	if !told {
		w.learn()
	}
	return w
}

// poisoned refuses one in seven uids and codes of the tables that follow.
func poisoned(m *rowferry.Mutation) bool {
	at := map[string]int{"bills": 4, "notices": 4, "lines": 2}[m.Table.Name.Table]
	return at > 0 && m.Op != rowferry.Delete && m.After[at].Kind() == rowferry.Int && m.After[at].Int()%7 == 0
}

// mended has the target take all rows, and each that was put aside tried again until none
// is. It reports false where they wait for each other in a circle.
func (w *following) mended() bool {
	w.refuses = nil
	for range 200 {
		if w.notes.kept.Rejected == 0 || w.stopped {
			return !w.stopped
		}
		n := w.rejected()
		w.wish(rowferry.Wish{Number: n[w.rnd.IntN(len(n))]})
	}
	return false
}

// learn has the tables be known before the first row.
func (w *following) learn() {
	w.t.Helper()
	var shapes []rowferry.Mutation
	for _, name := range slices.Sorted(maps.Keys(w.tables)) {
		var err error
		if shapes, err = w.handler.Handle(shapes, &rowferry.Change{Op: rowferry.Shape, Table: w.tables[name]}); err != nil {
			w.t.Fatal(err)
		}
	}
	for i := range shapes {
		if _, err := w.resolver.Resolve(nil, &shapes[i], nil); err != nil {
			w.t.Fatal(err)
		}
	}
}

func (w *following) own(table string, r rowferry.Row) bool {
	switch table {
	case "accounts":
		return r[2].Int() < 3
	case "bills":
		return w.bare || r[3].Int() < 70
	case "notices":
		return r[3].Int() != 0
	default:
		return true
	}
}

// in tells whether a row is to be in the target; not where a parent of it is still to come.
func (w *following) in(table string, r rowferry.Row) (in, known bool) {
	if !w.own(table, r) {
		return false, true
	}
	at, follows := followed[table]
	if !follows || r[at].IsNull() {
		return true, true
	}
	parent := map[string]string{"bills": "accounts", "lines": "bills", "notices": "bills", "stamps": "notices"}[table]
	p := w.byID(w.source, parent, r[at])
	if p == nil {
		return false, false
	}
	return w.in(parent, p)
}

// crosses reports whether the source as it is now has a row that others follow on the
// other side than it was, and else notes where all rows are.
func (w *following) crosses() bool {
	now := map[int64]bool{}
	for table, rows := range w.source {
		for _, r := range rows {
			uid := r[followUID[table]].Int()
			was, then := w.known[uid]
			is, known := w.in(table, r)
			if leads := table == "accounts" || table == "bills"; leads && then && known && was != is {
				return true
			}
			if known {
				now[uid] = is
			} else if then {
				now[uid] = was
			}
		}
	}
	w.known = now
	return false
}

// step makes a transaction, unless a row would cross by it: that has to be refused.
func (w *following) step(change func() []rowferry.Change) (done bool) {
	w.t.Helper()
	source, late, known := map[string][]rowferry.Row{}, map[string][]int64{}, w.known
	for table, rows := range w.source {
		source[table] = slices.Clone(rows)
	}
	for table, keys := range w.late {
		late[table] = slices.Clone(keys)
	}
	changes := change()
	if len(changes) == 0 || w.stopped {
		return false
	}
	crosses := w.crosses()
	notes, target := w.notes, map[string][]rowferry.Row{}
	for table, rows := range w.target {
		target[table] = slices.Clone(rows)
	}
	w.crossed = false
	w.apply(changes...)
	switch {
	case w.crossed && !crosses:
		w.t.Fatalf("seed %d, transaction %d: %v was refused, and no row crosses", w.seed, w.tx, changes)
	case crosses && !w.crossed && !w.stopped && notes.kept.Waiting == 0:
		w.t.Fatalf("seed %d, transaction %d: %v has a row cross, and was not refused", w.seed, w.tx, changes)
	case crosses:
		w.source, w.late, w.known, w.notes, w.target = source, late, known, notes, target
		return false
	}
	if int(w.notes.kept.Waiting) == w.stuck() {
		w.compare()
	}
	return true
}

// stuck is how many rows wait for good: stamps whose notice is left out.
func (w *following) stuck() (n int) {
	for _, r := range w.source["stamps"] {
		if in, known := w.in("stamps", r); known && !in {
			n++
		}
	}
	return n
}

// compare requires that the target has the rows that it is to have, and no others.
func (w *following) compare() {
	w.t.Helper()
	if w.stopped {
		return
	}
	wanted, left := map[string][]rowferry.Row{}, 0
	for table, rows := range w.source {
		for _, r := range rows {
			if in, known := w.in(table, r); in && known {
				wanted[table] = append(wanted[table], r)
			} else if table != "stamps" {
				left++
			}
		}
	}
	bare := map[string][]rowferry.Row{}
	for table, rows := range w.target {
		for _, r := range rows {
			if n := len(w.tables[table].Columns); len(r) > n {
				if r[n] != rowferry.IntValue(2*r[3].Int()) {
					w.t.Fatalf("%s: %v has another value computed", table, r)
				}
				r = r[:n]
			}
			bare[table] = append(bare[table], r)
		}
	}
	want, got := w.natural(wanted), w.natural(bare)
	lacks := func(a, b []string) string {
		return strings.Join(slices.DeleteFunc(slices.Clone(a), func(l string) bool { return slices.Contains(b, l) }), "\n\t")
	}
	if !slices.Equal(want, got) {
		w.t.Fatalf("seed %d, transaction %d: only in the source\n\t%s\nonly in the target\n\t%s", w.seed, w.tx, lacks(want, got), lacks(got, want))
	}
	if n := int(w.notes.kept.Filtered); n != left {
		w.t.Fatalf("transaction %d: %d rows are noted as left out, and %d are", w.tx, n, left)
	}
}
