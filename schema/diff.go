package schema

import (
	"fmt"
	"reflect"
	"slices"
)

// Diff lists, for people, how the shape b differs from a in what a target has
// to follow: columns, their types and nullability, and keys. It is empty when
// rows of b can be applied where rows of a were and rows of a are still what
// they were. Labels of an ENUM may be added and reordered, since values travel
// as labels; those of a SET may be added, but keep their order, since a value
// prints them in it. Collations and names of keys do not count. Character sets
// and constraints count only where both sides know them, and so does whether a
// column is generated or became AUTO_INCREMENT, which the same statements tell.
func Diff(a, b *Table) []string {
	var d []string
	for _, c := range b.Columns {
		i := a.Column(c.Name)
		if i < 0 {
			d = append(d, fmt.Sprintf("column %s added (%s)", c.Name, c.Type))
			continue
		}
		d = append(d, diffColumn(a.Columns[i], c)...)
		if a.ConstraintsKnown && b.ConstraintsKnown {
			d = append(d, diffValues(a.Columns[i], c)...)
		}
	}
	for _, c := range a.Columns {
		if b.Column(c.Name) < 0 {
			d = append(d, fmt.Sprintf("column %s dropped", c.Name))
		}
	}
	if !reflect.DeepEqual(a.ColumnNames(a.PrimaryKey), b.ColumnNames(b.PrimaryKey)) {
		d = append(d, fmt.Sprintf("primary key changed from %v to %v", a.ColumnNames(a.PrimaryKey), b.ColumnNames(b.PrimaryKey)))
	}
	if a.ConstraintsKnown && b.ConstraintsKnown {
		d = append(d, diffSets("unique key", uniqueSet(a), uniqueSet(b))...)
		d = append(d, diffSets("foreign key", foreignSet(a), foreignSet(b))...)
	}
	return d
}

func diffColumn(a, b Column) []string {
	var d []string
	at, bt := a.Type, b.Type
	at.Labels, bt.Labels = nil, nil
	at.Collation, bt.Collation = "", ""
	if at.Charset == "" || bt.Charset == "" {
		at.Charset, bt.Charset = "", "" // of one side it is not known
	}
	switch {
	case !reflect.DeepEqual(at, bt):
		d = append(d, fmt.Sprintf("column %s changed from %s to %s", b.Name, describe(at), describe(bt)))
	case !keepsLabels(a.Type, b.Type):
		d = append(d, fmt.Sprintf("column %s changed its labels from %q to %q", b.Name, a.Type.Labels, b.Type.Labels))
	}
	if a.Nullable != b.Nullable {
		d = append(d, fmt.Sprintf("column %s changed its nullability", b.Name))
	}
	return d
}

// diffValues lists where rows got other values when the column changed.
func diffValues(a, b Column) []string {
	var d []string
	if (a.Generated == NotGenerated) != (b.Generated == NotGenerated) {
		d = append(d, fmt.Sprintf("column %s changed whether it is generated", b.Name))
	}
	if b.AutoIncrement && !a.AutoIncrement {
		d = append(d, fmt.Sprintf("column %s became AUTO_INCREMENT", b.Name))
	}
	return d
}

func describe(t Type) string {
	if t.Charset == "" {
		return t.String()
	}
	return t.String() + " " + t.Charset
}

// keepsLabels reports whether every value of a is written the same in b.
func keepsLabels(a, b Type) bool {
	if a.Kind == Enum {
		return !slices.ContainsFunc(a.Labels, func(l string) bool { return !slices.Contains(b.Labels, l) })
	}
	rest := b.Labels
	for _, l := range a.Labels {
		i := slices.Index(rest, l)
		if i < 0 {
			return false
		}
		rest = rest[i+1:]
	}
	return true
}

func uniqueSet(t *Table) map[string]bool {
	s := map[string]bool{}
	for _, u := range t.Uniques {
		s[fmt.Sprint(t.ColumnNames(u.Columns), u.Prefix)] = true
	}
	return s
}

func foreignSet(t *Table) map[string]bool {
	s := map[string]bool{}
	for _, f := range t.ForeignKeys {
		s[fmt.Sprintf("%v to %s%v %s %s", t.ColumnNames(f.Columns), f.Parent, f.Referenced, f.OnDelete, f.OnUpdate)] = true
	}
	return s
}

func diffSets(what string, a, b map[string]bool) []string {
	var d []string
	for k := range b {
		if !a[k] {
			d = append(d, what+" added: "+k)
		}
	}
	for k := range a {
		if !b[k] {
			d = append(d, what+" dropped: "+k)
		}
	}
	return d
}
