package checkpoint

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"time"
)

// Glance is what can be told of a state directory without opening it.
type Glance struct {
	Format   int
	ID       string
	Pipeline string
	Created  time.Time
	Holder   *Holder // nil when no process has it open; PID 0 when one has that left no name
}

// Peek looks at a directory that may be in use, and leaves it as it is. It
// returns nil where there is no state directory; CodeStateNewer or
// CodeStateOlder, together with what could be read, for another format; CodeStateCorrupt for a FORMAT file
// that cannot be read.
//
// It asks for the lock by taking it for an instant, shared. An engine that
// starts in that instant waits for it as it would for another engine.
func Peek(dir string) (*Glance, error) {
	f, err := readFormat(dir)
	if f == nil {
		return nil, err
	}
	g := &Glance{Format: f.Format, ID: f.ID, Pipeline: f.Pipeline, Created: f.Created}
	var lockErr error
	g.Holder, lockErr = findHolder(dir)
	return g, errors.Join(err, lockErr)
}

func findHolder(dir string) (*Holder, error) {
	file, err := os.Open(filepath.Join(dir, lockName))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, unwritable(dir, err)
	}
	defer func() { _ = file.Close() }() // only read from
	err = flock(file, syscall.LOCK_SH|syscall.LOCK_NB)
	if err == nil {
		return nil, nil
	}
	if !errors.Is(err, syscall.EWOULDBLOCK) {
		return nil, unwritable(dir, err)
	}
	h, err := readHolder(dir)
	if err != nil {
		return &Holder{}, nil // held, by someone who has not signed yet
	}
	return &h, nil
}
