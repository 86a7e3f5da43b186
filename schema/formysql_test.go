package schema_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/rowferry/rowferry/schema"
)

// TestForMySQL: the rows of docs/reference/types.md for a PostgreSQL source, in
// MySQL, MariaDB and SQLite.
func TestForMySQL(t *testing.T) {
	own := func(kind schema.Kind, native string, more schema.Type) schema.Type {
		more.Kind, more.Native = kind, native
		if kind.Textual() {
			more.Charset, more.Collation = "utf8mb4", "utf8mb4_0900_bin"
		}
		return more
	}
	const exact, exactMaria = " CHARACTER SET utf8mb4 COLLATE utf8mb4_0900_bin", " CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin"
	for _, c := range []struct {
		typ                  schema.Type
		mysql, keyed, sqlite string
	}{
		{own(schema.Bool, "boolean", schema.Type{}), "TINYINT(1)", "TINYINT(1)", "INTEGER"},
		{own(schema.Int, "bigint", schema.Type{Bits: 64}), "BIGINT", "BIGINT", "INTEGER"},
		{own(schema.Float64, "double precision", schema.Type{}), "DOUBLE", "DOUBLE", "REAL"},
		{own(schema.Decimal, "numeric(10,2)", schema.Type{Precision: 10, Scale: 2}), "DECIMAL(10,2)", "DECIMAL(10,2)", "TEXT"},
		{own(schema.Decimal, "numeric", schema.Type{}), "LONGTEXT" + exact, "VARCHAR(768)" + exact, "TEXT"},
		{own(schema.Decimal, "numeric(66,2)", schema.Type{Precision: 66, Scale: 2}), "LONGTEXT" + exact, "VARCHAR(768)" + exact, "TEXT"},
		{own(schema.Decimal, "numeric(40,31)", schema.Type{Precision: 40, Scale: 31}), "LONGTEXT" + exact, "VARCHAR(768)" + exact, "TEXT"},
		{own(schema.Text, "text", schema.Type{}), "LONGTEXT" + exact, "VARCHAR(768)" + exact, "TEXT"},
		{own(schema.VarChar, "character varying(512)", schema.Type{Length: 512}), "VARCHAR(512)" + exact, "VARCHAR(512)" + exact, "TEXT"},
		{own(schema.VarChar, "character varying(2000)", schema.Type{Length: 2000}), "LONGTEXT" + exact, "VARCHAR(768)" + exact, "TEXT"},
		{own(schema.Blob, "bytea", schema.Type{}), "LONGBLOB", "VARBINARY(3072)", "BLOB"},
		{own(schema.UUID, "uuid", schema.Type{}), "VARCHAR(36) CHARACTER SET ascii COLLATE ascii_bin", "VARCHAR(36) CHARACTER SET ascii COLLATE ascii_bin", "TEXT"},
		{own(schema.JSON, "jsonb", schema.Type{Charset: "utf8mb4"}), "LONGTEXT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin", "", "TEXT"},
		{own(schema.Date, "date", schema.Type{}), "DATE", "DATE", "TEXT"},
		{own(schema.DateTime, "timestamp without time zone", schema.Type{Fsp: 6}), "DATETIME(6)", "DATETIME(6)", "TEXT"},
		{own(schema.Timestamp, "timestamp(3) with time zone", schema.Type{Fsp: 3}), "DATETIME(3)", "DATETIME(3)", "TEXT"},
		{own(schema.Time, "time without time zone", schema.Type{Fsp: 6}), "TIME(6)", "TIME(6)", "TEXT"},
		{own(schema.Bit, "bit(64)", schema.Type{Length: 64}), "BIT(64)", "BIT(64)", "BLOB"},
		{own(schema.Enum, "public.mood", schema.Type{Labels: []string{"a", "it's"}}), "ENUM('a','it''s')" + exact, "ENUM('a','it''s')" + exact, "TEXT"},
		{own(schema.Enum, "public.blank", schema.Type{Labels: []string{"a", "a "}}), "VARCHAR(63)" + exact, "VARCHAR(63)" + exact, "TEXT"},
		{own(schema.Other, "integer[]", schema.Type{}), "LONGTEXT" + exact, "VARCHAR(768)" + exact, "TEXT"},
	} {
		for _, maria := range []bool{false, true} {
			for keyed, want := range map[bool]string{false: c.mysql, true: c.keyed} {
				table := &schema.Table{Columns: []schema.Column{{Name: "v", Type: c.typ}}}
				if keyed {
					table.PrimaryKey = []int{0}
				}
				if maria {
					want = strings.Replace(want, exact, exactMaria, 1)
				}
				got, _, err := schema.MySQLType(schema.ForMySQL(table).Columns[0].Type, schema.MySQLServer{MariaDB: maria, Collations: map[string]bool{"utf8mb4_0900_bin": !maria}})
				if want != "" && (got != want || err != nil) {
					t.Errorf("%s (MariaDB %v, key %v) becomes %s, %v, want %s", c.typ, maria, keyed, got, err, want)
				}
			}
		}
		if got, err := schema.SQLiteType(c.typ); got != c.sqlite || err != nil {
			t.Errorf("%s becomes %s in SQLite, %v, want %s", c.typ, got, err, c.sqlite)
		}
		if got, err := schema.PostgresType(c.typ); got != c.typ.Native || err != nil {
			t.Errorf("%s becomes %s in PostgreSQL, %v", c.typ, got, err)
		}
	}
}

// TestForMySQLKeys: the texts of a key share the room that it has, those of rows
// too wide for MySQL have none, and other sources' shapes are as they were.
func TestForMySQLKeys(t *testing.T) {
	text := schema.Type{Kind: schema.Text, Native: "text", Charset: "utf8mb4", Collation: "utf8mb4_0900_bin"}
	long := schema.Type{Kind: schema.VarChar, Length: 500, Native: "character varying(500)"}
	other := schema.Type{Kind: schema.Other, Native: "inet"}
	number := schema.Type{Kind: schema.Int, Bits: 64, Native: "bigint"}
	table := &schema.Table{PrimaryKey: []int{0, 1, 2}, Uniques: []schema.Index{{Columns: []int{3}}, {Columns: []int{2, 3, 4, 5}}},
		ForeignKeys: []schema.ForeignKey{{Columns: []int{6}}}}
	for _, typ := range []schema.Type{number, text, text, long, text, other, other, text, long} {
		table.Columns = append(table.Columns, schema.Column{Name: fmt.Sprint(len(table.Columns)), Type: typ})
	}
	m := schema.ForMySQL(table)
	want := []int{0, 383, 192, 192, 192, 192, 768, 0, 500}
	for i, c := range m.Columns {
		if c.Type.Length != want[i] {
			t.Errorf("column %d has room for %d characters, want %d", i, c.Type.Length, want[i])
		}
	}
	if m.Columns[7].Type.Kind != schema.Text || m.Columns[8].Type.Kind != schema.VarChar || m.Columns[5].Type.Collation != "" || m.Columns[1].Type.Collation == "" {
		t.Errorf("got %+v", m.Columns)
	}
	for range 40 {
		table.Columns = append(table.Columns, schema.Column{Name: fmt.Sprint(len(table.Columns)), Type: long})
	}
	if m = schema.ForMySQL(table); m.Columns[20].Type.Kind != schema.Text || m.Columns[3].Type.Kind != schema.VarChar {
		t.Errorf("of a wide row: %+v and %+v", m.Columns[20].Type, m.Columns[3].Type)
	}
	plain := &schema.Table{Columns: []schema.Column{{Name: "a", Type: schema.Type{Kind: schema.Text}}}, PrimaryKey: []int{0}}
	if schema.ForMySQL(plain) != plain {
		t.Error("the shape of another source is changed")
	}
}
