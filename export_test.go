package rowferry

// NewCompactor lets tests outside of the package compact.
func NewCompactor() func([]Mutation) []Mutation {
	c := newCompactor()
	return func(ms []Mutation) (all []Mutation) {
		_ = c.compact(ms, func(part []Mutation, _ bool) error { all = append(all, part...); return nil })
		return all
	}
}

// CompactInto lets tests say what becomes of each part.
func CompactInto() func([]Mutation, func([]Mutation, bool) error) error {
	return newCompactor().compact
}
