package mapping

import (
	"slices"

	"github.com/rowferry/rowferry"
	"github.com/rowferry/rowferry/schema"
)

// Parents implements rowferry.Resolver.
func (r *resolver) Parents(source schema.Name) (all []rowferry.Parent) {
	if first := r.rules.entityOf(source); first != source { // whose rows its own become a part of
		all = append(all, rowferry.Parent{Source: first})
	}
	e := r.entity(r.rules.Target(source))
	for i := range e.refs {
		if p := e.refs[i].parent; p.table != nil {
			all = append(all, rowferry.Parent{Source: p.source, Awaited: p.noted || p.carried})
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

// AwaitCircles implements rowferry.Resolver.
func (r *resolver) AwaitCircles() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.circles = true
}

// Carry implements rowferry.Resolver.
func (r *resolver) Carry(been func(source schema.Name, key []rowferry.Value) bool) {
	r.been, r.carrying = been, true
}

// Carried implements rowferry.Resolver.
func (r *resolver) Carried() error {
	kept := r.been != nil
	r.been, r.carrying = nil, false
	if !kept {
		return nil
	}
	r.mu.Lock()
	r.circles = false
	r.mu.Unlock()
	for _, e := range r.entities {
		e.carried = false
	}
	return r.connectAll()
}

// noteCircles has rows wait for those of tables that are parents in a circle: their
// keys are noted, or where every key is the source's, the order of a copy tells which
// of them are there.
func (r *resolver) noteCircles() {
	var shadows []*schema.Table
	for _, e := range r.entities {
		shadow := &schema.Table{Name: e.name}
		for i := range e.refs {
			shadow.ForeignKeys = append(shadow.ForeignKeys, schema.ForeignKey{Parent: e.refs[i].parent.name})
		}
		shadows = append(shadows, shadow)
	}
	kept := r.Keeps()
	_, circles := schema.ParentsFirst(shadows)
	for _, circle := range circles {
		for _, n := range circle {
			for i := range r.entities[n].refs {
				if p := r.entities[n].refs[i].parent; slices.Contains(circle, p.name) {
					p.noted, p.carried = p.noted || !kept, kept
				}
			}
		}
	}
}
