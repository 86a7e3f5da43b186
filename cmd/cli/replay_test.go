package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"

	"github.com/rowferry/rowferry"
)

const quickstart = "../../examples/quickstart/binlog/mysql-bin."

// inDir runs the rest of the test in an empty directory, and returns the
// recorded log's files as seen from there.
func inDir(t *testing.T) (files string) {
	t.Helper()
	abs, err := filepath.Abs(quickstart + "*")
	if err != nil {
		t.Fatal(err)
	}
	t.Chdir(t.TempDir())
	return abs
}

// ok runs a command that has to succeed, and returns its output.
func ok(t *testing.T, args ...string) string {
	t.Helper()
	got := run(t, args)
	if got.code != 0 {
		t.Fatalf("rowferry %s: exit code %d\n%s%s", strings.Join(args, " "), got.code, got.out, got.err)
	}
	return got.out
}

var (
	aboutNow = regexp.MustCompile(`recorded   .*`)
	stateID  = regexp.MustCompile(`[0-9a-f]{32}`)
	// How many batches there are depends on how fast each side is.
	batches = regexp.MustCompile(`batch      \d+`)
	groups  = regexp.MustCompile(`batches    .*`)
)

func stable(text string) string {
	text = aboutNow.ReplaceAllString(text, "recorded   NOW")
	text = batches.ReplaceAllString(text, "batch      N")
	text = groups.ReplaceAllString(text, "batches    N")
	return stateID.ReplaceAllString(text, "ID")
}

// TestReplay is the quickstart as an operator sees it.
func TestReplay(t *testing.T) {
	golden1, err := filepath.Abs("testdata")
	if err != nil {
		t.Fatal(err)
	}
	files := inDir(t)
	replay := []string{"replay", "--files", files, "--target", "sqlite:shop.db", "--name", "quickstart"}
	first := run(t, replay)
	if first.code != 0 || first.err != "✓ resume    no checkpoint; starting at mysql-bin.000001:4\n" {
		t.Errorf("code %d, stderr %q", first.code, first.err)
	}
	again := run(t, replay)
	if again.code != 0 || !strings.HasPrefix(again.out, "✓ nothing to do: ") || !strings.HasPrefix(again.err, "✓ resume    from ") {
		t.Errorf("again: %+v", again)
	}
	pipeline := []string{"--target", "sqlite:shop.db", "--name", "quickstart"}
	var all strings.Builder
	for _, out := range []string{
		first.out, again.out,
		ok(t, append([]string{"status"}, pipeline...)...),
		ok(t, append([]string{"checkpoint", "show"}, pipeline...)...),
	} {
		all.WriteString(stable(out) + "----\n")
	}
	golden(t, filepath.Join(golden1, "replay.golden"), all.String())
	if list := ok(t, "checkpoint", "list", "--target", "sqlite:shop.db"); !strings.Contains(list, "quickstart") {
		t.Errorf("list: %s", list)
	}
	if quiet := run(t, append([]string{"-q"}, replay...)); quiet.err != "" {
		t.Errorf("-q: %q", quiet.err)
	}
	envelopeOf(t, run(t, append(replay, "-o", "json")), true)
	envelopeOf(t, run(t, append([]string{"status", "-o", "json"}, pipeline...)), true)
	envelopeOf(t, run(t, append([]string{"checkpoint", "list", "-o", "json"}, pipeline...)), true)
	envelopeOf(t, run(t, append([]string{"checkpoint", "show", "-o", "json"}, pipeline...)), true)
	envelopeOf(t, run(t, []string{"status", "-o", "json", "--target", "sqlite:shop.db", "--name", "other", "--state", "none"}), false)
}

// envelopeOf asserts that the output is one envelope, and returns its error.
func envelopeOf(t *testing.T, got ran, good bool) *envelopeError {
	t.Helper()
	var e envelope
	if err := json.Unmarshal([]byte(got.out), &e); err != nil || e.OK != good || (got.code == 0) != good || (e.Error == nil) != good || got.err != "" && !strings.HasPrefix(got.err, "✓ resume") && got.out != got.err {
		t.Errorf("%v: code %d: %s%s", err, got.code, got.out, got.err)
	}
	return e.Error
}

// TestReplayByConfig asserts that a file alone is enough, and that names are
// mapped and scope is kept.
func TestReplayByConfig(t *testing.T) {
	files := inDir(t)
	config := "name: shop\nsource: {url: 'binlog://" + files + "'}\ntarget: {url: 'sqlite:shop.db'}\n" +
		"tables: [shop.customers]\nentities: {shop.customers: {to: clients}}\nstate: own/state\n"
	if err := os.Mkdir("own", 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile("shop.yaml", []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	out := ok(t, "replay", "-c", "shop.yaml")
	if !strings.Contains(out, "shop.customers") || strings.Contains(out, "shop.orders") || !strings.Contains(out, "rowferry status -c shop.yaml") {
		t.Error(out)
	}
	if n := rows(t, "shop.db", "clients"); n != "249" {
		t.Errorf("clients has %s rows", n)
	}
	if out := ok(t, "status", "-c", "shop.yaml"); !strings.Contains(out, "target and state agree") || !strings.Contains(out, "own/state") {
		t.Error(out)
	}
	wider := run(t, []string{"replay", "-c", "shop.yaml", "--tables", "shop.*"})
	if wider.code != 2 || !strings.Contains(wider.err, "RF-1010") {
		t.Errorf("a wider scope: %+v", wider)
	}
}

// rows counts a SQLite table's rows.
func rows(t *testing.T, db, table string) string {
	t.Helper()
	conn, err := sqlite.OpenConn(db, sqlite.OpenReadOnly)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := conn.Close(); err != nil {
			t.Error(err)
		}
	}()
	n := ""
	err = sqlitex.Execute(conn, "SELECT count(*) FROM "+table, &sqlitex.ExecOptions{ResultFunc: func(s *sqlite.Stmt) error {
		n = s.ColumnText(0)
		return nil
	}})
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// TestScopeWithoutParents asserts that a table whose foreign keys point out of
// scope can be replayed alone.
func TestScopeWithoutParents(t *testing.T) {
	files := inDir(t)
	out := ok(t, "replay", "--files", files, "--target", "sqlite:shop.db", "--tables", "shop.order_items")
	if n := rows(t, "shop.db", "order_items"); n != "2338" || !strings.Contains(out, "made without the foreign key (order_id)") { // 2,652 inserted, 314 deleted
		t.Errorf("order_items has %s rows\n%s", n, out)
	}
}

// TestFrom asserts that --from starts a pipeline, is accepted again, and is
// refused as a way to move it.
func TestFrom(t *testing.T) {
	files := inDir(t)
	args := []string{"replay", "--files", files, "--tables", "shop.categories", "--target", "jsonl:out.jsonl"}
	ok(t, append(args, "--from", "0-1-2000")...)
	if out := ok(t, append(args, "--from", "0-1-2000")...); !strings.Contains(out, "nothing to do") {
		t.Error(out)
	}
	if got := run(t, append(args, "--from", "0-1-1999")); got.code != 2 || !strings.Contains(got.err, "RF-1009") {
		t.Errorf("%+v", got)
	}
}

// TestLooking asserts that commands that only look make nothing.
func TestLooking(t *testing.T) {
	inDir(t)
	for _, args := range [][]string{
		{"status", "--target", "sqlite:shop.db"}, {"checkpoint", "show", "--target", "sqlite:shop.db"},
		{"checkpoint", "export", "--target", "sqlite:shop.db"},
	} {
		if got := run(t, args); got.code != 6 || !strings.Contains(got.err, "RF-4010") {
			t.Errorf("%v: %+v", args, got)
		}
	}
	if out := ok(t, "checkpoint", "list", "--target", "sqlite:shop.db"); out != "no checkpoints\n" {
		t.Error(out)
	}
	if got := run(t, []string{"replay", "--files", "none", "--target", "sqlite:shop.db"}); got.code != 3 {
		t.Errorf("replay of nothing: %+v", got)
	}
	if left, err := os.ReadDir("."); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

// TestToStandardOutput asserts that only rows go there, and the summary or
// the envelope elsewhere.
func TestToStandardOutput(t *testing.T) {
	files := inDir(t)
	got := run(t, []string{"replay", "--files", files, "--target", "jsonl:-", "--until", "0-1-60"})
	if got.code != 0 || !strings.Contains(got.err, "position   0-1-60") {
		t.Errorf("code %d, stderr %s", got.code, got.err)
	}
	events(t, got.out)
	got = run(t, []string{"replay", "-q", "-o", "json", "--files", files, "--target", "jsonl:-", "--until", "0-1-90"})
	events(t, got.out)
	got.out = got.err
	envelopeOf(t, got, true)
	if s := run(t, []string{"status", "--target", "jsonl:-"}); s.code != 0 || !strings.Contains(s.out, "0-1-90") || !strings.Contains(s.out, "state alone decides") {
		t.Errorf("status: %+v", s)
	}
}

// events asserts that every line is an event, and returns how many.
func events(t *testing.T, text string) int {
	t.Helper()
	lines := strings.Split(strings.TrimSpace(text), "\n")
	for _, l := range lines {
		var e struct{ Op string }
		if err := json.Unmarshal([]byte(l), &e); err != nil || e.Op == "" {
			t.Fatalf("%v: %s", err, l)
		}
	}
	return len(lines)
}

func TestTail(t *testing.T) {
	files := inDir(t)
	args := []string{"tail", "--files", files, "--tables", "shop.customers", "--until", "0-1-60"}
	lines := run(t, args)
	if n := events(t, lines.out); lines.code != 0 || lines.err != "" || n < 5 {
		t.Errorf("%d events, %+v", n, lines)
	}
	terminal := run(t, args, func(p *program) { p.outTerminal = true })
	if terminal.code != 0 || !strings.Contains(terminal.out, "\x1b[32m+\x1b[0m \x1b[1mshop.customers\x1b[0m  id=1\n") {
		t.Errorf("on a terminal: %+v", terminal)
	}
	plain := run(t, append([]string{"-o", "text"}, args...))
	if !strings.Contains(plain.out, "  + shop.customers  id=1\n") || strings.Contains(plain.out, "\x1b") {
		t.Errorf("-o text: %s", plain.out)
	}
	forced := run(t, append([]string{"-o", "json"}, args...), func(p *program) { p.outTerminal = true })
	events(t, forced.out)
	forced.out = forced.err
	envelopeOf(t, forced, true)
	if left, err := os.ReadDir("."); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

// TestFailures asserts code, class and remedy of what goes wrong at the
// source, and that a summary tells how far it went.
func TestFailures(t *testing.T) {
	files := inDir(t)
	second := strings.TrimSuffix(files, "*") + "000002"
	text, err := os.ReadFile(strings.TrimSuffix(files, "*") + "000001")
	if err != nil {
		t.Fatal(err)
	}
	write := func(name string, text []byte) string {
		if err := os.WriteFile(name, text, 0o600); err != nil {
			t.Fatal(err)
		}
		return name
	}
	broken := bytes.Clone(text)
	broken[len(broken)/2] ^= 1
	for i, tt := range []struct {
		args []string
		code rowferry.Code
	}{
		{[]string{"--files", write("shop.000001", []byte("not a log at all"))}, rowferry.CodeNotABinlog},
		{[]string{"--files", write("corrupt.000001", broken)}, rowferry.CodeCorruptLog},
		{[]string{"--files", files, "--from", "mysql-bin.000009:4"}, rowferry.CodePositionOutside},
		{[]string{"--files", files, "--until", "0-1-99999"}, rowferry.CodeUntilNotFound},
		{[]string{"--files", files, "--until", "2026-11-18T12:04:00"}, rowferry.CodeZonelessTime},
		{[]string{"--files", files, "--schema", write("dump.sql", []byte("hello"))}, rowferry.CodeBadDump},
		{[]string{"--files", second, "--from", "0-1-1"}, rowferry.CodeLogMissing},
	} {
		name := "case" + string(rune('a'+i))
		args := append([]string{"replay", "--target", "sqlite:" + name + ".db", "--state", name, "--name", name}, tt.args...)
		got := run(t, args)
		info, _ := rowferry.Explain(tt.code)
		if got.code != int(info.Class) || !strings.Contains(got.err, string(tt.code)) {
			t.Errorf("%v: exit code %d, want %s\n%s%s", tt.args, got.code, tt.code, got.out, got.err)
		}
	}
}

// TestInterrupted asserts that a cancelled command ends with 130, and that
// the same command again goes on.
func TestInterrupted(t *testing.T) {
	files := inDir(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	args := []string{"replay", "--files", files, "--target", "sqlite:shop.db"}
	if got := runIn(t, ctx, args); got.code != 130 || !strings.Contains(got.err, "RF-9001") {
		t.Errorf("%+v", got)
	}
	ok(t, args...)
	if got := runIn(t, ctx, []string{"checkpoint", "import", "--yes", "--target", "sqlite:shop.db"}, func(p *program) {
		p.stdin = never{}
	}); got.code != 130 {
		t.Errorf("import: %+v", got)
	}
}

// never is a reader that has nothing to say for as long as the program runs.
type never struct{}

func (never) Read([]byte) (int, error) { select {} }
