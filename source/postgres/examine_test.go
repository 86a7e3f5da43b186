package postgres

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/rowferry/rowferry"
	"github.com/rowferry/rowferry/internal/testdb"
)

// requireLevels compares the findings that are not passed.
func (p *place) requireLevels(o Options, want map[string]rowferry.Level) map[string]rowferry.Finding {
	p.t.Helper()
	got := p.findings(o)
	for name, f := range got {
		expected := want[name]
		if expected == "" {
			expected = rowferry.Passed
		}
		if f.Level != expected {
			p.t.Errorf("%s is %s, want %s: %s %v", name, f.Level, expected, f.What, f.Remedies)
		}
	}
	for name := range want {
		if _, ok := got[name]; !ok {
			p.t.Errorf("nothing was found about %s", name)
		}
	}
	return got
}

// TestExamine changes one thing after the other and wants each found, and nothing
// else.
func TestExamine(t *testing.T) {
	eachServer(t, func(t *testing.T, k testdb.Kind) {
		p := newPlace(t, k, testdb.Private())
		p.exec("CREATE TABLE sound (id int PRIMARY KEY)")
		p.set("")
		o := p.options()
		p.requireLevels(o, nil)
		settings := map[string]string{"max_slot_wal_keep_size = '-1'": "retention", "max_slot_wal_keep_size = '100MB'": "retention", "wal_sender_timeout = 0": "connection loss"}
		if k == testdb.PostgresNew {
			settings["idle_replication_slot_timeout = '1d'"] = "idle slots"
		}
		for set, name := range settings {
			p.set(set)
			p.requireLevels(o, map[string]rowferry.Level{name: rowferry.Warning})
			p.set("")
		}
		for _, tt := range []struct {
			make, undo, name, part string
		}{
			{"CREATE TABLE x (a int); ALTER TABLE x REPLICA IDENTITY FULL", "DROP TABLE x", "keys", "public.x"},
			{"CREATE UNLOGGED TABLE x (a int PRIMARY KEY)", "DROP TABLE x", "logged", "public.x is UNLOGGED"},
			{"CREATE MATERIALIZED VIEW x AS SELECT * FROM sound", "DROP MATERIALIZED VIEW x", "logged", "public.x is a materialized view"},
			{"CREATE TABLE x (PRIMARY KEY (id)) INHERITS (sound)", "DROP TABLE x", "logged", "public.sound: other tables inherit"},
			{"CREATE TABLE x (a int PRIMARY KEY, b int UNIQUE DEFERRABLE)", "DROP TABLE x", "shapes", "DEFERRABLE"},
			{"SELECT lo_create(4711)", "SELECT lo_unlink(4711)", "large objects", "large objects"},
		} {
			for q := range strings.SplitSeq(tt.make, "; ") {
				p.exec(q)
			}
			if f := p.requireLevels(o, map[string]rowferry.Level{tt.name: rowferry.Warning})[tt.name]; !strings.Contains(f.What, tt.part) {
				t.Errorf("%s is not told: %+v", tt.part, f)
			}
			p.exec(tt.undo)
		}
		none := o
		none.Scope = only("elsewhere")
		p.requireLevels(none, map[string]rowferry.Level{"tables": rowferry.Warning, "publication": rowferry.Failed})
		p.exec("CREATE TABLE x (a int)")
		p.requireLevels(o, map[string]rowferry.Level{"keys": rowferry.Warning, "replica identity": rowferry.Failed})
		p.exec("DROP TABLE x")
		p.examineSlot(o)
	})
}

// set makes the server one about which there is nothing to say, but for what is
// set.
func (p *place) set(what string) {
	p.t.Helper()
	p.exec("ALTER SYSTEM RESET ALL", "ALTER SYSTEM SET max_slot_wal_keep_size = '4GB'")
	if what != "" {
		p.exec("ALTER SYSTEM SET " + what)
	}
	loaded := p.ask("SELECT pg_conf_load_time()")
	p.exec("SELECT pg_reload_conf()")
	p.await("SELECT pg_conf_load_time() <> '" + loaded + "'")
}

// examineSlot: what a slot and an old publication mean.
func (p *place) examineSlot(o Options) {
	p.t.Helper()
	p.begun(o)
	p.requireLevels(o, nil)
	p.exec("CREATE TABLE later (id int PRIMARY KEY)")
	p.requireLevels(o, map[string]rowferry.Level{"publication": rowferry.Failed})
	p.exec("DROP TABLE later", "DROP PUBLICATION rowferry_p")
	p.requireLevels(o, map[string]rowferry.Level{"publication": rowferry.Failed})
	p.exec("SELECT pg_drop_replication_slot('rowferry_p')", "SELECT pg_create_logical_replication_slot('rowferry_p', 'pgoutput')", "CREATE PUBLICATION rowferry_p FOR ALL TABLES")
	if p.server.Kind == testdb.PostgresNew {
		p.requireLevels(o, map[string]rowferry.Level{"failover": rowferry.Warning})
	} else {
		p.requireLevels(o, nil)
	}
}

// TestSlotCosts: what a slot keeps at the source is told, and from a point on
// warned of (P36).
func TestSlotCosts(t *testing.T) {
	x := &examination{slot: &slot{name: "s", status: "reserved", retained: 5 << 30, confirmed: 1, catalogAge: oldCatalog + 1}}
	for _, f := range []rowferry.Finding{x.slotFinding(), x.catalogFinding()} {
		if f.Level != rowferry.Warning || len(f.Remedies) == 0 {
			t.Errorf("%+v", f)
		}
	}
	p := newPlace(t, testdb.Postgres15, testdb.Private())
	p.exec("CREATE TABLE a (id int PRIMARY KEY)")
	o := p.options()
	p.begun(o)
	session, err := openSession(t.Context(), o.Endpoint)
	if err != nil {
		t.Fatal(err)
	}
	defer session.close()
	before, err := session.readSlot(t.Context(), "rowferry_p")
	if err != nil {
		t.Fatal(err)
	}
	for range 50 {
		p.exec("INSERT INTO a SELECT coalesce(max(id), 0) + 1 FROM a")
	}
	p.exec("SELECT pg_switch_wal()")
	after, err := session.readSlot(t.Context(), "rowferry_p")
	if err != nil {
		t.Fatal(err)
	}
	if after.retained < before.retained+1<<20 || after.catalogAge < before.catalogAge+50 {
		t.Errorf("%d bytes and %d transactions, then %d and %d", before.retained, before.catalogAge, after.retained, after.catalogAge)
	}
}

// TestSlotIdleTimeout: PostgreSQL 18 gives up slots that nobody reads (P12).
func TestSlotIdleTimeout(t *testing.T) {
	p := newPlace(t, testdb.PostgresNew, testdb.Private(), testdb.Arg("idle_replication_slot_timeout=1s"))
	p.exec("CREATE TABLE a (id int PRIMARY KEY)")
	o := p.options()
	begun := p.begun(o)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	for ctx.Err() == nil && p.ask("SELECT invalidation_reason FROM pg_replication_slots") == "NULL" {
		p.exec("INSERT INTO a SELECT coalesce(max(id), 0) + 1 FROM a", "CHECKPOINT")
	}
	e := p.refused(o, begun, rowferry.CodeSlotLost, "idle_timeout")
	if len(e.Remedies) == 0 {
		t.Error(e)
	}
}
