package cli

import (
	"bufio"
	"io"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"github.com/rowferry/rowferry/internal/testdb"
)

// TestMain lets a test run this binary as the program itself.
func TestMain(m *testing.M) {
	if os.Getenv("ROWFERRY_TEST_AS_PROGRAM") != "" {
		os.Exit(Main())
	}
	testdb.Main(m)
}

// process is the program as a process, whose standard output nobody reads
// until the test does. The log's events do not fit into a pipe, so it cannot
// end before.
type process struct {
	*exec.Cmd
	out io.Reader
	err *bufio.Reader
}

func start(t *testing.T, args ...string) *process {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	p := &process{Cmd: exec.Command(exe, args...)}
	p.Env = append(os.Environ(), "ROWFERRY_TEST_AS_PROGRAM=1")
	if p.out, err = p.StdoutPipe(); err != nil {
		t.Fatal(err)
	}
	stderr, err := p.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	p.err = bufio.NewReader(stderr)
	if err := p.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = p.Process.Kill() }) // it has ended, unless the test failed
	return p
}

// waitFor reads standard error up to a line that contains text.
func (p *process) waitFor(t *testing.T, text string) {
	t.Helper()
	for {
		line, err := p.err.ReadString('\n')
		if strings.Contains(line, text) {
			return
		}
		if err != nil {
			t.Fatalf("%q was never printed: %v", text, err)
		}
	}
}

// waitForRows reads the first byte of the first event: the program is now
// writing what will not fit.
func (p *process) waitForRows(t *testing.T) {
	t.Helper()
	first := make([]byte, 1)
	if _, err := io.ReadFull(p.out, first); err != nil || first[0] != '{' {
		t.Fatal(string(first), err)
	}
}

func (p *process) signal(t *testing.T) {
	t.Helper()
	if err := p.Process.Signal(syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
}

func TestFirstSignalDrains(t *testing.T) {
	files := inDir(t)
	args := []string{"replay", "--files", files, "--target", "jsonl:-"}
	p := start(t, args...)
	p.waitForRows(t)
	p.signal(t)
	p.waitFor(t, "stopping after the batch in hand")
	out, err := io.ReadAll(p.out)
	if err != nil {
		t.Fatal(err)
	}
	out = append([]byte{'{'}, out...)
	p.waitFor(t, "RF-9001")
	rest, err := io.ReadAll(p.err)
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Wait(); p.ProcessState.ExitCode() != 130 {
		t.Errorf("%v\n%s", err, rest)
	}
	first := events(t, string(out))
	second := events(t, ok(t, args...))
	whole := events(t, ok(t, "tail", "--files", files))
	if first+second != whole || second == 0 {
		t.Errorf("%d events before the signal and %d after it, of %d", first, second, whole)
	}
}

func TestSecondSignalStops(t *testing.T) {
	files := inDir(t)
	p := start(t, "replay", "--files", files, "--target", "jsonl:-")
	p.waitForRows(t)
	p.signal(t)
	p.waitFor(t, "stopping after the batch in hand")
	p.signal(t)
	if _, err := io.ReadAll(p.err); err != nil { // it ends although nobody reads its output
		t.Fatal(err)
	}
	if err := p.Wait(); p.ProcessState.ExitCode() != 130 {
		t.Errorf("exit code %d: %v", p.ProcessState.ExitCode(), err)
	}
}
