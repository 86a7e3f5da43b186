package checkpoint

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"strings"

	"github.com/rowferry/rowferry"
)

// The bounds of a slice that Replay passes on: whichever is reached first. A
// single larger change is passed on alone.
const (
	replayChanges = 1000
	replayBytes   = 1 << 20
	readBuffer    = 256 << 10
)

// Replay calls fn with all changes in order, in slices of at most 1,000
// changes and about 1 MiB. The slice is reused; the rows and values in it are
// not, and may be kept. It fails with CodeStateCorrupt where the files are not
// as they were written, and with fn's error as it is.
func (s *spool) Replay(fn func(changes []rowferry.Change) error) error {
	if s.failed != nil {
		return s.failed
	}
	if err := s.flush(); err != nil {
		s.failed = err
		return err
	}
	r := replay{spool: s, fn: fn, batch: make([]rowferry.Change, 0, replayChanges), buf: make([]byte, readBuffer)}
	for i, size := range s.segments {
		if err := r.segment(s.path(i), size); err != nil {
			return err
		}
	}
	if r.total != s.count {
		return s.corrupt(fmt.Errorf("%d changes where %d were written", r.total, s.count))
	}
	return r.deliver()
}

func (s *spool) corrupt(err error) error {
	return rowferry.Errorf(rowferry.CodeStateCorrupt, "the overflow area is not as it was written: %w", err).Fact("directory", "%s", s.dir)
}

// replay is one pass over a spool.
type replay struct {
	spool *spool
	fn    func([]rowferry.Change) error
	batch []rowferry.Change
	bytes int
	total int
	slab  []rowferry.Value
	buf   []byte // window on the segment
	have  []byte // the part of buf that is read and not yet consumed
}

func (r *replay) segment(path string, size int64) error {
	f, err := os.Open(path)
	if err != nil {
		return spoolError(r.spool.dir, "read", err)
	}
	defer func() { _ = f.Close() }() // only read from
	in := io.LimitReader(f, size)
	r.have = r.buf[:0]
	left := size // not yet consumed, in have or in the file
	for left > 0 {
		if left < recordHeader {
			return r.spool.corrupt(io.ErrUnexpectedEOF)
		}
		if err := r.want(in, recordHeader); err != nil {
			return r.readError(err)
		}
		length := int64(binary.LittleEndian.Uint32(r.have))
		sum := binary.LittleEndian.Uint32(r.have[4:])
		r.have = r.have[recordHeader:]
		left -= recordHeader
		if length > left {
			return r.spool.corrupt(fmt.Errorf("a record of %d bytes where %d are left", length, left))
		}
		payload, err := r.payload(in, int(length), sum)
		if err != nil {
			return r.readError(err)
		}
		left -= length
		if err := r.change(payload); err != nil {
			return err
		}
	}
	return nil
}

// want fills the window until at least n unconsumed bytes are in it; n is at
// most readBuffer.
func (r *replay) want(in io.Reader, n int) error {
	if len(r.have) >= n {
		return nil
	}
	kept := copy(r.buf, r.have)
	m, err := io.ReadAtLeast(in, r.buf[kept:], n-kept)
	r.have = r.buf[:kept+m]
	return err
}

var errChecksum = errors.New("a record's checksum does not match")

// payload returns the next n bytes as a string of their own.
func (r *replay) payload(in io.Reader, n int, sum uint32) (string, error) {
	if n <= readBuffer {
		if err := r.want(in, n); err != nil {
			return "", err
		}
		b := r.have[:n]
		r.have = r.have[n:]
		if crc32.Checksum(b, castagnoli) != sum {
			return "", errChecksum
		}
		return string(b), nil
	}
	var b strings.Builder
	b.Grow(n)
	var got uint32
	for b.Len() < n {
		if err := r.want(in, 1); err != nil {
			return "", err
		}
		part := r.have[:min(len(r.have), n-b.Len())]
		got = crc32.Update(got, castagnoli, part)
		b.Write(part)
		r.have = r.have[len(part):]
	}
	if got != sum {
		return "", errChecksum
	}
	return b.String(), nil
}

func (r *replay) readError(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, errChecksum) {
		return r.spool.corrupt(err)
	}
	return spoolError(r.spool.dir, "read", err)
}

// change decodes one record and passes the gathered ones on when they are
// enough.
func (r *replay) change(payload string) error {
	c, err := decodeChange(payload, r.spool.tables, &r.slab)
	if err != nil {
		return r.spool.corrupt(err)
	}
	size := c.Size()
	if r.bytes+size > replayBytes || len(r.batch) == replayChanges {
		if err := r.deliver(); err != nil {
			return err
		}
	}
	r.batch = append(r.batch, c)
	r.bytes += size
	r.total++
	return nil
}

func (r *replay) deliver() error {
	if len(r.batch) == 0 {
		return nil
	}
	err := r.fn(r.batch)
	clear(r.batch)
	r.batch, r.bytes = r.batch[:0], 0
	r.slab = nil // or the values to come would keep those that were passed on
	return err
}
