package postgres_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rowferry/rowferry"
	"github.com/rowferry/rowferry/internal/faultproxy"
	"github.com/rowferry/rowferry/internal/testdb"
	"github.com/rowferry/rowferry/schema"
	"github.com/rowferry/rowferry/sink/postgres"
)

func within(timeout time.Duration) func(*postgres.Options) {
	return func(o *postgres.Options) { o.Endpoint.Timeout = timeout }
}

// TestLostCommit cuts the connection when COMMIT is on its way: before it
// reaches the server, after it, and while it is still under way when the row
// is read. What is read is what stays.
func TestLostCommit(t *testing.T) {
	server := testdb.Start(t, testdb.Postgres15)
	want := keyed("t", col("id", integer, false))
	const rounds int64 = 4
	for _, c := range []struct {
		name          string
		forward, held bool
	}{{"never arrives", false, false}, {"arrives", true, false}, {"arrives late", true, true}} {
		t.Run(c.name, func(t *testing.T) {
			x := newTargetOn(t, server, nil)
			cut := newCutter(t, endpoint(t, server.URL(x.name)))
			x.sink = x.open(func(o *postgres.Options) {
				o.Endpoint = cut.endpoint()
				o.Endpoint.Timeout = 2 * time.Second
			})
			x.must(x.apply(shaped(want), inserted(want, i(0))))
			for round := range rounds {
				var held chan struct{}
				if c.held {
					held = make(chan struct{})
				}
				cut.arm("COMMIT\x00", c.forward, held)
				before := x.cp
				err := x.apply(inserted(want, i(round+1)))
				wants(t, err, rowferry.CodeTargetAway)
				if held != nil {
					// It waits, at most as long as the server waits for a lock.
					_, err := x.sink.ReadCheckpoint(t.Context(), "p")
					wants(t, err, rowferry.CodeTargetConflict)
					close(held)
				}
				var got *rowferry.Checkpoint
				eventually(t, func() error {
					got, err = x.sink.ReadCheckpoint(t.Context(), "p")
					return err
				})
				arrived := got.Sequence == before.Sequence+1
				if !c.held && arrived != c.forward || got.Sequence > before.Sequence+1 {
					t.Fatalf("round %d: sequence %d after %d", round, got.Sequence, before.Sequence)
				}
				x.cp = *got
				if !arrived {
					x.must(x.apply(inserted(want, i(round+1))))
				}
			}
			x.is(strconv.FormatInt(rounds+1, 10), "SELECT count(*) FROM shop.t")
			if int64(cut.struck) != rounds {
				t.Errorf("%d connections were cut, want %d", cut.struck, rounds)
			}
		})
	}
}

// TestSilentCommit: the batch is committed, and the answer never comes.
func TestSilentCommit(t *testing.T) {
	x := newTarget(t, nil)
	proxy := faultproxy.Start(t, x.server, 1)
	x.sink = x.open(func(o *postgres.Options) {
		o.Endpoint.Host, o.Endpoint.Port, o.Endpoint.Timeout = "127.0.0.1", proxy.Port, 2*time.Second
	})
	want := keyed("t", col("id", integer, false))
	x.must(x.apply(shaped(want)))
	for round, fault := range []faultproxy.CommitFault{faultproxy.StallAnswer, faultproxy.CutAnswer, faultproxy.CutBeforeCommit, faultproxy.CutAfterCommit} {
		proxy.AtCommit(1, fault)
		before := x.cp
		wants(t, x.apply(inserted(want, i(int64(round)))), rowferry.CodeTargetAway)
		eventually(t, func() error {
			cp, err := x.sink.ReadCheckpoint(t.Context(), "p")
			if err == nil {
				x.cp = *cp
			}
			return err
		})
		switch done := x.cp.Sequence == before.Sequence+1; {
		case done != (fault != faultproxy.CutBeforeCommit) && fault != faultproxy.CutAfterCommit:
			t.Errorf("fault %d: sequence %d after %d", fault, x.cp.Sequence, before.Sequence)
		case !done:
			x.must(x.apply(inserted(want, i(int64(round)))))
		}
	}
	x.is("0,1,2,3", "SELECT string_agg(id::text, ',' ORDER BY id) FROM shop.t")
}

// TestFull: a disk without room is no fault of a row's, and passes.
func TestFull(t *testing.T) {
	server := testdb.Start(t, testdb.Postgres15, testdb.SmallDisk(200<<20))
	x := newTargetOn(t, server, within(10*time.Second))
	want := keyed("t", col("id", integer, false), col("b", schema.Type{Kind: schema.Blob}, true))
	x.must(x.apply(shaped(want)))
	x.must(server.FillDisk())
	noise := make([]byte, 4<<20)
	rand.NewChaCha8([32]byte{}).Read(noise)
	err := x.apply(inserted(want, i(1), rowferry.BytesValue(string(noise))))
	if code := rowferry.CodeOf(err); code != rowferry.CodeTargetFull && code != rowferry.CodeTargetAway {
		t.Errorf("got %v", err)
	}
	if r := (*rowferry.Error)(nil); errors.As(err, &r) && r.Mutation != nil {
		t.Errorf("%v blames a row", err)
	}
	x.must(server.FreeDisk())
	eventually(t, func() error { return x.apply(inserted(want, i(1), rowferry.BytesValue(string(noise)))) })
	x.is("4194304", "SELECT length(b) FROM shop.t")
}

// TestAbandonedTransaction is of an engine that stood still with the lock on
// the checkpoint row: another engine gets the row within the timeout, and the
// first one commits nothing afterwards.
func TestAbandonedTransaction(t *testing.T) {
	x := newTarget(t, within(2*time.Second))
	want := keyed("t", col("id", integer, false))
	x.must(x.apply(shaped(want)))
	cut := newCutter(t, endpoint(t, x.server.URL(x.name)))
	stopped := x.open(func(o *postgres.Options) {
		o.Endpoint = cut.endpoint()
		o.Endpoint.Timeout = 2 * time.Second
	})
	tx, err := stopped.Begin(t.Context())
	x.must(err)
	x.must(tx.Write(t.Context(), []rowferry.Mutation{inserted(want, i(1))}))
	held := make(chan struct{})
	cut.arm("COMMIT\x00", true, held)
	wants(t, tx.Commit(t.Context(), x.next()), rowferry.CodeTargetAway)
	x.must(tx.Rollback())
	taken := x.cp
	taken.Fence++
	start, tries := time.Now(), 0
	eventually(t, func() error {
		tries++
		return x.sink.WriteCheckpoint(t.Context(), &x.cp, taken)
	})
	if tries < 2 || time.Since(start) > 30*time.Second {
		t.Errorf("the row was had at try %d after %s", tries, time.Since(start))
	}
	close(held)
	x.is("0", "SELECT count(*) FROM shop.t")
	x.is("2", "SELECT fence FROM rowferry.rowferry_checkpoint")
}

// TestOneAfterTheOther: a batch of an engine that was overtaken while it was
// writing is fenced.
func TestOneAfterTheOther(t *testing.T) {
	x := newTarget(t, nil)
	want := keyed("t", col("id", integer, false))
	x.must(x.apply(shaped(want)))
	tx, err := x.sink.Begin(t.Context())
	x.must(err)
	x.must(tx.Write(t.Context(), []rowferry.Mutation{inserted(want, i(1))}))
	rival, taken := x.open(nil), x.cp
	taken.Fence++
	x.must(rival.WriteCheckpoint(t.Context(), &x.cp, taken))
	wants(t, tx.Commit(t.Context(), x.next()), rowferry.CodeFenced, "fence 2")
	x.must(tx.Rollback())
	x.is("0", "SELECT count(*) FROM shop.t")
}

// TestConnectionLost ends the session at each point of a batch. Nothing is
// written, and the next batch has a session of its own.
func TestConnectionLost(t *testing.T) {
	x := newTarget(t, within(5*time.Second))
	want := keyed("t", col("id", integer, false))
	x.must(x.apply(shaped(want)))
	kill := func() {
		x.exec("SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE application_name = 'rowferry' AND datname = current_database()")
	}
	for at := range 4 {
		strike := func(n int) {
			if n == at {
				kill()
			}
		}
		strike(0)
		tx, err := x.sink.Begin(t.Context())
		if err == nil {
			strike(1)
			if err = tx.Write(t.Context(), []rowferry.Mutation{inserted(want, i(1))}); err == nil {
				strike(2)
				if err = tx.Write(t.Context(), []rowferry.Mutation{inserted(want, i(2))}); err == nil {
					strike(3)
					err = tx.Commit(t.Context(), x.next())
				}
			}
			wants(t, err, rowferry.CodeTargetAway)
			if err := tx.Commit(t.Context(), x.next()); err == nil {
				t.Fatalf("strike %d: a commit after an error was accepted", at)
			}
			x.must(tx.Rollback())
		}
		wants(t, err, rowferry.CodeTargetAway)
		x.is("0", "SELECT count(*) FROM shop.t")
	}
	x.must(x.apply(inserted(want, i(1))))
	x.is("1", "SELECT count(*) FROM shop.t")
}

func TestServerRestart(t *testing.T) {
	server := testdb.Start(t, testdb.Postgres15, testdb.Private())
	x := newTargetOn(t, server, within(5*time.Second))
	want := keyed("t", col("id", integer, false))
	x.must(x.apply(shaped(want), inserted(want, i(1))))
	x.must(server.Kill())
	wants(t, x.apply(inserted(want, i(2))), rowferry.CodeTargetAway)
	x.must(server.Restart(t.Context()))
	eventually(t, func() error { return x.apply(inserted(want, i(2))) })
	cp, err := x.sink.ReadCheckpoint(t.Context(), "p")
	x.must(err)
	if cp.Sequence != x.cp.Sequence {
		t.Errorf("sequence %d, want %d", cp.Sequence, x.cp.Sequence)
	}
}

// TestLocks: another session holds what a batch needs.
func TestLocks(t *testing.T) {
	x := newTarget(t, within(time.Second))
	want := keyed("t", col("id", integer, false), col("a", text, true))
	x.must(x.apply(shaped(want), inserted(want, i(1), null)))
	other, err := x.db.BeginTx(t.Context(), nil)
	x.must(err)
	for _, q := range []string{"UPDATE shop.t SET a = 'theirs' WHERE id = 1", "LOCK TABLE shop.t IN ACCESS EXCLUSIVE MODE"} {
		if _, err := other.ExecContext(t.Context(), q); err != nil {
			t.Fatal(err)
		}
		err := x.apply(updated(want, rowferry.Row{i(1), null}, rowferry.Row{i(1), txt("ours")}))
		wants(t, err, rowferry.CodeTargetConflict, "55P03")
		if r := (*rowferry.Error)(nil); errors.As(err, &r) && r.Mutation != nil {
			t.Errorf("%v blames a row", err)
		}
	}
	x.must(other.Rollback())
	x.must(x.apply(updated(want, rowferry.Row{i(1), null}, rowferry.Row{i(1), txt("ours")})))
}

// TestDeadlock: of two sessions the server ends one; if that is the batch, it
// can be applied again.
func TestDeadlock(t *testing.T) {
	x := newTarget(t, nil)
	want := keyed("t", col("id", integer, false), col("a", text, true))
	x.must(x.apply(shaped(want), inserted(want, i(1), null), inserted(want, i(2), null)))
	set := func(id int64, s string) rowferry.Mutation {
		return updated(want, rowferry.Row{i(id), gone}, rowferry.Row{i(id), txt(s)})
	}
	other, err := x.db.BeginTx(t.Context(), nil)
	x.must(err)
	// The other one waits so long that the batch is what the server ends.
	_, err = other.ExecContext(t.Context(), "SET deadlock_timeout = '1h'")
	x.must(err)
	_, err = other.ExecContext(t.Context(), "UPDATE shop.t SET a = 'theirs' WHERE id = 2")
	x.must(err)
	tx, err := x.sink.Begin(t.Context())
	x.must(err)
	x.must(tx.Write(t.Context(), []rowferry.Mutation{set(1, "ours")}))
	done := make(chan error, 1)
	go func() { // "other"
		_, err := other.ExecContext(t.Context(), "UPDATE shop.t SET a = 'theirs' WHERE id = 1")
		done <- errors.Join(err, other.Rollback())
	}()
	for x.one("SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()") == "0" {
	}
	wants(t, tx.Write(t.Context(), []rowferry.Mutation{set(2, "ours")}), rowferry.CodeTargetConflict, "40P01")
	x.must(tx.Rollback())
	x.must(<-done)
	x.must(x.apply(set(1, "ours"), set(2, "ours")))
}

// TestCancelled: a context that ends in the middle of a statement leaves
// nothing behind, on the server neither.
func TestCancelled(t *testing.T) {
	x := newTarget(t, nil)
	want := keyed("t", col("id", integer, false))
	x.must(x.apply(shaped(want), inserted(want, i(1))))
	other, err := x.db.BeginTx(t.Context(), nil)
	x.must(err)
	_, err = other.ExecContext(t.Context(), "DELETE FROM shop.t")
	x.must(err)
	tx, err := x.sink.Begin(t.Context())
	x.must(err)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- tx.Write(ctx, []rowferry.Mutation{inserted(want, i(2)), deleted(want, i(1))}) }() // "writer"
	const waiting = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
	for x.one(waiting) == "0" {
	}
	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want %v", err, context.Canceled)
	}
	x.must(tx.Rollback())
	for x.one(waiting) != "0" {
	}
	x.must(other.Rollback())
	x.must(x.apply(inserted(want, i(3))))
	x.is("1,3", "SELECT string_agg(id::text, ',' ORDER BY id) FROM shop.t")
}

// TestReadOnlyTarget: what turns read-only is let go of, since another server
// may answer to its name by now.
func TestReadOnlyTarget(t *testing.T) {
	x := newTarget(t, nil)
	want := keyed("t", col("id", integer, false))
	x.must(x.apply(shaped(want)))
	x.exec("ALTER DATABASE " + x.name + " SET default_transaction_read_only = on")
	x.exec("SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE application_name = 'rowferry' AND datname = current_database()")
	wants(t, x.apply(inserted(want, i(1))), rowferry.CodeTargetAway)
	wants(t, x.apply(inserted(want, i(1))), rowferry.CodeTargetReadOnly)
	findings, err := x.sink.Examine(t.Context())
	x.must(err)
	wants(t, failure(findings), rowferry.CodeTargetReadOnly)
	if _, err := x.server.DB().ExecContext(t.Context(), "ALTER DATABASE "+x.name+" RESET default_transaction_read_only"); err != nil {
		t.Fatal(err)
	}
	eventually(t, func() error { return x.apply(inserted(want, i(1))) })
}

func failure(findings []rowferry.Finding) error {
	for _, f := range findings {
		if err := f.Err(); err != nil {
			return err
		}
	}
	return nil
}

// TestTooLarge: a key beyond what PostgreSQL can index.
func TestTooLarge(t *testing.T) {
	x := newTarget(t, nil)
	want := keyed("t", col("k", text, false))
	want.Columns[0].Type.Length = 4000
	x.must(x.apply(shaped(want)))
	var b strings.Builder
	for n := range 4000 {
		b.WriteRune(rune(0x4e00 + n*7919%20000)) // too varied to be compressed
	}
	err := x.apply(inserted(want, txt(b.String())))
	wants(t, err, rowferry.CodeOutOfRange, "index row")
	refusal(t, err)
}

// TestSchemaChangedByOthers: what is remembered of a table ends when somebody
// else changes it.
func TestSchemaChangedByOthers(t *testing.T) {
	x := newTarget(t, nil)
	want := keyed("t", col("id", integer, false), col("at", text, true))
	for _, c := range []struct {
		change, back string
		code         rowferry.Code
	}{
		{"ALTER TABLE shop.t ALTER at TYPE varchar(5)", "ALTER TABLE shop.t ALTER at TYPE varchar(40)", rowferry.CodeTableDiffers},
		{"ALTER TABLE shop.t DROP at", "ALTER TABLE shop.t ADD at varchar(40)", rowferry.CodeTableDiffers},
		{"CREATE RULE r AS ON DELETE TO shop.t DO INSTEAD NOTHING", "DROP RULE r ON shop.t", rowferry.CodeTableDiffers},
		{"CREATE TRIGGER tr BEFORE UPDATE ON shop.t FOR EACH ROW EXECUTE FUNCTION suppress_redundant_updates_trigger()", "DROP TRIGGER tr ON shop.t", rowferry.CodeTriggers},
		{"ALTER TABLE shop.t SET UNLOGGED", "ALTER TABLE shop.t SET LOGGED", rowferry.CodeTableDiffers},
		{"ALTER TABLE shop.t RENAME TO u", "ALTER TABLE shop.u RENAME TO t", rowferry.CodeTableDiffers},
	} {
		x.must(x.apply(shaped(want), inserted(want, i(1), null), deleted(want, i(1), null)))
		x.exec(c.change)
		wants(t, x.apply(inserted(want, i(1), null)), c.code)
		x.exec(c.back)
	}
	x.must(x.apply(inserted(want, i(1), null)))
	// What does not matter is not even looked at again.
	x.exec("ANALYZE shop.t", "VACUUM shop.t", "ALTER TABLE shop.t ADD own text")
	x.must(x.apply(inserted(want, i(2), null)))
}
