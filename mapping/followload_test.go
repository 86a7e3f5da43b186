package mapping_test

import (
	"slices"
	"strings"

	"github.com/rowferry/rowferry"
	"github.com/rowferry/rowferry/schema"
)

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
		in, known := w.in(table, r)
		there := slices.ContainsFunc(w.target[table], func(x rowferry.Row) bool { return x[1] == r[1] })
		if !known || there && !in { // it may leave what refers to it in the target
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
