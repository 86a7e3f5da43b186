package postgres

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/rowferry/rowferry"
	"github.com/rowferry/rowferry/internal/testdb"
	"github.com/rowferry/rowferry/source/sourcetest"
)

// slotSays is a condition on the pipeline's slot.
func (p *place) slotSays(format string, args ...any) string {
	return fmt.Sprintf("SELECT %s FROM pg_replication_slots WHERE slot_name = '%s'", fmt.Sprintf(format, args...), NameOf(p.name))
}

// senderSays is a condition on the server's process that sends the log.
func (p *place) senderSays(format string, args ...any) string {
	return fmt.Sprintf("SELECT %s FROM pg_stat_replication r JOIN pg_replication_slots s ON s.active_pid = r.pid WHERE slot_name = '%s'",
		fmt.Sprintf(format, args...), NameOf(p.name))
}

// A reader that is closed after each transaction, and opened again where that
// ended, reads each of them once, and leaves the slot there and free (P8).
func TestRestartAfterEach(t *testing.T) {
	eachServer(t, func(t *testing.T, k testdb.Kind) {
		t.Parallel()
		p := newPlace(t, k, streaming)
		p.run("CREATE TABLE t (id int PRIMARY KEY, v text)")
		start := p.begun(p.pipe())
		const count = 12
		for i := range count {
			p.run(fmt.Sprintf("INSERT INTO t SELECT %d + g, repeat('x', 300) FROM generate_series(1, %d) g", 1000*i, 1+i%3*300))
		}
		m := replica{}
		for i := range count {
			r := p.following(start)
			var got []*rowferry.Tx
			for len(got) == 0 || !got[len(got)-1].Last {
				got = append(got, take(t, r, 1)...)
			}
			txs := sourcetest.Join(got, start.Tables)
			if len(txs) != 1 {
				t.Fatalf("%d transactions", len(txs))
			}
			m.apply(t, txs)
			if len(m["t"]) == 0 || m["t"][int64(1000*i+1)] == nil {
				t.Fatalf("transaction %d is not the one that follows: %s", i, txs[0].ID)
			}
			r.Ack(txs[0].Position)
			if err := r.Close(); err != nil {
				t.Fatal(err)
			}
			if free := p.ask(p.slotSays("NOT active AND confirmed_flush_lsn = '%s'", txs[0].Position)); free != "true" {
				t.Fatalf("after Close the slot is at %s, want %s, and free", p.ask(p.slotSays("confirmed_flush_lsn || ' ' || active")), txs[0].Position)
			}
			start.Position, start.Tables = txs[0].Position, txs[0].Tables
		}
		m.compare(t, p.db, "t")
	})
}

// The server keeps what was not acknowledged, whatever was read, and is told
// what was read all the same (P6, P7, P11).
func TestAck(t *testing.T) {
	eachServer(t, func(t *testing.T, k testdb.Kind) {
		t.Parallel()
		p := newPlace(t, k)
		p.run("CREATE TABLE t (id int PRIMARY KEY)\nCREATE TABLE other (id serial PRIMARY KEY, v text)")
		begin := p.begun(p.pipe())
		r := p.following(rowferry.Start{}, func(o *Options) { o.Scope = only("t") })
		p.run("INSERT INTO t VALUES (1)\nINSERT INTO t VALUES (2)\nINSERT INTO t VALUES (3)\nINSERT INTO other (v) VALUES ('x')")
		txs := take(t, r, 3)
		p.await(p.senderSays("write_lsn >= '%s'", txs[2].Position))
		if ok := p.ask(p.slotSays("confirmed_flush_lsn = '%s'", begin.Position)); ok != "true" {
			t.Errorf("nothing was acknowledged, and the slot is at %s, not %s", p.ask(p.slotSays("confirmed_flush_lsn")), begin.Position)
		}
		r.Ack(txs[1].Position)
		r.Ack(txs[0].Position) // and never back
		r.Ack("none of ours")
		p.await(p.slotSays("confirmed_flush_lsn = '%s'", txs[1].Position))
		p.await(p.senderSays("flush_lsn = '%s' AND replay_lsn = flush_lsn", txs[1].Position))
		r.Ack(txs[2].Position)
		p.await(p.slotSays("confirmed_flush_lsn = '%s'", txs[2].Position))
	})
}

// A server that gives up after two seconds hears from us though nobody reads,
// with more on its way than the network holds (P14).
func TestSlowTarget(t *testing.T) {
	eachServer(t, func(t *testing.T, k testdb.Kind) {
		t.Parallel()
		p := newPlace(t, k, testdb.Arg("wal_sender_timeout=2s"))
		p.run("CREATE TABLE t (id int PRIMARY KEY, v text)")
		p.begun(p.pipe())
		r := p.following(rowferry.Start{})
		p.run("INSERT INTO t SELECT g, repeat('x', 1000) FROM generate_series(1, 30000) g")
		var chunks []*rowferry.Tx
		for n := 0; n < 2; n++ { // the second is not the last
			tx, err := r.Next(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if chunks = append(chunks, tx); tx.Last {
				n = -1 // the log went on while the transaction was being written
			}
		}
		p.await(p.senderSays("reply_time - backend_start > interval '7 s'"))
		chunks = append(chunks, take(t, r, 1)...)
		m := replica{}
		m.apply(t, sourcetest.Join(chunks, nil))
		m.compare(t, p.db, "t")
	})
}

// Where there is nothing for us, the log is followed all the same: an empty
// transaction says how far, and the slot goes there (P9). A transaction that is
// not committed yet holds that up.
func TestIdle(t *testing.T) {
	eachServer(t, func(t *testing.T, k testdb.Kind) {
		t.Parallel()
		p := newPlace(t, k, streaming)
		p.run("CREATE TABLE t (id int PRIMARY KEY, v text)\nCREATE TABLE other (id serial PRIMARY KEY, v text)")
		o := func(o *Options) { o.Scope = only("t") }
		pipe := p.pipe()
		o(&pipe)
		p.begun(pipe)
		r := p.following(rowferry.Start{}, o)
		const noTransaction = "SELECT pg_logical_emit_message(false, '', repeat('x', 3000000))"
		p.run("INSERT INTO t VALUES (1, 'one')")
		first := take(t, r, 1)[0]
		p.ask(noTransaction)
		idle := take(t, r, 1)[0]
		if !strings.HasPrefix(idle.ID, "idle") || len(idle.Changes) > 0 || idle.CommitTime.IsZero() || idle.Lineage != first.Lineage || idle.Log != string(idle.Position) {
			t.Errorf("an idle log gives %+v", idle)
		}
		if ahead := p.ask(fmt.Sprintf("SELECT '%s'::pg_lsn - '%s'::pg_lsn > %d", idle.Position, first.Position, idleBytes)); ahead != "true" {
			t.Errorf("it went from %s to %s", first.Position, idle.Position)
		}
		r.Ack(idle.Position)
		p.await(p.slotSays("confirmed_flush_lsn = '%s'", idle.Position))

		open, err := p.db.BeginTx(t.Context(), nil)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := open.ExecContext(t.Context(), "INSERT INTO t SELECT g, repeat('x', 500) FROM generate_series(100, 700) g"); err != nil {
			t.Fatal(err)
		}
		p.ask(noTransaction)
		now := p.ask("SELECT pg_current_wal_flush_lsn()")
		read := make(chan []*rowferry.Tx)
		go func() {
			var txs []*rowferry.Tx
			for n := 0; n == 0; {
				tx, err := r.Next(context.Background())
				if err != nil {
					t.Error(err)
					break
				}
				txs, n = append(txs, tx), len(tx.Changes)
			}
			read <- txs
		}()
		p.await(p.senderSays("write_lsn >= '%s'", now))
		told := p.ask(p.senderSays("reply_time"))
		p.await(p.senderSays("reply_time > '%s'::timestamptz + 3 * interval '%s'", told, idlePause))
		p.run("INSERT INTO t VALUES (2, 'two')")
		for _, tx := range <-read {
			if strings.HasPrefix(tx.ID, "idle") {
				t.Errorf("beside an open transaction there is %+v", tx)
			}
		}
		if err := open.Commit(); err != nil {
			t.Fatal(err)
		}
		if third := take(t, r, 1); len(third[len(third)-1].Changes) == 0 {
			t.Error("the open transaction was not read")
		}
	})
}

// A context that ends while the server has nothing ends the call and no more.
func TestCancelWaiting(t *testing.T) {
	t.Parallel()
	p := newPlace(t, testdb.Postgres15)
	p.run("CREATE TABLE t (id int PRIMARY KEY)")
	p.begun(p.pipe())
	r := p.following(rowferry.Start{})
	for i := range 3 {
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() {
			_, err := r.Next(ctx)
			ended <- err
		}()
		for tick := time.NewTicker(time.Millisecond); r.CaughtUp().IsZero(); <-tick.C {
		}
		cancel()
		if err := <-ended; !errors.Is(err, context.Canceled) {
			t.Fatal(err)
		}
		p.run(fmt.Sprintf("INSERT INTO t VALUES (%d)", i))
		if tx := take(t, r, 1)[0]; len(tx.Changes) == 0 {
			t.Errorf("after a cancelled call there is %+v", tx)
		}
	}
}

// What a reader says of where it is: caught up or not, and how far of how much.
func TestProgress(t *testing.T) {
	t.Parallel()
	p := newPlace(t, testdb.Postgres15)
	p.run("CREATE TABLE t (id int PRIMARY KEY)")
	p.begun(p.pipe())
	p.run("INSERT INTO t VALUES (1)\nINSERT INTO t VALUES (2)")
	r := p.open(rowferry.Start{})
	if done, total := r.Progress(); done != 0 || total <= 0 {
		t.Errorf("before it read it had %d of %d", done, total)
	}
	last := all(t, r)[1]
	if done, total := r.Progress(); done != total {
		t.Errorf("at the end it had %d of %d", done, total)
	}
	f := p.following(rowferry.Start{Position: last.Position, Lineage: last.Lineage})
	if got, err := f.Lineage(t.Context()); got != last.Lineage || err != nil {
		t.Errorf("the lineage is %q, %v, want %q", got, err, last.Lineage)
	}
	if f.Begin() != last.Position || !f.CaughtUp().IsZero() {
		t.Errorf("it begins at %s, caught up at %s", f.Begin(), f.CaughtUp())
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := f.Next(t.Context()); err == nil || errors.Is(err, io.EOF) {
		t.Errorf("after Close: %v", err)
	}
}

// A bounded log ends with the last transaction within its bounds, whether they
// are a place, a time or the end of now, streamed or not.
func TestUntil(t *testing.T) {
	eachServer(t, func(t *testing.T, k testdb.Kind) {
		t.Parallel()
		p := newPlace(t, k, streaming, testdb.Arg("track_commit_timestamp=on"))
		p.run("CREATE TABLE t (id int PRIMARY KEY, v text)")
		p.begun(p.pipe())
		const large = "INSERT INTO t SELECT g, repeat('x', 500) FROM generate_series(%[1]d, %[1]d + 400) g"
		p.run("INSERT INTO t VALUES (1, '')\n" + fmt.Sprintf(large, 1000))
		p.await("SELECT clock_timestamp() > max(pg_xact_commit_timestamp(xmin)) + interval '2 ms' FROM t")
		now := p.ask(`SELECT to_char(clock_timestamp(), 'YYYY-MM-DD"T"HH24:MI:SS.USTZH:TZM')`)
		here := p.ask("SELECT pg_current_wal_flush_lsn()")
		p.run("INSERT INTO t VALUES (2, '')\n" + fmt.Sprintf(large, 2000))
		for what, want := range map[string]struct {
			o func(*Options)
			n int
		}{
			"a place":    {func(o *Options) { o.Once, o.Until = false, here }, 2},
			"a time":     {func(o *Options) { o.Once, o.Until = false, now }, 2},
			"now":        {func(o *Options) { o.Once = true }, 4},
			"an old day": {func(o *Options) { o.Once, o.Until = false, "2001-01-01T00:00:00Z" }, 0},
		} {
			if got := len(p.log(want.o)); got != want.n {
				t.Errorf("until %s there are %d transactions, want %d", what, got, want.n)
			}
		}
	})
}
