package e2e

import (
	"context"
	"database/sql"
	"fmt"
	"strings"
	"testing"

	"zombiezen.com/go/sqlite"

	"github.com/rowferry/rowferry/internal/testdb"
)

// stream is a live pipeline of a test, from a source's database of its own.
type stream struct {
	source   *testdb.Server
	db       *sql.DB
	database string
	from     string // where the source's log was before the first statement
	goal     *goal
	name     string // of the pipeline
	state    string
	more     []string // more flags
}

// newStream makes an empty database on the source, and an empty target for it.
func newStream(t *testing.T, source, target testdb.Kind, opts ...testdb.Option) *stream {
	t.Helper()
	s := &stream{source: testdb.Start(t, source, opts...), name: "live", state: t.TempDir() + "/state"}
	s.from = logEnd(t, s.source)
	s.database, s.db = testdb.NewDatabase(t, s.source)
	s.goal = newGoal(t, target, s.database)
	return s
}

// to is another pipeline from the same place of the same source.
func (s *stream) to(t *testing.T, target testdb.Kind) *stream {
	t.Helper()
	other := *s
	other.state = t.TempDir() + "/state"
	other.goal = newGoal(t, target, s.database)
	return &other
}

// logEnd returns where the server's log ends.
func logEnd(t *testing.T, s *testdb.Server) string {
	t.Helper()
	query := "SHOW BINARY LOG STATUS"
	if s.Kind.Flavor() == testdb.MariaDB {
		query = "SHOW MASTER STATUS"
	}
	rows := queryRows(t, s.DB(), query)
	if len(rows) != 1 {
		t.Fatalf("%s: %q", query, rows)
	}
	return rows[0][0] + ":" + rows[0][1]
}

// exec runs statements on the source in one session.
func (s *stream) exec(t *testing.T, statements ...string) {
	t.Helper()
	execAll(t, s.db, statements...)
}

// execAll runs statements in one session.
func execAll(t *testing.T, db *sql.DB, statements ...string) {
	t.Helper()
	conn, err := db.Conn(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	for _, q := range statements {
		if _, err := conn.ExecContext(context.Background(), q); err != nil {
			t.Fatalf("%.300s: %v", q, err)
		}
	}
}

// command returns the arguments of a command over the pipeline.
func (s *stream) command(name string, more ...string) []string {
	return append(append([]string{
		name, "--name", s.name, "--source", fmt.Sprintf("mysql://root@127.0.0.1:%d/%s", s.source.Port, s.database), "--target", s.goal.url,
		"--state", s.state,
	}, s.more...), more...)
}

// once returns the arguments of a run up to what the source has now.
func (s *stream) once(more ...string) []string {
	return s.command("run", append([]string{"--from", s.from, "--once"}, more...)...)
}

// requireEqual compares source and target.
func (s *stream) requireEqual(t *testing.T, flags ...string) {
	t.Helper()
	testdb.RequireEqual(t, s.source.URL(s.database), s.goal.judge, flags...)
}

// exec runs statements on the target in one session.
func (g *goal) exec(t *testing.T, statements ...string) {
	t.Helper()
	if g.db == nil {
		for _, q := range statements {
			execSQLite(t, g.path, q)
		}
		return
	}
	execAll(t, g.db, statements...)
}

// rows returns what a query yields, as text.
func (g *goal) rows(t *testing.T, query string) [][]string {
	t.Helper()
	if g.db != nil {
		return queryRows(t, g.db, query)
	}
	conn, err := sqlite.OpenConn(g.path, sqlite.OpenReadWrite)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	stmt, _, err := conn.PrepareTransient(query)
	if err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	defer stmt.Finalize()
	var all [][]string
	for {
		more, err := stmt.Step()
		if err != nil {
			t.Fatalf("%s: %v", query, err)
		}
		if !more {
			return all
		}
		row := make([]string, stmt.ColumnCount())
		for i := range row {
			if row[i] = stmt.ColumnText(i); stmt.ColumnIsNull(i) {
				row[i] = "NULL"
			}
		}
		all = append(all, row)
	}
}

func queryRows(t *testing.T, db *sql.DB, query string) [][]string {
	t.Helper()
	rows, err := db.Query(query)
	if err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	defer rows.Close()
	names, err := rows.Columns()
	if err != nil {
		t.Fatal(err)
	}
	var all [][]string
	for rows.Next() {
		values, scan := make([]sql.NullString, len(names)), make([]any, len(names))
		for i := range values {
			scan[i] = &values[i]
		}
		if err := rows.Scan(scan...); err != nil {
			t.Fatal(err)
		}
		row := make([]string, len(names))
		for i, v := range values {
			if row[i] = v.String; !v.Valid {
				row[i] = "NULL"
			}
		}
		all = append(all, row)
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return all
}

// table returns the name of a table of the source in the target, as SQL.
func (g *goal) table(name string) string { return g.ns + name }

// described joins rows for a message.
func described(rows [][]string) string {
	var b strings.Builder
	for _, r := range rows {
		fmt.Fprintf(&b, "  %q\n", r)
	}
	return b.String()
}
