package mysqlwire

import (
	"bufio"
	"io"
	"slices"
)

// Framing: a packet is its length in 3 bytes, a number that counts packets from
// 0 for a command, and its content; what is as long as can be goes on in the next
// one. See
// https://dev.mysql.com/doc/dev/mysql-server/latest/page_protocol_basic_packets.html
const (
	packetHeader = 4
	packetMax    = 1<<24 - 1
)

const (
	// maxAnswer is the size of the largest packet that is read: the largest
	// max_allowed_packet there is.
	maxAnswer = 1 << 30
	// keptBuffer is how large a buffer may be that is used again.
	keptBuffer = 1 << 20
)

// packets reads the packets of one answer after another.
type packets struct {
	r      *bufio.Reader
	number byte // of the next packet
	buf    []byte
}

// begin expects the first packet of an answer, whose number follows those of a
// command of so many packets.
func (p *packets) begin(command byte) { p.number = command }

// next returns the content of the next packet, which is valid until the one
// after it and has at least one byte.
func (p *packets) next() ([]byte, error) {
	if cap(p.buf) > keptBuffer {
		p.buf = nil
	}
	p.buf = p.buf[:0]
	for {
		var head [packetHeader]byte
		if _, err := io.ReadFull(p.r, head[:]); err != nil {
			return nil, err
		}
		size, old := int(head[0])|int(head[1])<<8|int(head[2])<<16, len(p.buf)
		if old+size > maxAnswer {
			return nil, nonsense("a packet of more than %d bytes", maxAnswer)
		}
		p.buf = slices.Grow(p.buf, size)[:old+size]
		if _, err := io.ReadFull(p.r, p.buf[old:]); err != nil {
			return nil, unexpected(err)
		}
		// The last words of a server that ends a connection by itself have a
		// number of their own.
		last := old == 0 && size > 0 && p.buf[0] == headerError
		if head[3] != p.number && !last {
			return nil, nonsense("packet number %d comes where %d should", head[3], p.number)
		}
		p.number++
		if size < packetMax {
			break
		}
	}
	if len(p.buf) == 0 {
		return nil, nonsense("an empty packet")
	}
	return p.buf, nil
}

func unexpected(err error) error {
	if err == io.EOF { //nolint:errorlint // as io.ReadFull returns it
		return io.ErrUnexpectedEOF
	}
	return err
}

// appendPacket appends the header, and makes place for the content that ends
// with closePacket.
func appendPacket(out []byte) []byte { return append(out, 0, 0, 0, 0) }

// closePacket writes the header of the packet that begins at start, and divides
// it where it is too long for one. It returns how many there are now.
func closePacket(out []byte, start int) ([]byte, byte) {
	size := len(out) - start - packetHeader
	if size < packetMax {
		putHeader(out[start:], size, 0)
		return out, 1
	}
	content := slices.Clone(out[start+packetHeader:])
	out = out[:start]
	for number := byte(0); ; number++ {
		n := min(len(content), packetMax)
		at := len(out)
		out = append(appendPacket(out), content[:n]...)
		putHeader(out[at:], n, number)
		content = content[n:]
		if n < packetMax {
			return out, number + 1
		}
	}
}

func putHeader(b []byte, size int, number byte) {
	b[0], b[1], b[2], b[3] = byte(size), byte(size>>8), byte(size>>16), number
}

// lenEnc reads a length-encoded integer and returns how many bytes it takes, 0
// where there is none:
// https://dev.mysql.com/doc/dev/mysql-server/latest/page_protocol_basic_dt_integers.html
func lenEnc(b []byte) (v uint64, n int) {
	if len(b) == 0 {
		return 0, 0
	}
	switch {
	case b[0] < 0xfb:
		return uint64(b[0]), 1
	case b[0] == 0xfc:
		n = 2
	case b[0] == 0xfd:
		n = 3
	case b[0] == 0xfe:
		n = 8
	default:
		return 0, 0
	}
	if len(b) <= n {
		return 0, 0
	}
	for i := n; i > 0; i-- {
		v = v<<8 | uint64(b[i])
	}
	return v, n + 1
}

// lenText reads a length-encoded string and returns what follows it.
func lenText(b []byte) (text, rest []byte, ok bool) {
	size, n := lenEnc(b)
	if n == 0 || size > uint64(len(b)-n) {
		return nil, nil, false
	}
	return b[n : n+int(size)], b[n+int(size):], true
}

// appendLen appends a length-encoded integer.
func appendLen(out []byte, v uint64) []byte {
	switch {
	case v < 0xfb:
		return append(out, byte(v))
	case v < 1<<16:
		return append(out, 0xfc, byte(v), byte(v>>8))
	case v < 1<<24:
		return append(out, 0xfd, byte(v), byte(v>>8), byte(v>>16))
	default:
		return append(out, 0xfe, byte(v), byte(v>>8), byte(v>>16), byte(v>>24), byte(v>>32), byte(v>>40), byte(v>>48), byte(v>>56))
	}
}
