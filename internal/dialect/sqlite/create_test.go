package sqlite_test

import (
	"errors"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	driver "zombiezen.com/go/sqlite"

	dialect "github.com/rowferry/rowferry/internal/dialect/sqlite"
	"github.com/rowferry/rowferry/schema"
)

var updateGolden = flag.Bool("update", false, "rewrite the golden files")

func one(t testing.TB, conn *driver.Conn, sql string) string {
	t.Helper()
	got := ""
	if err := dialect.Query(conn, sql, func(s *driver.Stmt) error { got = s.ColumnText(0); return nil }); err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
	return got
}

var (
	integer  = schema.Type{Kind: schema.Int, Bits: 64}
	words    = schema.Type{Kind: schema.VarChar, Length: 50, Charset: "utf8mb4", Collation: "utf8mb4_0900_ai_ci"}
	exactly  = schema.Type{Kind: schema.VarChar, Length: 50, Charset: "utf8mb4", Collation: "utf8mb4_0900_bin"}
	document = schema.Type{Kind: schema.JSON}
)

func column(name string, t schema.Type, nullable bool) schema.Column {
	return schema.Column{Name: name, Type: t, Nullable: nullable}
}

func key(o int, parent, referenced string, onDelete schema.Action) schema.ForeignKey {
	return schema.ForeignKey{Columns: []int{o}, Parent: schema.Name{Table: parent}, Referenced: []string{referenced}, OnDelete: onDelete}
}

// shapes are tables whose statements are kept in testdata/create.txt.
func shapes() []*schema.Table {
	return []*schema.Table{
		{Name: schema.Name{Table: `or"ders`}, PrimaryKey: []int{0}, ConstraintsKnown: true,
			Columns: []schema.Column{column("id", integer, false), column("customer", integer, true), column("code", words, false),
				{Name: "sum", Type: integer, Generated: schema.Virtual}, column("up", integer, true)},
			Uniques:      []schema.Index{{Name: "code", Columns: []int{2}}, {Name: "p", Columns: []int{2, 1}, Prefix: []int{10, 0}}},
			ForeignKeys:  []schema.ForeignKey{key(1, "parent", "id", schema.Cascade), key(4, `or"ders`, "id", schema.SetNull)},
			Indexes:      []schema.Index{{Name: "by_up", Columns: []int{4, 2}}, {Name: `x"`, Columns: []int{2, 3}, Prefix: []int{5, 0}, Descending: []bool{false, true}}},
			OtherIndexes: []string{"index words, which is a FULLTEXT index"},
			Unsupported:  []string{"a functional index"}},
		{Name: schema.Name{Table: "pairs"}, PrimaryKey: []int{1, 0},
			Columns: []schema.Column{column("a", exactly, true), column("b", integer, false), column("v", words, true)}},
		{Name: schema.Name{Table: "large"}, PrimaryKey: []int{0},
			Columns: []schema.Column{column("k", words, false), column("doc", document, true)}},
		{Name: schema.Name{Table: "keyless"}, Columns: []schema.Column{column("a", words, true), column("b", schema.Type{Kind: schema.Bit, Length: 64}, true)}},
		{Name: schema.Name{Table: "links"}, PrimaryKey: []int{0, 1}, ConstraintsKnown: true,
			Columns: []schema.Column{column("a", integer, false), column("b", integer, false), column("c", words, true), column("d", exactly, true), column("e", words, true)},
			ForeignKeys: []schema.ForeignKey{key(0, "parent", "id", ""), key(1, "later", "id", schema.Restrict), key(2, "parent", "name", ""),
				key(3, "parent", "name", ""), key(1, "elsewhere", "id", ""), key(1, "parent", "plain", ""), key(4, "parent", "name", schema.Cascade)}},
	}
}

// parents knows a table "parent" and expects a table "later".
func parents(name schema.Name) (dialect.Parent, error) {
	switch name.Table {
	case "parent":
		return dialect.Parent{Shape: &schema.Table{Name: name, PrimaryKey: []int{0},
			Columns: []schema.Column{column("id", integer, false), column("name", words, false), column("plain", integer, true)},
			Uniques: []schema.Index{{Columns: []int{1}}}}, InScope: true}, nil
	case "later":
		return dialect.Parent{InScope: true}, nil
	default:
		return dialect.Parent{}, nil
	}
}

func TestCreateTable(t *testing.T) {
	conn := connect(t)
	exec(t, conn, "CREATE TABLE parent (id INTEGER PRIMARY KEY, name TEXT UNIQUE, plain INTEGER)", "CREATE TABLE later (id INTEGER PRIMARY KEY)")
	var out strings.Builder
	for _, s := range shapes() {
		statements, notices, err := dialect.CreateTable(s, parents)
		if err != nil {
			t.Fatalf("%s: %v", s.Name, err)
		}
		for _, sql := range statements {
			exec(t, conn, sql)
			out.WriteString(sql + ";\n")
		}
		for _, n := range notices {
			out.WriteString("-- " + n + "\n")
		}
		out.WriteString("\n")
		x, err := dialect.Inspect(conn, s.Name.Table)
		if err != nil || x == nil {
			t.Fatal(x, err)
		}
		if x.SQL != statements[0] || x.RowidAlias != dialect.RowidAlias(s) || !x.Strict {
			t.Errorf("%s: inspected as %+v", s.Name, x)
		}
	}
	path := filepath.Join("testdata", "create.txt")
	if *updateGolden {
		if err := os.WriteFile(path, []byte(out.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if out.String() != string(want) {
		t.Errorf("got\n%s\nwant\n%s", out.String(), want)
	}
}

func TestCreateTableRefusals(t *testing.T) {
	with := func(f schema.ForeignKey) *schema.Table {
		return &schema.Table{Name: schema.Name{Table: "t"}, Columns: []schema.Column{column("a", integer, true)}, ForeignKeys: []schema.ForeignKey{f}}
	}
	var cascade *dialect.CascadeError
	for name, f := range map[string]schema.ForeignKey{
		"a parent out of scope": key(0, "elsewhere", "id", schema.Cascade),
		"no unique key":         key(0, "parent", "plain", schema.SetNull),
		"no such column":        key(0, "parent", "nothing", schema.SetNull),
		"set default":           key(0, "parent", "id", schema.SetDefault),
	} {
		if _, _, err := dialect.CreateTable(with(f), parents); !errors.As(err, &cascade) {
			t.Errorf("%s: got %v", name, err)
		}
	}
	var typ *dialect.TypeError
	geometry := &schema.Table{Name: schema.Name{Table: "t"}, Columns: []schema.Column{column("g", schema.Type{Kind: schema.Geometry}, true)}}
	if _, _, err := dialect.CreateTable(geometry, parents); !errors.As(err, &typ) {
		t.Errorf("geometry: got %v", err)
	}
	failing := errors.New("asked in vain")
	asked := func(schema.Name) (dialect.Parent, error) { return dialect.Parent{}, failing }
	if _, _, err := dialect.CreateTable(with(key(0, "parent", "id", "")), asked); !errors.Is(err, failing) {
		t.Errorf("got %v", err)
	}
}

// TestPrefixIndexIsNeverStricter: SQLite's substr stops at a NUL character.
func TestPrefixIndexIsNeverStricter(t *testing.T) {
	conn := connect(t)
	s := &schema.Table{Name: schema.Name{Table: "t"}, Columns: []schema.Column{column("a", words, true), column("b", schema.Type{Kind: schema.Blob}, true)},
		Uniques: []schema.Index{{Columns: []int{0}, Prefix: []int{3}}, {Columns: []int{1}, Prefix: []int{2}}}}
	statements, _, err := dialect.CreateTable(s, parents)
	if err != nil {
		t.Fatal(err)
	}
	exec(t, conn, statements...)
	exec(t, conn, "INSERT INTO t VALUES ('a' || char(0) || 'b', x'0001'), ('a' || char(0) || 'c', x'0002')", "INSERT INTO t VALUES ('😀😀x', NULL), ('😀😀y', NULL)")
	for _, sql := range []string{"INSERT INTO t VALUES ('😀😀x', NULL)", "INSERT INTO t VALUES (NULL, x'000100')"} {
		if err := dialect.Exec(conn, sql); driver.ErrCode(err) != driver.ResultConstraintUnique {
			t.Errorf("%s: got %v", sql, err)
		}
	}
}
