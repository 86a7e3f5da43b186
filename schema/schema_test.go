package schema_test

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"

	"github.com/rowferry/rowferry/schema"
)

func table(edit func(*schema.Table)) *schema.Table {
	t := &schema.Table{
		Name: schema.Name{Schema: "shop", Table: "t"},
		Columns: []schema.Column{
			{Name: "id", Type: schema.Type{Kind: schema.Int, Bits: 64, Unsigned: true}},
			{Name: "e", Type: schema.Type{Kind: schema.Enum, Charset: "utf8mb4", Labels: []string{"a", "b"}}, Nullable: true},
			{Name: "s", Type: schema.Type{Kind: schema.Set, Charset: "utf8mb4", Labels: []string{"x", "y"}}},
			{Name: "f", Type: schema.Type{Kind: schema.Float64}},
		},
		PrimaryKey:       []int{0},
		ConstraintsKnown: true,
	}
	if edit != nil {
		edit(t)
	}
	return t
}

// TestStored: a shape survives being stored, and is stored by names.
func TestStored(t *testing.T) {
	want := table(func(x *schema.Table) {
		x.Uniques = []schema.Index{{Name: "u", Columns: []int{1, 2}, Prefix: []int{3, 0}}}
		x.ForeignKeys = []schema.ForeignKey{{Columns: []int{0}, Parent: schema.Name{Schema: "shop", Table: "p"}, Referenced: []string{"id"}, OnDelete: schema.Cascade}}
	})
	data, err := json.Marshal(want)
	if err != nil || !strings.Contains(string(data), `"kind":"enum"`) {
		t.Fatalf("%s, %v", data, err)
	}
	var got schema.Table
	if err := json.Unmarshal(data, &got); err != nil || !reflect.DeepEqual(&got, want) {
		t.Fatalf("%+v, %v", got, err)
	}
	if err := json.Unmarshal([]byte(`{"columns":[{"type":{"kind":"enumm"}}]}`), &got); err == nil {
		t.Fatal("an unknown kind was accepted")
	}
}

func TestDiff(t *testing.T) {
	labels := func(column int, l ...string) func(*schema.Table) {
		return func(x *schema.Table) { x.Columns[column].Type.Labels = l }
	}
	cases := []struct {
		name string
		edit func(*schema.Table)
		want string // part of the one difference; "" for none
	}{
		{"nothing", nil, ""},
		{"enum labels reordered and added", labels(1, "c", "b", "a"), ""},
		{"enum label gone", labels(1, "a"), "changed its labels"},
		{"set label added", labels(2, "x", "n", "y"), ""},
		{"set labels reordered", labels(2, "y", "x"), "changed its labels"},
		{"collation", func(x *schema.Table) { x.Columns[1].Type.Collation = "utf8mb4_bin" }, ""},
		{"charset", func(x *schema.Table) { x.Columns[1].Type.Charset = "latin1" }, "column e changed"},
		{"charset not known", func(x *schema.Table) { x.Columns[1].Type.Charset = "" }, ""},
		{"charset not known, and another type", func(x *schema.Table) { x.Columns[1].Type = schema.Type{Kind: schema.Text} }, "column e changed"},
		{"type", func(x *schema.Table) { x.Columns[0].Type.Bits = 32 }, "column id changed from bigint unsigned to int unsigned"},
		{"nullability", func(x *schema.Table) { x.Columns[3].Nullable = true }, "nullability"},
		{"generated", func(x *schema.Table) { x.Columns[3].Generated = schema.Stored }, "column f changed whether it is generated"},
		{"generated, of an unknown", func(x *schema.Table) { x.Columns[3].Generated, x.ConstraintsKnown = schema.Stored, false }, ""},
		{"numbered", func(x *schema.Table) { x.Columns[0].AutoIncrement = true }, "column id became AUTO_INCREMENT"},
		{"numbered, of an unknown", func(x *schema.Table) { x.Columns[0].AutoIncrement, x.ConstraintsKnown = true, false }, ""},
		{"renamed", func(x *schema.Table) { x.Columns[3].Name = "g" }, "column g added"},
		{"key", func(x *schema.Table) { x.PrimaryKey = []int{0, 3} }, "primary key changed"},
		{"unique", func(x *schema.Table) { x.Uniques = []schema.Index{{Columns: []int{3}}} }, "unique key added"},
		{"unique of an unknown", func(x *schema.Table) { x.Uniques, x.ConstraintsKnown = []schema.Index{{Columns: []int{3}}}, false }, ""},
		{"foreign", func(x *schema.Table) {
			x.ForeignKeys = []schema.ForeignKey{{Columns: []int{3}, Parent: schema.Name{Table: "p"}, Referenced: []string{"id"}}}
		}, "foreign key added"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			d := schema.Diff(table(nil), table(c.edit))
			if c.want == "" && len(d) > 0 || c.want != "" && (len(d) == 0 || !strings.Contains(strings.Join(d, "; "), c.want)) {
				t.Fatalf("Diff = %q, want %q", d, c.want)
			}
			if d := schema.Diff(table(c.edit), table(nil)); strings.HasPrefix(c.name, "charset") && (c.want == "") != (len(d) == 0) {
				t.Fatalf("the other way round: %q", d)
			}
		})
	}
}

func TestIdentity(t *testing.T) {
	unique := func(columns []int, prefix ...int) func(*schema.Table) {
		return func(x *schema.Table) {
			x.PrimaryKey, x.Uniques = nil, []schema.Index{{Columns: columns, Prefix: prefix}}
		}
	}
	cases := []struct {
		name string
		edit func(*schema.Table)
		want []int
	}{
		{"primary key", nil, []int{0}},
		{"unique, not null", unique([]int{2, 0}), []int{2, 0}},
		{"unique, nullable", unique([]int{1}), nil},
		{"unique over a prefix", unique([]int{2}, 4), nil},
		{"approximate key", func(x *schema.Table) { x.PrimaryKey = []int{3} }, nil},
	}
	for _, c := range cases {
		if got := table(c.edit).Identity(); !reflect.DeepEqual(got, c.want) {
			t.Errorf("%s: Identity = %v, want %v", c.name, got, c.want)
		}
	}
}

func TestValidate(t *testing.T) {
	if err := table(nil).Validate(); err != nil {
		t.Fatal(err)
	}
	for name, edit := range map[string]func(*schema.Table){
		"no name":        func(x *schema.Table) { x.Name.Table = "" },
		"no columns":     func(x *schema.Table) { x.Columns = nil },
		"repeated":       func(x *schema.Table) { x.Columns[1].Name = "id" },
		"no type":        func(x *schema.Table) { x.Columns[1].Type = schema.Type{} },
		"key outside":    func(x *schema.Table) { x.PrimaryKey = []int{4} },
		"unique outside": func(x *schema.Table) { x.Uniques = []schema.Index{{Columns: []int{-1}}} },
		"prefixes":       func(x *schema.Table) { x.Uniques = []schema.Index{{Columns: []int{1}, Prefix: []int{1, 2}}} },
		"foreign":        func(x *schema.Table) { x.ForeignKeys = []schema.ForeignKey{{Columns: []int{1}}} },
	} {
		if err := table(edit).Validate(); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}
