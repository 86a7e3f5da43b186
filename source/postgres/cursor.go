package postgres

import (
	"bytes"
	"encoding/binary"
)

// cursor takes fields from the front of a message; numbers are big-endian. Once
// a field is not there, failed is set and everything reads as zero.
type cursor struct {
	b      []byte
	failed bool
}

func (c *cursor) fail() {
	c.b, c.failed = nil, true
}

// take returns the next n bytes.
func (c *cursor) take(n int) []byte {
	if n < 0 || n > len(c.b) {
		c.fail()
		return nil
	}
	b := c.b[:n:n]
	c.b = c.b[n:]
	return b
}

func (c *cursor) u8() byte {
	if len(c.b) < 1 {
		c.fail()
		return 0
	}
	v := c.b[0]
	c.b = c.b[1:]
	return v
}

func (c *cursor) u16() int {
	if len(c.b) < 2 {
		c.fail()
		return 0
	}
	v := binary.BigEndian.Uint16(c.b)
	c.b = c.b[2:]
	return int(v)
}

func (c *cursor) u32() uint32 {
	if len(c.b) < 4 {
		c.fail()
		return 0
	}
	v := binary.BigEndian.Uint32(c.b)
	c.b = c.b[4:]
	return v
}

func (c *cursor) u64() uint64 {
	if len(c.b) < 8 {
		c.fail()
		return 0
	}
	v := binary.BigEndian.Uint64(c.b)
	c.b = c.b[8:]
	return v
}

// text returns the bytes up to a zero, which is passed over.
func (c *cursor) text() []byte {
	n := bytes.IndexByte(c.b, 0)
	if n < 0 {
		c.fail()
		return nil
	}
	b := c.b[:n:n]
	c.b = c.b[n+1:]
	return b
}

// whole reports whether every field was there and nothing is left.
func (c *cursor) whole() bool { return !c.failed && len(c.b) == 0 }
