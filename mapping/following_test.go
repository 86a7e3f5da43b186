package mapping_test

import (
	"fmt"
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
	w.begin(followTables, mapping.Options{Tables: []string{"shop.*"}, Namespaces: true, Entities: map[string]mapping.Entity{
		"shop.accounts": {Where: "region < 3", Keys: key},
		"shop.bills":    {Where: where, Keys: bill},
		"shop.lines":    {Keys: lines},
		"shop.stamps":   {Keys: stamps},
		"shop.notices": {Where: "kind != 0", Columns: map[string]string{"twice": "kind * 2"}, Keys: mapping.KeyRule{
			Key: mapping.Allocate, WhereParent: []string{"bill"}, References: []mapping.Reference{{Column: "bill", To: to("bills")}},
		}},
	}})
	w.crossing = true
	if !told {
		w.learn()
	}
	return w
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
func (w *following) step(make func() []rowferry.Change) (done bool) {
	w.t.Helper()
	source, late, known := map[string][]rowferry.Row{}, map[string][]int64{}, w.known
	for table, rows := range w.source {
		source[table] = slices.Clone(rows)
	}
	for table, keys := range w.late {
		late[table] = slices.Clone(keys)
	}
	changes := make()
	if len(changes) == 0 || w.stopped {
		return false
	}
	crosses := w.crosses()
	notes, target := w.notes, map[string][]rowferry.Row{}
	for table, rows := range w.target {
		target[table] = slices.Clone(rows)
	}
	w.crossed = false
	for _, c := range changes {
		w.dbg = append(w.dbg, fmt.Sprintf("\n seed %d tx %d crosses %v waiting %d %s %s %v -> %v", w.seed, w.tx+1, crosses, w.notes.kept.Waiting, c.Op, c.Table.Name.Table, c.Before, c.After))
	}
	w.apply(changes...)
	switch {
	case w.crossed && !crosses:
		w.t.Fatalf("transaction %d: %v was refused, and no row crosses", w.tx, changes)
	case crosses && !w.crossed && !w.stopped && notes.kept.Waiting == 0:
		w.t.Fatalf("transaction %d: %v has a row cross, and was not refused", w.tx, changes)
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

func (w *following) value(n int) rowferry.Value { return rowferry.IntValue(int64(w.rnd.IntN(n))) }

func (w *following) next() rowferry.Value {
	w.uid++
	return rowferry.IntValue(w.uid)
}

// fresh makes a row, under a key that is waited for where there is one.
func (w *following) fresh(table string) rowferry.Row {
	id := w.next()
	if late := w.late[table]; len(late) > 0 && table != "lines" {
		i := w.rnd.IntN(len(late))
		id = rowferry.IntValue(late[i])
		w.late[table] = slices.Delete(late, i, i+1)
	}
	uid := w.next()
	switch table {
	case "accounts":
		return rowferry.Row{id, uid, w.value(5)}
	case "bills":
		return rowferry.Row{id, uid, w.orNull(func() rowferry.Value { return w.some("accounts") }), w.value(100), uid}
	case "lines":
		return rowferry.Row{w.some("bills"), w.value(1 << 40), uid}
	case "notices":
		return rowferry.Row{id, uid, w.orNull(func() rowferry.Value { return w.some("bills") }), w.value(3), uid}
	default:
		return rowferry.Row{id, uid, w.some("notices")}
	}
}

// some is world.some, with more of what is to come.
func (w *following) some(table string) rowferry.Value {
	if late := w.late[table]; len(late) > 0 && w.rnd.IntN(4) == 0 {
		return rowferry.IntValue(late[w.rnd.IntN(len(late))])
	}
	id := w.world.some(table)
	if r := w.byID(w.source, table, id); table == "notices" && r != nil {
		if _, known := w.in(table, r); !known { // it may leave what refers to it in the target
			id = w.next()
			w.late[table] = append(w.late[table], id.Int())
		}
	}
	return id
}

// one picks a row, of those that wait more often than of others.
func (w *following) one(table string) int {
	rows := w.source[table]
	var wait []int
	for i, r := range rows {
		if _, known := w.in(table, r); !known {
			wait = append(wait, i)
		}
	}
	if len(wait) > 0 && w.rnd.IntN(2) == 0 {
		return wait[w.rnd.IntN(len(wait))]
	}
	return w.rnd.IntN(len(rows))
}

func (w *following) add(table string) []rowferry.Change {
	row := w.fresh(table)
	w.source[table] = append(w.source[table], row)
	return []rowferry.Change{{Op: rowferry.Insert, Table: w.tables[table], After: row}}
}

// alter changes a row in what it is filtered by, in whom it follows, or in its key.
func (w *following) alter(table string) []rowferry.Change {
	rows := w.source[table]
	if len(rows) == 0 {
		return nil
	}
	i := w.one(table)
	now := slices.Clone(rows[i])
	_, sure := w.known[now[followUID[table]].Int()]
	switch what := w.rnd.IntN(4); {
	case table == "stamps":
		now[2] = w.some("notices")
		if in, known := w.in(table, now); !in || !known {
			return nil // it would wait in the target, as it is there
		}
	case table == "notices" && w.referred(table, now[0]):
		if now[3].Int() > 0 {
			return nil // its stamps would lead nowhere
		}
		now[3] = w.value(3)
	case what == 0 && table == "accounts" && rows[i][2].Int() < 3:
		now[2] = w.value(3)
	case table == "accounts" && what == 1:
		now[2] = w.value(5)
	case table == "accounts" && what == 2:
		return w.rekey(i)
	case table == "bills" && what == 0 && sure && !now[2].IsNull() && w.byID(w.source, "accounts", now[2]) == nil:
		return nil // it might come to need another account than one that waits for the same
	case table == "bills" && what == 0:
		now[3] = w.value(100)
	case table == "bills" && what == 1:
		now[2] = w.orNull(func() rowferry.Value { return w.some("accounts") })
		if w.byID(w.source, "accounts", now[2]) == nil && !now[2].IsNull() { // for which no other bill waits
			now[2] = w.next()
			w.late["accounts"] = append(w.late["accounts"], now[2].Int())
		}
		w.vacate(table, now)
	case table == "bills" && what == 2:
		return w.trade(table, i)
	case table == "lines" && what < 2:
		now[0] = w.some("bills")
	case table == "lines":
		now[1] = w.value(1 << 40)
	case table == "notices" && what < 2:
		now[2] = w.orNull(func() rowferry.Value { return w.some("bills") })
		if what == 1 {
			now[3] = w.value(3)
		}
		w.vacate(table, now)
	case table == "notices" && w.rnd.IntN(2) == 0:
		return w.trade(table, i)
	case table == "notices" && what == 2:
		now[3] = w.value(3)
	case !w.referred(table, rows[i][0]):
		now[0] = w.next()
	default:
		return nil
	}
	if slices.Equal(now, rows[i]) {
		return nil
	}
	old := rows[i]
	rows[i] = now
	return []rowferry.Change{w.changed(table, old, now)}
}

// rekey gives an account another key, and its bills with it, before or after it.
func (w *following) rekey(i int) []rowferry.Change {
	rows := w.source["accounts"]
	old, now := rows[i], slices.Clone(rows[i])
	if w.kept("accounts") && w.referred("accounts", old[0]) {
		return nil
	}
	w.late["accounts"] = append(w.late["accounts"], old[0].Int()) // for another account
	now[0] = w.next()
	changes := []rowferry.Change{w.changed("accounts", old, now)}
	rows[i] = now
	for k, r := range w.source["bills"] {
		if r[2] != old[0] {
			continue
		}
		moved := slices.Clone(r)
		moved[2] = now[0]
		w.source["bills"][k] = moved
		at := len(changes) * w.rnd.IntN(2)
		changes = slices.Insert(changes, at, w.changed("bills", r, moved))
	}
	return changes
}

// kept reports whether rows of a table do not get keys that stay.
func (w *following) kept(table string) bool {
	return !strings.Contains(w.rules.Describe(schema.Name{Schema: "shop", Table: table}), "allocate")
}

// vacate gives a row another key now and then, and has its own wait for another row.
func (w *following) vacate(table string, now rowferry.Row) {
	if w.rnd.IntN(2) == 0 && !w.referred(table, now[0]) {
		w.late[table] = append(w.late[table], now[0].Int())
		now[0] = w.next()
	}
}

// trade has a row give its code to another one.
func (w *following) trade(table string, i int) []rowferry.Change {
	rows, at := w.source[table], w.tables[table].Column("code")
	k := w.rnd.IntN(len(rows))
	if i == k {
		return nil
	}
	var changes []rowferry.Change
	code := rows[i][at]
	for _, step := range []struct {
		row int
		to  rowferry.Value
	}{{i, w.next()}, {k, code}} {
		now := slices.Clone(rows[step.row])
		now[at] = step.to
		changes = append(changes, w.changed(table, rows[step.row], now))
		rows[step.row] = now
	}
	return changes
}

func (w *following) take(table string) []rowferry.Change {
	rows := w.source[table]
	if len(rows) == 0 {
		return nil
	}
	i := w.one(table)
	old := rows[i]
	if table != "lines" && w.referred(table, old[0]) {
		return nil
	}
	w.source[table] = slices.Delete(slices.Clone(rows), i, i+1)
	changes := []rowferry.Change{{Op: rowferry.Delete, Table: w.tables[table], Before: old}}
	if w.rnd.IntN(4) == 0 && table != "lines" { // a new row takes the key
		w.late[table] = append(w.late[table], old[0].Int())
		changes = append(changes, w.add(table)...)
	}
	return changes
}

// arrive brings every row that others refer to, as often as it takes for none to cross.
func (w *following) arrive() {
	for tries := 0; len(w.late["accounts"])+len(w.late["bills"])+len(w.late["notices"]) > 0; tries++ {
		if tries > 3000 {
			w.t.Fatalf("%d accounts and %d bills cannot come", len(w.late["accounts"]), len(w.late["bills"]))
		}
		for _, table := range []string{"accounts", "bills", "notices"} {
			if len(w.late[table]) > 0 {
				w.step(func() []rowferry.Change { return w.add(table) })
			}
		}
		if w.stopped {
			return
		}
	}
}

// TestFollowing: whatever comes before the row that it follows, and however rows come to
// follow others, the target has the rows whose filters and parents say so, at each
// moment at which none waits, and a row that others follow never enters or leaves it.
func TestFollowing(t *testing.T) {
	most, stops, refused, all := 0, 0, 0, worlds(150, 20_000)
	for seed := range all {
		w := newFollowing(t, seed)
		w.seed = seed
		for range 250 {
			table := []string{"accounts", "bills", "lines", "notices", "stamps"}[w.rnd.IntN(5)]
			do := []func(string) []rowferry.Change{w.add, w.add, w.add, w.alter, w.alter, w.alter, w.take}[w.rnd.IntN(7)]
			w.step(func() []rowferry.Change { return do(table) })
			if w.crossed {
				refused++
			}
		}
		most = max(most, w.waited)
		w.arrive()
		if w.stopped {
			stops++
			continue
		}
		if n := w.stuck(); int(w.notes.kept.Waiting) != n {
			t.Fatalf("seed %d: %d rows still wait, and %d for what is left out", seed, w.notes.kept.Waiting, n)
		}
		w.compare()
	}

	if stops*20 > int(all) {
		t.Errorf("%d of %d worlds were stopped", stops, all)
	}
	if most < 5 || refused < int(all) {
		t.Errorf("at most %d rows waited at the same time, and %d changes were refused", most, refused)
	}
}
