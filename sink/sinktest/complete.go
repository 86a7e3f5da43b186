package sinktest

import (
	"strings"

	"github.com/rowferry/rowferry"
	"github.com/rowferry/rowferry/schema"
)

// completeClauses are about tables without their keys, and with them again.
var completeClauses = []clause{
	{"complete: unique keys come after the rows", func(e *env) {
		t := table("t", 1, column("id", integer), nullable("mail", text), nullable("n", integer))
		t.Uniques = []schema.Index{{Name: "by_mail", Columns: []int{1}}, {Name: "by_both", Columns: []int{2, 1}}}
		e.prepareLoad(t)
		l := e.load()
		e.chunk(l, t, false, insert(t, 1, "a", 1), insert(t, 2, "a", 1), insert(t, 3, "b", 1), insert(t, 4, nil, nil), insert(t, 5, nil, nil))
		e.prepareLoad(t)
		e.chunk(l, t, true, insert(t, 3, "a", 1))
		e.broken("by_mail", t)
		e.rows(t, row(vals(1, "a", 1)), row(vals(2, "a", 1)), row(vals(3, "a", 1)), row(vals(4, nil, nil)), row(vals(5, nil, nil)))
		e.merge(remove(t, 2, absent{}, absent{}), update(t, vals(3, absent{}, absent{}), vals(absent{}, "b", absent{})))
		e.made(2, t)
		e.rows(t, row(vals(1, "a", 1)), row(vals(3, "b", 1)), row(vals(4, nil, nil)), row(vals(5, nil, nil)))
		_ = e.refused(rowferry.CodeForeignRow, insert(t, 6, "a", 7))
		_ = e.refused(rowferry.CodeForeignRow, update(t, vals(4, nil, nil), vals(4, "b", 7)))
		_ = e.refused(rowferry.CodeForeignRow, insert(t, 1, "x", 7))
		e.apply(update(t, vals(3, "b", 1), vals(3, "c", 1)), insert(t, 6, "b", 1))
		e.apply(remove(t, 3, "c", 1))
		e.rows(t, row(vals(1, "a", 1)), row(vals(4, nil, nil)), row(vals(5, nil, nil)), row(vals(6, "b", 1)))
	}},
	{"complete: the key that finds rows is there before", func(e *env) {
		t := table("t", 0, column("k", text), column("l", integer), nullable("v", integer))
		t.Uniques = []schema.Index{{Name: "nulls", Columns: []int{2}}, {Name: "key", Columns: []int{1, 0}}, {Name: "other", Columns: []int{0}}}
		e.prepareLoad(t)
		l := e.load()
		e.chunk(l, t, false, insert(t, "a", 1, 1), insert(t, "a", 2, 1), insert(t, "b", 1, 2))
		e.chunk(l, t, true, insert(t, "a", 2, 3), insert(t, "b", 2, 1))
		e.merge(insert(t, "b", 1, 1), insert(t, "c", 1, 1))
		e.rows(t, row(vals("a", 1, 1)), row(vals("a", 2, 3)), row(vals("b", 1, 1)), row(vals("b", 2, 1)), row(vals("c", 1, 1)))
		e.merge(remove(t, "a", 1, 1), remove(t, "b", 2, 1), update(t, vals("c", 1, 1), vals("c", 1, nil)))
		e.made(2, t)
		_ = e.refused(rowferry.CodeForeignRow, insert(t, "a", 9, 9))
		_ = e.refused(rowferry.CodeForeignRow, insert(t, "x", 9, 1))
		e.rows(t, row(vals("a", 2, 3)), row(vals("b", 1, 1)), row(vals("c", 1, nil)))
	}},
	{"complete: foreign keys come after the rows", func(e *env) {
		parent, child := family(schema.NoAction, schema.NoAction)
		e.prepareLoad(child, parent)
		l := e.load()
		e.chunk(l, child, false, insert(child, 1, 1), insert(child, 2, nil), insert(child, 3, 99))
		e.chunk(l, parent, false, insert(parent, 1, "x"), insert(parent, 2, "y"))
		e.prepareLoad(child, parent)
		e.merge(remove(parent, 1, "x"), insert(child, 4, 98))
		e.broken("parent", child, parent)
		e.merge(insert(parent, 1, "z"), remove(child, 3, 99), update(child, vals(4, 98), vals(4, 2)))
		e.made(1, child, parent)
		_ = e.refused(rowferry.CodeRowRefused, insert(child, 5, 99))
		_ = e.refused(rowferry.CodeRowRefused, remove(parent, 2, "y"))
		e.apply(insert(child, 5, 2))
		e.rows(parent, row(vals(1, "z")), row(vals(2, "y")))
		e.rows(child, row(vals(1, 1)), row(vals(2, nil)), row(vals(4, 2)), row(vals(5, 2)))
	}},
	{"complete: a table refers to itself, and tables to each other", func(e *env) {
		tree := references(table("tree", 1, column("id", integer), nullable("up", integer)), 1, "tree", schema.NoAction, schema.NoAction)
		a := references(table("a", 1, column("id", integer), nullable("b", integer)), 1, "b", schema.NoAction, schema.NoAction)
		b := references(table("b", 1, column("id", integer), nullable("a", integer)), 1, "a", schema.NoAction, schema.NoAction)
		e.prepareLoad(tree, a, b)
		l := e.load()
		e.chunk(l, tree, false, insert(tree, 1, 3), insert(tree, 2, 1), insert(tree, 3, 3), insert(tree, 4, nil))
		e.chunk(l, a, false, insert(a, 1, 2), insert(a, 2, 1))
		e.chunk(l, b, false, insert(b, 1, 1), insert(b, 2, nil))
		e.made(3, tree, a, b)
		for _, m := range []rowferry.Mutation{insert(tree, 9, 8), insert(a, 9, 8), insert(b, 9, 8), remove(a, 1, 2), remove(b, 1, 1), remove(tree, 1, 3)} {
			_ = e.refused(rowferry.CodeRowRefused, m)
		}
		e.apply(insert(tree, 9, 4), remove(a, 2, 1))
		e.rows(tree, row(vals(1, 3)), row(vals(2, 1)), row(vals(3, 3)), row(vals(4, nil)), row(vals(9, 4)))
		e.rows(a, row(vals(1, 2)))
		e.rows(b, row(vals(1, 1)), row(vals(2, nil)))
	}},
	{"complete: a foreign key to a unique key", func(e *env) {
		parent := table("parent", 1, column("n", integer), nullable("id", integer))
		parent.Uniques = []schema.Index{{Name: "by_id", Columns: []int{1}}}
		child := references(table("child", 1, column("n", integer), nullable("p", integer)), 1, "parent", schema.NoAction, schema.NoAction)
		e.prepareLoad(child, parent)
		l := e.load()
		e.chunk(l, child, false, insert(child, 1, 7), insert(child, 2, 8))
		e.chunk(l, parent, false, insert(parent, 1, 7), insert(parent, 2, 8), insert(parent, 3, nil))
		e.made(2, child, parent)
		_ = e.refused(rowferry.CodeRowRefused, insert(child, 3, 9))
		_ = e.refused(rowferry.CodeForeignRow, insert(parent, 4, 7))
		e.apply(remove(child, 1, 7), remove(parent, 1, 7))
		e.rows(child, row(vals(2, 8)))
	}},
	{"complete: foreign keys do not act before, and act then", func(e *env) {
		parent, child := family(schema.Cascade, schema.Cascade)
		grand := references(table("grand", 1, column("id", integer), nullable("c", integer)), 1, "child", schema.SetNull, schema.NoAction)
		e.prepareLoad(parent, child, grand)
		l := e.load()
		e.chunk(l, parent, false, insert(parent, 1, nil), insert(parent, 2, nil), insert(parent, 3, nil))
		e.chunk(l, child, false, insert(child, 10, 1), insert(child, 20, 2), insert(child, 30, 3))
		e.chunk(l, grand, false, insert(grand, 100, 10), insert(grand, 200, 20), insert(grand, 300, 30))
		e.merge(remove(parent, 1, nil), remove(child, 20, 2))
		e.rows(child, row(vals(10, 1)), row(vals(30, 3)))
		e.rows(grand, row(vals(100, 10)), row(vals(200, 20)), row(vals(300, 30)))
		e.broken("child", parent, child, grand)
		e.merge(insert(parent, 1, nil), insert(child, 20, 2))
		e.complete(parent, child, grand)
		e.made(0, parent, child, grand)
		e.apply(remove(parent, 1, nil), update(parent, vals(2, nil), vals(5, nil)))
		e.rows(parent, row(vals(3, nil)), row(vals(5, nil)))
		e.rows(child, row(vals(20, 5)), row(vals(30, 3)))
		e.rows(grand, row(vals(100, nil)), row(vals(200, 20)), row(vals(300, 30)))
	}},
	{"complete: a table that counts by a key of its own", func(e *env) {
		t := table("t", 1, column("k", text), column("n", integer), nullable("v", integer))
		t.Columns[1].AutoIncrement = true
		t.Uniques = []schema.Index{{Name: "counted", Columns: []int{1}}}
		e.prepareLoad(t)
		e.chunk(e.load(), t, false, insert(t, "a", 5, nil), insert(t, "b", 5, nil), insert(t, "c", 7, nil))
		e.broken("counted", t)
		e.merge(insert(t, "b", 6, 1))
		e.made(1, t)
		_ = e.refused(rowferry.CodeForeignRow, insert(t, "d", 7, nil))
		e.rows(t, row(vals("a", 5, nil)), row(vals("b", 6, 1)), row(vals("c", 7, nil)))
	}},
	{"complete: tables are as if they had been made with their keys", func(e *env) {
		shapes := func(suffix string) []*schema.Table {
			parent, child := family(schema.Cascade, schema.NoAction)
			parent.Uniques = []schema.Index{{Name: "s", Columns: []int{1}}, {Name: "both", Columns: []int{1, 0}}}
			child.ForeignKeys = append(child.ForeignKeys, schema.ForeignKey{Columns: []int{1}, Parent: child.Name, Referenced: []string{"id"}})
			for _, t := range []*schema.Table{parent, child} {
				t.Name.Table += suffix
				for i := range t.ForeignKeys {
					t.ForeignKeys[i].Parent.Table += suffix
				}
			}
			return []*schema.Table{parent, child}
		}
		loaded := shapes("1")
		e.prepareLoad(loaded...)
		e.complete(loaded...)
		var other []rowferry.Mutation
		for _, t := range shapes("2") {
			other = append(other, shape(t))
		}
		e.apply(other...)
		tables, err := e.keeper.Tables(ctx)
		e.must(err)
		if len(tables) != 4 {
			e.t.Fatalf("%d tables, want 4", len(tables))
		}
		for i := range tables[:2] { // by name: child1, child2, parent1, parent2
			a, b := tables[2*i], tables[2*i+1]
			if len(a.Uniques) != len(b.Uniques) || len(a.ForeignKeys) != len(b.ForeignKeys) || len(a.PrimaryKey) != len(b.PrimaryKey) {
				e.t.Errorf("completed: %+v\nmade so: %+v", a, b)
			}
		}
	}},
	{"complete: preparing adds nothing before", func(e *env) {
		parent, child := family(schema.NoAction, schema.NoAction)
		child.Uniques = []schema.Index{{Name: "by_p", Columns: []int{1}}}
		later := references(table("later", 1, column("id", integer), nullable("p", integer)), 1, "parent", schema.NoAction, schema.NoAction)
		old := table("old", 1, column("id", integer))
		young := references(table("young", 1, column("id", integer), nullable("p", integer)), 1, "old", schema.NoAction, schema.NoAction)
		e.apply(shape(old))
		e.prepareLoad(parent, child, young)
		e.apply(shape(parent), shape(child), shape(later), shape(old), shape(young), insert(later, 1, nil))
		l := e.load()
		e.chunk(l, young, false, insert(young, 1, 1))
		e.chunk(l, child, false, insert(child, 1, 5), insert(child, 2, 5))
		e.chunk(l, child, true, insert(child, 2, 5), insert(child, 3, 6))
		e.merge(remove(child, 2, 5), insert(parent, 5, nil), insert(parent, 6, nil), insert(parent, 7, nil))
		e.merge(remove(young, 1, 1))
		e.complete(parent, child, young)
		_ = e.refused(rowferry.CodeRowRefused, insert(young, 1, 1))
		_ = e.refused(rowferry.CodeForeignRow, insert(child, 4, 5))
		_ = e.refused(rowferry.CodeRowRefused, insert(child, 4, 8))
		e.apply(insert(child, 4, 7))
		e.rows(child, row(vals(1, 5)), row(vals(3, 6)), row(vals(4, 7)))
	}},
	{"complete: another sink goes on", func(e *env) {
		t := table("t", 1, column("id", integer), nullable("u", integer))
		t.Uniques = []schema.Index{{Name: "u", Columns: []int{1}}}
		e.prepareLoad(t)
		e.chunk(e.load(), t, false, insert(t, 1, 1), insert(t, 2, 1))
		next := &env{t: e.t, sink: e.again(), o: e.o, cp: e.cp}
		next.keeper = next.sink.(rowferry.CheckpointKeeper)
		next.prepareLoad(t)
		next.merge(insert(t, 3, 1), remove(t, 1, 1))
		next.rows(t, row(vals(2, 1)), row(vals(3, 1)))
		next.broken("u", t)
		next.merge(remove(t, 2, 1))
		next.must(next.sink.Close())
		last := &env{t: e.t, sink: e.again(), o: e.o, cp: next.cp}
		last.made(1, t) // without PrepareLoad before
		_ = last.refused(rowferry.CodeForeignRow, insert(t, 4, 1))
		last.must(last.sink.Close())
	}},
	{"complete: a table that was there is taken with the key alone", func(e *env) {
		parent, child := family(schema.NoAction, schema.NoAction)
		child.Uniques = []schema.Index{{Name: "u", Columns: []int{1}}}
		e.exec("CREATE TABLE child (id BIGINT NOT NULL PRIMARY KEY, p BIGINT)")
		e.prepareLoad(parent, child)
		e.chunk(e.load(), child, false, insert(child, 1, 1), insert(child, 2, 1))
		e.merge(insert(child, 3, 1), remove(child, 1, 1))
		e.complete(parent, child)
		e.apply(insert(child, 4, 1))
		e.rows(child, row(vals(2, 1)), row(vals(3, 1)), row(vals(4, 1)))
	}},
	{"complete: a table that was there with other keys is refused", func(e *env) {
		_, child := family(schema.NoAction, schema.NoAction)
		child.Uniques = []schema.Index{{Name: "u", Columns: []int{1}}}
		e.exec("CREATE TABLE parent (id BIGINT NOT NULL PRIMARY KEY, s VARCHAR(200))")
		for _, key := range []string{"UNIQUE (p)", "FOREIGN KEY (p) REFERENCES parent (id)"} {
			e.exec("CREATE TABLE child (id BIGINT NOT NULL PRIMARY KEY, p BIGINT, " + key + ")")
			e.ready()
			err := e.loader().PrepareLoad(ctx, e.shapes(child))
			if rowferry.CodeOf(err) != rowferry.CodeCopyRefused || !strings.Contains(err.Error(), "child") {
				e.t.Errorf("%s: got %v, want %s", key, err, rowferry.CodeCopyRefused)
			}
			e.exec("DROP TABLE child")
		}
	}},
	{"complete: a table that does not fit is refused", func(e *env) {
		t := numbered("t")
		e.prepareLoad(t)
		other := table("t", 1, column("id", integer), nullable("s", text), nullable("n", integer), nullable("more", blob))
		if err := e.loader().PrepareLoad(ctx, e.shapes(other)); rowferry.CodeOf(err) != rowferry.CodeTableDiffers {
			e.t.Errorf("got %v, want %s", err, rowferry.CodeTableDiffers)
		}
		l := e.load()
		m := e.shaped(table("missing", 1, column("id", integer)))
		err := l.Begin(ctx, m, false)
		if err == nil {
			err = l.Write(ctx, e.stamp([]rowferry.Mutation{insert(m.Table, 1)}))
		}
		if rowferry.CodeOf(err) != rowferry.CodeTableDiffers {
			e.t.Errorf("a table that is not there: got %v, want %s", err, rowferry.CodeTableDiffers)
		}
		e.must(l.Rollback())
	}},
}

// made completes the tables, wants so many keys told of, and none the second
// time.
func (e *env) made(keys int, tables ...*schema.Table) {
	e.t.Helper()
	for _, want := range []int{keys, 0} {
		made := e.complete(tables...)
		if len(made) != want {
			e.t.Errorf("told of %q, want %d keys", made, want)
		}
		for _, what := range made {
			if what == "" {
				e.t.Error("told of nothing by name")
			}
		}
	}
}

// broken wants a row to break the key of that name, or to that parent, when the
// tables are completed.
func (e *env) broken(key string, tables ...*schema.Table) {
	e.t.Helper()
	err := e.loader().Complete(ctx, e.shapes(tables...), rowferry.Completion{Each: func(string) {}})
	if rowferry.CodeOf(err) != rowferry.CodeRowRefused || !strings.Contains(err.Error(), key) {
		e.t.Fatalf("got %v, want %s with %q", err, rowferry.CodeRowRefused, key)
	}
}

// exec runs a statement as somebody else would.
func (e *env) exec(sql string) {
	e.t.Helper()
	if e.o.Exec == nil {
		e.t.Fatal("a Loader needs Options.Exec")
	}
	e.o.Exec(e.t, e.sink, sql)
}
