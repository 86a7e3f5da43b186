package e2e

import (
	"database/sql"
	"encoding/json"
	"fmt"
	"net/url"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rowferry/rowferry"
	"github.com/rowferry/rowferry/internal/testdb"
)

// sqliteKind stands for a SQLite file among the kinds of targets.
const sqliteKind testdb.Kind = "sqlite"

// goal is the target of a live pipeline.
type goal struct {
	kind   testdb.Kind
	server *testdb.Server // nil for SQLite
	url    string         // for Rowferry
	judge  string         // for the equal program
	name   string         // of the database on the server
	path   string         // of a SQLite file
	ns     string         // of the source's tables in the target, with a dot, or ""
	db     *sql.DB        // nil for SQLite
	watch  bool           // the ledger's trigger exists
}

// newGoal makes an empty target for the tables of a namespace at the source: a
// database, of PostgreSQL a schema.
func newGoal(t *testing.T, kind testdb.Kind, namespace string, opts ...testdb.Option) *goal {
	t.Helper()
	if kind == sqliteKind {
		path := filepath.Join(t.TempDir(), "target.db")
		return &goal{kind: kind, url: "sqlite:" + path, judge: "sqlite://" + path, path: path}
	}
	s := testdb.Start(t, kind, opts...)
	name, db := testdb.NewDatabase(t, s)
	g := &goal{kind: kind, server: s, db: db, judge: s.URL(name), name: name}
	if kind.Flavor() == testdb.Postgres {
		g.url = s.URL(name)
		g.ns = namespace + "."
		g.judge += "?schema=" + url.QueryEscape(namespace)
		return g
	}
	g.url = fmt.Sprintf("mysql://root@127.0.0.1:%d/%s", s.Port, name)
	return g
}

// intOf returns the number that a query yields.
func (g *goal) intOf(t *testing.T, query string) int64 {
	t.Helper()
	n, err := g.number(query)
	if err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	return n
}

func (g *goal) number(query string) (n int64, err error) {
	if g.db == nil {
		return numberOf(g.path, query)
	}
	for range 5 { // sessions of a server that was killed fail first
		if err = g.db.QueryRow(query).Scan(&n); err == nil {
			break
		}
	}
	return n, err
}

// committed returns the sequence of the pipeline's checkpoint.
func (g *goal) committed(t *testing.T) int64 {
	t.Helper()
	return g.intOf(t, g.sequenceQuery())
}

func (g *goal) sequenceQuery() string {
	if g.kind.Flavor() == testdb.Postgres {
		return "SELECT sequence FROM rowferry.rowferry_checkpoint"
	}
	return "SELECT sequence FROM rowferry_checkpoint"
}

// held is what the pipeline's checkpoint says of what lives elsewhere.
func (g *goal) held(t *testing.T) (h rowferry.Held) {
	t.Helper()
	text := g.rows(t, strings.Replace(g.sequenceQuery(), "sequence", "held", 1))[0][0]
	if err := json.Unmarshal([]byte(text), &h); err != nil {
		t.Fatal(err)
	}
	return h
}

// schemaName is PostgreSQL's schema of the tables, and empty elsewhere.
func (g *goal) schemaName() string { return strings.TrimSuffix(g.ns, ".") }

// has reports whether the target has the ledger.
func (g *goal) has(t *testing.T) bool {
	t.Helper()
	if g.db == nil {
		return intOf(t, g.path, "SELECT COUNT(*) FROM sqlite_schema WHERE name = 'ledger'") > 0
	}
	return g.intOf(t, "SELECT COUNT(*) FROM information_schema.tables WHERE table_name = 'ledger' AND table_schema = "+g.schema()) > 0
}

func (g *goal) schema() string {
	if g.ns == "" {
		return "DATABASE()"
	}
	return "'" + g.schemaName() + "'"
}

// count puts a trigger on the ledger that counts what is inserted from now on.
func (g *goal) count(t *testing.T) {
	t.Helper()
	statements := []string{"CREATE TABLE " + g.ns + "_test_inserts (n BIGINT NOT NULL)", "INSERT INTO " + g.ns + "_test_inserts VALUES (0)"}
	switch {
	case g.db == nil:
		statements = append(statements, "CREATE TRIGGER _test_count AFTER INSERT ON ledger BEGIN UPDATE _test_inserts SET n = n + 1; END")
	case g.kind.Flavor() == testdb.Postgres:
		statements = append(statements,
			"CREATE FUNCTION "+g.ns+"_test_counts() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN UPDATE "+g.ns+"_test_inserts SET n = n + 1; RETURN NULL; END $$",
			"CREATE TRIGGER _test_count AFTER INSERT ON "+g.ns+"ledger FOR EACH ROW EXECUTE FUNCTION "+g.ns+"_test_counts()")
	default:
		statements = append(statements, "CREATE TRIGGER _test_count AFTER INSERT ON ledger FOR EACH ROW UPDATE _test_inserts SET n = n + 1")
	}
	for _, q := range statements {
		if g.db == nil {
			execSQLite(t, g.path, q)
			continue
		}
		if _, err := g.db.Exec(q); err != nil {
			t.Fatalf("%s: %v", q, err)
		}
	}
	g.watch = true
}

// bounce kills the target's server and starts it again.
func (g *goal) bounce(t *testing.T) {
	t.Helper()
	if err := g.server.Kill(); err != nil {
		t.Fatal(err)
	}
	if err := g.server.Restart(t.Context()); err != nil {
		t.Fatal(err)
	}
}
