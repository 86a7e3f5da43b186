package postgres

import (
	"context"
	"database/sql"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/rowferry/rowferry"
	"github.com/rowferry/rowferry/internal/connect"
	"github.com/rowferry/rowferry/internal/testdb"
	"github.com/rowferry/rowferry/schema"
)

// both are the servers that the source is tested on.
var both = []testdb.Kind{testdb.Postgres15, testdb.PostgresNew}

// place is a database on a real server, and a pipeline that reads it.
type place struct {
	t      testing.TB
	server *testdb.Server
	name   string
	db     *sql.DB
	user   string // "" is the superuser
}

// newPlace makes a database whose pipeline leaves nothing behind.
func newPlace(t testing.TB, k testdb.Kind, opts ...testdb.Option) *place {
	t.Helper()
	p := &place{t: t, server: testdb.Start(t, k, append([]testdb.Option{testdb.Arg("wal_level=logical"), testdb.Arg("max_prepared_transactions=8")}, opts...)...)}
	p.name, p.db = testdb.NewDatabase(t, p.server)
	t.Cleanup(func() {
		_ = p.server.Exec(context.Background(), "SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE database = '"+p.name+"'")
	})
	return p
}

func (p *place) exec(statements ...string) {
	p.t.Helper()
	for _, q := range statements {
		if _, err := p.db.ExecContext(p.t.Context(), q); err != nil {
			p.t.Fatalf("%s: %v", q, err)
		}
	}
}

// ask returns the one value of a query as text.
func (p *place) ask(query string) (text string) {
	p.t.Helper()
	if err := p.db.QueryRowContext(p.t.Context(), "SELECT coalesce(("+query+")::text, 'NULL')").Scan(&text); err != nil {
		p.t.Fatalf("%s: %v", query, err)
	}
	return text
}

func (p *place) endpoint() connect.Endpoint {
	p.t.Helper()
	e, err := connect.Parse(p.server.URL(p.name))
	if err != nil {
		p.t.Fatal(err)
	}
	e.Timeout = 20 * time.Second
	if p.user != "" {
		e.User, e.Password = p.user, connect.NewSecret("secret")
	}
	return e
}

// options are those of pipeline p, of which everything is in scope.
func (p *place) options() Options {
	return Options{Endpoint: p.endpoint(), Pipeline: "p", From: "latest"}
}

// prepare does all that Open does before it reads.
func (p *place) prepare(o Options, start rowferry.Start) (*opening, error) {
	p.t.Helper()
	return p.prepareBy(Live(o), start)
}

func (p *place) prepareBy(s *Source, start rowferry.Start) (*opening, error) {
	p.t.Helper()
	o := &opening{source: s, options: s.options, start: start}
	err := o.settle()
	if err == nil {
		err = o.connect(p.t.Context())
	}
	if err == nil {
		err = o.prepare(p.t.Context())
	}
	if err != nil {
		o.abandon(p.t.Context())
		return nil, err
	}
	o.session.close()
	hangUp(o.stream)
	return o, nil
}

// begun prepares a fresh pipeline, and returns where it begins, with the lineage
// that its transactions have.
func (p *place) begun(o Options) rowferry.Start {
	p.t.Helper()
	got, err := p.prepare(o, rowferry.Start{})
	if err != nil {
		p.t.Fatal(err)
	}
	return rowferry.Start{Position: got.begin.position(), Lineage: got.identity.lineage.String()}
}

// refused wants an error with a code and a word in it, and no slot or publication
// beyond those there were.
func (p *place) refused(o Options, start rowferry.Start, code rowferry.Code, part string) *rowferry.Error {
	p.t.Helper()
	const things = "(SELECT count(*) FROM pg_replication_slots) * 1000 + (SELECT count(*) FROM pg_publication)"
	before := p.ask(things)
	_, err := p.prepare(o, start)
	var e *rowferry.Error
	if !errors.As(err, &e) || e.Code != code || !strings.Contains(e.Error(), part) {
		p.t.Fatalf("want %s with %q, got %v", code, part, err)
	}
	if after := p.ask(things); after != before {
		p.t.Errorf("%s left %s behind, not %s", code, after, before)
	}
	return e
}

// mended runs the error's first remedy as it is printed.
func (p *place) mended(e *rowferry.Error) {
	p.t.Helper()
	if len(e.Remedies) == 0 {
		p.t.Fatalf("no remedy: %v", e)
	}
	p.exec(e.Remedies[0].Do)
}

// eachServer runs a test on both.
func eachServer(t *testing.T, test func(t *testing.T, k testdb.Kind)) {
	for _, k := range both {
		t.Run(string(k), func(t *testing.T) { test(t, k) })
	}
}

func only(tables ...string) func(schema.Name) bool {
	return func(n schema.Name) bool {
		for _, t := range tables {
			if n.Table == t {
				return true
			}
		}
		return false
	}
}

// TestBegin: the first start makes publication and slot, in that order and for
// the tables in scope, and later starts find them.
func TestBegin(t *testing.T) {
	eachServer(t, func(t *testing.T, k testdb.Kind) {
		p := newPlace(t, k)
		p.exec(`CREATE TABLE a (id int PRIMARY KEY)`, `CREATE SCHEMA "Odd"`, `CREATE TABLE "Odd"."Ta""ble" (id int PRIMARY KEY)`, "CREATE TABLE other (id int PRIMARY KEY)")
		o := p.options()
		o.Scope = only("a", `Ta"ble`)
		p.refused(p.with(o, "earliest"), rowferry.Start{}, rowferry.CodeSlotMissing, "no replication slot")
		p.refused(o, rowferry.Start{Peek: true}, rowferry.CodeSlotMissing, "no replication slot")
		p.refused(o, rowferry.Start{Position: "0/1"}, rowferry.CodeSlotMissing, "no replication slot")
		source := Live(o)
		first, err := p.prepareBy(source, rowferry.Start{})
		if err != nil {
			t.Fatal(err)
		}
		p.exec("INSERT INTO a VALUES (1)")
		if got := p.ask("SELECT string_agg(schemaname || '.' || tablename, ' ' ORDER BY tablename) FROM pg_publication_tables WHERE pubname = 'rowferry_p'"); got != `Odd.Ta"ble public.a` && got != `public.a Odd.Ta"ble` {
			t.Errorf("published: %s", got)
		}
		if got := p.ask("SELECT confirmed_flush_lsn FROM pg_replication_slots WHERE slot_name = 'rowferry_p' AND plugin = 'pgoutput'"); got != first.begin.String() {
			t.Errorf("the slot is at %s, the reader begins at %s", got, first.begin)
		}
		if k == testdb.PostgresNew && p.ask("SELECT failover FROM pg_replication_slots WHERE slot_name = 'rowferry_p'") != "true" {
			t.Error("standbys do not keep up with the slot")
		}
		// A try that failed after it made them is gone on with by the same source
		// only: another might be another pipeline.
		if again, err := p.prepareBy(source, rowferry.Start{}); err != nil || again.begin != first.begin {
			t.Errorf("again: %v, %v", again, err)
		}
		p.refused(o, rowferry.Start{}, rowferry.CodeNoStart, "already")
		begun := rowferry.Start{Position: first.begin.position(), Lineage: first.identity.lineage.String()}
		for name, s := range map[string]rowferry.Start{"earliest": {}, "resumed": begun} {
			if got, err := p.prepare(p.with(o, "earliest"), s); err != nil || got.begin != first.begin || len(got.scope.tables) != 2 {
				t.Errorf("%s: %+v, %v", name, got, err)
			}
		}
		now := p.ask("SELECT pg_current_wal_flush_lsn()")
		if got, err := p.prepare(p.with(o, now), rowferry.Start{}); err != nil || got.begin.String() != now {
			t.Errorf("at an LSN: %+v, %v", got, err)
		}
		p.refused(p.with(o, "0/1"), rowferry.Start{}, rowferry.CodePositionOutside, "no longer")
		p.refused(p.with(o, "FFFF/1"), rowferry.Start{}, rowferry.CodeLineageBroken, "ends at")
	})
}

// with is o with another place to begin.
func (p *place) with(o Options, from string) Options {
	o.From = from
	return o
}

// finding returns the finding of that name.
func (p *place) finding(o Options, name string) rowferry.Finding {
	p.t.Helper()
	found, ok := p.findings(o)[name]
	if !ok {
		p.t.Fatalf("nothing was found about %s", name)
	}
	return found
}

// findings returns the findings by name, each of which has to help.
func (p *place) findings(o Options) map[string]rowferry.Finding {
	p.t.Helper()
	all, err := Live(o).Examine(p.t.Context())
	if err != nil {
		p.t.Fatal(err)
	}
	byName := map[string]rowferry.Finding{}
	for _, f := range all {
		if _, twice := byName[f.Name]; twice || f.What == "" || (f.Level == rowferry.Failed) != (f.Code != "") || f.Level != rowferry.Passed && len(f.Remedies) == 0 {
			p.t.Errorf("a finding that is twice, says nothing, or has no code or remedy: %+v", f)
		}
		byName[f.Name] = f
	}
	return byName
}
