package cli

import (
	"github.com/rowferry/rowferry"
	"github.com/rowferry/rowferry/mapping"
	"github.com/rowferry/rowferry/schema"
)

// scopeHandler is the generic handler, and remembers which source table the
// parent of each foreign key is, so that the target can be told whether that
// parent will ever be there. Used by one goroutine, with the sink.
type scopeHandler struct {
	rowferry.Handler
	rules   *mapping.Rules
	parents map[schema.Name]schema.Name // target name to source name
}

func newScopeHandler(rules *mapping.Rules) *scopeHandler {
	return &scopeHandler{mapping.NewHandler(rules), rules, map[schema.Name]schema.Name{}}
}

// Handle implements rowferry.Handler.
func (h *scopeHandler) Handle(dst []rowferry.Mutation, c *rowferry.Change) ([]rowferry.Mutation, error) {
	if c.Op == rowferry.Shape {
		for i := range c.Table.ForeignKeys {
			parent := c.Table.ForeignKeys[i].Parent
			h.parents[h.rules.Target(parent)] = parent
		}
	}
	return h.Handler.Handle(dst, c)
}

// inScope reports whether the pipeline makes, or may yet make, the target
// table that a foreign key points to.
func (h *scopeHandler) inScope(target schema.Name) bool {
	source, known := h.parents[target]
	return !known || h.rules.InScope(source)
}
