package postgres

import (
	"slices"

	"github.com/rowferry/rowferry/schema"
)

// childrenFirst orders tables that were emptied together so that each comes
// before those it refers to, as far as there is such an order.
func childrenFirst(all []*table) []*table {
	waits := map[schema.Name]int{} // for how many that refer to it
	for _, t := range all {
		waits[t.name] = 0
	}
	refers := func(t *table, fn func(schema.Name)) {
		seen := map[schema.Name]bool{t.name: true}
		for _, f := range t.shape.ForeignKeys {
			if _, ok := waits[f.Parent]; ok && !seen[f.Parent] {
				seen[f.Parent] = true
				fn(f.Parent)
			}
		}
	}
	for _, t := range all {
		refers(t, func(parent schema.Name) { waits[parent]++ })
	}
	var out []*table
	left := slices.SortedFunc(slices.Values(all), func(a, b *table) int { return a.name.Compare(b.name) })
	for len(left) > 0 {
		at := slices.IndexFunc(left, func(t *table) bool { return waits[t.name] == 0 })
		at = max(at, 0) // a circle is cut somewhere
		t := left[at]
		left = slices.Delete(left, at, at+1)
		out = append(out, t)
		refers(t, func(parent schema.Name) { waits[parent]-- })
	}
	return out
}
