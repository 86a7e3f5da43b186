package mapping

import (
	"slices"

	"github.com/rowferry/rowferry"
	"github.com/rowferry/rowferry/schema"
)

// handler is the generic handler: every change becomes one mutation of the
// same columns and keys on the table's target name. Used by one goroutine.
type handler struct {
	rules   *Rules
	targets map[*schema.Table]*schema.Table // per version of a shape
	owners  map[schema.Name]schema.Name     // target name → source name
}

var _ rowferry.Handler = (*handler)(nil)

// NewHandler returns the generic handler for the rules. It belongs to one
// engine. Handle fails with CodeNameCollision where two source tables would
// become one target table.
func NewHandler(r *Rules) rowferry.Handler {
	return &handler{rules: r, targets: map[*schema.Table]*schema.Table{}, owners: map[schema.Name]schema.Name{}}
}

// Target implements rowferry.Handler.
func (h *handler) Target(source schema.Name) schema.Name { return h.rules.Target(source) }

// Handle implements rowferry.Handler.
func (h *handler) Handle(dst []rowferry.Mutation, c *rowferry.Change) ([]rowferry.Mutation, error) {
	t, err := h.target(c.Table)
	if err != nil {
		return dst, err
	}
	return append(dst, rowferry.Mutation{
		Op: c.Op, Table: t, Before: c.Before, After: c.After, Source: c.Table.Name, ChecksOff: c.ChecksOff,
	}), nil
}

// target returns the shape under its target name, foreign keys included. The
// same version of a shape gives the same pointer.
func (h *handler) target(t *schema.Table) (*schema.Table, error) {
	if known := h.targets[t]; known != nil {
		return known, nil
	}
	name := h.rules.Target(t.Name)
	if owner, taken := h.owners[name]; taken && owner != t.Name {
		return nil, rowferry.Errorf(rowferry.CodeNameCollision, "tables %s and %s would both become %s", owner, t.Name, name).
			Remedy("rename", "entities: {%s: {to: %s_%s}}", t.Name, t.Name.Schema, t.Name.Table).
			Remedy("leave out", `tables: ["*.*", "!%s"]`, t.Name)
	}
	h.owners[name] = t.Name
	renamed := t.WithName(name)
	renamed.ForeignKeys = slices.Clone(t.ForeignKeys)
	for i := range renamed.ForeignKeys {
		renamed.ForeignKeys[i].Parent = h.rules.Target(renamed.ForeignKeys[i].Parent)
	}
	h.targets[t] = renamed
	return renamed, nil
}
