package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/rowferry/rowferry"
	"github.com/rowferry/rowferry/internal/testdb"
	"github.com/rowferry/rowferry/internal/testdb/record"
)

// xidEvent ends a transaction in both servers' logs.
const xidEvent = 16

// refusal is one way to be stopped: arrange spoils something and says how the
// program is called; mend, if there is one, takes it back, after which the
// same command must finish with everything in place.
type refusal struct {
	name    string
	code    rowferry.Code
	arrange func(t *testing.T, p *place, rec record.Recording) (args []string, mend func())
}

// startOfRows returns the offset in the log's first file where its first
// transaction with rows begins: the tables are made before it.
func startOfRows(t *testing.T, path string) int {
	t.Helper()
	log, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	const mariadbGTIDEvent = 162
	return eventAt(t, log, mariadbGTIDEvent, 3) // after the database and two tables
}

// TestRefusals: each with its own code, its class's exit code, a remedy and no
// harm.
func TestRefusals(t *testing.T) {
	besideOthers(t)
	rec := expect(t, script(t, testdb.MariaDB1011, shopScript()...))
	for _, r := range append(append(logRefusals, placeRefusals...), configRefusals...) {
		t.Run(r.name, func(t *testing.T) {
			p := newPlace(t, copyLogs(t, rec.Files)...)
			args, mend := r.arrange(t, &p, rec)
			requireRefusal(t, run(t, args...), r.code)
			if mend == nil {
				return
			}
			mend()
			must(t, p.replay()...)
			testdb.RequireEqual(t, rec.Expected, "sqlite://"+p.target)
		})
	}
}

// requireRefusal checks the form that UX.md gives every error.
func requireRefusal(t *testing.T, o outcome, code rowferry.Code) {
	t.Helper()
	info, ok := rowferry.Explain(code)
	if !ok {
		t.Fatalf("%s is not in the catalogue", code)
	}
	if o.code != int(info.Class) {
		t.Errorf("exit %d, want %d", o.code, info.Class)
	}
	for _, part := range []string{"✗ " + string(code), "→ "} {
		if !strings.Contains(o.stderr, part) {
			t.Errorf("the message lacks %q", part)
		}
	}
	for _, bad := range []string{"goroutine ", "panic"} {
		if strings.Contains(o.stderr, bad) {
			t.Errorf("the message shows the program's inside: %q", bad)
		}
	}
	if t.Failed() {
		t.Fatalf("stderr:\n%s", o.stderr)
	}
}

// shopScript makes a log of three files with three tables.
func shopScript() []string {
	all := []string{
		"CREATE TABLE a (id INT PRIMARY KEY, v VARCHAR(40) UNIQUE)",
		"CREATE TABLE b (id INT PRIMARY KEY, a_id INT NOT NULL, n DECIMAL(10,2), FOREIGN KEY (a_id) REFERENCES a (id))",
	}
	for i := range 90 {
		if i == 30 || i == 60 {
			all = append(all, "ROTATE")
		}
		all = append(all, "BEGIN",
			fmt.Sprintf("INSERT INTO a VALUES (%d, 'value %d')", i, i),
			fmt.Sprintf("INSERT INTO b VALUES (%d, %d, %d.5)", i, i/2, i),
			fmt.Sprintf("UPDATE b SET n = n + 1 WHERE id = %d", i/3),
			"COMMIT")
	}
	return all
}

// spoil returns an arrange that edits one of the log's files and mends by
// putting the whole one back.
func spoil(file int, edit func(t *testing.T, log []byte) []byte) func(*testing.T, *place, record.Recording) ([]string, func()) {
	return func(t *testing.T, p *place, rec record.Recording) ([]string, func()) {
		rewrite(t, p.files[file], func(b []byte) []byte { return edit(t, b) })
		return p.replay(), func() {
			whole, err := os.ReadFile(rec.Files[file])
			if err != nil {
				t.Fatal(err)
			}
			rewrite(t, p.files[file], func([]byte) []byte { return whole })
		}
	}
}

var logRefusals = []refusal{
	{"not a binlog", rowferry.CodeNotABinlog, spoil(0, func(_ *testing.T, _ []byte) []byte { return []byte("-- a dump, not a log\n") })},
	{"encrypted", rowferry.CodeEncryptedLog, spoil(0, func(_ *testing.T, b []byte) []byte { return append([]byte{0xfd}, b[1:]...) })},
	{"corrupt", rowferry.CodeCorruptLog, spoil(1, func(t *testing.T, b []byte) []byte { b[eventAt(t, b, xidEvent, 10)-9] ^= 1; return b })},
	{"truncated in the middle, between events", rowferry.CodeTruncatedLog, spoil(1, func(t *testing.T, b []byte) []byte { return b[:eventAt(t, b, xidEvent, 10)] })},
	{"truncated in the middle, inside an event", rowferry.CodeTruncatedLog, spoil(1, func(t *testing.T, b []byte) []byte { return b[:eventAt(t, b, xidEvent, 10)+7] })},
	{"unknown event", rowferry.CodeUnknownEvent, spoil(1, func(t *testing.T, b []byte) []byte {
		at := eventAt(t, b, xidEvent, 10)
		b[at+typeAt] = 99
		seal(b, at)
		return b
	})},
	{"a file missing from the sequence", rowferry.CodeLogMissing, func(t *testing.T, p *place, _ record.Recording) ([]string, func()) {
		all := p.files
		p.files = []string{all[0], all[2]}
		args := p.replay()
		return args, func() { p.files = all }
	}},
	{"a start outside", rowferry.CodePositionOutside, func(_ *testing.T, p *place, _ record.Recording) ([]string, func()) {
		return p.replay("--from", "mysql-bin.000009:4"), func() {}
	}},
	{"an end outside", rowferry.CodePositionOutside, func(_ *testing.T, p *place, _ record.Recording) ([]string, func()) {
		return p.replay("--until", "mysql-bin.000009:4"), func() {}
	}},
}

// recorded returns an arrange that replays another log, which cannot be mended.
func recorded(statements ...string) func(*testing.T, *place, record.Recording) ([]string, func()) {
	return func(t *testing.T, p *place, _ record.Recording) ([]string, func()) {
		p.files = script(t, testdb.MariaDB1011, statements...).Files
		return p.replay(), nil
	}
}

var placeRefusals = []refusal{
	{"statement format", rowferry.CodeStatementLog, recorded(
		"CREATE TABLE a (id INT PRIMARY KEY)", "INSERT INTO a VALUES (1)", "SET SESSION binlog_format=STATEMENT", "INSERT INTO a VALUES (2)")},
	{"shape change", rowferry.CodeShapeChanged, recorded(
		"CREATE TABLE a (id INT PRIMARY KEY)", "INSERT INTO a VALUES (1)", "ALTER TABLE a ADD COLUMN x INT", "INSERT INTO a VALUES (2, 2)")},
	{"column names that change places", rowferry.CodeShapeChanged, recorded(
		"CREATE TABLE a (id INT PRIMARY KEY, x INT, y INT)", "INSERT INTO a VALUES (1, 10, 20)",
		"ALTER TABLE a RENAME COLUMN x TO y, RENAME COLUMN y TO x", "INSERT INTO a VALUES (2, 1, 2)")},
	{"a column dropped and made anew", rowferry.CodeShapeChanged, recorded(
		"CREATE TABLE a (id INT PRIMARY KEY, x INT)", "INSERT INTO a VALUES (1, 10)",
		"ALTER TABLE a DROP COLUMN x, ADD COLUMN x INT DEFAULT 7", "INSERT INTO a VALUES (2, 2)")},
	{"geometry", rowferry.CodeTypeRefused, recorded("CREATE TABLE g (id INT PRIMARY KEY, p POINT)", "INSERT INTO g VALUES (1, POINT(1, 2))")},
	{"beyond the target's range", rowferry.CodeOutOfRange, recorded(
		"CREATE TABLE u (id BIGINT UNSIGNED PRIMARY KEY)", "INSERT INTO u VALUES (9223372036854775807)", "INSERT INTO u VALUES (9223372036854775808)")},
	{"a row the target refuses", rowferry.CodeRowRefused, func(t *testing.T, p *place, _ record.Recording) ([]string, func()) {
		must(t, p.replay("--until", "mysql-bin.000001:"+fmt.Sprint(startOfRows(t, p.files[0])))...)
		execSQLite(t, p.target, "CREATE TEMP TABLE x (n); ALTER TABLE b RENAME TO old; CREATE TABLE b (id INTEGER NOT NULL PRIMARY KEY, a_id INTEGER NOT NULL REFERENCES a (id), n TEXT CHECK (n <> '45.50')) STRICT; DROP TABLE old")
		return p.replay(), func() {
			execSQLite(t, p.target, "PRAGMA writable_schema = ON; UPDATE sqlite_schema SET sql = replace(sql, ' CHECK (n <> ''45.50'')', '') WHERE name = 'b'; PRAGMA writable_schema = RESET")
		}
	}},
	{"a table of another shape", rowferry.CodeTableDiffers, func(t *testing.T, p *place, _ record.Recording) ([]string, func()) {
		execNewSQLite(t, p.target, "CREATE TABLE a (id INTEGER PRIMARY KEY, other TEXT) STRICT")
		return p.replay(), func() { execSQLite(t, p.target, "DROP TABLE a") }
	}},
	{"an unwritable state directory", rowferry.CodeStateUnwritable, func(t *testing.T, p *place, _ record.Recording) ([]string, func()) {
		good := p.state
		p.state = filepath.Join(p.files[0], "below-a-file")
		args := p.replay()
		return args, func() { p.state = good }
	}},
	{"a newer state directory", rowferry.CodeStateNewer, func(t *testing.T, p *place, _ record.Recording) ([]string, func()) {
		must(t, p.replay("--until", "mysql-bin.000001:"+fmt.Sprint(startOfRows(t, p.files[0])))...)
		path := filepath.Join(p.state, "FORMAT")
		old, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		rewrite(t, path, func(b []byte) []byte { return []byte(strings.Replace(string(b), `"format":2`, `"format":999`, 1)) })
		return p.replay(), func() { rewrite(t, path, func([]byte) []byte { return old }) }
	}},
	{"an older state directory", rowferry.CodeStateOlder, func(t *testing.T, p *place, _ record.Recording) ([]string, func()) {
		must(t, p.replay("--until", "mysql-bin.000001:"+fmt.Sprint(startOfRows(t, p.files[0])))...)
		path := filepath.Join(p.state, "FORMAT")
		old, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		rewrite(t, path, func(b []byte) []byte { return []byte(strings.Replace(string(b), `"format":2`, `"format":1`, 1)) })
		return p.replay(), func() { rewrite(t, path, func([]byte) []byte { return old }) }
	}},
	{"a second engine", rowferry.CodeStateLocked, func(t *testing.T, p *place, _ record.Recording) ([]string, func()) {
		first := standing(t, "confirm:stop@1", p.replay())
		return p.replay(), func() {
			if o := first.resume(t); o.code != 0 {
				t.Fatalf("the engine that stood still ended with %d", o.code)
			}
		}
	}},
	{"disk full", rowferry.CodeTargetFull, func(t *testing.T, p *place, _ record.Recording) ([]string, func()) {
		dir := t.TempDir()
		if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=64k"); err != nil {
			t.Fatalf("mount a small disk: %v", err)
		}
		t.Cleanup(func() {
			if err := syscall.Unmount(dir, 0); err != nil {
				t.Error(err)
			}
		})
		p.target = filepath.Join(dir, "target.db")
		return p.replay(), func() {
			if err := syscall.Mount("tmpfs", dir, "tmpfs", syscall.MS_REMOUNT, "size=16m"); err != nil {
				t.Fatal(err)
			}
		}
	}},
}

// config writes a configuration for the place and returns the call.
func config(text string) func(*testing.T, *place, record.Recording) ([]string, func()) {
	return func(t *testing.T, p *place, _ record.Recording) ([]string, func()) {
		path := filepath.Join(t.TempDir(), "rowferry.yaml")
		full := fmt.Sprintf("name: e2e\nsource:\n  url: binlog://%s\ntarget:\n  url: sqlite://%s\nstate: %s\n%s\n", p.files[0], p.target, p.state, text)
		if err := os.WriteFile(path, []byte(full), 0o600); err != nil {
			t.Fatal(err)
		}
		return []string{"-c", path, "replay"}, func() {}
	}
}

var configRefusals = []refusal{
	{"an unknown config key", rowferry.CodeUnknownKey, config("tabels: [\"shop.*\"]")},
	{"a config value of the wrong type", rowferry.CodeWrongType, config("tables: {a: b}")},
	{"a config value that makes no sense", rowferry.CodeBadValue, config("memory: lots")},
}
