package sinktest

import (
	"github.com/rowferry/rowferry"
	"github.com/rowferry/rowferry/schema"
)

// references returns t with a foreign key from the column at ordinal o to the
// column "id" of parent.
func references(t *schema.Table, o int, parent string, onDelete, onUpdate schema.Action) *schema.Table {
	t.ForeignKeys = append(t.ForeignKeys, schema.ForeignKey{
		Columns: []int{o}, Parent: schema.Name{Table: parent}, Referenced: []string{"id"}, OnDelete: onDelete, OnUpdate: onUpdate,
	})
	return t
}

func family(onDelete, onUpdate schema.Action) (parent, child *schema.Table) {
	parent = table("parent", 1, column("id", integer), nullable("s", text))
	child = references(table("child", 1, column("id", integer), nullable("p", integer)), 1, "parent", onDelete, onUpdate)
	return parent, child
}

// constraintClauses are about unique and foreign keys on the way.
var constraintClauses = []clause{
	{"a unique value moves through a spare one", func(e *env) {
		t := table("t", 1, column("id", integer), column("u", text))
		t.Uniques = []schema.Index{{Name: "u", Columns: []int{1}}}
		e.apply(shape(t), insert(t, 1, "a"), insert(t, 2, "b"))
		e.apply(update(t, vals(1, "a"), vals(1, "spare")), update(t, vals(2, "b"), vals(2, "a")), update(t, vals(1, "spare"), vals(1, "b")))
		e.rows(t, row(vals(1, "b")), row(vals(2, "a")))
		e.apply(remove(t, 1, "b"), insert(t, 3, "b"))
		e.rows(t, row(vals(3, "b")), row(vals(2, "a")))
	}},
	{"a row refers to its own table", func(e *env) {
		t := references(table("tree", 1, column("id", integer), nullable("up", integer)), 1, "tree", schema.NoAction, schema.NoAction)
		e.apply(shape(t), insert(t, 1, nil), insert(t, 2, 1), insert(t, 3, 3))
		child, parent := insert(t, 10, 11), insert(t, 11, 1)
		child.ChecksOff, parent.ChecksOff = true, true
		e.apply(child, parent)
		e.apply(remove(t, 10, 11), remove(t, 11, 1))
		e.rows(t, row(vals(1, nil)), row(vals(2, 1)), row(vals(3, 3)))
	}},
	{"children come before parents where checks were off", func(e *env) {
		parent, child := family(schema.NoAction, schema.NoAction)
		a, b := insert(child, 1, 5), insert(parent, 5, "x")
		a.ChecksOff, b.ChecksOff = true, true
		e.apply(shape(child), shape(parent), a, b)
		e.rows(child, row(vals(1, 5)))
	}},
	{"a row has no parent for a while where keys are looked at late", func(e *env) {
		parent, child := family(schema.NoAction, schema.NoAction)
		e.apply(shape(parent), shape(child), insert(parent, 1, "x"), insert(child, 10, 1), insert(child, 20, 1), insert(child, 30, 1))
		for _, ms := range [][]rowferry.Mutation{
			{insert(child, 1, 99), remove(child, 1, 99)},
			{insert(child, 2, 99), update(child, vals(2, 99), vals(2, 1))},
			{insert(child, 3, 5), update(child, vals(3, 5), vals(4, 5)), insert(parent, 5, "y")},
			{insert(child, 6, 99), update(child, vals(6, 99), vals(7, 99)), insert(child, 6, 98), remove(child, 7, 99), remove(child, 6, 98)},
			{update(child, vals(10, 1), vals(10, 77)), update(child, vals(10, 77), vals(11, 5))},
			{update(child, vals(20, 1), vals(21, 77)), remove(child, 21, 77)},
			{remove(parent, 5, "y"), insert(parent, 5, "z")},
			{update(parent, vals(1, "x"), vals(100, absent{})), update(child, vals(2, 1), vals(2, 100)), update(child, vals(30, 1), vals(30, 100))},
		} {
			for i := range ms {
				ms[i].ChecksOff = true
			}
			e.apply(ms...)
		}
		e.rows(parent, row(vals(5, "z")), row(vals(100, "x")))
		e.rows(child, row(vals(2, 100)), row(vals(4, 5)), row(vals(11, 5)), row(vals(30, 100)))
	}},
	{"an orphan is refused", func(e *env) {
		parent, child := family(schema.NoAction, schema.NoAction)
		e.apply(shape(parent), shape(child), insert(parent, 1, nil), insert(child, 1, 1), insert(child, 2, nil))
		for _, ms := range [][]rowferry.Mutation{
			{insert(child, 3, 99)}, {remove(parent, 1, nil)}, {update(child, vals(2, nil), vals(2, 7)), insert(parent, 8, nil)},
		} {
			_ = e.refused(rowferry.CodeRowRefused, ms...) // it fails the test itself
		}
		e.rows(parent, row(vals(1, nil)))
		e.rows(child, row(vals(1, 1)), row(vals(2, nil)))
	}},
	{"a foreign key acts as at the source", func(e *env) {
		parent, child := family(schema.Cascade, schema.Cascade)
		grand := references(table("grand", 1, column("id", integer), nullable("c", integer)), 1, "child", schema.SetNull, schema.NoAction)
		e.apply(shape(parent), shape(child), shape(grand),
			insert(parent, 1, nil), insert(parent, 2, nil), insert(child, 10, 1), insert(child, 20, 2), insert(grand, 100, 10), insert(grand, 200, 20))
		e.apply(remove(parent, 1, nil), update(parent, vals(2, nil), vals(3, nil)))
		e.rows(parent, row(vals(3, nil)))
		e.rows(child, row(vals(20, 3)))
		e.rows(grand, row(vals(100, nil)), row(vals(200, 20)))
	}},
	{"a foreign key that did not act at the source is not set off", func(e *env) {
		parent, child := family(schema.Cascade, schema.Cascade)
		e.apply(shape(parent), shape(child), insert(parent, 1, nil), insert(parent, 2, nil), insert(child, 10, 1))
		gone := remove(parent, 1, nil)
		gone.ChecksOff = true
		_ = e.refused(rowferry.CodeCascades, gone)
		renamed := update(parent, vals(1, nil), vals(9, nil))
		renamed.ChecksOff = true
		_ = e.refused(rowferry.CodeCascades, renamed)
		_ = e.refused(rowferry.CodeCascades, truncate(parent))
		childless := remove(parent, 2, nil)
		childless.ChecksOff = true
		e.apply(childless)
		e.rows(parent, row(vals(1, nil)))
		e.rows(child, row(vals(10, 1)))
	}},
	{"a parent may come after its child", func(e *env) {
		parent, child := family(schema.SetNull, schema.NoAction)
		e.apply(shape(child))
		e.apply(shape(parent), insert(parent, 1, "a"), insert(child, 1, 1))
		_ = e.refused(rowferry.CodeRowRefused, insert(child, 2, 7))
		e.apply(remove(parent, 1, "a"))
		e.rows(child, row(vals(1, nil)))
	}},
}
