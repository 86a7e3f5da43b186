package postgres

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/rowferry/rowferry"
	"github.com/rowferry/rowferry/internal/testdb"
)

// standby starts a standby of the place's server, and ends it with the test.
func (p *place) standby() *testdb.Server {
	p.t.Helper()
	s, err := p.server.Standby(context.Background(), "standby")
	if err != nil {
		p.t.Fatal(err)
	}
	p.t.Cleanup(func() {
		if err := s.Close(); err != nil {
			p.t.Error(err)
		}
	})
	return s
}

// at is the same database on another server.
func (p *place) at(s *testdb.Server) *place {
	p.t.Helper()
	other := &place{t: p.t, server: s, name: p.name}
	other.reopen()
	return other
}

// ids reads from a start to the end, as a pipeline whose target keeps up: the ids
// of the rows, and where it ended.
func (p *place) ids(start rowferry.Start) (ids []int64, end rowferry.Start) {
	p.t.Helper()
	o := p.options()
	o.Once = true
	r, err := Live(o).Open(p.t.Context(), start)
	if err != nil {
		p.t.Fatal(err)
	}
	end = start
	for {
		tx, err := r.Next(p.t.Context())
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			p.t.Fatal(err)
		}
		for _, c := range tx.Changes {
			if c.Op == rowferry.Insert {
				ids = append(ids, c.After[0].Int())
			}
		}
		end = rowferry.Start{Position: tx.Position, Lineage: tx.Lineage}
		if a, ok := r.(rowferry.Acker); ok {
			a.Ack(tx.Position)
		}
	}
	if err := r.Close(); err != nil {
		p.t.Fatal(err)
	}
	return ids, end
}

// TestFailover: a standby that kept up with the slot is promoted, and the
// pipeline goes on with it as if nothing had been (P34). A standby is no source
// before.
func TestFailover(t *testing.T) {
	p := newPlace(t, testdb.PostgresNew, testdb.Private())
	p.exec("CREATE TABLE a (id int PRIMARY KEY)")
	begun := p.begun(p.options())
	next := p.at(p.standby())
	next.refused(next.options(), begun, rowferry.CodeSourceUnfit, "standby")
	// A standby takes a slot over once it moves on; the test's own deadline bounds it.
	first, last := begun, int64(0)
	for next.ask("SELECT EXISTS (SELECT FROM pg_replication_slots WHERE slot_name = 'rowferry_p' AND synced AND NOT temporary)") != "true" {
		p.exec("INSERT INTO a SELECT coalesce(max(id), 0) + 1 FROM a")
		var ids []int64
		if ids, first = p.ids(first); len(ids) != 1 || ids[0] != last+1 {
			t.Fatalf("after row %d: %v", last, ids)
		}
		last++
	}
	p.exec(fmt.Sprintf("INSERT INTO a VALUES (%d)", last+1))
	next.await(fmt.Sprintf("SELECT EXISTS (SELECT FROM a WHERE id = %d)", last+1))
	if f := p.finding(p.options(), "failover"); f.Level != rowferry.Warning || !strings.Contains(f.What, "synchronized_standby_slots") {
		t.Errorf("%+v", f)
	}
	if err := p.server.Kill(); err != nil {
		t.Fatal(err)
	}
	next.exec("SELECT pg_promote()")
	next.exec(fmt.Sprintf("INSERT INTO a VALUES (%d)", last+2))
	ids, second := next.ids(first)
	if len(ids) != 2 || ids[0] != last+1 || ids[1] != last+2 {
		t.Errorf("after row %d and the failover: %v", last, ids)
	}
	was, now := mustLineage(t, first.Lineage), mustLineage(t, second.Lineage)
	if was.system != now.system || now.timeline <= was.timeline {
		t.Errorf("lineage %v, then %v", was, now)
	}
	if ids, _ := next.ids(second); len(ids) != 0 {
		t.Errorf("at the end: %v", ids)
	}
	// What was committed on the former primary alone is not in the new one.
	ahead := first
	ahead.Position = "1/0"
	next.refused(next.options(), ahead, rowferry.CodeLineageBroken, "left timeline 1")
	second.Lineage = "9/" + now.system
	next.refused(next.options(), second, rowferry.CodeLineageBroken, "later one")
}

func mustLineage(t *testing.T, text string) lineage {
	t.Helper()
	l, _, err := anchored(text, 1<<63)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// TestFailoverWithoutSlot: before PostgreSQL 17 a promoted standby has no slot,
// and a new one is never taken for it.
func TestFailoverWithoutSlot(t *testing.T) {
	p := newPlace(t, testdb.Postgres15, testdb.Private())
	p.exec("CREATE TABLE a (id int PRIMARY KEY)")
	begun := p.begun(p.options())
	next := p.at(p.standby())
	if err := p.server.Kill(); err != nil {
		t.Fatal(err)
	}
	next.exec("SELECT pg_promote()", "INSERT INTO a VALUES (1)")
	next.refused(next.options(), begun, rowferry.CodeSlotMissing, "no replication slot")
	next.exec("SELECT pg_create_logical_replication_slot('rowferry_p', 'pgoutput')")
	next.refused(next.options(), begun, rowferry.CodeSlotAhead, "past")
}
