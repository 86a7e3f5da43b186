package checkpoint

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
)

// Fork opens a copy of a directory's database for writing, in a temporary directory
// that goes with Close. The directory stays exactly as it is, and what is written is
// nobody's: it is not made durable. Where there is no directory, the copy is a new one.
// What a copy of tables has staged is not copied. Errors are those of Open; no engine
// may use the directory meanwhile.
func Fork(ctx context.Context, o Options) (s *Store, err error) {
	copied, err := os.MkdirTemp("", "rowferry-fork-")
	if err != nil {
		return nil, unwritable(os.TempDir(), err)
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.RemoveAll(copied))
		}
	}()
	if err := forkInto(ctx, o, copied); err != nil {
		return nil, err
	}
	s, err = Open(ctx, Options{Dir: copied, Pipeline: o.Pipeline, LockWait: o.LockWait, unsynced: true})
	if err != nil {
		return nil, err
	}
	s.copied = copied
	return s, nil
}

func forkInto(ctx context.Context, o Options, to string) error {
	dir, err := filepath.Abs(o.Dir)
	if err != nil {
		return unwritable(o.Dir, err)
	}
	f, err := readFormat(dir)
	if f == nil || err != nil {
		return err
	}
	if err := checkMode(dir); err != nil {
		return err
	}
	held, err := acquire(ctx, dir, true, lockWait(o))
	if err != nil {
		return err
	}
	defer held.release()
	database := filepath.Join(to, badgerName)
	if err := os.Mkdir(database, 0o700); err != nil {
		return unwritable(to, err)
	}
	err = copyDatabase(filepath.Join(dir, badgerName), database)
	if err == nil {
		err = writeFormat(to, f)
	}
	switch {
	case err == nil:
		return nil
	case isFull(err):
		return fullError(to, err)
	case errors.Is(err, fs.ErrNotExist):
		return corrupt(dir, err)
	default:
		return unwritable(to, err)
	}
}
