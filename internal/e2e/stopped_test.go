package e2e

import (
	"bytes"
	"os"
	"os/exec"
	"syscall"
	"testing"
)

// stopped is an engine that a failpoint has stopped with SIGSTOP.
type stopped struct {
	cmd    *exec.Cmd
	output *bytes.Buffer
}

// startStopped starts a replay and returns once it has stopped itself.
func startStopped(t *testing.T, p place, failpoint string) *stopped {
	t.Helper()
	s := &stopped{output: &bytes.Buffer{}}
	s.cmd = command(t, "failpoint", p.replay()...)
	s.cmd.Env = append(os.Environ(), "ROWFERRY_FAILPOINT="+failpoint)
	s.cmd.Stdout, s.cmd.Stderr = s.output, s.output
	if err := s.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.cmd.Process.Kill() }) // it may have ended
	var status syscall.WaitStatus
	for {
		_, err := syscall.Wait4(s.cmd.Process.Pid, &status, syscall.WUNTRACED, nil)
		if err == syscall.EINTR {
			continue
		}
		if err != nil || !status.Stopped() {
			t.Fatalf("the engine did not stop: %v, status %v\n%s", err, status, s.output)
		}
		return s
	}
}

// goOn lets the engine finish and requires that it succeeds.
func (s *stopped) goOn(t *testing.T) {
	t.Helper()
	if err := s.resume(t); err != nil {
		t.Fatalf("the engine that was stopped: %v\n%s", err, s.output)
	}
}

// resume lets the engine go on and returns how it ended.
func (s *stopped) resume(t *testing.T) error {
	t.Helper()
	if err := s.cmd.Process.Signal(syscall.SIGCONT); err != nil {
		t.Fatal(err)
	}
	return s.cmd.Wait()
}
