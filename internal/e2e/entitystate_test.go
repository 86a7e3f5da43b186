package e2e

import (
	"bytes"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/rowferry/rowferry"
)

// keepDir makes one directory what another is.
func keepDir(t *testing.T, from, to string) {
	t.Helper()
	if err := os.RemoveAll(to); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command("cp", "-a", from, to).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
}

// TestEntityState: whenever the state directory is lost, or put back as it was before,
// what only it had is missed by name, and nothing is written without it; or nothing
// was, and it is made anew. In the end no reference is wrong.
func TestEntityState(t *testing.T) {
	t.Run("lost before the first key", func(t *testing.T) {
		f := newStop(t, "")
		if err := os.RemoveAll(f.state); err != nil {
			t.Fatal(err)
		}
		f.s.exec(t, "INSERT INTO p VALUES (1, 'first')", "INSERT INTO c VALUES (1, 'a', 1)")
		f.follows()
		f.requireTarget([]string{"a", "first"})
	})
	t.Run("lost or of before while a row waits", func(t *testing.T) {
		f := newStop(t, "")
		f.s.exec(t, "INSERT INTO p VALUES (1, 'first')")
		f.follows()
		keepDir(t, f.state, f.state+".earlier")
		f.loose("INSERT INTO c VALUES (1, 'a', 2)")
		f.follows()
		keepDir(t, f.state, f.state+".now")
		f.s.exec(t, "INSERT INTO p VALUES (2, 'late')")
		if err := os.RemoveAll(f.state); err != nil {
			t.Fatal(err)
		}
		f.refused(rowferry.CodeStateNeeded, "1 rows whose key in the target is noted there, 1 rows that wait")
		keepDir(t, f.state+".earlier", f.state)
		f.refused(rowferry.CodeStateNeeded, "1 rows whose key in the target is noted there, 1 rows that wait")
		keepDir(t, f.state+".now", f.state)
		f.follows()
		f.requireTarget([]string{"a", "late"})
	})
	t.Run("of before a batch that was made again", testStateBetween)
	t.Run("lost while an engine runs", testStateLostBeneath)
}

// testStateBetween: a directory that was copied when an engine was killed in the middle
// of a batch has other keys of that batch than the engine that made it again.
func testStateBetween(t *testing.T) {
	f := newStop(t, "")
	f.s.exec(t, "INSERT INTO p VALUES (1, 'first')")
	f.follows()
	f.s.exec(t, "BEGIN", "INSERT INTO p VALUES (2, 'second')", "INSERT INTO c VALUES (1, 'a', 2)", "COMMIT")
	o := call{tag: "failpoint", env: []string{"ROWFERRY_FAILPOINT=recorded:kill@1"}, args: f.args()}.run(t)
	if o.code != -1 {
		t.Fatalf("exit %d\n%s", o.code, o.stderr)
	}
	keepDir(t, f.state, f.state+".between")
	f.follows()
	keepDir(t, f.state, f.state+".now")
	f.s.exec(t, "INSERT INTO c VALUES (2, 'b', 2)")
	keepDir(t, f.state+".between", f.state)
	f.refused(rowferry.CodeStateNeeded, "3 rows whose key in the target is noted there, 0 rows that wait")
	keepDir(t, f.state+".now", f.state)
	f.follows()
	f.requireTarget([]string{"a", "second"}, []string{"b", "second"})
}

// testStateLostBeneath: an engine whose directory is deleted while it runs ends with the
// next batch. What the directory had is missing then, and an older copy is not enough.
func testStateLostBeneath(t *testing.T) {
	f := newStop(t, "")
	f.s.exec(t, "INSERT INTO p VALUES (1, 'first')")
	f.follows()
	keepDir(t, f.state, f.state+".earlier")
	var output bytes.Buffer
	cmd := command(t, shipped(), "-c", f.config, "run")
	cmd.Stdout, cmd.Stderr = &output, &output
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill() }) // it may have ended
	f.s.exec(t, "INSERT INTO c VALUES (1, 'a', 1)")
	for begun := time.Now(); f.s.goal.intOf(t, "SELECT COUNT(*) FROM c WHERE uid = 'a'") == 0; time.Sleep(10 * time.Millisecond) {
		if time.Since(begun) > hung {
			t.Fatal("nothing came")
		}
	}
	if err := os.RemoveAll(f.state); err != nil {
		t.Fatal(err)
	}
	f.s.exec(t, "INSERT INTO c VALUES (2, 'b', 1)")
	if err := cmd.Wait(); err == nil || !strings.Contains(output.String(), string(rowferry.CodeStateUnwritable)) {
		t.Fatalf("%v\n%s", err, output.String())
	}
	f.refused(rowferry.CodeStateNeeded, "2 rows whose key in the target is noted there")
	keepDir(t, f.state+".earlier", f.state)
	f.refused(rowferry.CodeStateNeeded, "2 rows whose key in the target is noted there")
	f.requireTarget([]string{"a", "first"})
}
