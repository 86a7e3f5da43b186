package mysql

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"io"
)

// Framing of the client protocol: a packet is its length in 3 bytes, a number
// that counts packets and its content; what is as long as can be goes on in
// the next one. See
// https://dev.mysql.com/doc/dev/mysql-server/latest/page_protocol_basic_packets.html
const (
	packetHeader = 4
	packetMax    = 1<<24 - 1
)

// packets reads the content of packets as a stream, joined where one goes on
// in the next.
type packets struct {
	r      *bufio.Reader
	number byte   // of the next packet
	left   uint64 // bytes of the open packet that are not read
	more   bool   // another one follows that belongs to it
}

// peek returns the next n bytes of content after the current packet, of a
// packet that is not begun, which stay unread: waiting for them may be cut
// short without harm.
func (p *packets) peek(n int) (size uint64, b []byte, err error) {
	b, err = p.r.Peek(packetHeader + n)
	if err != nil {
		return 0, nil, err
	}
	return uint64(binary.LittleEndian.Uint32(b) & packetMax), b[packetHeader:], nil
}

// begin takes the header of a packet.
func (p *packets) begin() error {
	b, err := p.r.Peek(packetHeader)
	if err != nil {
		return err
	}
	if b[3] != p.number {
		return fmt.Errorf("packet number %d comes where %d should", b[3], p.number)
	}
	p.number++
	p.left = uint64(binary.LittleEndian.Uint32(b) & packetMax)
	p.more = p.left == packetMax
	_, err = p.r.Discard(packetHeader)
	return err
}

// over reports whether all that belongs together was read. What fills its last
// packet is followed by an empty one.
func (p *packets) over() (bool, error) {
	if p.left == 0 && p.more {
		if err := p.begin(); err != nil {
			return false, err
		}
	}
	return p.left == 0 && !p.more, nil
}

// Read reads content, up to the end of what belongs together: io.EOF.
func (p *packets) Read(b []byte) (int, error) {
	for p.left == 0 {
		if !p.more {
			return 0, io.EOF
		}
		if err := p.begin(); err != nil {
			return 0, err
		}
	}
	n, err := p.r.Read(b[:min(uint64(len(b)), p.left)])
	p.left -= uint64(n)
	return n, err
}
