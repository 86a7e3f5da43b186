package e2e

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/rowferry/rowferry/internal/testdb"
)

// grantBlock is one list of statements of docs/privileges.md.
type grantBlock struct {
	role       string // "source", "target" or "sequences"
	flavor     testdb.Flavor
	create     bool // create_tables
	statements []string
}

var (
	grantFence     = regexp.MustCompile("(?s)```sql (source|target|sequences) (\\w+)( create_tables=(\\w+))?\n(.*?)```")
	grantAccount   = regexp.MustCompile(`'rowferry'@'%'|\b(TO|AUTHORIZATION) rowferry\b`)
	grantStatement = regexp.MustCompile(`^GRANT (.+) ON (.+) TO (.+)$`)
)

func grantBlocks(t *testing.T) (blocks []grantBlock) {
	t.Helper()
	page, err := os.ReadFile("../../docs/privileges.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range grantFence.FindAllStringSubmatch(string(page), -1) {
		b := grantBlock{role: m[1], flavor: testdb.Flavor(m[2]), create: m[4] == "true"}
		for line := range strings.Lines(m[5]) {
			b.statements = append(b.statements, strings.TrimSuffix(strings.TrimSpace(line), ";"))
		}
		blocks = append(blocks, b)
	}
	if len(blocks) != 9 {
		t.Fatalf("%d blocks in the page", len(blocks))
	}
	return blocks
}

// lesser returns the block once for each privilege, without it, and what was
// left out.
func (b grantBlock) lesser() (all [][]string, left []string) {
	for i, s := range b.statements {
		m := grantStatement.FindStringSubmatch(s)
		if m == nil {
			all, left = append(all, slices.Delete(slices.Clone(b.statements), i, i+1)), append(left, s)
			continue
		}
		list := strings.Split(m[1], ", ")
		for j, p := range list {
			rest := slices.Delete(slices.Clone(list), j, j+1)
			less := slices.Clone(b.statements)
			less[i] = fmt.Sprintf("GRANT %s ON %s TO %s", strings.Join(rest, ", "), m[2], m[3])
			if len(rest) == 0 {
				less = slices.Delete(less, i, i+1)
			}
			all, left = append(all, less), append(left, p)
		}
	}
	return all, left
}

// clerk tries accounts with the privileges of the page.
type clerk struct {
	t        *testing.T
	block    grantBlock
	server   *testdb.Server // whose accounts are tried
	source   *testdb.Server
	database string // the source's
	rows     int64
	insert   func()
	used     int
}

// candidate is an account, in a pipeline of its own.
type candidate struct {
	*clerk
	user   string
	admin  func(statement string) error // in the target's database
	config string
	goal   *goal
}

// TestPrivileges makes accounts with what the page says. They pass the doctor
// and carry rows; with any privilege left out, the doctor names it, and what it
// says mends it.
func TestPrivileges(t *testing.T) {
	besideOthers(t)
	all := grantBlocks(t)
	for _, block := range all {
		if block.role == "sequences" {
			continue // goes with its target
		}
		kinds := testdb.Targets()
		for _, k := range kinds {
			if k.Flavor() != block.flavor {
				continue
			}
			t.Run(fmt.Sprintf("%s/%s/%s/%t", k, block.role, block.flavor, block.create), func(t *testing.T) {
				c := newClerk(t, k, block)
				c.exact(all)
				less, left := block.lesser()
				for i := range less {
					c.without(less[i], left[i])
				}
			})
		}
	}
}

func newClerk(t *testing.T, k testdb.Kind, block grantBlock) *clerk {
	t.Helper()
	c := &clerk{t: t, block: block, server: testdb.Start(t, k), source: testdb.Start(t, testdb.MariaDB1011)}
	if block.role == "source" {
		c.source = c.server
	}
	name, db := testdb.NewDatabase(t, c.source)
	c.database = name
	exec := func(statements ...string) {
		for _, q := range statements {
			if _, err := db.ExecContext(t.Context(), q); err != nil {
				t.Fatalf("%s: %v", q, err)
			}
		}
	}
	exec(c.tables("BIGINT AUTO_INCREMENT", "")...)
	c.insert = func() {
		exec("INSERT INTO parent (label) VALUES ('new')", "INSERT INTO child (parent) SELECT MAX(id) FROM parent", "UPDATE parent SET label = 'old'")
		c.rows++
	}
	return c
}

// tables are the statements that make the pipeline's tables.
func (c *clerk) tables(counting, in string) []string {
	return []string{
		"CREATE TABLE " + in + "parent (id " + counting + " PRIMARY KEY, label VARCHAR(20) NOT NULL)",
		"CREATE TABLE " + in + "child (id " + counting + " PRIMARY KEY, parent BIGINT NOT NULL, FOREIGN KEY (parent) REFERENCES " + in + "parent (id) ON DELETE CASCADE)",
	}
}

// candidate makes an account with the statements, and a pipeline that uses it.
func (c *clerk) candidate(statements []string) *candidate {
	t := c.t
	t.Helper()
	c.used++
	x := &candidate{clerk: c, user: fmt.Sprintf("clerk_%d", c.used)}
	account := testdb.Account{User: x.user, Password: "p", Plugin: c.server.Kind.Plugins()[0]}
	if err := c.server.CreateAccount(t.Context(), account); err != nil {
		t.Fatal(err)
	}
	x.admin = func(q string) error { return c.server.Exec(t.Context(), q) }
	var target, into string
	source := c.source.URL(c.database)
	if c.block.role == "source" {
		x.goal = newGoal(t, sqliteKind, c.database)
		source, target = c.server.AccountURL(account, "", c.database), x.goal.url
	} else {
		x.goal = &goal{kind: c.server.Kind, server: c.server}
		into, x.goal.db = testdb.NewDatabase(t, c.server)
		target = c.server.AccountURL(account, "", into)
		x.admin = func(q string) error {
			_, err := x.goal.db.ExecContext(t.Context(), q)
			return err
		}
		x.prepare(into)
	}
	for _, q := range statements {
		x.must(x.admin(x.own(q, into)))
	}
	dir := t.TempDir()
	text, err := json.Marshal(map[string]any{
		"name": "clerk", "state": "state", "source": map[string]any{"url": source},
		"target": map[string]any{"url": target, "create_tables": c.block.create || c.block.role == "source"},
	})
	x.must(err)
	x.config = filepath.Join(dir, "clerk.yaml")
	x.must(os.WriteFile(x.config, text, 0o600))
	return x
}

func (x *candidate) must(err error) {
	x.t.Helper()
	if err != nil {
		x.t.Fatal(err)
	}
}

// prepare makes the target as the block expects it.
func (x *candidate) prepare(into string) {
	var statements []string
	if x.block.flavor == testdb.Postgres {
		statements = append(statements, "REVOKE ALL ON DATABASE "+x.server.Quote(into)+" FROM PUBLIC")
		x.goal.ns = x.database + "."
		if !x.block.create {
			statements = append(append(statements, "CREATE SCHEMA "+x.database), x.tables("BIGSERIAL", x.goal.ns)...)
		}
	} else if !x.block.create {
		statements = x.tables("BIGINT AUTO_INCREMENT", "")
	}
	for _, q := range statements {
		x.must(x.admin(q))
	}
}

// own puts the test's names in the place of the page's.
func (x *candidate) own(q, into string) string {
	q = grantAccount.ReplaceAllStringFunc(q, func(s string) string {
		if s[0] == '\'' {
			return "'" + x.user + "'@'%'"
		}
		return strings.Replace(s, "rowferry", x.server.Quote(x.user), 1)
	})
	switch {
	case x.block.flavor == testdb.Postgres:
		q = strings.ReplaceAll(q, "DATABASE staging", "DATABASE "+x.server.Quote(into))
		return strings.ReplaceAll(q, "SCHEMA shop", "SCHEMA "+x.database)
	case x.block.role == "source":
		return strings.ReplaceAll(q, "`shop`", "`"+x.database+"`")
	default:
		return strings.ReplaceAll(q, "`shop`", "`"+into+"`")
	}
}

// finding is one of the doctor's, in its JSON.
type finding struct {
	Name, Level, What string
	Remedies          []struct{ Label, Do string }
}

// ask asks the doctor, and returns what did not pass because of privileges, and
// what was printed.
func (x *candidate) ask() (code int, denied []finding, output string) {
	x.t.Helper()
	o := run(x.t, "doctor", "-o", "json", "-c", x.config)
	var answer struct {
		Result struct{ Source, Target struct{ Findings []finding } }
	}
	if err := json.Unmarshal([]byte(o.stdout), &answer); err != nil {
		x.t.Fatalf("%v\n%s%s", err, o.stdout, o.stderr)
	}
	side := answer.Result.Target
	if x.block.role == "source" {
		side = answer.Result.Source
	}
	for _, f := range side.Findings {
		statement := func(r struct{ Label, Do string }) bool {
			return grantStatement.MatchString(r.Do) || strings.HasPrefix(r.Do, "CREATE SCHEMA")
		}
		if f.Level != "passed" && slices.ContainsFunc(f.Remedies, statement) {
			f.Remedies = slices.DeleteFunc(f.Remedies, func(r struct{ Label, Do string }) bool { return !statement(r) })
			denied = append(denied, f)
		}
	}
	return o.code, denied, o.stdout + o.stderr
}

// carry runs the pipeline and wants every row to arrive.
func (x *candidate) carry(what string) {
	x.t.Helper()
	x.insert()
	if o := run(x.t, "run", "--once", "--from", "earliest", "--patience", "0s", "-c", x.config); o.code != 0 {
		x.t.Fatalf("%s: exit %d\n%s", what, o.code, o.stdout+o.stderr)
	}
	if n := x.goal.intOf(x.t, "SELECT COUNT(*) FROM "+x.goal.ns+"child"); n != x.rows {
		x.t.Errorf("%s: %d rows, want %d", what, n, x.rows)
	}
}

// exact tries an account with all that the page says.
func (c *clerk) exact(all []grantBlock) {
	statements := slices.Clone(c.block.statements)
	for _, b := range all {
		if b.role == "sequences" && b.flavor == c.block.flavor && b.create == c.block.create {
			statements = append(statements, b.statements...)
		}
	}
	x := c.candidate(statements)
	if c.block.role == "source" {
		x.must(x.admin("SET GLOBAL log_output = 'TABLE'"))
		x.must(x.admin("SET GLOBAL general_log = ON"))
	}
	code, denied, output := x.ask()
	if code != 0 || denied != nil {
		c.t.Fatalf("the doctor finds %v, exit %d\n%s", denied, code, output)
	}
	if c.block.role == "source" && !strings.Contains(output, "1 foreign keys change rows by themselves") {
		c.t.Errorf("the doctor does not see the cascade:\n%s", output)
	}
	x.carry("all privileges")
	x.carry("all privileges, again")
	if c.block.role == "source" {
		x.must(x.admin("SET GLOBAL general_log = OFF"))
		x.requireHarmless()
		return
	}
	if o := run(c.t, "sequences", "--yes", "-c", x.config); o.code != 0 {
		c.t.Errorf("sequences: exit %d\n%s", o.code, o.stdout+o.stderr)
	}
}

// requireHarmless wants nothing but reading in what the account said to the
// source.
func (x *candidate) requireHarmless() {
	t := x.t
	t.Helper()
	rows, err := x.server.DB().QueryContext(t.Context(), "SELECT command_type, argument FROM mysql.general_log WHERE user_host LIKE '%"+x.user+"%' AND command_type IN ('Query', 'Prepare', 'Execute', 'Binlog Dump', 'Binlog Dump GTID')")
	x.must(err)
	defer rows.Close()
	said := map[string]int{}
	for rows.Next() {
		var kind, text string
		x.must(rows.Scan(&kind, &text))
		word, rest, _ := strings.Cut(strings.ToUpper(text), " ")
		if strings.HasPrefix(kind, "Binlog Dump") {
			word = "DUMP"
		}
		said[word]++
		if !slices.Contains([]string{"SELECT", "SHOW", "SET", "DUMP"}, word) || strings.Contains(rest, "FOR UPDATE") || strings.Contains(rest, "LOCK IN SHARE") || word == "SET" && strings.Contains(rest, "GLOBAL") {
			t.Errorf("the source was told: %s", text)
		}
	}
	x.must(rows.Err())
	if said["SHOW"] == 0 || said["SELECT"] == 0 {
		t.Errorf("the source was told nothing: %v", said)
	}
}

// without tries an account that lacks one privilege.
func (c *clerk) without(statements []string, left string) {
	x := c.candidate(statements)
	code, denied, output := x.ask()
	named := slices.ContainsFunc(denied, func(f finding) bool {
		return slices.ContainsFunc(f.Remedies, func(r struct{ Label, Do string }) bool {
			m := grantStatement.FindStringSubmatch(r.Do)
			return m == nil || slices.Contains(strings.Split(m[1], ", "), left)
		})
	})
	if !named {
		c.t.Errorf("without %s: the doctor does not name it, exit %d\n%s", left, code, output)
		return
	}
	said := []string{}
	for range 2 { // who could not log in sees the rest only then
		for _, f := range denied {
			for _, r := range f.Remedies {
				said = append(said, r.Do)
				if err := x.admin(r.Do); err != nil {
					c.t.Errorf("without %s: %s: %v", left, r.Do, err)
				}
			}
		}
		if code, denied, output = x.ask(); denied == nil {
			break
		}
	}
	if code != 0 || denied != nil {
		c.t.Errorf("without %s: %q did not mend it, exit %d\n%s", left, said, code, output)
	}
	x.carry("mended " + left) // the doctor could be wrong
	c.t.Logf("without %s: %s", left, strings.Join(said, "; "))
}
