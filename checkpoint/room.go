package checkpoint

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/rowferry/rowferry"
)

// Badger writes through memory maps of sparse files: where the disk is full,
// the kernel answers with SIGBUS, which ends the process, not with an error.
// So room is asked for before every Record, and must exceed what Badger can
// need until the next one: a memtable's log and table, and the output of a
// compaction. A neighbour that fills the disk in between can still end the
// process; what was recorded stays durable.
//
// A Record's notes, and the packs that they change, are written as they are and with
// what they were, to a log and to a table; and where there are many, a compaction
// rewrites a dozen tables, two at a time.
const (
	lowWater    = 16 << 20
	noteWater   = 48 << 20
	reserveSize = 4 << 20
	reserveName = "reserve"
)

// freeBytes returns what an ordinary user can still write at dir.
func freeBytes(dir string) (uint64, error) {
	var st syscall.Statfs_t
	if err := syscall.Statfs(dir, &st); err != nil {
		return 0, err
	}
	return st.Bavail * uint64(st.Bsize), nil
}

// room fails with CodeStateFull when too little is free for a Record with so many bytes
// of notes, as they are stored, and then gives the reserve up.
func (s *Store) room(notes int) error {
	need := uint64(lowWater)
	if s.noted {
		need += noteWater + 2*uint64(notes)
	}
	free, err := s.free(s.dir)
	if err != nil {
		return unwritable(s.dir, err)
	}
	if free >= need {
		return nil
	}
	if err := os.Remove(filepath.Join(s.dir, reserveName)); err != nil && !errors.Is(err, os.ErrNotExist) {
		return unwritable(s.dir, err)
	}
	return fullError(s.dir, nil).Fact("free", "%d MiB", free>>20).Fact("needed", "%d MiB", need>>20)
}

// makeReserve writes the reserve file where it is missing or short.
func makeReserve(dir string) error {
	path := filepath.Join(dir, reserveName)
	if fi, err := os.Stat(path); err == nil && fi.Size() == reserveSize {
		return nil
	}
	err := os.WriteFile(path, make([]byte, reserveSize), 0o600)
	if err == nil {
		return nil
	}
	_ = os.Remove(path) // a short one is of no use, and its room may be
	if isFull(err) {
		return fullError(dir, err)
	}
	return unwritable(dir, err)
}

// isFull reports whether err says that there is no room: on the disk, in the
// quota, or within the process's file size limit.
func isFull(err error) bool {
	for _, no := range []syscall.Errno{syscall.ENOSPC, syscall.EDQUOT, syscall.EFBIG} {
		// Badger prints some causes instead of wrapping them.
		if errors.Is(err, no) || (err != nil && strings.Contains(err.Error(), no.Error())) {
			return true
		}
	}
	return false
}

func fullError(dir string, err error) *rowferry.Error {
	e := rowferry.Errorf(rowferry.CodeStateFull, "the disk of the state directory is full")
	e.Err = err
	return e.Fact("directory", "%s", dir)
}

func unwritable(dir string, err error) *rowferry.Error {
	return rowferry.Errorf(rowferry.CodeStateUnwritable, "the state directory cannot be written: %w", err).Fact("directory", "%s", dir)
}

func corrupt(dir string, err error) *rowferry.Error {
	return rowferry.Errorf(rowferry.CodeStateCorrupt, "the state directory is damaged: %w", err).
		Fact("directory", "%s", dir).
		Remedy("set it aside", "mv '%s' '%s.damaged'", dir, dir)
}
