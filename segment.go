package rowferry

import "cmp"

// compareNets orders a segment. Inserts of a table stay in the source's order,
// and so do its deletes, for the sake of foreign keys to itself; updates of one
// segment do not depend on each other.
func compareNets(a, b *net) int {
	if n := cmp.Compare(a.Op, b.Op); n != 0 {
		return n // Insert, Update, Delete
	}
	ranks := cmp.Compare(a.order.rank, b.order.rank)
	if a.Op == Delete {
		ranks = -ranks
	}
	return cmp.Or(ranks, cmp.Compare(a.order.number, b.order.number), cmp.Compare(a.written, b.written), cmp.Compare(a.place(), b.place()))
}

// place is where the row's change stands in the source's order: a new row came
// with its first change, and one that went, with its last.
func (n *net) place() int {
	if n.Op == Delete {
		return n.last
	}
	return n.first
}

// pattern returns a number that updates of the same columns have in common. Those
// of columns near each other come first, by the first of them, since a sink may
// write such updates together.
func (n *net) pattern() uint64 {
	const prime = 1099511628211 // FNV-1a
	const near = 16
	h := uint64(14695981039346656037)
	first, last := -1, 0
	for o := range n.After {
		if !n.After[o].IsAbsent() && n.After[o] != n.Before[o] {
			if first < 0 {
				first = o
			}
			last = o
			h = (h ^ uint64(o)) * prime
		}
	}
	h = uint64(first+1)<<48&^(1<<63) | h>>16
	if last-first >= near {
		h |= 1 << 63
	}
	return h
}
