//go:build failpoint

package checkpoint

import (
	"bytes"
	"fmt"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// TestKilledAtFailpoints: a process killed at each place of Record leaves the
// state before or after the record, never between.
func TestKilledAtFailpoints(t *testing.T) {
	tests := []struct {
		point string
		after bool // the record is there
	}{
		{"record.before", false},
		{"record.written", false},
		{"record.marked", true},
	}
	for _, tc := range tests {
		for _, split := range []string{"", "1"} {
			// The first record, a small one, a large one, one that supersedes.
			for _, hit := range []uint64{1, 2, 3, 22} {
				t.Run(fmt.Sprintf("%s@%d split %q", tc.point, hit, split), func(t *testing.T) {
					dir := stateDir(t)
					cmd := victim("record", dir, "ROWFERRY_TEST_SPLIT="+split, "ROWFERRY_TEST_UNTIL=30",
						fmt.Sprintf("ROWFERRY_FAILPOINT=%s:kill@%d", tc.point, hit))
					_ = cmd.Run()
					if !signalled(cmd.ProcessState, syscall.SIGKILL) {
						t.Fatalf("the process ended with %v", cmd.ProcessState)
					}
					want := hit - 1
					if tc.after {
						want = hit
					}
					if split == "1" && tc.point == "record.written" {
						wantLeftovers(t, dir, hit)
					}
					if got := wantCrashState(t, dir); got != want {
						t.Fatalf("sequence %d is there, want %d", got, want)
					}
					// The same sequence can be recorded again.
					cmd = victim("record", dir, "ROWFERRY_TEST_UNTIL=30")
					if out, err := cmd.CombinedOutput(); err != nil {
						t.Fatalf("%v: %s", err, out)
					}
					if got := wantCrashState(t, dir); got != 30 {
						t.Fatalf("sequence %d is there, want 30", got)
					}
				})
			}
		}
	}
}

// wantLeftovers checks that the interrupted record really wrote something, or
// the test would show nothing; and that a reader does not see it.
func wantLeftovers(t *testing.T, dir string, seq uint64) {
	t.Helper()
	raw := &Store{dir: snapshot(t, dir)}
	defer mustClose(t, raw)
	if err := raw.openDB(filepath.Join(raw.dir, badgerName), false); err != nil {
		t.Fatal(err)
	}
	if !raw.history.strays || string(crashNewestOf(t, raw)) != fmt.Sprint(seq) {
		t.Fatalf("nothing of sequence %d was written", seq)
	}
	before := listing(t, dir)
	ro := open(t, dir, func(o *Options) { o.ReadOnly, o.retain = true, 20 })
	defer mustClose(t, ro)
	wantNotes(t, ro, crashNotes(seq-1))
	if after := listing(t, dir); after != before {
		t.Fatalf("reading changed the directory from\n%s\nto\n%s", before, after)
	}
}

func crashNewestOf(t *testing.T, s *Store) []byte {
	t.Helper()
	v, err := s.Get([]byte("newest"))
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// TestKilledWithinNotes: a process killed before any step of a record's notes,
// and again while the steps are undone, leaves the notes of a whole record.
func TestKilledWithinNotes(t *testing.T) {
	for hit := uint64(1); hit <= 4; hit++ {
		t.Run(fmt.Sprint(hit), func(t *testing.T) {
			dir := stateDir(t)
			killAt(t, dir, fmt.Sprintf("record.step:kill@%d", 60+hit))
			struck := wantSnapshot(t, dir)
			// The next process undoes it, and dies of that, too.
			cmd := victim("record", dir, "ROWFERRY_TEST_SPLIT=1", fmt.Sprintf("ROWFERRY_FAILPOINT=undo.step:kill@%d", 1+hit%4), "ROWFERRY_TEST_UNTIL=1")
			out, err := cmd.CombinedOutput()
			if killed := signalled(cmd.ProcessState, syscall.SIGKILL); !killed && err != nil {
				t.Fatalf("%v: %s", err, out)
			}
			if got := wantCrashState(t, dir); got != struck {
				t.Fatalf("sequence %d is there, want %d", got, struck)
			}
			if out, err := victim("record", dir, "ROWFERRY_TEST_UNTIL=30").CombinedOutput(); err != nil {
				t.Fatalf("%v: %s", err, out)
			}
			if got := wantCrashState(t, dir); got != 30 {
				t.Fatalf("sequence %d is there, want 30", got)
			}
		})
	}
}

func killAt(t *testing.T, dir, point string) {
	t.Helper()
	cmd := victim("record", dir, "ROWFERRY_TEST_SPLIT=1", "ROWFERRY_FAILPOINT="+point)
	_ = cmd.Run()
	if !signalled(cmd.ProcessState, syscall.SIGKILL) {
		t.Fatalf("the process ended with %v", cmd.ProcessState)
	}
}

// wantSnapshot is wantCrashState on a copy: what the crash left stays.
func wantSnapshot(t *testing.T, dir string) uint64 {
	t.Helper()
	return wantCrashState(t, snapshot(t, dir))
}

// TestFailedRecord: an error in the middle poisons the store, and the next
// Open finds the state before.
func TestFailedRecord(t *testing.T) {
	for point, code := range map[string]string{"record.before:enospc@4": "RF-4012", "record.written:error@4": "RF-4001"} {
		t.Run(point, func(t *testing.T) {
			dir := stateDir(t)
			cmd := victim("record", dir, "ROWFERRY_TEST_SPLIT=1", "ROWFERRY_FAILPOINT="+point)
			out, _ := cmd.CombinedOutput()
			if cmd.ProcessState.ExitCode() != 3 || !bytes.Contains(out, []byte(code)) {
				t.Fatalf("%v: %s", cmd.ProcessState, out)
			}
			if got := wantCrashState(t, dir); got != 3 || !strings.HasPrefix(string(out), "1\n2\n3\n") {
				t.Fatalf("sequence %d is there after %s", got, out)
			}
		})
	}
}
