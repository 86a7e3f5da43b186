package rowferry

import (
	"testing"

	"github.com/rowferry/rowferry/schema"
)

// link is a table with columns id and one for each foreign key, in order.
func link(name string, nullable bool, parents ...string) *schema.Table {
	t := &schema.Table{Name: schema.Name{Table: name}, PrimaryKey: []int{0}, Columns: []schema.Column{{Name: "id"}}}
	for i, p := range parents {
		t.Columns = append(t.Columns, schema.Column{Name: p + "_id", Nullable: nullable})
		t.ForeignKeys = append(t.ForeignKeys, schema.ForeignKey{Columns: []int{i + 1}, Parent: schema.Name{Table: p}, Referenced: []string{"id"}})
	}
	return t
}

func TestChildrenFirst(t *testing.T) {
	for _, tt := range []struct {
		name   string
		tables []*schema.Table
		order  string
		loose  map[string]int
	}{
		{"a chain", []*schema.Table{link("a", false), link("b", false, "a"), link("c", false, "b", "a")}, "c b a ", nil},
		{"itself", []*schema.Table{link("a", true, "a"), link("b", false, "a")}, "b a ", map[string]int{"a": 1}},
		{"itself, by a column that takes no NULL", []*schema.Table{link("a", false, "a")}, "", nil},
		{"a circle that opens in one place", []*schema.Table{link("a", false, "b"), link("b", true, "a")}, "a b ", map[string]int{"b": 1}},
		{"a circle that does not open", []*schema.Table{link("a", false, "b"), link("b", false, "a")}, "", nil},
		{"to a table of others", []*schema.Table{link("a", false, "other")}, "a ", nil},
	} {
		var owned []Owned
		for _, x := range tt.tables {
			bare := *x // foreign keys are those of the target
			bare.ForeignKeys = nil
			owned = append(owned, Owned{Table: &bare})
		}
		ordered, loose, err := childrenFirst(owned, tt.tables)
		if (tt.order == "") != (CodeOf(err) == CodeRowCircle) {
			t.Errorf("%s: %v", tt.name, err)
		}
		order := ""
		for _, o := range ordered {
			order += o.Table.Name.Table + " "
		}
		if order != tt.order || err == nil && len(loose) != len(tt.loose) {
			t.Errorf("%s: %q, %v", tt.name, order, loose)
		}
		for name, column := range tt.loose {
			if got := loose[schema.Name{Table: name}]; len(got) != 1 || got[0] != column {
				t.Errorf("%s: %s is loosened by %v", tt.name, name, got)
			}
		}
	}
}
