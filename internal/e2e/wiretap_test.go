package e2e

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"testing"

	"github.com/rowferry/rowferry/internal/testdb"
)

// wiretap stands between an engine and a server, and keeps what the engine
// says. It may pretend that the server has no TLS.
type wiretap struct {
	port   int
	flavor testdb.Flavor
	strips bool
	server string // its address

	listener net.Listener
	work     sync.WaitGroup
	mu       sync.Mutex
	heard    bytes.Buffer
}

// tapped listens until the test ends.
func tapped(t *testing.T, s *testdb.Server, strips bool) *wiretap {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	w := &wiretap{
		port: l.Addr().(*net.TCPAddr).Port, flavor: s.Kind.Flavor(), strips: strips, listener: l,
		server: fmt.Sprintf("127.0.0.1:%d", s.Port),
	}
	w.work.Go(w.serve)
	return w
}

func (w *wiretap) serve() {
	for {
		c, err := w.listener.Accept()
		if err != nil {
			return // it was closed
		}
		w.work.Go(func() { w.forward(c) })
	}
}

// hangUp ends the tap and returns all that engines said.
func (w *wiretap) hangUp(t *testing.T) []byte {
	t.Helper()
	if err := w.listener.Close(); err != nil {
		t.Error(err)
	}
	w.work.Wait()
	return w.heard.Bytes()
}

// forward carries one connection. Either end may leave at any time.
func (w *wiretap) forward(client net.Conn) {
	server, err := net.Dial("tcp", w.server)
	if err != nil {
		_ = client.Close()
		return
	}
	var back sync.WaitGroup
	back.Go(func() {
		defer client.Close()
		from := io.Reader(server)
		if w.strips && w.flavor != testdb.Postgres {
			from = io.MultiReader(bytes.NewReader(withoutTLS(server)), server)
		}
		_, _ = io.Copy(client, from)
	})
	_, _ = io.Copy(server, w.listening(client))
	_ = server.Close()
	back.Wait()
}

// listening reads what the engine says, and keeps it. PostgreSQL's server is
// not asked for TLS if it is to seem without.
func (w *wiretap) listening(client net.Conn) io.Reader {
	keep := writerFunc(func(b []byte) (int, error) {
		w.mu.Lock()
		defer w.mu.Unlock()
		return w.heard.Write(b)
	})
	from := io.TeeReader(client, keep)
	if !w.strips || w.flavor != testdb.Postgres {
		return from
	}
	const requestSize = 8 // https://www.postgresql.org/docs/15/protocol-message-formats.html, SSLRequest
	if _, err := io.ReadFull(from, make([]byte, requestSize)); err == nil {
		_, _ = client.Write([]byte("N"))
	}
	return from
}

type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(b []byte) (int, error) { return f(b) }

// withoutTLS reads a server's greeting and takes CLIENT_SSL out of its
// capabilities: they follow the version's text, a number of four bytes and
// eight of a nonce with a zero byte after them
// (https://dev.mysql.com/doc/dev/mysql-server/latest/page_protocol_connection_phase_packets_protocol_handshake_v10.html).
func withoutTLS(server io.Reader) []byte {
	head := make([]byte, 4)
	if _, err := io.ReadFull(server, head); err != nil {
		return nil
	}
	size := int(head[0]) | int(head[1])<<8 | int(head[2])<<16
	body := make([]byte, size)
	if _, err := io.ReadFull(server, body); err != nil {
		return nil
	}
	const clientSSL = 0x0800
	if at := 1 + bytes.IndexByte(body[1:], 0) + 1 + 4 + 8 + 1; at+2 <= size {
		flags := binary.LittleEndian.Uint16(body[at:])
		binary.LittleEndian.PutUint16(body[at:], flags&^clientSSL)
	}
	return append(head, body...)
}

// TestWiretap: a tap that hears nothing, or strips nothing, would pass for
// safety.
func TestWiretap(t *testing.T) {
	greeting := append([]byte{0, 0, 0, 0}, "\n9.7.0\x00\x01\x00\x00\x0012345678\x00\xff\xff\x2d\x02\x00"...)
	greeting[0] = byte(len(greeting) - 4)
	got := withoutTLS(bytes.NewReader(greeting))
	want := bytes.Replace(greeting, []byte("\xff\xff"), []byte("\xff\xf7"), 1)
	if !bytes.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	if withoutTLS(errReader{}) != nil {
		t.Error("a greeting that was not sent")
	}
}

type errReader struct{}

func (errReader) Read([]byte) (int, error) { return 0, errors.New("gone") }
