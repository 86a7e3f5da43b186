package e2e

import (
	"context"
	"database/sql"
	"strings"
	"testing"

	"github.com/rowferry/rowferry"
	"github.com/rowferry/rowferry/internal/testdb"
	"github.com/rowferry/rowferry/internal/testdb/record"
	"github.com/rowferry/rowferry/internal/testdb/types"
)

// typesKinds are the servers whose types are replayed: the newest MariaDB only
// at full scale.
func typesKinds() []testdb.Kind {
	kinds := []testdb.Kind{testdb.MariaDB1011, testdb.MySQL97}
	if soak() {
		kinds = append(kinds, testdb.MariaDB11)
	}
	return kinds
}

// TestTypes replays every column type with its extremes, with rows that
// describe themselves and with rows that need the log's CREATE statements,
// recorded by a server whose own time zone is not UTC.
func TestTypes(t *testing.T) {
	besideOthers(t)
	for _, k := range typesKinds() {
		t.Run(string(k), func(t *testing.T) {
			for _, metadata := range []string{"FULL", "the server's default"} {
				t.Run(metadata, func(t *testing.T) {
					besideOthers(t)
					testTypes(t, k, metadata)
				})
			}
		})
	}
}

func testTypes(t *testing.T, k testdb.Kind, metadata string) {
	if metadata != "FULL" {
		metadata = ""
	}
	rec := record.Load(t, k, record.Options{
		Metadata: metadata,
		Server:   []testdb.Option{testdb.Zone("EST5EDT,M3.2.0,M11.1.0")},
		Fill:     func(db *sql.DB) error { return fillTypes(db, k) },
	})
	p := newPlace(t, rec.Files...)
	must(t, p.replay()...)
	testdb.RequireEqual(t, rec.Expected, "sqlite://"+p.target)
	t.Logf("figure: %s: every column type, metadata %q: Equal", rec.Version, metadata)
}

// fillTypes makes tables of every type. MariaDB from 11 on leaves generated
// columns out of the updates it logs, which is refused: see TestSpecialTypes.
func fillTypes(db *sql.DB, k testdb.Kind) error {
	for _, c := range types.Cases(k.Flavor()) {
		if k == testdb.MariaDB11 && c.Name == "generated" {
			continue
		}
		if err := c.Run(context.Background(), db); err != nil {
			return err
		}
	}
	return nil
}

// generatedUpdate updates a table with generated columns.
var generatedUpdate = types.Case{Name: "generated update", Statements: []string{
	"CREATE TABLE g (id INT NOT NULL PRIMARY KEY, a INT, st INT AS (a * 2) STORED, v INT AS (a * 3) VIRTUAL)",
	"INSERT INTO g (id, a) VALUES (1, 1), (2, 2)", "UPDATE g SET a = a + 10 WHERE id = 1",
}}

// reorderedEnum changes what an ENUM's numbers mean between writes: labels
// count as of their place in the log (M19).
var reorderedEnum = types.Case{Name: "reordered enum", Statements: []string{
	"CREATE TABLE reordered (id INT NOT NULL PRIMARY KEY, e ENUM('a','b','c'), s SET('x','y'))",
	"INSERT INTO reordered VALUES (1, 'a', 'x,y'), (2, 'b', 'y'), (3, 'c', '')",
	"ALTER TABLE reordered MODIFY e ENUM('c','n','b','a'), MODIFY s SET('x','y','z')",
	"INSERT INTO reordered VALUES (4, 'a', 'z,x'), (5, 'n', 'y')", "UPDATE reordered SET e = 'b' WHERE id = 1", "DELETE FROM reordered WHERE id = 2",
}}

// TestSpecialTypes: what may be refused is refused by name, the rest arrives.
func TestSpecialTypes(t *testing.T) {
	besideOthers(t)
	for _, c := range []struct {
		kind testdb.Kind
		what types.Case
		code rowferry.Code // "" when it must arrive
	}{
		{testdb.MariaDB1011, types.BigUnsigned(), rowferry.CodeOutOfRange},
		{testdb.MySQL97, types.BigUnsigned(), rowferry.CodeOutOfRange},
		{testdb.MariaDB1011, types.Geometry(), rowferry.CodeTypeRefused},
		{testdb.MySQL97, types.Geometry(), rowferry.CodeTypeRefused},
		{testdb.MySQL97, types.Vector(testdb.MySQL), rowferry.CodeTypeRefused},
		{testdb.MariaDB1011, types.Reordered(), rowferry.CodeShapeChanged}, // it reorders a SET too
		{testdb.MySQL97, types.Reordered(), rowferry.CodeShapeChanged},
		{testdb.MariaDB1011, reorderedEnum, ""},
		{testdb.MySQL97, reorderedEnum, ""},
		{testdb.MariaDB1011, types.NegativeZero(), ""},
		{testdb.MySQL97, types.NegativeZero(), ""},
		{testdb.MariaDB1011, types.Versioned(), rowferry.CodeTypeRefused},
		{testdb.MariaDB1011, types.CompressedColumns(), ""},
		{testdb.MariaDB1011, generatedUpdate, ""},
		{testdb.MariaDB11, generatedUpdate, rowferry.CodeAbsentColumn},
	} {
		if c.kind == testdb.MariaDB11 && !soak() {
			continue
		}
		t.Run(string(c.kind)+"/"+c.what.Name, func(t *testing.T) {
			besideOthers(t)
			rec := recordOnly(t, c.kind, func(ctx context.Context, db *sql.DB) error {
				if err := c.what.Run(ctx, db); err != nil || c.what.Name != types.NegativeZero().Name {
					return err
				}
				var text string // some releases of MariaDB store a zero without its sign
				err := db.QueryRowContext(ctx, "SELECT CONCAT(f) FROM negative_zero").Scan(&text)
				if strings.HasPrefix(text, "-") {
					c.code = rowferry.CodeOutOfRange
				}
				return err
			})
			p := newPlace(t, rec.Files...)
			if c.code != "" {
				requireRefusal(t, run(t, p.replay()...), c.code)
				return
			}
			must(t, p.replay()...)
			testdb.RequireEqual(t, expect(t, rec).Expected, "sqlite://"+p.target)
		})
	}
}
