package mysql

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"hash"
	"hash/crc32"
	"io"

	"github.com/go-mysql-org/go-mysql/replication"

	"github.com/rowferry/rowferry"
)

const (
	// maxEvent bounds one event: a row is at most what max_allowed_packet
	// allows, 1 GiB, and an update carries it twice at worst in part (M40).
	maxEvent = 1<<30 + 64<<20
	// readAhead is the buffer between file and events.
	readAhead = 256 << 10
	// keepBuffer is how large an event's buffer may be and be kept.
	keepBuffer = 8 << 20
	// readStep is how much is allocated at once for an event, so that a size
	// that lies costs no more than the bytes that are there.
	readStep = 1 << 20
)

// cut says that a file ends, or is only zeros, where an event should be.
type cut struct {
	at   place
	left uint64 // bytes from there to the end of the file
}

func (c *cut) Error() string { return "the file ends inside an event at " + c.at.String() }

// framer takes events out of one file. It counts offsets itself, checks sizes
// before it believes them, and checksums of what it reads.
type framer struct {
	r        *bufio.Reader
	src      io.Seeker
	at       place // of the next event
	size     uint64
	checksum bool // events end in a CRC32
	maxEvent uint64
	buf      []byte // of an event that is larger than what is read ahead
	event    event  // that was taken last
	crc      hash.Hash32
	broken   error // reading was cut short inside an event of a log that cannot be read again
}

func newFramer(f logBytes, at place, limit uint64) *framer {
	return &framer{r: bufio.NewReaderSize(f, int(min(readAhead, max(f.Size(), 1024)))), src: f, at: at, size: f.Size(), maxEvent: limit, crc: crc32.NewIEEE()}
}

func (f *framer) trailer() uint64 {
	if f.checksum {
		return checksumSize
	}
	return 0
}

// peek returns the next event's header, which stays unread. io.EOF is the
// file's end between two events; *cut its end anywhere else.
func (f *framer) peek() (header, error) {
	if f.broken != nil {
		return header{}, f.broken
	}
	left := f.size - f.at.off
	if left == 0 {
		return header{}, io.EOF
	}
	if left < headerSize {
		return header{}, &cut{f.at, left}
	}
	b, err := f.r.Peek(headerSize)
	if err != nil {
		if f.size == endless && (len(b) == 0 || !errors.Is(err, io.EOF)) {
			return header{}, err // io.EOF: only now is it known where the log ends
		}
		return header{}, f.readError(err)
	}
	h := parseHeader(b)
	if h == (header{}) {
		return header{}, f.zeros(left)
	}
	switch size := uint64(h.size); {
	case size < headerSize+f.trailer():
		return header{}, corruptAt(f.at, "an event of %d bytes", size)
	case size > left && h.pos != 0 && h.pos != uint32(f.at.off+size):
		// A cut event still says where it would have ended.
		return header{}, corruptAt(f.at, "an event of %d bytes, where the file has %d left", size, left)
	case size > left:
		return header{}, &cut{f.at, left}
	case size > f.maxEvent && h.typ != replication.TRANSACTION_PAYLOAD_EVENT:
		return header{}, rowferry.Errorf(rowferry.CodeEventTooLarge, "an event at %s claims %d bytes", f.at, size).
			Fact("event", "%s", typeName(h.typ)).Fact("at", "%s", f.at)
	}
	return h, nil
}

// zeros settles an empty header: the tail of a file that was allocated ahead,
// if only zeros follow.
func (f *framer) zeros(left uint64) error {
	for {
		b, err := f.r.Peek(1)
		if err == io.EOF {
			return &cut{f.at, left}
		}
		if err == nil {
			b, err = f.r.Peek(f.r.Buffered())
		}
		if err != nil {
			return f.readError(err)
		}
		if len(bytes.TrimLeft(b, "\x00")) > 0 {
			return corruptAt(f.at, "an event without a header")
		}
		if _, err := f.r.Discard(len(b)); err != nil {
			return f.readError(err)
		}
	}
}

// next reads the event whose header peek returned, and checks its checksum.
func (f *framer) next(h header) (*event, error) {
	buf, err := f.take(h.size)
	if err != nil {
		return nil, f.readError(err)
	}
	start := f.at
	f.at.off += uint64(h.size)
	if f.checksum {
		n := len(buf) - checksumSize
		if want, got := binary.LittleEndian.Uint32(buf[n:]), eventCRC(buf[:n]); want != got {
			return nil, corruptAt(start, "the checksum is %08x and should be %08x", got, want).Fact("event", "%s", typeName(h.typ))
		}
		buf = buf[:n:n]
	}
	f.event.unframe(h, buf, start, f.at)
	return &f.event, nil
}

// take reads n bytes, which are valid until the next call.
func (f *framer) take(n uint32) ([]byte, error) {
	if cap(f.buf) > keepBuffer {
		f.buf = nil
	}
	if uint64(n) <= uint64(f.r.Size()) {
		b, err := f.r.Peek(int(n))
		if err == nil {
			_, err = f.r.Discard(len(b))
		}
		return b, err
	}
	buf, err := readSteps(f.r, f.buf[:0], uint64(n))
	f.buf = buf
	return buf, err
}

// unframed makes an event of header and body without their checksum.
func unframed(h header, raw []byte, start, end place) *event {
	e := &event{}
	e.unframe(h, raw, start, end)
	return e
}

func (e *event) unframe(h header, raw []byte, start, end place) {
	h.size = uint32(len(raw))
	binary.LittleEndian.PutUint32(raw[9:], h.size)
	*e = event{header: h, raw: raw[:len(raw):len(raw)], start: start, end: end}
}

// eventCRC is the checksum of an event. The flag that says that the file is
// still being written is set and cleared in place, and is not part of it.
func eventCRC(b []byte) uint32 {
	if replication.EventType(b[4]) != replication.FORMAT_DESCRIPTION_EVENT {
		return crc32.ChecksumIEEE(b)
	}
	c := bytes.Clone(b)
	c[17] &^= byte(replication.LOG_EVENT_BINLOG_IN_USE_F)
	return crc32.ChecksumIEEE(c)
}

// skip passes over the event whose header peek returned.
func (f *framer) skip(h header) error {
	n := uint64(h.size)
	f.at.off += n
	if n <= uint64(f.r.Buffered())+readAhead {
		if _, err := f.r.Discard(int(n)); err != nil {
			return f.readError(err)
		}
		return nil
	}
	return f.seek(f.at.off)
}

// seek moves to an offset at which an event starts.
func (f *framer) seek(off uint64) error {
	if _, err := f.src.Seek(int64(off), io.SeekStart); err != nil {
		return f.readError(err)
	}
	f.r.Reset(f.src.(io.Reader))
	f.at.off = off
	return nil
}

// readError turns an error of the file into ours. The size was checked, so an
// early end means that the file shrank.
func (f *framer) readError(err error) error {
	if f.size == endless {
		f.broken = err
		if rowferry.CodeOf(err) == "" {
			f.broken = rowferry.Errorf(rowferry.CodeSourceAway, "reading was given up inside an event: %v", err)
		}
		return err
	}
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		err = errors.New("the file became shorter while it was read")
	}
	return unreadable(f.at.name, err)
}

// readSteps appends n bytes of r to buf, allocating as they arrive.
func readSteps(r io.Reader, buf []byte, n uint64) ([]byte, error) {
	for n > 0 {
		step := min(n, max(readStep, uint64(len(buf))))
		have := len(buf)
		if free := uint64(cap(buf) - have); free < step {
			grown := make([]byte, have, uint64(have)+step)
			copy(grown, buf)
			buf = grown
		}
		buf = buf[:have+int(step)]
		if _, err := io.ReadFull(r, buf[have:]); err != nil {
			return buf[:have], err
		}
		n -= step
	}
	return buf, nil
}
