package mapping

import (
	"github.com/rowferry/rowferry"
	"github.com/rowferry/rowferry/schema"
)

// Parents implements rowferry.Resolver.
func (r *resolver) Parents(source schema.Name) (all []rowferry.Parent) {
	e := r.entity(r.rules.Target(source))
	for i := range e.refs {
		if p := e.refs[i].parent; p.table != nil {
			all = append(all, rowferry.Parent{Source: p.source, Awaited: p.noted})
		}
	}
	if e.table == nil {
		return all
	}
	for _, k := range e.table.ForeignKeys {
		if p := r.entity(k.Parent); p.table != nil && p.inKeyOrder(k.Columns, k.Referenced) == nil { // to something else than the key
			all = append(all, rowferry.Parent{Source: p.source})
		}
	}
	return all
}
