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

// TestAcceptConfig: rules that would leave rows wrong or missing are refused, and go
// on where they are accepted, but for those that would give rows other keys.
func TestAcceptConfig(t *testing.T) {
	s := newStream(t, testdb.MariaDB1011, sqliteKind)
	s.exec(t, "CREATE TABLE a (id INT PRIMARY KEY, n INT NOT NULL)", "CREATE TABLE b (id INT PRIMARY KEY, a_id INT NOT NULL, note VARCHAR(20))", "CREATE TABLE c (id INT PRIMARY KEY)",
		"INSERT INTO a VALUES (1, 1), (2, 200)", "INSERT INTO b VALUES (1, 1, 'x')", "INSERT INTO c VALUES (1)")
	base := t.TempDir()
	config := func(dir string) string {
		url := fmt.Sprintf("mysql://root@127.0.0.1:%d/%s", s.source.Port, s.database)
		return fmt.Sprintf(acceptConfig, url, filepath.Join(dir, "target.db"), s.database, filepath.Join(dir, "state"))
	}
	write := func(path, text string) {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	execNewSQLite(t, filepath.Join(base, "target.db"), "")
	write(filepath.Join(base, "c.yaml"), config(base))
	must(t, "-c", filepath.Join(base, "c.yaml"), "run", "--once")
	s.exec(t, "INSERT INTO a VALUES (3, 30), (4, 400)", "UPDATE b SET note = 'y' WHERE id = 1")
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
		{"a reference", "{rename", "{missing_parent: wait, references: {a_id: %[1]s.a.id}, rename", "", ""},
	} {
		t.Run(c.form, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "copy")
			if out, err := exec.Command("cp", "-a", base, dir).CombinedOutput(); err != nil {
				t.Fatalf("%v: %s", err, out)
			}
			from, to := c.from, c.to
			for _, p := range []*string{&from, &to} {
				*p = strings.ReplaceAll(*p, "%[1]s", s.database)
			}
			text := config(dir)
			if strings.Count(text, from) != 1 {
				t.Fatalf("%q is there %d times", from, strings.Count(text, from))
			}
			file, target := filepath.Join(dir, "c.yaml"), filepath.Join(dir, "target.db")
			write(file, strings.Replace(text, from, to, 1))
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
			var got []string
			for _, row := range (&goal{path: target}).rows(t, c.query+" ORDER BY 1") {
				got = append(got, strings.Join(row, ","))
			}
			if strings.Join(got, " ") != c.want {
				t.Errorf("%s: %q, want %q", c.query, got, c.want)
			}
			must(t, "-c", file, "run", "--once") // it is the pipeline's own from now on
		})
	}
}
