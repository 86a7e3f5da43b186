package sinktest

import (
	"fmt"
	"math/rand/v2"
	"slices"

	"github.com/rowferry/rowferry"
	"github.com/rowferry/rowferry/schema"
)

// mergeClauses hold for sinks that are a rowferry.Loader, whose batches are a
// rowferry.MergeTx.
var mergeClauses = []clause{
	{"merge: an insert makes the row as it is", func(e *env) {
		t := e.bare("t")
		e.merge(insert(t, 0, "s0", 0), insert(t, 1, nil, nil), insert(t, 2, "new", -2), insert(t, 7, "s7", 7), insert(t, 1000, "there", nil))
		want := rowsOf(bulkRows, start)
		want[1], want[2], want[7] = row(vals(1, nil, nil)), row(vals(2, "new", -2)), row(vals(7, "s7", 7))
		e.rows(t, append(want, row(vals(1000, "there", nil)))...)
		e.merge(each(2*bulkRows, func(i int) rowferry.Mutation { return insert(t, turned(i)...) })...)
		e.rows(t, append(rowsOf(2*bulkRows, turned), row(vals(1000, "there", nil)))...)
	}},
	{"merge: an update writes what it has", func(e *env) {
		t := e.bare("t")
		e.merge(
			update(t, vals(0, "other", 99), vals(0, "new", 98)),                         // the row was another
			update(t, vals(1, absent{}, absent{}), vals(absent{}, "minimal", absent{})), // a column is not told
			update(t, vals(2, "other", absent{}), vals(2, "other", absent{})),           // nothing changes, for the source
			update(t, vals(4, "s4", 4), vals(4, nil, nil)),
			update(t, vals(5, "s5", 5), vals(5, "s5", 5)),                              // the row is as it says
			update(t, vals(6, absent{}, absent{}), vals(absent{}, absent{}, absent{})), // nothing is told
			update(t, vals(8, absent{}, absent{}), vals(8, absent{}, nil)),
			update(t, vals(1000, "s", 1), vals(1000, "t", 2)), // there is no such row
			update(t, vals(1001, absent{}, absent{}), vals(absent{}, "missing too", absent{})))
		want := rowsOf(bulkRows, start)
		want[0], want[1], want[2] = row(vals(0, "new", 98)), row(vals(1, "minimal", 1)), row(vals(2, "other", 2))
		want[4], want[8] = row(vals(4, nil, nil)), row(vals(8, "s8", nil))
		e.rows(t, want...)
		e.merge(each(2*bulkRows, func(i int) rowferry.Mutation {
			return update(t, vals(i, "not so", -5), turned(i))
		})...)
		e.rows(t, rowsOf(bulkRows, turned)...)
	}},
	{"merge: after a delete there is no such row", func(e *env) {
		t := e.bare("t")
		e.merge(remove(t, start(0)...), remove(t, 1, "other", nil), remove(t, 2, absent{}, absent{}), remove(t, 1000, "none", 0), remove(t, 1001, absent{}, absent{}))
		e.rows(t, rowsOf(bulkRows, start)[3:]...)
		e.merge(each(2*bulkRows, func(i int) rowferry.Mutation {
			return remove(t, i, "not so", map[bool]any{true: absent{}, false: nil}[i%3 == 0])
		})...)
		e.rows(t)
	}},
	{"merge: nothing", func(e *env) {
		t := e.bare("t")
		e.merge()
		e.full(t)
	}},
	{"merge: the same again and again", func(e *env) {
		t := e.bare("t")
		for range 3 {
			e.merge(insert(t, 1, "one", 1), update(t, vals(2, "s2", 2), vals(2, "two", 2)), remove(t, 3, nil, 3), insert(t, 1000, "new", nil))
			want := slices.Delete(rowsOf(bulkRows, start), 3, 4)
			want[1], want[2] = row(vals(1, "one", 1)), row(vals(2, "two", 2))
			e.rows(t, append(want, row(vals(1000, "new", nil)))...)
		}
	}},
	{"merge: thousands of changes of several tables in any order", func(e *env) {
		tables := []*schema.Table{numbered("t"), numbered("u"), numbered("v")}
		e.prepareLoad(tables...)
		l := e.load()
		random := rand.New(rand.NewPCG(1, 2))
		model := make([]map[int][]any, len(tables))
		for n, t := range tables {
			model[n] = map[int][]any{}
			var ms []rowferry.Mutation
			for i := 0; i < 3000; i += 1 + n {
				model[n][i] = start(i)
				ms = append(ms, insert(t, start(i)...))
			}
			e.chunk(l, t, false, ms...)
		}
		for round := range 3 {
			var ms []rowferry.Mutation
			for n, t := range tables {
				for i := range 3000 {
					ms = append(ms, someMerge(random, model[n], t, i, round)...)
				}
			}
			random.Shuffle(len(ms), func(i, j int) { ms[i], ms[j] = ms[j], ms[i] })
			e.merge(ms...)
			for n, t := range tables {
				var want []rowferry.Row
				for _, r := range model[n] {
					want = append(want, row(r))
				}
				e.rows(t, want...)
			}
		}
	}},
	{"merge: every kind of value", func(e *env) {
		for _, v := range kinds() {
			values := slices.DeleteFunc(slices.Clone(v.values), func(x any) bool { return e.refuses(v.typ, x) })
			values = append(values, nil)
			t := table(v.name, 1, column("id", integer), nullable("v", v.typ), nullable("w", v.typ))
			e.prepareLoad(t)
			n := 4 * len(values)
			at := func(i int) any { return values[i%len(values)] }
			e.merge(each(n, func(i int) rowferry.Mutation { return insert(t, i, at(i), at(i+1)) })...)
			e.rows(t, rowsOf(n, func(i int) []any { return vals(i, at(i), at(i+1)) })...)
			e.merge(each(n, func(i int) rowferry.Mutation { return insert(t, i, at(i+2), at(i+1)) })...)
			e.rows(t, rowsOf(n, func(i int) []any { return vals(i, at(i+2), at(i+1)) })...)
			e.merge(each(n, func(i int) rowferry.Mutation {
				return update(t, vals(i, at(i), at(i)), vals(i, at(i+3), at(i)))
			})...)
			e.rows(t, rowsOf(n, func(i int) []any { return vals(i, at(i+3), at(i)) })...)
			e.merge(each(n, func(i int) rowferry.Mutation {
				return update(t, vals(i, absent{}, absent{}), vals(absent{}, absent{}, at(i+1)))
			})...)
			e.rows(t, rowsOf(n, func(i int) []any { return vals(i, at(i+3), at(i+1)) })...)
			e.merge(each(n, func(i int) rowferry.Mutation { return remove(t, i, at(i), at(i)) })...)
			e.rows(t)
		}
	}},
	{"merge: a value that the target has no room for is refused", func(e *env) {
		for _, v := range kinds() {
			at := slices.IndexFunc(v.values, func(x any) bool { return e.refuses(v.typ, x) })
			if at < 0 {
				continue
			}
			t := table(v.name, 1, column("id", integer), nullable("v", v.typ))
			e.prepareLoad(t)
			e.merge(insert(t, 1, nil), insert(t, 2, nil))
			e.mergeRefused(t, rowferry.CodeOutOfRange, insert(t, 1, v.values[at]), insert(t, 3, nil))
			e.mergeRefused(t, rowferry.CodeOutOfRange, update(t, vals(1, nil), vals(1, v.values[at])), insert(t, 3, nil))
			e.rows(t, row(vals(1, nil)), row(vals(2, nil)))
			e.merge(remove(t, 1, v.values[at])) // whose key alone counts
			e.rows(t, row(vals(2, nil)))
		}
	}},
	{"merge: every kind of key", func(e *env) {
		for n, k := range keyKinds() {
			t := table(fmt.Sprintf("k%d", n), 2, column("k", k.typ), column("l", k.typ), nullable("v", integer), nullable("w", integer))
			e.prepareLoad(t)
			k.values = slices.DeleteFunc(k.values, func(x any) bool { return e.refuses(k.typ, x) })
			keys := len(k.values)
			all := keys * keys
			row := func(i int, v, w any) []any { return vals(k.values[i%keys], k.values[i/keys], v, w) }
			e.merge(each(all, func(i int) rowferry.Mutation { return insert(t, row(i, i, i)...) })...)
			e.merge(each(all, func(i int) rowferry.Mutation { return insert(t, row(i, -i, i)...) })...)
			e.rows(t, rowsOf(all, func(i int) []any { return row(i, -i, i) })...)
			e.merge(each(all, func(i int) rowferry.Mutation { return update(t, row(i, 99, 99), row(i, 5, absent{})) })...)
			e.merge(each(all, func(i int) rowferry.Mutation {
				return update(t, row(i, absent{}, absent{}), vals(absent{}, absent{}, absent{}, i+1))
			})...)
			e.rows(t, rowsOf(all, func(i int) []any { return row(i, 5, i+1) })...)
			e.merge(each(all, func(i int) rowferry.Mutation { return remove(t, row(i, nil, absent{})...) })[1:]...)
			e.rows(t, rowsOf(1, func(i int) []any { return row(i, 5, i+1) })...)
			e.merge(each(all, func(i int) rowferry.Mutation { return remove(t, row(i, nil, nil)...) })...)
			e.rows(t)
		}
	}},
	{"merge: unique values move, and parents come and go", func(e *env) {
		parent, child := family(schema.NoAction, schema.NoAction)
		child.Uniques = []schema.Index{{Name: "u", Columns: []int{1}}}
		e.prepareLoad(parent, child)
		e.chunk(e.load(), child, false, insert(child, 1, 1), insert(child, 2, 2))
		e.merge(update(child, vals(1, 1), vals(1, 2)), update(child, vals(2, 2), vals(2, 1)), insert(child, 3, 2))
		e.rows(child, row(vals(1, 2)), row(vals(2, 1)), row(vals(3, 2)))
		e.merge(insert(parent, 1, "x"), insert(parent, 2, "y"), remove(child, 1, 2))
		e.made(2, parent, child)
		e.rows(child, row(vals(2, 1)), row(vals(3, 2)))
	}},
	{"merge: an image that lacks what it needs is refused", func(e *env) {
		t := e.bare("t")
		e.mergeRefused(t, rowferry.CodeAbsentColumn, insert(t, 1, absent{}, 1))
		e.mergeRefused(t, rowferry.CodeAbsentColumn, update(t, vals(absent{}, "s1", 1), vals(1, "x", 1)))
		e.mergeRefused(t, rowferry.CodeAbsentColumn, remove(t, absent{}, "s1", 1))
		e.mergeRefused(t, rowferry.CodeInternal, update(t, vals(1, "s1", 1), vals(2, "s1", 1)))
		e.full(t)
	}},
	{"merge: other operations are refused", func(e *env) {
		t := e.bare("t")
		for _, m := range []rowferry.Mutation{truncate(t), shape(t), {Op: rowferry.Drop, Table: t}} {
			tx := e.begin()
			if err := tx.(rowferry.MergeTx).Merge(ctx, e.stamp([]rowferry.Mutation{m})); rowferry.CodeOf(err) != rowferry.CodeInternal {
				e.t.Errorf("%s: got %v, want %s", m.Op, err, rowferry.CodeInternal)
			}
			e.must(tx.Rollback())
		}
		e.full(t)
	}},
	{"merge: merged and written in one batch", func(e *env) {
		t := e.bare("t")
		u := e.filled("u")
		tx := e.begin()
		m := tx.(rowferry.MergeTx)
		e.must(tx.Write(ctx, e.stamp([]rowferry.Mutation{remove(u, start(0)...), insert(t, 1000, "written", 1)})))
		e.must(m.Merge(ctx, e.stamp([]rowferry.Mutation{insert(t, 1000, "merged", 2), insert(t, 1001, "merged", 2), remove(t, 2000, nil, nil)})))
		e.must(tx.Write(ctx, e.stamp([]rowferry.Mutation{update(t, vals(1000, "merged", 2), vals(1000, "written", 3)), truncate(u), insert(u, 1, "u", nil)})))
		e.must(m.Merge(ctx, e.stamp([]rowferry.Mutation{update(t, vals(1001, nil, nil), vals(1001, "again", absent{}))})))
		cp := e.next()
		e.must(tx.Commit(ctx, cp))
		e.cp = cp
		e.sees(cp)
		e.rows(t, append(rowsOf(bulkRows, start), row(vals(1000, "written", 3)), row(vals(1001, "again", 2)))...)
		e.rows(u, row(vals(1, "u", nil)))
	}},
	{"merge: a rollback leaves nothing", func(e *env) {
		t := e.bare("t")
		tx := e.begin()
		e.must(tx.(rowferry.MergeTx).Merge(ctx, e.stamp(slices.Concat(
			each(9, func(i int) rowferry.Mutation { return insert(t, i+1000*(i%2), "x", nil) }),
			each(9, func(i int) rowferry.Mutation { return update(t, vals(i+10, nil, nil), vals(i+10, "x", 5)) }),
			each(9, func(i int) rowferry.Mutation { return remove(t, start(i+20)...) })))))
		e.must(tx.Rollback())
		e.full(t)
		e.sees(e.cp)
	}},
	{"merge: a commit needs the fence", func(e *env) {
		t := e.bare("t")
		tx := e.begin()
		e.must(tx.(rowferry.MergeTx).Merge(ctx, e.stamp([]rowferry.Mutation{remove(t, start(1)...)})))
		cp := e.next()
		cp.Fence++
		e.fenced(tx.Commit(ctx, cp))
		e.must(tx.Rollback())
		e.full(t)
	}},
	{"merge: after an error only a rollback may follow", func(e *env) {
		t := e.bare("t")
		tx := e.begin().(rowferry.MergeTx)
		if err := tx.Merge(ctx, e.stamp([]rowferry.Mutation{truncate(t)})); err == nil {
			e.t.Fatal("a truncate was merged")
		}
		for what, write := range map[string]func() error{
			"merge":  func() error { return tx.Merge(ctx, e.stamp([]rowferry.Mutation{remove(t, start(20)...)})) },
			"write":  func() error { return tx.Write(ctx, e.stamp([]rowferry.Mutation{insert(t, -7, nil, nil)})) },
			"commit": func() error { return tx.Commit(ctx, e.next()) },
		} {
			if err := write(); err == nil {
				e.t.Errorf("a %s after an error was accepted", what)
			}
		}
		e.must(tx.Rollback())
		e.full(t)
	}},
}

// someMerge returns a change of row i, or none, and what it makes of the row in
// the model.
func someMerge(random *rand.Rand, model map[int][]any, t *schema.Table, i, round int) []rowferry.Mutation {
	old := vals(i, "not as it is", nil)
	fresh := vals(i, fmt.Sprintf("%d of round %d", i, round), random.IntN(1000))
	there := model[i]
	switch random.IntN(6) {
	case 0:
		model[i] = fresh
		return []rowferry.Mutation{insert(t, fresh...)}
	case 1:
		delete(model, i)
		return []rowferry.Mutation{remove(t, old...)}
	case 2:
		if there != nil {
			model[i] = fresh
		}
		return []rowferry.Mutation{update(t, old, fresh)}
	case 3:
		if there != nil {
			model[i] = vals(i, there[1], fresh[2])
		}
		return []rowferry.Mutation{update(t, old, vals(i, absent{}, fresh[2]))}
	case 4:
		if there != nil {
			model[i] = vals(i, fresh[1], there[2])
		}
		return []rowferry.Mutation{update(t, vals(i, absent{}, absent{}), vals(absent{}, fresh[1], absent{}))}
	default:
		return nil
	}
}

// bare makes a table by PrepareLoad with the rows that start tells.
func (e *env) bare(name string) *schema.Table {
	e.t.Helper()
	t := numbered(name)
	e.prepareLoad(t)
	e.key(t)
	e.merge(each(bulkRows, func(i int) rowferry.Mutation { return insert(t, start(i)...) })...)
	return t
}

// merge commits the mutations, merged, as one batch, into tables with their keys.
func (e *env) merge(ms ...rowferry.Mutation) {
	e.t.Helper()
	var tables []*schema.Table
	for i := range ms {
		if !slices.Contains(tables, ms[i].Table) {
			tables = append(tables, ms[i].Table)
		}
	}
	e.key(tables...)
	tx := e.begin()
	m, ok := tx.(rowferry.MergeTx)
	if !ok {
		e.t.Fatal("a batch of a Loader is no MergeTx")
	}
	if err := m.Merge(ctx, e.stamp(ms)); err != nil {
		e.t.Fatal(err)
	}
	cp := e.next()
	e.must(tx.Commit(ctx, cp))
	e.cp = cp
}

// mergeRefused merges the mutations, wants one of them refused with the code, and
// rolls back.
func (e *env) mergeRefused(t *schema.Table, want rowferry.Code, ms ...rowferry.Mutation) {
	e.t.Helper()
	tx := e.begin()
	err := tx.(rowferry.MergeTx).Merge(ctx, e.stamp(ms))
	if err == nil {
		err = tx.Commit(ctx, e.next())
	}
	if rowferry.CodeOf(err) != want {
		e.t.Fatalf("got %v, want %s", err, want)
	}
	if r, _ := err.(*rowferry.Error); r == nil || r.Mutation == nil || r.Mutation.Table.Name != t.Name {
		e.t.Errorf("%v does not say which mutation it is about", err)
	}
	e.must(tx.Rollback())
}
