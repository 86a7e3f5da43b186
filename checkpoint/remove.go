package checkpoint

import (
	"context"
	"os"
	"path/filepath"

	"github.com/rowferry/rowferry"
)

// Seized is a state directory that nobody can open until it is removed or
// released. It need not be sound.
type Seized struct {
	dir  string
	lock *lock
}

// Seize takes a pipeline's state directory to remove it; nil where there is none.
// It fails with CodeStateLocked where an engine has it, CodeStateForeign where it
// is another pipeline's, and with CodeStateUnwritable where it holds something
// that is not Rowferry's.
func Seize(ctx context.Context, o Options) (*Seized, error) {
	dir, err := filepath.Abs(o.Dir)
	if err != nil {
		return nil, unwritable(o.Dir, err)
	}
	if f, err := readFormat(dir); f == nil {
		return nil, err
	}
	l, err := acquire(ctx, dir, false, lockWait(o))
	if err != nil {
		return nil, err
	}
	s := &Seized{dir, l}
	if err := s.check(o.Pipeline); err != nil {
		s.Release()
		return nil, err
	}
	return s, nil
}

func (s *Seized) check(pipeline string) error {
	f, err := readFormat(s.dir)
	if f == nil {
		return err
	}
	if f.Pipeline != pipeline {
		return rowferry.Errorf(rowferry.CodeStateForeign, "the state directory belongs to pipeline %q", f.Pipeline).Fact("directory", "%s", s.dir)
	}
	entries, err := os.ReadDir(s.dir)
	if err != nil {
		return unwritable(s.dir, err)
	}
	for _, e := range entries {
		if !ours(e.Name()) {
			return rowferry.Errorf(rowferry.CodeStateUnwritable, "the state directory holds something else, %q, and is not removed", e.Name()).
				Fact("directory", "%s", s.dir).Remedy("move it away", "and run the same command again")
		}
	}
	return nil
}

// socketName is where a running engine answers; one that was killed leaves it.
const socketName = "engine.sock"

// ours reports whether a name is one of those that a state directory has.
func ours(name string) bool {
	switch name {
	case lockName, reserveName, badgerName, spoolName, stageName, stageOld, formatName, formatName + ".new", closedName, closedName + ".new", socketName:
		return true
	default:
		return false
	}
}

// Remove deletes the directory and all that is in it. What makes it a state
// directory goes last, so that a removal that was cut off can be made again.
func (s *Seized) Remove() error {
	defer s.Release()
	for _, name := range []string{
		stageName, stageOld, badgerName, spoolName, reserveName, socketName, closedName + ".new", closedName, formatName + ".new", formatName, lockName,
	} {
		if err := os.RemoveAll(filepath.Join(s.dir, name)); err != nil {
			return unwritable(s.dir, err)
		}
	}
	if err := os.Remove(s.dir); err != nil {
		return unwritable(s.dir, err)
	}
	return nil
}

// Release gives the directory back as it is.
func (s *Seized) Release() { s.lock.release() }
