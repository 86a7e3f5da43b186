package mapping

import (
	"fmt"

	"github.com/rowferry/rowferry"
	"github.com/rowferry/rowferry/schema"
)

// handler is the generic handler: every change becomes what the rules of its table
// make of it, or without any, one mutation of the same columns and keys on the
// table's target name. Used by one goroutine.
type handler struct {
	rules       *Rules
	projections map[*schema.Table]*projection // per version of a shape
	owners      map[schema.Name]schema.Name   // target name → source name
	events      func(notice string)           // nil where the target's foreign keys act
	custom      map[*custom]*customHandler
	missing     map[schema.Name]bool // targets whose missing columns were told
}

var _ rowferry.Reshaper = (*handler)(nil)

// NewHandler returns the generic handler for the rules, which leaves tables with a
// custom handler to that. It belongs to one
// engine. Handle fails with CodeNameCollision where two source tables would
// become one target table, and with CodeCascades where a foreign key changes
// rows of a table in scope because of one that is not: neither the log nor the
// target would have those changes. events is not nil for a target that takes
// events and so carries out no foreign key at all: it is told, once a table, of
// those that change rows by themselves.
//
// Rules that do not fit a table fail with CodeBadExpression or CodeRuleRefused when
// its shape comes, a change that lacks a column which they need with
// CodeImageLacks, and one of which they have no value with CodeNotComputed.
//
// Where a custom handler fails, that is CodeHandlerFailed, and where its answer cannot
// be applied, CodeHandlerAnswer.
func NewHandler(r *Rules, events func(notice string)) rowferry.Handler {
	h := &handler{rules: r, projections: map[*schema.Table]*projection{}, owners: map[schema.Name]schema.Name{}, events: events, custom: map[*custom]*customHandler{}, missing: map[schema.Name]bool{}}
	for _, c := range r.custom {
		h.custom[c] = &customHandler{custom: c, generic: h, declared: map[schema.Name]*schema.Table{}}
	}
	return h
}

// Target implements rowferry.Handler.
func (h *handler) Target(source schema.Name) schema.Name { return h.rules.Target(source) }

// Reshapes implements rowferry.Reshaper.
func (h *handler) Reshapes(source schema.Name) bool {
	return h.rules.custom[source] != nil || h.rules.entities[source].reshapes()
}

// Handle implements rowferry.Handler.
func (h *handler) Handle(dst []rowferry.Mutation, c *rowferry.Change) ([]rowferry.Mutation, error) {
	if custom := h.rules.custom[c.Table.Name]; custom != nil {
		return h.custom[custom].handle(dst, c)
	}
	p, err := h.projection(c.Table)
	if err != nil {
		return dst, err
	}
	if p.rule != nil {
		return p.project(dst, c)
	}
	return append(dst, rowferry.Mutation{
		Op: c.Op, Table: p.target, Before: c.Before, After: c.After, Source: c.Table.Name, ChecksOff: c.ChecksOff, ChecksLate: c.ChecksLate,
	}), nil
}

// projection returns what becomes of the rows of a version of a shape. The same
// version gives the same one, and the same shape in the target.
func (h *handler) projection(t *schema.Table) (*projection, error) {
	if known := h.projections[t]; known != nil {
		return known, nil
	}
	name := h.rules.Target(t.Name)
	told := h.owners[name] == t.Name
	if err := h.own(name, t.Name); err != nil {
		return nil, err
	}
	if err := h.acting(t, told); err != nil {
		return nil, err
	}
	p, err := newProjection(t, name, h.rules.entities[t.Name], h.rules.pipeline)
	if err != nil {
		return nil, err
	}
	if err := h.foreignKeys(p); err != nil {
		return nil, err
	}
	p.hands = h.rules.follows && p.rule != nil && p.rule.Deletes == HardDeletes
	if err := h.follows(p); err != nil {
		return nil, err
	}
	h.tellMissing(p)
	h.projections[t] = p
	return p, nil
}

// own notes which source table a target table is of. It is of one.
func (h *handler) own(target, source schema.Name) error {
	if owner, taken := h.owners[target]; taken && owner != source {
		return rowferry.Errorf(rowferry.CodeNameCollision, "tables %s and %s would both become %s", owner, source, target).
			Remedy("rename", "entities: {%s: {to: %s_%s}}", source, source.Schema, source.Table).
			Remedy("leave out", `tables: ["*.*", "!%s"]`, source)
	}
	h.owners[target] = source
	return nil
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
