package mysqlwire

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"time"

	"github.com/go-mysql-org/go-mysql/client"
	gomysql "github.com/go-mysql-org/go-mysql/mysql"

	"github.com/rowferry/rowferry/internal/connect"
)

// Conn is a connection that is logged in. It is used by one goroutine. After an
// error that is neither a ServerError nor one of whoever was given rows or
// parameters it is broken: what came of the statements that were not answered is
// not known. A context that ends while the network is waited for breaks it too.
type Conn struct {
	raw     net.Conn // below TLS
	net     net.Conn
	in      packets
	largest int   // packet that the server takes, in bytes
	err     error // why it is broken

	out     []byte    // whole packets that are not sent
	parts   byte      // packets of the statement that was written last
	closing []uint32  // the statements that out closes
	open    execution // which Begin began
	queue   queue
}

// Dial connects and logs in. Affected rows are those found, whether or not they
// changed. A statement is one, and none reads files of ours.
func Dial(ctx context.Context, e connect.Endpoint) (*Conn, error) {
	config, err := e.TLSConfig()
	if err != nil {
		return nil, err
	}
	raw, err := e.Dial(ctx)
	if err != nil {
		return nil, either(ctx, err)
	}
	done := during(ctx, raw)
	defer done()
	l, err := Login(ctx, raw, e, config, func(c *client.Conn) error {
		// What answers look like is then known.
		c.UnsetCapability(gomysql.CLIENT_DEPRECATE_EOF | gomysql.CLIENT_QUERY_ATTRIBUTES |
			gomysql.CLIENT_LOCAL_FILES | gomysql.CLIENT_MULTI_STATEMENTS | gomysql.CLIENT_MULTI_RESULTS | gomysql.CLIENT_PS_MULTI_RESULTS)
		return c.SetCapability(gomysql.CLIENT_FOUND_ROWS)
	})
	if err != nil {
		_ = raw.Close() // the first error is the one to tell
		var said *gomysql.MyError
		if errors.As(err, &said) {
			err = &ServerError{Number: said.Code, State: said.State, Message: said.Message}
		}
		return nil, either(ctx, Root(err))
	}
	// The library is done: it has read nothing but the answer to the login.
	const readAhead = 16 << 10
	return &Conn{raw: raw, net: l.Conn.Conn.Conn, in: packets{r: bufio.NewReaderSize(l.Conn.Conn.Conn, readAhead)}, largest: defaultLargest}, nil
}

// either returns the context's error where it has ended, which is then the
// reason.
func either(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return err
}

// defaultLargest is what every server takes whose max_allowed_packet somebody
// has thought of.
const defaultLargest = 1 << 20

// SetMaxPacket says how large a packet the server takes: its max_allowed_packet.
func (c *Conn) SetMaxPacket(bytes int) { c.largest = bytes }

// Close ends the connection at once. What is open there the server rolls back.
func (c *Conn) Close() {
	if c.err == nil {
		c.err = ErrBroken
	}
	_ = c.raw.Close() // nothing is lost by what it could say
}

// Broken reports whether the connection is of no more use.
func (c *Conn) Broken() bool { return c.err != nil }

// fail breaks the connection. The error is the context's, where it has ended, or
// an ErrBroken for the given reason.
func (c *Conn) fail(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		c.err = fmt.Errorf("%w: %v", ErrBroken, ctx.Err()) //nolint:errorlint // what uses it next was not ended by it
		return ctx.Err()
	}
	c.err = fmt.Errorf("%w: %w", ErrBroken, err)
	return c.err
}

// Alive reports whether the server has not let go of the connection, as far as
// is known without asking. Nothing may be unanswered.
func (c *Conn) Alive() bool {
	if c.err != nil {
		return false
	}
	switch peek(c.raw) {
	case peekNothing:
		if c.in.r.Buffered() == 0 {
			return true
		}
	case peekEnd:
		_ = c.fail(context.Background(), io.EOF) // told by whatever uses it
		return false
	default: // the end may come behind what TLS says, or the server
	}
	const moment = time.Millisecond
	if c.raw.SetReadDeadline(time.Now().Add(moment)) != nil {
		return false
	}
	_, err := c.in.r.Peek(1)
	var late net.Error
	if errors.As(err, &late) && late.Timeout() && c.raw.SetReadDeadline(time.Time{}) == nil {
		return true
	}
	if err == nil {
		err = nonsense("it comes unasked")
	}
	_ = c.fail(context.Background(), err) // told by whatever uses it
	return false
}

// peeked is what peek finds.
type peeked int

const (
	peekUnknown peeked = iota
	peekNothing
	peekEnd
)

// wait does what waits for the network, until ctx ends.
func (c *Conn) wait(ctx context.Context, do func() error) error {
	if c.err != nil {
		return c.err
	}
	if ctx.Done() == nil {
		return c.judge(ctx, do())
	}
	done := during(ctx, c.raw)
	err := c.judge(ctx, do())
	done()
	return err
}

// judge breaks the connection for all errors but those that leave nothing
// unknown.
func (c *Conn) judge(ctx context.Context, err error) error {
	var told *rowError
	switch {
	case err == nil, errors.Is(err, ErrEarlier):
		return err
	case errors.As(err, &told):
		return told.error
	default:
		return c.fail(ctx, err)
	}
}

// flush sends what is not sent, in pieces of which each has its time.
func (c *Conn) flush() error {
	const piece = 64 << 10
	for b := c.out; len(b) > 0; {
		n := min(len(b), piece)
		if _, err := c.net.Write(b[:n]); err != nil {
			return err
		}
		b = b[n:]
	}
	c.out, c.closing = c.out[:0], c.closing[:0]
	if cap(c.out) > keptBuffer {
		c.out = nil
	}
	c.queue.sent = c.queue.unanswered()
	return nil
}
