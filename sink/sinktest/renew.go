package sinktest

import (
	"github.com/rowferry/rowferry"
	"github.com/rowferry/rowferry/schema"
)

// renewClauses hold for sinks that are a rowferry.Renewer: tables that are copied
// again.
var renewClauses = []clause{
	{"renew: tables between others are emptied, loaded and complete again", func(e *env) {
		grandparent := table("grandparent", 1, column("id", integer))
		parent := references(table("parent", 1, column("id", integer), nullable("s", text), nullable("g", integer)), 2, "grandparent", "", "")
		parent.Uniques = []schema.Index{{Name: "by_s", Columns: []int{1}}}
		_, child := family("", "")
		tree := references(table("tree", 1, column("id", integer), nullable("up", integer)), 1, "tree", "", "")
		all := []*schema.Table{child, grandparent, parent, tree}
		e.prepareLoad(all...)
		e.complete(all...)
		e.apply(insert(grandparent, 1), insert(parent, 1, "a", 1), insert(parent, 2, "b", 1), insert(child, 1, 1), insert(child, 2, 2),
			insert(tree, 1, nil), insert(tree, 2, 1), insert(tree, 3, 2))

		e.must(e.renewer().CheckRenew(ctx, e.shapes(parent, tree), e.shapes(all...)))
		e.rows(parent, row(vals(1, "a", 1)), row(vals(2, "b", 1)))
		for range 2 {
			e.must(e.renewer().Renew(ctx, e.cp, e.shapes(parent, tree), e.shapes(all...)))
			e.rows(parent)
			e.rows(tree)
			e.rows(child, row(vals(1, 1)), row(vals(2, 2)))
		}
		e.prepareLoad(parent, tree)
		l := e.load()
		e.chunk(l, tree, false, insert(tree, 2, 1), insert(tree, 1, nil))
		e.chunk(l, parent, false, insert(parent, 3, "a", 9), insert(parent, 2, "a", 1)) // which break every key for now
		e.apply(insert(child, 3, 3), insert(child, 4, 4), remove(child, 1, 1))
		e.broken("", all...)
		e.merge(insert(parent, 3, "c", 1), insert(parent, 4, "d", nil))
		e.complete(all...)
		e.rows(parent, row(vals(2, "a", 1)), row(vals(3, "c", 1)), row(vals(4, "d", nil)))
		e.rows(tree, row(vals(1, nil)), row(vals(2, 1)))
		_ = e.refused(rowferry.CodeForeignRow, insert(parent, 5, "a", 1))
		for _, m := range []rowferry.Mutation{insert(child, 9, 9), insert(parent, 9, "x", 9), remove(parent, 2, "a", 1), remove(tree, 1, nil), insert(tree, 9, 8)} {
			_ = e.refused(rowferry.CodeRowRefused, m)
		}
		e.apply(insert(child, 9, 3), remove(tree, 2, 1))
	}},
	{"renew: a table of somebody else keeps its rows", func(e *env) {
		t, own := numbered("t"), numbered("own")
		e.ready()
		e.exec("CREATE TABLE t (id BIGINT NOT NULL PRIMARY KEY, s VARCHAR(200), n BIGINT)")
		e.apply(shape(t), shape(own), insert(t, 1, "a", 1), insert(own, 1, "a", 1))
		if err := e.renewer().CheckRenew(ctx, e.shapes(own, t), e.shapes(own, t)); rowferry.CodeOf(err) != rowferry.CodeAgainRefused {
			e.t.Errorf("got %v, want %s", err, rowferry.CodeAgainRefused)
		}
		if err := e.renewer().Renew(ctx, e.cp, e.shapes(own, t), e.shapes(own, t)); rowferry.CodeOf(err) != rowferry.CodeAgainRefused {
			e.t.Errorf("got %v, want %s", err, rowferry.CodeAgainRefused)
		}
		e.rows(t, row(vals(1, "a", 1)))
		e.rows(own, row(vals(1, "a", 1)))
		e.exec("DELETE FROM t")
		e.must(e.renewer().Renew(ctx, e.cp, e.shapes(own, t), e.shapes(own, t))) // it holds nothing
		e.rows(own)
	}},
	{"renew: a foreign key of somebody else stays", func(e *env) {
		t := numbered("t")
		e.ready()
		e.prepareLoad(t)
		e.complete(t)
		e.exec("CREATE TABLE theirs (id BIGINT NOT NULL PRIMARY KEY, FOREIGN KEY (id) REFERENCES t (id))")
		e.apply(insert(t, 1, "a", 1))
		if err := e.renewer().CheckRenew(ctx, e.shapes(t), e.shapes(t)); rowferry.CodeOf(err) != rowferry.CodeAgainRefused {
			e.t.Errorf("got %v, want %s", err, rowferry.CodeAgainRefused)
		}
		e.rows(t, row(vals(1, "a", 1)))
	}},
	{"renew: an engine that was fenced off empties nothing", func(e *env) {
		t := numbered("t")
		e.prepareLoad(t)
		e.apply(insert(t, 1, "a", 1))
		for _, change := range []func(*rowferry.Checkpoint){func(c *rowferry.Checkpoint) { c.Fence-- }, func(c *rowferry.Checkpoint) { c.Sequence++ }} {
			cp := e.cp
			change(&cp)
			e.fenced(e.renewer().Renew(ctx, cp, e.shapes(t), e.shapes(t)))
			e.rows(t, row(vals(1, "a", 1)))
		}
	}},
}

func (e *env) renewer() rowferry.Renewer { return e.sink.(rowferry.Renewer) }
