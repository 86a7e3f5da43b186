package mapping

import (
	"slices"

	"github.com/rowferry/rowferry"
	"github.com/rowferry/rowferry/schema"
)

// foreignKeys gives the target of a projection its foreign keys: to the parents'
// target names and columns. One that needs a column which the rules take away goes,
// and so does one that a row which stays would break. A foreign key that changes
// rows by itself, without the log telling, must do in the target what it does at the
// source: where the rules do not let it, it is refused.
func (h *handler) foreignKeys(p *projection) error {
	p.target.ForeignKeys = nil
	if p.to == nil {
		p.target.Unsupported = slices.Clone(p.source.Unsupported)
	}
	for _, k := range p.source.ForeignKeys {
		why := ""
		parent := h.rules.entities[k.Parent]
		columns, gone := p.ordinals(k.Columns)
		if gone != "" {
			why = "whose column " + gone + " the rules take away"
		}
		referenced := make([]string, len(k.Referenced))
		for i, name := range k.Referenced {
			to, kept := parent.targetColumn(name)
			if referenced[i] = to; !kept {
				why = "whose column " + name + " of " + k.Parent.String() + " the rules take away"
			}
		}
		if p.rule.keepsRows() && !parent.keepsRows() {
			why = "which rows that were deleted would break, since those of " + k.Parent.String() + " go"
		}
		if k.Acts() && h.rules.custom[k.Parent] != nil {
			why = "to rows of " + k.Parent.String() + " that a custom handler makes others of"
		}
		if k.Acts() && h.events == nil {
			if err := p.acts(k, parent, why); err != nil {
				return err
			}
		}
		if why != "" {
			p.target.Unsupported = append(p.target.Unsupported, "the foreign key "+k.Name+", "+why)
			continue
		}
		k.Columns, k.Parent, k.Referenced = columns, h.rules.Target(k.Parent), referenced
		p.target.ForeignKeys = append(p.target.ForeignKeys, k)
	}
	return nil
}

// acts refuses a foreign key that acts where the target would not come to the same.
func (p *projection) acts(k schema.ForeignKey, parent *rule, why string) error {
	writes := k.OnDelete.Acts() && k.OnDelete != schema.Cascade || k.OnUpdate.Acts()
	switch {
	case why != "":
		why = "the target would be without it: it is one " + why
	case parent.keepsRows():
		why = "the rules keep rows of " + k.Parent.String() + " that the source deletes"
	case parent != nil && (parent.where != nil || parent.Keys.follows()) && k.OnDelete.Acts():
		why = "a row of " + k.Parent.String() + " that leaves the filter is deleted in the target alone"
	case writes && p.reads(k.Columns):
		why = "it changes columns that the rules of " + p.source.Name.String() + " make others of"
	default:
		return nil
	}
	return rowferry.Errorf(rowferry.CodeCascades, "a foreign key changes rows of %s by itself, which the log does not have, and the target's could not do the same", p.source.Name).
		Fact("foreign key", "%s to %s", k.Name, k.Parent).
		Fact("actions", "on delete %s, on update %s", actionName(k.OnDelete), actionName(k.OnUpdate)).
		Fact("because", "%s", why).
		Remedy("change", "the rules of the two tables, in 'entities'").
		Remedy("leave out", "%s, in 'tables'", p.source.Name)
}

// reads reports whether the rules make anything of one of the columns.
func (p *projection) reads(columns []int) bool {
	uses := func(x *program) bool {
		return x != nil && slices.ContainsFunc(columns, func(o int) bool { return slices.Contains(x.uses, o) })
	}
	if uses(p.where) {
		return true
	}
	return slices.ContainsFunc(p.columns, func(c projected) bool {
		return uses(c.program) || c.maker == fromKey && slices.ContainsFunc(columns, func(o int) bool { return slices.Contains(p.source.Identity(), o) })
	})
}
