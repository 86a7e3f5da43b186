package sqlite

import (
	"fmt"
	"slices"
	"strings"

	"github.com/rowferry/rowferry"
	dialect "github.com/rowferry/rowferry/internal/dialect/sqlite"
	"github.com/rowferry/rowferry/schema"
)

// check refuses an existing table that cannot hold the shape's rows exactly,
// or that would do something with them by itself.
func (s *Sink) check(t *schema.Table, x *dialect.Existing) error {
	if x.Kind != "table" {
		return rowferry.Errorf(rowferry.CodeTableDiffers, "the target has a %s of the table's name", x.Kind).Fact("table", "%s", t.Name)
	}
	if facts := differences(t, x); len(facts) > 0 {
		e := rowferry.Errorf(rowferry.CodeTableDiffers, "a target table has another shape than the source").Fact("table", "%s", t.Name)
		e.Facts = append(e.Facts, facts...)
		return e
	}
	if err := checkActions(t, x); err != nil {
		return err
	}
	if len(x.Triggers) > 0 && s.options.Triggers != "fire" {
		return rowferry.Errorf(rowferry.CodeTriggers, "a target table has triggers").
			Fact("table", "%s", t.Name).Fact("triggers", "%s", strings.Join(x.Triggers, ", ")).
			Remedy("let them fire", "triggers: fire")
	}
	return nil
}

// differences lists every way in which x cannot take rows of t as they are.
func differences(t *schema.Table, x *dialect.Existing) []rowferry.Fact {
	var facts []rowferry.Fact
	differ := func(column, format string, args ...any) {
		facts = append(facts, rowferry.Fact{Name: "column " + column, Value: fmt.Sprintf(format, args...)})
	}
	for _, c := range t.Columns {
		o := columnOf(x.Shape, c.Name)
		if o < 0 {
			differ(c.Name, "is missing in the target")
			continue
		}
		have, got := x.Shape.Columns[o], x.Columns[o]
		want, err := schema.SQLiteType(c.Type)
		switch {
		case err != nil:
			differ(c.Name, "%v", err)
		case have.Generated == schema.NotGenerated && !dialect.Keeps(got.Affinity, x.Strict, c.Type):
			differ(c.Name, "is %s in the source, which needs %s, and is declared %q in the target", c.Type, want, got.Declared)
		}
		if c.Nullable && !have.Nullable {
			differ(c.Name, "may be NULL in the source and is NOT NULL in the target")
		}
	}
	for o, c := range x.Shape.Columns {
		filled := c.Nullable || x.Columns[o].HasDefault || c.Generated != schema.NotGenerated || o == x.RowidAlias
		if columnOf(t, c.Name) < 0 && !filled {
			differ(c.Name, "is not in the source, and in the target is NOT NULL without a default")
		}
	}
	if key := keyDifference(t, x); key != "" {
		facts = append(facts, rowferry.Fact{Name: "primary key", Value: key})
	}
	return facts
}

// keyDifference returns how the target's key is another one, or "". The
// source's key must be unique in the target too. A target key of its own is
// fine only as a rowid that fills itself.
func keyDifference(t *schema.Table, x *dialect.Existing) string {
	have := x.Shape.ColumnNames(x.Shape.PrimaryKey)
	want := t.ColumnNames(t.PrimaryKey)
	if len(want) > 0 && !dialect.References(x.Shape, want) {
		return fmt.Sprintf("(%s) in the source, (%s) in the target", strings.Join(want, ", "), strings.Join(have, ", "))
	}
	if len(have) == 0 || sameNames(have, want) {
		return ""
	}
	if o := x.RowidAlias; o >= 0 && columnOf(t, x.Shape.Columns[o].Name) < 0 {
		return ""
	}
	if slices.ContainsFunc(t.Uniques, func(u schema.Index) bool { return u.Whole() && sameNames(have, t.ColumnNames(u.Columns)) }) {
		return ""
	}
	return fmt.Sprintf("(%s) in the target, which the source does not have", strings.Join(have, ", "))
}

func sameNames(a, b []string) bool {
	if len(a) != len(b) {
		return false
	}
	for _, n := range a {
		if !slices.ContainsFunc(b, func(m string) bool { return dialect.Fold(m) == dialect.Fold(n) }) {
			return false
		}
	}
	return true
}

// checkActions demands that the target's foreign keys act exactly as the
// source's do: what a foreign key changes is not in the source's log. Where
// the source's constraints are not known, nothing can be compared.
func checkActions(t *schema.Table, x *dialect.Existing) error {
	if !t.ConstraintsKnown {
		return nil
	}
	for _, f := range t.ForeignKeys {
		if dialect.Acts(f) && !slices.ContainsFunc(x.Shape.ForeignKeys, func(g schema.ForeignKey) bool { return sameKey(t, f, x.Shape, g) }) {
			return actionError(t, f, "a foreign key changes rows by itself in the source, and the target's table has no such foreign key")
		}
	}
	for _, g := range x.Shape.ForeignKeys {
		if dialect.Acts(g) && !slices.ContainsFunc(t.ForeignKeys, func(f schema.ForeignKey) bool { return sameKey(t, f, x.Shape, g) }) {
			return actionError(x.Shape, g, "a foreign key changes rows by itself in the target, and not in the source")
		}
	}
	return nil
}

func sameKey(t *schema.Table, f schema.ForeignKey, x *schema.Table, g schema.ForeignKey) bool {
	return sameAction(f.OnDelete, g.OnDelete) && sameAction(f.OnUpdate, g.OnUpdate) &&
		dialect.Fold(f.Parent.Table) == dialect.Fold(g.Parent.Table) &&
		sameNames(t.ColumnNames(f.Columns), x.ColumnNames(g.Columns)) && sameNames(f.Referenced, g.Referenced)
}

// sameAction reports whether a and b do the same to rows; two that refuse do.
func sameAction(a, b schema.Action) bool {
	refuses := func(a schema.Action) bool { return a == schema.NoAction || a == schema.Restrict }
	return a == b || refuses(a) && refuses(b)
}

func actionError(t *schema.Table, f schema.ForeignKey, what string) error {
	return rowferry.Errorf(rowferry.CodeCascades, "%s", what).
		Fact("table", "%s", t.Name).
		Fact("foreign key", "(%s) to %s (%s)", strings.Join(t.ColumnNames(f.Columns), ", "), f.Parent.Table, strings.Join(f.Referenced, ", ")).
		Fact("actions", "%s", actions(f))
}

func actions(f schema.ForeignKey) string {
	name := func(a schema.Action) string {
		if a == schema.NoAction {
			return "no action"
		}
		return string(a)
	}
	return "on delete " + name(f.OnDelete) + ", on update " + name(f.OnUpdate)
}
