package faultproxy

import (
	"errors"
	"fmt"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rowferry/rowferry/internal/testdb"
)

// Direction is a way bytes go.
type Direction int

// The directions.
const (
	ToServer Direction = iota
	ToClient
)

// Protocol is what the proxy reads COMMITs of.
type Protocol int

// The protocols.
const (
	Opaque Protocol = iota // none
	MySQL
	Postgres
)

// ProtocolOf returns the protocol a kind speaks.
func ProtocolOf(k testdb.Kind) Protocol {
	if k.Flavor() == testdb.Postgres {
		return Postgres
	}
	return MySQL
}

// dialPatience is how long the server may take to accept a connection.
const dialPatience = 10 * time.Second

// Proxy forwards what is said on its port to a target. Its methods may be called
// from several goroutines.
type Proxy struct {
	Port int // on 127.0.0.1

	protocol Protocol
	seed     uint64
	port     *testdb.Port
	work     sync.WaitGroup
	lost     atomic.Int64

	mu       sync.Mutex
	target   string
	listener net.Listener // nil while refusing
	shapes   [2]Shape
	changed  chan struct{} // closed when a shape changes
	conns    map[*conn]bool
	accepted int
	commits  int
	ran      int // statements
	traps    []*trap
	holds    []*Hold
	closed   bool
}

// Start returns a proxy to a server that ends with the test.
func Start(t testing.TB, s *testdb.Server, seed uint64) *Proxy {
	t.Helper()
	p, err := New(fmt.Sprintf("127.0.0.1:%d", s.Port), ProtocolOf(s.Kind), seed)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Close)
	return p
}

// New returns a proxy to target, an address. Close it when done.
func New(target string, protocol Protocol, seed uint64) (*Proxy, error) {
	port, err := testdb.ReservePort()
	if err != nil {
		return nil, fmt.Errorf("faultproxy: %w", err)
	}
	p := &Proxy{
		Port: port.Number, protocol: protocol, seed: seed, port: port, target: target,
		changed: make(chan struct{}), conns: map[*conn]bool{},
	}
	if err := p.Refuse(false); err != nil {
		port.Release()
		return nil, err
	}
	return p, nil
}

// Address is what clients connect to.
func (p *Proxy) Address() string { return fmt.Sprintf("127.0.0.1:%d", p.Port) }

// SetTarget makes new connections go to another address.
func (p *Proxy) SetTarget(address string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.target = address
}

// Refuse refuses new connections, or takes them again. Those there are stay.
func (p *Proxy) Refuse(refuse bool) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case p.closed:
		return errors.New("faultproxy: closed")
	case refuse && p.listener != nil:
		err := p.listener.Close()
		p.listener = nil
		return err
	case !refuse && p.listener == nil:
		l, err := net.Listen("tcp", p.Address())
		if err != nil {
			return fmt.Errorf("faultproxy: %w", err)
		}
		p.listener = l
		p.work.Go(func() { p.accept(l) })
	}
	return nil
}

// Shape changes how bytes pass in a direction, until it is changed again. The
// zero Shape lets them pass.
func (p *Proxy) Shape(d Direction, s Shape) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.shapes[d] = s
	close(p.changed)
	p.changed = make(chan struct{})
}

// ShapeBoth is Shape for both directions.
func (p *Proxy) ShapeBoth(s Shape) {
	p.Shape(ToServer, s)
	p.Shape(ToClient, s)
}

// Cut resets all connections, on both sides, and returns how many they were.
func (p *Proxy) Cut() int {
	p.mu.Lock()
	var all []*conn
	for c := range p.conns {
		all = append(all, c)
	}
	p.mu.Unlock()
	for _, c := range all {
		c.reset()
	}
	return len(all)
}

// Connections returns how many are open now and how many there have been.
func (p *Proxy) Connections() (open, ever int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.conns), p.accepted
}

// Lost returns how many bytes Swallow has lost while it was set.
func (p *Proxy) Lost() int64 { return p.lost.Load() }

// Commits returns how many COMMITs were seen on their way to the server.
func (p *Proxy) Commits() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.commits
}

// Statements returns how many statements were seen on their way to the server;
// preparing one does not count.
func (p *Proxy) Statements() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.ran
}

// Blind returns how many of the open connections cannot be read, because they
// are encrypted, compressed or of an opaque protocol.
func (p *Proxy) Blind() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	n := 0
	for c := range p.conns {
		if c.blind() {
			n++
		}
	}
	return n
}

// Close resets all connections, ends the proxy and waits until it has ended.
func (p *Proxy) Close() {
	p.mu.Lock()
	p.closed = true
	if p.listener != nil {
		p.listener.Close()
		p.listener = nil
	}
	p.mu.Unlock()
	p.Cut()
	p.work.Wait()
	p.port.Release()
}

// accept takes connections until the listener is closed.
func (p *Proxy) accept(l net.Listener) {
	for {
		client, err := l.Accept()
		if err != nil {
			return
		}
		p.work.Go(func() { p.serve(client.(*net.TCPConn)) })
	}
}

// serve forwards one connection until it ends.
func (p *Proxy) serve(client *net.TCPConn) {
	p.mu.Lock()
	target := p.target
	p.mu.Unlock()
	server, err := net.DialTimeout("tcp", target, dialPatience)
	if err != nil {
		resetTCP(client) // as a server that is not there would
		return
	}
	c := &conn{
		proxy: p, scan: newScanner(p.protocol), done: make(chan struct{}),
		ends: [2]*net.TCPConn{ToServer: server.(*net.TCPConn), ToClient: client},
	}
	p.mu.Lock()
	if p.closed {
		p.mu.Unlock()
		c.reset()
		return
	}
	p.accepted++
	number := uint64(p.accepted)
	p.conns[c] = true
	p.mu.Unlock()
	c.run(number)
	p.mu.Lock()
	delete(p.conns, c)
	p.mu.Unlock()
}

// shape returns a direction's shape, and a channel closed when it changes.
func (p *Proxy) shape(d Direction) (Shape, <-chan struct{}) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.shapes[d], p.changed
}

// resetTCP ends a connection with RST instead of FIN.
func resetTCP(c *net.TCPConn) {
	_ = c.SetLinger(0) // fails only if it has ended
	c.Close()
}
