package checkpoint

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/rowferry/rowferry"
)

// TestMain turns the binary into another process when a test runs it again:
// ROWFERRY_TEST_ROLE says what it does, with ROWFERRY_TEST_DIR.
func TestMain(m *testing.M) {
	role, ok := roles[os.Getenv("ROWFERRY_TEST_ROLE")]
	if !ok {
		os.Exit(m.Run())
	}
	if err := role(os.Getenv("ROWFERRY_TEST_DIR")); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(3)
	}
	os.Exit(0)
}

var roles = map[string]func(dir string) error{
	"hold":    holdRole,
	"record":  recordRole,
	"full":    fullRole,
	"limited": limitedRole,
}

// holdRole holds the directory until its stdin ends.
func holdRole(dir string) error {
	s, err := Open(context.Background(), Options{Dir: dir, Pipeline: pipeline})
	if err != nil {
		return err
	}
	fmt.Println("open")
	_, _ = bufio.NewReader(os.Stdin).ReadByte()
	return s.Close()
}

// recordRole records until it is killed or a record fails, and says which
// sequence it has. Every third record is large.
func recordRole(dir string) error {
	s, err := Open(context.Background(), Options{Dir: dir, Pipeline: pipeline, retain: 20, split: os.Getenv("ROWFERRY_TEST_SPLIT") != ""})
	if err != nil {
		return err
	}
	r, err := s.Load(rowferry.MaxSequence)
	if err != nil {
		return err
	}
	var seq uint64
	if r != nil {
		seq = r.Checkpoint.Sequence
	}
	last, _ := strconv.ParseUint(os.Getenv("ROWFERRY_TEST_UNTIL"), 10, 64)
	for seq++; last == 0 || seq <= last; seq++ {
		if err := s.Record(crashRecord(seq)); err != nil {
			return errors.Join(err, s.Close())
		}
		fmt.Println(seq)
	}
	return s.Close()
}

// crashRecord is a record whose tables tell its sequence: "a" has as many
// columns, and from every third on "w" is new as well. So do its notes.
func crashRecord(seq uint64) rowferry.Record {
	r := recordOf(seq, tableOf("a", int(seq)))
	if seq%3 == 0 {
		w := wide("w")
		w.Columns = w.Columns[:1000+seq]
		r.Shapes = append(r.Shapes, w)
	}
	for k, v := range crashChange(seq) {
		n := rowferry.Note{Key: []byte(k)}
		if v != "" {
			n.Value = []byte(v)
		}
		r.Notes = append(r.Notes, n)
	}
	return r
}

// crashChange returns the notes that crashRecord sets, and removes where they are
// empty. Some stay for a while, one is large.
func crashChange(seq uint64) map[string]string {
	m := map[string]string{"large": strings.Repeat(fmt.Sprintf("%d,", seq), 8000), "newest": fmt.Sprint(seq)}
	for i := range uint64(9) {
		switch key := fmt.Sprint("key", i); (seq + i) % 4 {
		case 0:
			m[key] = fmt.Sprint(seq)
		case 1:
			m[key] = ""
		}
	}
	return m
}

// crashNotes returns the notes that there are as of a sequence.
func crashNotes(seq uint64) map[string]string {
	all := map[string]string{}
	for at := range seq {
		for k, v := range crashChange(at + 1) {
			if all[k] = v; v == "" {
				delete(all, k)
			}
		}
	}
	return all
}

// wantCrashState opens the directory and checks that it holds exactly what
// crashRecord wrote up to its newest sequence, which it returns.
func wantCrashState(t *testing.T, dir string) uint64 {
	t.Helper()
	s := open(t, dir, func(o *Options) { o.retain = 20 })
	defer mustClose(t, s)
	r := mustLoad(t, s, rowferry.MaxSequence)
	if r == nil {
		if n := countKeys(t, s); n > 1 { // a rules text may be there
			t.Fatalf("nothing is remembered, but there are %d keys", n)
		}
		wantNotes(t, s, nil)
		return 0
	}
	seq := r.Checkpoint.Sequence
	want := fmt.Sprintf("a/%d", seq)
	if seq >= 3 {
		want += fmt.Sprintf(" w/%d", 1000+seq-seq%3)
	}
	wantState(t, r, seq, want)
	if seq > 1 {
		prev := mustLoad(t, s, seq-1)
		if prev.Checkpoint.Sequence != seq-1 || len(prev.Shapes[0].Columns) != int(seq-1) {
			t.Fatalf("before %d is %d with %d columns", seq, prev.Checkpoint.Sequence, len(prev.Shapes[0].Columns))
		}
	}
	if s.history.shapes != seq+seq/3 {
		t.Fatalf("there are %d shapes up to sequence %d", s.history.shapes, seq)
	}
	wantNotes(t, s, crashNotes(seq))
	wantRewindable(t, s, seq)
	return seq
}

// wantRewindable goes back as far as records are kept, in a copy, and checks the
// notes there.
func wantRewindable(t *testing.T, s *Store, seq uint64) {
	t.Helper()
	mustClose(t, s)
	back := open(t, snapshot(t, s.dir), func(o *Options) { o.retain, o.unsynced = 20, true })
	defer mustClose(t, back)
	for seq--; seq > back.history.head.pruned; seq -= min(seq, 5) {
		if err := back.DiscardAfter(seq); err != nil {
			t.Fatal(err)
		}
		wantNotes(t, back, crashNotes(seq))
	}
}

// scaled returns how often to do what a soak does n times: a tenth of it
// otherwise.
func scaled(n int) int {
	if os.Getenv("SCALE") == "soak" {
		return n
	}
	return max(1, n/10)
}

func victim(role, dir string, env ...string) *exec.Cmd {
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), "ROWFERRY_TEST_ROLE="+role, "ROWFERRY_TEST_DIR="+dir)
	cmd.Env = append(cmd.Env, env...)
	return cmd
}

func signalled(s *os.ProcessState, sig syscall.Signal) bool {
	ws, ok := s.Sys().(syscall.WaitStatus)
	return ok && ws.Signaled() && ws.Signal() == sig
}

// snapshot copies a state directory that no process has open.
func snapshot(t testing.TB, dir string) string {
	t.Helper()
	to := filepath.Join(t.TempDir(), "state")
	err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		target := to + strings.TrimPrefix(path, dir)
		if e.IsDir() {
			return os.Mkdir(target, 0o700)
		}
		b, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		// Most of a file may be a hole; so it is in the copy.
		return errors.Join(os.WriteFile(target, bytes.TrimRight(b, "\x00"), 0o600), os.Truncate(target, int64(len(b))))
	})
	if err != nil {
		t.Fatal(err)
	}
	return to
}
