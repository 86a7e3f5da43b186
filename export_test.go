package rowferry

// NewCompactor lets tests outside of the package compact.
func NewCompactor() func([]Mutation) []Mutation {
	c := newCompactor()
	return func(ms []Mutation) (all []Mutation) {
		c.compact(ms, func(part []Mutation, _ bool) { all = append(all, part...) })
		return all
	}
}

// CompactParts lets them see which parts are free.
func CompactParts(ms []Mutation, emit func(part []Mutation, free bool)) {
	newCompactor().compact(ms, emit)
}
