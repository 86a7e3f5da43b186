package mysql

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash"
	"io"

	"github.com/klauspost/compress/zstd"
)

// Fields of a TRANSACTION_PAYLOAD_EVENT: type, length and value, the first
// and the last being length-encoded integers in a field of that length; see
// https://dev.mysql.com/doc/dev/mysql-server/latest/classmysql_1_1binlog_1_1event_1_1Transaction__payload__event.html
const (
	payloadEnd              = 0
	payloadSize             = 1
	payloadCompression      = 2
	payloadUncompressedSize = 3

	payloadZstd = 0
	payloadNone = 255
)

// maxWindow is the largest history that zstd needs at the highest level that
// MySQL offers, 22.
const maxWindow = 128 << 20

// payload is a compressed transaction on its way out of the file. It is never
// held whole: compressed bytes are read as inner events are asked for (M3).
type payload struct {
	outer    header
	start    place
	end      place
	in       *payloadReader
	out      io.Reader
	size     uint64 // inflated, as declared
	read     uint64 // inflated so far
	maxEvent uint64
	buf      []byte
	event    event // that was taken last
}

// payloadReader reads the event's bytes from the file and sums them up.
type payloadReader struct {
	r    io.Reader
	left uint64
	crc  hash.Hash32
	err  error // of the file
}

func (p *payloadReader) Read(b []byte) (int, error) {
	if p.left == 0 {
		return 0, io.EOF
	}
	n, err := p.r.Read(b[:min(uint64(len(b)), p.left)])
	p.left -= uint64(n)
	p.crc.Write(b[:n])
	if err == io.EOF {
		err = io.ErrUnexpectedEOF
	}
	if err != nil {
		p.err = err
	}
	return n, err
}

// openPayload begins the payload event whose header peek returned. The framer
// may not be used until the payload has ended.
func (f *framer) openPayload(h header, inflater **zstd.Decoder) (*payload, error) {
	f.crc.Reset()
	p := &payload{outer: h, start: f.at, end: f.at, maxEvent: f.maxEvent}
	p.end.off += uint64(h.size)
	p.in = &payloadReader{r: f.r, left: uint64(h.size) - f.trailer(), crc: f.crc}
	if _, err := io.ReadFull(p.in, make([]byte, headerSize)); err != nil {
		return nil, f.readError(err)
	}
	compression, err := p.fields()
	if err != nil {
		return nil, err
	}
	switch compression {
	case payloadNone:
		p.out = p.in
	case payloadZstd:
		if *inflater == nil {
			*inflater, err = zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true),
				zstd.WithDecoderMaxMemory(maxWindow), zstd.WithDecoderMaxWindow(maxWindow))
			if err != nil {
				return nil, fmt.Errorf("start a decompressor: %w", err)
			}
		}
		if err := (*inflater).Reset(p.in); err != nil {
			return nil, p.broken(f, err)
		}
		p.out = *inflater
	default:
		return nil, corruptAt(p.start, "a transaction is compressed in a way (%d) that is not known", compression)
	}
	return p, nil
}

// fields reads what precedes the compressed bytes.
func (p *payload) fields() (compression uint64, err error) {
	declared := uint64(0)
	for {
		kind, err := p.in.lenenc()
		if err != nil || kind == payloadEnd {
			if err == nil && declared != p.in.left {
				err = fmt.Errorf("it holds %d compressed bytes and says %d", p.in.left, declared)
			}
			if err != nil {
				return 0, corruptAt(p.start, "a compressed transaction is broken: %v", err)
			}
			return compression, nil
		}
		length, err := p.in.lenenc()
		if err == nil && length > 64 {
			err = fmt.Errorf("a field of %d bytes", length)
		}
		value := make([]byte, min(length, 64))
		if err == nil {
			_, err = io.ReadFull(p.in, value)
		}
		if err != nil {
			return 0, corruptAt(p.start, "a compressed transaction is broken: %v", err)
		}
		in := &input{b: value}
		switch kind {
		case payloadSize:
			declared = in.lenenc()
		case payloadCompression:
			compression = in.lenenc()
		case payloadUncompressedSize:
			p.size = in.lenenc()
		default:
			return 0, corruptAt(p.start, "a compressed transaction has a field of type %d", kind)
		}
		if in.err != nil {
			return 0, corruptAt(p.start, "a compressed transaction is broken: %v", in.err)
		}
	}
}

// lenenc reads a length-encoded integer.
func (p *payloadReader) lenenc() (uint64, error) {
	var b [9]byte
	if _, err := io.ReadFull(p, b[:1]); err != nil {
		return 0, err
	}
	n := map[byte]int{0xfc: 2, 0xfd: 3, 0xfe: 8}[b[0]]
	if _, err := io.ReadFull(p, b[1:1+n]); err != nil {
		return 0, err
	}
	in := &input{b: b[:1+n]}
	v := in.lenenc()
	return v, in.err
}

// next returns the next inner event. The last one is returned only when the
// whole payload has been read and its checksum was right. Inner events have
// no checksum of their own.
func (p *payload) next(f *framer) (*event, error) {
	left := p.size - p.read
	if left < headerSize {
		return nil, corruptAt(p.start, "a compressed transaction has %d bytes where an event should be", left)
	}
	if cap(p.buf) > keepBuffer {
		p.buf = nil
	}
	buf, err := readSteps(p.out, p.buf[:0], headerSize)
	if err != nil {
		return nil, p.broken(f, err)
	}
	h := parseHeader(buf)
	size := uint64(h.size)
	if size < headerSize || size > left || size > p.maxEvent {
		return nil, corruptAt(p.start, "a compressed transaction has an event of %d bytes where %d are left", size, left)
	}
	buf, err = readSteps(p.out, buf, size-headerSize)
	p.buf = buf
	if err != nil {
		return nil, p.broken(f, err)
	}
	p.read += size
	if p.done() {
		if err := p.finish(f); err != nil {
			return nil, err
		}
	}
	p.event.unframe(h, buf, p.start, p.end)
	p.event.packed, p.event.final = true, p.done()
	return &p.event, nil
}

func (p *payload) done() bool { return p.read == p.size }

// finish reads the end of the payload: nothing more may come out, nothing may
// be left, and the checksum must be right.
func (p *payload) finish(f *framer) error {
	var one [1]byte
	switch n, err := io.ReadFull(p.out, one[:]); {
	case n > 0:
		return corruptAt(p.start, "a compressed transaction is larger than the %d bytes it says", p.size)
	case err != io.EOF:
		return p.broken(f, err)
	case p.in.left > 0:
		return corruptAt(p.start, "a compressed transaction ends %d bytes early", p.in.left)
	}
	if f.checksum {
		var sum [checksumSize]byte
		if _, err := io.ReadFull(f.r, sum[:]); err != nil {
			return f.readError(err)
		}
		if want, got := binary.LittleEndian.Uint32(sum[:]), p.in.crc.Sum32(); want != got {
			return corruptAt(p.start, "the checksum is %08x and should be %08x", got, want).Fact("event", "%s", typeName(p.outer.typ))
		}
	}
	f.at = p.end
	return nil
}

// broken turns an error on the way out of the payload into ours: the file's
// or the compressed bytes'.
func (p *payload) broken(f *framer, err error) error {
	var pathError interface{ Timeout() bool } // what the os package returns
	if p.in.err != nil && (f.size == endless || errors.As(err, &pathError)) {
		return f.readError(p.in.err)
	}
	return corruptAt(p.start, "a compressed transaction cannot be decompressed: %v", err)
}
