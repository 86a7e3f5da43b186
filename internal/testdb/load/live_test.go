package load_test

import (
	"context"
	"fmt"
	"sync"
	"testing"

	"github.com/rowferry/rowferry/internal/testdb"
	"github.com/rowferry/rowferry/internal/testdb/load"
)

// A live load goes on until it is stopped, stands still while it is paused, and
// can be waited for.
func TestLive(t *testing.T) {
	for _, k := range kinds() {
		t.Run(string(k), func(t *testing.T) {
			s := testdb.Start(t, k, logical(k)...)
			_, db := testdb.NewDatabase(t, s)
			l, err := load.Start(t.Context(), db, load.Options{Seed: 1, Flavor: k.Flavor()})
			must(t, err)
			must(t, l.Reach(t.Context(), 50))
			l.Pause()
			counted := l.Committed()
			before := ledgerRows(t, db)
			if again := ledgerRows(t, db); again != before || int64(before) != counted {
				t.Errorf("paused after %d: the ledger has %d rows, then %d", counted, before, again)
			}
			l.Resume()
			must(t, l.Reach(t.Context(), counted+50))
			stats, err := l.Stop()
			must(t, err)
			if stats.Transactions < counted+50 || stats.Transactions != l.Committed() {
				t.Errorf("%v after %d", stats, l.Committed())
			}
			if err := l.Reach(t.Context(), counted+1_000_000); err == nil {
				t.Error("a load that has ended is said to get further")
			}
			requireDigests(t, db, k.Flavor())
		})
	}
}

// The load outlives its server, and the ledger has no hole where the answer of a
// COMMIT was lost.
func TestReconnect(t *testing.T) {
	for _, k := range kinds() {
		t.Run(string(k), func(t *testing.T) {
			s := testdb.Start(t, k, append(logical(k), testdb.Private())...)
			_, db := testdb.NewDatabase(t, s)
			l, err := load.Start(t.Context(), db, load.Options{Seed: 1, Flavor: k.Flavor(), Reconnect: true, Prepared: k.Flavor() == testdb.Postgres})
			must(t, err)
			for _, end := range []func() error{s.Kill, s.Stop} {
				must(t, l.Reach(t.Context(), l.Committed()+50))
				must(t, end())
				must(t, s.Restart(t.Context()))
			}
			must(t, l.Reach(t.Context(), l.Committed()+50))
			l.Pause()
			rows := ledgerRows(t, db)
			stats, err := l.Stop()
			must(t, err)
			if stats.Reconnects < 2 || int64(rows) < stats.Transactions {
				t.Errorf("%d reconnects, %d rows in the ledger, %d transactions", stats.Reconnects, rows, stats.Transactions)
			}
			requireLedger(t, db, rows)
			requireDigests(t, db, k.Flavor())
		})
	}
}

// Writers log in domains, or under tags.
func TestDomains(t *testing.T) {
	for _, k := range testdb.Kinds() {
		s := testdb.Start(t, k, testdb.Private())
		_, db := testdb.NewDatabase(t, s)
		_, err := load.Run(t.Context(), db, load.Options{Seed: 1, Transactions: 60, Flavor: k.Flavor(), Domains: 3})
		must(t, err)
		set, err := s.Executed(t.Context())
		must(t, err)
		want := map[testdb.Flavor][2]int{testdb.MySQL: {1, 2}, testdb.MariaDB: {3, 0}}[k.Flavor()]
		domains, tags := 1, 0
		for _, r := range set {
			switch r {
			case ',':
				domains++
			case '_': // of a tag's name
				tags++
			}
		}
		if domains != want[0] || tags != want[1] {
			t.Errorf("%s: executed %q", k, set)
		}
	}
}

// The trigger notes every row once, while rows come from several sides, and
// what is wrong is seen.
func TestWatchLedger(t *testing.T) {
	for _, k := range testdb.Targets() {
		t.Run(string(k), func(t *testing.T) {
			s := testdb.Start(t, k)
			name, db := testdb.NewDatabase(t, s)
			schema, table := "", "ledger"
			if k.Flavor() == testdb.Postgres {
				schema, table = `s"x`, `"s""x".ledger`
				_, err := db.Exec(`CREATE SCHEMA "s""x"`)
				must(t, err)
			}
			_, err := db.Exec("CREATE TABLE " + table + " (writer INT NOT NULL, n BIGINT NOT NULL, PRIMARY KEY (writer, n))")
			must(t, err)
			ctx, cancel := context.WithCancel(t.Context())
			var writers sync.WaitGroup
			started := make(chan struct{}, 4)
			for w := range 4 {
				other, err := s.Open(name)
				must(t, err)
				defer other.Close()
				writers.Go(func() {
					for n := 1; ctx.Err() == nil; n++ {
						if _, err := other.Exec(fmt.Sprintf("INSERT INTO %s VALUES (%d, %d)", table, w, n)); err != nil {
							t.Error(err)
							return
						}
						if n == 20 {
							started <- struct{}{}
						}
					}
				})
			}
			for range 4 {
				<-started
			}
			l, err := load.WatchLedger(t.Context(), db, k.Flavor(), schema)
			must(t, err)
			cancel()
			writers.Wait()
			_, err = db.Exec("INSERT INTO " + table + " VALUES (9, 1), (9, 2), (9, 3)")
			must(t, err)
			c, err := l.Count(t.Context())
			must(t, err)
			if !c.Exact() || c.Inserts < 3 {
				t.Errorf("%+v", c)
			}
			for _, change := range []string{
				"DELETE FROM " + table + " WHERE writer = 9 AND n = 2",
				"INSERT INTO " + table + " VALUES (9, 2)",
			} {
				_, err = db.Exec(change)
				must(t, err)
				if c, err := l.Count(t.Context()); err != nil || c.Exact() {
					t.Errorf("%s: %+v, %v", change, c, err)
				}
			}
		})
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
