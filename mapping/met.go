package mapping

import (
	"slices"

	"github.com/rowferry/rowferry"
	"github.com/rowferry/rowferry/schema"
)

// Met is how many new rows of a source table have met rows of the target.
type Met struct {
	Entity  schema.Name
	Written int64 // into the target's row, all of them or what is not empty
	Skipped int64
}

// MetSince returns what new rows have met since r.Begin was called last, by name. r is
// one of NewResolver's, or nil.
func MetSince(r rowferry.Resolver) (all []Met) {
	own, ok := r.(*resolver)
	if !ok {
		return nil
	}
	for _, e := range own.all() {
		if e.met != (Met{}) {
			all = append(all, Met{e.source, e.met.Written, e.met.Skipped})
		}
	}
	slices.SortFunc(all, func(a, b Met) int { return a.Entity.Compare(b.Entity) })
	return all
}

// meets counts a new row that has met one of the target.
func (e *entity) meets(flags byte) {
	if flags&skipped != 0 {
		e.met.Skipped++
		return
	}
	e.met.Written++
}
