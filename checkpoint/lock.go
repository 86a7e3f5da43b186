package checkpoint

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"github.com/rowferry/rowferry"
)

// DefaultLockWait is how long Open waits for another engine to let go of the
// directory: long enough for one that is just ending.
const DefaultLockWait = 2 * time.Second

const (
	lockName  = "LOCK"
	lockRetry = 25 * time.Millisecond // flock has no timeout, so it is asked again
)

// Holder is the process that has the directory open.
type Holder struct {
	PID   int       `json:"pid"`
	Since time.Time `json:"since"` // when it took the lock
}

// lock is a held LOCK file. The kernel releases it with the process; the
// content is for people only.
type lock struct{ file *os.File }

// acquire takes the directory's lock: alone, or shared with other readers. It
// waits at most wait, then fails with CodeStateLocked and what the file says
// of the holder.
func acquire(ctx context.Context, dir string, shared bool, wait time.Duration) (*lock, error) {
	path := filepath.Join(dir, lockName)
	flags, how := os.O_RDWR|os.O_CREATE, syscall.LOCK_EX
	if shared {
		flags, how = os.O_RDONLY, syscall.LOCK_SH
	}
	f, err := os.OpenFile(path, flags, 0o600)
	if err != nil {
		return nil, unwritable(dir, err)
	}
	if err := waitLock(ctx, f, how, wait); err != nil {
		_ = f.Close() // only a lock that was not had
		if errors.Is(err, syscall.EWOULDBLOCK) {
			return nil, lockedError(dir)
		}
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		return nil, unwritable(dir, err)
	}
	l := &lock{file: f}
	if !shared {
		if err := l.sign(); err != nil {
			l.release()
			if isFull(err) {
				return nil, fullError(dir, err)
			}
			return nil, unwritable(dir, err)
		}
	}
	return l, nil
}

func waitLock(ctx context.Context, f *os.File, how int, wait time.Duration) error {
	deadline := time.NewTimer(wait)
	defer deadline.Stop()
	again := time.NewTicker(lockRetry)
	defer again.Stop()
	for {
		err := flock(f, how|syscall.LOCK_NB)
		if !errors.Is(err, syscall.EWOULDBLOCK) {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-deadline.C:
			return err
		case <-again.C:
		}
	}
}

func flock(f *os.File, how int) error {
	for {
		err := syscall.Flock(int(f.Fd()), how)
		if !errors.Is(err, syscall.EINTR) {
			return err
		}
	}
}

// sign writes who holds the lock.
func (l *lock) sign() error {
	b, err := json.Marshal(Holder{PID: os.Getpid(), Since: time.Now().UTC().Truncate(time.Second)})
	if err != nil {
		return err
	}
	if err := l.file.Truncate(0); err != nil {
		return err
	}
	_, err = l.file.WriteAt(append(b, '\n'), 0)
	return err
}

func (l *lock) release() { _ = l.file.Close() } // the lock goes with the descriptor whatever Close says

// lost fails where the directory is no longer the one that was locked: it was deleted,
// or another was put in its place.
func (l *lock) lost(dir string) error {
	held, err := l.file.Stat()
	if err != nil {
		return err
	}
	there, err := os.Stat(filepath.Join(dir, lockName))
	if err == nil && !os.SameFile(held, there) {
		err = errors.New("another directory was put in its place")
	}
	return err
}

func lockedError(dir string) *rowferry.Error {
	e := rowferry.Errorf(rowferry.CodeStateLocked, "another engine uses the state directory").Fact("directory", "%s", dir)
	h, err := readHolder(dir)
	if err != nil {
		return e.Fact("held by", "a process that left no name (%v)", err)
	}
	return e.Fact("held by", "process %d", h.PID).Fact("since", "%s", h.Since.Format(time.RFC3339))
}

// readHolder returns what the LOCK file says; it may be of a process that has
// ended.
func readHolder(dir string) (Holder, error) {
	var h Holder
	b, err := readSmall(filepath.Join(dir, lockName))
	if err != nil {
		return h, err
	}
	if err := json.Unmarshal(b, &h); err != nil || h.PID <= 0 {
		return Holder{}, fmt.Errorf("%s does not name a process", lockName)
	}
	return h, nil
}

// readSmall reads a file that is small in every sound directory.
func readSmall(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }() // only read from
	const most = 64 << 10
	b, err := io.ReadAll(io.LimitReader(f, most+1))
	if err != nil {
		return nil, err
	}
	if len(b) > most {
		return nil, fmt.Errorf("%s is larger than %d bytes", path, most)
	}
	return b, nil
}
