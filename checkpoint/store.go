package checkpoint

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/dgraph-io/badger/v4"

	"github.com/rowferry/rowferry"
)

// Options say which directory to open, and how.
type Options struct {
	Dir string
	// Pipeline owns the directory: it is written into a new one, and one of
	// another pipeline is refused with CodeStateForeign. Empty, with ReadOnly,
	// accepts any.
	Pipeline string
	// ReadOnly leaves the directory exactly as it is, even if it is damaged or
	// was left by a crash: a private copy of the database, in a temporary
	// directory, is opened in its place. Only Load, Get, Scan and Close may be
	// called then. Several readers may be there at once, but no engine beside them.
	ReadOnly bool
	// LockWait is how long to wait for another process to let go of the
	// directory. Zero means DefaultLockWait, less means not at all.
	LockWait time.Duration
	// Recent is how much memory notes take that were read or written lately, in
	// bytes. Zero means DefaultRecent; less than 256 KiB are as many.
	Recent int

	unsynced bool // tests only: leave durability to the page cache
	split    bool // tests only: commit every key on its own
	retain   int  // tests only: other than Retained
}

// Retained is how many checkpoints are kept.
const Retained = 1000

// Store is an open state directory. It is used by one goroutine, apart from
// Spool, Get and Scan, which are safe for concurrent use.
//
// Its memory does not depend on what it holds. Measured over 200,000 records at
// full speed: 11 MiB in use, and at most 29 MiB of anonymous resident memory
// beyond the program's own, garbage included, under a GOMEMLIMIT of 32 MiB (45
// MiB without one). Notes add the buffers of larger compactions: with 2,000,000 of
// them at random keys, written 20,000 at a time, 44 MiB under a limit of 32 MiB; and
// Options.Recent, once one was read or written.
// A spool adds below 4 MiB while it is written or replayed,
// plus its largest change.
type Store struct {
	dir      string // the state directory
	format   format
	readOnly bool
	split    bool
	retain   int
	lock     *lock
	db       *badger.DB
	entries  dirSyncer
	free     func(dir string) (uint64, error)
	spools   atomic.Uint64
	copied   string // the private copy of a read-only store

	viewing sync.Mutex // of view and recent
	view    *view      // nil once it is closed
	recent  recent     // as the view shows it

	history  history
	noted    bool     // there are notes
	rules    [32]byte // hash of a rules text that is known to be stored
	failed   error    // a write whose outcome is unknown: nothing may follow it
	closed   bool
	sound    bool // opened as a whole, for writing
	unsynced bool
}

var _ rowferry.State = (*Store)(nil)

// Open opens the directory and makes it where it is missing. It fails with
// CodeStateUnwritable, CodeStateOpen (wider than 0700), CodeStateLocked (after
// LockWait, naming the holder), CodeStateNewer, CodeStateOlder, CodeStateCorrupt,
// CodeStateFull, CodeStateForeign, or, read-only,
// CodeNoCheckpoint where there is no state directory.
func Open(ctx context.Context, o Options) (*Store, error) {
	dir, err := filepath.Abs(o.Dir)
	if err != nil {
		return nil, unwritable(o.Dir, err)
	}
	if o.Dir == "" || (o.Pipeline == "" && !o.ReadOnly) {
		return nil, rowferry.Errorf(rowferry.CodeInternal, "a state directory is opened without a path or a pipeline")
	}
	s := &Store{dir: dir, readOnly: o.ReadOnly, split: o.split, unsynced: o.unsynced, retain: Retained, free: freeBytes}
	s.recent.bytes = cmp.Or(o.Recent, DefaultRecent)
	if o.retain > 0 {
		s.retain = o.retain
	}
	if o.ReadOnly {
		err = s.openCopy(ctx, o)
	} else {
		err = s.openOwn(ctx, o)
	}
	if err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

func lockWait(o Options) time.Duration {
	if o.LockWait == 0 {
		return DefaultLockWait
	}
	return max(o.LockWait, 0)
}

func (s *Store) openOwn(ctx context.Context, o Options) error {
	if err := makeDir(s.dir); err != nil {
		return err
	}
	var err error
	if s.lock, err = acquire(ctx, s.dir, false, lockWait(o)); err != nil {
		return err
	}
	fresh, err := s.readFormat(o)
	if err != nil {
		return err
	}
	if err := wipeSpool(s.dir); err != nil {
		return unwritable(s.dir, err)
	}
	if err := makeReserve(s.dir); err != nil {
		return err
	}
	if err := s.room(0); err != nil {
		return err
	}
	if err := s.openDB(filepath.Join(s.dir, badgerName), fresh); err != nil {
		return err
	}
	if err := removeClosed(s.dir); err != nil {
		return unwritable(s.dir, err)
	}
	if err := s.removeLeftovers(); err != nil {
		return err
	}
	if s.noted, err = anyKey(s.db, notePrefix); err != nil {
		return corrupt(s.dir, err)
	}
	if err := s.warm(); err != nil {
		return corrupt(s.dir, err)
	}
	s.sound = true
	if !fresh {
		return nil
	}
	if s.history.any {
		return corrupt(s.dir, fmt.Errorf("it has versions but no %s file", formatName))
	}
	if err := writeFormat(s.dir, &s.format); err != nil {
		if isFull(err) {
			return fullError(s.dir, err)
		}
		return unwritable(s.dir, err)
	}
	return nil
}

// readFormat fills s.format and reports whether the directory is new.
func (s *Store) readFormat(o Options) (fresh bool, err error) {
	f, err := readFormat(s.dir)
	if err != nil {
		return false, err
	}
	if f != nil {
		s.format = *f
		return false, s.checkOwner(o.Pipeline)
	}
	name, err := foreign(s.dir)
	if err != nil {
		return false, unwritable(s.dir, err)
	}
	if name != "" {
		return false, corrupt(s.dir, fmt.Errorf("it has no %s file, but %q, which is not Rowferry's", formatName, name))
	}
	s.format = format{Format: stateFormat, ID: newID(), Pipeline: o.Pipeline, Created: time.Now().UTC().Truncate(time.Second)}
	return true, nil
}

func (s *Store) checkOwner(pipeline string) error {
	if pipeline == "" || pipeline == s.format.Pipeline {
		return nil
	}
	return rowferry.Errorf(rowferry.CodeStateForeign, "the state directory belongs to another pipeline").
		Fact("directory", "%s", s.dir).Fact("pipeline", "%s", s.format.Pipeline).Fact("wanted", "%s", pipeline)
}

// openDB opens Badger and reads the history. Only a fresh directory may have
// no database yet.
func (s *Store) openDB(path string, fresh bool) error {
	if !fresh {
		if _, err := os.Stat(filepath.Join(path, badger.ManifestFilename)); err != nil {
			return corrupt(s.dir, fmt.Errorf("the database is missing: %w", err))
		}
	}
	if err := os.Mkdir(path, 0o700); err != nil && !errors.Is(err, os.ErrExist) {
		return unwritable(s.dir, err)
	}
	closed, err := readClosed(s.dir)
	if err != nil {
		return corrupt(s.dir, err)
	}
	bytes, err := tablesIn(path)
	if err != nil {
		return unwritable(s.dir, err)
	}
	opt := badgerOptions(path).WithBaseTableSize(tableSize(bytes))
	opt.TableSizeMultiplier = 1
	if s.unsynced {
		opt = opt.WithSyncWrites(false)
	}
	db, err := openBadger(path, opt, closed != nil)
	switch {
	case err == nil:
	case isFull(err):
		return fullError(s.dir, err)
	case errors.Is(err, errDamaged):
		return corrupt(s.dir, err)
	default:
		return unwritable(s.dir, err)
	}
	s.db = db
	s.entries = dirSyncer{dir: path}
	if s.history, err = readHistory(db); err == nil {
		err = s.history.checkClosed(closed)
	}
	if err != nil {
		return corrupt(s.dir, err)
	}
	s.refresh(db, (*recent).forget)
	return nil
}

// ID returns the identity given to the directory when it was made.
func (s *Store) ID() string { return s.format.ID }

// Pipeline returns the pipeline that the directory belongs to.
func (s *Store) Pipeline() string { return s.format.Pipeline }

// Spool returns an empty overflow area. Its files are removed by its Close,
// and at the latest by the next Open.
func (s *Store) Spool() (rowferry.Spool, error) {
	if s.readOnly {
		return nil, errReadOnly()
	}
	return newSpool(filepath.Join(s.dir, spoolName), s.spools.Add(1)), nil
}

// Close makes everything recorded readable without a replay, and releases the
// directory. The second call does nothing.
func (s *Store) Close() error {
	if s.closed {
		return nil
	}
	s.closed = true
	var errs []error
	if s.db != nil && s.lock != nil && !s.readOnly {
		if err := s.lock.lost(s.dir); err != nil {
			// Badger would try for ever to write there.
			s.db, errs = nil, append(errs, unwritable(s.dir, err))
		}
	}
	if s.db != nil {
		s.refresh(nil, (*recent).forget)
		err := s.db.Close()
		if err == nil && s.sound && s.failed == nil && !s.history.strays {
			err = writeClosed(s.dir, s.history.mark())
		}
		if err != nil {
			errs = append(errs, s.writeError(err))
		}
	}
	if s.copied != "" {
		errs = append(errs, os.RemoveAll(s.copied))
	}
	if s.lock != nil {
		s.lock.release()
	}
	return errors.Join(errs...)
}

func (s *Store) writeError(err error) error {
	switch {
	case isFull(err):
		return fullError(s.dir, err)
	case errors.Is(err, errDamaged):
		return corrupt(s.dir, err)
	default:
		return unwritable(s.dir, err)
	}
}

func errReadOnly() error {
	return rowferry.Errorf(rowferry.CodeInternal, "the state directory is opened read-only")
}

// writable fails where nothing may be written.
func (s *Store) writable() error {
	switch {
	case s.closed:
		return rowferry.Errorf(rowferry.CodeInternal, "the state directory is closed")
	case s.readOnly:
		return errReadOnly()
	case s.failed != nil:
		return s.failed
	}
	if err := s.lock.lost(s.dir); err != nil {
		return unwritable(s.dir, err)
	}
	return nil
}
