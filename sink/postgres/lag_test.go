package postgres_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/rowferry/rowferry"
	"github.com/rowferry/rowferry/internal/connect"
	"github.com/rowferry/rowferry/internal/testdb"
	"github.com/rowferry/rowferry/sink/postgres"
)

// TestLag: none without replicas; that of one which stands still grows, and is gone
// when it goes on. Who may not see it is told.
func TestLag(t *testing.T) {
	server := testdb.Start(t, testdb.Postgres15, testdb.Private(), testdb.Arg("wal_level=replica"))
	database, db := testdb.NewDatabase(t, server)
	if _, err := db.Exec("CREATE TABLE a (id int)"); err != nil {
		t.Fatal(err)
	}
	s := open(t, postgres.Options{Endpoint: endpoint(t, server.URL(database))})
	lag := func() time.Duration {
		t.Helper()
		d, err := s.Lag(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return d
	}
	if d := lag(); d != 0 {
		t.Errorf("without a replica: %s", d)
	}
	standby, err := server.Standby(context.Background(), "standby")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = standby.Close() })
	until := func(what string, is func() bool) {
		t.Helper()
		for begun := time.Now(); !is(); {
			if time.Since(begun) > time.Minute {
				t.Fatalf("waited in vain until %s", what)
			}
			if _, err := db.Exec("INSERT INTO a VALUES (1)"); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := standby.Exec(t.Context(), "SELECT pg_wal_replay_pause()"); err != nil {
		t.Fatal(err)
	}
	until("a replica that stands still is behind", func() bool { return lag() > 2*time.Second })
	if err := standby.Exec(t.Context(), "SELECT pg_wal_replay_resume()"); err != nil {
		t.Fatal(err)
	}
	until("it is not behind any more", func() bool { return lag() < time.Second })

	if err := server.CreateAccount(t.Context(), testdb.Account{User: "ferry", Password: "pw", Plugin: testdb.SCRAM}); err != nil {
		t.Fatal(err)
	}
	e := endpoint(t, strings.Replace(server.URL(database), "postgres@", "ferry@", 1))
	e.User = "ferry"
	e.Password = connect.NewSecret("pw")
	blind := open(t, postgres.Options{Endpoint: e})
	if _, err := blind.Lag(t.Context()); rowferry.CodeOf(err) != rowferry.CodeTargetDenied || !strings.Contains(err.(*rowferry.Error).Remedies[0].Do, `pg_read_all_stats TO "ferry"`) {
		t.Errorf("%v", err)
	}
}
