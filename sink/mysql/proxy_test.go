package mysql_test

import (
	"bytes"
	"fmt"
	"net"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rowferry/rowferry"
	"github.com/rowferry/rowferry/internal/testdb"
	"github.com/rowferry/rowferry/sink/mysql"
)

// cutter is a proxy that lets go of a connection at its COMMIT: before it is sent
// on, or before its answer is.
type cutter struct {
	listener net.Listener
	cut      atomic.Int32
}

const (
	cutNothing int32 = iota
	cutRequest       // at the next COMMIT
	cutAnswer        // to the next COMMIT
	cutNow           // with the next answer
)

// commitRequest is a COM_QUERY of the protocol.
var commitRequest = []byte("\x03COMMIT")

func newCutter(t *testing.T, port int) *cutter {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	c := &cutter{listener: l}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			client, err := l.Accept()
			if err != nil {
				return // closed
			}
			server, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", port))
			if err != nil {
				client.Close()
				continue
			}
			go c.forward(client, server)
			go c.answer(client, server)
		}
	}()
	return c
}

func (c *cutter) forward(client, server net.Conn) {
	defer server.Close()
	buffer := make([]byte, 64<<10)
	for {
		n, err := client.Read(buffer)
		if err != nil {
			return
		}
		if bytes.Contains(buffer[:n], commitRequest) {
			if c.cut.CompareAndSwap(cutRequest, cutNothing) {
				client.Close()
				return
			}
			c.cut.CompareAndSwap(cutAnswer, cutNow)
		}
		if _, err := server.Write(buffer[:n]); err != nil {
			return
		}
	}
}

// answer has read an answer before it lets go, so the server has done what it
// was asked.
func (c *cutter) answer(client, server net.Conn) {
	defer client.Close()
	buffer := make([]byte, 64<<10)
	for {
		n, err := server.Read(buffer)
		if err != nil || c.cut.CompareAndSwap(cutNow, cutNothing) {
			return
		}
		if _, err := client.Write(buffer[:n]); err != nil {
			return
		}
	}
}

// TestCommitWithoutAnswer: whether a COMMIT came through is read from the
// checkpoint row, and both are possible.
func TestCommitWithoutAnswer(t *testing.T) {
	onEach(t, func(t *testing.T, server *testdb.Server) {
		name, db := testdb.NewDatabase(t, server)
		proxy := newCutter(t, server.Port)
		sink := open(t, server, name, func(o *mysql.Options) {
			o.Endpoint.Timeout = 4 * time.Second
			o.Endpoint.Port = proxy.listener.Addr().(*net.TCPAddr).Port
		})
		defer sink.Close()
		table := keyed("t", col("id", integer))
		p := begin(t, sink)
		p.must(shaped(table))
		for n := range 20 {
			cut := []int32{cutRequest, cutAnswer}[n%2]
			tx, err := sink.Begin(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if err := tx.Write(t.Context(), []rowferry.Mutation{inserted(table, i(int64(n)))}); err != nil {
				t.Fatal(err)
			}
			next := p.cp
			next.Sequence++
			proxy.cut.Store(cut)
			err = tx.Commit(t.Context(), next)
			code(t, err, rowferry.CodeTargetAway)
			if err := tx.Rollback(); err != nil {
				t.Error(err)
			}
			got, err := sink.ReadCheckpoint(t.Context(), "p")
			if err != nil {
				t.Fatal(err)
			}
			there := one(t, db, fmt.Sprintf("SELECT COUNT(*) FROM t WHERE id = %d", n)) == "1"
			if through := cut == cutAnswer; there != through || (got.Sequence == next.Sequence) != through {
				t.Errorf("cut %d: the row is there: %v; the checkpoint says %d of %d", cut, there, got.Sequence, next.Sequence)
			}
			p.cp = *got
		}
	})
}
