package record_test

import (
	"database/sql"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/rowferry/rowferry/internal/testdb"
	"github.com/rowferry/rowferry/internal/testdb/record"
	"github.com/rowferry/rowferry/internal/testdb/types"
)

func TestMain(m *testing.M) { testdb.Main(m) }

// A recording is several whole binlog files and a dump that equals its server.
// A SQLite file made from the dump equals it too, and is a prefix: what the
// source's triggers computed is what the equal program computes.
func TestLoad(t *testing.T) {
	for _, c := range []struct {
		kind testdb.Kind
		o    record.Options
	}{
		{testdb.MariaDB1011, record.Options{Metadata: "FULL", Transactions: 300}},
		{testdb.MariaDB1011, record.Options{Metadata: "MINIMAL", Compress: true, Transactions: 300}},
		{testdb.MySQL97, record.Options{Metadata: "FULL", Compress: true, Transactions: 300}},
		{testdb.MySQL97, record.Options{Transactions: 300}},
	} {
		name := fmt.Sprintf("%s/%s/compress=%t", c.kind, c.o.Metadata, c.o.Compress)
		t.Run(name, func(t *testing.T) {
			r := record.Load(t, c.kind, c.o)
			if len(r.Files) < 2 || filepath.Base(r.Files[0]) != "mysql-bin.000001" {
				t.Errorf("files: %v", r.Files)
			}
			for _, path := range r.Files {
				if head := readHead(t, path); head != "\xfebin" {
					t.Errorf("%s begins with %q", path, head)
				}
			}
			testdb.RequireEqual(t, r.Server.URL(r.Database), r.Expected)
			target := restore(t, r.Expected)
			testdb.RequireEqual(t, r.Expected, "sqlite://"+target)
			t.Log(testdb.RequirePrefix(t, target))
		})
	}
}

// Each change to a loaded target is seen by one check or the other, whichever
// table and column it is in; what a digest leaves out only by Equal.
func TestChecksSeeChanges(t *testing.T) {
	r := record.Load(t, testdb.MariaDB1011, record.Options{Transactions: 300})
	for _, c := range []struct {
		change string
		prefix bool // the prefix check sees it too
	}{
		{"DELETE FROM item WHERE rowid = (SELECT MAX(rowid) FROM item)", true},
		{"UPDATE customer SET ver = ver + 1 WHERE id = (SELECT MIN(id) FROM customer)", true},
		{"UPDATE session SET token = zeroblob(65) WHERE rowid = (SELECT MAX(rowid) FROM session)", true},
		{"UPDATE seat SET holder = CASE id WHEN 1 THEN (SELECT holder FROM seat WHERE id = 2) ELSE holder END", true},
		{"INSERT INTO journal SELECT * FROM journal LIMIT 1", true},
		{"UPDATE product SET price = price || '0'", true},
		{"DELETE FROM ledger WHERE (writer, n) IN (SELECT writer, MAX(n) - 1 FROM ledger WHERE writer > 0 GROUP BY writer LIMIT 1)", true},
		{"UPDATE digests SET cnt = cnt + 1 WHERE rowid = 1", true},
		{"UPDATE wide SET d1 = d1 + 1 WHERE id IN (SELECT id FROM wide WHERE d1 IS NOT NULL LIMIT 1)", false},
		{"UPDATE word SET freq = NULL", false},
	} {
		path := restore(t, r.Expected)
		execute(t, path, c.change)
		if out, err := testdb.CheckEqual(t, r.Expected, "sqlite://"+path); err == nil {
			t.Errorf("%s: still equal\n%s", c.change, out)
		}
		if out, err := testdb.CheckPrefix(t, path); (err == nil) == c.prefix {
			t.Errorf("%s: prefix says %v\n%s", c.change, err, out)
		}
	}
}

// The types are recorded too, under Soak with both kinds of metadata, from a server whose
// own time zone is not UTC; every value of them survives the way through SQLite.
func TestTypes(t *testing.T) {
	levels := []string{"FULL", "MINIMAL"}
	if !testdb.Soak() {
		levels = levels[:1]
	}
	for _, k := range testdb.Kinds() {
		for _, metadata := range levels {
			t.Run(string(k)+"/"+metadata, func(t *testing.T) {
				r := record.Load(t, k, record.Options{
					Metadata: metadata,
					Server:   []testdb.Option{testdb.Zone("EST5EDT,M3.2.0,M11.1.0")},
					Fill:     func(db *sql.DB) error { return types.Create(t.Context(), db, k.Flavor()) },
				})
				testdb.RequireEqual(t, r.Expected, "sqlite://"+restore(t, r.Expected))
			})
		}
	}
}

func readHead(t *testing.T, path string) string {
	t.Helper()
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(raw[:4])
}
