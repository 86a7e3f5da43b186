package rowferry

// NewCompactor lets tests outside of the package compact.
func NewCompactor() func([]Mutation) []Mutation {
	c := newCompactor()
	return c.compact
}
