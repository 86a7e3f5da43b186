package e2e

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/rowferry/rowferry/internal/testdb"
)

const quickstart = "../../examples/quickstart"

func quickstartPlace(t *testing.T) place {
	return newPlace(t, filepath.Join(quickstart, "binlog", "mysql-bin.*"))
}

func requireShop(t *testing.T, p place) {
	t.Helper()
	testdb.RequireEqual(t, filepath.Join(quickstart, "expected.txt"), "sqlite://"+p.target)
}

// TestQuickstart is the promise of the first command: the shop arrives, again
// is nothing to do, and losing the target, the state or both leads to the same
// end.
func TestQuickstart(t *testing.T) {
	besideOthers(t)
	p := quickstartPlace(t)
	first := must(t, p.replay()...)
	requireShop(t, p)
	if !strings.Contains(first.stdout, "customers") || !strings.Contains(first.stdout, "order_items") {
		t.Fatalf("no summary by table:\n%s", first.stdout)
	}
	again := must(t, p.replay()...)
	if !strings.Contains(strings.ToLower(again.stdout+again.stderr), "nothing to do") {
		t.Fatalf("a second run does not say that there is nothing to do:\n%s%s", again.stdout, again.stderr)
	}
	requireShop(t, p)
	for _, c := range []struct {
		name string
		lose func(testing.TB)
	}{
		{"target", p.removeTarget},
		{"state", p.removeState},
		{"both", func(t testing.TB) { p.removeTarget(t); p.removeState(t) }},
	} {
		t.Run("without "+c.name, func(t *testing.T) {
			c.lose(t)
			must(t, p.replay()...)
			requireShop(t, p)
		})
	}
}

// TestMinimalImages: a column that was not logged is not touched (M1), and one
// that is needed stops by name.
func TestMinimalImages(t *testing.T) {
	besideOthers(t)
	for _, k := range []testdb.Kind{testdb.MariaDB1011, testdb.MySQL97} {
		for _, image := range []string{"MINIMAL", "NOBLOB"} {
			t.Run(string(k)+"/"+image, func(t *testing.T) {
				rec := expect(t, script(t, k,
					"CREATE TABLE six (id INT PRIMARY KEY, a INT, b VARCHAR(20), c BLOB, d TEXT, e DECIMAL(5,2))",
					"INSERT INTO six VALUES (1, 1, 'one', 'x', 'y', 1.5), (2, 2, 'two', 'x', 'y', 2.5), (3, NULL, NULL, NULL, NULL, NULL)",
					"SET SESSION binlog_row_image="+image,
					"UPDATE six SET a = a + 10 WHERE id = 1", "UPDATE six SET d = NULL WHERE id = 2", "UPDATE six SET id = 4, e = 9 WHERE id = 3",
					"INSERT INTO six VALUES (5, 5, 'five', 'v', 'w', 5.5)", "DELETE FROM six WHERE id = 5"))
				p := newPlace(t, rec.Files...)
				must(t, p.replay()...)
				testdb.RequireEqual(t, rec.Expected, "sqlite://"+p.target)
			})
		}
	}
}

// TestTemporaryTables: a temporary table that hides a real one is another
// table, also where what is done to it is in the log.
func TestTemporaryTables(t *testing.T) {
	besideOthers(t)
	rec := expect(t, script(t, testdb.MariaDB1011,
		"CREATE TABLE t (id INT PRIMARY KEY, a INT)", "INSERT INTO t VALUES (1, 10)",
		"SET SESSION binlog_format=MIXED",
		"CREATE TEMPORARY TABLE t (id INT PRIMARY KEY, a INT)", "TRUNCATE TABLE t", "ALTER TABLE t ADD COLUMN b INT", "DROP TEMPORARY TABLE t",
		"SET SESSION binlog_format=ROW",
		"INSERT INTO t VALUES (2, 2)"))
	p := newPlace(t, rec.Files...)
	must(t, p.replay()...)
	testdb.RequireEqual(t, rec.Expected, "sqlite://"+p.target)
}

// TestQuickstartRefusesForeignRows: without target row but with rows, nothing
// is overwritten.
func TestQuickstartRefusesForeignRows(t *testing.T) {
	besideOthers(t)
	p := quickstartPlace(t)
	must(t, p.replay()...)
	execSQLite(t, p.target, "DROP TABLE rowferry_checkpoint")
	o := run(t, p.replay()...)
	if o.code != 6 || !strings.Contains(o.stderr, "RF-4007") {
		t.Fatalf("exit %d, want 6 with RF-4007:\n%s", o.code, o.stderr)
	}
	p.removeState(t)
	o = run(t, p.replay()...)
	if o.code != 1 || !strings.Contains(o.stderr, "RF-3006") {
		t.Fatalf("exit %d, want 1 with RF-3006:\n%s", o.code, o.stderr)
	}
	execSQLite(t, p.target, "DROP TABLE IF EXISTS rowferry_checkpoint")
	requireShop(t, p)
}
