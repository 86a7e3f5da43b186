package checkpoint

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"os"
	"path/filepath"

	"github.com/rowferry/rowferry"
	"github.com/rowferry/rowferry/schema"
)

// The sizes of a spool, in bytes.
const (
	segmentSize  = 64 << 20  // a segment grows beyond it only for a single larger record
	appendBuffer = 256 << 10 // what is gathered before it is written
	recordHeader = 8         // length of the payload and its CRC-32C, each uint32 little endian
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// spool is a rowferry.Spool in segment files. Tables are written as numbers:
// the content does not outlive the process, so the shapes stay in memory and
// Replay returns the pointers that were appended.
type spool struct {
	dir      string
	prefix   string // file name of segment n: prefix + n
	limit    int64  // bytes after which a segment is full
	file     *os.File
	segments []int64 // bytes in each segment, the last one being written
	buf      []byte
	count    int
	tables   []*schema.Table
	numbers  map[*schema.Table]uint64
	failed   error // the first write error; what is in the files is unknown after it
}

var _ rowferry.Spool = (*spool)(nil)

func newSpool(dir string, number uint64) *spool {
	return &spool{
		dir:     dir,
		prefix:  fmt.Sprintf("%06d.", number),
		limit:   segmentSize,
		numbers: map[*schema.Table]uint64{nil: 0},
	}
}

func (s *spool) path(segment int) string {
	return filepath.Join(s.dir, fmt.Sprintf("%s%04d", s.prefix, segment))
}

// Append adds changes at the end. It fails with CodeStateFull when the disk
// is full; after an error only Close may follow.
func (s *spool) Append(changes []rowferry.Change) error {
	if s.failed != nil {
		return s.failed
	}
	for i := range changes {
		if err := s.add(&changes[i]); err != nil {
			s.failed = err
			return err
		}
	}
	s.count += len(changes)
	return nil
}

func (s *spool) add(c *rowferry.Change) error {
	number, ok := s.numbers[c.Table]
	if !ok {
		s.tables = append(s.tables, c.Table)
		number = uint64(len(s.tables))
		s.numbers[c.Table] = number
	}
	start := len(s.buf)
	buf := append(s.buf, 0, 0, 0, 0, 0, 0, 0, 0)
	buf = appendChange(buf, c, number)
	payload := buf[start+recordHeader:]
	if uint64(len(payload)) > 1<<32-1 {
		return rowferry.Errorf(rowferry.CodeEventTooLarge, "a change of %d bytes is too large to be spilled", len(payload))
	}
	binary.LittleEndian.PutUint32(buf[start:], uint32(len(payload)))
	binary.LittleEndian.PutUint32(buf[start+4:], crc32.Checksum(payload, castagnoli))
	s.buf = buf
	if len(buf) >= appendBuffer {
		return s.flush()
	}
	return nil
}

// flush writes the buffer, whole records only, and begins a new segment when
// the current one would grow beyond its limit.
func (s *spool) flush() error {
	if len(s.buf) == 0 {
		return nil
	}
	last := len(s.segments) - 1
	if s.file == nil || s.segments[last]+int64(len(s.buf)) > s.limit {
		if err := s.nextSegment(); err != nil {
			return err
		}
		last++
	}
	n, err := s.file.Write(s.buf)
	s.segments[last] += int64(n)
	if err != nil {
		return spoolError(s.dir, "written", err)
	}
	if cap(s.buf) > 4*appendBuffer {
		s.buf = nil // one huge row must not pin its size
	}
	s.buf = s.buf[:0]
	return nil
}

func (s *spool) nextSegment() error {
	if s.file != nil {
		if err := s.file.Close(); err != nil {
			return spoolError(s.dir, "written", err)
		}
		s.file = nil
	}
	f, err := os.OpenFile(s.path(len(s.segments)), os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return spoolError(s.dir, "written", err)
	}
	s.file = f
	s.segments = append(s.segments, 0)
	return nil
}

// Len returns the number of changes appended.
func (s *spool) Len() int { return s.count }

// Close removes the files. The second call does nothing.
func (s *spool) Close() error {
	var errs []error
	if s.file != nil {
		// What a close of a file that is removed next may report cannot matter.
		_ = s.file.Close()
		s.file = nil
	}
	for i := range s.segments {
		if err := os.Remove(s.path(i)); err != nil && !errors.Is(err, os.ErrNotExist) {
			errs = append(errs, err)
		}
	}
	s.segments, s.buf, s.tables, s.numbers = nil, nil, nil, nil
	s.failed = errClosedSpool
	return errors.Join(errs...)
}

var errClosedSpool = rowferry.Errorf(rowferry.CodeInternal, "the overflow area is closed")

func spoolError(dir, what string, err error) error {
	if isFull(err) {
		return fullError(dir, err)
	}
	return rowferry.Errorf(rowferry.CodeStateUnwritable, "the overflow area cannot be %s: %w", what, err).Fact("directory", "%s", dir)
}
