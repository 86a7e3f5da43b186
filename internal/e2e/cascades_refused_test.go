package e2e

import (
	"slices"
	"strings"
	"testing"

	"github.com/rowferry/rowferry"
	"github.com/rowferry/rowferry/internal/testdb"
)

// cascadeRefusal is a source or a target whose foreign keys cannot be followed.
type cascadeRefusal struct {
	name     string
	source   testdb.Kind
	opts     []testdb.Option
	targets  []testdb.Kind
	tables   []string             // one of them child; the target is asked for its rows
	existing func(*goal) []string // of the target, before the first run
	changes  []string             // in one session, after the tables are in the target
	scope    string               // of the source's tables only this
	code     rowferry.Code
	fact     string // in the message
	early    bool   // refused before the first row
}

var parentAndChild = []string{
	"CREATE TABLE parent (id INT PRIMARY KEY, v INT)",
	"CREATE TABLE child (id INT PRIMARY KEY, p INT, FOREIGN KEY (p) REFERENCES parent (id) ON DELETE CASCADE ON UPDATE CASCADE)",
	"INSERT INTO parent VALUES (1, 1), (2, 2)", "INSERT INTO child VALUES (1, 1), (2, 2)",
}

// TestCascadesRefused: by name, and before anything of the transaction is in
// the target.
func TestCascadesRefused(t *testing.T) {
	besideOthers(t)
	native := []testdb.Option{apart(), testdb.Arg("innodb_native_foreign_keys=ON")}
	all := []testdb.Kind{testdb.Postgres15, testdb.MySQL97, testdb.MariaDB1011, sqliteKind}
	for i, c := range []cascadeRefusal{
		{name: "not logged by MySQL", source: testdb.MySQL97, opts: native, targets: []testdb.Kind{testdb.Postgres15, sqliteKind},
			tables: parentAndChild, code: rowferry.CodeCascades, fact: "innodb_native_foreign_keys", early: true},
		{name: "beyond what MySQL cascades", source: testdb.MariaDB1011, opts: []testdb.Option{apart()}, targets: []testdb.Kind{testdb.MySQL97},
			tables: slices.Concat(parentAndChild[:2], []string{
				"CREATE TABLE grandchild (id INT PRIMARY KEY, p INT, FOREIGN KEY (p) REFERENCES child (id) ON DELETE CASCADE)",
				"CREATE TABLE last (id INT PRIMARY KEY, p INT, FOREIGN KEY (p) REFERENCES grandchild (id) ON DELETE SET NULL)",
			}, parentAndChild[2:]), // what came before the last table could be in the target already
			code: rowferry.CodeCascades, fact: "grandchild", early: true},
		{name: "self-reference MySQL would cascade", source: testdb.MariaDB1011, opts: []testdb.Option{apart()}, targets: []testdb.Kind{testdb.MySQL97},
			tables: []string{"CREATE TABLE child (id INT PRIMARY KEY, p INT, FOREIGN KEY (p) REFERENCES child (id) ON DELETE CASCADE)", "INSERT INTO child VALUES (1, NULL)"},
			code:   rowferry.CodeCascades, fact: "child ← ", early: true},
		{name: "parent out of scope", source: testdb.MariaDB1011, opts: []testdb.Option{apart()}, targets: all, tables: parentAndChild, scope: "child",
			code: rowferry.CodeCascades, fact: "parent", early: true},
		{name: "target acts otherwise", source: testdb.MariaDB1011, opts: []testdb.Option{apart()}, targets: all, tables: parentAndChild, existing: otherAction("ON DELETE SET NULL"),
			code: rowferry.CodeCascades, fact: "child", early: true},
		{name: "target does not act", source: testdb.MariaDB1011, opts: []testdb.Option{apart()}, targets: all, tables: parentAndChild, existing: otherAction(""),
			code: rowferry.CodeCascades, fact: "child", early: true},
		{name: "target acts, and the log has it already", source: testdb.MySQL97, opts: []testdb.Option{apart()}, targets: all, tables: parentAndChild,
			existing: otherAction("ON DELETE CASCADE ON UPDATE CASCADE"), code: rowferry.CodeCascades, fact: "child", early: true},
		{name: "checks off at the source, which did not act", source: testdb.MariaDB1011, opts: []testdb.Option{apart()}, targets: all, tables: parentAndChild,
			changes: []string{"SET foreign_key_checks = 0", "DELETE FROM parent WHERE id = 1"}, code: rowferry.CodeCascades, fact: "parent"},
		{name: "orphans that the source allowed", source: testdb.MySQL97, opts: []testdb.Option{apart()}, targets: all, tables: parentAndChild,
			changes: []string{"SET foreign_key_checks = 0", "DELETE FROM parent WHERE id = 1"}, code: rowferry.CodeRowRefused, fact: "parent"},
	} {
		if !soak() && len(c.targets) > 2 { // by turns
			c.targets = []testdb.Kind{c.targets[i%4], c.targets[(i+2+i/4)%4]}
		}
		for _, target := range c.targets {
			t.Run(c.name+"/"+string(target), func(t *testing.T) {
				t.Parallel()
				c.run(t, target)
			})
		}
	}
}

// otherAction makes the tables in the target, with what the child does.
func otherAction(action string) func(*goal) []string {
	return func(g *goal) []string {
		var all []string
		if g.ns != "" {
			all = append(all, "CREATE SCHEMA IF NOT EXISTS "+strings.TrimSuffix(g.ns, "."))
		}
		strict := ""
		if g.kind == sqliteKind {
			strict = " STRICT"
		}
		return append(all, "CREATE TABLE "+g.table("parent")+" (id INT NOT NULL PRIMARY KEY, v INT)"+strict,
			"CREATE TABLE "+g.table("child")+" (id INT NOT NULL PRIMARY KEY, p INT, FOREIGN KEY (p) REFERENCES "+g.table("parent")+" (id) "+action+")"+strict)
	}
}

func (c cascadeRefusal) run(t *testing.T, target testdb.Kind) {
	s := newStream(t, c.source, target, c.opts...)
	if c.scope != "" {
		s.more = []string{"--tables", s.database + "." + c.scope}
	}
	if c.existing != nil {
		if target == sqliteKind {
			execNewSQLite(t, s.goal.path, strings.Join(c.existing(s.goal), ";"))
		} else {
			s.goal.exec(t, c.existing(s.goal)...)
		}
	}
	s.exec(t, c.tables...)
	want := int64(0)
	if !c.early {
		must(t, s.once()...)
		want = 2
	}
	s.exec(t, c.changes...)
	o := run(t, s.once()...)
	requireRefusal(t, o, c.code)
	if !strings.Contains(o.stderr, c.fact) {
		t.Errorf("the message lacks %q:\n%s", c.fact, o.stderr)
	}
	n, err := s.goal.number("SELECT COUNT(*) FROM " + s.goal.table("child"))
	if err == nil && n != want || err != nil && want > 0 {
		t.Errorf("the child has %d rows in the target, want %d (%v)\n%s", n, want, err, o.stderr)
	}
}
