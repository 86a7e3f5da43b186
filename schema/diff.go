package schema

import (
	"fmt"
	"reflect"
)

// Diff lists, for people, how the shape b differs from a in what a target has
// to follow: columns, their types and nullability, and keys. It is empty when
// rows of b can be applied where rows of a were. ENUM and SET labels do not
// count, since values travel as labels; neither do names of keys. Constraints
// count only where both sides know them.
func Diff(a, b *Table) []string {
	var d []string
	for _, c := range b.Columns {
		i := a.Column(c.Name)
		if i < 0 {
			d = append(d, fmt.Sprintf("column %s added (%s)", c.Name, c.Type))
			continue
		}
		d = append(d, diffColumn(a.Columns[i], c)...)
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
	at.Charset, bt.Charset, at.Collation, bt.Collation = "", "", "", ""
	if !reflect.DeepEqual(at, bt) {
		d = append(d, fmt.Sprintf("column %s changed from %s to %s", b.Name, a.Type, b.Type))
	}
	if a.Nullable != b.Nullable {
		d = append(d, fmt.Sprintf("column %s changed its nullability", b.Name))
	}
	return d
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
