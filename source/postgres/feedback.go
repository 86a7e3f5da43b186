package postgres

import (
	"encoding/binary"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rowferry/rowferry/internal/failpoint"
)

const (
	// reportEvery is how often the server is told how far we are, at least. It is
	// more often where the server gives up on us sooner.
	reportEvery = 10 * time.Second
	// beatEvery is how often a server that sends nothing is asked whether it has
	// nothing: how old that news can be.
	beatEvery = time.Second
)

// feedback tells the server how far we are: what has come, and what is durable
// in the target. It does so while the reader is not called, or in the middle of
// a transaction however large. Its goroutine is "feedback", which owns the
// writing side of the connection.
type feedback struct {
	conn     net.Conn
	every    time.Duration // between two reports
	received atomic.Uint64 // up to here the log has come
	durable  atomic.Uint64 // and up to here it is needed no more; 0: nothing is known
	waiting  atomic.Bool   // the reader waits for the server
	asked    chan struct{} // of one: the server wants an answer at once

	stop   chan struct{}
	ended  sync.WaitGroup
	failed atomic.Pointer[error] // why the connection was closed
}

// newFeedback starts the goroutine. patience is how long the server waits for
// us, 0 for ever, and wait how long we wait for it.
func newFeedback(conn net.Conn, patience, wait time.Duration) *feedback {
	f := &feedback{conn: conn, every: min(reportEvery, wait/3), asked: make(chan struct{}, 1), stop: make(chan struct{})}
	if patience > 0 {
		f.every = min(f.every, patience/3)
	}
	f.ended.Go(f.run)
	return f
}

// answer has a report sent at once.
func (f *feedback) answer() {
	select {
	case f.asked <- struct{}{}:
	default: // one is on its way already
	}
}

// ack raises what is durable.
func (f *feedback) ack(at lsn) {
	for {
		was := f.durable.Load()
		if uint64(at) <= was || f.durable.CompareAndSwap(was, uint64(at)) {
			return
		}
	}
}

// run is the goroutine "feedback". A connection that it cannot write to is
// closed, which wakes the reader.
func (f *feedback) run() {
	tick := time.NewTicker(min(f.every, beatEvery))
	defer tick.Stop()
	var sent time.Time
	var told uint64
	for {
		ask := false
		select {
		case <-f.stop:
			return
		case <-f.asked:
		case <-tick.C:
			ask = f.waiting.Load()
			if !ask && told == f.durable.Load() && time.Since(sent) < f.every {
				continue
			}
		}
		now := f.durable.Load()
		err := error(nil)
		if now != told {
			err = failpoint.Hit("ack")
		}
		sent, told = time.Now(), now
		if err == nil {
			_, err = f.conn.Write(appendFrame(nil, frameCopyData, f.report(ask)))
		}
		if err != nil {
			f.failed.Store(&err)
			_ = f.conn.Close() // it is broken already
			return
		}
	}
}

// report is a Standby Status Update
// (https://www.postgresql.org/docs/current/protocol-replication.html). All three
// places are said: a server takes none of them for another.
func (f *feedback) report(ask bool) []byte {
	durable := f.durable.Load()
	b := make([]byte, 0, 34)
	b = append(b, 'r')
	b = binary.BigEndian.AppendUint64(b, max(f.received.Load(), durable)) // written
	b = binary.BigEndian.AppendUint64(b, durable)                         // flushed
	b = binary.BigEndian.AppendUint64(b, durable)                         // applied
	b = binary.BigEndian.AppendUint64(b, uint64(time.Since(epoch).Microseconds()))
	if ask {
		return append(b, 1)
	}
	return append(b, 0)
}

// close ends the goroutine and tells the server the last state, and that we
// leave. An error only says that it may have missed that.
func (f *feedback) close() error {
	close(f.stop)
	f.ended.Wait()
	if failed := f.failed.Load(); failed != nil {
		return *failed
	}
	b := appendFrame(nil, frameCopyData, f.report(false))
	_, err := f.conn.Write(appendFrame(b, 'X', nil)) // Terminate
	return err
}
