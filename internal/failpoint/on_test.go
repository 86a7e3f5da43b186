//go:build failpoint

package failpoint

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// TestMain turns the binary into the victim when a test runs it again.
func TestMain(m *testing.M) {
	if n := os.Getenv("FAILPOINT_VICTIM"); n != "" {
		_ = Hit("a.first")
		_ = Hit("b.second")
		_ = Hit("b.second")
		_ = Hit("c.third")
		os.Exit(0)
	}
	os.Exit(m.Run())
}

func env(pairs map[string]string) func(string) string {
	return func(k string) string { return pairs[k] }
}

func struck(t *testing.T, p *points, name string, hits int) []int {
	t.Helper()
	var at []int
	for i := 1; i <= hits; i++ {
		if err := p.hit(name); err != nil {
			at = append(at, i)
		}
	}
	return at
}

func TestAfter(t *testing.T) {
	p, err := load(env(map[string]string{"ROWFERRY_FAILPOINT": "x:error@2/y"}))
	if err != nil {
		t.Fatal(err)
	}
	if got := struck(t, p, "x", 5); len(got) != 0 {
		t.Errorf("x struck at %v before y was hit", got)
	}
	if got := struck(t, p, "y", 1); len(got) != 0 {
		t.Errorf("y struck at %v, want never", got)
	}
	if got := struck(t, p, "x", 5); len(got) != 1 || got[0] != 2 {
		t.Errorf("x struck at %v after y was hit, want [2]", got)
	}
}

func TestWhen(t *testing.T) {
	p, err := load(env(map[string]string{
		"ROWFERRY_FAILPOINT": "x:error@3,y:enospc@*,z:error@1,z:error@4",
		"ROWFERRY_SABOTAGE":  "keep,swap",
	}))
	if err != nil {
		t.Fatal(err)
	}
	if got := struck(t, p, "x", 5); len(got) != 1 || got[0] != 3 {
		t.Errorf("x struck at %v, want [3]", got)
	}
	if got := struck(t, p, "y", 3); len(got) != 3 {
		t.Errorf("y struck at %v, want each", got)
	}
	if got := struck(t, p, "z", 5); len(got) != 2 || got[0] != 1 || got[1] != 4 {
		t.Errorf("z struck at %v, want [1 4]", got)
	}
	if got := struck(t, p, "other", 5); got != nil {
		t.Errorf("other struck at %v", got)
	}
	if err := p.hit("y"); !errors.Is(err, syscall.ENOSPC) || !errors.Is(err, ErrInjected) {
		t.Errorf("enospc returns %v", err)
	}
	if !p.sabotage["swap"] || p.sabotage["x"] {
		t.Errorf("sabotage is %v", p.sabotage)
	}
}

func TestChanceIsSeeded(t *testing.T) {
	run := func(seed string) string {
		p, err := load(env(map[string]string{"ROWFERRY_FAILPOINT": "x:error@~0.3", "ROWFERRY_FAILPOINT_SEED": seed}))
		if err != nil {
			t.Fatal(err)
		}
		var b strings.Builder
		for _, i := range struck(t, p, "x", 1000) {
			b.WriteRune(rune(i))
		}
		return b.String()
	}
	first := run("1")
	if n := len([]rune(first)); n < 200 || n > 400 {
		t.Errorf("struck %d times of 1000 with probability 0.3", n)
	}
	if run("1") != first {
		t.Error("the same seed strikes elsewhere")
	}
	if run("2") == first {
		t.Error("another seed strikes at the same hits")
	}
}

func TestRefusesWhatItCannotParse(t *testing.T) {
	for _, text := range []string{"x", "x:error", "x:explode@1", "x:error@0", "x:error@-1", "x:error@~2", "x:error@~NaN", ":error@1", "x:error@1,"} {
		if _, err := load(env(map[string]string{"ROWFERRY_FAILPOINT": text})); err == nil {
			t.Errorf("%q is accepted", text)
		}
	}
	if _, err := load(env(map[string]string{"ROWFERRY_FAILPOINT_SEED": "x"})); err == nil {
		t.Error("a seed that is no number is accepted")
	}
}

func TestActionsInAProcess(t *testing.T) {
	tests := []struct {
		rule, stage, trace string
		ended              func(*os.ProcessState) bool
	}{
		{"b.second:kill@2", "b.second", "hit a.first\nhit b.second\nstruck b.second kill\n", killed},
		{"c.third:exit@1", "c.third", "hit a.first\nhit b.second\nhit c.third\nstruck c.third exit\n",
			func(s *os.ProcessState) bool { return s.ExitCode() == ExitCode }},
		{"b.second:kill@3", "c.third", "hit a.first\nhit b.second\nhit c.third\n",
			func(s *os.ProcessState) bool { return s.Success() }},
		{"b.second:delay@*", "c.third", "hit a.first\nhit b.second\nstruck b.second delay\nstruck b.second delay\nhit c.third\n",
			func(s *os.ProcessState) bool { return s.Success() }},
		{"a.first:nonsense@1", "", "", func(s *os.ProcessState) bool { return s.ExitCode() == 2 }},
	}
	for _, tc := range tests {
		t.Run(tc.rule, func(t *testing.T) {
			dir := t.TempDir()
			trace, stage := filepath.Join(dir, "trace"), filepath.Join(dir, "stage")
			cmd := exec.Command(os.Args[0])
			cmd.Env = append(os.Environ(), "FAILPOINT_VICTIM=1", "ROWFERRY_FAILPOINT="+tc.rule,
				"ROWFERRY_FAILPOINT_TRACE="+trace, "ROWFERRY_FAILPOINT_STAGE="+stage)
			_ = cmd.Run()
			if !tc.ended(cmd.ProcessState) {
				t.Fatalf("the process ended with %v", cmd.ProcessState)
			}
			if tc.stage == "" {
				return
			}
			if got, err := ReadStage(stage); err != nil || got != tc.stage {
				t.Errorf("stage is %q, %v; want %q", got, err, tc.stage)
			}
			if got, _ := os.ReadFile(trace); string(got) != tc.trace {
				t.Errorf("trace is %q, want %q", got, tc.trace)
			}
		})
	}
}

func killed(s *os.ProcessState) bool {
	ws := s.Sys().(syscall.WaitStatus)
	return ws.Signaled() && ws.Signal() == syscall.SIGKILL
}

func TestStopWaitsToBeContinued(t *testing.T) {
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), "FAILPOINT_VICTIM=1", "ROWFERRY_FAILPOINT=b.second:stop@1")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var ws syscall.WaitStatus
	if _, err := syscall.Wait4(cmd.Process.Pid, &ws, syscall.WUNTRACED, nil); err != nil || !ws.Stopped() {
		t.Fatalf("the process did not stop: %v %v", ws, err)
	}
	if err := cmd.Process.Signal(syscall.SIGCONT); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err != nil {
		t.Fatalf("the process did not go on: %v", err)
	}
}
