package mysql_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/rowferry/rowferry"
	"github.com/rowferry/rowferry/internal/connect"
	"github.com/rowferry/rowferry/internal/testdb"
	"github.com/rowferry/rowferry/sink/mysql"
)

func code(t *testing.T, err error, want rowferry.Code) {
	t.Helper()
	if rowferry.CodeOf(err) != want {
		t.Errorf("got %v, want %s", err, want)
	}
}

// short makes a sink that waits for two seconds, and so for a lock for one.
func short(o *mysql.Options) { o.Endpoint.Timeout = 2 * time.Second }

// TestConflicts: a row that another transaction holds is waited for, a deadlock
// is told, and the whole batch is as if it had never been.
func TestConflicts(t *testing.T) {
	onEach(t, func(t *testing.T, server *testdb.Server) {
		name, db := testdb.NewDatabase(t, server)
		sink := open(t, server, name, short)
		defer sink.Close()
		table := keyed("t", col("id", integer), col("s", text))
		p := begin(t, sink)
		p.must(shaped(table), inserted(table, i(1), s("a")), inserted(table, i(2), s("b")))
		change := func(id int64, to string) rowferry.Mutation {
			return updated(table, rowferry.Row{i(id), gone}, rowferry.Row{gone, s(to)})
		}

		other := transaction(t, db, "UPDATE t SET s = 'held' WHERE id = 2")
		err := p.try(change(1, "mine"), change(2, "mine"))
		code(t, err, rowferry.CodeTargetConflict)
		if got := one(t, db, "SELECT s FROM t WHERE id = 1"); got != "a" {
			t.Errorf("a part of the batch is left: %s", got)
		}

		// A deadlock: we hold 1 and want 2, the other holds 2 and wants 1.
		tx, err := sink.Begin(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if err := tx.Write(t.Context(), []rowferry.Mutation{change(1, "mine")}); err != nil {
			t.Fatal(err)
		}
		done := make(chan error, 1)
		go func() {
			_, err := other.Exec("UPDATE t SET s = 'theirs' WHERE id = 1")
			done <- errors.Join(err, other.Rollback())
		}()
		err = tx.Write(t.Context(), []rowferry.Mutation{change(2, "mine")})
		if err != nil { // the server may choose the other
			code(t, err, rowferry.CodeTargetConflict)
		}
		if err := tx.Rollback(); err != nil {
			t.Error(err)
		}
		if theirs := <-done; (err == nil) == (theirs == nil) {
			t.Errorf("ours %v, theirs %v: one must give way", err, theirs)
		}
		p.must(change(1, "mine"), change(2, "mine"))
	})
}

func transaction(t *testing.T, db *sql.DB, statements ...string) *sql.Tx {
	t.Helper()
	tx, err := db.Begin()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = tx.Rollback() })
	mustExec(t, tx, statements...)
	return tx
}

// TestLostConnections: at whatever statement the server lets go of the
// connection, nothing of the batch is in the target unless the checkpoint says
// so, and the next batch has a connection again.
func TestLostConnections(t *testing.T) {
	onEach(t, func(t *testing.T, server *testdb.Server) {
		name, db := testdb.NewDatabase(t, server)
		kill := func() {
			id := one(t, db, "SELECT COALESCE(MAX(ID), 0) FROM information_schema.PROCESSLIST WHERE USER = 'writer'")
			mustExec(t, db, "KILL CONNECTION "+id)
			for one(t, db, "SELECT COUNT(*) FROM information_schema.PROCESSLIST WHERE ID = "+id) != "0" {
				continue // the server says when it is gone
			}
		}
		makeUser(t, db, "writer", "pw", "ALL ON *.*")
		sink := open(t, server, name, func(o *mysql.Options) {
			short(o)
			o.Endpoint.User, o.Endpoint.Password = "writer", connect.NewSecret("pw")
		})
		defer sink.Close()
		table := keyed("t", col("id", integer))
		p := begin(t, sink)
		p.must(shaped(table))
		for n, where := range []string{"before the batch", "before a statement", "before the commit"} {
			rows := []rowferry.Mutation{inserted(table, i(int64(10*n))), inserted(table, i(int64(10*n+1)))}
			if n == 0 {
				kill()
				p.must(rows...) // nothing was under way
				continue
			}
			tx, err := sink.Begin(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if err := tx.Write(t.Context(), rows[:1]); err != nil {
				t.Fatal(err)
			}
			next := p.cp
			next.Sequence++
			if n == 1 {
				kill()
				code(t, tx.Write(t.Context(), rows[1:]), rowferry.CodeTargetAway)
			} else {
				kill()
				code(t, tx.Commit(t.Context(), next), rowferry.CodeTargetAway)
			}
			if err := tx.Rollback(); err != nil {
				t.Error(err)
			}
			got, err := sink.ReadCheckpoint(t.Context(), "p")
			if err != nil || got.Sequence != p.cp.Sequence {
				t.Fatalf("%s: checkpoint %+v, %v", where, got, err)
			}
			if n := one(t, db, fmt.Sprintf("SELECT COUNT(*) FROM t WHERE id >= %d", 10*n)); n != "0" {
				t.Errorf("%s: %s rows are left", where, n)
			}
			p.must(rows...)
		}
	})
}

// TestCheckpointIsWaitedFor: a transaction that has changed the row may still
// commit, so its end is waited for, and no longer than told.
func TestCheckpointIsWaitedFor(t *testing.T) {
	onEach(t, func(t *testing.T, server *testdb.Server) {
		name, db := testdb.NewDatabase(t, server)
		sink := open(t, server, name, short)
		defer sink.Close()
		p := begin(t, sink)
		other := transaction(t, db, "UPDATE rowferry_checkpoint SET sequence = 1")
		_, err := sink.ReadCheckpoint(t.Context(), "p")
		code(t, err, rowferry.CodeTargetConflict)
		all, err := sink.ListCheckpoints(t.Context())
		if err != nil || len(all) != 1 || all[0].Sequence != 0 {
			t.Errorf("listed %+v, %v", all, err)
		}
		code(t, p.try(), rowferry.CodeTargetConflict)
		if err := other.Commit(); err != nil {
			t.Fatal(err)
		}
		got, err := sink.ReadCheckpoint(t.Context(), "p")
		if err != nil || got.Sequence != 1 {
			t.Errorf("read %+v, %v", got, err)
		}
		code(t, p.try(), rowferry.CodeFenced)
	})
}

// TestAbandoned: the transaction of an engine that was stopped ends by itself,
// and the successor gets the row.
func TestAbandoned(t *testing.T) {
	onEach(t, func(t *testing.T, server *testdb.Server) {
		name, _ := testdb.NewDatabase(t, server)
		stopped := open(t, server, name, short)
		t.Cleanup(func() { _ = stopped.Close() }) // again, where the test fails before
		p := begin(t, stopped)
		table := keyed("t", col("id", integer))
		p.must(shaped(table), inserted(table, i(1)))
		tx, err := stopped.Begin(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if err := tx.Write(t.Context(), []rowferry.Mutation{deleted(table, i(1))}); err != nil {
			t.Fatal(err)
		}
		successor := open(t, server, name, func(o *mysql.Options) { o.Endpoint.Timeout = 10 * time.Second })
		defer successor.Close()
		q := &pipeline{t: t, sink: successor, cp: p.cp}
		q.cp.Fence++
		if err := successor.WriteCheckpoint(t.Context(), &p.cp, q.cp); err != nil {
			t.Fatal(err)
		}
		q.must(deleted(table, i(1))) // waits for the lock until the server gives up on the other
		err = tx.Commit(t.Context(), p.cp)
		if err == nil {
			t.Error("the stopped engine committed")
		}
		if err := errors.Join(tx.Rollback(), stopped.Close()); err != nil {
			t.Error(err)
		}
	})
}

func makeUser(t *testing.T, db *sql.DB, user, password, grant string) {
	t.Helper()
	mustExec(t, db, fmt.Sprintf("CREATE USER `%s`@'%%' IDENTIFIED BY '%s'", user, password))
	if grant != "" {
		mustExec(t, db, fmt.Sprintf("GRANT %s TO `%s`@'%%'", grant, user))
	}
	t.Cleanup(func() {
		// A test may have killed the server.
		_, _ = db.Exec(fmt.Sprintf("DROP USER `%s`@'%%'", user))
	})
}

// TestServerRefusals: what the server says is told with its own code, and never
// with the password.
func TestServerRefusals(t *testing.T) {
	const canary = "canary-7f3a"
	onEach(t, func(t *testing.T, server *testdb.Server) {
		name, db := testdb.NewDatabase(t, server)
		table := keyed("t", col("id", integer))
		p := begin(t, open(t, server, name, nil))
		defer p.sink.Close()
		p.must(shaped(table))

		login := func(user, password string) (*mysql.Sink, error) {
			o := mysql.DefaultOptions()
			o.Endpoint = endpoint(t, server, name)
			o.Endpoint.User, o.Endpoint.Password = user, connect.NewSecret(password)
			s, err := mysql.Open(context.Background(), o)
			if err != nil && strings.Contains(fmt.Sprintf("%v %+v", err, err), canary) {
				t.Errorf("the password is in %v", err)
			}
			return s, err
		}
		_, err := login("nobody", canary)
		code(t, err, rowferry.CodeTargetDenied)

		const user = "poor"
		makeUser(t, db, user, canary, "SELECT, UPDATE ON `"+name+"`.*")
		poor, err := login(user, canary)
		if err != nil {
			t.Fatal(err)
		}
		q := &pipeline{t: t, sink: poor, cp: p.cp}
		code(t, q.try(inserted(table, i(1))), rowferry.CodeTargetDenied)
		findings, err := poor.Examine(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		var said string
		for _, f := range findings {
			if f.Level == rowferry.Failed {
				said += f.Err().Error() + fmt.Sprint(f.Remedies)
			}
		}
		lacks := "INSERT, DELETE, TRIGGER, CREATE, ALTER, REFERENCES"
		if server.Kind.Flavor() == testdb.MariaDB {
			lacks = "INSERT, DELETE, CREATE, ALTER"
		}
		if !strings.Contains(said, "GRANT "+lacks+" ON `"+name+"`.* TO `"+user+"`@`%`") {
			t.Errorf("the examination says %s", said)
		}
		if err := poor.Close(); err != nil {
			t.Error(err)
		}

		findings, err = p.sink.Examine(t.Context())
		for _, f := range findings {
			if f.Level == rowferry.Failed {
				t.Errorf("root's examination: %v", f.Err())
			}
		}
		if err != nil || len(findings) < 6 {
			t.Errorf("%d findings, %v", len(findings), err)
		}
	})
}

// TestReadOnlyServer: a target that takes no writes is told as such, and is
// waited for by whoever asks again.
func TestReadOnlyServer(t *testing.T) {
	onEach(t, func(t *testing.T, _ *testdb.Server) {
		kind := testdb.Kind(t.Name()[strings.LastIndex(t.Name(), "/")+1:])
		server := testdb.Start(t, kind, testdb.Private())
		name, db := testdb.NewDatabase(t, server)
		makeUser(t, db, "w", "pw", "SELECT, INSERT, UPDATE, DELETE, CREATE ON *.*")
		sink := open(t, server, name, func(o *mysql.Options) { o.Endpoint.User, o.Endpoint.Password = "w", connect.NewSecret("pw") })
		defer sink.Close()
		table := keyed("t", col("id", integer))
		p := begin(t, sink)
		p.must(shaped(table))
		mustExec(t, db, "SET GLOBAL read_only = ON")
		code(t, p.try(inserted(table, i(1))), rowferry.CodeTargetReadOnly)
		_, err := sink.ReadCheckpoint(t.Context(), "p") // which cannot be locked now
		code(t, err, rowferry.CodeTargetReadOnly)
		looker := open(t, server, name, func(o *mysql.Options) { o.ReadOnly = true })
		if cp, err := looker.ReadCheckpoint(t.Context(), "p"); err != nil || cp == nil {
			t.Errorf("looking only: %+v, %v", cp, err)
		}
		if err := looker.Close(); err != nil {
			t.Error(err)
		}
		mustExec(t, db, "SET GLOBAL read_only = OFF")
		p.must(inserted(table, i(1)))

		mustExec(t, db, "SET GLOBAL max_connections = 10")
		var held []*mysql.Sink
		for {
			o := mysql.DefaultOptions()
			o.Endpoint = endpoint(t, server, name)
			o.Endpoint.User, o.Endpoint.Password = "w", connect.NewSecret("pw")
			s, err := mysql.Open(t.Context(), o)
			if err != nil {
				code(t, err, rowferry.CodeTargetAway)
				break
			}
			held = append(held, s)
		}
		for _, s := range held {
			if err := s.Close(); err != nil {
				t.Error(err)
			}
		}
		if err := server.Kill(); err != nil {
			t.Fatal(err)
		}
		code(t, p.try(inserted(table, i(2))), rowferry.CodeTargetAway)
	})
}

// TestPackets: a value larger than a packet is refused by name.
func TestPackets(t *testing.T) {
	for _, k := range testdb.Kinds() {
		t.Run(string(k), func(t *testing.T) {
			server := testdb.Start(t, k, testdb.Arg("max_allowed_packet=1M"))
			name, _ := testdb.NewDatabase(t, server)
			sink := open(t, server, name, nil)
			defer sink.Close()
			long := text
			long.Kind, long.Length = text.Kind+1, 0 // Text
			table := keyed("t", col("id", integer), col("s", long), col("s2", long))
			p := begin(t, sink)
			fits := s(strings.Repeat("x", 900<<10))
			p.must(shaped(table), inserted(table, i(1), fits, fits), inserted(table, i(2), fits, null))
			wants(t, p.try(inserted(table, i(3), null, s(strings.Repeat("x", 1<<20)))), rowferry.CodeOutOfRange, "s2", "max_allowed_packet")
		})
	}
}

// TestTLS: a server that offers none, or whose certificate nobody vouches for,
// gets no password.
func TestTLS(t *testing.T) {
	onEach(t, func(t *testing.T, server *testdb.Server) {
		o := mysql.DefaultOptions()
		o.Endpoint = endpoint(t, server, "")
		o.Endpoint.TLS.Mode = connect.TLSVerifyFull
		_, err := mysql.Open(t.Context(), o)
		code(t, err, rowferry.CodeBadTLS)
	})
}
