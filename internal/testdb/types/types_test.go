package types_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rowferry/rowferry/internal/testdb"
	"github.com/rowferry/rowferry/internal/testdb/types"
)

func TestMain(m *testing.M) { testdb.Main(m) }

// Every server takes every case, and the dump of each has rows.
func TestCreate(t *testing.T) {
	for _, k := range testdb.Kinds() {
		s := testdb.Start(t, k)
		for _, c := range types.Cases(k.Flavor()) {
			t.Run(string(k)+"/"+c.Name, func(t *testing.T) {
				name, db := testdb.NewDatabase(t, s)
				if err := c.Run(t.Context(), db); err != nil {
					t.Fatal(err)
				}
				requireRows(t, dump(t, s, name))
			})
		}
	}
}

// What a target may refuse is taken by the server it is meant for.
func TestSpecial(t *testing.T) {
	for _, k := range testdb.Kinds() {
		s := testdb.Start(t, k)
		cases := []types.Case{types.BigUnsigned(), types.NegativeZero(), types.Geometry(), types.Reordered()}
		if k != testdb.MariaDB1011 {
			cases = append(cases, types.Vector(k.Flavor()))
		}
		if k.Flavor() == testdb.MariaDB {
			cases = append(cases, types.Versioned(), types.CompressedColumns(), types.Sequence())
		}
		for _, c := range cases {
			t.Run(string(k)+"/"+c.Name, func(t *testing.T) {
				_, db := testdb.NewDatabase(t, s)
				if err := c.Run(t.Context(), db); err != nil {
					t.Fatal(err)
				}
			})
		}
	}
	s := testdb.Start(t, testdb.MariaDB1011, testdb.Private())
	name, db := testdb.NewDatabase(t, s)
	if err := types.OldTemporal(t.Context(), db); err != nil {
		t.Fatal(err)
	}
	if text := dump(t, s, name); !strings.Contains(text, "'838:59:59.999999'") {
		t.Errorf("old temporal:\n%s", text)
	}
}

// The dump says what a target must hold, written down here by hand.
func TestCanonicalText(t *testing.T) {
	c := types.Case{Name: "canonical", Statements: []string{
		`CREATE TABLE c (id INT(5) ZEROFILL PRIMARY KEY, f FLOAT, d DOUBLE, n DECIMAL(10,4), ch CHAR(5), b BINARY(3),
			e ENUM('x','y'), bi BIT(9), b64 BIT(64), y YEAR, tm TIME(2), dt DATETIME(3), l VARCHAR(9) CHARACTER SET latin1, bb BLOB, j JSON)`,
		`INSERT INTO c VALUES (7, 1.1, 1e15, -1.5, 'a  ', 'a', 'y', 257, 1, 1901, '-838:59:59', '2024-02-29 01:02:03.5', 'ÿ', '', '{"a":1}')`,
	}}
	const columns = "b BLOB, b64 BLOB, bb BLOB, bi INTEGER, ch TEXT, d REAL, dt TEXT, e TEXT, f REAL, id INTEGER, j TEXT, l TEXT, n TEXT, tm TEXT, y INTEGER"
	for _, k := range testdb.Kinds() {
		t.Run(string(k), func(t *testing.T) {
			s := testdb.Start(t, k)
			name, db := testdb.NewDatabase(t, s)
			if err := c.Run(t.Context(), db); err != nil {
				t.Fatal(err)
			}
			json := map[testdb.Flavor]string{testdb.MySQL: `'{"a": 1}'`, testdb.MariaDB: `'{"a":1}'`}[k.Flavor()]
			want := "table\t'c'\nkey\t'id'\n"
			for column := range strings.SplitSeq(columns, ", ") {
				want += "column\t'" + strings.Replace(column, " ", "'\t", 1) + "\n"
			}
			want += strings.Join([]string{"row", "x'610000'", "x'0000000000000001'", "x''", "257", "'a'", "1e+15", "'2024-02-29 01:02:03.500'",
				"'y'", "1.100000023841858e+00", "7", json, "'ÿ'", "'-1.5000'", "'-838:59:59.00'", "1901"}, "\t") + "\n"
			if got := dump(t, s, name); got != want {
				t.Errorf("got\n%s\nwant\n%s", got, want)
			}
		})
	}
}

func requireRows(t *testing.T, text string) {
	t.Helper()
	for part := range strings.SplitSeq(strings.TrimPrefix(text, "table\t"), "\ntable\t") {
		if !strings.Contains(part, "\nrow\t") {
			t.Errorf("no row is left in %.100s", part)
		}
	}
}

func dump(t *testing.T, s *testdb.Server, database string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "dump.txt")
	testdb.Dump(t, s.URL(database), path)
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
