package postgres

import (
	"context"
	"encoding/binary"
	"fmt"
	"net"
	"sync"
	"time"

	"github.com/rowferry/rowferry"
)

// The messages of the connection, by their first byte; see
// https://www.postgresql.org/docs/current/protocol-message-formats.html
const (
	frameCopyData  = 'd'
	frameCopyDone  = 'c'
	frameCopyBoth  = 'W'
	frameError     = 'E'
	frameNotice    = 'N'
	frameParameter = 'S'
	frameNotify    = 'A'
	frameComplete  = 'C'
	frameReady     = 'Z'
)

const (
	// frameBuffer is what is read ahead of the network.
	frameBuffer = 128 << 10
	// frameHeader is a type and the length of all that follows the type.
	frameHeader = 5
	// maxFrame bounds a message. PostgreSQL builds each in one piece of memory,
	// of which it has none larger than 1 GiB.
	maxFrame = 1<<30 + 1<<20
)

// frames reads the messages of a connection. It is used by one goroutine.
type frames struct {
	conn net.Conn
	buf  []byte // read and not taken yet: from at to end
	at   int
	end  int

	watched <-chan struct{} // of the context that reading ends with; nil: none
	unwatch func()

	last  time.Time // when the last read ended
	hasty int       // reads in a row that brought little, and soon
}

// A server sends each message by itself, and where each wakes us, waking costs it
// more than decoding. So where one small read follows another, the next one waits
// for a moment: less than is noticed behind so many, and only at such a rate.
const (
	littleBytes = 32 << 10
	soonRate    = 1 << 20 // bytes a second
	hastyReads  = 16
	gatherTime  = 2 * time.Millisecond
)

func newFrames(conn net.Conn) *frames { return &frames{conn: conn, buf: make([]byte, frameBuffer)} }

// ready reports whether next returns without waiting for the network.
func (f *frames) ready() bool {
	n, err := f.length()
	return err == nil && n > 0 && f.end-f.at >= n
}

// length returns how long the first message is, header included; 0 where that
// is not known yet.
func (f *frames) length() (int, error) {
	if f.end-f.at < frameHeader {
		return 0, nil
	}
	n := binary.BigEndian.Uint32(f.buf[f.at+1:])
	if n < 4 || n > maxFrame {
		return 0, rowferry.Errorf(rowferry.CodeEventTooLarge, "the source announced a message of %d bytes", n)
	}
	return int(n) + 1, nil
}

// next returns the type and the body of the next message. The body is valid
// until next is called again. Where ctx ends before the whole message is there,
// what has come of it is kept.
func (f *frames) next(ctx context.Context) (kind byte, body []byte, err error) {
	for {
		n, err := f.length()
		if err != nil {
			return 0, nil, err
		}
		if n > 0 && f.end-f.at >= n {
			b := f.buf[f.at : f.at+n]
			f.at += n
			return b[0], b[frameHeader:], nil
		}
		f.room(n)
		if err := f.read(ctx); err != nil {
			return 0, nil, err
		}
	}
}

// room makes room to read more of a message of n bytes. What the message claims
// to be is not believed before half of it has come.
func (f *frames) room(n int) {
	have := f.end - f.at
	size := len(f.buf)
	switch {
	case n > size:
		size = min(n, max(2*have, frameBuffer))
	case size > frameBuffer && n <= frameBuffer:
		size = frameBuffer // one large message is not to keep its memory
	}
	size = max(size, have+1)
	switch {
	case size != len(f.buf):
		buf := make([]byte, size)
		copy(buf, f.buf[f.at:f.end])
		f.buf, f.at, f.end = buf, 0, have
	case f.at > 0:
		copy(f.buf, f.buf[f.at:f.end])
		f.at, f.end = 0, have
	}
}

// read waits for more. A context that ends wakes it, and leaves the connection
// as it is.
func (f *frames) read(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	f.watch(ctx)
	if f.hasty >= hastyReads {
		time.Sleep(gatherTime)
	}
	n, err := f.conn.Read(f.buf[f.end:])
	f.end += n
	f.timed(n)
	switch {
	case n > 0 || err == nil:
		return nil
	case ctx.Err() != nil:
		return ctx.Err()
	default:
		return err
	}
}

// timed notes how much a read brought, and how soon after the last one.
func (f *frames) timed(n int) {
	now := time.Now()
	if n < littleBytes && float64(n) > now.Sub(f.last).Seconds()*soonRate {
		f.hasty++
	} else {
		f.hasty = 0
	}
	f.last = now
}

// watch makes reads end with ctx, until it is called with another context. It
// costs nothing to be called again with the same one.
func (f *frames) watch(ctx context.Context) {
	if f.watched == ctx.Done() {
		return
	}
	if f.unwatch != nil {
		f.unwatch()
		f.unwatch = nil
	}
	if f.watched = ctx.Done(); f.watched != nil {
		f.unwatch = waking(ctx, f.conn)
	}
}

// waking makes reads of conn end with ctx, until what it returns is called.
func waking(ctx context.Context, conn net.Conn) func() {
	var done sync.WaitGroup
	done.Add(1)
	stop := context.AfterFunc(ctx, func() {
		defer done.Done()
		// A deadline that cannot be set leaves the read to its own.
		_ = conn.SetReadDeadline(time.Unix(1, 0))
	})
	return func() {
		if stop() {
			return
		}
		done.Wait()
		_ = conn.SetReadDeadline(time.Time{}) // likewise
	}
}

// appendFrame appends a message to b.
func appendFrame(b []byte, kind byte, body []byte) []byte {
	b = append(b, kind)
	b = binary.BigEndian.AppendUint32(b, uint32(len(body)+4))
	return append(b, body...)
}

// unexpected is the error of a message that has no place where it came.
func unexpected(kind byte) error {
	return rowferry.Errorf(rowferry.CodeUnknownEvent, "the source sent a message that is not known here").
		Fact("message", "%s", fmt.Sprintf("%q", kind))
}
