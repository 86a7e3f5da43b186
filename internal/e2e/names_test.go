package e2e

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/rowferry/rowferry"
	"github.com/rowferry/rowferry/internal/testdb"
)

// hostileNames are for tables, columns, keys and databases. The source takes
// no NUL, nothing beyond U+FFFF and no space at the end, and 64 characters.
func hostileNames() []string {
	return []string{
		"select", "table", "order", "user", "with space", " space before", `do"uble`, `"`, `""`, "sing'le", "''", "back`tick", "``", `back\slash`, `\`, `\'`, `\"; --`,
		"semi;colon", "; DROP TABLE `select`; --", "per%cent", "%s%d%n", "%25", "under_score", "do.t", ".", "..", "über", "日本語", "ÄÖ", "-dash", "--", "# hash", "123", "1e5", "0x10",
		"a$b", "$1", "$$", "UPPER", "miXed", "comment --", "/* c */", "a/b", "new\nline", "tab\ttab", "cr\rcr", "bell\a", escape, "\u200b", "\u202eright to left", "?", ":p", "@v", "@@v", "#h", "(x)", "[y]", "{z}", "<b>", "&amp;", "a=b", "a,b", "!x", "*", "~", "^", "|", "+",
		"cafe\u0301", "caf\u00e9n", "NULL", "null_", "true", "rowid", "oid", "_rowid_", "rowferry", "rowferry_fence", "sqlite", "pg_x", "public", "information_schema", "pg_catalog",
	}
}

// longNames have as many characters as the source takes, or as the names of its
// files do, and more bytes than PostgreSQL takes.
func longNames() []string {
	return []string{strings.Repeat("n", 64), strings.Repeat("é", 64), strings.Repeat("日", 48), strings.Repeat("`é", 16)}
}

func backtick(name string) string { return "`" + strings.ReplaceAll(name, "`", "``") + "`" }

// within puts something before a name and keeps to 64 characters.
func within(prefix, name string) string {
	r := []rune(prefix + name)
	return string(r[:min(len(r), 64)])
}

// namedTables are a table, its child and one without a key, whose names,
// columns and keys are all of the one name.
func namedTables(n string) []string {
	t, c, k, u := backtick(n), backtick(within("c ", n)), backtick(within("k ", n)), backtick(within("u ", n))
	return []string{
		fmt.Sprintf("CREATE TABLE %s (%s INT NOT NULL AUTO_INCREMENT PRIMARY KEY, %s VARCHAR(20) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin, UNIQUE KEY %s (%s))", t, t, u, u, u),
		fmt.Sprintf("CREATE TABLE %s (id INT NOT NULL PRIMARY KEY, %s INT, CONSTRAINT %s FOREIGN KEY (%s) REFERENCES %s (%s))", c, t, c, t, t, t),
		fmt.Sprintf("CREATE TABLE %s (%s INT, %s TEXT)", k, t, u),
	}
}

// namedRows change rows of the tables, by key and without one.
func namedRows(n string) []string {
	t, c, k, u := backtick(n), backtick(within("c ", n)), backtick(within("k ", n)), backtick(within("u ", n))
	return []string{
		"BEGIN",
		fmt.Sprintf("INSERT INTO %s VALUES (1, 'a'), (2, 'b'), (3, NULL), (4, 'd')", t),
		fmt.Sprintf("INSERT INTO %s VALUES (1, 1), (2, 2), (3, NULL)", c),
		fmt.Sprintf("INSERT INTO %s VALUES (1, 'a'), (1, 'a'), (2, NULL), (NULL, 'z')", k),
		fmt.Sprintf("UPDATE %s SET %s = 'swapped' WHERE %s = 1", t, u, t), fmt.Sprintf("UPDATE %s SET %s = 'a' WHERE %s = 2", t, u, t), fmt.Sprintf("UPDATE %s SET %s = 'b' WHERE %s = 1", t, u, t),
		fmt.Sprintf("UPDATE %s SET %s = 40 WHERE %s = 4", t, t, t), fmt.Sprintf("DELETE FROM %s WHERE %s = 3", t, t),
		fmt.Sprintf("UPDATE %s SET %s = 40 WHERE id = 3", c, t), fmt.Sprintf("DELETE FROM %s WHERE id = 2", c),
		fmt.Sprintf("UPDATE %s SET %s = 'c' WHERE %s = 1 LIMIT 1", k, u, t), fmt.Sprintf("DELETE FROM %s WHERE %s = 2", k, t),
		"COMMIT",
	}
}

// TestNames: hostile names of tables, columns and keys arrive Equal through
// every path.
func TestNames(t *testing.T) {
	besideOthers(t)
	for i, p := range stagingPairs() {
		t.Run(p.String(), func(t *testing.T) {
			t.Parallel()
			testNames(t, p, i)
		})
	}
}

// escape is a name that a terminal obeys.
const escape = "esc\x1b[31m"

func testNames(t *testing.T, p pair, turn int) {
	s := newStream(t, p.source, p.target, apart())
	names := hostileNames()
	if p.target.Flavor() != testdb.Postgres {
		names = append(names, longNames()...)
	}
	if !soak() { // a part for each pair
		i := 0
		names = slices.DeleteFunc(names, func(n string) bool { i++; return i%4 != turn && n != escape && n != "rowid" && n != "sqlite" })
	}
	var rows []string
	for _, n := range names {
		s.exec(t, namedTables(n)...)
		rows = append(rows, namedRows(n)...)
	}
	half := len(rows) / 2
	for rows[half-1] != "COMMIT" {
		half++
	}
	s.exec(t, rows[:half]...)
	must(t, s.once()...)
	s.exec(t, rows[half:]...)
	for _, n := range names[:len(names)/3] {
		s.exec(t, "TRUNCATE TABLE "+backtick(within("k ", n)), fmt.Sprintf("INSERT INTO %s VALUES (7, 'after')", backtick(within("k ", n))))
	}
	must(t, s.once()...)
	s.requireEqual(t)
	var tables []string
	for _, row := range queryRows(t, s.db, "SHOW TABLES") {
		tables = append(tables, row[0])
	}
	if len(tables) != 3*len(names) {
		t.Fatalf("%d tables for %d names: the test does not test", len(tables), len(names))
	}
	must(t, s.command("doctor")...)
	must(t, "status", "--name", s.name, "--target", s.goal.url, "--state", s.state)
	if p.target != sqliteKind {
		must(t, s.command("sequences", "--yes")...)
		for _, n := range names {
			s.goal.exec(t, fmt.Sprintf("INSERT INTO %s (%s) VALUES ('own')", s.goal.quoted(n), s.goal.quote(within("u ", n))))
		}
	}
	s.testNamedRefusal(t)
	t.Logf("figure: %s: %d hostile names of tables, columns and keys: Equal", p, len(names))
}

// testNamedRefusal has a row refused, and wants the table's name in the message,
// with nothing that a terminal obeys.
func (s *stream) testNamedRefusal(t *testing.T) {
	t.Helper()
	table := escape
	s.goal.exec(t, fmt.Sprintf("INSERT INTO %s (%s) VALUES (900)", s.goal.quoted(table), s.goal.quote(table)))
	s.exec(t, fmt.Sprintf("INSERT INTO %s VALUES (900, 'x')", backtick(table)))
	o := run(t, s.once()...)
	requireRefusal(t, o, rowferry.CodeForeignRow)
	if !strings.Contains(o.stderr, `esc\x1b[31m=900`) || strings.Contains(o.stderr, "\x1b") {
		t.Errorf("the message does not name the table safely:\n%q", o.stderr)
	}
}

// quote returns a name as the target's SQL.
func (g *goal) quote(name string) string {
	if g.kind == sqliteKind || g.kind.Flavor() == testdb.Postgres {
		return `"` + strings.ReplaceAll(name, `"`, `""`) + `"`
	}
	return backtick(name)
}

// quoted returns a table's name as the target's SQL.
func (g *goal) quoted(table string) string { return g.ns + g.quote(table) }

// TestDatabaseNames: hostile names of databases, all in one pipeline.
func TestDatabaseNames(t *testing.T) {
	besideOthers(t)
	for i, p := range stagingPairs() {
		t.Run(p.String(), func(t *testing.T) {
			t.Parallel()
			testDatabaseNames(t, p, i)
		})
	}
}

func testDatabaseNames(t *testing.T, p pair, turn int) {
	s := newStream(t, p.source, p.target, apart())
	s.name = s.database // its checkpoint is beside those of other tests
	// Apart from the databases of other tests on the server.
	mark := s.database[len(s.database)-4:]
	if g := s.goal; g.kind.Flavor() == testdb.MySQL || g.kind.Flavor() == testdb.MariaDB {
		g.url = strings.TrimSuffix(g.url, g.url[strings.LastIndex(g.url, "/")+1:]) // none in the URL: each becomes its own
	}
	var judged []string
	for i, n := range append(hostileNames(), longNames()...) {
		if !soak() && i%4 != turn || p.target.Flavor() == testdb.Postgres && len(n) > 50 || n == "." || n == ".." {
			continue
		}
		db := within(fmt.Sprintf("%s%d ", mark, i), n)
		s.exec(t, "CREATE DATABASE "+backtick(db))
		t.Cleanup(func() {
			if err := s.source.Exec(context.Background(), "DROP DATABASE "+backtick(db)); err != nil {
				t.Error(err)
			}
		})
		table := fmt.Sprintf("%s.t%d", backtick(db), i)
		s.exec(t, "CREATE TABLE "+table+" (id INT NOT NULL PRIMARY KEY, v INT)", "INSERT INTO "+table+" VALUES (1, 1), (2, 2), (3, 3)",
			"UPDATE "+table+" SET v = 5 WHERE id = 1", "DELETE FROM "+table+" WHERE id = 2")
		judged = append(judged, db)
	}
	command := s.once("--tables", mark+"*.*")
	for i, a := range command {
		if strings.HasSuffix(a, "/"+s.database) && strings.HasPrefix(a, "mysql://") && command[i-1] == "--source" {
			command[i] = strings.TrimSuffix(a, s.database)
		}
	}
	must(t, command...)
	for i, db := range judged {
		got, err := s.goal.inDatabase(t, db, strings.SplitN(strings.TrimPrefix(db, mark), " ", 2)[0])
		if err != nil || got != "[[1 5] [3 3]]" {
			t.Errorf("database %d, %q: %s, %v", i, db, got, err)
		}
	}
	t.Logf("figure: %s: %d hostile names of databases", p, len(judged))
}

// inDatabase returns the rows of a table that a source's database has.
func (g *goal) inDatabase(t *testing.T, db, number string) (string, error) {
	t.Helper()
	table := g.quote(db) + "." + g.quote("t"+number)
	if g.kind == sqliteKind {
		table = g.quote("t" + number)
	}
	return fmt.Sprint(g.rows(t, "SELECT id, v FROM "+table+" ORDER BY id")), nil
}

// TestNamesRefused: names that the target cannot have, or would take for
// others, are refused by name before such a table exists there.
func TestNamesRefused(t *testing.T) {
	besideOthers(t)
	for _, c := range []struct {
		name   string
		target testdb.Kind
		table  string // to be refused
		column string
		also   string // made before it
		code   rowferry.Code
	}{
		{"63 bytes", testdb.Postgres15, strings.Repeat("n", 64), "v", "", rowferry.CodeNameRefused},
		{"63 bytes of a column", testdb.Postgres15, "t", strings.Repeat("é", 40), "", rowferry.CodeNameRefused},
		{"a system column", testdb.Postgres15, "t", "ctid", "", rowferry.CodeNameRefused},
		{"kept by SQLite", sqliteKind, "SQLite_x", "v", "", rowferry.CodeNameCollision},
		{"case alone", sqliteKind, "Case", "v", "case", rowferry.CodeNameCollision},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := newStream(t, testdb.MariaDB1011, c.target, apart())
			s.exec(t, "CREATE TABLE fine (id INT PRIMARY KEY)", "INSERT INTO fine VALUES (1)")
			if c.also != "" {
				s.exec(t, "CREATE TABLE "+backtick(c.also)+" (id INT PRIMARY KEY)", "INSERT INTO "+backtick(c.also)+" VALUES (1)")
			}
			s.exec(t, "CREATE TABLE "+backtick(c.table)+" (id INT PRIMARY KEY, "+backtick(c.column)+" INT)", "INSERT INTO "+backtick(c.table)+" VALUES (1, 1)")
			o := run(t, s.once()...)
			requireRefusal(t, o, c.code)
			if flat := strings.Join(strings.Fields(o.stderr), ""); !strings.Contains(flat, c.table) || !strings.Contains(flat, c.column) && c.column != "v" {
				t.Errorf("the message does not name it:\n%s", o.stderr)
			}
			if n, err := s.goal.number("SELECT COUNT(*) FROM " + s.goal.table("fine")); err != nil || n != 1 {
				t.Errorf("what came before it: %d rows, %v", n, err)
			}
			if n, err := s.goal.number("SELECT COUNT(*) FROM " + s.goal.quoted(c.table)); err == nil && (c.also == "" || n != 1) {
				t.Errorf("the table exists, with %d rows", n)
			}
		})
	}
}

// TestOwnDatabases: databases of the source whose names mean something to
// PostgreSQL or to Rowferry itself.
func TestOwnDatabases(t *testing.T) {
	source := testdb.Start(t, testdb.MariaDB1011, apart())
	for _, c := range []struct {
		name   string
		target testdb.Kind
		code   rowferry.Code // "" when it arrives
	}{
		{"public", testdb.Postgres15, ""}, {"rowferry", testdb.Postgres15, ""}, {"pg_catalog", testdb.Postgres15, rowferry.CodeNameRefused},
		{"pg_toast", testdb.Postgres15, rowferry.CodeNameRefused}, {"pg_mine", testdb.Postgres15, rowferry.CodeNameRefused}, {"rowferry", testdb.MySQL97, ""}, {"main", sqliteKind, ""},
	} {
		t.Run(c.name+" to "+string(c.target), func(t *testing.T) {
			if err := source.Exec(t.Context(), "CREATE DATABASE "+c.name); err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() {
				if err := source.Exec(context.Background(), "DROP DATABASE "+c.name); err != nil {
					t.Error(err)
				}
			})
			s := newStream(t, testdb.MariaDB1011, c.target, apart())
			s.name, s.database = s.database, c.name
			if c.target == testdb.MySQL97 { // no database in the URL: the source's name stays
				s.goal.url = fmt.Sprintf("mysql://root@127.0.0.1:%d", s.goal.server.Port)
			}
			s.exec(t, "CREATE TABLE "+c.name+".t (id INT PRIMARY KEY, v INT)", "INSERT INTO "+c.name+".t VALUES (1, 1), (2, 2)", "UPDATE "+c.name+".t SET v = 3 WHERE id = 2",
				"CREATE TABLE "+c.name+".rowferry_checkpoint (id INT PRIMARY KEY)", "INSERT INTO "+c.name+".rowferry_checkpoint VALUES (1)")
			o := run(t, s.once()...)
			if c.code != "" {
				requireRefusal(t, o, c.code)
				return
			}
			if o.code != 0 {
				t.Fatalf("exit %d\n%s", o.code, o.stderr)
			}
			if got, err := s.goal.inDatabase(t, c.name, ""); err != nil || got != "[[1 1] [2 3]]" {
				t.Errorf("%s, %v", got, err)
			}
		})
	}
}
