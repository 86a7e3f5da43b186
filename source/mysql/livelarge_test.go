package mysql

import (
	"fmt"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/rowferry/rowferry"
	"github.com/rowferry/rowferry/internal/testdb"
)

// TestLiveLargeEvents reads events that fill packets of the protocol exactly,
// nearly, and several of them, larger than what the server lets its clients
// send by now.
func TestLiveLargeEvents(t *testing.T) {
	for _, k := range liveKinds() {
		t.Run(string(k), func(t *testing.T) {
			s := testdb.Start(t, k, testdb.Private())
			must(t, s.ResetBinlog(t.Context()))
			must(t, s.Exec(t.Context(), "CREATE DATABASE d", "CREATE TABLE d.t (v LONGBLOB)", "INSERT INTO d.t VALUES (REPEAT('x',1000))"))
			files, err := s.BinlogFiles()
			must(t, err)
			src := Files(Options{Paths: files}).(*Source)
			must(t, src.prepare(t.Context()))
			overhead := 0
			must(t, src.scan(t.Context(), 0, newProgress(), func(x seen) (bool, error) {
				if kind, _ := rowsKind(x.typ); kind != 0 {
					overhead = int(x.size) - 1000
				}
				return false, nil
			}))
			exact := packetMax - 1 - overhead // with the byte before the event, one full packet
			sizes := []int{1000, exact - 1, exact, exact + 1, exact + packetMax, 50 << 20}
			for _, n := range sizes[1:] {
				must(t, s.Exec(t.Context(), fmt.Sprintf("INSERT INTO d.t VALUES (REPEAT('x',%d))", n)))
			}
			must(t, s.Exec(t.Context(), "SET GLOBAL max_allowed_packet=1048576"))
			res := readFrom(Live(LiveOptions{Endpoint: endpoint(t, s, "root"), Once: true}), rowferry.Start{})
			must(t, res.err)
			var got []int
			for _, tx := range res.txs {
				for _, c := range tx.Changes {
					if c.Op == rowferry.Insert {
						got = append(got, len(c.After[0].Str()))
					}
				}
			}
			if fmt.Sprint(got) != fmt.Sprint(sizes) {
				t.Errorf("values of %v bytes, want %v", got, sizes)
			}
		})
	}
}

// relay is a network in between that can stop to carry anything.
type relay struct {
	l      net.Listener
	to     string
	mu     sync.Mutex
	stuck  bool
	resume chan struct{}
}

func newRelay(t testing.TB, to string) *relay {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	r := &relay{l: l, to: to, resume: make(chan struct{})}
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			d, err := net.Dial("tcp", to)
			if err != nil {
				_ = c.Close()
				continue
			}
			go r.carry(c, d)
			go r.carry(d, c)
		}
	}()
	return r
}

func (r *relay) carry(from, to net.Conn) {
	defer from.Close()
	defer to.Close()
	b := make([]byte, 4096)
	for {
		n, err := from.Read(b)
		r.mu.Lock()
		stuck := r.stuck
		r.mu.Unlock()
		if stuck {
			<-r.resume
		}
		if err != nil {
			return
		}
		if _, err := to.Write(b[:n]); err != nil {
			return
		}
	}
}

// stick stops to carry, until the returned function is called.
func (r *relay) stick() (release func()) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.stuck = true
	return func() {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.stuck = false
		close(r.resume)
	}
}

// TestLiveSilence notices that nothing comes any more, not even word that there
// is nothing (M43), and that a read is waited for is no hindrance to Close.
func TestLiveSilence(t *testing.T) {
	for _, k := range liveKinds() {
		t.Run(string(k), func(t *testing.T) {
			t.Parallel()
			s := testdb.Start(t, k)
			r := newRelay(t, fmt.Sprintf("127.0.0.1:%d", s.Port))
			e := endpoint(t, s, "root")
			e.Port, e.Timeout = r.l.Addr().(*net.TCPAddr).Port, 2*time.Second
			c := newConsumer(t, Live(LiveOptions{Endpoint: e, From: "latest"}))
			must(t, c.open())
			ended := make(chan error, 1)
			go func() {
				var err error
				for err == nil {
					_, err = c.r.Next(t.Context())
				}
				ended <- err
			}()
			awaitIdle(t, c.r.(rowferry.Follower), ended)
			release := r.stick()
			if err := <-ended; rowferry.CodeOf(err) != rowferry.CodeSourceAway {
				t.Errorf("silence: %v", err)
			}
			if _, err := c.src.Open(t.Context(), c.at); rowferry.CodeOf(err) != rowferry.CodeSourceAway {
				t.Errorf("opened while nothing is carried: %v", err)
			}
			c.close()
			release()
			must(t, c.open())
			c.close()
		})
	}
}
