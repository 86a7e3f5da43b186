package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rowferry/rowferry"
	"github.com/rowferry/rowferry/internal/testdb"
)

// stopTables are parents whose keys are given anew, and children.
var stopTables = []string{
	"CREATE TABLE p (id BIGINT NOT NULL PRIMARY KEY, uid VARCHAR(40) NOT NULL)",
	"CREATE TABLE c (id BIGINT NOT NULL PRIMARY KEY, uid VARCHAR(40) NOT NULL, p_id BIGINT%s, CONSTRAINT to_p FOREIGN KEY (p_id) REFERENCES p (id))",
	"CREATE TABLE a (id BIGINT NOT NULL PRIMARY KEY, uid VARCHAR(40) NOT NULL, b_id BIGINT NOT NULL)",
	"CREATE TABLE b (id BIGINT NOT NULL PRIMARY KEY, uid VARCHAR(40) NOT NULL, a_id BIGINT NOT NULL)",
}

const stopConfig = `name: stops
source: {url: '%[1]s'}
target: {url: '%[2]s'}
tables: ['%[3]s.*']
state: %[4]s
waiting_rows: 10
entities:
  %[3]s.p: {key: allocate}
  %[3]s.c: {key: allocate%[5]s}
  %[3]s.a: {key: allocate, references: {b_id: %[3]s.b.id}}
  %[3]s.b: {key: allocate, references: {a_id: %[3]s.a.id}}
`

// stopPlace is a pipeline from a MariaDB into a SQLite file with rows of its own.
type stopPlace struct {
	t             *testing.T
	s             *stream
	config, state string
}

// newStop begins a pipeline after some statements, with another rule for children.
func newStop(t *testing.T, rule string, before ...string) *stopPlace {
	t.Helper()
	f := &stopPlace{t: t, s: newStream(t, testdb.MariaDB1011, sqliteKind), state: filepath.Join(t.TempDir(), "state"), config: filepath.Join(t.TempDir(), "stops.yaml")}
	null := ""
	if !strings.Contains(rule, "null") {
		null = " NOT NULL"
	}
	execNewSQLite(t, f.s.goal.path, "")
	for _, q := range stopTables {
		if strings.Contains(q, "%s") {
			q = fmt.Sprintf(q, null)
		}
		f.s.exec(t, q)
		execSQLite(t, f.s.goal.path, strings.Replace(q, "id BIGINT NOT NULL PRIMARY KEY", "id INTEGER PRIMARY KEY AUTOINCREMENT", 1))
	}
	execSQLite(t, f.s.goal.path, "INSERT INTO p VALUES (1, 'own 1'), (2, 'own 2'), (3, 'own 3'); INSERT INTO c VALUES (1, 'own 1', 1)")
	f.s.exec(t, before...)
	url := fmt.Sprintf("mysql://root@127.0.0.1:%d/%s", f.s.source.Port, f.s.database)
	text := fmt.Sprintf(stopConfig, url, f.s.goal.url, f.s.database, f.state, rule)
	if err := os.WriteFile(f.config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	f.follows("--from", logEnd(t, f.s.source))
	return f
}

func (f *stopPlace) args(more ...string) []string {
	return append([]string{"-c", f.config, "run", "--once"}, more...)
}

func (f *stopPlace) follows(more ...string) {
	f.t.Helper()
	must(f.t, f.args(more...)...)
}

// loose writes with the checks off.
func (f *stopPlace) loose(statements ...string) {
	f.t.Helper()
	f.s.exec(f.t, append([]string{"SET foreign_key_checks = 0"}, statements...)...)
}

// refused requires that the next run stops, by name and as often as it is tried, and
// that nothing of what it stops at is in the target.
func (f *stopPlace) refused(code rowferry.Code, facts ...string) {
	f.t.Helper()
	before := f.target()
	for range 2 {
		o := run(f.t, f.args()...)
		requireRefusal(f.t, o, code)
		for _, fact := range facts {
			if !strings.Contains(o.stderr, fact) {
				f.t.Errorf("the message lacks %q:\n%s", fact, o.stderr)
			}
		}
	}
	if now := f.target(); now != before {
		f.t.Errorf("the target was\n%sand is\n%s", before, now)
	}
}

// target are the references of children, by names.
func (f *stopPlace) target() string {
	f.t.Helper()
	return described(f.s.goal.rows(f.t, "SELECT c.uid, p.uid FROM c LEFT JOIN p ON p.id = c.p_id ORDER BY c.uid"))
}

func (f *stopPlace) requireTarget(want ...[]string) {
	f.t.Helper()
	if got := f.target(); got != described(append(want, []string{"own 1", "own 1"})) {
		f.t.Errorf("the target has\n%swant\n%s", got, described(want))
	}
}

// TestEntityStops: each way to be stopped where keys are given, by its name.
func TestEntityStops(t *testing.T) {
	besideOthers(t)
	t.Run("a row from before", func(t *testing.T) {
		f := newStop(t, "", "INSERT INTO p VALUES (1, 'before')")
		f.s.exec(t, "UPDATE p SET uid = 'changed' WHERE id = 1")
		f.refused(rowferry.CodeKeyUnmapped, "key          [1]")
	})
	t.Run("a missing parent refused", func(t *testing.T) {
		f := newStop(t, ", missing_parent: reject")
		f.loose("INSERT INTO c VALUES (1, 'a', 1)")
		f.refused(rowferry.CodeParentMissing)
	})
	t.Run("a missing parent left out", func(t *testing.T) {
		f := newStop(t, ", missing_parent: 'null'")
		f.loose("INSERT INTO c VALUES (1, 'a', 1)", "INSERT INTO p VALUES (1, 'late')", "INSERT INTO c VALUES (2, 'b', 1)")
		f.follows()
		f.requireTarget([]string{"a", "NULL"}, []string{"b", "late"})
	})
	t.Run("the room full", testRoomFull)
	t.Run("truncated", func(t *testing.T) {
		f := newStop(t, "")
		f.s.exec(t, "INSERT INTO p VALUES (1, 'a')")
		f.follows()
		f.loose("TRUNCATE TABLE p")
		f.refused(rowferry.CodeMappedTruncate)
	})
	t.Run("a circle", func(t *testing.T) {
		f := newStop(t, "")
		f.s.exec(t, "INSERT INTO a VALUES (1, 'a', 1)")
		f.follows()
		f.s.exec(t, "INSERT INTO b VALUES (1, 'b', 1)")
		f.refused(rowferry.CodeWaitCycle, "2 rows wait")
	})
	t.Run("the state deleted or put back", testEntityState)
}

// testRoomFull: the eleventh row that would have to wait stops the pipeline, before
// its transaction. With more room all go on, in their order.
func testRoomFull(t *testing.T) {
	f := newStop(t, "")
	for i := range 10 {
		f.loose(fmt.Sprintf("INSERT INTO c VALUES (%d, 'c%02[1]d', 1)", i))
	}
	f.follows()
	f.loose("INSERT INTO c VALUES (10, 'c10', 1)", "INSERT INTO p VALUES (1, 'late')")
	f.refused(rowferry.CodeWaitFull, "10 rows wait")
	f.requireTarget()
	text, err := os.ReadFile(f.config)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(f.config, []byte(strings.Replace(string(text), "waiting_rows: 10", "waiting_rows: 11", 1)), 0o600); err != nil {
		t.Fatal(err)
	}
	f.follows()
	var want [][]string
	for i := range 11 {
		want = append(want, []string{fmt.Sprintf("c%02d", i), "late"})
	}
	f.requireTarget(want...)
}

// testEntityState: a state directory that is gone, or of earlier, is missed, and
// nothing is written without it; with the right one all goes on.
func testEntityState(t *testing.T) {
	f := newStop(t, "")
	f.s.exec(t, "INSERT INTO p VALUES (1, 'first')", "INSERT INTO c VALUES (1, 'a', 1)")
	f.follows()
	keepDir(t, f.state, f.state+".earlier")
	f.loose("INSERT INTO c VALUES (2, 'b', 2)", "UPDATE p SET id = 3 WHERE id = 1", "UPDATE c SET p_id = 3 WHERE id = 1", "INSERT INTO p VALUES (1, 'second')")
	f.follows()
	keepDir(t, f.state, f.state+".now")
	f.s.exec(t, "INSERT INTO c VALUES (3, 'c', 1)", "INSERT INTO p VALUES (2, 'late')")
	if err := os.RemoveAll(f.state); err != nil {
		t.Fatal(err)
	}
	f.refused(rowferry.CodeStateNeeded)
	keepDir(t, f.state+".earlier", f.state)
	f.refused(rowferry.CodeStateNeeded)
	keepDir(t, f.state+".now", f.state)
	f.follows()
	f.requireTarget([]string{"a", "first"}, []string{"b", "late"}, []string{"c", "second"})
}
