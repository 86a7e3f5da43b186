package cli

import (
	"database/sql"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/rowferry/rowferry"
	"github.com/rowferry/rowferry/internal/testdb"
)

// origin is a source's database with one table, and what to read it with: a
// configuration whose password is in a file.
type origin struct {
	db   *sql.DB
	name string // the database
	url  string // without a password
	file string // the configuration
}

// newOrigin makes the database on a real server and shop.yaml, for that target,
// in an empty folder that becomes the test's own.
func newOrigin(t *testing.T, k testdb.Kind, target string) *origin {
	t.Helper()
	server := testdb.Start(t, k)
	o := &origin{}
	o.name, o.db = testdb.NewDatabase(t, server)
	a := testdb.Account{User: "ferry", Password: canary, Plugin: testdb.NativePassword, Grants: []string{"ALL ON *.*"}}
	if k.Flavor() == testdb.MySQL {
		a.Plugin = testdb.CachingSHA2
	}
	if err := server.CreateAccount(t.Context(), a); err != nil {
		t.Fatal(err)
	}
	o.url = fmt.Sprintf("%s://ferry@127.0.0.1:%d/%s", k.Flavor(), server.Port, o.name)
	t.Chdir(t.TempDir())
	o.exec(t, "CREATE TABLE item (id BIGINT AUTO_INCREMENT PRIMARY KEY, label VARCHAR(20) NOT NULL)")
	o.file = "name: shop\nsource: {url: '" + o.url + "', password_file: pw, timeout: 10s}\ntarget: {url: '" + target + "'}\n"
	for name, text := range map[string]string{"pw": canary + "\n", "shop.yaml": o.file} {
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return o
}

func (o *origin) exec(t *testing.T, statements ...string) {
	t.Helper()
	for _, q := range statements {
		if _, err := o.db.ExecContext(t.Context(), q); err != nil {
			t.Fatal(err)
		}
	}
}

// insert adds n rows, one transaction each.
func (o *origin) insert(t *testing.T, n int) {
	t.Helper()
	for i := range n {
		o.exec(t, fmt.Sprintf("INSERT INTO item (label) VALUES ('row %d')", i))
	}
}

// awaitRows asks for the status until the engine has applied n rows and the
// source has nothing more.
func awaitRows(t *testing.T, n uint64, args ...string) *liveStatus {
	t.Helper()
	for t.Context().Err() == nil {
		got := run(t, append([]string{"status", "-o", "json"}, args...))
		s := statusIn(t, got.out)
		if s.Engine != nil && s.Engine.CaughtUp && s.Engine.Rows >= n {
			return s.Engine
		}
	}
	t.Fatal("the engine never caught up")
	return nil
}

// TestRunRefusesToGuess: without a checkpoint and --from, and into a target that
// nothing can be copied into, nothing is started and nothing is made.
func TestRunRefusesToGuess(t *testing.T) {
	t.Chdir(t.TempDir())
	got := run(t, []string{"run", "--source", "mysql://ferry@127.0.0.1:1/shop", "--target", "jsonl:shop.jsonl", "--name", "shop"})
	want := `✗ RF-1015  pipeline "shop" has no checkpoint, and it was not said where to start
    source  mysql://ferry@127.0.0.1:1/shop
    target  jsonl:shop.jsonl
    state   ./state
    Nothing was started.
    → from now on               rowferry run --target jsonl:shop.jsonl --name shop --source mysql://ferry@127.0.0.1:1/shop --from latest
    → from all that is logged   rowferry run --target jsonl:shop.jsonl --name shop --source mysql://ferry@127.0.0.1:1/shop --from earliest
    → from a place              rowferry run --target jsonl:shop.jsonl --name shop --source mysql://ferry@127.0.0.1:1/shop --from mysql-bin.000042:1337, a GTID set or a time
`
	if got.code != 2 || got.err != want {
		t.Errorf("code %d\n%s", got.code, got.err)
	}
	if left, err := os.ReadDir("."); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
	got = run(t, []string{"run", "--source", "mysql://ferry@127.0.0.1:1/shop", "--target", "sqlite:shop.db", "--from", "latest", "--patience", "0s"})
	if got.code != 3 || !strings.Contains(got.err, "RF-2024") {
		t.Errorf("a server that is away: %+v", got)
	}
}

// TestStoppedWhileWaiting: a signal ends the wait for a server that is away, as
// it ends a run.
func TestStoppedWhileWaiting(t *testing.T) {
	t.Chdir(t.TempDir())
	for _, tt := range []struct {
		more []string
		code int
	}{{nil, 0}, {[]string{"--once"}, 130}} {
		p := start(t, append([]string{"run", "--source", "mysql://ferry@127.0.0.1:1/shop", "--target", "sqlite:shop.db", "--from", "latest"}, tt.more...)...)
		p.waitFor(t, "waiting")
		if s := statusIn(t, ok(t, "status", "-o", "json", "--target", "sqlite:shop.db")); s.Engine == nil || s.Engine.Phase != starting || !strings.Contains(s.Engine.Waiting, "RF-2024") {
			t.Errorf("%+v", s.Engine)
		}
		p.signal(t)
		if _, err := io.ReadAll(p.err); err != nil {
			t.Fatal(err)
		}
		if err := p.Wait(); p.ProcessState.ExitCode() != tt.code {
			t.Errorf("%v: %v", tt.more, err)
		}
	}
}

// TestRun follows a server, is asked how it goes, is stopped, and catches up.
func TestRun(t *testing.T) {
	for _, k := range []testdb.Kind{testdb.MariaDB1011, testdb.MySQL97} {
		t.Run(string(k), func(t *testing.T) {
			o := newOrigin(t, k, "sqlite:shop.db")
			o.insert(t, 3)
			p := start(t, "run", "-v", "-c", "shop.yaml", "--from", "earliest")
			live := awaitRows(t, 3, "-c", "shop.yaml")
			if live.Phase != "run" || live.Source != o.url || live.Lag == nil || *live.Lag != 0 {
				t.Errorf("%+v", live)
			}
			o.insert(t, 2)
			awaitRows(t, 5, "-c", "shop.yaml")
			if text := ok(t, "status", "-c", "shop.yaml"); !strings.Contains(text, "lag        none: caught up") || !strings.Contains(text, "applied    5 rows") {
				t.Error(text)
			}
			if second := run(t, []string{"run", "-c", "shop.yaml"}); second.code != 7 || !strings.Contains(second.err, "RF-4003") {
				t.Errorf("a second engine: %+v", second)
			}
			if err := p.Process.Signal(syscall.SIGTERM); err != nil {
				t.Fatal(err)
			}
			out, err := io.ReadAll(p.out)
			if err != nil {
				t.Fatal(err)
			}
			errs, err := io.ReadAll(p.err)
			if err != nil {
				t.Fatal(err)
			}
			if err := p.Wait(); err != nil || !strings.Contains(string(out), "stopped    on request") {
				t.Errorf("%v\n%s%s", err, out, errs)
			}
			if _, err := os.Lstat("state/" + controlSocket); !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("the ended engine's socket: %v", err)
			}
			if n := rows(t, "shop.db", "item"); n != "5" {
				t.Errorf("%s rows", n)
			}
			o.insert(t, 4)
			once := run(t, []string{"run", "-c", "shop.yaml", "--once"})
			if n := rows(t, "shop.db", "item"); once.code != 0 || n != "9" || !strings.Contains(once.out, "stopped    caught up") {
				t.Errorf("%s rows, %+v", n, once)
			}
			again := run(t, []string{"run", "-c", "shop.yaml", "--once"})
			if again.code != 0 || !strings.Contains(again.out, "nothing to do: the source has logged nothing") {
				t.Errorf("%+v", again)
			}
			if all := string(out) + string(errs) + once.out + once.err; strings.Contains(all, canary) {
				t.Errorf("the password is printed:\n%s", all)
			}
			lookForCanary(t)
		})
	}
}

// lookForCanary asserts that the password is in no file but its own.
func lookForCanary(t *testing.T) {
	t.Helper()
	seen := 0
	err := filepath.WalkDir(".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() || path == "pw" {
			return err
		}
		seen++
		text, err := os.ReadFile(path)
		if strings.Contains(string(text), canary) {
			t.Errorf("the password is in %s", path)
		}
		return err
	})
	if err != nil || seen < 5 {
		t.Errorf("%d files, %v", seen, err)
	}
}

// TestRunIsStopped: SIGINT before --until is reached is exit code 130.
func TestRunIsStopped(t *testing.T) {
	o := newOrigin(t, testdb.MariaDB1011, "sqlite:shop.db")
	o.insert(t, 1)
	p := start(t, "run", "-c", "shop.yaml", "--from", "earliest", "--until", "2099-01-01T00:00:00Z")
	awaitRows(t, 1, "-c", "shop.yaml")
	p.signal(t)
	if _, err := io.ReadAll(p.out); err != nil {
		t.Fatal(err)
	}
	p.waitFor(t, "RF-9001")
	if err := p.Wait(); p.ProcessState.ExitCode() != int(rowferry.ClassInterrupted) {
		t.Error(err)
	}
}

// TestOwnServerID: an engine with a server id of its own choice is disturbed
// neither by the doctor nor by tail, and one that was killed can go on at once.
func TestOwnServerID(t *testing.T) {
	o := newOrigin(t, testdb.MariaDB1011, "sqlite:shop.db")
	o.insert(t, 1)
	if err := os.WriteFile("shop.yaml", []byte(strings.Replace(o.file, "timeout:", "server_id: 4711, timeout:", 1)), 0o600); err != nil {
		t.Fatal(err)
	}
	p := start(t, "run", "-c", "shop.yaml", "--from", "earliest")
	awaitRows(t, 1, "-c", "shop.yaml")
	if got := run(t, []string{"doctor", "-c", "shop.yaml"}); got.code != 0 {
		t.Errorf("%+v", got)
	}
	if got := run(t, []string{"tail", "-c", "shop.yaml", "--from", "earliest", "--once"}); got.code != 0 || events(t, got.out) != 1 {
		t.Errorf("%+v", got)
	}
	o.insert(t, 1)
	awaitRows(t, 2, "-c", "shop.yaml")
	if err := p.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	errs, err := io.ReadAll(p.err)
	if err != nil || strings.Contains(string(errs), "waiting") {
		t.Errorf("the engine lost its connection: %v\n%s", err, errs)
	}
	_ = p.Wait() // it was killed
	o.insert(t, 1)
	if got := run(t, []string{"run", "-c", "shop.yaml", "--once"}); got.code != 0 || rows(t, "shop.db", "item") != "3" {
		t.Errorf("%+v", got)
	}
}

// seesOne has tail follow, and see the one row that is inserted then.
func seesOne(t *testing.T, o *origin) {
	t.Helper()
	p := start(t, "tail", "-v", "-c", "shop.yaml")
	p.waitFor(t, "following")
	o.exec(t, "INSERT INTO item (label) VALUES ('seen')")
	p.waitForRows(t)
	p.signal(t)
	out, err := io.ReadAll(p.out)
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Wait(); err != nil {
		t.Error(err)
	}
	if n := events(t, "{"+string(out)); n != 1 || !strings.Contains(string(out), "seen") {
		t.Errorf("%d events: %s", n, out)
	}
}

// TestTailFollows prints what happens at a server from now on, until it is
// interrupted.
func TestTailFollows(t *testing.T) {
	o := newOrigin(t, testdb.MariaDB1011, "sqlite:shop.db")
	o.insert(t, 1)
	seesOne(t, o)
	left, err := os.ReadDir(".")
	if err != nil || len(left) != 2 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

// TestRunIntoServers carries rows into servers: under the name that the
// target's URL gives the database where it does, else under the source's.
func TestRunIntoServers(t *testing.T) {
	for _, k := range []testdb.Kind{testdb.MariaDB1011, testdb.MySQL97, testdb.Postgres15} {
		t.Run(string(k), func(t *testing.T) {
			target := testdb.Start(t, k)
			into, db := testdb.NewDatabase(t, target)
			o := newOrigin(t, testdb.MariaDB1011, target.URL(into))
			table := "item"
			// InnoDB counts along with the rows, PostgreSQL does not.
			sequence := into + ".item  id         3       4      4\n✓ nothing to do: each is past its rows"
			if k.Flavor() == testdb.Postgres {
				table = target.Quote(o.name) + ".item"
				sequence = o.name + ".item  id         3       1      4\n✓ set 1 sequence past the rows"
			}
			o.insert(t, 3)
			first := run(t, []string{"run", "-c", "shop.yaml", "--once", "--from", "earliest"})
			var n int
			if err := db.QueryRowContext(t.Context(), "SELECT count(*) FROM "+table).Scan(&n); err != nil || n != 3 || first.code != 0 {
				t.Fatalf("%d rows, %v, %+v", n, err, first)
			}
			if !strings.Contains(first.err, "✓ doctor    ") {
				t.Error(first.err)
			}
			if s := statusOf(t, "-c", "shop.yaml"); s.Running || s.Agreement != "target and state agree" {
				t.Errorf("%+v", s)
			}
			if list := ok(t, "checkpoint", "list", "-c", "shop.yaml"); !strings.Contains(list, "shop") {
				t.Error(list)
			}
			doctor := run(t, []string{"doctor", "-c", "shop.yaml"})
			if doctor.code != 0 || doctor.err != "" || !strings.Contains(doctor.out, " passed") || strings.Contains(doctor.out, canary) {
				t.Errorf("%+v", doctor)
			}
			if plan := ok(t, "sequences", "-c", "shop.yaml", "--dry-run"); strings.Contains(plan, "set 1") {
				t.Error(plan)
			}
			if out := ok(t, "sequences", "-c", "shop.yaml", "--yes"); !strings.Contains(out, sequence) {
				t.Error(out)
			}
			if out := ok(t, "sequences", "-c", "shop.yaml", "--yes"); !strings.Contains(out, "nothing to do") {
				t.Error(out)
			}
		})
	}
}

// TestDoctorNamesWhatIsMissing: an account without privileges fails the doctor
// and stops a run, with the statement that helps.
func TestDoctorNamesWhatIsMissing(t *testing.T) {
	o := newOrigin(t, testdb.MariaDB1011, "sqlite:shop.db")
	o.exec(t, "CREATE OR REPLACE USER nobody@'%' IDENTIFIED BY '"+canary+"'")
	text := strings.Replace(o.file, "ferry@", "nobody@", 1)
	if err := os.WriteFile("nobody.yaml", []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	doctor := run(t, []string{"doctor", "-c", "nobody.yaml"})
	if doctor.code != 2 || doctor.err != "" || !strings.Contains(doctor.out, "GRANT ") || !strings.Contains(doctor.out, "RF-2025") {
		t.Errorf("%+v", doctor)
	}
	asJSON := run(t, []string{"-o", "json", "doctor", "-c", "nobody.yaml"})
	if e := envelopeOf(t, asJSON, false); asJSON.code != 2 || e.Code != "RF-2025" {
		t.Errorf("%+v", e)
	}
	stopped := run(t, []string{"run", "-c", "nobody.yaml", "--from", "latest"})
	if stopped.code != 2 || !strings.Contains(stopped.err, "RF-2025") {
		t.Errorf("%+v", stopped)
	}
	if all := fmt.Sprint(doctor, asJSON, stopped); strings.Contains(all, canary) {
		t.Error(all)
	}
}
