package postgres

import (
	"errors"
	"io"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rowferry/rowferry"
	"github.com/rowferry/rowferry/internal/testdb"
)

// TestBehind: a server that is still reading its own log sends keepalives from
// there. They are not the end of the log, nor of what was committed until a time.
func TestBehind(t *testing.T) {
	p := newPlace(t, testdb.Postgres15)
	p.run("CREATE TABLE t (id int PRIMARY KEY)")
	begun := p.begun(p.pipe())
	past := time.Now().Add(-time.Hour)
	r := p.following(begun, func(o *Options) { o.Until = past.UTC().Format(time.RFC3339) })
	p.run("INSERT INTO t VALUES (1)")
	for r.in.ready() { // a keepalive from the beginning, which idle leaves to Next
		if _, _, err := r.in.next(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	end := r.opened.begin
	for range 3 {
		if tx, err := r.idle(t.Context(), end, time.Now()); tx != nil || err != nil {
			t.Fatalf("a keepalive from behind gave %v, %v", tx, err)
		}
	}
	if at := r.CaughtUp(); !at.IsZero() {
		t.Errorf("caught up at %s, and there is more", at)
	}
	if _, err := r.idle(t.Context(), r.heard.at, time.Now()); !errors.Is(err, io.EOF) {
		t.Errorf("a keepalive from the end: %v", err)
	}
	if r.CaughtUp().IsZero() {
		t.Error("not caught up where there is no more")
	}
}

// TestMoved: a slot that is moved between being looked at and being read is
// noticed.
func TestMoved(t *testing.T) {
	eachServer(t, func(t *testing.T, k testdb.Kind) {
		p := newPlace(t, k)
		p.run("CREATE TABLE t (id int PRIMARY KEY)")
		begun := p.begun(p.pipe())
		r := p.following(begun)
		p.run("INSERT INTO t VALUES (1)")
		r.feedback.ack(mustLSN(t, p.ask("SELECT pg_current_wal_flush_lsn()")))
		p.await(p.slotSays("confirmed_flush_lsn > '%s'", r.opened.begin))
		err := r.holds(t.Context(), uint32(mustInt(t, p.ask("SELECT active_pid FROM pg_replication_slots WHERE slot_name = '"+NameOf(p.name)+"'"))))
		if rowferry.CodeOf(err) != rowferry.CodeSlotAhead {
			t.Errorf("%v", err)
		}
		if err := r.holds(t.Context(), 1); rowferry.CodeOf(err) != rowferry.CodeSlotTaken {
			t.Errorf("of another process: %v", err)
		}
	})
}

// TestPartitionsApart: partitions whose rows would come under names that are not
// in scope, or whose old rows are not told by their table's key, are refused.
func TestPartitionsApart(t *testing.T) {
	eachServer(t, func(t *testing.T, k testdb.Kind) {
		p := newPlace(t, k)
		p.exec("CREATE TABLE m (id int PRIMARY KEY, e text NOT NULL) PARTITION BY RANGE (id)", "CREATE TABLE m1 PARTITION OF m FOR VALUES FROM (0) TO (100)",
			"CREATE UNIQUE INDEX m1_e ON m1 (e)", "CREATE PUBLICATION theirs FOR TABLE m")
		o := p.options()
		o.Scope, o.Publication = only("m"), "theirs"
		e := p.refused(o, rowferry.Start{}, rowferry.CodePublication, "public.m1")
		if len(e.Remedies) == 0 || !strings.Contains(e.Remedies[0].Do, "publish_via_partition_root = true") {
			t.Errorf("%+v", e.Remedies)
		}
		p.exec("ALTER PUBLICATION theirs SET (publish_via_partition_root = true)", "ALTER TABLE m1 REPLICA IDENTITY USING INDEX m1_e")
		p.mended(p.refused(o, rowferry.Start{}, rowferry.CodeReplicaIdentity, "public.m1"))
		p.begun(o)
	})
}

// TestUnlistedKeys: a foreign key that no shape has is looked at late as well.
func TestUnlistedKeys(t *testing.T) {
	p := newPlace(t, testdb.Postgres15)
	p.run(`
CREATE TABLE a (id int PRIMARY KEY)
CREATE TABLE b (id int PRIMARY KEY, a int)
ALTER TABLE b ADD FOREIGN KEY (a) REFERENCES a ON DELETE CASCADE NOT VALID`)
	p.begun(p.pipe())
	p.run("INSERT INTO a VALUES (1)\nINSERT INTO b VALUES (1, 1)\nDELETE FROM a")
	wantRows(t, p.log(), `
insert a [1] checks late
insert b [1 1] checks late
delete a [1] checks late
delete b [1 (absent)] checks late`)
}

func mustLSN(t *testing.T, text string) lsn {
	t.Helper()
	at, err := parseLSN(text)
	if err != nil {
		t.Fatal(err)
	}
	return at
}

func mustInt(t *testing.T, text string) int {
	t.Helper()
	n, err := strconv.Atoi(text)
	if err != nil {
		t.Fatal(err)
	}
	return n
}
