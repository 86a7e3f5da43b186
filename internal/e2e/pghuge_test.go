package e2e

import (
	"context"
	"database/sql"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/rowferry/rowferry/internal/testdb"
)

// TestPostgresHuge carries one transaction that is many times larger than
// memory, within the default memory, from a server that gives up on a reader
// which is silent for five seconds: while the transaction is being made, and
// when it has been.
func TestPostgresHuge(t *testing.T) {
	besideOthers(t)
	for _, k := range testdb.Sources() {
		for _, how := range []string{"as it is made", "afterwards"} {
			t.Run(string(k)+" "+how, func(t *testing.T) {
				besideOthers(t)
				testPostgresHuge(t, k, how == "afterwards")
			})
		}
	}
}

func testPostgresHuge(t *testing.T, k testdb.Kind, afterwards bool) {
	size := int64(scaled(64, 2048)) << 20
	rows := int(size / hugeRow)
	f := newPGLine(t, k, "wal_sender_timeout=5s")
	execAll(t, f.db, "CREATE TABLE big (id int PRIMARY KEY, pad text NOT NULL)", "CREATE TABLE last (id int PRIMARY KEY)")
	f.begin()
	var e *engine
	if !afterwards {
		e = f.start()
	}
	if err := fillPostgres(f.db, rows); err != nil {
		t.Fatal(err)
	}
	var peak int64
	if afterwards {
		o := must(t, f.args("--once")...)
		peak = o.peakRSS
	} else {
		f.awaits(e, "the target has the transaction after the huge one", func() bool { return f.arrived("SELECT COUNT(*) FROM last", 1) })
		e.end(t)
		peak = peakRSS(e.cmd.ProcessState)
	}
	testdb.RequireEqual(t, f.source.URL(f.database), f.goal.judge)
	// The bound is the default memory plus four times the largest row.
	const allowed = 256<<20 + 4*hugeRow
	if peak > allowed {
		t.Errorf("peak resident size %d MiB, allowed %d MiB", peak>>20, int64(allowed)>>20)
	}
	t.Logf("figure: %s: one transaction of %d MiB, wal_sender_timeout 5 s: peak resident size %d MiB, Equal", k, size>>20, peak>>20)
}

// fillPostgres fills the table big in one transaction, some of which it takes
// back, and makes another transaction after it.
func fillPostgres(db *sql.DB, rows int) error {
	ctx := context.Background()
	conn, err := db.Conn(ctx)
	if err != nil {
		return err
	}
	defer conn.Close()
	insert := func(from, to int) string {
		return fmt.Sprintf("INSERT INTO big SELECT n, repeat(encode(sha512(n::text::bytea), 'hex'), %d) FROM generate_series(%d, %d) n", hugeRow/128, from, to)
	}
	statements := []string{
		"ALTER TABLE big ALTER pad SET STORAGE EXTERNAL", "BEGIN", insert(1, rows/2), "SAVEPOINT a", insert(rows+1, rows+rows/16), "ROLLBACK TO a",
		insert(rows/2+1, rows), "UPDATE big SET pad = reverse(pad) WHERE id % 64 = 0", "DELETE FROM big WHERE id % 1000 = 1", "COMMIT", "INSERT INTO last VALUES (1)",
	}
	for _, q := range statements {
		if _, err := conn.ExecContext(ctx, q); err != nil {
			return fmt.Errorf("%.40s: %w", q, err)
		}
	}
	return nil
}

// pgLine is a pipeline from a database of a PostgreSQL server of its own into
// a SQLite file.
type pgLine struct {
	*rig
	dir    string
	tables string // in scope
}

// newPGLine starts a server with settings, and makes an empty database on it.
func newPGLine(t *testing.T, k testdb.Kind, settings ...string) *pgLine {
	t.Helper()
	f := &pgLine{rig: &rig{t: t, pair: pair{k, sqliteKind, ""}}, dir: t.TempDir(), tables: "public.*"}
	f.source = testdb.Start(t, k, testdb.Private(), testdb.Logical(settings...))
	f.database, f.db = testdb.NewDatabase(t, f.source)
	f.goal = newGoal(t, sqliteKind, "public")
	return f
}

// args are those of a run.
func (f *pgLine) args(more ...string) []string {
	f.t.Helper()
	path := filepath.Join(f.dir, "rowferry.yaml")
	text := fmt.Sprintf("name: follow\nsource: {url: '%s', slot: follow, publication: follow}\ntarget: {url: '%s'}\ntables: ['%s']\nstate: %s\n",
		f.pair.url(f.source.Port, f.database), f.goal.url, f.tables, filepath.Join(f.dir, "state"))
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		f.t.Fatal(err)
	}
	return append([]string{"-c", path, "run"}, more...)
}

// begin makes the slot and the checkpoint.
func (f *pgLine) begin() {
	f.t.Helper()
	must(f.t, f.args("--once", "--from", "latest")...)
}

// start starts an engine that follows, as shipped.
func (f *pgLine) start() *engine {
	f.t.Helper()
	return startEngine(f.t, "", f.args())
}

// awaits polls while the engine runs.
func (f *pgLine) awaits(e *engine, what string, done func() bool) {
	f.t.Helper()
	f.until(what, func() bool {
		select {
		case <-e.ended:
			f.t.Fatalf("the engine ended by itself with %d", e.cmd.ProcessState.ExitCode())
		default:
		}
		return done()
	})
}

// arrived reports whether a query on the target yields a number; false where it
// has no such table yet.
func (f *pgLine) arrived(query string, n int64) bool {
	got, err := f.goal.number(query)
	return err == nil && got == n
}
