package cli

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"

	"github.com/rowferry/rowferry/internal/testdb"
)

// mapOf reads the envelope of a map command.
func mapOf[T any](t *testing.T, args ...string) (result T) {
	t.Helper()
	out := ok(t, append([]string{"map"}, args...)...)
	var e struct {
		Schema  int
		Command string
		OK      bool
		Result  *T
		Error   *envelopeError
	}
	if err := json.Unmarshal([]byte(out), &e); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	if e.Schema != 1 || e.Command != "map "+args[0] || !e.OK || e.Result == nil || e.Error != nil {
		t.Fatal(out)
	}
	return *e.Result
}

// newMapped is a source of users that are given keys, notes that refer to them, and
// tags that refer to notes, and a SQLite target.
func newMapped(t *testing.T) *origin {
	t.Helper()
	o := newOrigin(t, testdb.MariaDB1011, "sqlite:shop.db")
	o.exec(t, "CREATE TABLE person (id BIGINT AUTO_INCREMENT PRIMARY KEY, label VARCHAR(20) NOT NULL)",
		"CREATE TABLE note (id BIGINT AUTO_INCREMENT PRIMARY KEY, person_id BIGINT NOT NULL)",
		"CREATE TABLE tag (note_id BIGINT NOT NULL, word VARCHAR(20) NOT NULL, PRIMARY KEY (note_id, word))")
	o.file += strings.ReplaceAll(`entities:
  DB.person: {key: allocate}
  DB.note: {key: allocate, references: {person_id: DB.person.id}}
  DB.tag: {references: {note_id: DB.note.id}}
`, "DB", o.name)
	if err := os.WriteFile("shop.yaml", []byte(o.file), 0o600); err != nil {
		t.Fatal(err)
	}
	conn, err := sqlite.OpenConn("shop.db")
	if err != nil {
		t.Fatal(err)
	}
	err = sqlitex.ExecuteScript(conn, "CREATE TABLE person (id INTEGER PRIMARY KEY AUTOINCREMENT, label TEXT NOT NULL);"+ // the others are made by the run
		"INSERT INTO person VALUES (1, 'the target''s own')", nil)
	if err = errors.Join(err, conn.Close()); err != nil {
		t.Fatal(err)
	}
	return o
}

// requireMap asks for everything while person 1 and its note are there, and note 20
// and its tag wait for person 7.
func (o *origin) requireMap(t *testing.T) {
	t.Helper()
	c := []string{"-o", "json", "-c", "shop.yaml"}
	with := func(words ...string) []string { return append(append(words[:1:1], c...), words[1:]...) }
	person := mapOf[mapRow](t, with("lookup", o.name+".person", "1")...)
	if person.Status != "applied" || len(person.Target) != 1 || fmt.Sprint(person.Source) != "[1]" || person.Waits != nil {
		t.Fatalf("%+v", person)
	}
	if got := mapOf[mapRow](t, with("lookup", "--by-target", o.name+".person", person.Target[0])...); fmt.Sprint(got) != fmt.Sprint(person) {
		t.Errorf("by its target key: %+v, by its source key: %+v", got, person)
	}
	if got := rows(t, "shop.db", "person WHERE id = "+person.Target[0]); got != "1" {
		t.Errorf("the target has no row %s", person.Target[0])
	}
	for _, words := range [][]string{{"lookup", o.name + ".person", "7"}, {"lookup", "--by-target", o.name + ".person", "999999"}} {
		if got := mapOf[mapRow](t, with(words...)...); got.Status != "unknown" || got.Target != nil && got.Source != nil {
			t.Errorf("%v: %+v", words, got)
		}
	}
	tag := mapOf[mapRow](t, with("lookup", o.name+".tag", "20,a word")...)
	if tag.Status != "waiting" || tag.Target != nil || tag.Waits == nil || tag.Waits.For.Table != o.name+".note" || fmt.Sprint(tag.Waits.For.Key) != "[20]" {
		t.Errorf("%+v, %+v", tag, tag.Waits)
	}
	waiting := mapOf[[]mapWaitRow](t, with("waiting")...)
	if len(waiting) != 2 || waiting[0].Table != o.name+".note" || waiting[0].Behind != 1 || waiting[0].For.Reason != "it has not come" ||
		fmt.Sprint(waiting[0].For.Key) != "[7]" || waiting[1].For.Reason != "it waits too" || waiting[0].Since == nil || time.Since(*waiting[0].Since) > time.Hour {
		t.Errorf("%+v", waiting)
	}
	if got := mapOf[[]mapWaitRow](t, with("waiting", "--limit", "1")...); len(got) != 1 {
		t.Errorf("limited to one: %+v", got)
	}
	pairs := mapOf[[]mapPair](t, with("list", o.name+".person")...)
	if fmt.Sprint(pairs) != fmt.Sprintf("[{[1] %v  false}]", person.Target) {
		t.Errorf("%+v", pairs)
	}
	counts := mapOf[[]mapCount](t, with("list")...)
	for i := range counts {
		if counts[i].Noted != (counts[i].Bytes > 0) {
			t.Errorf("%+v", counts[i])
		}
		counts[i].Bytes = 0
	}
	if want := fmt.Sprintf("[{%[1]s.item keep false 0 0 0 0 0 [{id bigint}]} {%[1]s.note allocate true 1 0 1 0 0 [{id bigint}]} {%[1]s.person allocate true 1 0 0 0 0 [{id bigint}]} {%[1]s.tag keep true 1 0 1 0 0 [{note_id bigint} {word varchar(20)}]}]", o.name); fmt.Sprint(counts) != want {
		t.Errorf("%v, want %s", counts, want)
	}
	o.requireMapText(t)
}

func (o *origin) requireMapText(t *testing.T) {
	t.Helper()
	c := []string{"-c", "shop.yaml"}
	for _, tt := range []struct {
		words, want []string
	}{
		{[]string{"lookup", o.name + ".note", "20"}, []string{"target key none\n", "status     waiting\n", "waits for  " + o.name + ".person 7: it has not come\n", "behind it  1 row\n"}},
		{[]string{"waiting", "--limit", "1"}, []string{o.name + ".note 20  insert", "… more with --limit 0\n"}},
		{[]string{"list"}, []string{".person  allocate          1         0        0         0"}},
		{[]string{"list", o.name + ".tag"}, []string{"source", "10,early"}},
	} {
		out := ok(t, append(append([]string{"map", tt.words[0]}, c...), tt.words[1:]...)...)
		for _, w := range tt.want {
			if !strings.Contains(out, w) {
				t.Errorf("%v lacks %q:\n%s", tt.words, w, out)
			}
		}
	}
	for _, tt := range []struct{ words, code string }{
		{"lookup -c shop.yaml nothing 1", "RF-5011"}, {"lookup -c shop.yaml " + o.name + ".tag 1", "RF-5012"}, {"list -c shop.yaml nothing", "RF-5011"},
		{"lookup -c shop.yaml nothing", "RF-1006"}, {"waiting --limit x -c shop.yaml", "RF-1004"},
	} {
		if got := run(t, append([]string{"map"}, strings.Fields(tt.words)...)); got.code != 2 || !strings.Contains(got.err, tt.code) {
			t.Errorf("%s: %+v", tt.words, got)
		}
	}
	if out := ok(t, "status", "-c", "shop.yaml"); !strings.Contains(out, "keys       3 rows mapped, waiting 2\n") {
		t.Error(out)
	}
}

// TestMap: what waits and what is mapped is told alike by a running engine and of a
// stopped one's state, and the room is told to be empty when it is.
func TestMap(t *testing.T) {
	o := newMapped(t)
	if got := run(t, []string{"map", "waiting", "-c", "shop.yaml"}); got.code != 6 || !strings.Contains(got.err, "RF-4010") {
		t.Errorf("before the first run: %+v", got)
	}
	o.exec(t, "INSERT INTO person (label) VALUES ('one')", "INSERT INTO note VALUES (10, 1)", "INSERT INTO tag VALUES (10, 'early')",
		"INSERT INTO note VALUES (20, 7)", "INSERT INTO tag VALUES (20, 'a word')")
	ok(t, "run", "-c", "shop.yaml", "--once", "--from", "earliest")
	o.requireMap(t)
	p := start(t, "run", "-c", "shop.yaml")
	p.waitFor(t, "resume") // it has the state's lock, for which status would contend
	awaitRows(t, 0, "-c", "shop.yaml")
	o.requireMap(t)
	if err := p.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := p.Wait(); err != nil {
		t.Fatal(err)
	}
	o.requireMap(t)
	if got := run(t, []string{"map", "list", "--state", "state", "--target", "sqlite:shop.db", "--name", "shop"}); got.code != 2 || !strings.Contains(got.err, "RF-1010") {
		t.Errorf("without the configuration: %+v", got)
	}
	o.exec(t, "INSERT INTO person VALUES (7, 'late')")
	if out := ok(t, "run", "-c", "shop.yaml", "--once"); !strings.Contains(out, "keys       6 rows mapped, waiting 0\n") {
		t.Error(out)
	}
	if got := mapOf[[]mapWaitRow](t, "waiting", "-o", "json", "-c", "shop.yaml"); len(got) != 0 {
		t.Errorf("%+v", got)
	}
	if out := ok(t, "map", "waiting", "-c", "shop.yaml"); out != "no row waits\n" {
		t.Error(out)
	}
	if got := mapOf[mapRow](t, "lookup", "-o", "json", "-c", "shop.yaml", o.name+".tag", "20,a word"); got.Status != "applied" {
		t.Errorf("%+v", got)
	}
}
