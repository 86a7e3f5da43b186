package postgres_test

import (
	"bytes"
	"io"
	"net"
	"sync"
	"testing"

	"github.com/rowferry/rowferry/internal/connect"
)

// cutter forwards one server's connections and breaks them off when the client
// has sent a message with the given text.
type cutter struct {
	listener net.Listener
	server   connect.Endpoint

	mu      sync.Mutex
	text    []byte // nil forwards everything
	held    chan struct{}
	forward bool // the message itself still goes to the server, and the answer does not come back
	struck  int
}

func newCutter(t *testing.T, server connect.Endpoint) *cutter {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	c := &cutter{listener: l, server: server}
	var threads sync.WaitGroup
	threads.Add(1)
	go func() { // "accept"
		defer threads.Done()
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			threads.Add(1)
			go func() { // "forward"
				defer threads.Done()
				c.serve(conn)
			}()
		}
	}()
	t.Cleanup(func() {
		l.Close()
		threads.Wait()
	})
	return c
}

// endpoint is the server behind the cutter.
func (c *cutter) endpoint() connect.Endpoint {
	e := c.server
	e.Host, e.Port = "127.0.0.1", c.listener.Addr().(*net.TCPAddr).Port
	return e
}

// arm sets what the next message is that a connection does not survive. With
// held, the message waits for it to be closed before it reaches the server.
func (c *cutter) arm(text string, forward bool, held chan struct{}) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.text, c.forward, c.held = []byte(text), forward, held
}

func (c *cutter) serve(client net.Conn) {
	defer client.Close()
	network, address := c.server.Network()
	server, err := net.Dial(network, address)
	if err != nil {
		return
	}
	answered := make(chan struct{})
	go func() { // "answers"
		defer close(answered)
		_, _ = io.Copy(client, server)
		client.Close()
		_, _ = io.Copy(io.Discard, server)
	}()
	defer func() {
		server.Close()
		<-answered
	}()
	buffer := make([]byte, 1<<16)
	for {
		n, err := client.Read(buffer)
		if err != nil {
			return
		}
		c.mu.Lock()
		strike, forward, held := c.text != nil && bytes.Contains(buffer[:n], c.text), c.forward, c.held
		if strike {
			c.text = nil
			c.struck++
		}
		c.mu.Unlock()
		if strike {
			client.Close()
			if !forward {
				return
			}
			if held != nil {
				<-held
			}
		}
		if _, err := server.Write(buffer[:n]); err != nil {
			return
		}
		if strike {
			// The server does what it was told before it finds nobody there.
			if tcp, ok := server.(*net.TCPConn); ok && tcp.CloseWrite() == nil {
				<-answered
			}
			return
		}
	}
}
