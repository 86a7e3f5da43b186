package sinktest

import (
	"fmt"
	"slices"
	"strings"

	"github.com/rowferry/rowferry"
	"github.com/rowferry/rowferry/schema"
)

// orphanClauses are about rows without a parent when tables are completed.
var orphanClauses = []clause{
	{"orphans: skipped, and what referred to them", func(e *env) {
		tables := e.orphaned()
		e.dealt(rowferry.SkipOrphans, tables, "tree 1: id=4", "tree 1: id=5", "tree 1: id=6", "child 2: id=11, id=12", "grand 2: id=101, id=102")
		e.rows(tables[0], row(vals(1, "x")))
		e.rows(tables[1], row(vals(10, 1)), row(vals(13, nil)))
		e.rows(tables[2], row(vals(100, 10)), row(vals(103, nil)))
		e.rows(tables[3], row(vals(1, 1)), row(vals(2, 1)), row(vals(3, nil)))
	}},
	{"orphans: set to NULL", func(e *env) {
		tables := e.orphaned()
		e.dealt(rowferry.NullOrphans, tables, "tree 1: id=4", "child 2: id=11, id=12")
		e.rows(tables[1], row(vals(10, 1)), row(vals(11, nil)), row(vals(12, nil)), row(vals(13, nil)))
		e.rows(tables[2], row(vals(100, 10)), row(vals(101, 11)), row(vals(102, 12)), row(vals(103, nil)))
		e.rows(tables[3], row(vals(1, 1)), row(vals(2, 1)), row(vals(3, nil)), row(vals(4, nil)), row(vals(5, 4)), row(vals(6, 5)))
		e.made(0, tables...)
	}},
	{"orphans: a column that is NOT NULL refuses NULL", func(e *env) {
		parent := table("parent", 1, column("id", integer))
		child := references(table("child", 1, column("id", integer), column("p", integer)), 1, "parent", schema.NoAction, schema.NoAction)
		e.prepareLoad(parent, child)
		e.chunk(e.load(), child, false, insert(child, 1, 9))
		_, err := e.foster(rowferry.NullOrphans, parent, child)
		if rowferry.CodeOf(err) != rowferry.CodeRowRefused || !strings.Contains(err.Error(), "NOT NULL") || !strings.Contains(err.Error(), "id=1") {
			e.t.Fatalf("got %v, want %s with the column and the row", err, rowferry.CodeRowRefused)
		}
		e.rows(child, row(vals(1, 9)))
		e.broken("parent", parent, child)
		e.dealt(rowferry.SkipOrphans, []*schema.Table{parent, child}, "child 1: id=1")
		e.rows(child)
	}},
	{"orphans: keys of several columns, to a unique key, and many rows", func(e *env) {
		parent := table("parent", 1, column("n", integer), nullable("a", integer), nullable("b", text))
		parent.Uniques = []schema.Index{{Name: "both", Columns: []int{1, 2}}}
		child := table("child", 0, nullable("a", integer), nullable("b", text), nullable("v", integer))
		child.ForeignKeys = []schema.ForeignKey{{Columns: []int{0, 1}, Parent: parent.Name, Referenced: []string{"a", "b"}}}
		e.prepareLoad(child, parent)
		l := e.load()
		e.chunk(l, parent, false, insert(parent, 1, 1, "x"), insert(parent, 2, 1, nil), insert(parent, 3, nil, "y"))
		e.chunk(l, child, false, insert(child, 1, "x", 1), insert(child, 9, nil, 2), insert(child, nil, "z", 3))
		e.chunk(l, child, false, each(rowferry.MostOrphanKeys+5, func(i int) rowferry.Mutation { return insert(child, 100+i, "y", 4) })...)
		found, err := e.foster(rowferry.NullOrphans, parent, child)
		e.must(err)
		if len(found) != 1 || found[0].Rows != rowferry.MostOrphanKeys+5 || len(found[0].Keys) != rowferry.MostOrphanKeys || found[0].Keys[0] != "a=100 b=y" {
			e.t.Errorf("found %+v", found)
		}
		want := []rowferry.Row{row(vals(1, "x", 1)), row(vals(9, nil, 2)), row(vals(nil, "z", 3))}
		e.rows(child, append(want, rowsOf(rowferry.MostOrphanKeys+5, func(int) []any { return vals(nil, nil, 4) })...)...)
	}},
}

// orphaned loads a parent, a child, a grandchild and a tree, with rows without a
// parent.
func (e *env) orphaned() []*schema.Table {
	parent, child := family(schema.NoAction, schema.NoAction)
	grand := references(table("grand", 1, column("id", integer), nullable("c", integer)), 1, "child", schema.NoAction, schema.NoAction)
	tree := references(table("tree", 1, column("id", integer), nullable("up", integer)), 1, "tree", schema.NoAction, schema.NoAction)
	e.prepareLoad(grand, parent, child, tree)
	l := e.load()
	e.chunk(l, parent, false, insert(parent, 1, "x"))
	e.chunk(l, child, false, insert(child, 10, 1), insert(child, 11, 9), insert(child, 12, 8), insert(child, 13, nil))
	e.chunk(l, grand, false, insert(grand, 100, 10), insert(grand, 101, 11), insert(grand, 102, 12), insert(grand, 103, nil))
	e.chunk(l, tree, false, insert(tree, 1, 1), insert(tree, 2, 1), insert(tree, 3, nil), insert(tree, 4, 99), insert(tree, 5, 4), insert(tree, 6, 5))
	return []*schema.Table{parent, child, grand, tree}
}

// foster completes the tables by the policy, and returns what was found.
func (e *env) foster(p rowferry.OrphanPolicy, tables ...*schema.Table) (found []rowferry.Orphans, err error) {
	err = e.loader().Complete(ctx, e.shapes(tables...), rowferry.Completion{
		Each: func(string) {}, Orphans: p, Found: func(o rowferry.Orphans) { found = append(found, o) },
	})
	return found, err
}

// dealt wants so many rows of each table to be told of, and nothing the second time.
func (e *env) dealt(p rowferry.OrphanPolicy, tables []*schema.Table, want ...string) {
	e.t.Helper()
	found, err := e.foster(p, tables...)
	e.must(err)
	var told []string
	for _, o := range found {
		if o.Policy != p || o.Key == "" {
			e.t.Errorf("told of %+v", o)
		}
		told = append(told, fmt.Sprintf("%s %d: %s", o.Table.Table, o.Rows, strings.Join(o.Keys, ", ")))
	}
	slices.Sort(told)
	slices.Sort(want)
	if !slices.Equal(told, want) {
		e.t.Errorf("told of %q, want %q", told, want)
	}
	if again, err := e.foster(p, tables...); err != nil || len(again) > 0 {
		e.t.Errorf("the second time: %v, %v", again, err)
	}
}
