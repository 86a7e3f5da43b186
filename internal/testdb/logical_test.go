package testdb_test

import (
	"strings"
	"testing"

	"github.com/rowferry/rowferry/internal/testdb"
)

// A logical source keeps its slots, and what is prepared, when it is killed, and
// a database goes with its slots.
func TestLogical(t *testing.T) {
	for _, k := range testdb.Sources() {
		t.Run(string(k), func(t *testing.T) {
			t.Parallel()
			ctx := t.Context()
			s := testdb.Start(t, k, testdb.Private(), testdb.Logical("logical_decoding_work_mem=64kB", "wal_sender_timeout=5s"))
			var name string
			t.Run("in a database", func(t *testing.T) {
				database, pool := testdb.NewDatabase(t, s)
				name = database // looked for when it is gone
				for _, q := range []string{
					"CREATE TABLE t (a int PRIMARY KEY)", "SELECT pg_create_logical_replication_slot('" + name + "', 'pgoutput')",
				} {
					if _, err := pool.Exec(q); err != nil {
						t.Fatal(err)
					}
				}
				before, err := s.Slot(ctx, name)
				if err != nil {
					t.Fatal(err)
				}
				if _, err := pool.Exec("BEGIN; INSERT INTO t VALUES (1); PREPARE TRANSACTION 'p'"); err != nil {
					t.Fatal(err)
				}
				if err := s.SwitchLog(ctx); err != nil {
					t.Fatal(err)
				}
				if err := s.Kill(); err != nil {
					t.Fatal(err)
				}
				if err := s.Restart(ctx); err != nil {
					t.Fatal(err)
				}
				after, err := s.Slot(ctx, name)
				if err != nil || after.Restart != before.Restart || after.Confirmed != before.Confirmed || after.Retained < 1<<20 || after.Status != "reserved" {
					t.Errorf("before %+v, after %+v, error %v", before, after, err)
				}
				again, err := s.Open(name)
				if err != nil {
					t.Fatal(err)
				}
				defer again.Close()
				if _, err := again.Exec("COMMIT PREPARED 'p'"); err != nil {
					t.Error(err)
				}
				var mem, timeout string
				if err := again.QueryRow("SELECT current_setting('logical_decoding_work_mem'), current_setting('wal_sender_timeout')").Scan(&mem, &timeout); err != nil || mem != "64kB" || timeout != "5s" {
					t.Errorf("%q, %q, error %v", mem, timeout, err)
				}
			})
			var left int
			if err := s.DB().QueryRow("SELECT (SELECT COUNT(*) FROM pg_replication_slots) + (SELECT COUNT(*) FROM pg_database WHERE datname = $1)", name).Scan(&left); err != nil || left != 0 {
				t.Errorf("%d slots and databases are left, error %v", left, err)
			}
		})
	}
}

// The least account makes a slot and reads from it, and sees no rows.
func TestReplicator(t *testing.T) {
	for _, k := range testdb.Sources() {
		t.Run(string(k), func(t *testing.T) {
			t.Parallel()
			s := testdb.Start(t, k, testdb.Logical())
			name, db := testdb.NewDatabase(t, s)
			if _, err := db.Exec("CREATE TABLE t (a int PRIMARY KEY)"); err != nil {
				t.Fatal(err)
			}
			a := testdb.Replicator(name)
			if err := s.CreateAccount(t.Context(), a); err != nil {
				t.Fatal(err)
			}
			as, err := s.OpenAs(a, name)
			if err != nil {
				t.Fatal(err)
			}
			defer as.Close()
			if _, err := as.Exec("SELECT pg_create_logical_replication_slot('" + name + "', 'pgoutput')"); err != nil {
				t.Error(err)
			}
			if _, err := as.Exec("SELECT * FROM t"); err == nil || !strings.Contains(err.Error(), "permission denied") {
				t.Errorf("the account reads rows: %v", err)
			}
		})
	}
}
