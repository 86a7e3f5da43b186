package e2e

import (
	"fmt"
	"strings"
	"testing"

	"github.com/rowferry/rowferry"
	"github.com/rowferry/rowferry/internal/testdb"
)

// stagingTables are made by Rowferry; then the target gets rows of its own.
var stagingTables = []string{
	"CREATE TABLE item (id INT NOT NULL PRIMARY KEY, code VARCHAR(40) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin UNIQUE, label VARCHAR(40) CHARACTER SET utf8mb4 COLLATE utf8mb4_general_ci UNIQUE, n INT)",
	"CREATE TABLE pair (a INT NOT NULL, b VARCHAR(20) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL, x INT, y INT, note TEXT, PRIMARY KEY (a, b), UNIQUE KEY xy (x, y), UNIQUE KEY y1 (y))",
	"CREATE TABLE child (id INT NOT NULL PRIMARY KEY, item_id INT, FOREIGN KEY (item_id) REFERENCES item (id))",
	"INSERT INTO item VALUES (1, 'one', 'first', 0), (2, 'two', 'second', 0), (3, 'three', 'third', 0)",
	"INSERT INTO pair VALUES (1, 'a', 1, 1, 'kept'), (2, 'b', 2, 2, 'kept')",
	"INSERT INTO child VALUES (1, 1), (2, NULL)",
}

// foreignRows are the target's own, all with numbers from 900 on.
var foreignRows = []string{
	"INSERT INTO %sitem VALUES (900, 'own 900', 'Straße', 7), (901, 'own 901', 'OWN LABEL', 7), (902, NULL, NULL, 7), (903, 'own 903', 'own 903', 7)",
	"INSERT INTO %spair VALUES (900, 'own', 900, 900, 'own'), (901, 'own', 901, 901, 'own'), (902, 'own', NULL, NULL, 'own')",
	"INSERT INTO %schild VALUES (900, 903), (901, NULL)",
}

var foreignQueries = []string{
	"SELECT * FROM %sitem WHERE id >= 900 AND n = 7 ORDER BY id", "SELECT * FROM %spair WHERE note = 'own' ORDER BY a", "SELECT * FROM %schild WHERE id >= 900 ORDER BY id",
}

// collision is one transaction of the source that meets a row of the target's
// own.
type collision struct {
	name       string
	statements []string // one transaction
	facts      []string // what the refusal must name
	// mend makes room: what the target's owner or the source's would do.
	mend string
	// byCollation: only targets that have the source's collation refuse it.
	byCollation bool
}

var collisions = []collision{
	{name: "insert of a key", statements: []string{"INSERT INTO item VALUES (900, 'new', 'new', 1)"},
		facts: []string{"item", "id=900"}, mend: "UPDATE %sitem SET id = 990 WHERE id = 900 AND n = 7"},
	{name: "insert of a unique value", statements: []string{"INSERT INTO item VALUES (10, 'own 901', 'ten', 1)"},
		facts: []string{"item", "id=10"}, mend: "UPDATE %sitem SET code = 'moved 901' WHERE id = 901"},
	{name: "many rows in one statement, one in the middle", statements: []string{manyItems(2000, 100, "own 903")},
		facts: []string{"item", "id=2050"}, mend: "UPDATE %sitem SET code = 'moved 903' WHERE id = 903"},
	{name: "update of a unique value", statements: []string{"UPDATE item SET n = 5 WHERE id = 2", "UPDATE item SET code = 'moved 901' WHERE id = 1"},
		facts: []string{"item", "id=1"}, mend: "UPDATE %sitem SET code = 'moved again' WHERE id = 901"},
	{name: "key change", statements: []string{"UPDATE item SET id = 902 WHERE id = 3"},
		facts: []string{"item", "id=3"}, mend: "UPDATE %sitem SET id = 992 WHERE id = 902 AND n = 7"},
	{name: "key change in the middle of a chain", statements: []string{"UPDATE pair SET a = 5 WHERE a = 1", "UPDATE pair SET a = 901, b = 'own' WHERE a = 2", "UPDATE pair SET a = 2 WHERE a = 5"},
		facts: []string{"pair", "a=2 b=b"}, mend: "UPDATE %spair SET a = 991 WHERE a = 901 AND note = 'own'"},
	{name: "several unique keys at once", statements: []string{"INSERT INTO pair VALUES (902, 'own', 900, 901, 'new')"},
		facts: []string{"pair", "a=902 b=own"}, mend: "UPDATE %spair SET a = a + 90, x = x + 5000, y = y + 5000 WHERE note = 'own'"},
	{name: "composite unique value by an update", statements: []string{"UPDATE pair SET x = 5900, y = 5900 WHERE a = 2"},
		facts: []string{"pair", "a=2 b=a"}, mend: "UPDATE %spair SET y = -y WHERE note = 'own'"},
	{name: "value freed and taken at the source", statements: []string{"DELETE FROM item WHERE id = 10", "INSERT INTO item VALUES (11, 'own 901', 'moved 903', 1)", "UPDATE item SET code = 'own 900' WHERE id = 11"},
		facts: []string{"item", "id=11"}, mend: "UPDATE %sitem SET code = NULL WHERE id = 990"},
	{name: "insert that differs in case", statements: []string{"INSERT INTO item VALUES (12, 'twelve', 'own label', 1)"},
		facts: []string{"item", "id=12"}, mend: "UPDATE %sitem SET label = NULL WHERE id = 901", byCollation: true},
	{name: "update that differs in an accent", statements: []string{"UPDATE item SET label = 'STRASE' WHERE id = 12"},
		facts: []string{"item", "id=12"}, mend: "UPDATE %sitem SET label = NULL WHERE id = 990", byCollation: true},
}

// manyItems inserts n rows in one statement; that in the middle has the code.
func manyItems(from, n int, code string) string {
	rows := make([]string, n)
	for i := range rows {
		rows[i] = fmt.Sprintf("(%d, 'many %[1]d', 'many %[1]d', 1)", from+i)
	}
	rows[n/2] = fmt.Sprintf("(%d, '%s', 'in the middle', 1)", from+n/2, code)
	return "INSERT INTO item VALUES " + strings.Join(rows, ", ")
}

// TestStaging: into a target with rows of its own, whose keys and unique
// values collide with incoming ones. Each collision stops by name with all
// before it kept and no foreign row changed; what does not collide goes on.
func TestStaging(t *testing.T) {
	besideOthers(t)
	for _, p := range stagingPairs() {
		t.Run(p.String(), func(t *testing.T) {
			t.Parallel()
			testStaging(t, p)
		})
	}
}

// earlier are changes of rows that the source made before the pipeline's start,
// where the target has rows of its own with the same keys.
var earlier = []struct {
	change string
	facts  []string
	mend   []string // as the source had it
}{
	{"UPDATE item SET n = 5 WHERE id = 1", []string{"item", "id=1", "code, label, n"},
		[]string{"UPDATE %sitem SET id = 901 WHERE id = 1", "INSERT INTO %sitem VALUES (1, 'one', 'first', 0)"}},
	{"UPDATE item SET id = 4 WHERE id = 2", []string{"item", "id=2", "differs in   n"},
		[]string{"UPDATE %sitem SET id = 902, code = 'own 2', label = NULL WHERE id = 2", "INSERT INTO %sitem VALUES (2, 'two', 'second', 0)"}},
	{"DELETE FROM item WHERE id = 3", []string{"item", "id=3", "differs in   code"},
		[]string{"UPDATE %sitem SET id = 903, label = NULL WHERE id = 3", "INSERT INTO %sitem VALUES (3, 'three', 'third', 0)"}},
	{"DELETE FROM pair WHERE a = 2", []string{"pair", "a=2 b=b", "x, y, note"},
		[]string{"UPDATE %spair SET a = 900 WHERE a = 2", "INSERT INTO %spair VALUES (2, 'b', 2, 2, 'kept')"}},
}

// TestRowsFromBefore: a pipeline that starts after rows were made does not take
// the target's own of the same keys for them.
func TestRowsFromBefore(t *testing.T) {
	besideOthers(t)
	for _, p := range stagingPairs() {
		t.Run(p.String(), func(t *testing.T) {
			t.Parallel()
			s := newStream(t, p.source, p.target)
			s.exec(t, stagingTables...)
			s.from = logEnd(t, s.source)
			s.exec(t, "INSERT INTO item VALUES (5, 'five', 'fifth', 0)", "INSERT INTO pair VALUES (5, 'e', NULL, NULL, NULL)")
			must(t, s.once()...)
			for _, q := range []string{
				"INSERT INTO %sitem VALUES (1, 'own', NULL, 7), (2, 'two', 'second', 7), (3, NULL, 'third', 0)", "INSERT INTO %spair VALUES (2, 'b', 1, NULL, 'own')",
			} {
				s.goal.exec(t, fmt.Sprintf(q, s.goal.ns))
			}
			for _, e := range earlier {
				own := described(s.goal.rows(t, fmt.Sprintf("SELECT * FROM %sitem ORDER BY id", s.goal.ns))) + described(s.goal.rows(t, fmt.Sprintf("SELECT * FROM %spair ORDER BY a", s.goal.ns)))
				s.exec(t, e.change)
				o := run(t, s.once()...)
				requireRefusal(t, o, rowferry.CodeRowDiffers)
				for _, fact := range e.facts {
					if !strings.Contains(o.stderr, fact) {
						t.Errorf("%s: the message lacks %q:\n%s", e.change, fact, o.stderr)
					}
				}
				if now := described(s.goal.rows(t, fmt.Sprintf("SELECT * FROM %sitem ORDER BY id", s.goal.ns))) + described(s.goal.rows(t, fmt.Sprintf("SELECT * FROM %spair ORDER BY a", s.goal.ns))); now != own {
					t.Fatalf("%s: the target's rows were\n%sand are\n%s", e.change, own, now)
				}
				for _, q := range e.mend {
					s.goal.exec(t, fmt.Sprintf(q, s.goal.ns))
				}
				must(t, s.once()...)
			}
			s.goal.exec(t, fmt.Sprintf("UPDATE %sitem SET label = 'edited' WHERE id = 5", s.goal.ns))
			s.exec(t, "UPDATE item SET n = 6 WHERE id = 5", "UPDATE item SET n = 5 WHERE id = 5")
			requireRefusal(t, run(t, s.once()...), rowferry.CodeRowDiffers)
			must(t, s.once("--match", "key")...)
			if got := described(s.goal.rows(t, fmt.Sprintf("SELECT label, n FROM %sitem WHERE id = 5", s.goal.ns))); got != described([][]string{{"edited", "5"}}) {
				t.Errorf("by key alone, the edited row became %q", got)
			}
			if got := s.goal.rows(t, fmt.Sprintf("SELECT count(*) FROM %sitem WHERE id < 900 AND n IN (0, 5) AND id IN (1, 4, 5)", s.goal.ns)); got[0][0] != "3" {
				t.Errorf("%s of the source's rows arrived, want 3", got[0][0])
			}
		})
	}
}

func stagingPairs() []pair {
	pairs := []pair{
		{testdb.MySQL97, testdb.Postgres15, ""}, {testdb.MariaDB1011, testdb.MySQL97, ""},
		{testdb.MySQL97, testdb.MariaDB1011, ""}, {testdb.MariaDB1011, sqliteKind, ""},
	}
	if soak() {
		pairs = append(pairs, pair{testdb.MariaDB1011, testdb.Postgres15, ""}, pair{testdb.MySQL97, testdb.MySQL97, ""},
			pair{testdb.MariaDB1011, testdb.MariaDB1011, ""}, pair{testdb.MySQL97, sqliteKind, ""}, pair{testdb.MySQL97, testdb.PostgresNew, ""})
	}
	return pairs
}

func testStaging(t *testing.T, p pair) {
	s := newStream(t, p.source, p.target)
	s.exec(t, stagingTables...)
	must(t, s.once()...)
	for _, q := range foreignRows {
		s.goal.exec(t, fmt.Sprintf(q, s.goal.ns))
	}
	refused := 0
	for i, c := range collisions {
		// Transactions around it that do not collide, in the same batch.
		s.exec(t, calm(2*i)...)
		before := s.ownRows(t)
		s.exec(t, append(append([]string{"BEGIN"}, c.statements...), "COMMIT")...)
		s.exec(t, calm(2*i+1)...)
		foreign := s.foreign(t)
		o := run(t, s.once()...)
		if c.byCollation && (p.target.Flavor() == testdb.Postgres || p.target == sqliteKind) {
			if o.code != 0 {
				t.Fatalf("%s: exit %d\n%s", c.name, o.code, o.stderr)
			}
		} else {
			requireRefusal(t, o, rowferry.CodeForeignRow)
			for _, fact := range c.facts {
				if !strings.Contains(o.stderr, fact) {
					t.Errorf("%s: the message lacks %q:\n%s", c.name, fact, o.stderr)
				}
			}
			s.requireKept(t, c.name, before)
			refused++
		}
		if now := s.foreign(t); now != foreign {
			t.Fatalf("%s: the target's own rows were\n%sand are\n%s", c.name, foreign, now)
		}
		s.goal.exec(t, fmt.Sprintf(c.mend, s.goal.ns))
	}
	foreign := s.foreign(t)
	must(t, s.once()...)
	if now := s.foreign(t); now != foreign {
		t.Fatalf("the target's own rows were\n%sand are\n%s", foreign, now)
	}
	s.goal.exec(t, fmt.Sprintf("DELETE FROM %schild WHERE id >= 900", s.goal.ns),
		fmt.Sprintf("DELETE FROM %sitem WHERE n = 7", s.goal.ns), fmt.Sprintf("DELETE FROM %spair WHERE note = 'own'", s.goal.ns))
	s.requireEqual(t)
	t.Logf("figure: %s: %d collisions with the target's own rows, %d refused, 0 foreign rows changed", p, len(collisions), refused)
}

// calm is a few transactions that meet nothing.
func calm(i int) []string {
	id := 100 + 3*i
	return []string{
		"BEGIN", fmt.Sprintf("INSERT INTO item VALUES (%d, 'calm %[1]d', 'calm %[1]d', 1), (%d, 'calm %[2]d', 'calm %[2]d', 1)", id, id+1),
		fmt.Sprintf("INSERT INTO child VALUES (%d, %d)", id, id), "COMMIT",
		"UPDATE item SET n = n + 10 WHERE id IN (1, 2)",
		fmt.Sprintf("UPDATE item SET id = %d, code = 'moved' WHERE id = %d", id+2, id+1),
		fmt.Sprintf("DELETE FROM item WHERE id = %d", id+2),
		fmt.Sprintf("INSERT INTO pair VALUES (%d, 'calm', NULL, NULL, 'calm')", id),
	}
}

// foreign returns the rows of the target that are its own.
func (s *stream) foreign(t *testing.T) string {
	t.Helper()
	var all [][]string
	for _, q := range foreignQueries {
		all = append(all, s.goal.rows(t, fmt.Sprintf(q, s.goal.ns))...)
	}
	return described(all)
}

// stagedQueries select what is not the target's own.
var stagedQueries = []string{
	"SELECT id, code, label, n FROM %sitem WHERE n <> 7 ORDER BY id", "SELECT a, b, x, y, note FROM %spair WHERE note <> 'own' ORDER BY a", "SELECT id, item_id FROM %schild WHERE id < 900 ORDER BY id",
}

// ownRows returns the source's rows.
func (s *stream) ownRows(t *testing.T) string {
	t.Helper()
	var all [][]string
	for _, q := range stagedQueries {
		all = append(all, queryRows(t, s.db, fmt.Sprintf(q, ""))...)
	}
	return described(all)
}

// requireKept fails unless the target has exactly what the source had.
func (s *stream) requireKept(t *testing.T, name, want string) {
	t.Helper()
	var all [][]string
	for _, q := range stagedQueries {
		all = append(all, s.goal.rows(t, fmt.Sprintf(q, s.goal.ns))...)
	}
	if got := described(all); got != want {
		t.Errorf("%s: before it the source had\n%sand the target has\n%s", name, want, got)
	}
}
