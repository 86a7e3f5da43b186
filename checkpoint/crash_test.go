package checkpoint

import (
	"bufio"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"
)

// TestKilledAtRandom kills a recording process again and again, right after
// some acknowledged record: what was acknowledged is there, and at most the
// one in flight beyond it.
func TestKilledAtRandom(t *testing.T) {
	for name, env := range map[string]string{"whole": "ROWFERRY_TEST_SPLIT=", "split": "ROWFERRY_TEST_SPLIT=1"} {
		t.Run(name, func(t *testing.T) {
			dir := stateDir(t)
			r := rand.New(rand.NewPCG(1, 1))
			for range 6 {
				cmd := victim("record", dir, env)
				out, err := cmd.StdoutPipe()
				if err != nil {
					t.Fatal(err)
				}
				cmd.Stderr = os.Stderr
				if err := cmd.Start(); err != nil {
					t.Fatal(err)
				}
				lines := bufio.NewScanner(out)
				var acked uint64
				for n := 1 + r.IntN(7); n > 0 && lines.Scan(); n-- {
					acked = number(t, lines.Text())
				}
				if err := cmd.Process.Kill(); err != nil {
					t.Fatal(err)
				}
				for lines.Scan() { // said before it died
					acked = number(t, lines.Text())
				}
				_ = cmd.Wait()
				if !signalled(cmd.ProcessState, syscall.SIGKILL) {
					t.Fatalf("the process ended with %v", cmd.ProcessState)
				}
				if got := wantCrashState(t, dir); acked == 0 || got < acked || got > acked+1 {
					t.Fatalf("sequence %d was acknowledged and %d is there", acked, got)
				}
			}
		})
	}
}

func number(t *testing.T, s string) uint64 {
	t.Helper()
	n, err := strconv.ParseUint(s, 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// TestInterruptedCreation: whatever part of a directory was made, the next
// Open makes the rest.
func TestInterruptedCreation(t *testing.T) {
	whole := stateDir(t)
	mustClose(t, open(t, whole))
	for _, keep := range []string{"", "LOCK", "reserve", "spool", "badger", "FORMAT.new", "badger/MANIFEST"} {
		t.Run(keep, func(t *testing.T) {
			dir := snapshot(t, whole)
			entries, err := os.ReadDir(dir)
			if err != nil {
				t.Fatal(err)
			}
			for _, e := range entries {
				if e.Name() != filepath.Dir(keep) && e.Name() != keep {
					if err := os.RemoveAll(filepath.Join(dir, e.Name())); err != nil {
						t.Fatal(err)
					}
				}
			}
			if keep == "FORMAT.new" {
				if err := os.WriteFile(filepath.Join(dir, keep), []byte("{"), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			s := open(t, dir)
			mustRecord(t, s, recordOf(1))
			mustClose(t, s)
			wantState(t, mustLoad(t, open(t, dir), 1), 1, "")
		})
	}
}
