package e2e

import (
	"fmt"
	"slices"
	"strings"
)

// lead has a row refer to others, or only changes it.
func (w *entWriter) lead(r *entRow) {
	sets := []string{fmt.Sprintf("n = %d", w.n%1000)}
	for i := range r.table.refs {
		if f := &r.table.refs[i]; !f.inKey && w.rnd.IntN(2) == 0 {
			r.release(i)
			w.bind(r, i, w.parent(r, i))
			sets = append(sets, r.set(i)...)
			w.changed["references changed"]++
		}
	}
	w.refer(r)
	w.say("UPDATE %s SET %s WHERE %s", r.table.name, strings.Join(sets, ", "), r.where())
}

// release takes a row from the children of what it refers to.
func (r *entRow) release(i int) {
	if p := r.refs[i]; p != nil {
		delete(p.early, r)
		p.children = slices.Delete(p.children, slices.Index(p.children, r), slices.Index(p.children, r)+1)
	}
}

// chain gives rows new keys, most of them the one that the row before gave up; what
// refers to them follows, before or afterwards.
func (w *entWriter) chain(t *entTable) {
	var before *entRow
	var left int64
	for range 3 + w.rnd.IntN(7) {
		r := w.rested(t)
		if r == nil {
			return
		}
		old, to := r.own, w.fresh()
		if before != nil && w.rnd.IntN(3) > 0 && r.sameParents(before) {
			to, r.stained = left, true
			w.changed["keys moved in chains"]++
		}
		w.move(r, to)
		before, left = r, old
	}
}

// sameParents reports whether what two rows have of others in their keys is the same.
func (r *entRow) sameParents(x *entRow) bool {
	for i := range r.refs {
		if r.table.refs[i].inKey && r.refs[i] != x.refs[i] {
			return false
		}
	}
	return true
}

// rested returns a row whose key can change and has not yet, nil where it finds none.
func (w *entWriter) rested(t *entTable) *entRow {
	rows := w.resting[t.name]
	for range min(10, len(rows)) {
		i := w.rnd.IntN(len(rows))
		r := rows[i]
		if r.there && !w.mayMove(r) {
			continue
		}
		rows[i] = rows[len(rows)-1]
		rows = rows[:len(rows)-1]
		w.resting[t.name] = rows
		if r.there && !r.moved {
			return r
		}
		if len(rows) == 0 {
			return nil
		}
	}
	return nil
}

// mayMove reports whether a row's own key can change. Where the target's changes with
// it, no other row may have it in its own (RF-5006).
func (w *entWriter) mayMove(r *entRow) bool {
	t := r.table
	return t.own != "" && !t.text && (w.family(r) == 0 || t.key == "allocate" && w.family(r) <= 6)
}

// family counts the rows whose columns have a row's key in them.
func (w *entWriter) family(r *entRow) (n int) {
	for _, c := range r.children {
		n++
		if c != r && c.keyOf(r) {
			n += w.family(c)
		}
	}
	return n
}

// keyOf reports whether a row's key has p's in it.
func (r *entRow) keyOf(p *entRow) bool {
	for i, x := range r.refs {
		if x == p && r.table.refs[i].inKey {
			return true
		}
	}
	return false
}

func (w *entWriter) move(r *entRow, to int64) {
	w.moved(r)
	w.loose = true // InnoDB looks at all foreign keys of a row whose key changes
	children := w.follow(r, to)
	own := fmt.Sprintf("UPDATE %s SET %s = %d WHERE %s", r.table.name, r.table.own, to, r.where())
	if i := slices.Index(r.refs, r); i >= 0 { // it refers to itself
		own = fmt.Sprintf("UPDATE %s SET %s = %d, %s = %[3]d WHERE %[5]s", r.table.name, r.table.own, to, r.table.refs[i].cols[0], r.where())
	}
	if w.rnd.IntN(2) == 0 {
		children = append([]string{own}, children...)
	} else {
		children = append(children, own)
	}
	for _, q := range children {
		w.say("%s", q)
	}
	r.own = to
}

// moved says that a row's key changes.
func (w *entWriter) moved(r *entRow) {
	if !r.moved {
		r.moved = true
		w.changed["keys changed"]++
	}
}

// follow returns what has the children of a row refer to its new key.
func (w *entWriter) follow(r *entRow, to int64) (all []string) {
	was := r.own
	var kin []*entRow // those whose keys change, before their own do
	var walk func(p *entRow)
	walk = func(p *entRow) {
		for _, c := range p.children {
			if c != r && !slices.Contains(kin, c) {
				kin = append(kin, c)
				if c.keyOf(p) {
					w.moved(c)
					walk(c)
				}
			}
		}
	}
	walk(r)
	for _, c := range kin {
		if !c.there {
			continue
		}
		where := c.where()
		r.own = to
		var sets []string
		for i, p := range c.refs {
			if p != nil && (p == r || slices.Contains(kin, p)) {
				sets = append(sets, c.set(i)...)
				w.loose = w.loose || !c.table.refs[i].virtual
			}
		}
		r.own = was
		all = append(all, fmt.Sprintf("UPDATE %s SET %s WHERE %s", c.table.name, strings.Join(sets, ", "), where))
	}
	return all
}

// give has a row give its unique value to another one.
func (w *entWriter) give(t *entTable) {
	a, b := w.any(t), w.any(t)
	if a == b {
		return
	}
	value := a.code
	a.code = fmt.Sprintf("%s code %d", t.name, w.fresh())
	w.say("UPDATE %s SET code = '%s' WHERE %s", t.name, a.code, a.where())
	w.say("UPDATE %s SET code = '%s' WHERE %s", t.name, value, b.where())
	b.code, b.stained = value, true
	w.changed["unique values moved"]++
}

// remove deletes a row that no other refers to; sometimes another one comes under
// its key, with its unique value.
func (w *entWriter) remove(r *entRow) {
	t := r.table
	if len(r.children) > 0 { // itself too: InnoDB lets no row go that refers to itself
		return
	}
	w.say("DELETE FROM %s WHERE %s", t.name, r.where())
	r.there = false
	w.rows[t.name] = slices.Delete(w.rows[t.name], slices.Index(w.rows[t.name], r), slices.Index(w.rows[t.name], r)+1)
	w.changed["rows deleted"]++
	again := &entRow{table: t, own: r.own, uid: fmt.Sprintf("%s %d", t.name, w.fresh()), code: r.code, refs: make([]*entRow, len(t.refs)), stained: true}
	for i, p := range r.refs {
		r.release(i)
		if t.refs[i].inKey {
			again.refs[i] = p
		}
	}
	if w.rnd.IntN(3) > 0 {
		return
	}
	for i, p := range again.refs {
		if p != nil {
			w.bind(again, i, p)
		}
	}
	w.insert(again)
	w.changed["keys used again"]++
}
