package sqlite_test

import (
	"path/filepath"
	"testing"

	driver "zombiezen.com/go/sqlite"

	"github.com/rowferry/rowferry/internal/dialect/sqlite"
)

// TestCounts: the word counts where SQLite reads it, and nowhere else.
func TestCounts(t *testing.T) {
	for sql, want := range map[string]bool{
		`CREATE TABLE t (id INTEGER PRIMARY KEY AUTOINCREMENT)`:                                     true,
		`CREATE TABLE t (id integer primary key asc autoincrement not null) STRICT`:                 true,
		"CREATE TABLE t (id INTEGER PRIMARY KEY/* so */AutoIncrement\n, n)":                         true,
		"CREATE TABLE t (id INTEGER PRIMARY KEY -- it's\nAUTOINCREMENT)":                            true,
		`CREATE TABLE t ("it""s" TEXT DEFAULT 'a''b', id INTEGER PRIMARY KEY AUTOINCREMENT)`:        true,
		`CREATE TABLE t (id INTEGER PRIMARY KEY)`:                                                   false,
		`CREATE TABLE t (id INTEGER PRIMARY KEY, "AUTOINCREMENT" TEXT)`:                             false,
		"CREATE TABLE t (id INTEGER PRIMARY KEY, ` AUTOINCREMENT ` TEXT)":                           false,
		`CREATE TABLE t (id INTEGER PRIMARY KEY, [x " AUTOINCREMENT ] TEXT)`:                        false,
		`CREATE TABLE t (id INTEGER PRIMARY KEY, n TEXT DEFAULT ' AUTOINCREMENT ')`:                 false,
		"CREATE TABLE t (id INTEGER PRIMARY KEY, n_AUTOINCREMENT, AUTOINCREMENT_n, AUTOINCREMENTé)": false,
		"CREATE TABLE t (id INTEGER PRIMARY KEY -- AUTOINCREMENT\n)":                                false,
		"CREATE TABLE t (id INTEGER PRIMARY KEY /*/ AUTOINCREMENT */)":                              false,
		"CREATE TABLE t (id INTEGER PRIMARY KEY /* AUTOINCREMENT ' */, n TEXT)":                     false,
		"CREATE TABLE t (id INT PRIMARY KEY, n INTEGER)":                                            false,
		"CREATE TABLE t (id INTEGER PRIMARY KEY) /* AUTOINCREMENT":                                  false,
	} {
		conn, err := driver.OpenConn(filepath.Join(t.TempDir(), "db"))
		if err != nil {
			t.Fatal(err)
		}
		if err := sqlite.Exec(conn, sql); err != nil {
			t.Fatalf("%s: %v", sql, err)
		}
		x, err := sqlite.Inspect(conn, "T")
		if err != nil {
			t.Fatal(err)
		}
		counted := false
		if err := sqlite.Query(conn, "SELECT 1 FROM sqlite_schema WHERE name = 'sqlite_sequence'", func(*driver.Stmt) error {
			counted = true
			return nil
		}); err != nil || counted != want {
			t.Errorf("%s: SQLite says %t, %v", sql, counted, err)
		}
		if got := x.Counts(); got != want {
			t.Errorf("%s counts: %t", sql, got)
		}
		if err := conn.Close(); err != nil {
			t.Fatal(err)
		}
	}
}
