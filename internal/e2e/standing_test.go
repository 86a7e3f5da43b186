package e2e

import (
	"fmt"
	"os"
	"strings"
	"syscall"
	"testing"

	"github.com/rowferry/rowferry"
)

// standing starts an engine that stands still at a failpoint.
func standing(t *testing.T, at string, args []string) *engine {
	t.Helper()
	e := startEngine(t, "failpoint", args, "ROWFERRY_FAILPOINT="+at)
	(&rig{t: t}).stands(e)
	return e
}

// resume has such an engine go on, and tells how it ended.
func (e *engine) resume(t *testing.T) outcome {
	t.Helper()
	if err := e.cmd.Process.Signal(syscall.SIGCONT); err != nil {
		t.Fatal(err)
	}
	(&rig{t: t}).ends(e)
	return outcome{code: e.cmd.ProcessState.ExitCode(), stderr: e.output.String()}
}

// goesOn has such an engine go on, and end by a refusal.
func (e *engine) goesOn(t *testing.T, code rowferry.Code) {
	t.Helper()
	requireRefusal(t, e.resume(t), code)
}

// stands waits until an engine stands still.
func (r *rig) stands(e *engine) {
	r.t.Helper()
	path := fmt.Sprintf("/proc/%d/stat", e.cmd.Process.Pid)
	r.until("the engine stands still", func() bool {
		text, err := os.ReadFile(path)
		if err != nil {
			r.t.Fatal(err)
		}
		_, state, _ := strings.Cut(string(text), ") ") // see proc_pid_stat(5)
		return strings.HasPrefix(state, "T")
	})
}
