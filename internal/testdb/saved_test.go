package testdb_test

import (
	"testing"

	"github.com/rowferry/rowferry/internal/testdb"
)

// A server is put back as it was saved, as often as one likes.
func TestSaved(t *testing.T) {
	for _, k := range testdb.Targets() {
		t.Run(string(k), func(t *testing.T) {
			t.Parallel()
			s := testdb.Start(t, k, testdb.Private())
			if err := s.Reset(t.Context()); err == nil {
				t.Error("a server that was not saved is reset")
			}
			name, db := testdb.NewDatabase(t, s)
			exec(t, db, "CREATE TABLE t (a INT PRIMARY KEY)", "INSERT INTO t VALUES (1)")
			port := s.Port
			must(t, s.Save(t.Context()))
			for i := range 3 {
				if i == 2 { // and once more, as a crash leaves it
					must(t, s.Reset(t.Context()))
					must(t, s.SaveCrashed(t.Context()))
				}
				must(t, s.Reset(t.Context()))
				again, err := s.Open(name)
				must(t, err)
				var n int
				must(t, again.QueryRow("SELECT COUNT(*) FROM t").Scan(&n))
				exec(t, again, "INSERT INTO t VALUES (2)")
				again.Close()
				if n != 1 || s.Port != port {
					t.Errorf("%d rows on port %d, want 1 on %d", n, s.Port, port)
				}
			}
		})
	}
}
