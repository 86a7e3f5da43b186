package postgres

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgproto3"

	"github.com/rowferry/rowferry"
	"github.com/rowferry/rowferry/internal/testdb"
)

// TestSlotRefused: a slot from which the pipeline cannot go on without a gap is
// refused by its own code, and a new one is never made instead (P12, P13, P20).
func TestSlotRefused(t *testing.T) {
	eachServer(t, func(t *testing.T, k testdb.Kind) {
		p := newPlace(t, k)
		p.exec("CREATE TABLE a (id int PRIMARY KEY)")
		o := p.options()
		begun := p.begun(o)
		drop := "SELECT pg_drop_replication_slot('rowferry_p')"
		for _, tt := range []struct {
			make string
			code rowferry.Code
			part string
		}{
			{"", rowferry.CodeSlotMissing, "no replication slot"},
			{"INSERT INTO a SELECT coalesce(max(id), 0) + 1 FROM a; SELECT pg_create_logical_replication_slot('rowferry_p', 'pgoutput')", rowferry.CodeSlotAhead, "past the position"},
			{"SELECT pg_create_logical_replication_slot('rowferry_p', 'pgoutput', false, true)", rowferry.CodeSourceUnfit, "two_phase"},
			{"SELECT pg_create_physical_replication_slot('rowferry_p')", rowferry.CodeSourceUnfit, "physical"},
		} {
			p.exec(drop)
			for q := range strings.SplitSeq(tt.make, "; ") {
				p.exec(q)
			}
			p.refused(o, begun, tt.code, tt.part)
			if tt.make == "" {
				p.exec("SELECT pg_create_physical_replication_slot('rowferry_p')") // for the next to drop
			}
		}
		// Another database's slot is in the way under its name.
		p.exec(drop)
		other := newPlace(t, k)
		other.exec("SELECT pg_create_logical_replication_slot('rowferry_p', 'pgoutput')")
		p.refused(o, begun, rowferry.CodeSourceUnfit, "database "+other.name)
	})
}

// TestSlotInUse: the process that has it is named, and waited for (P15).
func TestSlotInUse(t *testing.T) {
	eachServer(t, func(t *testing.T, k testdb.Kind) {
		p := newPlace(t, k)
		p.exec("CREATE TABLE a (id int PRIMARY KEY)")
		o := p.options()
		begun := p.begun(o)
		pid := p.reading(begun)
		hasty := Live(o)
		hasty.lingers = 50 * time.Millisecond
		_, err := p.prepareBy(hasty, begun)
		var e *rowferry.Error
		if !errors.As(err, &e) || e.Code != rowferry.CodeSlotTaken || !strings.Contains(e.Error(), fmt.Sprint(pid)) {
			t.Fatal(err)
		}
		// Its end, by the statement that was given, lets the next reader in.
		done := make(chan error, 1)
		go func() {
			_, err := p.prepare(o, begun)
			done <- err
		}()
		p.exec(e.Remedies[1].Do)
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}

// reading begins to read the slot, as another engine does, and returns the
// server's process for it.
func (p *place) reading(begun rowferry.Start) uint32 {
	p.t.Helper()
	stream, err := openStream(p.t.Context(), p.endpoint())
	if err != nil {
		p.t.Fatal(err)
	}
	p.t.Cleanup(func() { hangUp(stream) })
	stream.Frontend().SendQuery(&pgproto3.Query{
		String: fmt.Sprintf(`START_REPLICATION SLOT rowferry_p LOGICAL %s (proto_version '1', publication_names '"rowferry_p"')`, begun.Position),
	})
	if err := stream.Frontend().Flush(); err != nil {
		p.t.Fatal(err)
	}
	for {
		switch m, err := stream.ReceiveMessage(p.t.Context()); m.(type) {
		case *pgproto3.CopyBothResponse:
			return stream.PID()
		case *pgproto3.ErrorResponse, nil:
			p.t.Fatal(m, err)
		}
	}
}

// TestOwnReader: a reader of ours whose connection was lost without the server's
// knowledge is ended.
func TestOwnReader(t *testing.T) {
	p := newPlace(t, testdb.Postgres15)
	p.exec("CREATE TABLE a (id int PRIMARY KEY)")
	o := p.options()
	begun := p.begun(o)
	s := Live(o)
	s.ours = p.reading(begun)
	if _, err := p.prepareBy(s, begun); err != nil {
		t.Error(err)
	}
}

// TestSlotInvalidated: the server has removed log that the slot needs (P12).
func TestSlotInvalidated(t *testing.T) {
	eachServer(t, func(t *testing.T, k testdb.Kind) {
		p := newPlace(t, k, testdb.Private(), testdb.Arg("max_slot_wal_keep_size=16MB"), testdb.Arg("max_wal_size=32MB"), testdb.Arg("min_wal_size=32MB"))
		p.exec("CREATE TABLE a (id int PRIMARY KEY)")
		o := p.options()
		begun := p.begun(o)
		for range 6 {
			p.exec("INSERT INTO a SELECT coalesce(max(id), 0) + 1 FROM a", "SELECT pg_switch_wal()")
		}
		p.exec("CHECKPOINT")
		e := p.refused(o, begun, rowferry.CodeSlotLost, "given up")
		t.Log(e)
		if f := p.finding(o, "slot"); f.Code != rowferry.CodeSlotLost {
			t.Errorf("%+v", f)
		}
	})
}

// TestPublicationRefused: what the publication does not tell of is named, with
// the statement that mends it.
func TestPublicationRefused(t *testing.T) {
	eachServer(t, func(t *testing.T, k testdb.Kind) {
		p := newPlace(t, k)
		p.exec("CREATE TABLE a (id int PRIMARY KEY)")
		o := p.options()
		begun := p.begun(o)
		p.exec("CREATE TABLE b (id int PRIMARY KEY)", `CREATE TABLE "C c" (id int PRIMARY KEY)`)
		p.mended(p.refused(o, begun, rowferry.CodePublication, "public.C c, public.b"))
		if _, err := p.prepare(o, begun); err != nil {
			t.Error(err)
		}
		p.exec("ALTER PUBLICATION rowferry_p SET (publish = 'update, delete')")
		p.mended(p.refused(o, begun, rowferry.CodePublication, "inserts"))
		leaf := o
		leaf.Partitions = PartitionsLeaf
		p.refused(leaf, begun, rowferry.CodePublication, "source.partitions")
		if _, err := p.prepare(o, begun); err != nil {
			t.Error(err)
		}
		// One that is gone is never made again: it would know nothing of what came
		// before it.
		p.exec("DROP PUBLICATION rowferry_p")
		p.refused(o, begun, rowferry.CodePublication, "there is no publication")
		p.refused(p.with(o, "earliest"), rowferry.Start{}, rowferry.CodePublication, "there is no publication")
	})
}

// TestForeignPublication: one that somebody else made is used as it is, and what
// it leaves out is told (P21).
func TestForeignPublication(t *testing.T) {
	eachServer(t, func(t *testing.T, k testdb.Kind) {
		p := newPlace(t, k)
		p.exec("CREATE TABLE a (id int PRIMARY KEY, b int, c int)", "CREATE TABLE log (line text)", "CREATE PUBLICATION \"Some one\" FOR TABLE a (id, b) WHERE (id > 10), TABLE log WITH (publish = 'insert')")
		o := p.options()
		o.Publication = "Some one"
		p.begun(o)
		if n := p.ask("SELECT count(*) FROM pg_publication"); n != "1" {
			t.Errorf("%s publications", n)
		}
		f := p.finding(o, "filters")
		for _, part := range []string{"(id > 10)", "2 of 3 columns", "no updates", "no deletes", "no truncates"} {
			if f.Level != rowferry.Warning || !strings.Contains(f.What, part) {
				t.Errorf("%s is not told: %+v", part, f)
			}
		}
	})
}

// TestReplicaIdentity: a table whose changes cannot be found again is refused
// before anything is made at the source, and the statement given mends it (P4).
func TestReplicaIdentity(t *testing.T) {
	eachServer(t, func(t *testing.T, k testdb.Kind) {
		for name, tt := range map[string]struct {
			make string
			fine bool
		}{
			"key":             {"CREATE TABLE a (id int PRIMARY KEY)", true},
			"full":            {"CREATE TABLE a (id int); ALTER TABLE a REPLICA IDENTITY FULL", true},
			"index":           {"CREATE TABLE a (id int NOT NULL); CREATE UNIQUE INDEX u ON a (id); ALTER TABLE a REPLICA IDENTITY USING INDEX u", true},
			"key by index":    {"CREATE TABLE a (id int PRIMARY KEY, x int NOT NULL DEFAULT 1); CREATE UNIQUE INDEX u ON a (id); ALTER TABLE a REPLICA IDENTITY USING INDEX u", true},
			"none":            {"CREATE TABLE a (id int)", false},
			"nothing":         {"CREATE TABLE a (id int PRIMARY KEY); ALTER TABLE a REPLICA IDENTITY NOTHING", false},
			"nothing, no key": {"CREATE TABLE a (id int); ALTER TABLE a REPLICA IDENTITY NOTHING", false},
			"other index":     {"CREATE TABLE a (id int PRIMARY KEY, x int NOT NULL DEFAULT 1); CREATE UNIQUE INDEX u ON a (x); ALTER TABLE a REPLICA IDENTITY USING INDEX u", false},
			"lost index":      {"CREATE TABLE a (id int NOT NULL); CREATE UNIQUE INDEX u ON a (id); ALTER TABLE a REPLICA IDENTITY USING INDEX u; DROP INDEX u", false},
			"a partition":     {"CREATE TABLE a (id int PRIMARY KEY) PARTITION BY RANGE (id); CREATE TABLE a1 PARTITION OF a FOR VALUES FROM (1) TO (9); ALTER TABLE a1 REPLICA IDENTITY NOTHING", false},
			"partitions":      {"CREATE TABLE a (id int) PARTITION BY RANGE (id); CREATE TABLE a1 PARTITION OF a FOR VALUES FROM (1) TO (9)", false},
		} {
			t.Run(name, func(t *testing.T) {
				p := newPlace(t, k)
				for q := range strings.SplitSeq(tt.make, "; ") {
					p.exec(q)
				}
				o := p.options()
				if !tt.fine {
					p.mended(p.refused(o, rowferry.Start{}, rowferry.CodeReplicaIdentity, "public.a"))
				}
				p.begun(o)
				p.exec("INSERT INTO a VALUES (1)", "UPDATE a SET id = 2", "DELETE FROM a") // the source goes on
			})
		}
	})
}

// TestGenerated: on PostgreSQL 18 a generated column in the replica identity
// would make the source refuse its own updates (P5).
func TestGenerated(t *testing.T) {
	p := newPlace(t, testdb.PostgresNew)
	p.exec("CREATE TABLE s (id int PRIMARY KEY, g int GENERATED ALWAYS AS (id + 1) STORED)", "ALTER TABLE s REPLICA IDENTITY FULL",
		"CREATE TABLE v (id int PRIMARY KEY, g int GENERATED ALWAYS AS (id + 1) VIRTUAL)", "ALTER TABLE v REPLICA IDENTITY FULL",
		"CREATE PUBLICATION plain FOR TABLE s, v", "INSERT INTO s VALUES (1)", "INSERT INTO v VALUES (1)")
	for _, table := range []string{"s", "v"} { // why it is refused
		if _, err := p.db.ExecContext(t.Context(), "UPDATE "+table+" SET id = 2"); err == nil {
			t.Errorf("the server does not mind a generated column in the identity of %s", table)
		}
	}
	o := p.options()
	o.Publication, o.Scope = "plain", only("s")
	p.refused(o, rowferry.Start{}, rowferry.CodeReplicaIdentity, "column g")
	p.exec("DROP PUBLICATION plain")
	o.Publication = ""
	if got := p.begun(o); got.Position == "" {
		t.Error("not begun")
	}
	p.exec("UPDATE s SET id = 2")
	both := p.options()
	both.Pipeline = "q"
	p.mended(p.refused(both, rowferry.Start{}, rowferry.CodeReplicaIdentity, "public.v"))
	p.begun(both)
	p.exec("UPDATE v SET id = 2", "DELETE FROM v", "DELETE FROM s")
}

// TestUnfit: servers whose log cannot be followed.
func TestUnfit(t *testing.T) {
	for name, arg := range map[string]string{"wal_level is replica": "wal_level=replica", "makes no replication slot": "max_replication_slots=0", "at one of its limits": "max_replication_slots=1"} {
		t.Run(name, func(t *testing.T) {
			p := newPlace(t, testdb.Postgres15, testdb.Arg(arg))
			p.exec("CREATE TABLE a (id int PRIMARY KEY)")
			if name == "at one of its limits" {
				p.exec("SELECT pg_create_logical_replication_slot('another', 'pgoutput')")
			}
			e := Options{Endpoint: p.endpoint(), Pipeline: "p", From: "latest"}
			_, err := p.prepare(e, rowferry.Start{})
			if rowferry.CodeOf(err) != rowferry.CodeSourceUnfit || !strings.Contains(err.Error(), name) {
				t.Error(err)
			}
		})
	}
	p := newPlace(t, testdb.Postgres15)
	o := p.options()
	o.Origin = OriginNone
	p.refused(o, rowferry.Start{}, rowferry.CodeSourceUnfit, "PostgreSQL 16")
}

// TestPrivileges: what a role lacks is named, with statements that mend it.
func TestPrivileges(t *testing.T) {
	eachServer(t, func(t *testing.T, k testdb.Kind) {
		p := newPlace(t, k)
		if err := p.server.CreateAccount(context.Background(), testdb.Account{User: "lesser", Password: "secret", Plugin: testdb.SCRAM}); err != nil {
			t.Fatal(err)
		}
		p.exec("ALTER ROLE lesser NOREPLICATION", "CREATE TABLE a (id int PRIMARY KEY)")
		p.user = "lesser"
		o := p.options()
		p.mended(p.refused(o, rowferry.Start{}, rowferry.CodeSourceDenied, "may not read the log"))
		if f := p.finding(o, "publication"); f.Code != rowferry.CodePublication {
			t.Errorf("%+v", f)
		}
		p.mended(p.refused(o, rowferry.Start{}, rowferry.CodePublication, "may not make it"))
		p.begun(o)
		if f := p.finding(o, "publication"); f.Level != rowferry.Passed {
			t.Errorf("%+v", f)
		}
		p.user = ""
	})
}
