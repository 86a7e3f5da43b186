package postgres

import (
	"reflect"
	"strings"
	"testing"

	"github.com/rowferry/rowferry/schema"
)

// TestIndexes: indexes of a MySQL source get names that nothing else has, are over
// whole columns, and are left out where an entry could be too long; those of a
// PostgreSQL source are as they were.
func TestIndexes(t *testing.T) {
	varchar := func(n int, charset string) schema.Type {
		return schema.Type{Kind: schema.VarChar, Length: n, Charset: charset}
	}
	own := schema.Type{Kind: schema.Text, Native: "text"}
	for _, c := range []struct {
		typ  schema.Type
		x    schema.Index
		want string // of what follows the index's name, or what is told of one left out
	}{
		{varchar(20, "utf8mb4"), schema.Index{Name: "i", Columns: []int{1, 0}}, `"t_i_ix_* ("c", "id")`},
		{varchar(20, "utf8mb4"), schema.Index{Name: "i", Columns: []int{1}, Prefix: []int{5}, Descending: []bool{true}}, `"t_i_ix_* ("c" DESC)`},
		{varchar(640, "utf8mb4"), schema.Index{Name: "i", Columns: []int{1}}, `"t_i_ix_* ("c")`},
		{varchar(650, "utf8mb4"), schema.Index{Name: "i", Columns: []int{1}}, `index i, whose entries`},
		{varchar(2500, "ascii"), schema.Index{Name: "i", Columns: []int{1}}, `"t_i_ix_* ("c")`},
		{schema.Type{Kind: schema.Text, Charset: "latin1"}, schema.Index{Name: "i", Columns: []int{1}, Prefix: []int{5}}, `index i, whose entries`},
		{schema.Type{Kind: schema.Blob}, schema.Index{Name: "i", Columns: []int{1}, Prefix: []int{5}}, `index i, whose entries`},
		{schema.Type{Kind: schema.JSON, Charset: "utf8mb4"}, schema.Index{Name: "i", Columns: []int{1}, Prefix: []int{5}}, `index i, since PostgreSQL does not sort json`},
		{schema.Type{Kind: schema.Int, Bits: 32}, schema.Index{Name: `q"`, Columns: []int{1}}, `"t_q""_ix_* ("c")`},
		{own, schema.Index{Name: "i", Columns: []int{1}}, `"i" ("c")`},
		{own, schema.Index{Name: strings.Repeat("n", 64), Columns: []int{1}}, `"t_nnn* ("c")`},
	} {
		table := &schema.Table{Name: schema.Name{Table: "t"}, Columns: []schema.Column{{Name: "id", Type: schema.Type{Kind: schema.Int, Bits: 64}}, {Name: "c", Type: c.typ}},
			PrimaryKey: []int{0}, Indexes: []schema.Index{c.x}}
		_, left := carriedIndexes(table)
		got := strings.Join(left, "; ")
		for _, k := range Indexes(table) {
			got += strings.Replace(strings.TrimPrefix(k.SQL, "CREATE INDEX "), ` ON "public"."t"`, "", 1)
			if (k.Spare != nil) != (c.typ.Native != "" && len(c.x.Name) < 64) || k.Unique != "" || k.What() == "" {
				t.Errorf("%+v: the key is %+v", c.x, k)
			}
		}
		want, rest, cut := strings.Cut(c.want, "*")
		if !strings.HasPrefix(got, want) || cut && !strings.HasSuffix(got, rest) || !cut && left == nil && got != want {
			t.Errorf("%+v of %s: got %s, want %s", c.x, c.typ, got, c.want)
		}
	}
}

// TestIndexesAreNotTwice: a foreign key needs no index of its own where one that is
// carried begins with its columns.
func TestIndexesAreNotTwice(t *testing.T) {
	table := &schema.Table{Name: schema.Name{Table: "t"}, PrimaryKey: []int{0}, Indexes: []schema.Index{{Name: "i", Columns: []int{1, 0}}}}
	for _, n := range []string{"id", "p"} {
		table.Columns = append(table.Columns, schema.Column{Name: n, Type: schema.Type{Kind: schema.Int, Bits: 64}})
	}
	table.ForeignKeys = []schema.ForeignKey{{Columns: []int{1}, Parent: schema.Name{Table: "p"}, Referenced: []string{"id"}}}
	names := func() (labels []string) {
		for _, k := range Keys(table) {
			label := strings.Split(k.Name, "_")
			labels = append(labels, label[len(label)-2])
		}
		return labels
	}
	if got := names(); !reflect.DeepEqual(got, []string{"pk", "ix"}) {
		t.Errorf("keys %q", got)
	}
	table.Columns[1].Type = schema.Type{Kind: schema.VarChar, Length: 700}
	if got := names(); !reflect.DeepEqual(got, []string{"pk", "fk"}) {
		t.Errorf("where the index cannot be carried: keys %q", got)
	}
}
