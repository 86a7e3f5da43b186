package cli

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"

	"zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"

	"github.com/rowferry/rowferry/internal/testdb"
)

// sqliteExec has the SQLite target run statements.
func sqliteExec(t *testing.T, path, statements string) {
	t.Helper()
	conn, err := sqlite.OpenConn(path)
	if err != nil {
		t.Fatal(err)
	}
	err = sqlitex.ExecuteScript(conn, statements, nil)
	if err = errors.Join(err, conn.Close()); err != nil {
		t.Fatal(err)
	}
}

// foresaw reads the envelope of a dry run, or of a plan that counts.
func foresaw(t *testing.T, code int, args ...string) (tables map[string]dryTable, r dryResult) {
	t.Helper()
	got := run(t, append(args, "-o", "json", "-c", "shop.yaml"))
	var e struct {
		Result struct {
			dryResult
			Count *dryResult
		}
	}
	if err := json.Unmarshal([]byte(got.out), &e); err != nil || got.code != code {
		t.Fatalf("exit %d, want %d: %v\n%s%s", got.code, code, err, got.out, got.err)
	}
	r = e.Result.dryResult
	if e.Result.Count != nil {
		r = *e.Result.Count
	}
	tables = map[string]dryTable{}
	for _, x := range r.Tables {
		_, name, _ := strings.Cut(x.Table, ".")
		x.Table, x.First = "", nil
		tables[name] = x
	}
	return tables, r
}

// TestDryRunRefusals: rows that the target would refuse are counted, all of them where
// a run stops at the first, and with what waits for them where it puts them aside; a
// filter is told from them; and nothing is made.
func TestDryRunRefusals(t *testing.T) {
	o := newOrigin(t, testdb.MariaDB1011, "sqlite:shop.db")
	o.exec(t, "CREATE TABLE person (id BIGINT PRIMARY KEY, label VARCHAR(20) NOT NULL)",
		"CREATE TABLE note (id BIGINT PRIMARY KEY, person_id BIGINT NOT NULL, FOREIGN KEY (person_id) REFERENCES person (id))",
		"INSERT INTO person VALUES (1, 'one'), (2, 'two'), (3, 'secret')", "INSERT INTO note VALUES (10, 1), (20, 2)",
		"UPDATE person SET label = 'eins' WHERE id = 1", "DELETE FROM note WHERE id = 20", "UPDATE person SET id = 5 WHERE id = 2", "INSERT INTO person VALUES (4, 'four')")
	sqliteExec(t, "shop.db", "CREATE TABLE person (id INTEGER PRIMARY KEY, label TEXT NOT NULL); INSERT INTO person VALUES (1, 'own'), (4, 'own')")
	rules := "entities: {" + o.name + ".person: {where: 'label != \"secret\"'}}\n"
	configure := func(more string) {
		if err := os.WriteFile("shop.yaml", []byte(o.file+rules+more), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	configure("")
	for _, words := range [][]string{{"run", "--dry-run"}, {"run", "--dry-run", "--once", "--limit", "1"}} {
		if got := run(t, append(words, "-c", "shop.yaml")); got.code != 2 {
			t.Errorf("%v: %+v", words, got)
		}
	}
	dry := []string{"run", "--dry-run", "--once", "--from", "earliest"}
	tables, r := foresaw(t, 4, dry...)
	if got, want := tables["person"], (dryTable{Inserts: 1, Updates: 1, Skips: 1, Rejects: 2}); got != want {
		t.Errorf("persons: %+v, want %+v", got, want)
	}
	if got, want := tables["note"], (dryTable{Inserts: 2, Deletes: 1}); got != want {
		t.Errorf("notes: %+v, want %+v", got, want)
	}
	if first := find(r.Tables, o.name+".person").First; first == nil || first.Code != "RF-3006" || !strings.Contains(fmt.Sprint(first.Facts), "{key in the target 1}") {
		t.Errorf("the first refusal is %+v", first)
	}
	if got := run(t, append(dry, "-c", "shop.yaml")); got.code != 4 || !strings.Contains(got.err, "RF-5060") || !strings.Contains(got.out, "nothing was written") {
		t.Errorf("%+v", got)
	}
	if tables, _ = foresaw(t, 0, "plan", "--count", "--target", "sqlite:new.db"); tables["person"] != (dryTable{Inserts: 3, Skips: 1}) {
		t.Errorf("a copy of persons: %+v", tables["person"])
	}
	configure("on_reject: quarantine\n")
	tables, _ = foresaw(t, 4, dry...)
	if got, want := tables["person"], (dryTable{Inserts: 1, Updates: 1, Skips: 1, Rejects: 2}); got != want {
		t.Errorf("put aside, persons: %+v, want %+v", got, want)
	}
	if got, want := tables["note"], (dryTable{Inserts: 1, Deletes: 1, Waits: 1}); got != want {
		t.Errorf("put aside, notes: %+v, want %+v", got, want)
	}
	if _, err := os.Stat("state"); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a dry run has made the state directory: %v", err)
	}
	if got := rows(t, "shop.db", "sqlite_master WHERE type = 'table'"); got != "1" {
		t.Errorf("a dry run has made tables: there are %s", got)
	}
	if got := rows(t, "shop.db", "person"); got != "2" {
		t.Errorf("the target has %s persons, want its own 2", got)
	}
}

func find(tables []dryTable, name string) dryTable {
	for _, t := range tables {
		if t.Table == name {
			return t
		}
	}
	return dryTable{}
}
