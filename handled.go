package rowferry

import (
	"slices"

	"github.com/rowferry/rowferry/schema"
)

// What a handler makes of a table decides whether its rows can be copied: chunks are
// loaded and merged by key, each row by itself, so that one row of the source has to
// be one row of one table, with the source's key.

// CheckCopyShapes refuses tables that a handler makes something else of than one
// table each, with as many columns in its key. shapes are what it declares for the
// shapes of the source's tables.
func CheckCopyShapes(h Handler, tables []*schema.Table, shapes []Mutation) error {
	owners := map[schema.Name]schema.Name{}
	for _, t := range tables {
		var own []*schema.Table
		for i := range shapes {
			if shapes[i].Source == t.Name {
				own = append(own, shapes[i].Table)
			}
		}
		var why string
		switch {
		case len(own) != 1:
			why = "its rows do not become rows of one table"
		case own[0].Name != h.Target(t.Name):
			why = "its rows become rows of another table than the handler's Target says"
		case owners[own[0].Name] != schema.Name{}:
			why = "its rows become a part of those of " + owners[own[0].Name].String()
		case len(own[0].Identity()) != len(t.Identity()):
			why = "its rows get another key"
		default:
			owners[own[0].Name] = t.Name
			continue
		}
		return Errorf(CodeCopyRefused, "the custom handler of %s does not make one row of each row, under its key: such tables cannot be copied", t.Name).
			Fact("because", "%s", why).
			Remedy("follow", "from where the tables were empty: --from").
			Remedy("leave out", "%s, in 'tables'", t.Name)
	}
	return nil
}

// checkCopied refuses what a change came to, while a copy is made, where it is not
// about the one row that has the key of the source's.
func checkCopied(c *Change, ms []Mutation) error {
	if c.Op == Shape || c.Op == Truncate || len(ms) == 0 {
		return nil
	}
	m := &ms[0]
	var why string
	switch {
	case len(ms) > 1:
		why = "it came to several mutations"
	case c.Op == Insert && m.Op != Insert:
		why = "a new row came to a mutation that is no insert"
	case m.Op != Insert && m.Op != Update && m.Op != Delete:
		why = "a row came to a " + m.Op.String()
	case !sameKeys(c.Table.Identity(), m.Table.Identity(), c.Before, m.Before), !sameKeys(c.Table.Identity(), m.Table.Identity(), c.After, m.After):
		why = "it is about a row with another key"
	default:
		return nil
	}
	return Errorf(CodeHandlerAnswer, "while a table is copied, each change has to come to one mutation of the row with the same key").
		Fact("table", "%s", c.Table.Name).Fact("change", "%s", c.Op).Fact("because", "%s", why)
}

// sameKeys reports whether a row has the key of the one that it was made of, where
// both tell it.
func sameKeys(source, target []int, from, made Row) bool {
	if from == nil || made == nil || len(source) != len(target) {
		return len(source) == len(target)
	}
	for i, o := range source {
		a, b := from[o], made[target[i]]
		if !a.IsAbsent() && !b.IsAbsent() && a != b {
			return false
		}
	}
	return true
}

// copied appends what a row that is copied comes to.
func copied(h Handler, dst []Mutation, t *schema.Table, r Row, commit int64) ([]Mutation, error) {
	made := &Change{Op: Insert, Table: t, After: r, Commit: commit}
	out, err := h.Handle(dst, made)
	if err != nil {
		return dst, err
	}
	return out, checkCopied(made, out[len(dst):])
}

// declared returns the target tables of source tables.
func (e *Engine) declared(shapes []*schema.Table) (all []*schema.Table, err error) {
	var ms []Mutation
	for _, t := range shapes {
		if ms, err = e.parts.Handler.Handle(ms, &Change{Op: Shape, Table: t}); err != nil {
			return nil, err
		}
	}
	for i := range ms {
		if !slices.ContainsFunc(all, func(t *schema.Table) bool { return t.Name == ms[i].Table.Name }) {
			all = append(all, ms[i].Table)
		}
	}
	return all, nil
}

func namesOf(tables []*schema.Table) (names []schema.Name) {
	for _, t := range tables {
		names = append(names, t.Name)
	}
	return names
}
