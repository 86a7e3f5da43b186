package e2e

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rowferry/rowferry"
	"github.com/rowferry/rowferry/internal/testdb"
)

// foreseen are the counts of a dry run, as "table +inserts ~updates &merges -deletes
// /skips ?waits !rejects" without what is zero, by table.
func foreseen(t *testing.T, o outcome) string {
	t.Helper()
	var e struct {
		Result struct {
			Tables []struct {
				Table   string
				Inserts int `json:"would_insert"`
				Updates int `json:"would_update"`
				Merges  int `json:"would_merge"`
				Deletes int `json:"would_delete"`
				Skips   int `json:"would_skip"`
				Waits   int `json:"would_wait"`
				Rejects int `json:"would_reject"`
			}
		}
	}
	if err := json.Unmarshal([]byte(o.stdout), &e); err != nil {
		t.Fatalf("%v\n%s%s", err, o.stdout, o.stderr)
	}
	var all []string
	for _, x := range e.Result.Tables {
		_, text, _ := strings.Cut(x.Table, ".")
		for i, n := range []int{x.Inserts, x.Updates, x.Merges, x.Deletes, x.Skips, x.Waits, x.Rejects} {
			if n != 0 {
				text += fmt.Sprintf(" %c%d", "+~&-/?!"[i], n)
			}
		}
		if strings.Contains(text, " ") {
			all = append(all, text)
		}
	}
	return strings.Join(all, "; ")
}

// untouched is all that a dry run leaves as it is: the target's tables, the state
// directory and what the source has made for pipelines.
func (r *matchRig) untouched() string {
	r.t.Helper()
	sum := sha256.New()
	tables := "SELECT table_name, 0 FROM information_schema.tables WHERE table_schema = '" + r.goal.schemaName() + "' ORDER BY 1"
	fmt.Fprintln(sum, r.goal.rows(r.t, tables))
	for _, table := range []string{"person", "orders", "pu", "pm", "ps"} {
		fmt.Fprintln(sum, r.goal.rows(r.t, "SELECT * FROM "+r.goal.ns+table+" ORDER BY id"))
	}
	if r.pair.fromPostgres() {
		fmt.Fprintln(sum, queryRows(r.t, r.db, "SELECT slot_name, confirmed_flush_lsn FROM pg_replication_slots WHERE database = current_database() ORDER BY 1"),
			queryRows(r.t, r.db, "SELECT pubname, puballtables FROM pg_publication ORDER BY 1"))
	}
	err := filepath.WalkDir(r.stateDir(), func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		text, err := os.ReadFile(path)
		fmt.Fprintf(sum, "%s %x\n", path, sha256.Sum256(text))
		return err
	})
	if err != nil && !os.IsNotExist(err) {
		r.t.Fatal(err)
	}
	return fmt.Sprintf("%x", sum.Sum(nil))
}

func (r *matchRig) stateDir() string {
	r.t.Helper()
	text, err := os.ReadFile(r.config)
	if err != nil {
		r.t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(text), "\nstate: ")
	dir, _, _ := strings.Cut(rest, "\n")
	return dir
}

// foresees requires what a dry run says, and that it leaves everything as it is.
func (r *matchRig) foresees(want string) {
	r.t.Helper()
	before := r.untouched()
	if got := foreseen(r.t, must(r.t, r.args("--dry-run", "-o", "json")...)); got != want {
		r.t.Errorf("a dry run says\n%s, want\n%s", got, want)
	}
	if r.untouched() != before {
		r.t.Error("a dry run has changed something")
	}
}

// TestDryRun: what a run would do is counted, of the tables before a copy and of the
// log after it; nothing is changed anywhere; and the run then does it.
func TestDryRun(t *testing.T) {
	for _, p := range []pair{{testdb.MariaDB1011, testdb.Postgres15, ""}, {testdb.Postgres15, testdb.MySQL97, ""}} {
		t.Run(p.String(), func(t *testing.T) {
			t.Parallel()
			r := newMatchRig(t, p)
			r.people()
			r.foresees("orders +600; person +250 &350")
			must(t, r.args()...)
			r.foresees("")
			execAll(t, r.db, matchChanges...)
			r.foresees("orders +2 -12; person +1 ~591 -11; pm +1 ~2 &1; ps +1 ~1 /1; pu +1 ~2 &1")
			must(t, r.args()...)
			r.requireMatched()
			r.foresees("")
			r.moves()
		})
	}
}

// moves has the pipeline go on in a state directory of which the keys were imported,
// and requires that it does as before, and that maps which do not fit are refused.
func (r *matchRig) moves() {
	t := r.t
	t.Helper()
	dir := t.TempDir()
	at := func(words ...string) []string { return append([]string{"-c", r.config}, words...) }
	keys, checkpoint, cut := filepath.Join(dir, "keys.jsonl"), filepath.Join(dir, "checkpoint.json"), filepath.Join(dir, "cut.jsonl")
	lists := func() (all string) {
		for _, table := range []string{"person", "orders", "pm", "ps"} {
			all += must(t, at("map", "list", "--limit", "0", "-o", "json", r.namespace()+"."+table)...).stdout
		}
		return all
	}
	before := lists()
	must(t, at("map", "export", "--file", keys)...)
	must(t, at("checkpoint", "export", checkpoint)...)
	text, err := os.ReadFile(keys)
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.SplitAfter(string(text), "\n")
	if err := os.WriteFile(cut, []byte(strings.Join(lines[:len(lines)-3], "")), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(r.stateDir(), r.stateDir()+".old"); err != nil {
		t.Fatal(err)
	}
	must(t, at("checkpoint", "import", "--yes", checkpoint)...)
	requireRefusal(t, run(t, at("map", "import", cut)...), rowferry.CodeMapFile)
	if lists() == before {
		t.Error("of a map that was cut off the keys are noted")
	}
	must(t, at("map", "import", keys)...)
	if lists() != before {
		t.Error("what was imported is not what was exported")
	}
	other := strings.Replace(string(text), `"target_key":["`, `"target_key":["9`, 1)
	if err := os.WriteFile(cut, []byte(other), 0o600); err != nil {
		t.Fatal(err)
	}
	requireRefusal(t, run(t, at("map", "import", cut)...), rowferry.CodeMapConflict)
	execAll(t, r.db, "INSERT INTO orders VALUES (6000, 'o6000', 300)", "UPDATE person SET n = 12345 WHERE id = 300", "UPDATE ps SET b = 'later'", "UPDATE pm SET a = 'later', b = NULL")
	must(t, r.args()...)
	r.requireMatched()
	if n := r.goal.intOf(t, fmt.Sprintf("SELECT COUNT(*) FROM %[1]sorders o JOIN %[1]sperson p ON p.id = o.person_id WHERE o.uid = 'o6000' AND p.n = 12345 AND p.id = 600", r.goal.ns)); n != 1 {
		t.Error("a reference through an imported key leads elsewhere")
	}
	requireRefusal(t, run(t, at("map", "import", keys)...), rowferry.CodeMapConflict)
}

// namespace is that of the source's tables.
func (r *matchRig) namespace() string {
	r.t.Helper()
	text, err := os.ReadFile(r.config)
	if err != nil {
		r.t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(text), "tables: ['")
	name, _, _ := strings.Cut(rest, ".*'")
	return name
}
