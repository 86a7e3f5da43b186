package e2e

import (
	"fmt"
	"strings"
	"testing"

	"github.com/rowferry/rowferry"
	"github.com/rowferry/rowferry/internal/testdb"
)

// orderTables have unique values and foreign keys without actions.
var orderTables = []string{
	"CREATE TABLE u (id INT PRIMARY KEY, a INT UNIQUE, b VARCHAR(20) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin UNIQUE, n INT)",
	"CREATE TABLE p (id INT PRIMARY KEY, v INT)", "CREATE TABLE c (id INT PRIMARY KEY, p INT NOT NULL, FOREIGN KEY (p) REFERENCES p (id))",
	"CREATE TABLE self (id INT PRIMARY KEY, up INT NOT NULL, FOREIGN KEY (up) REFERENCES self (id))",
	"INSERT INTO u VALUES (1, 1, 'one', 0), (2, 2, 'two', 0), (3, 3, 'three', 0), (4, NULL, NULL, 0)", "INSERT INTO p VALUES (1, 1), (2, 2)", "INSERT INTO c VALUES (1, 1), (2, 2)",
}

// orderSteps are transactions in one session whose changes are right only in
// their own order, grouped or not.
var orderSteps = [][]string{
	// Unique values and keys that are swapped, rotated, freed and taken.
	{"UPDATE u SET a = -1 WHERE id = 1", "UPDATE u SET a = 1 WHERE id = 2", "UPDATE u SET a = 2 WHERE id = 1"},
	{"UPDATE u SET id = 99 WHERE id = 1", "UPDATE u SET id = 1 WHERE id = 2", "UPDATE u SET id = 2 WHERE id = 99"},
	{"UPDATE u SET b = NULL WHERE id = 3", "UPDATE u SET b = 'three' WHERE id = 1", "UPDATE u SET b = 'two' WHERE id = 3"},
	{"DELETE FROM u WHERE id = 3", "INSERT INTO u VALUES (5, 3, 'two', 1)", "DELETE FROM u WHERE id = 5", "INSERT INTO u VALUES (3, 3, 'two', 2)"},
	{"UPDATE u SET a = a + 1 ORDER BY a DESC"}, {"UPDATE u SET id = id + 1 ORDER BY id DESC"}, {"UPDATE u SET id = id - 1 ORDER BY id"},
	{"REPLACE INTO u VALUES (3, 2, 'new', 3)"}, {"INSERT INTO u VALUES (1, 50, 'x', 0) ON DUPLICATE KEY UPDATE a = 51, n = n + 1"},
	{"INSERT INTO u VALUES (6, 6, 'six', 0)"}, {"DELETE FROM u WHERE id = 6"}, {"INSERT INTO u VALUES (7, 6, 'six', 0)"}, {"UPDATE u SET id = 6 WHERE id = 7"},
	// Parents and children.
	{"INSERT INTO p VALUES (3, 3)", "INSERT INTO c VALUES (3, 3)", "UPDATE c SET p = 1 WHERE id = 3", "DELETE FROM p WHERE id = 3"},
	{"DELETE FROM c WHERE id = 2", "DELETE FROM p WHERE id = 2", "INSERT INTO p VALUES (2, 9)", "INSERT INTO c VALUES (2, 2)"},
	{"INSERT INTO self VALUES (1, 1)", "INSERT INTO self VALUES (2, 1), (3, 2)", "UPDATE self SET up = 3 WHERE id = 1"},
	// With the checks off: the child, then its parent; keys that change under their
	// children.
	{"SET foreign_key_checks = 0", "BEGIN", "INSERT INTO c VALUES (10, 10), (11, 10)", "INSERT INTO p VALUES (10, 10)", "COMMIT", "SET foreign_key_checks = 1"},
	{"SET foreign_key_checks = 0", "BEGIN", "UPDATE p SET id = 20 WHERE id = 10", "UPDATE c SET p = 20 WHERE p = 10", "COMMIT", "SET foreign_key_checks = 1"},
	{"SET foreign_key_checks = 0", "BEGIN", "DELETE FROM p WHERE id = 20", "INSERT INTO p VALUES (20, 21)", "COMMIT", "SET foreign_key_checks = 1"},
	{"SET foreign_key_checks = 0", "BEGIN", "DELETE FROM p WHERE id = 20", "DELETE FROM c WHERE p = 20", "COMMIT", "SET foreign_key_checks = 1"},
}

// ring is two rows that point to each other, which a server that looks at once
// cannot take.
var ring = []string{"SET foreign_key_checks = 0", "BEGIN", "INSERT INTO self VALUES (11, 12), (12, 11)", "COMMIT", "SET foreign_key_checks = 1"}

// TestOrder applies changes that violate a constraint in any other order.
func TestOrder(t *testing.T) {
	besideOthers(t)
	for _, p := range stagingPairs() {
		t.Run(p.String(), func(t *testing.T) {
			t.Parallel()
			s := newStream(t, p.source, p.target, apart())
			s.exec(t, orderTables...)
			var all []string
			for _, step := range orderSteps {
				if step[0] != "SET foreign_key_checks = 0" {
					step = append(append([]string{"BEGIN"}, step...), "COMMIT")
				}
				all = append(all, step...)
			}
			s.exec(t, all...)
			must(t, s.once()...)
			s.requireEqual(t)
			s.exec(t, ring...)
			if s.goal.kind.Flavor() == testdb.MySQL || s.goal.kind.Flavor() == testdb.MariaDB {
				requireRefusal(t, run(t, s.once()...), rowferry.CodeRowRefused)
			} else {
				must(t, s.once()...)
				s.requireEqual(t)
			}
			t.Logf("figure: %s: %d transactions of swapped unique values, keys and parents: Equal", p, len(orderSteps))
		})
	}
}

// refusedHere is a target that somebody changed, and what the next run says.
type refusedHere struct {
	name   string
	target []string // statements; %s is the schema with its dot
	source []string
	code   rowferry.Code
	facts  []string
	more   []string
}

// TestTouchedTarget: what somebody else did to the target stops the run by
// name, with nothing of the transaction in the target.
func TestTouchedTarget(t *testing.T) {
	besideOthers(t)
	for _, p := range stagingPairs() {
		t.Run(p.String(), func(t *testing.T) {
			t.Parallel()
			testTouched(t, p)
		})
	}
}

var touches = []refusedHere{
	{name: "updated row is gone", target: []string{"DELETE FROM %su WHERE id = 4"}, source: []string{"UPDATE u SET n = 5 WHERE id = 4"}, code: rowferry.CodeRowMissing, facts: []string{"u", "id=4", "update"}, more: []string{"INSERT INTO %su VALUES (4, NULL, NULL, 0)"}},
	{name: "deleted row is gone", target: []string{"DELETE FROM %su WHERE id = 3"}, source: []string{"DELETE FROM u WHERE id = 3"}, code: rowferry.CodeRowMissing, facts: []string{"u", "id=3", "delete"}, more: []string{"INSERT INTO %su VALUES (3, 3, 'three', 0)"}},
	{name: "parent is gone", target: []string{"DELETE FROM %sc WHERE id = 2", "DELETE FROM %sp WHERE id = 2"}, source: []string{"INSERT INTO c VALUES (50, 2)"}, code: rowferry.CodeRowRefused, facts: []string{"c"},
		more: []string{"INSERT INTO %sp VALUES (2, 2)", "INSERT INTO %sc VALUES (2, 2)"}},
	{name: "child of its own", target: []string{"INSERT INTO %sp VALUES (900, 7)", "INSERT INTO %sc VALUES (900, 900)"}, source: []string{"BEGIN", "UPDATE c SET p = 2 WHERE id = 2", "DELETE FROM c WHERE id = 1", "INSERT INTO p VALUES (900, 900)", "COMMIT"}, code: rowferry.CodeForeignRow, facts: []string{"p", "id=900"},
		more: []string{"DELETE FROM %sc WHERE id = 900", "DELETE FROM %sp WHERE id = 900"}},
	{name: "unique key of its own", target: []string{"CREATE UNIQUE INDEX own_key ON %sp (v)"}, source: []string{"INSERT INTO p VALUES (60, 1)"}, code: rowferry.CodeForeignRow, facts: []string{"p", "id=60"}},
}

func testTouched(t *testing.T, p pair) {
	s := newStream(t, p.source, p.target, apart())
	s.exec(t, orderTables...)
	must(t, s.once()...)
	for _, c := range touches {
		for _, q := range c.target {
			s.goal.exec(t, fmt.Sprintf(strings.ReplaceAll(q, "ON %s", "ON %[1]s"), s.goal.ns))
		}
		before := s.tally(t)
		s.exec(t, c.source...)
		o := run(t, s.once()...)
		requireRefusal(t, o, c.code)
		for _, fact := range c.facts {
			if !strings.Contains(o.stderr, fact) {
				t.Errorf("%s: the message lacks %q:\n%s", c.name, fact, o.stderr)
			}
		}
		if now := s.tally(t); now != before {
			t.Fatalf("%s: the target had\n%sand has\n%s", c.name, before, now)
		}
		for _, q := range c.more { // put right, after which it goes on
			s.goal.exec(t, fmt.Sprintf(q, s.goal.ns))
		}
		if c.more != nil {
			must(t, s.once()...)
		}
	}
	t.Logf("figure: %s: %d targets that somebody changed, refused by name with nothing written", p, len(touches))
}

// tally returns every row of the target's tables.
func (s *stream) tally(t *testing.T) string {
	t.Helper()
	var all [][]string
	for _, table := range []string{"u", "p", "c", "self"} {
		all = append(all, s.goal.rows(t, "SELECT * FROM "+s.goal.table(table)+" ORDER BY id")...)
	}
	return described(all)
}

// TestStagingKeyless: a table without a key that holds rows is refused, since
// its rows could not be told from replicated ones. An empty one is not.
func TestStagingKeyless(t *testing.T) {
	besideOthers(t)
	for _, p := range stagingPairs() {
		t.Run(p.String(), func(t *testing.T) {
			t.Parallel()
			s := newStream(t, p.source, p.target, apart())
			s.exec(t, "CREATE TABLE bare (a INT, b INT)", "CREATE TABLE keyed (id INT PRIMARY KEY)")
			var made []string
			if s.goal.ns != "" {
				made = append(made, "CREATE SCHEMA "+strings.TrimSuffix(s.goal.ns, "."))
			}
			made = append(made, "CREATE TABLE "+s.goal.table("bare")+" (a INTEGER, b INTEGER)", "INSERT INTO "+s.goal.table("bare")+" VALUES (1, 1), (1, 1)")
			if p.target == sqliteKind {
				made[0] += " STRICT"
				execNewSQLite(t, s.goal.path, strings.Join(made, ";"))
			} else {
				s.goal.exec(t, made...)
			}
			s.exec(t, "INSERT INTO bare VALUES (1, 1)", "UPDATE bare SET b = 2 WHERE a = 1", "INSERT INTO keyed VALUES (1)")
			o := run(t, s.once()...)
			requireRefusal(t, o, rowferry.CodeTargetOccupied)
			if !strings.Contains(o.stderr, "bare") {
				t.Errorf("the message does not name the table:\n%s", o.stderr)
			}
			if got := fmt.Sprint(s.goal.rows(t, "SELECT a, b FROM "+s.goal.table("bare"))); got != "[[1 1] [1 1]]" {
				t.Errorf("the target's own rows are now %s", got)
			}
			s.goal.exec(t, "DELETE FROM "+s.goal.table("bare"))
			must(t, s.once()...)
			s.requireEqual(t)
		})
	}
}
