package mysql

import (
	"context"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/rowferry/rowferry/internal/testdb"
	"github.com/rowferry/rowferry/schema"
)

// indexed are a table's indexes as text.
func indexed(x *schema.Table) (plain []string) {
	for _, k := range x.Indexes {
		var parts []string
		for i, n := range x.ColumnNames(k.Columns) {
			if k.Prefix != nil && k.Prefix[i] > 0 {
				n += fmt.Sprintf("(%d)", k.Prefix[i])
			}
			if k.Descends(i) {
				n += " desc"
			}
			parts = append(parts, n)
		}
		plain = append(plain, k.Name+": "+strings.Join(parts, ", "))
	}
	return plain
}

// TestIndexes: of the keys that refuse no row, those that any target can have are
// told as a server shows them, and all others by name.
func TestIndexes(t *testing.T) {
	want := []string{"a_2: a", "named: b(10), a desc", "words: b(5)"}
	others := map[testdb.Kind][]string{
		testdb.MariaDB1011: {"index full, which is a FULLTEXT index", "index place, which is a SPATIAL index", "index idle, which is IGNORED"},
		testdb.MySQL97: {"index full, which is a FULLTEXT index", "index place, which is a SPATIAL index", "index idle, which is INVISIBLE",
			"index sum, which is over an expression", "index many, which is over an expression"},
	}
	for kind, others := range others {
		t.Run(string(kind), func(t *testing.T) {
			db := testdb.Start(t, kind)
			_, conn := testdb.NewDatabase(t, db)
			flavor, more, idle := MariaDB, "", "IGNORED"
			if kind == testdb.MySQL97 {
				flavor, more, idle = MySQL, ", KEY sum ((a + 1)), KEY many ((CAST(j AS UNSIGNED ARRAY)))", "INVISIBLE COMMENT 'VISIBLE'"
			}
			create := `CREATE TABLE t (id INT PRIMARY KEY, a INT, b VARCHAR(100), c TEXT, g POINT NOT NULL, j JSON, p INT, UNIQUE (a, b),
				KEY (a), KEY named (b(10), a DESC), KEY words (b(5)) USING HASH COMMENT 'IGNORED INVISIBLE', FULLTEXT KEY full (c), SPATIAL KEY place (g), KEY idle (a, id) ` + idle + more + `)`
			if _, err := conn.Exec(create); err != nil {
				t.Fatal(err)
			}
			var name, shown string
			if err := conn.QueryRowContext(context.Background(), "SHOW CREATE TABLE t").Scan(&name, &shown); err != nil {
				t.Fatal(err)
			}
			for _, sql := range []string{create, shown} {
				cat := NewCatalog(flavor)
				if err := cat.LoadDump(strings.NewReader(sql+";"), "d"); err != nil {
					t.Fatal(err)
				}
				x := cat.Tables()[0]
				left := slices.Sorted(slices.Values(x.OtherIndexes))
				if got := indexed(x); !reflect.DeepEqual(got, want) || !reflect.DeepEqual(left, slices.Sorted(slices.Values(others))) {
					t.Errorf("%s\nhas %q and %q,\nwant %q and %q", sql, got, left, want, others)
				}
			}
		})
	}
}

// TestIndexesFollow: what statements do to indexes is known to the shape, and is no
// news of its rows.
func TestIndexesFollow(t *testing.T) {
	cat := NewCatalog(MySQL)
	name := schema.Name{Schema: "d", Table: "t"}
	for _, c := range []struct{ sql, effects, want string }{
		{"CREATE TABLE t (a INT, b INT, p INT REFERENCES t (a), KEY (a))", "created d.t", "a: a"},
		{"CREATE INDEX i ON t (b DESC)", "nothing", "a: a; i: b desc"},
		{"CREATE FULLTEXT INDEX f ON t (b)", "nothing", "a: a; i: b desc; index f, which is not sorted"},
		{"ALTER TABLE t ALTER INDEX i INVISIBLE", "altered d.t", "a: a; index i, which is INVISIBLE; index f, which is not sorted"},
		{"ALTER TABLE t ALTER INDEX i VISIBLE, CHANGE b c INT", "altered d.t", "a: a; i: c desc; index f, which is not sorted"},
		{"DROP INDEX f ON t", "nothing", "a: a; i: c desc"},
		{"ALTER TABLE t RENAME INDEX i TO j, DROP COLUMN a", "altered d.t", "j: c desc"},
		{"DROP INDEX j ON t", "nothing", ""},
	} {
		effects, err := cat.Apply(Statement{Database: "d", SQL: c.sql})
		if err != nil {
			t.Fatal(err)
		}
		x := cat.Table(name)
		if got := strings.Join(append(indexed(x), x.OtherIndexes...), "; "); got != c.want || words(effects) != c.effects {
			t.Errorf("%s: %s, %s, want %s, %s", c.sql, words(effects), got, c.effects, c.want)
		}
		again := NewCatalog(MySQL)
		again.Put(x)
		if _, err := again.Apply(Statement{Database: "d", SQL: "ALTER TABLE t ADD z INT"}); err != nil {
			t.Fatal(err)
		}
		if after := again.Table(name); !reflect.DeepEqual(indexed(after), indexed(x)) || !reflect.DeepEqual(after.OtherIndexes, x.OtherIndexes) {
			t.Errorf("%s: recorded, %q and %q become %q and %q", c.sql, indexed(x), x.OtherIndexes, indexed(after), after.OtherIndexes)
		}
	}
}
