package postgres

import (
	"context"
	"errors"
	"io"
	"testing"

	"github.com/rowferry/rowferry"
	"github.com/rowferry/rowferry/internal/testdb"
)

// TestPublicationNewerThanSlot: what was written before the publication was made
// is not told, which PostgreSQL 18 says in a warning only (P20).
func TestPublicationNewerThanSlot(t *testing.T) {
	eachServer(t, func(t *testing.T, k testdb.Kind) {
		p := newPlace(t, k)
		p.exec("CREATE TABLE a (id int PRIMARY KEY)", "SELECT pg_create_logical_replication_slot('rowferry_p', 'pgoutput')",
			"INSERT INTO a VALUES (1)", "CREATE PUBLICATION rowferry_p FOR TABLE a", "INSERT INTO a VALUES (2)")
		wantLate(t, p)
	})
}

// TestPublicationMadeAnew: one that was dropped and made again while nobody read.
func TestPublicationMadeAnew(t *testing.T) {
	eachServer(t, func(t *testing.T, k testdb.Kind) {
		p := newPlace(t, k)
		p.exec("CREATE TABLE a (id int PRIMARY KEY)")
		p.begun(p.options())
		p.exec("DROP PUBLICATION rowferry_p", "INSERT INTO a VALUES (1)", "CREATE PUBLICATION rowferry_p FOR TABLE a", "INSERT INTO a VALUES (2)")
		wantLate(t, p)
	})
}

// wantLate reads from what the slot has confirmed on, and wants no row.
func wantLate(t *testing.T, p *place) {
	t.Helper()
	o := p.with(p.options(), "earliest")
	o.Once = true
	r, err := Live(o).Open(t.Context(), rowferry.Start{})
	for err == nil {
		var tx *rowferry.Tx
		if tx, err = r.Next(t.Context()); tx != nil {
			for _, c := range tx.Changes {
				if c.Op != rowferry.Shape {
					t.Errorf("read %v", c)
				}
			}
		}
	}
	if r != nil {
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	}
	if rowferry.CodeOf(err) != rowferry.CodePublication || errors.Is(err, io.EOF) {
		t.Error(err)
	}
}

// TestRestored: a server that was restored from a copy of its files lacks what
// came after, and says so by where its log ends.
func TestRestored(t *testing.T) {
	eachServer(t, func(t *testing.T, k testdb.Kind) {
		p := newPlace(t, k, testdb.Private())
		p.exec("CREATE TABLE a (id int PRIMARY KEY)")
		begun := p.begun(p.options())
		if err := p.server.Save(context.Background()); err != nil {
			t.Fatal(err)
		}
		if err := p.server.Restart(t.Context()); err != nil {
			t.Fatal(err)
		}
		p.reopen()
		p.exec("INSERT INTO a SELECT generate_series(1, 1000)")
		later := rowferry.Start{Position: rowferry.Position(p.ask("SELECT pg_current_wal_insert_lsn()")), Lineage: begun.Lineage}
		if err := p.server.Reset(t.Context()); err != nil {
			t.Fatal(err)
		}
		p.reopen()
		p.refused(p.options(), later, rowferry.CodeLineageBroken, "ends at")
		if _, err := p.prepare(p.options(), begun); err != nil { // where the copy was made
			t.Error(err)
		}
		begun.Lineage = "1/7301234567890123456"
		p.refused(p.options(), begun, rowferry.CodeLineageBroken, "another database cluster")
		begun.Lineage = "mysql"
		p.refused(p.options(), begun, rowferry.CodeLineageBroken, "another kind of source")
	})
}

// reopen is for a server that was started again.
func (p *place) reopen() {
	p.t.Helper()
	db, err := p.server.Open(p.name)
	if err != nil {
		p.t.Fatal(err)
	}
	p.t.Cleanup(func() { _ = db.Close() })
	p.db = db
}

// TestHistory: what a position on an older timeline means for a server.
func TestHistory(t *testing.T) {
	history, err := parseHistory("# a comment\n1\t0/5000000\tno recovery target specified\n\n2\t0/7000060\tbefore 2026-11-18 12:04:00+00\n")
	if err != nil || len(history) != 2 {
		t.Fatalf("%v, %v", history, err)
	}
	for _, tt := range []struct {
		timeline uint32
		at       lsn
		want     bool
	}{{1, 0x4000000, true}, {1, 0x5000000, true}, {1, 0x5000001, false}, {2, 0x7000060, true}, {2, 0x8000000, false}, {3, 1, false}} {
		if ok, why := descends(tt.timeline, tt.at, history); ok != tt.want || ok != (why == "") {
			t.Errorf("%d at %s: %t, %q", tt.timeline, tt.at, ok, why)
		}
	}
	for _, bad := range []string{"x\t0/1\t", "1", "1\tnowhere", "99999999999\t0/1"} {
		if _, err := parseHistory(bad); err == nil {
			t.Errorf("%q was read", bad)
		}
	}
}

// TestNames: pipelines of different names never share a slot.
func TestNames(t *testing.T) {
	seen := map[string]string{}
	long := "a-pipeline-whose-name-is-as-long-as-a-pipeline-s-name-may-be-64x"
	for _, pipeline := range []string{"shop", "shop_1", "shop-1", "shop.1", "Shop", "SHOP", long, long[:63] + "y"} {
		name := NameOf(pipeline)
		if err := CheckSlotName(name); err != nil || seen[name] != "" {
			t.Errorf("%q is called %q, like %q: %v", pipeline, name, seen[name], err)
		}
		seen[name] = pipeline
	}
	if NameOf("shop") != "rowferry_shop" || NameOf("shop-1") == "rowferry_shop_1" {
		t.Error(seen)
	}
	for _, bad := range []string{"", "A", "a-b", long + long} {
		if CheckSlotName(bad) == nil {
			t.Errorf("%q was taken for a slot's name", bad)
		}
	}
}

// TestPlaces: what --from and --until take.
func TestPlaces(t *testing.T) {
	for text, ok := range map[string]bool{"latest": true, "earliest": true, "16/B374D848": true, "2026-11-18T12:04:00Z": false, "mysql-bin.000001:4": false, "0-1-5": false, "x": false} {
		if err := CheckFrom(text); (err == nil) != ok || err != nil && rowferry.CodeOf(err) != rowferry.CodeBadPosition {
			t.Errorf("from %q: %v", text, err)
		}
	}
	for text, code := range map[string]rowferry.Code{
		"": "", "latest": "", "16/B374D848": "", "2026-11-18T12:04:00Z": "", "2026-11-18T12:04:00": rowferry.CodeZonelessTime, "earliest": rowferry.CodeBadPosition, "0-1-5": rowferry.CodeBadPosition,
	} {
		if err := CheckUntil(text); rowferry.CodeOf(err) != code {
			t.Errorf("until %q: %v", text, err)
		}
	}
}
