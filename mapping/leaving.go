package mapping

import (
	"slices"

	"github.com/rowferry/rowferry"
)

// What the filter of a table leaves out is handed on where rows of other tables may
// follow it: see following.go. Nothing is computed of such a row.

// leaveOut appends a change of a row that is left out before and after.
func (p *projection) leaveOut(dst []rowferry.Mutation, c *rowferry.Change, op rowferry.Op) []rowferry.Mutation {
	if !p.hands {
		return dst
	}
	m := p.mutation(c, op, p.bare(c.Before), p.bare(c.After))
	m.FilteredBefore, m.Filtered = c.Before != nil, c.After != nil
	return append(dst, m)
}

// leaves appends an update by which a row leaves the filter.
func (p *projection) leaves(dst []rowferry.Mutation, c *rowferry.Change) ([]rowferry.Mutation, error) {
	before, err := p.old(c)
	if err != nil {
		return dst, err
	}
	m := p.mutation(c, rowferry.Update, before, p.bare(c.After))
	m.Filtered = true
	return append(dst, m), nil
}

// enters appends an update by which a row enters the filter, with all of the row.
func (p *projection) enters(dst []rowferry.Mutation, c *rowferry.Change, row rowferry.Row) ([]rowferry.Mutation, error) {
	dst, err := p.insert(dst, c, row)
	if err != nil {
		return dst, err
	}
	m := &dst[len(dst)-1]
	m.Op, m.Before, m.FilteredBefore = rowferry.Update, p.bare(c.Before), true
	return dst, nil
}

// bare returns what the target's row has of a source row without computing anything, nil
// of nil.
func (p *projection) bare(source rowferry.Row) rowferry.Row {
	if p.to == nil || source == nil {
		return source
	}
	row := make(rowferry.Row, len(p.columns))
	for i, x := range p.columns {
		if x.maker == fromColumn || x.filled && x.from >= 0 {
			row[i] = source[x.from]
		}
	}
	return row
}

// follows refuses to follow a table that is not in scope: its rows would never come.
func (h *handler) follows(p *projection) error {
	if p.rule == nil || !p.rule.Keys.follows() {
		return nil
	}
	names := slices.Sorted(slices.Values(p.rule.Keys.WhereParent))
	refuse := func(parent string) error {
		return refuseRule(p.source.Name.String(), "where_parent leads to a table that is not in scope").Fact("table", "%s", parent).
			Remedy("take in", "%s as well, in 'tables'", parent)
	}
	for _, ref := range p.rule.Keys.References {
		if slices.Equal(names, []string{ref.Column}) && !h.rules.InScope(ref.To.Table) {
			return refuse(ref.To.Table.String())
		}
	}
	for _, k := range p.source.ForeignKeys {
		if slices.Equal(names, slices.Sorted(slices.Values(p.source.ColumnNames(k.Columns)))) && !h.rules.InScope(k.Parent) {
			return refuse(k.Parent.String())
		}
	}
	return nil
}
