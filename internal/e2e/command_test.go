package e2e

import (
	"context"
	"errors"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"
)

// quitNote is how Go begins what it prints when it is sent SIGQUIT.
const quitNote = "SIGQUIT: quit"

// patience is how long one run of the program may take.
func patience() time.Duration { return time.Duration(scaled(6, 360)) * time.Minute }

// command is a run of the program, built with a tag. One that takes longer than
// patience hangs: it has to print where (see [quitNote]), and fails its test. None
// outlives its test.
func command(t testing.TB, tag string, args ...string) *exec.Cmd {
	t.Helper()
	bin := program(t, tag)
	ctx, cancel := context.WithTimeout(context.Background(), patience())
	t.Cleanup(cancel)
	cmd := exec.CommandContext(ctx, bin, args...)
	cmd.Cancel = func() error {
		if !errors.Is(ctx.Err(), context.DeadlineExceeded) {
			return cmd.Process.Kill()
		}
		t.Errorf("not ended after %v: rowferry %s", patience(), strings.Join(args, " "))
		return errors.Join(cmd.Process.Signal(syscall.SIGCONT), cmd.Process.Signal(syscall.SIGQUIT)) // it may stand still
	}
	cmd.WaitDelay = 10 * time.Second
	return cmd
}
