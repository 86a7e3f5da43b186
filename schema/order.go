package schema

import "slices"

// ParentsFirst returns the tables, each behind those that its foreign keys lead to,
// as far as that can be, and else by name; and the circles in which it cannot: those
// of tables that lead to each other, by name, a table that leads to itself being one
// too. Foreign keys to tables that are not among them do not count.
func ParentsFirst(tables []*Table) (ordered []*Table, circles [][]Name) {
	v := &parentsVisit{byName: map[Name]*Table{}, number: map[Name]int{}, low: map[Name]int{}}
	sorted := slices.SortedFunc(slices.Values(tables), func(a, b *Table) int { return a.Name.Compare(b.Name) })
	for _, t := range sorted {
		v.byName[t.Name] = t
	}
	for _, t := range sorted {
		if v.number[t.Name] == 0 {
			v.visit(t)
		}
	}
	return v.ordered, v.circles
}

// parentsVisit is Tarjan's search for strongly connected components, which finds
// those of parents before those of their children.
type parentsVisit struct {
	byName  map[Name]*Table
	number  map[Name]int // from 1, in the order of visits
	low     map[Name]int // the smallest number that is reached, of those that are open
	open    []*Table
	ordered []*Table
	circles [][]Name
}

func (v *parentsVisit) visit(t *Table) {
	v.number[t.Name] = len(v.number) + 1
	v.low[t.Name] = v.number[t.Name]
	v.open = append(v.open, t)
	self := false
	for _, f := range t.ForeignKeys {
		parent := v.byName[f.Parent]
		switch {
		case parent == nil:
		case parent == t:
			self = true
		case v.number[parent.Name] == 0:
			v.visit(parent)
			v.low[t.Name] = min(v.low[t.Name], v.low[parent.Name])
		case slices.Contains(v.open, parent):
			v.low[t.Name] = min(v.low[t.Name], v.number[parent.Name])
		}
	}
	if v.low[t.Name] < v.number[t.Name] {
		return
	}
	at := slices.Index(v.open, t)
	circle := slices.Clone(v.open[at:])
	v.open = v.open[:at]
	slices.SortFunc(circle, func(a, b *Table) int { return a.Name.Compare(b.Name) })
	v.ordered = append(v.ordered, circle...)
	if len(circle) > 1 || self {
		var names []Name
		for _, c := range circle {
			names = append(names, c.Name)
		}
		v.circles = append(v.circles, names)
	}
}
