package mapping

import (
	"fmt"
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
	events  func(notice string)             // nil where the target's foreign keys act
}

var _ rowferry.Handler = (*handler)(nil)

// NewHandler returns the generic handler for the rules. It belongs to one
// engine. Handle fails with CodeNameCollision where two source tables would
// become one target table, and with CodeCascades where a foreign key changes
// rows of a table in scope because of one that is not: neither the log nor the
// target would have those changes. events is not nil for a target that takes
// events and so carries out no foreign key at all: it is told, once a table, of
// those that change rows by themselves.
func NewHandler(r *Rules, events func(notice string)) rowferry.Handler {
	return &handler{rules: r, targets: map[*schema.Table]*schema.Table{}, owners: map[schema.Name]schema.Name{}, events: events}
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
		Op: c.Op, Table: t, Before: c.Before, After: c.After, Source: c.Table.Name, ChecksOff: c.ChecksOff, ChecksLate: c.ChecksLate,
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
	if err := h.acting(t, h.owners[name] == t.Name); err != nil {
		return nil, err
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

// acting looks at foreign keys that change rows of t by themselves, which the
// source announces only where it does not log those changes. told says that
// events have had their notice.
func (h *handler) acting(t *schema.Table, told bool) error {
	for _, k := range t.ForeignKeys {
		switch {
		case !k.Acts():
		case h.events == nil && !h.rules.InScope(k.Parent):
			return rowferry.Errorf(rowferry.CodeCascades, "a foreign key changes rows of %s because of a table that is not in scope, and the log does not have those changes", t.Name).
				Fact("foreign key", "%s to %s", k.Name, k.Parent).
				Fact("actions", "on delete %s, on update %s", actionName(k.OnDelete), actionName(k.OnUpdate)).
				Remedy("take in", "%s as well, in 'tables'", k.Parent).
				Remedy("leave out", "%s, in 'tables'", t.Name)
		case h.events != nil && !told:
			h.events(fmt.Sprintf("what the foreign key %s of %s changes by itself is not in the log, so there are no events of it", k.Name, t.Name))
		}
	}
	return nil
}

func actionName(a schema.Action) string {
	if a == schema.NoAction {
		return "no action"
	}
	return string(a)
}
