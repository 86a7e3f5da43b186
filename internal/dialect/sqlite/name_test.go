package sqlite_test

import (
	"errors"
	"path/filepath"
	"strings"
	"testing"

	driver "zombiezen.com/go/sqlite"

	dialect "github.com/rowferry/rowferry/internal/dialect/sqlite"
	"github.com/rowferry/rowferry/schema"
)

func connect(t testing.TB) *driver.Conn {
	t.Helper()
	conn, err := driver.OpenConn(filepath.Join(t.TempDir(), "t.db"), driver.OpenReadWrite|driver.OpenCreate)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := conn.Close(); err != nil {
			t.Error(err)
		}
	})
	return conn
}

func exec(t testing.TB, conn *driver.Conn, statements ...string) {
	t.Helper()
	for _, sql := range statements {
		if err := dialect.Exec(conn, sql); err != nil {
			t.Fatalf("%s: %v", sql, err)
		}
	}
}

// FuzzQuote makes a table and a column of any name and reads both back.
func FuzzQuote(f *testing.F) {
	for _, s := range []string{"a", `a"b`, `"`, `""`, "a'b]c[d;e--f", "`", "select", " ", "é😀", "\xff", "a\nb", "Ünï", "x'); DROP TABLE t; --"} {
		f.Add(s)
	}
	conn := connect(f)
	f.Fuzz(func(t *testing.T, name string) {
		if dialect.CheckName(name) != nil {
			if name != "" && !strings.ContainsRune(name, 0) {
				t.Fatalf("%q was refused", name)
			}
			return
		}
		tableName := "t" + name
		exec(t, conn, "CREATE TABLE "+dialect.Quote(tableName)+" ("+dialect.Quote(name)+" TEXT)")
		defer exec(t, conn, "DROP TABLE "+dialect.Quote(tableName))
		x, err := dialect.Inspect(conn, tableName)
		if err != nil || x == nil {
			t.Fatalf("%q: %v, %v", tableName, x, err)
		}
		if got := x.Shape; got.Name.Table != tableName || len(got.Columns) != 1 || got.Columns[0].Name != name {
			t.Fatalf("%q became %q (%v)", name, got.Name.Table, got.Columns)
		}
	})
}

func TestCheckTable(t *testing.T) {
	integer := schema.Type{Kind: schema.Int, Bits: 64}
	shape := func(name string, columns ...string) *schema.Table {
		s := &schema.Table{Name: schema.Name{Table: name}}
		for _, c := range columns {
			s.Columns = append(s.Columns, schema.Column{Name: c, Type: integer})
		}
		return s
	}
	namespaced := shape("t", "a")
	namespaced.Name.Schema = "shop"
	parent := shape("t", "a")
	parent.ForeignKeys = []schema.ForeignKey{{Columns: []int{0}, Parent: schema.Name{Schema: "shop", Table: "p"}, Referenced: []string{"id"}}}
	for name, s := range map[string]*schema.Table{
		"a reserved prefix":     shape("SQLite_x", "a"),
		"no name":               shape("", "a"),
		"a NUL":                 shape("a\x00b", "a"),
		"a NUL in a column":     shape("t", "a\x00"),
		"columns alike":         shape("t", "Aé", "aé"),
		"a namespace":           namespaced,
		"a namespace in parent": parent,
	} {
		var e *dialect.NameError
		if err := dialect.CheckTable(s); !errors.As(err, &e) {
			t.Errorf("%s: got %v", name, err)
		}
	}
	if err := dialect.CheckTable(shape("sqlite", "É", "é")); err != nil {
		t.Errorf("a good table: %v", err)
	}
}

func TestIndexNamesDiffer(t *testing.T) {
	seen := map[string]bool{}
	for _, n := range []string{
		dialect.IndexName("a", "uq", "b"), dialect.IndexName("a", "uq", "c"), dialect.IndexName("a_b", "uq", "b"), dialect.IndexName("a", "fk", "b"),
	} {
		if seen[n] {
			t.Errorf("%q twice", n)
		}
		seen[n] = true
	}
	if first, again := dialect.IndexName("a", "uq", "b"), dialect.IndexName("a", "uq", "b"); first != again {
		t.Errorf("not deterministic: %q, %q", first, again)
	}
}
