package load_test

import (
	"context"
	"database/sql"
	"testing"
	"time"

	"github.com/rowferry/rowferry/internal/testdb"
	"github.com/rowferry/rowferry/internal/testdb/load"
)

func TestMain(m *testing.M) { testdb.Main(m) }

// kinds are the servers a load runs on.
func kinds() []testdb.Kind { return append(testdb.Kinds(), testdb.Sources()...) }

// logical are the options of a server that a load may prepare transactions on.
func logical(k testdb.Kind) []testdb.Option {
	if k.Flavor() == testdb.Postgres {
		return []testdb.Option{testdb.Logical()}
	}
	return nil
}

// The load runs on every server, does everything it lists, leaves a ledger
// without holes, and the same session can go on where it ended.
func TestRun(t *testing.T) {
	for _, k := range kinds() {
		t.Run(string(k), func(t *testing.T) {
			s := testdb.Start(t, k, logical(k)...)
			_, db := testdb.NewDatabase(t, s)
			o := load.Options{Seed: 1, Writers: 4, Transactions: 800, Flavor: k.Flavor(), Prepared: k.Flavor() == testdb.Postgres}
			if testdb.Soak() {
				o.Transactions = 5000
			}
			stats, err := load.Run(t.Context(), db, o)
			if err != nil {
				t.Fatal(err)
			}
			t.Log(stats)
			t.Log(stats.Ops)
			var never []string
			for name := range load.OpNames(k.Flavor()) {
				if stats.Ops[name] == 0 {
					never = append(never, name)
				}
			}
			// The rarest may need the long run.
			if len(never) > 2 || testdb.Soak() && never != nil {
				t.Errorf("never did: %q", never)
			}
			if stats.Savepoints == 0 || stats.Rollbacks == 0 || (stats.LoggedRollbacks > 0) != (k.Flavor() == testdb.MariaDB) {
				t.Errorf("rollbacks: %v", stats)
			}
			if o.Prepared != (stats.Prepared > 0) || o.Prepared != (stats.Forgotten > 0) {
				t.Errorf("prepared: %v", stats)
			}
			o.Seed, o.Transactions = 2, 101
			if _, err := load.Run(t.Context(), db, o); err != nil {
				t.Fatal(err)
			}
			requireLedger(t, db, int(stats.Transactions)+101)
			requireDigests(t, db, k.Flavor())
			requireRows(t, db, k.Flavor())
			requireTwins(t, db)
		})
	}
}

// Without a number of transactions a load runs until its context is done.
func TestRunUntilDone(t *testing.T) {
	s := testdb.Start(t, testdb.MariaDB1011)
	_, db := testdb.NewDatabase(t, s)
	if _, err := load.Run(t.Context(), db, load.Options{Transactions: 200, Flavor: testdb.MariaDB}); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	stats, err := load.Run(ctx, db, load.Options{Writers: 2, Flavor: testdb.MariaDB})
	if err != nil || stats.Transactions == 0 {
		t.Errorf("%v, error %v", stats, err)
	}
	requireDigests(t, db, testdb.MariaDB)
	requireRows(t, db, testdb.MariaDB)
}

func requireLedger(t *testing.T, db *sql.DB, want int) {
	t.Helper()
	var n, holes int
	err := db.QueryRow(`SELECT SUM(c), SUM(CASE WHEN first <> 1 OR last <> c THEN 1 ELSE 0 END) FROM
		(SELECT COUNT(*) c, MIN(n) first, MAX(n) last FROM ledger WHERE writer > 0 GROUP BY writer) x`).Scan(&n, &holes)
	if err != nil {
		t.Fatal(err)
	}
	if n != want || holes != 0 {
		t.Errorf("ledger has %d rows and %d writers with holes, want %d and 0", n, holes, want)
	}
}

// requireDigests counts on the source; what the sums must be is checked on
// targets, by the equal program.
func requireDigests(t *testing.T, db *sql.DB, f testdb.Flavor) {
	t.Helper()
	for _, table := range load.Tables(f)[3:] {
		var rows, count int
		if err := db.QueryRow("SELECT (SELECT COUNT(*) FROM "+table+"), (SELECT SUM(cnt) FROM digests WHERE tbl = '"+table+"')").Scan(&rows, &count); err != nil {
			t.Fatal(err)
		}
		if rows != count {
			t.Errorf("%s has %d rows, its digests say %d", table, rows, count)
		}
	}
}

// requireRows: a load of some length leaves no table empty.
func requireRows(t *testing.T, db *sql.DB, f testdb.Flavor) {
	t.Helper()
	for _, table := range load.Tables(f) {
		var rows int
		if err := db.QueryRow("SELECT COUNT(*) FROM " + table).Scan(&rows); err != nil {
			t.Fatal(err)
		}
		if rows == 0 {
			t.Errorf("%s is empty", table)
		}
	}
}

// requireTwins: the tables without a key do hold identical rows.
func requireTwins(t *testing.T, db *sql.DB) {
	t.Helper()
	for _, q := range []string{
		"SELECT COUNT(*) FROM (SELECT 1 FROM journal GROUP BY kind, txt, amount, at HAVING COUNT(*) > 1) x",
		"SELECT COUNT(*) FROM (SELECT 1 FROM metric GROUP BY k, v, b, note HAVING COUNT(*) > 1) x",
	} {
		var twins int
		if err := db.QueryRow(q).Scan(&twins); err != nil {
			t.Fatal(err)
		}
		if twins == 0 {
			t.Errorf("no identical rows: %s", q)
		}
	}
}

// ledgerRows counts what writers have committed.
func ledgerRows(t *testing.T, db *sql.DB) (n int) {
	t.Helper()
	if err := db.QueryRow("SELECT COUNT(*) FROM ledger WHERE writer > 0").Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}
