package testdb_test

import (
	"strings"
	"testing"

	"github.com/rowferry/rowferry/internal/testdb"
)

// A replica has what its primary had when that died, under the primary's GTIDs,
// and goes on from there.
func TestReplica(t *testing.T) {
	for _, k := range testdb.Kinds() {
		t.Run(string(k), func(t *testing.T) {
			t.Parallel()
			ctx := t.Context()
			primary := testdb.Start(t, k, testdb.Private())
			replica := testdb.Start(t, k, testdb.ServerID(2))
			must(t, replica.Follow(ctx, primary))
			must(t, primary.Exec(ctx, "CREATE DATABASE d", "CREATE TABLE d.t (a INT PRIMARY KEY)"))
			writeTagged(t, primary)
			must(t, replica.CatchUp(ctx, primary))
			want, err := primary.Executed(ctx)
			must(t, err)
			must(t, primary.Kill())
			must(t, replica.Promote(ctx))
			has, err := replica.Executed(ctx)
			must(t, err)
			if has != want || strings.Count(want, ",")+strings.Count(want, ":t") != 1 {
				t.Errorf("the primary had %q, the replica has %q", want, has)
			}
			must(t, replica.Exec(ctx, "INSERT INTO d.t VALUES (10)"))
			var n int
			must(t, replica.DB().QueryRow("SELECT COUNT(*) FROM d.t").Scan(&n))
			if n != 3 {
				t.Errorf("%d rows, want 3", n)
			}
		})
	}
}

// writeTagged commits one transaction outside the usual domain, or with a tag,
// and one as usual.
func writeTagged(t *testing.T, s *testdb.Server) {
	t.Helper()
	conn, err := s.DB().Conn(t.Context())
	must(t, err)
	defer conn.Close()
	sets := []string{"SET gtid_next = 'AUTOMATIC:t1'", "SET gtid_next = 'AUTOMATIC'"}
	if s.Kind.Flavor() == testdb.MariaDB {
		sets = []string{"SET gtid_domain_id = 7", "SET gtid_domain_id = 0"}
	}
	for i, set := range sets {
		for _, q := range []string{set, "INSERT INTO d.t VALUES (" + string(rune('1'+i)) + ")"} {
			if _, err := conn.ExecContext(t.Context(), q); err != nil {
				t.Fatalf("%s: %v", q, err)
			}
		}
	}
}

// Without GTIDs, MySQL's log has anonymous transactions only.
func TestWithoutGTIDs(t *testing.T) {
	s := testdb.Start(t, testdb.MySQL97, testdb.WithoutGTIDs())
	must(t, s.Exec(t.Context(), "CREATE DATABASE IF NOT EXISTS nogtid"))
	set, err := s.Executed(t.Context())
	must(t, err)
	var mode string
	must(t, s.DB().QueryRow("SELECT @@gtid_mode").Scan(&mode))
	if set != "" || mode != "OFF" {
		t.Errorf("gtid_mode %s, executed %q", mode, set)
	}
}
