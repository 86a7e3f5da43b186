package cli

import (
	"encoding/json"
	"os"
	"strings"
	"testing"

	"github.com/rowferry/rowferry/checkpoint"
)

// TestCheckpointMoves sets, exports and imports a checkpoint, and replays
// from it.
func TestCheckpointMoves(t *testing.T) {
	files := inDir(t)
	target := []string{"--target", "sqlite:shop.db"}
	cmd := func(words ...string) []string { return append(words, target...) }
	with := func(args []string, more ...string) []string { return append(args, more...) }

	ok(t, with(cmd("replay"), "--files", files, "--until", "0-1-1000")...)
	ok(t, with(cmd("checkpoint", "export"), "cp.json")...)
	if got := run(t, with(cmd("checkpoint", "export"), "cp.json")); got.code == 0 {
		t.Error("export overwrites a file")
	}
	before := statusOf(t, target...)

	if got := run(t, with(cmd("checkpoint", "set"), "0-1-900")); got.code != 2 || !strings.Contains(got.err, "--yes") {
		t.Errorf("set without --yes: %+v", got)
	}
	if got := run(t, with(cmd("checkpoint", "set"), "--yes", "mysql-bin.000001:4")); got.code != 2 || !strings.Contains(got.err, "RF-1007") {
		t.Errorf("a position of another kind: %+v", got)
	}
	if same := statusOf(t, target...); same.At.Sequence != before.At.Sequence || same.At.Position != "0-1-1000" {
		t.Errorf("a refused set changed the checkpoint: %+v", same.At)
	}
	ok(t, with(cmd("checkpoint", "set"), "--yes", "0-1-990")...)
	moved := statusOf(t, target...)
	if moved.At.Position != "0-1-990" || moved.At.Sequence != before.At.Sequence+1 || moved.At.Fence != before.At.Fence+1 || moved.At.Lineage != "" {
		t.Errorf("after set: %+v", moved.At)
	}
	if moved.Agreement != "target and state agree" || moved.At.Shapes != before.At.Shapes || moved.At.Start != before.At.Start {
		t.Errorf("after set: %+v, before: %+v", moved, before)
	}
	again := run(t, with(cmd("replay"), "--files", files))
	if again.code != 1 || !strings.Contains(again.err, "RF-3020") || !strings.Contains(again.out, "by RF-3020 below") {
		t.Errorf("rows that are there are met: %+v", again)
	}

	// The state directory is lost; the exported checkpoint replaces it.
	if err := os.RemoveAll("state"); err != nil {
		t.Fatal(err)
	}
	if got := run(t, with(cmd("checkpoint", "set"), "--yes", "0-1-990")); got.code != 6 || !strings.Contains(got.err, "RF-4005") {
		t.Errorf("set without the state's shapes: %+v", got)
	}
	if got := run(t, with(cmd("checkpoint", "import"), "--yes", "--name", "other", "cp.json")); got.code != 2 || !strings.Contains(got.err, "RF-4013") {
		t.Errorf("import of another pipeline: %+v", got)
	}
	ok(t, with(cmd("checkpoint", "import"), "--yes", "cp.json")...)
	back := statusOf(t, target...)
	if back.At.Position != "0-1-1000" || back.At.Lineage != before.At.Lineage || back.At.Shapes != before.At.Shapes || back.Agreement != "target and state agree" {
		t.Errorf("after import: %+v", back)
	}
	ok(t, with(cmd("replay"), "--files", files)...)
	if end := statusOf(t, target...); end.At.Position != "0-1-2049" {
		t.Errorf("at the end: %+v", end.At)
	}
}

func statusOf(t *testing.T, args ...string) *statusResult {
	t.Helper()
	out := ok(t, append([]string{"status", "-o", "json"}, args...)...)
	s := statusIn(t, out)
	if s.At == nil {
		t.Fatal(out)
	}
	return s
}

// statusIn reads the envelope of a status.
func statusIn(t *testing.T, out string) *statusResult {
	t.Helper()
	var e struct{ Result statusResult }
	if err := json.Unmarshal([]byte(out), &e); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return &e.Result
}

// TestConfirm asks on a terminal.
func TestConfirm(t *testing.T) {
	files := inDir(t)
	ok(t, "replay", "--files", files, "--target", "sqlite:shop.db", "--until", "0-1-10")
	for answer, code := range map[string]int{"y\n": 0, "no\n": 130, "\n": 130, "": 130} {
		got := run(t, []string{"checkpoint", "set", "--target", "sqlite:shop.db", "0-1-10"}, func(p *program) {
			p.stdin, p.inTerminal = strings.NewReader(answer), true
		})
		if got.code != code || !strings.HasPrefix(got.err, "move pipeline replay from 0-1-10 to 0-1-10? [y/N] ") {
			t.Errorf("%q: %+v", answer, got)
		}
	}
}

// TestSetBeforeTheFirstRun gives a pipeline its start.
func TestSetBeforeTheFirstRun(t *testing.T) {
	files := inDir(t)
	ok(t, "checkpoint", "set", "--target", "sqlite:shop.db", "--yes", "0-1-2049")
	if out := ok(t, "replay", "--target", "sqlite:shop.db", "--files", files); !strings.Contains(out, "nothing to do") {
		t.Error(out)
	}
}

// TestHeldState asserts what commands say while an engine holds the state.
func TestHeldState(t *testing.T) {
	files := inDir(t)
	ok(t, "replay", "--files", files, "--target", "sqlite:shop.db", "--until", "0-1-10")
	engine, err := checkpoint.Open(t.Context(), checkpoint.Options{Dir: "state", Pipeline: "replay"})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := engine.Close(); err != nil {
			t.Error(err)
		}
	}()
	if s := statusOf(t, "--target", "sqlite:shop.db"); !s.Running || s.At.Position != "0-1-10" || !strings.Contains(s.Agreement, "held by process") {
		t.Errorf("status: %+v", s)
	}
	for _, args := range [][]string{
		{"replay", "--files", files, "--target", "sqlite:shop.db"},
		{"checkpoint", "set", "--target", "sqlite:shop.db", "--yes", "0-1-9"},
	} {
		if got := run(t, args); got.code != 7 || !strings.Contains(got.err, "RF-4003") {
			t.Errorf("%v: %+v", args, got)
		}
	}
}

// TestUnsettledCheckpoint: what a checkpoint does not tell of is not lost by moving it.
func TestUnsettledCheckpoint(t *testing.T) {
	files := inDir(t)
	target := []string{"--target", "sqlite:shop.db"}
	with := func(words ...string) []string { return append(words, target...) }
	ok(t, append(with("replay"), "--files", files, "--until", "0-1-10")...)
	ok(t, append(with("checkpoint", "export"), "cp.json")...)
	for held, refused := range map[string]string{
		`{"copy":{"phase":"loading"}}`: "set export import", `{"copy":{"phase":"merging"}}`: "set export import", `{"removing":true}`: "set export import",
		`{"notes":{"mapped":3,"waiting":1}}`: "export import", `{"notes":{"mapped":3}}`: "import", `{"copy":{"phase":"copied"}}`: "",
	} {
		sqliteExec(t, "shop.db", "UPDATE rowferry_checkpoint SET held = json_patch(held, '"+held+"')")
		for _, args := range [][]string{{"set", "--yes", "0-1-9"}, {"export"}, {"import", "--yes", "cp.json"}} {
			if !strings.Contains(refused, args[0]) {
				continue
			}
			got := run(t, append(with("checkpoint", args[0]), args[1:]...))
			if got.code != 2 || !strings.Contains(got.err, "RF-4016") {
				t.Errorf("%s with %s: %+v", args[0], held, got)
			}
		}
		if refused == "" {
			if text := ok(t, with("checkpoint", "export")...); !strings.Contains(text, `"copied": true`) {
				t.Errorf("exported\n%s", text)
			}
		}
		sqliteExec(t, "shop.db", "UPDATE rowferry_checkpoint SET held = json_patch(held, '{\"copy\":{\"phase\":\"\"},\"removing\":false,\"notes\":{\"mapped\":0,\"waiting\":0}}')")
	}
	ok(t, append(with("checkpoint", "import"), "--yes", "cp.json")...)
}
