package postgres_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/rowferry/rowferry"
	"github.com/rowferry/rowferry/internal/testdb"
	"github.com/rowferry/rowferry/sink/postgres"
)

// slowWriter keeps the server's own writer of the log from its work, so that
// what is committed without waiting stays in memory until somebody flushes it.
var slowWriter = []testdb.Option{testdb.Private(), testdb.Arg("wal_writer_delay=10s"), testdb.Arg("wal_writer_flush_after=1GB"), testdb.Arg("autovacuum=off")}

// TestSync: a batch that was committed without waiting for the disk is on it
// after Sync, whoever switched the waiting off, and Sync writes nothing where
// commits wait by themselves.
func TestSync(t *testing.T) {
	server := testdb.Start(t, testdb.Postgres15, slowWriter...)
	lsn := func(what string) (at string) {
		t.Helper()
		if err := server.DB().QueryRow("SELECT pg_current_wal_" + what + "_lsn()").Scan(&at); err != nil {
			t.Fatal(err)
		}
		return at
	}
	durable := func(at string) (yes bool) {
		t.Helper()
		if err := server.DB().QueryRow("SELECT pg_current_wal_flush_lsn() >= $1::pg_lsn", at).Scan(&yes); err != nil {
			t.Fatal(err)
		}
		return yes
	}
	for name, off := range map[string]string{"database": "ALTER DATABASE %s SET synchronous_commit = off", "role": "ALTER ROLE postgres SET synchronous_commit = off"} {
		t.Run(name, func(t *testing.T) {
			database, db := testdb.NewDatabase(t, server)
			for _, q := range []string{strings.ReplaceAll(off, "%s", server.Quote(database)), "CREATE SCHEMA shop", "CREATE TABLE shop.a (id int PRIMARY KEY)"} {
				if _, err := db.Exec(q); err != nil {
					t.Fatal(err)
				}
			}
			defer func() {
				if err := server.Exec(context.Background(), "ALTER ROLE postgres RESET synchronous_commit"); err != nil {
					t.Error(err)
				}
			}()
			s := open(t, postgres.Options{Endpoint: endpoint(t, server.URL(database)), CreateTables: true})
			cp := begun(t, s)
			if err := s.Sync(t.Context()); err != nil { // what was done before
				t.Fatal(err)
			}
			table := keyed("a", col("id", integer, false))
			cp = batch(t, s, cp, inserted(table, i(1)))
			at := lsn("insert")
			if durable(at) {
				t.Fatal("the commit was on disk without Sync: the test shows nothing")
			}
			if err := s.Sync(t.Context()); err != nil {
				t.Fatal(err)
			}
			if !durable(at) {
				t.Errorf("after Sync, the log is on disk up to %s, and the batch up to %s", lsn("flush"), at)
			}
			_ = cp
		})
	}
	t.Run("waiting", func(t *testing.T) {
		database, _ := testdb.NewDatabase(t, server)
		s := open(t, postgres.Options{Endpoint: endpoint(t, server.URL(database)), CreateTables: true})
		begun(t, s)
		if err := s.Sync(t.Context()); err != nil { // its session may note things in the log
			t.Fatal(err)
		}
		before := lsn("insert")
		if err := s.Sync(t.Context()); err != nil {
			t.Fatal(err)
		}
		if after := lsn("insert"); after != before {
			t.Errorf("Sync wrote where every commit waits: %s, then %s", before, after)
		}
	})
}

// TestSyncAfterCrash: a server that lost a batch in a crash is found out, rather
// than made durable as it is.
func TestSyncAfterCrash(t *testing.T) {
	server := testdb.Start(t, testdb.Postgres15, append(slowWriter, testdb.Arg("synchronous_commit=off"))...)
	database, db := testdb.NewDatabase(t, server)
	if _, err := db.Exec("CREATE SCHEMA shop; CREATE TABLE shop.a (id int PRIMARY KEY)"); err != nil {
		t.Fatal(err)
	}
	s := open(t, postgres.Options{Endpoint: endpoint(t, server.URL(database)), CreateTables: true})
	cp := begun(t, s)
	if err := s.Sync(t.Context()); err != nil {
		t.Fatal(err)
	}
	batch(t, s, cp, inserted(keyed("a", col("id", integer, false)), i(1)))
	if err := server.Kill(); err != nil {
		t.Fatal(err)
	}
	if err := server.Restart(context.Background()); err != nil {
		t.Fatal(err)
	}
	err := s.Sync(t.Context())
	for rowferry.CodeOf(err) == rowferry.CodeTargetAway {
		err = s.Sync(t.Context())
	}
	if rowferry.CodeOf(err) != rowferry.CodeTargetLost {
		t.Errorf("Sync after the batch was lost: %v", err)
	}
	var n int
	fresh, ferr := server.Open(database)
	if ferr != nil {
		t.Fatal(ferr)
	}
	defer fresh.Close()
	if err := fresh.QueryRow("SELECT count(*) FROM shop.a").Scan(&n); err != nil || n != 0 {
		t.Errorf("%d rows survived, %v: the test shows nothing", n, err)
	}
}

// begun gives the pipeline a checkpoint.
func begun(t *testing.T, s *postgres.Sink) rowferry.Checkpoint {
	t.Helper()
	cp := rowferry.Checkpoint{Pipeline: "p", Position: "0/1", Start: "0/1", Fence: 1, Sequence: 1, Updated: time.Now().UTC(), Format: rowferry.CheckpointFormat}
	if err := s.WriteCheckpoint(t.Context(), nil, cp); err != nil {
		t.Fatal(err)
	}
	return cp
}

// batch commits one batch.
func batch(t *testing.T, s *postgres.Sink, cp rowferry.Checkpoint, ms ...rowferry.Mutation) rowferry.Checkpoint {
	t.Helper()
	tx, err := s.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := tx.Write(t.Context(), append([]rowferry.Mutation{shaped(ms[0].Table)}, ms...)); err != nil {
		t.Fatal(err)
	}
	cp.Sequence++
	if err := tx.Commit(t.Context(), cp); err != nil {
		t.Fatal(err)
	}
	return cp
}
