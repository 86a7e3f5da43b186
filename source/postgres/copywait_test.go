package postgres

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/rowferry/rowferry"
	"github.com/rowferry/rowferry/internal/testdb"
)

// warnings are the messages that a copy logs.
type warnings struct {
	slog.Handler
	told chan string
}

func (w warnings) Enabled(context.Context, slog.Level) bool { return true }

func (w warnings) Handle(_ context.Context, r slog.Record) error {
	text := r.Message
	r.Attrs(func(a slog.Attr) bool {
		text += fmt.Sprintf(" %s=%s", a.Key, a.Value)
		return true
	})
	w.told <- text
	return nil
}

// held has a transaction wait between its commit record and the moment in which
// it can be seen, for a standby that never comes, and returns a place in the log
// behind the record, and what lets it go on.
func (p *place) held(statements ...string) (from rowferry.Position, process string, release func()) {
	p.t.Helper()
	p.exec("ALTER SYSTEM SET synchronous_standby_names = 'nobody'", "SELECT pg_reload_conf()")
	p.await("SELECT setting = 'nobody' FROM pg_settings WHERE name = 'synchronous_standby_names'")
	p.awaitStandbys()
	p.t.Cleanup(func() { // or dropping the database would wait
		if err := p.server.Exec(context.Background(), "ALTER SYSTEM RESET synchronous_standby_names", "SELECT pg_reload_conf()"); err != nil {
			p.t.Error(err)
		}
	})
	done := make(chan error, 1)
	go func() {
		conn, err := p.db.Conn(context.WithoutCancel(p.t.Context()))
		for _, q := range statements {
			if err == nil {
				_, err = conn.ExecContext(context.WithoutCancel(p.t.Context()), q)
			}
		}
		done <- err
	}()
	p.await("SELECT count(*) = 1 FROM pg_stat_activity WHERE wait_event = 'SyncRep'")
	process = p.ask("SELECT pid FROM pg_stat_activity WHERE wait_event = 'SyncRep'")
	return rowferry.Position(p.ask("SELECT pg_current_wal_flush_lsn()")), process, func() {
		p.t.Helper()
		p.exec("SELECT pg_cancel_backend(" + process + ")")
		if err := <-done; err != nil {
			p.t.Fatal(err)
		}
	}
}

// awaitStandbys returns when commits wait for standbys: the checkpointer tells
// sessions so, which may have read the setting before it did.
func (p *place) awaitStandbys() {
	p.t.Helper()
	for waits := false; !waits; {
		done := make(chan error, 1)
		go func() {
			_, err := p.db.ExecContext(context.WithoutCancel(p.t.Context()), "SELECT pg_logical_emit_message(true, 'probe', '')")
			done <- err
		}()
		for len(done) == 0 {
			if p.ask("SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'SyncRep'") != "0" {
				waits = true
				p.exec("SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE wait_event = 'SyncRep'")
			}
		}
		if err := <-done; err != nil {
			p.t.Fatal(err)
		}
	}
}

// A transaction that is in the log before From, and cannot be seen yet, is waited
// for: neither a chunk nor the log would have its rows (M46, C12).
func TestCopyWaitsForWhatCannotBeSeenYet(t *testing.T) {
	eachServer(t, func(t *testing.T, k testdb.Kind) {
		for name, statements := range map[string][]string{
			"commit":   {"INSERT INTO a VALUES (2)"},
			"prepared": {"BEGIN", "INSERT INTO a VALUES (2)", "SET synchronous_commit = off", "PREPARE TRANSACTION 'held'", "SET synchronous_commit = on", "COMMIT PREPARED 'held'"},
		} {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				p := newPlace(t, k, testdb.Private())
				p.run("CREATE TABLE a (id int PRIMARY KEY)\nINSERT INTO a VALUES (1)")
				o := p.pipe()
				told := make(chan string, 100)
				o.Log = slog.New(warnings{told: told})
				p.begun(o)
				from, process, release := p.held(statements...)

				// Without the wait the row would be lost.
				hasty := &opening{source: Live(o), options: o, start: rowferry.Start{Position: from}}
				if err := hasty.settle(); err != nil {
					t.Fatal(err)
				}
				early, err := hasty.copying(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				defer hasty.abandon(t.Context())
				blind := &copied{t: t, source: hasty.source, copy: early}
				blind.opened()
				if rows := blind.read(blind.table("a"), nil, nil); len(rows) != 1 {
					t.Fatalf("the transaction is not held: %v", rows)
				}

				c := &copied{t: t, source: Live(o)}
				done := make(chan error, 1)
				go func() {
					var err error
					c.copy, err = c.source.Copy(t.Context(), from)
					done <- err
				}()
				select {
				case text := <-told: // it waits
					if !strings.Contains(text, "process "+process) && !strings.Contains(text, "'held'") {
						t.Errorf("the transaction is not named: %s", text)
					}
				case err := <-done:
					t.Fatalf("the copy did not wait: %v", err)
				}
				release()
				if err := <-done; err != nil {
					t.Fatal(err)
				}
				c.opened()
				if rows := c.read(c.table("a"), nil, nil); len(rows) != 2 {
					t.Errorf("a chunk has %v", rows)
				}
				if logged := inserted(c.log()); len(logged) != 0 {
					t.Errorf("the log has %v after From", logged)
				}
			})
		}
	})
}

// Who waits can be told to stop.
func TestCopyWaitEnds(t *testing.T) {
	p := newPlace(t, testdb.Postgres15, testdb.Private())
	p.run("CREATE TABLE a (id int PRIMARY KEY)")
	o := p.pipe()
	p.begun(o)
	from, _, release := p.held("INSERT INTO a VALUES (2)")
	defer release()
	told := make(chan string, 100)
	o.Log = slog.New(warnings{told: told})
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() {
		_, err := Live(o).Copy(ctx, from)
		done <- err
	}()
	<-told
	cancel()
	if err := <-done; err == nil || ctx.Err() == nil {
		t.Errorf("the copy ended with %v", err)
	}
}
