package checkpoint

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/rowferry/rowferry"
)

// openCopy opens a private copy of the database. Badger's own read-only mode
// refuses what a crash left, and its ordinary one repairs in place; looking at
// a directory must do neither.
func (s *Store) openCopy(ctx context.Context, o Options) error {
	f, err := readFormat(s.dir)
	if err != nil {
		return err
	}
	if f == nil {
		return rowferry.Errorf(rowferry.CodeNoCheckpoint, "there is no state directory").Fact("directory", "%s", s.dir)
	}
	if err := checkMode(s.dir); err != nil {
		return err
	}
	s.format = *f
	if err := s.checkOwner(o.Pipeline); err != nil {
		return err
	}
	if s.lock, err = acquire(ctx, s.dir, true, lockWait(o)); err != nil {
		return err
	}
	if s.copied, err = os.MkdirTemp("", "rowferry-state-"); err != nil {
		return unwritable(os.TempDir(), err)
	}
	if err := copyDatabase(filepath.Join(s.dir, badgerName), s.copied); err != nil {
		switch {
		case isFull(err):
			return fullError(s.copied, err)
		case errors.Is(err, fs.ErrNotExist):
			return corrupt(s.dir, err)
		default:
			return unwritable(s.copied, err)
		}
	}
	s.unsynced = true
	if err := s.openDB(s.copied, false); err != nil {
		return err
	}
	return s.removeLeftovers()
}

// copyDatabase copies the manifest, tables and logs; the rest holds nothing.
func copyDatabase(from, to string) error {
	entries, err := os.ReadDir(from)
	if err != nil {
		return err
	}
	for _, e := range entries {
		switch name := e.Name(); {
		case name == "MANIFEST", strings.HasSuffix(name, ".sst"), strings.HasSuffix(name, ".mem"):
			if err := copyFile(filepath.Join(from, name), filepath.Join(to, name)); err != nil {
				return err
			}
		}
	}
	return nil
}

func copyFile(from, to string) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer func() { _ = in.Close() }() // only read from
	out, err := os.OpenFile(to, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	if err = errors.Join(err, out.Close()); err != nil {
		return fmt.Errorf("copying %s: %w", from, err)
	}
	return nil
}
