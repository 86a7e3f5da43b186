package mysql

import (
	"context"
	"database/sql"
	"fmt"
	"os"
	"regexp"
	"slices"
	"sort"
	"strings"
	"testing"

	"github.com/rowferry/rowferry/internal/testdb"
	"github.com/rowferry/rowferry/schema"
)

func TestMain(m *testing.M) { testdb.Main(m) }

// corpusCase is one statement of a corpus file, or a setting of the session.
type corpusCase struct {
	line    int
	sql     string
	setting bool
}

// readCorpus cuts a corpus file: a statement ends with a semicolon at the end of
// a line.
func readCorpus(t *testing.T, path string) []corpusCase {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var cases []corpusCase
	text := ""
	for i, line := range strings.Split(string(b), "\n") {
		if rest, ok := strings.CutPrefix(line, "-- mode: "); ok {
			cases = append(cases, corpusCase{i + 1, "SET sql_mode='" + strings.TrimSpace(rest) + "'", true})
			continue
		}
		if rest, ok := strings.CutPrefix(line, "-- set: "); ok {
			cases = append(cases, corpusCase{i + 1, "SET " + rest, true})
			continue
		}
		if strings.HasPrefix(line, "-- ") && text == "" {
			continue
		}
		text += line + "\n"
		if s := strings.TrimSpace(text); strings.HasSuffix(s, ";") {
			cases = append(cases, corpusCase{i + 1, strings.TrimSuffix(s, ";"), false})
			text = ""
		}
	}
	return cases
}

// logged is what a server logged, followed by a catalog.
type logged struct {
	t    *testing.T
	s    *testdb.Server
	conn *sql.Conn
	cat  *Catalog
	file string
	pos  int
	told map[string]string // differences by table
}

func (l *logged) exec(q string) {
	l.t.Helper()
	if _, err := l.conn.ExecContext(context.Background(), q); err != nil {
		l.t.Fatalf("%s: %s: %v", l.s.Kind, q, err)
	}
}

func (l *logged) value(q string) string {
	l.t.Helper()
	var v string
	if err := l.conn.QueryRowContext(context.Background(), q).Scan(&v); err != nil {
		l.t.Fatalf("%s: %v", q, err)
	}
	return v
}

var usePrefix = regexp.MustCompile("(?s)^use [`\"]([^`\"]*)[`\"]; (.*)$")

// follow applies what the server has logged since the last call.
func (l *logged) follow() (statements []string, touched map[string]bool) {
	l.t.Helper()
	st, touched := l.session(), map[string]bool{}
	rows, err := l.conn.QueryContext(context.Background(), fmt.Sprintf("SHOW BINLOG EVENTS IN '%s' FROM %d", l.file, l.pos))
	if err != nil {
		l.t.Fatal(err)
	}
	defer rows.Close()
	for rows.Next() {
		var file, kind, info string
		var pos, server, end int
		if err := rows.Scan(&file, &pos, &kind, &server, &end, &info); err != nil {
			l.t.Fatal(err)
		}
		l.pos = end
		if kind != "Query" {
			continue
		}
		st.Database, st.SQL = "", info
		if m := usePrefix.FindStringSubmatch(info); m != nil {
			st.Database, st.SQL = m[1], m[2]
		}
		st.DDLXID = strings.Contains(info, "/* xid=")
		statements = append(statements, st.SQL)
		effects, err := l.cat.Apply(st)
		if err != nil {
			l.t.Errorf("%s: %v", l.s.Kind, err)
		}
		for _, e := range effects {
			touched[e.Table.Table], touched[e.To.Table] = true, true
			if e.Kind == Unknown || e.Kind == Altered && e.After == nil || e.Kind == Created && e.After == nil {
				l.t.Errorf("%s: %s: effect %s of %s, %s", l.s.Kind, st.SQL, e.Kind, e.Table, e.Detail)
			}
		}
	}
	return statements, touched
}

// session is what the query event would say of the session. Its variables are
// read outside the catalog's statement, where the test has just set them.
func (l *logged) session() Statement {
	st := Statement{ServerCollation: l.value("SELECT @@collation_server")}
	for mode := range strings.SplitSeq(l.value("SELECT CONCAT(@@sql_mode, ',')"), ",") {
		st.SQLMode |= map[string]SQLMode{"ANSI_QUOTES": ANSIQuotes, "NO_BACKSLASH_ESCAPES": NoBackslashEscapes, "REAL_AS_FLOAT": RealAsFloat, "ORACLE": Oracle}[mode]
	}
	st.ImplicitTimestamps = l.value("SELECT @@explicit_defaults_for_timestamp") == "0"
	if l.s.Kind.Flavor() == testdb.MySQL {
		st.Collations = map[string]string{"utf8mb4": l.value("SELECT @@default_collation_for_utf8mb4")}
	} else if !strings.HasPrefix(l.s.Version, "10.11") {
		st.Collations = map[string]string{}
		for pair := range strings.SplitSeq(l.value("SELECT @@character_set_collations"), ",") {
			if set, coll, ok := strings.Cut(pair, "="); ok {
				st.Collations[set] = coll
			}
		}
	}
	return st
}

// TestCatalogFollowsServer runs the corpus (M32) on a real server, feeds a
// catalog with what the server logged, and compares shapes with the server's own
// information_schema: after every statement those it says it changed, at the end
// all.
func TestCatalogFollowsServer(t *testing.T) {
	kinds := map[testdb.Kind][]string{
		testdb.MySQL97:     {"common.sql", "mysql.sql"},
		testdb.MariaDB1011: {"common.sql", "mariadb.sql"},
	}
	if testdb.Soak() {
		kinds[testdb.MariaDB11] = []string{"common.sql", "mariadb.sql", "mariadb11.sql"}
	}
	for kind, files := range kinds {
		t.Run(string(kind), func(t *testing.T) { followServer(t, kind, files) })
	}
}

func followServer(t *testing.T, kind testdb.Kind, files []string) {
	ctx := context.Background()
	s := testdb.Start(t, kind)
	conn, err := s.DB().Conn(ctx)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	flavor := MySQL
	if kind.Flavor() == testdb.MariaDB {
		flavor = MariaDB
	}
	l := &logged{t: t, s: s, conn: conn, cat: NewCatalog(flavor), told: map[string]string{}}
	l.cat.SetVersion(s.Version)
	logs, err := s.BinlogFiles()
	if err != nil {
		t.Fatal(err)
	}
	l.file, l.pos = logs[len(logs)-1][strings.LastIndexByte(logs[len(logs)-1], '/')+1:], 4
	l.exec("SET sql_mode=''")
	if flavor == MariaDB {
		l.exec("SET GLOBAL innodb_default_row_format=dynamic")
	}
	l.exec("CREATE DATABASE corpus CHARACTER SET utf8mb4 COLLATE utf8mb4_general_ci")
	l.exec("USE corpus")
	n := 0
	for _, f := range files {
		for _, c := range readCorpus(t, "testdata/corpus/"+f) {
			if c.setting {
				l.exec(c.sql)
				continue
			}
			n++
			if _, err := conn.ExecContext(ctx, c.sql); err != nil {
				t.Errorf("%s:%d: the server refuses %s: %v", f, c.line, c.sql, err)
				continue
			}
			statements, touched := l.follow()
			if !l.compare(f, c.line, touched) {
				t.Errorf("logged: %q", statements)
			}
		}
		l.compare(f, 0, nil)
	}
	t.Logf("%s: %d statements, %d tables at the end", s.Version, n, len(l.cat.Tables()))
	l.compareDump()
	l.exec("DROP DATABASE corpus")
	l.follow()
	if left := l.cat.Tables(); len(left) > 0 {
		t.Errorf("tables after DROP DATABASE: %v", left)
	}
}

// compareDump loads what SHOW CREATE TABLE prints of every table, as a dump has
// it, into a catalog of its own and compares that with the server.
func (l *logged) compareDump() {
	l.t.Helper()
	dump := "/*!40101 SET NAMES utf8mb4 */;\n"
	for _, t := range l.cat.Tables() {
		show := "SHOW CREATE TABLE"
		if slices.Contains(t.Unsupported, DetailSequence) {
			show = "SHOW CREATE SEQUENCE"
		}
		name := fmt.Sprintf("`%s`.`%s`", t.Name.Schema, strings.ReplaceAll(t.Name.Table, "`", "``"))
		var table, create string
		if err := l.conn.QueryRowContext(context.Background(), show+" "+name).Scan(&table, &create); err != nil {
			l.t.Fatalf("%s %s: %v", show, name, err)
		}
		dump += fmt.Sprintf("USE `%s`;\n%s;\nINSERT INTO %s VALUES ('it''s; not -- one', 5);\n", t.Name.Schema, create, name)
	}
	live := l.cat
	l.cat = NewCatalog(live.flavor)
	if err := l.cat.LoadDump(strings.NewReader(dump), ""); err != nil {
		l.t.Fatal(err)
	}
	l.compare("dump", 0, nil)
	l.cat = live
}

// compare compares the shapes of the tables of given names, or all, as text. A
// difference is told once.
func (l *logged) compare(file string, line int, only map[string]bool) bool {
	l.t.Helper()
	want, got := l.serverShapes(only), l.catalogShapes(only)
	ok := true
	for name, w := range want {
		if diff := diffLines(w, got[name]); got[name] != w && l.told[name] != diff {
			ok = false
			l.told[name] = diff
			l.t.Errorf("%s:%d: %s: table %s\n%s", file, line, l.s.Kind, name, diff)
		}
	}
	for name := range got {
		if _, there := want[name]; !there && l.told[name] != "extra" {
			l.told[name] = "extra"
			ok = false
			l.t.Errorf("%s:%d: %s: the catalog has table %s, the server not", file, line, l.s.Kind, name)
		}
	}
	return ok
}

func diffLines(want, got string) string {
	w, g := strings.Split(want, "\n"), strings.Split(got, "\n")
	var b strings.Builder
	for _, line := range w {
		if !slices.Contains(g, line) {
			fmt.Fprintf(&b, "  server:  %s\n", line)
		}
	}
	for _, line := range g {
		if !slices.Contains(w, line) {
			fmt.Fprintf(&b, "  catalog: %s\n", line)
		}
	}
	if b.Len() == 0 {
		b.WriteString("  the same in another order\n")
	}
	return b.String()
}

// catalogShapes renders the catalog's shapes in the words of serverShapes.
func (l *logged) catalogShapes(only map[string]bool) map[string]string {
	shapes := map[string]string{}
	for _, t := range l.cat.Tables() {
		if only != nil && !only[t.Name.Table] {
			continue
		}
		shapes[t.Name.String()] = renderShape(t, l.cat.tables[t.Name].draft)
	}
	return shapes
}

func renderShape(t *schema.Table, d *draft) string {
	var b strings.Builder
	hidden := d.implicit // MariaDB's hidden columns are not in information_schema
	for i, c := range t.Columns {
		if hidden && (c.Name == d.rowStart || c.Name == d.rowEnd) {
			continue
		}
		fmt.Fprintf(&b, "%d %s %s", i+1, c.Name, renderType(c.Type))
		for _, f := range []struct {
			on   bool
			name string
		}{{c.Nullable, "null"}, {c.AutoIncrement, "auto"}, {c.Invisible, "invisible"}, {c.Generated != "", string(c.Generated)}} {
			if f.on {
				b.WriteString(" " + f.name)
			}
		}
		b.WriteByte('\n')
	}
	var keys []string
	for _, k := range d.keys {
		keys = append(keys, renderKey(d, k, hidden))
	}
	if t.PrimaryKey != nil && d.key("PRIMARY") < 0 || len(t.Uniques) > len(d.keys) {
		keys = append(keys, "keys of shape and draft differ")
	}
	for i, f := range t.ForeignKeys {
		name := f.Name
		if name == "" {
			name = fmt.Sprintf("%s_ibfk_%d", t.Name.Table, d.foreign[i].number)
		}
		keys = append(keys, fmt.Sprintf("foreign %s %v %s %v delete %s update %s", strings.ToLower(name), t.ColumnNames(f.Columns), f.Parent, f.Referenced, rule(f.OnDelete), rule(f.OnUpdate)))
	}
	sort.Strings(keys)
	return b.String() + strings.Join(keys, "\n")
}

func rule(a schema.Action) string {
	if a == schema.NoAction {
		return "restrict"
	}
	return string(a)
}

// renderKey renders a key from the shape where it is in it, else from the draft.
func renderKey(d *draft, k key, hidden bool) string {
	kind := map[keyKind]string{primaryKey: "unique", uniqueKey: "unique"}[k.kind]
	x, expression, err := d.index(k)
	if err != nil {
		return err.Error()
	}
	if expression {
		return fmt.Sprintf("%s %s over an expression", kind, k.name)
	}
	var parts []string
	for i, o := range x.Columns {
		name := d.columns[o].Name
		if name == d.rowEnd && (hidden || kind == "") {
			continue
		}
		if x.Prefix != nil && x.Prefix[i] > 0 {
			name += fmt.Sprintf("(%d)", x.Prefix[i])
		}
		parts = append(parts, name)
	}
	return fmt.Sprintf("%s %s %v", kind, k.name, parts)
}

func renderType(t schema.Type) string {
	s := t.String()
	switch t.Kind {
	case schema.Vector:
		s = fmt.Sprintf("vector(%d)", t.Length)
	case schema.Enum, schema.Set:
		s += fmt.Sprintf("%q", t.Labels)
	case schema.JSON:
		if t.Charset != "" {
			s = "jsontext"
		}
	}
	if t.Charset != "" {
		s += " " + t.Charset + "/" + t.Collation
	}
	return s
}
