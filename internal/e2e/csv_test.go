package e2e

import (
	"bytes"
	"database/sql"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/rowferry/rowferry/internal/testdb"
	"github.com/rowferry/rowferry/internal/testdb/load"
)

// exported is a MariaDB database as files.
type exported struct {
	source   *testdb.Server
	database string
	db       *sql.DB
	tables   []string
	schema   string // path of the CREATE statements
}

// newExported fills a database and writes its tables' statements.
func newExported(t *testing.T, transactions int) *exported {
	t.Helper()
	x := &exported{source: testdb.Start(t, testdb.MariaDB1011, testdb.Private()), schema: filepath.Join(t.TempDir(), "schema.sql")}
	x.database, x.db = testdb.NewDatabase(t, x.source)
	if _, err := load.Run(t.Context(), x.db, load.Options{Seed: 5, Writers: 4, Transactions: transactions, Flavor: testdb.MariaDB}); err != nil {
		t.Fatal(err)
	}
	x.tables = testdb.Texts(t, x.db, "SHOW TABLES")
	var statements strings.Builder
	for _, table := range x.tables {
		var name, create string
		if err := x.db.QueryRow("SHOW CREATE TABLE "+table).Scan(&name, &create); err != nil {
			t.Fatal(err)
		}
		statements.WriteString(create + ";\n")
	}
	writeFile(t, x.schema, statements.String())
	return x
}

func writeFile(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// outfiles writes each table with SELECT … INTO OUTFILE, with bytes as they are or in
// hexadecimal, and returns the folder.
func (x *exported) outfiles(t *testing.T, clause string, hex bool) string {
	t.Helper()
	dir := t.TempDir()
	for _, table := range x.tables {
		columns := testdb.Texts(t, x.db, fmt.Sprintf("SELECT CASE WHEN data_type IN ('float','double') THEN CONCAT(column_name,'*1e0') "+
			"WHEN data_type = 'bit' OR %t AND (data_type LIKE '%%binary' OR data_type LIKE '%%blob') THEN CONCAT('CONCAT(''0x'',HEX(',column_name,'))') "+
			"WHEN character_set_name IS NOT NULL THEN CONCAT('CONVERT(',column_name,' USING utf8mb4)') ELSE column_name END "+
			"FROM information_schema.columns WHERE table_schema = '%s' AND table_name = '%s' ORDER BY ordinal_position", hex, x.database, table))
		path := testdb.Texts(t, x.db, "SELECT CONCAT(TRIM(TRAILING '/' FROM @@secure_file_priv),'/csv-',UUID())")[0]
		if _, err := x.db.Exec(fmt.Sprintf("SELECT %s FROM %s INTO OUTFILE '%s' %s", strings.Join(columns, ","), table, path, clause)); err != nil {
			t.Fatalf("%s: %v", table, err)
		}
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		writeFile(t, filepath.Join(dir, table+".csv"), string(text))
	}
	return dir
}

// copiesOut writes each table of a PostgreSQL database with COPY … TO … CSV.
func (x *exported) copiesOut(t *testing.T, from *goal, options string) string {
	t.Helper()
	dir := t.TempDir()
	conn, err := pgconn.Connect(t.Context(), from.url)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(t.Context())
	if _, err := conn.Exec(t.Context(), "SET TimeZone = 'America/St_Johns'").ReadAll(); err != nil {
		t.Fatal(err)
	}
	for _, table := range x.tables {
		var b bytes.Buffer
		if _, err := conn.CopyTo(t.Context(), &b, "COPY "+from.ns+table+" TO STDOUT (FORMAT csv, "+options+")"); err != nil {
			t.Fatalf("%s: %v", table, err)
		}
		writeFile(t, filepath.Join(dir, table+".csv"), b.String())
	}
	return dir
}

// into returns the arguments of a copy of a folder into a target.
func (x *exported) into(t *testing.T, g *goal, dir, keys string) []string {
	t.Helper()
	home := t.TempDir()
	path := filepath.Join(home, "csv.yaml")
	writeFile(t, path, fmt.Sprintf("name: csv\nsource:\n  csv: {path: '%s', schema: '%s', database: %s%s}\ntarget: {url: '%s'}\ncopy: {workers: 3}\nstate: %s/state\n",
		dir, x.schema, x.database, keys, g.url, home))
	return []string{"-c", path, "run"}
}

// forms are how MariaDB is asked to write, and the keys that read it.
var forms = []struct {
	name, clause, keys string
	hex                bool
}{
	{
		"strings enclosed", `FIELDS TERMINATED BY ',' OPTIONALLY ENCLOSED BY '"' ESCAPED BY '\\'`,
		", header: false, escape: mysql, binary: raw", false,
	},
	{
		"all enclosed", `FIELDS TERMINATED BY ';' ENCLOSED BY '"' ESCAPED BY '\\' LINES TERMINATED BY '\r\n'`,
		", header: false, escape: mysql, delimiter: ';'", true,
	},
}

// TestCSV copies what MariaDB and PostgreSQL export: Equal to what was exported.
func TestCSV(t *testing.T) {
	besideOthers(t)
	x := newExported(t, scaled(600, 60_000))
	var pg *goal
	for _, form := range forms {
		dir := x.outfiles(t, form.clause, form.hex)
		for _, kind := range []testdb.Kind{sqliteKind, testdb.Postgres15} {
			t.Run(fmt.Sprintf("%s to %s", form.name, kind), func(t *testing.T) {
				besideOthers(t)
				g := newGoal(t, kind, x.database)
				must(t, x.into(t, g, dir, form.keys)...)
				testdb.RequireEqual(t, x.source.URL(x.database), g.judge)
			})
		}
	}
	pg = newGoal(t, testdb.Postgres15, x.database)
	must(t, x.into(t, pg, x.outfiles(t, forms[0].clause, false), forms[0].keys)...)
	for options, keys := range map[string]string{
		"HEADER": "", "HEADER, FORCE_QUOTE *, NULL 'nothing'": ", null_marker: nothing",
		`ESCAPE '\', DELIMITER E'\t'`: ", header: false, escape: postgres, delimiter: tab",
	} {
		dir := x.copiesOut(t, pg, options)
		for _, kind := range []testdb.Kind{sqliteKind, testdb.MySQL97} {
			t.Run(fmt.Sprintf("PostgreSQL, %s to %s", options, kind), func(t *testing.T) {
				besideOthers(t)
				g := newGoal(t, kind, x.database)
				must(t, x.into(t, g, dir, keys)...)
				testdb.RequireEqual(t, x.source.URL(x.database), g.judge)
			})
		}
	}
}

// TestCSVKilled kills copies of files again and again: Equal at the end, also in
// tables without a key. A file that changed meanwhile is refused, by name, and a
// copy that is complete is left alone.
func TestCSVKilled(t *testing.T) {
	besideOthers(t)
	x := newExported(t, scaled(600, 20_000))
	dir := x.outfiles(t, forms[0].clause, false)
	for _, kind := range []testdb.Kind{sqliteKind, testdb.Postgres15, testdb.MySQL97} {
		t.Run(string(kind), func(t *testing.T) {
			random := rand.New(rand.NewPCG(3, uint64(len(kind))))
			g := newGoal(t, kind, x.database)
			args := x.into(t, g, dir, forms[0].keys)
			kills := 0
			for range scaled(6, 20) {
				s := append(loadStages, stage{"recorded", 2, 3})[random.IntN(3)]
				if killed(t, s, random, args) {
					kills++
				}
				if kills == 1 {
					x.changed(t, filepath.Join(dir, "item.csv"), args)
				}
			}
			if kills < 3 {
				t.Errorf("only %d kills", kills)
			}
			must(t, args...)
			testdb.RequireEqual(t, x.source.URL(x.database), g.judge)
			if left := g.intOf(t, "SELECT COUNT(*) FROM "+g.chunks()); left != 0 {
				t.Errorf("%d chunks are still noted", left)
			}
			if err := os.Rename(dir, dir+".gone"); err != nil {
				t.Fatal(err)
			}
			o := must(t, args...)
			if !strings.Contains(o.stdout, "nothing to do: the copy is complete") {
				t.Errorf("again: %s%s", o.stdout, o.stderr)
			}
			if err := os.Rename(dir+".gone", dir); err != nil {
				t.Fatal(err)
			}
			testdb.RequireEqual(t, x.source.URL(x.database), g.judge)
			t.Logf("figure: CSV files to %s: killed %d times, Equal", kind, kills)
		})
	}
}

// killed kills one run at a stage, and reports whether it came there.
func killed(t *testing.T, s stage, random *rand.Rand, args []string) bool {
	t.Helper()
	return killedAt(t, fmt.Sprintf("%s:kill@%d", s.name, s.least+random.IntN(s.most-s.least+1)), args)
}

// killedAt runs until the failpoint, and reports false where it came to the end.
func killedAt(t *testing.T, failpoint string, args []string) bool {
	t.Helper()
	var output bytes.Buffer
	cmd := command(t, "failpoint", args...)
	cmd.Env = append(os.Environ(), "ROWFERRY_FAILPOINT="+failpoint)
	cmd.Stdout, cmd.Stderr = &output, &output
	_ = cmd.Run() // the exit code is what counts
	code := cmd.ProcessState.ExitCode()
	if code > 0 {
		t.Fatalf("exit %d with %s:\n%s", code, failpoint, output.String())
	}
	return code == -1
}

// struck has a run killed at a failpoint.
func struck(t *testing.T, failpoint string, args []string) {
	t.Helper()
	if !killedAt(t, failpoint, args) {
		t.Fatalf("not killed at %s", failpoint)
	}
}

// changed touches a file, has a run refuse it, and gives it its time back.
func (x *exported) changed(t *testing.T, path string, args []string) {
	t.Helper()
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Chtimes(path, time.Time{}, info.ModTime().Add(time.Second)); err != nil {
		t.Fatal(err)
	}
	if o := run(t, args...); o.code != 6 || !strings.Contains(o.stderr, "RF-2042") || !strings.Contains(o.stderr, ".item") {
		t.Errorf("with a file that changed: exit %d\n%s", o.code, o.stderr)
	}
	if err := os.Chtimes(path, time.Time{}, info.ModTime()); err != nil {
		t.Fatal(err)
	}
}

// TestCSVRefused: of a file with a row that is none, nothing stays in the target,
// however much of it was written before, and the error says where the row is.
func TestCSVRefused(t *testing.T) {
	besideOthers(t)
	const good = 30_000 // more than is written at once
	var text strings.Builder
	text.WriteString("id,name\n")
	for i := range good {
		fmt.Fprintf(&text, "%d,name of %d\n", i, i)
	}
	x := &exported{database: "shop", schema: filepath.Join(t.TempDir(), "schema.sql")}
	writeFile(t, x.schema, "CREATE TABLE goods (id INT NOT NULL PRIMARY KEY, name VARCHAR(40));\nCREATE TABLE bulk (id INT NOT NULL, name VARCHAR(40));\n")
	for _, kind := range []testdb.Kind{sqliteKind, testdb.Postgres15, testdb.MySQL97} {
		for _, c := range []struct{ table, row, code, says string }{
			{"goods", "30000.5,x\n", "RF-2039", "goods.csv:30002:1"},
			{"bulk", "\"30000\n", "RF-2036", "bulk.csv:30002:1"},
			{"goods", "7,again\n", "RF-3006", "goods"},
		} {
			t.Run(fmt.Sprintf("%s to %s", c.code, kind), func(t *testing.T) {
				besideOthers(t)
				g := newGoal(t, kind, x.database)
				dir := t.TempDir()
				writeFile(t, filepath.Join(dir, c.table+".csv"), text.String()+c.row)
				args := x.into(t, g, dir, "")
				for range 2 { // the second time is no better
					o := run(t, args...)
					if o.code != 1 || !strings.Contains(o.stderr, c.code) || !strings.Contains(strings.ReplaceAll(o.stderr, "\n", ""), c.says) {
						t.Errorf("exit %d, want %s at %s\n%s", o.code, c.code, c.says, o.stderr)
					}
					if n := g.intOf(t, "SELECT COUNT(*) FROM "+g.ns+c.table); n != 0 {
						t.Errorf("%d rows stay", n)
					}
				}
			})
		}
	}
}
