package checkpoint

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/rowferry/rowferry"
	"github.com/rowferry/rowferry/schema"
)

// TestNoRoom: a Record without room says so, writes nothing, gives the reserve
// up, and can be tried again.
func TestNoRoom(t *testing.T) {
	dir := stateDir(t)
	s := open(t, dir)
	mustRecord(t, s, recordOf(1))
	s.free = func(string) (uint64, error) { return lowWater - 1, nil }
	err := s.Record(recordOf(2))
	wantCode(t, err, rowferry.CodeStateFull)
	if !strings.Contains(err.Error(), dir) {
		t.Errorf("%v does not name the directory", err)
	}
	if _, err := os.Stat(filepath.Join(dir, reserveName)); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the reserve was kept: %v", err)
	}
	wantState(t, mustLoad(t, s, rowferry.MaxSequence), 1, "")
	s.free = freeBytes
	mustRecord(t, s, recordOf(2))
	mustClose(t, s)
	s = open(t, dir)
	wantState(t, mustLoad(t, s, rowferry.MaxSequence), 2, "")
	if fi, err := os.Stat(filepath.Join(dir, reserveName)); err != nil || fi.Size() != reserveSize {
		t.Errorf("the reserve was not made again: %v", err)
	}
}

// TestFullDisk runs on a real small file system where the system lets an
// ordinary process mount one, in name spaces of its own; elsewhere the limit
// on file sizes stands in for it, in the same process structure.
func TestFullDisk(t *testing.T) {
	cmd := victim("full", t.TempDir())
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags:  syscall.CLONE_NEWUSER | syscall.CLONE_NEWNS,
		UidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Geteuid(), Size: 1}},
		GidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getegid(), Size: 1}},
	}
	out, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	if (err != nil && !errors.As(err, &exit)) || strings.Contains(string(out), cannotMount) {
		t.Logf("no file system of its own: %v %s", err, out)
		return // TestFileSizeLimit shows the rest
	}
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
}

const cannotMount = "cannot mount"

// fullRole fills a file system of 64 MiB: with a spool, then with a file of
// someone else's while it records.
func fullRole(dir string) error {
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=64m"); err != nil {
		return fmt.Errorf("%s: %w", cannotMount, err)
	}
	dir = filepath.Join(dir, "state")
	s, err := Open(context.Background(), Options{Dir: dir, Pipeline: pipeline})
	if err != nil {
		return err
	}
	if err := s.Record(recordOf(1)); err != nil {
		return err
	}
	if err := fillSpool(s); err != nil {
		return err
	}
	if err := s.Record(recordOf(2)); err != nil {
		return fmt.Errorf("after the spool is gone: %w", err)
	}
	// Someone else takes the room, to the last byte.
	junk := filepath.Join(filepath.Dir(dir), "junk")
	f, err := os.Create(junk)
	if err != nil {
		return err
	}
	for err == nil {
		_, err = f.Write(make([]byte, 1<<20))
	}
	if !errors.Is(err, syscall.ENOSPC) {
		return err
	}
	f.Close()
	if err := s.Record(recordOf(3)); rowferry.CodeOf(err) != rowferry.CodeStateFull {
		return fmt.Errorf("recording on a full disk: %w", err)
	}
	if err := s.Close(); err != nil {
		return fmt.Errorf("closing on a full disk: %w", err)
	}
	if _, err := Open(context.Background(), Options{Dir: dir, Pipeline: pipeline}); rowferry.CodeOf(err) != rowferry.CodeStateFull {
		return fmt.Errorf("opening on a full disk: %w", err)
	}
	if err := os.Remove(junk); err != nil {
		return err
	}
	return wantRemembered(dir, 2)
}

func wantRemembered(dir string, seq uint64) error {
	s, err := Open(context.Background(), Options{Dir: dir, Pipeline: pipeline})
	if err != nil {
		return err
	}
	r, err := s.Load(rowferry.MaxSequence)
	if err == nil && r.Checkpoint.Sequence != seq {
		err = fmt.Errorf("sequence %d is there, want %d", r.Checkpoint.Sequence, seq)
	}
	return errors.Join(err, s.Close())
}

// fillSpool appends until that fails, which must be for lack of room.
func fillSpool(s *Store) error {
	sp, err := s.Spool()
	if err != nil {
		return err
	}
	changes := randomChanges(rand.New(rand.NewPCG(1, 1)), []*schema.Table{nil}, 1000)
	for range 1000 {
		if err = sp.Append(changes); err != nil {
			break
		}
	}
	if rowferry.CodeOf(err) != rowferry.CodeStateFull || !strings.Contains(err.Error(), s.dir) {
		return fmt.Errorf("spooling until the disk is full: %w", err)
	}
	if again := sp.Append(changes); rowferry.CodeOf(again) != rowferry.CodeStateFull {
		return fmt.Errorf("appending after a failure: %w", again)
	}
	return sp.Close()
}

func TestFileSizeLimit(t *testing.T) {
	if out, err := victim("limited", stateDir(t)).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
}

// limitedRole meets the limit on file sizes in the spool, then in Badger.
func limitedRole(dir string) error {
	s, err := Open(context.Background(), Options{Dir: dir, Pipeline: pipeline})
	if err != nil {
		return err
	}
	if err := s.Record(recordOf(1)); err != nil {
		return err
	}
	var was syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_FSIZE, &was); err != nil {
		return err
	}
	limit := func(n uint64) error {
		return syscall.Setrlimit(syscall.RLIMIT_FSIZE, &syscall.Rlimit{Cur: n, Max: was.Max})
	}
	if err := limit(8 << 20); err != nil {
		return err
	}
	if err := fillSpool(s); err != nil {
		return err
	}
	if err := s.Close(); err != nil {
		return err
	}
	if err := limit(64 << 10); err != nil { // less than a memtable's log
		return err
	}
	if _, err := Open(context.Background(), Options{Dir: dir, Pipeline: pipeline}); rowferry.CodeOf(err) != rowferry.CodeStateFull {
		return fmt.Errorf("opening with a limit: %w", err)
	}
	if err := limit(was.Cur); err != nil {
		return err
	}
	return wantRemembered(dir, 1)
}
