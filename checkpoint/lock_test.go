package checkpoint

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rowferry/rowferry"
)

func TestSecondEngine(t *testing.T) {
	dir := stateDir(t)
	if g, err := Peek(dir); g != nil || err != nil {
		t.Fatalf("Peek at nothing returns %+v, %v", g, err)
	}
	cmd := victim("hold", dir)
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if !bufio.NewScanner(out).Scan() {
		t.Fatal("the other process did not open the directory")
	}
	for _, readOnly := range []bool{false, true} {
		_, err = Open(context.Background(), Options{Dir: dir, Pipeline: pipeline, ReadOnly: readOnly, LockWait: 60 * time.Millisecond})
		wantCode(t, err, rowferry.CodeStateLocked)
		for _, fact := range []string{fmt.Sprintf("process %d", cmd.Process.Pid), "since: 20", dir} {
			if !strings.Contains(err.Error(), fact) {
				t.Errorf("%v does not tell %q", err, fact)
			}
		}
	}
	g, err := Peek(dir)
	if err != nil || g.Pipeline != pipeline || g.Format != stateFormat || len(g.ID) != 32 || g.Created.IsZero() || g.Holder == nil || g.Holder.PID != cmd.Process.Pid {
		t.Fatalf("Peek returns %+v, %v", g, err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err = Open(ctx, Options{Dir: dir, Pipeline: pipeline, LockWait: time.Hour}); !errors.Is(err, context.Canceled) {
		t.Fatalf("a cancelled wait returns %v", err)
	}
	// One that waits gets the directory when the holder lets go.
	got := make(chan error)
	go func() {
		s, err := Open(context.Background(), Options{Dir: dir, Pipeline: pipeline, LockWait: time.Minute})
		if err == nil {
			err = s.Close()
		}
		got <- err
	}()
	in.Close()
	if err := errors.Join(cmd.Wait(), <-got); err != nil {
		t.Fatal(err)
	}
	if g, err := Peek(dir); err != nil || g.Holder != nil {
		t.Fatalf("after the end Peek returns %+v, %v", g, err)
	}
}

func TestPipelineAndFormat(t *testing.T) {
	dir := stateDir(t)
	mustClose(t, open(t, dir))
	try := func(o Options) error {
		o.Dir = dir
		s, err := Open(context.Background(), o)
		if err == nil {
			s.Close()
		}
		return err
	}
	wantCode(t, try(Options{Pipeline: "other"}), rowferry.CodeStateForeign)
	wantCode(t, try(Options{Pipeline: "other", ReadOnly: true}), rowferry.CodeStateForeign)
	wantCode(t, try(Options{}), rowferry.CodeInternal)

	path := filepath.Join(dir, formatName)
	sound, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for text, code := range map[string]rowferry.Code{
		`{"format":3,"shape":"unheard of"}`:                rowferry.CodeStateNewer,
		`{"format":1,"shape":"of long ago"}`:               rowferry.CodeStateOlder,
		`{"format":2}`:                                     rowferry.CodeStateCorrupt,
		`{"format":0,"id":"x","pipeline":"shop"}`:          rowferry.CodeStateCorrupt,
		`{"format":2,"id":"x","pipeline":"shop","more":1}`: rowferry.CodeStateCorrupt,
		``:                       rowferry.CodeStateCorrupt,
		string(sound[:20]):       rowferry.CodeStateCorrupt,
		strings.Repeat("x", 1e5): rowferry.CodeStateCorrupt,
	} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		wantCode(t, try(Options{Pipeline: pipeline}), code)
		wantCode(t, try(Options{Pipeline: pipeline, ReadOnly: true}), code)
		g, err := Peek(dir)
		wantCode(t, err, code)
		if code == rowferry.CodeStateNewer && (g == nil || g.Format != 3) {
			t.Fatalf("Peek at a newer format tells %+v", g)
		}
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	wantCode(t, try(Options{ReadOnly: true}), rowferry.CodeNoCheckpoint)
	if err := os.WriteFile(filepath.Join(dir, "thesis.doc"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	wantCode(t, try(Options{Pipeline: pipeline}), rowferry.CodeStateCorrupt)
}

// TestVersionsWithoutFormat: what holds versions is never taken for new.
func TestVersionsWithoutFormat(t *testing.T) {
	dir := stateDir(t)
	s := open(t, dir)
	mustRecord(t, s, recordOf(1))
	mustClose(t, s)
	format := filepath.Join(dir, formatName)
	text, err := os.ReadFile(format)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(format); err != nil {
		t.Fatal(err)
	}
	_, err = Open(context.Background(), Options{Dir: dir, Pipeline: pipeline})
	wantCode(t, err, rowferry.CodeStateCorrupt)
	// Nor a directory whose database is gone.
	if err := errors.Join(os.WriteFile(format, text, 0o600), os.RemoveAll(filepath.Join(dir, badgerName))); err != nil {
		t.Fatal(err)
	}
	_, err = Open(context.Background(), Options{Dir: dir, Pipeline: pipeline})
	wantCode(t, err, rowferry.CodeStateCorrupt)
}

func TestModes(t *testing.T) {
	dir := stateDir(t)
	mustClose(t, open(t, dir))
	for _, mode := range []os.FileMode{0o750, 0o701, 0o777, 0o740} {
		if err := os.Chmod(dir, mode); err != nil {
			t.Fatal(err)
		}
		for _, readOnly := range []bool{false, true} {
			_, err := Open(context.Background(), Options{Dir: dir, Pipeline: pipeline, ReadOnly: readOnly})
			wantCode(t, err, rowferry.CodeStateOpen)
		}
	}
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, dir := range []string{file, filepath.Join(file, "state"), "/proc/state"} {
		_, err := Open(context.Background(), Options{Dir: dir, Pipeline: pipeline})
		wantCode(t, err, rowferry.CodeStateUnwritable)
	}
}

// TestUnwritable opens directories that the process may not write. The test
// may run as root, whom modes do not stop, so it opens them from a thread with
// the file system rights of another user; the thread ends with the goroutine.
func TestUnwritable(t *testing.T) {
	base := t.TempDir()
	fresh, old := filepath.Join(base, "none", "state"), filepath.Join(base, "old")
	mustClose(t, open(t, old))
	if err := os.Mkdir(filepath.Dir(fresh), 0o500); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(os.Chmod(old, 0o500), os.Chmod(filepath.Join(old, lockName), 0o400)); err != nil {
		t.Fatal(err)
	}
	errs := make(chan error, 2)
	go func() {
		runtime.LockOSThread() // never unlocked: the thread is thrown away
		if os.Geteuid() == 0 {
			syscall.RawSyscall(syscall.SYS_SETFSUID, 65534, 0, 0)
		}
		for _, dir := range []string{fresh, old} {
			_, err := Open(context.Background(), Options{Dir: dir, Pipeline: pipeline})
			errs <- err
		}
	}()
	wantCode(t, <-errs, rowferry.CodeStateUnwritable)
	wantCode(t, <-errs, rowferry.CodeStateUnwritable)
}

func TestLockFileOfNobody(t *testing.T) {
	dir := stateDir(t)
	s := open(t, dir)
	if err := os.WriteFile(filepath.Join(dir, lockName), []byte(`{"pid":`), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := Open(context.Background(), Options{Dir: dir, Pipeline: pipeline, LockWait: -1})
	wantCode(t, err, rowferry.CodeStateLocked)
	if g, err := Peek(dir); err != nil || g.Holder == nil || g.Holder.PID != 0 {
		t.Fatalf("Peek returns %+v, %v", g, err)
	}
	mustClose(t, s)
	open(t, dir)
	var h Holder
	b, err := os.ReadFile(filepath.Join(dir, lockName))
	if err != nil || json.Unmarshal(b, &h) != nil || h.PID != os.Getpid() {
		t.Fatalf("the lock names %s", b)
	}
}
