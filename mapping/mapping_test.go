package mapping_test

import (
	"strings"
	"testing"

	"github.com/rowferry/rowferry"
	"github.com/rowferry/rowferry/mapping"
	"github.com/rowferry/rowferry/schema"
)

func rules(t *testing.T, o mapping.Options) *mapping.Rules {
	t.Helper()
	r, err := mapping.New(o)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestScope(t *testing.T) {
	for _, c := range []struct {
		tables  string
		in, out string
	}{
		{"", "shop.orders other.x", "mysql.user sys.x performance_schema.x information_schema.x shop.rowferry_checkpoint"},
		{"shop.*", "shop.orders", "other.x"},
		{"shop.*,!shop.tmp_*", "shop.orders", "shop.tmp_1"},
		{"shop.*,!shop.tmp_*,shop.tmp_keep", "shop.tmp_keep", "shop.tmp_1"},
		{"*.orders", "a.orders b.orders", "a.customers"},
		{"shop.a?", "shop.ab shop.a/", "shop.a shop.abc"},
		{"mysql.*", "", "mysql.user"},
		{`a\*b.*`, "a*b.x", "axb.x a.x"},
		{`\!a\\.x`, `!a\.x`, `a\.x !a.x`},
	} {
		var tables []string
		if c.tables != "" {
			tables = strings.Split(c.tables, ",")
		}
		r := rules(t, mapping.Options{Tables: tables})
		for want, names := range map[bool]string{true: c.in, false: c.out} {
			for _, n := range strings.Fields(names) {
				s, table, _ := strings.Cut(n, ".")
				if got := r.InScope(schema.Name{Schema: s, Table: table}); got != want {
					t.Errorf("%q: %s in scope = %t", c.tables, n, got)
				}
			}
		}
	}
}

func TestRefusedOptions(t *testing.T) {
	for _, o := range []mapping.Options{
		{Tables: []string{"orders"}}, {Tables: []string{"shop."}}, {Tables: []string{"shop.[a"}},
		{Namespaces: true, Into: "x"}, {Namespaces: true, Into: "x", Tables: []string{"a.*", "b.*"}}, {Namespaces: true, Into: "x", Tables: []string{"a*.*"}}, {Into: "x", Tables: []string{"a.*"}},
		{Renames: map[string]string{"orders": "x"}}, {Renames: map[string]string{"shop.orders": ""}},
	} {
		if _, err := mapping.New(o); rowferry.CodeOf(err) != rowferry.CodeBadValue {
			t.Errorf("%+v: %v, want %s", o, err, rowferry.CodeBadValue)
		}
	}
}

func TestTarget(t *testing.T) {
	renames := map[string]string{"shop.orders": "sales.o"}
	orders, other := schema.Name{Schema: "shop", Table: "orders"}, schema.Name{Schema: "shop", Table: "x"}
	flat, deep := rules(t, mapping.Options{Renames: renames}), rules(t, mapping.Options{Renames: renames, Namespaces: true})
	for _, c := range []struct {
		rules        *mapping.Rules
		source, want schema.Name
	}{
		{flat, orders, schema.Name{Table: "sales.o"}},
		{flat, other, schema.Name{Table: "x"}},
		{deep, orders, schema.Name{Schema: "sales", Table: "o"}},
		{deep, other, other},
	} {
		if got := c.rules.Target(c.source); got != c.want {
			t.Errorf("Target(%s) = %s, want %s", c.source, got, c.want)
		}
	}
}

// TestLiteralDatabase: a name with special characters can be written as a
// pattern that matches nothing else.
func TestLiteralDatabase(t *testing.T) {
	r := rules(t, mapping.Options{Tables: []string{`a\.b\*.*`}, Namespaces: true, Into: "x"})
	if db, one := r.Database(); db != "a.b*" || !one {
		t.Errorf("the tables are of %q, %t", db, one)
	}
	if !r.InScope(schema.Name{Schema: "a.b*", Table: "c.d"}) || r.InScope(schema.Name{Schema: "a", Table: "b*.c"}) || r.InScope(schema.Name{Schema: "a.bc", Table: "d"}) {
		t.Error("a literal database is not matched alone")
	}
}

// TestHash: equal if and only if the rules mean the same.
func TestHash(t *testing.T) {
	base := mapping.Options{Tables: []string{"a.b", "c.d"}, Renames: map[string]string{"a.b": "x"}}
	same := rules(t, base).Hash()
	if again := rules(t, base).Hash(); again != same || len(same) != 16 {
		t.Fatalf("hash %q, then %q", same, again)
	}
	for _, o := range []mapping.Options{
		{Tables: []string{"c.d", "a.b"}, Renames: base.Renames},
		{Tables: []string{"a.b,c.d"}, Renames: base.Renames},
		{Tables: base.Tables, Renames: map[string]string{"a.b": "y"}},
		{Tables: base.Tables},
		{Tables: base.Tables, Renames: base.Renames, Namespaces: true},
	} {
		if rules(t, o).Hash() == same {
			t.Errorf("%+v has the hash of other rules", o)
		}
	}
}

func table(s, name, parent string) *schema.Table {
	return &schema.Table{
		Name:        schema.Name{Schema: s, Table: name},
		Columns:     []schema.Column{{Name: "id", Type: schema.Type{Kind: schema.Int, Bits: 32}}},
		PrimaryKey:  []int{0},
		ForeignKeys: []schema.ForeignKey{{Columns: []int{0}, Parent: schema.Name{Schema: s, Table: parent}, Referenced: []string{"id"}}},
	}
}

func TestHandler(t *testing.T) {
	h := mapping.NewHandler(rules(t, mapping.Options{Renames: map[string]string{"b.parent": "forebear"}}), nil)
	child := table("a", "child", "parent")
	row := rowferry.Row{rowferry.IntValue(1)}
	ms, err := h.Handle(nil, &rowferry.Change{Op: rowferry.Insert, Table: child, After: row, ChecksOff: true})
	if err != nil || len(ms) != 1 {
		t.Fatalf("%v, %v", ms, err)
	}
	m := ms[0]
	if m.Op != rowferry.Insert || m.Table.Name.String() != "child" || m.Source != child.Name || !m.ChecksOff || &m.After[0] != &row[0] {
		t.Errorf("%+v", m)
	}
	if got := m.Table.ForeignKeys[0].Parent.String(); got != "parent" {
		t.Errorf("the foreign key points to %s", got)
	}
	if child.ForeignKeys[0].Parent.Schema != "a" {
		t.Error("the source's shape was changed")
	}
	again, err := h.Handle(ms[:0], &rowferry.Change{Op: rowferry.Delete, Table: child, Before: row})
	if err != nil || again[0].Table != m.Table {
		t.Errorf("the same version of a shape became another: %v", err)
	}
	renamed, err := h.Handle(nil, &rowferry.Change{Op: rowferry.Insert, Table: table("b", "child2", "parent"), After: row})
	if err != nil || renamed[0].Table.ForeignKeys[0].Parent.String() != "forebear" {
		t.Errorf("a renamed parent: %v, %v", renamed, err)
	}
	if _, err := h.Handle(nil, &rowferry.Change{Op: rowferry.Insert, Table: table("b", "child", "parent"), After: row}); rowferry.CodeOf(err) != rowferry.CodeNameCollision {
		t.Errorf("two tables of one target name: %v", err)
	}
}

// TestFills asks the way back, from target names to the scope.
func TestFills(t *testing.T) {
	tables, renames := []string{"shop.*", "!shop.tmp"}, map[string]string{"shop.a": "b", "shop.tmp": "t", "shop.c": "other.d"}
	for _, c := range []struct {
		options mapping.Options
		in, out string
	}{
		{mapping.Options{Tables: tables, Renames: renames, Namespaces: true}, "shop.orders shop.b other.d", "shop.a shop.tmp other.x shop.rowferry_checkpoint"},
		{mapping.Options{Tables: tables, Renames: renames, Namespaces: true, Into: "staging"}, "staging.orders staging.b other.d", "staging.a shop.orders staging.tmp"},
		{mapping.Options{Tables: tables}, ".orders", ".rowferry_checkpoint"},
	} {
		r := rules(t, c.options)
		for want, names := range map[bool]string{true: c.in, false: c.out} {
			for _, n := range strings.Fields(names) {
				s, table, _ := strings.Cut(n, ".")
				if got := r.Fills(schema.Name{Schema: s, Table: table}); got != want {
					t.Errorf("%+v: Fills(%s) = %t", c.options, n, got)
				}
			}
		}
	}
}

// TestInto maps the one database in scope to the one that the target names.
func TestInto(t *testing.T) {
	r := rules(t, mapping.Options{
		Tables: []string{"shop.*", "!*.tmp", "shop.x"}, Namespaces: true, Into: "staging",
		Renames: map[string]string{"shop.a": "b", "shop.c": "other.d"},
	})
	if db, one := r.Database(); db != "shop" || !one {
		t.Errorf("the tables are of %q, %t", db, one)
	}
	for from, to := range map[string]string{"orders": "staging.orders", "a": "staging.b", "c": "other.d"} {
		if got := r.Target(schema.Name{Schema: "shop", Table: from}).String(); got != to {
			t.Errorf("shop.%s goes to %s, want %s", from, got, to)
		}
	}
	if kept := rules(t, mapping.Options{Tables: []string{"shop.*", "!*.tmp", "shop.x"}, Namespaces: true}); kept.Hash() == r.Hash() {
		t.Error("another target database has the same hash")
	}
}

// TestCascadesFromOutOfScope: rows that would vanish or change because of a
// table that is not replicated are refused where the target holds rows, and
// told of where it takes events.
func TestCascadesFromOutOfScope(t *testing.T) {
	n := func(table string) schema.Name { return schema.Name{Schema: "a", Table: table} }
	child := &schema.Table{Name: n("child"), Columns: []schema.Column{{Name: "p", Type: schema.Type{Kind: schema.Int, Bits: 32}}}}
	for _, c := range []struct {
		tables             string
		parent             string
		onDelete, onUpdate schema.Action
		refused, told      bool
	}{
		{"a.child", "parent", schema.Cascade, "", true, true},
		{"a.child", "parent", "", schema.SetNull, true, true},
		{"a.child", "parent", schema.Restrict, "", false, false},
		{"a.*", "parent", schema.Cascade, "", false, true},
		{"a.child", "child", schema.Cascade, "", false, true},
	} {
		shape := child.WithName(child.Name)
		shape.ForeignKeys = []schema.ForeignKey{{Name: "k", Columns: []int{0}, Parent: n(c.parent), Referenced: []string{"id"}, OnDelete: c.onDelete, OnUpdate: c.onUpdate}}
		r := rules(t, mapping.Options{Tables: []string{c.tables}})
		_, err := mapping.NewHandler(r, nil).Handle(nil, &rowferry.Change{Op: rowferry.Shape, Table: shape})
		if (rowferry.CodeOf(err) == rowferry.CodeCascades) != c.refused {
			t.Errorf("%+v: %v", c, err)
		}
		var told []string
		events := mapping.NewHandler(r, func(notice string) { told = append(told, notice) })
		for _, version := range []*schema.Table{shape, shape.WithName(shape.Name)} {
			if _, err := events.Handle(nil, &rowferry.Change{Op: rowferry.Shape, Table: version}); err != nil {
				t.Errorf("%+v: %v", c, err)
			}
		}
		if want := map[bool]int{true: 1}[c.told]; len(told) != want {
			t.Errorf("%+v: told %q, want %d", c, told, want)
		}
	}
}

// TestPostgresScope: of a PostgreSQL source, schemas are in scope that are called
// as MySQL's own databases, and PostgreSQL's own are not.
func TestPostgresScope(t *testing.T) {
	for _, postgres := range []bool{false, true} {
		r, err := mapping.New(mapping.Options{Postgres: postgres})
		if err != nil {
			t.Fatal(err)
		}
		for name, system := range map[string]bool{"sys": !postgres, "mysql": !postgres, "information_schema": true, "pg_catalog": postgres, "public": false} {
			if got := r.InScope(schema.Name{Schema: name, Table: "t"}); got == system {
				t.Errorf("postgres %t: a table in %s is in scope: %t", postgres, name, got)
			}
		}
	}
}
