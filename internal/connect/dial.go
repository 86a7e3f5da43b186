package connect

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"syscall"
	"time"
)

// Dial connects to the endpoint, without TLS, which drivers add. No read and
// no write on the connection waits longer than the endpoint's timeout; an
// earlier deadline set on it holds.
func (e Endpoint) Dial(ctx context.Context) (net.Conn, error) {
	network, address := e.Network()
	d := net.Dialer{Timeout: e.Wait(), KeepAlive: 15 * time.Second}
	c, err := d.DialContext(ctx, network, address)
	if err != nil {
		return nil, fmt.Errorf("connect to %s: %w", e, err)
	}
	return &boundedConn{Conn: c, wait: e.Wait()}, nil
}

// boundedConn bounds each read and each write. Deadlines set from outside,
// which may come from another goroutine while a read waits, are kept where
// they are earlier.
type boundedConn struct {
	net.Conn
	wait        time.Duration
	mu          sync.Mutex // guards the deadlines asked for
	read, write time.Time
}

// Read reads within the timeout.
func (c *boundedConn) Read(b []byte) (int, error) {
	if err := c.arm(&c.read, c.Conn.SetReadDeadline); err != nil {
		return 0, err
	}
	return c.Conn.Read(b)
}

// Write writes within the timeout.
func (c *boundedConn) Write(b []byte) (int, error) {
	if err := c.arm(&c.write, c.Conn.SetWriteDeadline); err != nil {
		return 0, err
	}
	return c.Conn.Write(b)
}

// SyscallConn is for looking at the connection without waiting.
func (c *boundedConn) SyscallConn() (syscall.RawConn, error) {
	s, ok := c.Conn.(syscall.Conn)
	if !ok {
		return nil, errors.ErrUnsupported
	}
	return s.SyscallConn()
}

func (c *boundedConn) arm(asked *time.Time, set func(time.Time) error) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	until := time.Now().Add(c.wait)
	if !asked.IsZero() && asked.Before(until) {
		until = *asked
	}
	return set(until)
}

// SetDeadline sets both deadlines.
func (c *boundedConn) SetDeadline(t time.Time) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.read, c.write = t, t
	return c.Conn.SetDeadline(t)
}

// SetReadDeadline sets the deadline of reads.
func (c *boundedConn) SetReadDeadline(t time.Time) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.read = t
	return c.Conn.SetReadDeadline(t)
}

// SetWriteDeadline sets the deadline of writes.
func (c *boundedConn) SetWriteDeadline(t time.Time) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.write = t
	return c.Conn.SetWriteDeadline(t)
}
