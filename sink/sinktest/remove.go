package sinktest

import (
	"github.com/rowferry/rowferry"
	"github.com/rowferry/rowferry/schema"
)

// removeClauses hold for sinks whose batches are a rowferry.RemoveTx.
var removeClauses = []clause{
	{"remove: by the key, whatever else the row has, and whether it is there", func(e *env) {
		t := table("t", 2, column("a", text), column("b", integer), nullable("v", text))
		e.apply(shape(t), insert(t, "x", 1, "p"), insert(t, "x", 2, "q"), insert(t, "X", 1, nil))
		e.removed("", nil, remove(t, "x", 1, absent{}), remove(t, "x", 9, absent{}))
		e.rows(t, row(vals("x", 2, "q")), row(vals("X", 1, nil)))
	}},
	{"remove: nothing that a foreign key would change goes", func(e *env) {
		for _, action := range []schema.Action{schema.Cascade, schema.SetNull} {
			parent := table("parent_"+string(action[0]), 1, column("id", integer))
			child := references(table("child_"+string(action[0]), 1, column("id", integer), nullable("p", integer)), 1, parent.Name.Table, action, schema.NoAction)
			e.apply(shape(parent), shape(child), insert(parent, 1), insert(parent, 2), insert(parent, 3), insert(child, 10, 2))
			e.removed(rowferry.CodeCascades, vals(2), remove(parent, 1), remove(parent, 2), remove(parent, 3))
			e.rows(parent, row(vals(1)), row(vals(2)), row(vals(3)))
			e.removed("", nil, remove(parent, 1), remove(parent, 3))
			e.rows(parent, row(vals(2)))
			e.rows(child, row(vals(10, 2)))
		}
	}},
	{"remove: a row that another refers to is refused", func(e *env) {
		parent, child := family(schema.NoAction, schema.NoAction)
		e.apply(shape(parent), shape(child), insert(parent, 1, "x"), insert(parent, 2, "y"), insert(child, 10, 2))
		e.removed(rowferry.CodeRowRefused, nil, remove(parent, 1, absent{}), remove(parent, 2, absent{}))
		e.rows(parent, row(vals(1, "x")), row(vals(2, "y")))
		e.rows(child, row(vals(10, 2)))
	}},
}

// removed removes rows in a batch of their own, and wants the code for it, of the row
// with the key where that is told.
func (e *env) removed(want rowferry.Code, key []any, deletes ...rowferry.Mutation) {
	e.t.Helper()
	tx := e.begin()
	cp := e.next()
	err := tx.(rowferry.RemoveTx).Remove(ctx, e.stamp(deletes))
	if err == nil {
		err = tx.Commit(ctx, cp)
	}
	if rowferry.CodeOf(err) != want {
		e.t.Fatalf("got %v, want %q", err, want)
	}
	if want == "" {
		e.cp = cp
		return
	}
	if about, _ := err.(*rowferry.Error); key != nil && (about == nil || about.Mutation == nil || about.Mutation.Before[0] != row(key)[0]) {
		e.t.Errorf("%v is not about %v", err, key)
	}
	e.must(tx.Rollback())
}
