package cli

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"syscall"
	"testing"

	"zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"

	"github.com/rowferry/rowferry/internal/testdb"
)

// quarantine is a source of persons and notes of them, and a SQLite target that
// refuses a person of the label 'bad'.
type quarantine struct {
	*origin
	t *testing.T
}

func newQuarantine(t *testing.T) *quarantine {
	t.Helper()
	q := &quarantine{newOrigin(t, testdb.MariaDB1011, "sqlite:shop.db"), t}
	q.configure("on_reject: quarantine\nstop_after: 2\n")
	q.exec(t, "CREATE TABLE person (id BIGINT PRIMARY KEY, label VARCHAR(20) NOT NULL)",
		"CREATE TABLE note (id BIGINT PRIMARY KEY, person_id BIGINT NOT NULL, FOREIGN KEY (person_id) REFERENCES person (id))")
	conn, err := sqlite.OpenConn("shop.db")
	if err != nil {
		t.Fatal(err)
	}
	err = sqlitex.ExecuteScript(conn, "CREATE TABLE person (id INTEGER PRIMARY KEY, label TEXT NOT NULL CHECK (label <> 'bad'));", nil)
	if err = errors.Join(err, conn.Close()); err != nil {
		t.Fatal(err)
	}
	return q
}

func (q *quarantine) configure(more string) {
	q.t.Helper()
	if err := os.WriteFile("shop.yaml", []byte(q.file+more), 0o600); err != nil {
		q.t.Fatal(err)
	}
}

// once runs to the end, with rows left aside or not.
func (q *quarantine) once(code int, statements ...string) {
	q.t.Helper()
	q.exec(q.t, statements...)
	got := run(q.t, []string{"run", "-c", "shop.yaml", "--once", "--from", "earliest"})
	if got.code != code || code == 4 && !strings.Contains(got.err, "RF-5023") {
		q.t.Fatalf("exit %d, want %d\n%s%s", got.code, code, got.out, got.err)
	}
}

// there requires so many persons and notes in the target.
func (q *quarantine) there(persons, notes int) {
	q.t.Helper()
	if p, n := rows(q.t, "shop.db", "person"), rows(q.t, "shop.db", "note"); p != fmt.Sprint(persons) || n != fmt.Sprint(notes) {
		q.t.Errorf("%s persons and %s notes, want %d and %d", p, n, persons, notes)
	}
}

// rejects returns the result of a command of that name.
func rejects[T any](t *testing.T, words ...string) (result T) {
	t.Helper()
	out := ok(t, append([]string{"rejects", words[0], "-o", "json", "-c", "shop.yaml"}, words[1:]...)...)
	var e struct {
		Command string
		OK      bool
		Result  *T
	}
	if err := json.Unmarshal([]byte(out), &e); err != nil || !e.OK || e.Result == nil || e.Command != "rejects "+words[0] {
		t.Fatalf("%v: %s", err, out)
	}
	return *e.Result
}

// outcomes are those of retry and drop, in words.
func outcomes(t *testing.T, words ...string) string {
	t.Helper()
	text := ""
	for _, o := range rejects[[]rejectOutcome](t, words...) {
		text += o.Outcome
		if o.Row != nil {
			text += fmt.Sprintf(" %d", o.Row.Tries)
		}
		text += ";"
	}
	return text
}

// only returns the number of the one row that is listed.
func (q *quarantine) only(status string, tries, behind int) string {
	q.t.Helper()
	list := rejects[[]rejectRow](q.t, "list")
	if len(list) != 1 || list[0].Status != status || list[0].Tries != tries || list[0].Behind != behind || list[0].Code != "RF-3002" || !strings.Contains(list[0].Why, "CHECK") {
		q.t.Fatalf("%+v", list)
	}
	return fmt.Sprint(list[0].Number)
}

// TestRejectsStopped: rows are tried again, and given up, by the next run where none
// is under way.
func TestRejectsStopped(t *testing.T) {
	q := newQuarantine(t)
	q.once(4, "INSERT INTO person VALUES (1, 'one'), (2, 'bad'), (3, 'three')", "INSERT INTO note VALUES (10, 2), (11, 1)", "UPDATE note SET id = 12 WHERE id = 10")
	q.there(2, 1)
	n := q.only("rejected", 1, 1)
	if text := ok(t, "rejects", "show", "-c", "shop.yaml", n); !strings.Contains(text, "source key 2\n") || !strings.Contains(text, "behind it  1 row\n") || !strings.Contains(text, "status     rejected\n") {
		t.Error(text)
	}
	if text := ok(t, "status", "-c", "shop.yaml"); !strings.Contains(text, "waiting 2, rejected 1\n") {
		t.Error(text)
	}
	if text := ok(t, "map", "waiting", "-c", "shop.yaml"); !strings.Contains(text, "the target refused it; see rowferry rejects") {
		t.Error(text)
	}
	if got := outcomes(t, "retry", n); got != "noted 1;" {
		t.Error(got)
	}
	q.once(4)
	q.only("rejected", 2, 1)
	q.once(4, "UPDATE person SET label = 'mended' WHERE id = 2") // which nobody has asked to be tried
	q.only("rejected", 2, 1)
	if got := outcomes(t, "retry", "--all"); got != "noted 2;" {
		t.Error(got)
	}
	q.once(0)
	q.there(3, 2)
	if _, err := os.Stat("state/wishes.json"); !errors.Is(err, fs.ErrNotExist) {
		t.Error(err)
	}
	if text := ok(t, "rejects", "list", "-c", "shop.yaml"); text != "no row is put aside\n" {
		t.Error(text)
	}
	q.once(4, "INSERT INTO person VALUES (4, 'bad')", "INSERT INTO note VALUES (13, 4)")
	if got := outcomes(t, "drop", q.only("rejected", 1, 1)); got != "noted 1;" {
		t.Error(got)
	}
	q.once(0, "UPDATE person SET label = 'changed' WHERE id = 4", "INSERT INTO note VALUES (14, 4)")
	q.only("dropped", 1, 2)
	q.there(3, 2)
	q.once(0, "DELETE FROM note WHERE person_id = 4", "DELETE FROM person WHERE id = 4", "INSERT INTO person VALUES (4, 'anew')")
	q.there(4, 2)
	if list := rejects[[]rejectRow](t, "list"); len(list) != 0 {
		t.Errorf("%+v", list)
	}
	for words, want := range map[string]string{"show 99": "RF-5021", "retry 99": "RF-5021", "drop 99": "RF-5021", "drop": "RF-1006", "retry x": "RF-1006", "retry --all 1": "RF-1006"} {
		if got := run(t, append([]string{"rejects", "-c", "shop.yaml"}, strings.Fields(words)...)); got.code != 2 || !strings.Contains(got.err, want) {
			t.Errorf("%s: %+v", words, got)
		}
	}
}

// TestRejectsStop: more rows than stop_after allows stop the pipeline, and so does a
// configuration that knows of none.
func TestRejectsStop(t *testing.T) {
	q := newQuarantine(t)
	q.once(4, "INSERT INTO person VALUES (1, 'bad')", "INSERT INTO person VALUES (2, 'bad')")
	q.exec(t, "INSERT INTO person VALUES (3, 'three')", "INSERT INTO person VALUES (4, 'bad')")
	for range 2 {
		got := run(t, []string{"run", "-c", "shop.yaml", "--once"})
		if got.code != 1 || !strings.Contains(got.err, "RF-5020") || !strings.Contains(got.err, "CHECK") {
			t.Fatalf("%+v", got)
		}
		q.there(1, 0)
	}
	q.configure("")
	if got := run(t, []string{"run", "-c", "shop.yaml", "--once"}); got.code != 1 || !strings.Contains(got.err, "RF-5022") {
		t.Fatalf("%+v", got)
	}
	q.configure("entities: {" + q.name + ".item: {on_reject: quarantine}}\n") // which knows of them, and adds none
	if got := run(t, []string{"run", "-c", "shop.yaml", "--once"}); got.code != 1 || !strings.Contains(got.err, "RF-3002") {
		t.Fatalf("%+v", got)
	}
	q.configure("on_reject: quarantine\n")
	q.once(4)
	if list := rejects[[]rejectRow](t, "list", "--limit", "2"); len(list) != 2 {
		t.Errorf("%+v", list)
	}
}

// TestRejectsRunning: a running engine tells, tries again and gives up, and what it
// cannot write does not stop it.
func TestRejectsRunning(t *testing.T) {
	q := newQuarantine(t)
	q.once(4, "INSERT INTO person VALUES (1, 'one'), (2, 'bad')", "INSERT INTO note VALUES (10, 2)")
	p := start(t, "run", "-c", "shop.yaml")
	p.waitFor(t, "resume")
	awaitRows(t, 0, "-c", "shop.yaml")
	n := q.only("rejected", 1, 1)
	if got := outcomes(t, "retry", n); got != "rejected 2;" {
		t.Error(got)
	}
	if got := outcomes(t, "drop", n); got != "dropped 2;" {
		t.Error(got)
	}
	q.exec(t, "UPDATE person SET label = 'mended' WHERE id = 2", "INSERT INTO person VALUES (3, 'three')", "UPDATE person SET label = 'bad' WHERE id = 3")
	awaitRows(t, 3, "-c", "shop.yaml")
	if text := ok(t, "status", "-c", "shop.yaml"); !strings.Contains(text, "rejected 1\n") {
		t.Error(text)
	}
	q.there(2, 0)
	if got := outcomes(t, "retry", n); got != "written;" {
		t.Error(got)
	}
	q.there(3, 1)
	q.only("rejected", 1, 0)
	q.exec(t, "DELETE FROM person WHERE id = 3") // as it is in the target
	awaitRows(t, 4, "-c", "shop.yaml")
	q.there(2, 1)
	if got := run(t, []string{"rejects", "retry", "-c", "shop.yaml", n}); got.code != 2 || !strings.Contains(got.err, "RF-5021") {
		t.Errorf("%+v", got)
	}
	if err := p.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := p.Wait(); err != nil {
		t.Fatal(err)
	}
}

// TestRejectsOfACopy: rows of a copy are put aside, and by SQLite's look at foreign keys,
// which is at the commit alone; what such a copy cannot have is refused before.
func TestRejectsOfACopy(t *testing.T) {
	q := newQuarantine(t)
	q.exec(t, "INSERT INTO person VALUES (1, 'one'), (2, 'bad'), (3, 'three')", "INSERT INTO note VALUES (10, 2), (11, 1), (12, 3)",
		"SET foreign_key_checks = 0", "INSERT INTO note VALUES (13, 99)")
	q.configure("on_reject: quarantine\norphans: skip\n")
	if got := run(t, []string{"run", "-c", "shop.yaml", "--once"}); got.code != 2 || !strings.Contains(got.err, "RF-2034") || !strings.Contains(got.err, "without 'on_reject'") {
		t.Fatalf("%+v", got)
	}
	q.configure("on_reject: quarantine\n")
	if got := run(t, []string{"run", "-c", "shop.yaml", "--once"}); got.code != 4 || !strings.Contains(got.err, "RF-5023") {
		t.Fatalf("%+v", got)
	}
	q.there(2, 2)
	list := rejects[[]rejectRow](t, "list")
	if len(list) != 2 || list[0].Behind != 1 || !strings.Contains(list[1].Why, "without their parent") {
		t.Fatalf("%+v", list)
	}
	q.exec(t, "UPDATE person SET label = 'mended' WHERE id = 2", "SET foreign_key_checks = 0", "INSERT INTO person VALUES (99, 'last')")
	if got := outcomes(t, "retry", "--all"); got != "noted 1;noted 1;" {
		t.Error(got)
	}
	run(t, []string{"run", "-c", "shop.yaml", "--once"})
	outcomes(t, "retry", "--all") // the note's parent is there by now
	if got := run(t, []string{"run", "-c", "shop.yaml", "--once"}); got.code != 0 {
		t.Fatalf("%+v", got)
	}
	q.there(4, 4)
}
