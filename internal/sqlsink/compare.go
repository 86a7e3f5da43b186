package sqlsink

import (
	"fmt"
	"slices"
	"strings"

	"github.com/rowferry/rowferry"
	"github.com/rowferry/rowferry/schema"
)

// Folding says which names a target takes for the same: those that these
// functions make equal.
type Folding struct {
	Table  func(schema.Name) schema.Name
	Column func(string) string
}

// Ordinal returns the ordinal of the column that the target takes for name, or
// -1.
func (f Folding) Ordinal(t *schema.Table, name string) int {
	if o := t.Column(name); o >= 0 {
		return o
	}
	folded := f.Column(name)
	return slices.IndexFunc(t.Columns, func(c schema.Column) bool { return f.Column(c.Name) == folded })
}

// Same reports whether a and b are the same columns, in any order.
func (f Folding) Same(a, b []string) bool {
	return len(a) == len(b) && !slices.ContainsFunc(a, func(n string) bool {
		return !slices.ContainsFunc(b, func(m string) bool { return f.Column(m) == f.Column(n) })
	})
}

// KeyDifference returns, for people, how the existing table's primary key
// contradicts the shape's, or "". The source's key must be unique in the target
// too. A target key of its own is fine only if the source has it as a unique
// key, or if it is a column of its own that the target fills: fills, or -1.
func (f Folding) KeyDifference(t, existing *schema.Table, fills int) string {
	have, want := existing.ColumnNames(existing.PrimaryKey), t.ColumnNames(t.PrimaryKey)
	if len(want) > 0 && !f.unique(existing, want) {
		return fmt.Sprintf("(%s) in the source, (%s) in the target", strings.Join(want, ", "), strings.Join(have, ", "))
	}
	if len(have) == 0 || f.Same(have, want) {
		return ""
	}
	if fills >= 0 && slices.Equal(existing.PrimaryKey, []int{fills}) && f.Ordinal(t, existing.Columns[fills].Name) < 0 {
		return ""
	}
	if slices.ContainsFunc(t.Uniques, func(u schema.Index) bool { return u.Whole() && f.Same(have, t.ColumnNames(u.Columns)) }) {
		return ""
	}
	return fmt.Sprintf("(%s) in the target, which the source does not have", strings.Join(have, ", "))
}

func (f Folding) unique(t *schema.Table, names []string) bool {
	ordinals := make([]int, len(names))
	for i, n := range names {
		ordinals[i] = f.Ordinal(t, n)
	}
	return t.UniqueOver(ordinals)
}

// CheckActions demands that the existing table's foreign keys act exactly as
// the source's do: what a foreign key changes is not in the source's log. Where
// the source's constraints are not known, nothing can be compared.
func (f Folding) CheckActions(t, existing *schema.Table) error {
	if !t.ConstraintsKnown {
		return nil
	}
	for _, k := range t.ForeignKeys {
		if k.Acts() && !slices.ContainsFunc(existing.ForeignKeys, func(g schema.ForeignKey) bool { return f.sameKey(t, k, existing, g) }) {
			return ActionError(t, k, "a foreign key changes rows by itself in the source, and the target's table has no such foreign key")
		}
	}
	for _, g := range existing.ForeignKeys {
		if g.Acts() && !slices.ContainsFunc(t.ForeignKeys, func(k schema.ForeignKey) bool { return f.sameKey(t, k, existing, g) }) {
			return ActionError(existing, g, "a foreign key changes rows by itself in the target, and not in the source")
		}
	}
	return nil
}

func (f Folding) sameKey(t *schema.Table, k schema.ForeignKey, x *schema.Table, g schema.ForeignKey) bool {
	return sameAction(k.OnDelete, g.OnDelete) && sameAction(k.OnUpdate, g.OnUpdate) && f.SamePath(t, k, x, g)
}

// SamePath reports whether two foreign keys lead from the same columns to the
// same columns of the same parent, whatever they do.
func (f Folding) SamePath(t *schema.Table, k schema.ForeignKey, x *schema.Table, g schema.ForeignKey) bool {
	return f.Table(k.Parent) == f.Table(g.Parent) &&
		f.Same(t.ColumnNames(k.Columns), x.ColumnNames(g.Columns)) && f.Same(k.Referenced, g.Referenced)
}

// sameAction reports whether a and b do the same to rows; two that refuse do.
func sameAction(a, b schema.Action) bool { return a == b || !a.Acts() && !b.Acts() }

// ActionError says what is wrong with an acting foreign key of t.
func ActionError(t *schema.Table, k schema.ForeignKey, what string) error {
	return rowferry.Errorf(rowferry.CodeCascades, "%s", what).
		Fact("table", "%s", t.Name).
		Fact("foreign key", "%s", DescribeKey(t, k)).
		Fact("actions", "%s", DescribeActions(k))
}

// DescribeKey returns a foreign key for people.
func DescribeKey(t *schema.Table, k schema.ForeignKey) string {
	return fmt.Sprintf("(%s) to %s (%s)", strings.Join(t.ColumnNames(k.Columns), ", "), k.Parent, strings.Join(k.Referenced, ", "))
}

// DescribeActions returns what a foreign key does, for people.
func DescribeActions(k schema.ForeignKey) string {
	name := func(a schema.Action) string {
		if a == schema.NoAction {
			return "no action"
		}
		return string(a)
	}
	return "on delete " + name(k.OnDelete) + ", on update " + name(k.OnUpdate)
}

// SetOff is the refusal of a change that was made while the source's
// foreign-key checks were off, so that its keys did not act, and that would
// set off the action of a key in the target.
func (t *Table) SetOff(m *rowferry.Mutation, child string, action schema.Action) error {
	e := rowferry.Errorf(rowferry.CodeCascades, "the source's foreign-key checks were off, so its foreign key did not act, but the target's would")
	return t.About(e, m).Fact("child table", "%s", child).Fact("action", "%s", action)
}
