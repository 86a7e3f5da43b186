package mapping_test

import (
	"slices"
	"strings"

	"github.com/rowferry/rowferry"
)

// some returns the key of a row to refer to, of one that is to come now and then.
func (w *world) some(table string) rowferry.Value {
	rows := w.source[table]
	if w.strict && len(rows) == 0 {
		return rowferry.NullValue()
	}
	if len(rows) == 0 || !w.strict && w.rnd.IntN(8) == 0 {
		if late := w.late[table]; len(late) > 0 && w.rnd.IntN(2) == 0 {
			return rowferry.IntValue(late[w.rnd.IntN(len(late))])
		}
		w.uid++
		w.late[table] = append(w.late[table], w.uid)
		return rowferry.IntValue(w.uid)
	}
	return rows[w.rnd.IntN(len(rows))][0]
}

func (w *world) orNull(v func() rowferry.Value) rowferry.Value {
	if w.rnd.IntN(3) == 0 {
		return rowferry.NullValue()
	}
	return v()
}

// row makes a row of a table, with a key that is waited for where there is one.
func (w *world) row(table string) rowferry.Row {
	w.uid++
	id := rowferry.IntValue(w.uid)
	if late := w.late[table]; len(late) > 0 {
		i := w.rnd.IntN(len(late))
		id = rowferry.IntValue(late[i])
		w.late[table] = slices.Delete(late, i, i+1)
	}
	w.uid++
	uid := rowferry.IntValue(w.uid)
	switch table {
	case "users":
		boss := w.orNull(func() rowferry.Value { return w.some("users") })
		if w.rnd.IntN(20) == 0 {
			boss = id
		}
		email := uid
		if n := len(w.foreign); n > 0 && w.rnd.IntN(2) == 0 {
			email, w.foreign = rowferry.IntValue(w.foreign[n-1]), w.foreign[:n-1]
		}
		return rowferry.Row{id, uid, email, boss, w.orNull(func() rowferry.Value { return w.some("teams") })}
	case "teams":
		return rowferry.Row{id, uid, w.orNull(func() rowferry.Value { return w.some("users") })}
	case "orders":
		return rowferry.Row{id, uid, w.some("users")}
	case "products":
		return rowferry.Row{id, uid, uid}
	case "items":
		return rowferry.Row{w.some("orders"), uid, uid, w.some("products")}
	default:
		kind := []string{"user", "order", "nothing"}[w.rnd.IntN(3)]
		subject := rowferry.IntValue(7)
		if kind != "nothing" {
			subject = w.some(kind + "s")
		}
		return rowferry.Row{id, uid, rowferry.TextValue(kind), subject}
	}
}

func (w *world) insert(table string) {
	row := w.row(table)
	w.source[table] = append(w.source[table], row)
	w.apply(rowferry.Change{Op: rowferry.Insert, Table: w.tables[table], After: row})
}

// referred reports whether a row is one that others refer to.
func (w *world) referred(table string, id rowferry.Value) bool {
	for lead, to := range leads {
		child, column, _ := strings.Cut(lead, ".")
		if to != table || w.tables[child] == nil {
			continue
		}
		for _, r := range w.source[child] {
			if r[w.tables[child].Column(column)] == id && !(child == table && r[0] == id) {
				return true
			}
		}
	}
	for _, r := range w.source["remarks"] {
		if r[2].Str()+"s" == table && r[3] == id {
			return true
		}
	}
	return false
}

func (w *world) update(table string) {
	rows := w.source[table]
	if len(rows) == 0 {
		return
	}
	i := w.rnd.IntN(len(rows))
	old, now := rows[i], slices.Clone(rows[i])
	w.uid++
	fresh := rowferry.IntValue(w.uid)
	switch what := w.rnd.IntN(3); {
	case table == "users" && what == 0:
		now[3], now[4] = w.orNull(func() rowferry.Value { return w.some("users") }), w.orNull(func() rowferry.Value { return w.some("teams") })
	case table == "users" && what == 1, table == "products" && what < 2:
		w.swap(table, i)
		return
	case table == "orders":
		now[2] = w.some("users")
	case table == "teams":
		now[2] = w.orNull(func() rowferry.Value { return w.some("users") })
	case table == "items":
		now[3] = w.some("products")
	case table == "products" && w.notes.kept.Waiting > 0:
		return // a shifted key that moves while a row waits that has to leave it may close a circle
	case !w.referred(table, old[0]) && old[0] != old[len(old)-1]:
		if k := w.rnd.IntN(len(rows)); k != i && !w.referred(table, rows[k][0]) && table != "items" && table != "users" && w.rnd.IntN(2) == 0 {
			first, then := slices.Clone(rows[k]), slices.Clone(old) // keys that move in a chain
			first[0], then[0] = fresh, rows[k][0]
			changes := []rowferry.Change{w.changed(table, rows[k], first), w.changed(table, old, then)}
			rows[k], rows[i] = first, then
			w.apply(changes...)
			return
		}
		now[0] = fresh // a key that changes
		if table == "users" && now[3] == old[0] {
			now[3] = rowferry.NullValue()
		}
	default:
		return
	}
	if table == "remarks" && now[0] != old[0] && w.rnd.IntN(2) == 0 {
		now[0] = old[0]
		now[2], now[3] = rowferry.TextValue("user"), w.some("users")
	}
	rows[i] = now
	w.apply(w.changed(table, old, now))
}

// changed is an update, whose images lack what did not change now and then.
func (w *world) changed(table string, old, now rowferry.Row) rowferry.Change {
	c := rowferry.Change{Op: rowferry.Update, Table: w.tables[table], Before: old, After: now}
	if table != "remarks" && w.minimal {
		c.Before = w.identified(table, old)
	}
	if w.rnd.IntN(3) == 0 {
		c.After = slices.Clone(now)
		for o := range now {
			if now[o] == old[o] {
				c.After[o] = rowferry.Value{}
			}
		}
	}
	return c
}

// swap has a row give its unique value to another one.
func (w *world) swap(table string, i int) {
	rows := w.source[table]
	k := w.rnd.IntN(len(rows))
	if i == k || rows[i][2].Int() < 0 { // which another row has in the target, where this one waits
		return
	}
	w.uid++
	var changes []rowferry.Change
	value := rows[i][2]
	for _, step := range []struct {
		row int
		to  rowferry.Value
	}{{i, rowferry.IntValue(w.uid)}, {k, value}} {
		now := slices.Clone(rows[step.row])
		now[2] = step.to
		changes = append(changes, w.changed(table, rows[step.row], now))
		rows[step.row] = now
	}
	w.apply(changes...)
}

func (w *world) remove(table string) {
	rows := w.source[table]
	if len(rows) == 0 {
		return
	}
	i := w.rnd.IntN(len(rows))
	if w.referred(table, rows[i][0]) {
		return
	}
	old := rows[i]
	w.source[table] = slices.Delete(rows, i, i+1)
	image := old
	if table != "remarks" && w.minimal {
		image = w.identified(table, old)
	}
	w.apply(rowferry.Change{Op: rowferry.Delete, Table: w.tables[table], Before: image})
	if w.rnd.IntN(4) == 0 && table != "items" { // a new row takes the key
		w.late[table] = append(w.late[table], old[0].Int())
		w.insert(table)
	}
}

// arrive brings every row that others refer to.
func (w *world) arrive() {
	for more := true; more; {
		more = false
		for _, table := range []string{"users", "teams", "orders", "products"} {
			for len(w.late[table]) > 0 {
				w.insert(table)
				more = true
			}
		}
	}
}

// identified is an image that has the key alone.
func (w *world) identified(table string, row rowferry.Row) rowferry.Row {
	image := make(rowferry.Row, len(row))
	for _, o := range w.tables[table].PrimaryKey {
		image[o] = row[o]
	}
	return image
}
