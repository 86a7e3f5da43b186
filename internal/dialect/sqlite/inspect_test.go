package sqlite_test

import (
	"reflect"
	"slices"
	"testing"

	dialect "github.com/rowferry/rowferry/internal/dialect/sqlite"
	"github.com/rowferry/rowferry/schema"
)

func TestInspect(t *testing.T) {
	conn := connect(t)
	exec(t, conn,
		`CREATE TABLE Parent (id INTEGER PRIMARY KEY, code VARCHAR(9) NOT NULL DEFAULT 'x' UNIQUE, price DECIMAL(10,2), d DATETIME, f DOUBLE, raw BLOB, any_)`,
		`CREATE TABLE child (a TEXT, b INT, p INTEGER REFERENCES parent ON DELETE CASCADE, c TEXT,
			v INT GENERATED ALWAYS AS (b + 1) VIRTUAL, s INT AS (b + 2) STORED,
			PRIMARY KEY (b, a), FOREIGN KEY (c) REFERENCES Parent (code) ON UPDATE SET NULL) STRICT, WITHOUT ROWID`,
		`CREATE UNIQUE INDEX part ON child (c) WHERE c > 'm'`,
		`CREATE UNIQUE INDEX expr ON child (substr(c, 1, 2))`,
		`CREATE UNIQUE INDEX whole ON child (p, c)`,
		`CREATE INDEX plain ON child (p)`,
		`CREATE TRIGGER trig AFTER INSERT ON Child BEGIN SELECT 1; END`,
		`CREATE VIEW look AS SELECT a FROM child`,
		`CREATE VIRTUAL TABLE words USING fts5(w)`,
	)
	child, err := dialect.Inspect(conn, "CHILD")
	if err != nil || child == nil {
		t.Fatal(child, err)
	}
	s := child.Shape
	check := func(what string, got, want any) {
		t.Helper()
		if !reflect.DeepEqual(got, want) {
			t.Errorf("%s: got %v, want %v", what, got, want)
		}
	}
	check("name", s.Name, schema.Name{Table: "child"})
	check("kind, strict, rowid", []any{child.Kind, child.Strict, child.WithoutRowid, child.RowidAlias}, []any{"table", true, true, -1})
	check("primary key", s.ColumnNames(s.PrimaryKey), []string{"b", "a"})
	check("nullable", []bool{s.Columns[0].Nullable, s.Columns[1].Nullable, s.Columns[2].Nullable}, []bool{false, false, true})
	check("generated", []schema.Generation{s.Columns[3].Generated, s.Columns[4].Generated, s.Columns[5].Generated},
		[]schema.Generation{schema.NotGenerated, schema.Virtual, schema.Stored})
	check("uniques", s.Uniques, []schema.Index{{Name: "whole", Columns: []int{2, 3}}})
	check("unsupported", s.Unsupported, []string{"unique index expr over an expression", "partial unique index part"})
	check("triggers", child.Triggers, []string{"trig"})
	check("foreign keys", s.ForeignKeys, []schema.ForeignKey{
		{Columns: []int{3}, Parent: schema.Name{Table: "Parent"}, Referenced: []string{"code"}, OnUpdate: schema.SetNull},
		{Columns: []int{2}, Parent: schema.Name{Table: "parent"}, Referenced: []string{"id"}, OnDelete: schema.Cascade},
	})

	parent, err := dialect.Inspect(conn, "parent")
	if err != nil || parent == nil {
		t.Fatal(parent, err)
	}
	check("rowid alias", parent.RowidAlias, 0)
	var affinities []dialect.Affinity
	var defaults []bool
	for _, c := range parent.Columns {
		affinities, defaults = append(affinities, c.Affinity), append(defaults, c.HasDefault)
	}
	check("affinities", affinities, []dialect.Affinity{dialect.AffinityInteger, dialect.AffinityText, dialect.AffinityNumeric,
		dialect.AffinityNumeric, dialect.AffinityReal, dialect.AffinityAny, dialect.AffinityAny})
	check("defaults", defaults, []bool{false, true, false, false, false, false, false})
	check("unique constraint", len(parent.Shape.Uniques), 1)

	names, err := dialect.TableNames(conn)
	if err != nil {
		t.Fatal(err)
	}
	check("tables", names, []string{"Parent", "child"})
	for name, want := range map[string]string{"look": "view", "words": "virtual", "missing": ""} {
		x, err := dialect.Inspect(conn, name)
		if err != nil || (x == nil) != (want == "") || x != nil && x.Kind != want {
			t.Errorf("%s: got %+v, %v", name, x, err)
		}
	}
}

func TestRowidAlias(t *testing.T) {
	conn := connect(t)
	exec(t, conn,
		`CREATE TABLE a (x INTEGER PRIMARY KEY DESC)`,
		`CREATE TABLE b (x INT PRIMARY KEY)`,
		`CREATE TABLE c (x integer, PRIMARY KEY (x))`,
		`CREATE TABLE d (x INTEGER PRIMARY KEY) WITHOUT ROWID`,
	)
	for name, want := range map[string]int{"a": -1, "b": -1, "c": 0, "d": -1} {
		x, err := dialect.Inspect(conn, name)
		if err != nil {
			t.Fatal(err)
		}
		if x.RowidAlias != want {
			t.Errorf("%s: got %d, want %d", name, x.RowidAlias, want)
		}
	}
}

// TestKeeps asks SQLite itself: what it stores for a value of the type must be
// the value that was given, exactly where Keeps says so.
func TestKeeps(t *testing.T) {
	conn := connect(t)
	cases := []struct {
		typ     schema.Type
		literal string
	}{
		{schema.Type{Kind: schema.Int, Bits: 64}, "9007199254740993"},
		{schema.Type{Kind: schema.Float64}, "5.0"},
		{schema.Type{Kind: schema.Decimal}, "'12.50'"},
		{schema.Type{Kind: schema.VarChar}, "'1e3'"},
		{schema.Type{Kind: schema.JSON}, "'1.0'"},
		{schema.Type{Kind: schema.DateTime}, "'2026-01-01 00:00:00'"},
		{schema.Type{Kind: schema.Time}, "'-10:00:00'"},
		{schema.Type{Kind: schema.Blob}, "x'31'"},
	}
	declared := []string{"INTEGER", "BIGINT", "REAL", "DOUBLE", "TEXT", "VARCHAR(9)", "DECIMAL(9,2)", "DATETIME", "BLOB", "", "ANY", "INT"}
	for _, strict := range []bool{false, true} {
		for _, d := range declared {
			if strict && !slices.Contains([]string{"INTEGER", "INT", "REAL", "TEXT", "BLOB", "ANY"}, d) {
				continue
			}
			options := ""
			if strict {
				options = " STRICT"
			}
			exec(t, conn, "CREATE TABLE t (c "+d+")"+options)
			x, err := dialect.Inspect(conn, "t")
			if err != nil {
				t.Fatal(err)
			}
			for _, c := range cases {
				same := ""
				if err := dialect.Exec(conn, "INSERT INTO t VALUES ("+c.literal+")"); err == nil {
					same = one(t, conn, "SELECT quote(c) = quote("+c.literal+") FROM t")
				}
				exec(t, conn, "DELETE FROM t")
				// A time in a column declared as a number would be kept, but is
				// surely not what the column is for.
				number := x.Columns[0].Affinity == dialect.AffinityInteger || x.Columns[0].Affinity == dialect.AffinityReal
				chosen := number && (c.typ.Kind == schema.DateTime || c.typ.Kind == schema.Time)
				if got := dialect.Keeps(x.Columns[0].Affinity, strict, c.typ); got != (same == "1" && !chosen) {
					t.Errorf("%s in %q (strict %v): Keeps says %v, SQLite %q", c.typ, d, strict, got, same)
				}
			}
			exec(t, conn, "DROP TABLE t")
		}
	}
}
