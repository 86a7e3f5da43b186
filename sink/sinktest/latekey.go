package sinktest

import (
	"slices"
	"strings"

	"github.com/rowferry/rowferry"
	"github.com/rowferry/rowferry/schema"
)

// lateKeyClauses hold for a rowferry.LateKeyer.
var lateKeyClauses = []clause{
	{"key: it comes after the rows", func(e *env) {
		t, u := numbered("t"), twoKeys("u")
		e.prepareLoad(t, u)
		e.keyed(false, t, u)
		l := e.load()
		e.chunk(l, t, false, started(t, 0, loadRows)...)
		e.chunk(l, u, false, insert(u, "a", 1, 1), insert(u, "b", 1, 1))
		e.prepareLoad(t, u) // as another engine does that goes on
		e.keyed(false, t, u)
		if made := e.key(u, t); len(made) != 2 || !strings.Contains(strings.Join(made, " "), "t: primary key (id)") {
			e.t.Errorf("told of %q", made)
		}
		e.keyed(true, t, u)
		if made := e.key(t, u); made != nil {
			e.t.Errorf("told again of %q", made)
		}
		e.chunk(l, t, true, started(t, loadRows-1, loadRows+5)...)
		e.merge(insert(u, "b", 1, 2), remove(u, "a", 1, 1), insert(t, start(loadRows+5)...))
		e.prepareLoad(t, u)
		e.keyed(true, t, u)
		e.made(1, t, u)
		e.rows(t, rowsOf(loadRows+6, start)...)
		e.rows(u, row(vals("b", 1, 2)))
	}},
	{"key: completing makes it as well", func(e *env) {
		t, u, none := numbered("t"), twoKeys("u"), table("none", 0, nullable("s", text))
		e.prepareLoad(t, u, none)
		l := e.load()
		e.chunk(l, t, false, started(t, 0, 9)...)
		e.chunk(l, u, false, insert(u, "a", 1, 1), insert(u, "b", 1, 2))
		e.chunk(l, none, false, insert(none, "x"), insert(none, "x"))
		for _, want := range []int{3, 0} {
			var made []string
			e.must(e.loader().Complete(ctx, e.shapes(t, u, none), rowferry.Completion{Each: func(what string) { made = append(made, what) }}))
			if len(made) != want {
				e.t.Errorf("told of %q, want %d keys", made, want)
			}
		}
		e.keyed(true, t, u)
		_ = e.refused(rowferry.CodeForeignRow, insert(t, start(3)...))
		_ = e.refused(rowferry.CodeForeignRow, insert(u, "a", 1, 1))
		e.apply(remove(none, "x"), insert(t, start(9)...))
		e.rows(none, row(vals("x")))
	}},
	{"key: rows that break it are refused", func(e *env) {
		t, fine := numbered("t"), numbered("fine")
		e.prepareLoad(t, fine)
		l := e.load()
		e.chunk(l, t, false, started(t, 0, 9)...)
		e.chunk(l, t, false, started(t, 8, 12)...) // which nobody does
		err := e.sink.(rowferry.LateKeyer).Key(ctx, e.shapes(fine, t), func(string) {})
		if rowferry.CodeOf(err) != rowferry.CodeRowRefused || !strings.Contains(err.Error(), "primary key (id)") {
			e.t.Fatalf("got %v, want %s", err, rowferry.CodeRowRefused)
		}
		e.exec("DELETE FROM t WHERE id = 8")
		e.key(fine, t)
		e.keyed(true, fine, t)
	}},
}

// twoKeys is a table whose rows are found by a unique key of two columns, and that
// has another one.
func twoKeys(name string) *schema.Table {
	t := table(name, 0, column("k", text), column("l", integer), nullable("v", integer))
	t.Uniques = []schema.Index{{Name: "key", Columns: []int{1, 0}}, {Name: "other", Columns: []int{2}}}
	return t
}

// keyed wants the tables to have the key by which rows are found, or no key at all.
func (e *env) keyed(want bool, tables ...*schema.Table) {
	e.t.Helper()
	all, err := e.keeper.Tables(ctx)
	e.must(err)
	for _, t := range tables {
		i := slices.IndexFunc(all, func(x *schema.Table) bool { return x.Name.Table == t.Name.Table })
		if i < 0 {
			e.t.Fatalf("there is no table %s", t.Name)
		}
		keys := len(all[i].Uniques)
		if len(all[i].PrimaryKey) > 0 {
			keys++
		}
		if want && all[i].Identity() == nil || !want && keys > 0 {
			e.t.Errorf("table %s has the primary key %d and the unique keys %v", t.Name, all[i].PrimaryKey, all[i].Uniques)
		}
	}
}
