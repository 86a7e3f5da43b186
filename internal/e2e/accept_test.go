package e2e

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rowferry/rowferry"
	"github.com/rowferry/rowferry/internal/testdb"
)

const acceptConfig = `name: accept
source: {url: '%[1]s'}
target: {url: 'sqlite:%[2]s'}
tables: ['%[3]s.a', '%[3]s.b']
state: %[4]s
entities:
  %[3]s.a: {where: 'n < 100', columns: {twice: n * 2}}
  %[3]s.b: {rename: {note: remark}}
`

// acceptRig is a pipeline to which each case gives other rules.
type acceptRig struct {
	s    *stream
	base string
}

func newAcceptRig(t *testing.T) *acceptRig {
	t.Helper()
	x := &acceptRig{s: newStream(t, testdb.MariaDB1011, sqliteKind), base: t.TempDir()}
	x.s.exec(t, "CREATE TABLE a (id INT PRIMARY KEY, n INT NOT NULL)", "CREATE TABLE b (id INT PRIMARY KEY, a_id INT NOT NULL, note VARCHAR(20))", "CREATE TABLE c (id INT PRIMARY KEY)",
		"INSERT INTO a VALUES (1, 1), (2, 200)", "INSERT INTO b VALUES (1, 1, 'x')", "INSERT INTO c VALUES (1)")
	execNewSQLite(t, filepath.Join(x.base, "target.db"), "")
	x.write(t, x.base, x.config(x.base))
	must(t, "-c", filepath.Join(x.base, "c.yaml"), "run", "--once")
	x.s.exec(t, "INSERT INTO a VALUES (3, 30), (4, 400)", "UPDATE b SET note = 'y' WHERE id = 1")
	return x
}

func (x *acceptRig) config(dir string) string {
	url := fmt.Sprintf("mysql://root@127.0.0.1:%d/%s", x.s.source.Port, x.s.database)
	return fmt.Sprintf(acceptConfig, url, filepath.Join(dir, "target.db"), x.s.database, filepath.Join(dir, "state"))
}

func (x *acceptRig) write(t *testing.T, dir, text string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(dir, "c.yaml"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// changed returns the configuration and the target of a copy of the pipeline, with other
// texts, between which there is a |, in the places of some of the configuration's.
func (x *acceptRig) changed(t *testing.T, from, to string) (file, target string) {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "copy")
	if out, err := exec.Command("cp", "-a", x.base, dir).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	text, others := x.config(dir), strings.Split(to, "|")
	for i, old := range strings.Split(from, "|") {
		old = strings.ReplaceAll(old, "%[1]s", x.s.database)
		if strings.Count(text, old) != 1 {
			t.Fatalf("%q is there %d times", old, strings.Count(text, old))
		}
		text = strings.Replace(text, old, strings.ReplaceAll(others[i], "%[1]s", x.s.database), 1)
	}
	x.write(t, dir, text)
	return filepath.Join(dir, "c.yaml"), filepath.Join(dir, "target.db")
}

// requireRows wants what a query yields.
func (x *acceptRig) requireRows(t *testing.T, target, query, want string) {
	t.Helper()
	var got []string
	for _, row := range (&goal{path: target}).rows(t, query+" ORDER BY 1") {
		got = append(got, strings.Join(row, ","))
	}
	if strings.Join(got, " ") != want {
		t.Errorf("%s: %q, want %q", query, got, want)
	}
}

// TestAcceptConfig: rules that would leave rows wrong or missing are refused, and go
// on where they are accepted, but for those that would give rows other keys.
func TestAcceptConfig(t *testing.T) {
	x := newAcceptRig(t)
	for _, c := range []struct{ form, from, to, query, want string }{
		{"a table more", "'%[1]s.b']", "'%[1]s.b', '%[1]s.c']", "SELECT id FROM a", "1 3"},
		{"a table less", ", '%[1]s.b']", "]", "SELECT remark FROM b", "x"},
		{"a wider filter", "n < 100", "n < 1000", "SELECT id FROM a", "1 3 4"},
		{"a narrower filter", "n < 100", "n < 10", "SELECT id FROM a", "1"},
		{"no filter", "where: 'n < 100', ", "", "SELECT id FROM a", "1 3 4"},
		{"one more filter", "{rename", "{where: 'id > 0', rename", "SELECT remark FROM b", "y"},
		{"another expression", "n * 2", "n * 3", "SELECT twice FROM a", "2 90"},
		{"a default", "{rename", "{defaults: {remark: '\"none\"'}, rename", "SELECT remark FROM b", "y"},
		{"deletes that stay", "{rename", "{deletes: skip, rename", "SELECT remark FROM b", "y"},
		{"another name", "{where:", "{to: other, where:", "SELECT id FROM other", "3"},
		{"keys given anew", "{rename", "{key: allocate, rename", "", ""},
		{"keys moved", "{rename", "{key: {offset: 10}, rename", "", ""},
		{"a parent that is followed", "{rename", "{where_parent: a_id, references: {a_id: %[1]s.a.id}, rename", "", ""},
		{"a reference", "{rename", "{missing_parent: wait, references: {a_id: %[1]s.a.id}, rename", "", ""},
	} {
		t.Run(c.form, func(t *testing.T) {
			file, target := x.changed(t, c.from, c.to)
			have := func() string {
				g := &goal{path: target}
				return described(g.rows(t, "SELECT * FROM a")) + described(g.rows(t, "SELECT * FROM b")) + described(g.rows(t, "SELECT sequence, config FROM rowferry_checkpoint"))
			}
			before := have()
			requireRefusal(t, run(t, "-c", file, "run", "--once"), rowferry.CodeConfigChanged)
			if now := have(); now != before {
				t.Errorf("the target was\n%sand is\n%s", before, now)
			}
			if c.query == "" {
				requireRefusal(t, run(t, "-c", file, "run", "--once", "--accept-config"), rowferry.CodeConfigChanged)
				return
			}
			if c.form == "another name" {
				execSQLite(t, target, "CREATE TABLE other (id INT NOT NULL PRIMARY KEY, n INT NOT NULL, twice BIGINT)")
			}
			must(t, "-c", file, "run", "--once", "--accept-config")
			x.requireRows(t, target, c.query, c.want)
			must(t, "-c", file, "run", "--once") // it is the pipeline's own from now on
		})
	}
}

// TestResnapshotConfig: rules that are others for some tables go on where these are
// copied again, but for those that would give rows that are there other keys or names.
func TestResnapshotConfig(t *testing.T) {
	x := newAcceptRig(t)
	for _, c := range []struct {
		form, from, to, again, query, want string
		refused                            rowferry.Code
	}{
		{"a table more", "'%[1]s.b']", "'%[1]s.b', '%[1]s.c']", "c", "SELECT id FROM c", "1", ""},
		{"a table more, under another name", "'%[1]s.b']|  %[1]s.b:", "'%[1]s.b', '%[1]s.c']|  %[1]s.c: {to: other}\n  %[1]s.b:", "c", "SELECT id FROM other", "1", ""},
		{"a wider filter", "n < 100", "n < 1000", "a", "SELECT id, n FROM a", "1,1 2,200 3,30 4,400", ""},
		{"a narrower filter", "n < 100", "n < 10", "a", "SELECT id FROM a", "1", ""},
		{"another expression", "n * 2", "n * 3", "?", "SELECT twice FROM a", "3 90", ""},
		{"another table", "n < 100", "n < 1000", "b", "", "", rowferry.CodeConfigChanged},
		{"keys given anew", "{rename", "{key: allocate, rename", "b", "", "", rowferry.CodeConfigChanged},
		{"deletes that stay", "{rename", "{deletes: skip, rename", "b", "", "", rowferry.CodeRecopyRefused},
		{"another name", "{where:", "{to: other, where:", "a", "", "", rowferry.CodeConfigChanged},
		{"no such table", "n < 100", "n < 100", "nowhere", "", "", rowferry.CodeRecopyRefused},
	} {
		t.Run("copied again, "+c.form, func(t *testing.T) {
			file, target := x.changed(t, c.from, c.to)
			o := run(t, "-c", file, "run", "--once", "--resnapshot", x.s.database+"."+c.again)
			if c.refused != "" {
				requireRefusal(t, o, c.refused)
				return
			}
			if o.code != 0 {
				t.Fatalf("exit %d\n%s", o.code, o.stderr)
			}
			must(t, "-c", file, "run", "--once")
			x.requireRows(t, target, c.query, c.want)
		})
	}
}
