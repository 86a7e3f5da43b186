package sinktest

import (
	"slices"

	"github.com/rowferry/rowferry"
	"github.com/rowferry/rowferry/schema"
)

// planClauses hold for a rowferry.Planner.
var planClauses = []clause{
	{"plan: its statements make what a copy makes", func(e *env) {
		parent, child := family(schema.Cascade, schema.NoAction)
		parent.Uniques = []schema.Index{{Name: "s", Columns: []int{1}}}
		child.ForeignKeys = append(child.ForeignKeys, schema.ForeignKey{Columns: []int{1}, Parent: child.Name, Referenced: []string{"id"}})
		child.Columns = append(child.Columns, nullable("n", integer))
		child.Indexes = []schema.Index{{Name: "by_n", Columns: []int{2, 1}, Descending: []bool{true, false}}}
		child.OtherIndexes = []string{"index words, which is a FULLTEXT index"}
		before := e.plan(child, parent)
		for i, p := range before {
			if p.Exists || p.Refused != nil || len(p.Make) == 0 || len(p.Complete) == 0 || len(p.Declared) != len([]*schema.Table{child, parent}[i].Columns) {
				e.t.Errorf("planned %+v", p)
			}
		}
		if len(before[0].Notices) != 1 {
			e.t.Errorf("notices %q, want one of the index that is not carried", before[0].Notices)
		}
		if again := e.plan(child, parent); again[0].Exists || again[1].Exists {
			e.t.Fatal("a plan made a table")
		}
		for _, part := range []func(rowferry.TablePlan) []string{
			func(p rowferry.TablePlan) []string { return p.Make }, func(p rowferry.TablePlan) []string { return p.Complete },
		} {
			for _, p := range []rowferry.TablePlan{before[1], before[0]} { // the parent first, as plans are shown
				for _, sql := range part(p) {
					e.exec(sql)
				}
			}
		}
		for _, p := range e.plan(child, parent) {
			if !p.Exists || p.Refused != nil || len(p.Make) > 0 || len(p.Complete) > 0 {
				e.t.Errorf("made by its statements, a table still lacks %q and %q, %v", p.Make, p.Complete, p.Refused)
			}
		}
		e.complete(child, parent)
		if got := e.o.Indexes(e.t, e.sink, child); !slices.Contains(got, "n desc,p") {
			e.t.Errorf("the child has the indexes %q", got)
		}
		e.apply(insert(parent, 1, "a"), insert(child, 1, 1, nil))
		_ = e.refused(rowferry.CodeRowRefused, insert(child, 2, 9, nil))
		_ = e.refused(rowferry.CodeForeignRow, insert(parent, 2, "a"))
	}},
	{"plan: what a copy would refuse", func(e *env) {
		t, fits := table("t", 1, column("id", integer), nullable("n", integer)), table("u", 1, column("id", integer))
		e.exec("CREATE TABLE t (id BIGINT NOT NULL PRIMARY KEY, n BIGINT UNIQUE)")
		plans := e.plan(t, fits)
		if rowferry.CodeOf(plans[0].Refused) != rowferry.CodeCopyRefused || !plans[0].Exists || plans[1].Refused != nil {
			e.t.Errorf("planned %+v", plans)
		}
		other := table("t", 1, column("id", integer), column("more", blob))
		if plans = e.plan(other); rowferry.CodeOf(plans[0].Refused) != rowferry.CodeTableDiffers {
			e.t.Errorf("planned %+v", plans)
		}
		e.prepareLoad(fits) // as if nothing had been planned
	}},
}

// plan plans tables.
func (e *env) plan(tables ...*schema.Table) []rowferry.TablePlan {
	e.t.Helper()
	e.ready()
	plans, err := e.sink.(rowferry.Planner).Plan(ctx, e.shapes(tables...))
	e.must(err)
	if len(plans) != len(tables) {
		e.t.Fatalf("%d plans of %d tables", len(plans), len(tables))
	}
	return plans
}
