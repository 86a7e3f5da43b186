package postgres

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/rowferry/rowferry"
	"github.com/rowferry/rowferry/internal/testdb"
	"github.com/rowferry/rowferry/source/sourcetest"
)

// newSaved is a place whose server is to be put back, with a table and a pipeline
// that has read and acknowledged its row 1.
func newSaved(t *testing.T, k testdb.Kind) (p *place, at rowferry.Start) {
	p = newPlace(t, k, testdb.Private(), streaming)
	p.exec("CREATE TABLE a (id int PRIMARY KEY, v text)")
	at = p.begun(p.options())
	p.exec("INSERT INTO a VALUES (1, '')")
	at.Spool = spools(t)
	return p, p.wants(at, 1)
}

// wants reads, and acknowledges, what has to be these rows.
func (p *place) wants(at rowferry.Start, want ...int64) (end rowferry.Start) {
	p.t.Helper()
	ids, end := p.ids(at)
	if !slices.Equal(ids, want) {
		p.t.Fatalf("from %s of %s: rows %v, want %v", at.Position, at.Lineage, ids, want)
	}
	end.Spool = at.Spool
	return end
}

// save keeps a copy of the server as a snapshot of its disk has it, or as it is
// when it was stopped.
func (p *place) save(crashed bool) {
	p.t.Helper()
	save := p.server.Save
	if crashed {
		save = p.server.SaveCrashed
	}
	if err := errors.Join(save(context.Background()), p.server.Restart(context.Background())); err != nil {
		p.t.Fatal(err)
	}
	p.reopen()
}

func (p *place) putBack() {
	p.t.Helper()
	if err := p.server.Reset(context.Background()); err != nil {
		p.t.Fatal(err)
	}
	p.reopen()
}

// fill makes the log longer than a position, with nothing for anybody.
func (p *place) fill(beyond rowferry.Position) {
	p.t.Helper()
	p.await(fmt.Sprintf("SELECT pg_current_wal_flush_lsn() > '%s'::pg_lsn", beyond), func() {
		p.exec("SELECT pg_logical_emit_message(false, '', repeat('x', 100000))")
	})
}

// severed wants a start to be refused before anything was read, and the slot to
// stay where it is.
func (p *place) severed(at rowferry.Start, part string) {
	p.t.Helper()
	const where = "SELECT confirmed_flush_lsn FROM pg_replication_slots WHERE slot_name = 'rowferry_p'"
	slot := p.ask(where)
	for range 2 { // the first try has not made it the slot's history
		r, err := Live(p.options()).Open(p.t.Context(), at)
		if err != nil {
			p.t.Fatal(err)
		}
		if a, ok := r.(rowferry.Acker); ok {
			a.Ack(at.Position) // as the engine does when it begins
		}
		tx, err := r.Next(p.t.Context())
		if tx != nil || rowferry.CodeOf(err) != rowferry.CodeLineageBroken || errors.Is(err, io.EOF) || !strings.Contains(err.Error(), part) {
			p.t.Errorf("from %s of %s: %+v, %v", at.Position, at.Lineage, tx, err)
		}
		if err := r.Close(); err != nil {
			p.t.Fatal(err)
		}
		if now := p.ask(where); now != slot {
			p.t.Errorf("the slot was at %s, and is at %s", slot, now)
		}
	}
}

// TestPutBack: a server whose files were put back, and which has written more log
// since than it had then, lacks transactions that were read. It is refused, and
// goes on with what was read when the files were copied.
func TestPutBack(t *testing.T) {
	eachServer(t, func(t *testing.T, k testdb.Kind) {
		t.Parallel()
		for _, crashed := range []bool{false, true} {
			t.Run(fmt.Sprintf("crashed %t", crashed), func(t *testing.T) {
				t.Parallel()
				p, kept := newSaved(t, k)
				p.save(crashed)
				again := []string{"INSERT INTO a VALUES (2, '')", "INSERT INTO a SELECT 3, repeat('x', 1000)"}
				p.exec(again...)
				lost := p.wants(kept, 2, 3)
				p.putBack()
				p.exec(again...) // at the same places even, by the same numbers
				p.exec("INSERT INTO a VALUES (4, '')")
				p.fill(lost.Position)
				p.severed(lost, "is not in the server's log")
				last := p.wants(kept, 2, 3, 4)
				p.exec("INSERT INTO a VALUES (5, '')")
				p.wants(last, 5)
			})
		}
	})
}

// TestPutBackIdle: where the server was put back to a time after the last
// transaction that was read, only log without any was lost, and what it has
// committed since is read though its place is before the position.
func TestPutBackIdle(t *testing.T) {
	eachServer(t, func(t *testing.T, k testdb.Kind) {
		t.Parallel()
		for _, nothing := range []bool{false, true} {
			t.Run(fmt.Sprintf("nothing read %t", nothing), func(t *testing.T) {
				t.Parallel()
				p, kept := newSaved(t, k)
				if nothing {
					p.exec("SELECT pg_drop_replication_slot('rowferry_p')", "DROP PUBLICATION rowferry_p")
					kept = p.begun(p.options())
				}
				p.save(false)
				p.exec("SELECT pg_logical_emit_message(false, '', repeat('x', 3000000))")
				r, err := Live(p.options()).Open(t.Context(), kept)
				if err != nil {
					t.Fatal(err)
				}
				idle := take(t, r, 1)[0]
				if err := r.Close(); err != nil {
					t.Fatal(err)
				}
				if !strings.HasPrefix(idle.ID, "idle") {
					t.Fatalf("read %+v", idle)
				}
				at := rowferry.Start{Position: idle.Position, Lineage: idle.Lineage, Spool: kept.Spool}
				p.wants(at)
				p.putBack()
				p.exec("INSERT INTO a VALUES (2, '')")
				if before := p.ask(fmt.Sprintf("SELECT pg_current_wal_flush_lsn() < '%s'::pg_lsn", at.Position)); before != "true" {
					t.Fatal("the log is no shorter than it was")
				}
				p.fill(at.Position)
				p.exec("INSERT INTO a VALUES (3, '')")
				p.wants(at, 2, 3)
			})
		}
	})
}

// TestCrashed: a server that crashed has forgotten what it was told of the
// target, and sends that again: it is not read twice.
func TestCrashed(t *testing.T) {
	eachServer(t, func(t *testing.T, k testdb.Kind) {
		t.Parallel()
		p, at := newSaved(t, k)
		const forgotten = "SELECT confirmed_flush_lsn < '%s'::pg_lsn FROM pg_replication_slots WHERE slot_name = 'rowferry_p'"
		for next, forgot := int64(2), false; !forgot; next += 3 {
			p.exec(fmt.Sprintf("INSERT INTO a SELECT %d, repeat('x', 100000)", next), "ALTER TABLE a ADD w int", fmt.Sprintf("INSERT INTO a VALUES (%d)", next+1),
				"ALTER TABLE a DROP w")
			at = p.wants(at, next, next+1)
			if err := errors.Join(p.server.Kill(), p.server.Restart(context.Background())); err != nil {
				t.Fatal(err)
			}
			p.reopen()
			forgot = p.ask(fmt.Sprintf(forgotten, at.Position)) == "true" // unless it wrote the slot just then
			at = p.wants(at)
			p.exec(fmt.Sprintf("INSERT INTO a VALUES (%d, '')", next+2))
			at = p.wants(at, next+2)
		}
	})
}

// TestEmptyStream: a transaction that tells us nothing comes where the server has
// no room for it, and does not come again where it has.
func TestEmptyStream(t *testing.T) {
	eachServer(t, func(t *testing.T, k testdb.Kind) {
		t.Parallel()
		p := newPlace(t, k, streaming)
		p.run("CREATE TABLE a (id int PRIMARY KEY, v text)\nCREATE TABLE other (id int, v text)")
		o := func(o *Options) { o.Scope = only("a") }
		pipe := p.pipe()
		o(&pipe)
		p.begun(pipe)
		p.run(`INSERT INTO a VALUES (1, '')
INSERT INTO other SELECT g, repeat('x', 500) FROM generate_series(1, 1000) g
BEGIN; SAVEPOINT a; INSERT INTO a SELECT g, repeat('x', 500) FROM generate_series(1000, 2000) g; ROLLBACK TO a; COMMIT
INSERT INTO a VALUES (2, '')`)
		var txs []*rowferry.Tx
		for _, tx := range all(t, p.open(rowferry.Start{}, o)) {
			if tx.Last {
				txs = append(txs, tx)
			}
		}
		if len(txs) != 4 || txs[1].Lineage != txs[0].Lineage || txs[2].Lineage != txs[0].Lineage || txs[3].Lineage == txs[0].Lineage {
			t.Fatalf("read %+v", txs)
		}
		pipe.Once = true
		for i, after := range txs { // of which nothing was acknowledged
			r, err := Live(pipe).Open(t.Context(), rowferry.Start{Position: after.Position, Lineage: after.Lineage}) // and which is not streamed
			if err != nil {
				t.Fatal(err)
			}
			want := "insert a [2 ]"
			if i == 3 {
				want = ""
			}
			wantRows(t, sourcetest.Join(all(t, r), nil), want)
		}
	})
}

// TestAnchored: the texts of lineages, and those of before there were anchors.
func TestAnchored(t *testing.T) {
	for _, a := range []anchor{{at: 0x16B374D848}, {0x16B374D848, 1 << 31, 848648226970691}, {1, 3, -5}} {
		l, got, err := anchored("2/7710600838555431083@"+a.String(), 1<<40)
		if err != nil || got != a || l != (lineage{2, "7710600838555431083"}) {
			t.Errorf("%s is read as %v %v: %v", a, l, got, err)
		}
	}
	if _, got, err := anchored("2/7", 0x20); err != nil || got != (anchor{at: 0x20}) {
		t.Errorf("without an anchor: %v, %v", got, err)
	}
	for _, bad := range []string{"", "2", "2/7@", "2/7@0/0", "2/7@0/1:5", "2/7@0/1:0:5", "2/7@0/1:x:5", "2/7@0/1:4:x", "2/7@0/1:4:5:6", "2/7@0/21", "2/7@0/1:99999999999:5", "@0/1"} {
		if _, _, err := anchored(bad, 0x20); rowferry.CodeOf(err) != rowferry.CodeLineageBroken {
			t.Errorf("%q: %v", bad, err)
		}
	}
}
