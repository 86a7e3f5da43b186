package rowferry

import (
	"context"
	"errors"
	"io"
	"sync"
	"time"

	"github.com/rowferry/rowferry/internal/failpoint"
)

// queue hands whole transactions from "read" to "apply". It is bounded by
// bytes: put waits while it is full. What is queued when apply comes for more
// is the next batch, so batches are small when apply keeps up and large when
// it is behind, and nothing ever waits for a batch to fill.
type queue struct {
	mu      sync.Mutex
	changed *sync.Cond
	txs     []*txn
	bytes   int
	limit   int
	inHand  int   // batches that were taken and are not applied yet
	stopped bool  // nobody takes any more
	poked   bool  // who waits for a batch is to look around
	end     error // nobody puts any more, and why
}

func newQueue(limit int) *queue {
	q := &queue{limit: limit}
	q.changed = sync.NewCond(&q.mu)
	return q
}

// put appends t and reports whether anybody will take it.
func (q *queue) put(t *txn) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	for q.bytes >= q.limit && !q.stopped {
		q.changed.Wait()
	}
	if q.stopped {
		return false
	}
	q.txs = append(q.txs, t)
	q.bytes += t.bytes
	q.changed.Broadcast()
	return true
}

// state returns the bytes that are queued, and whether there is nothing queued
// and no batch in hand.
func (q *queue) state() (bytes int, idle bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.bytes, len(q.txs) == 0 && q.inHand == 0
}

// waits reports whether a transaction waits for a batch.
func (q *queue) waits() bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return len(q.txs) > 0
}

// finish says that nothing follows what is queued, and why.
func (q *queue) finish(err error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.end = err
	q.changed.Broadcast()
}

// stop wakes everyone up; what is still queued stays with the queue.
func (q *queue) stop() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.stopped = true
	q.changed.Broadcast()
}

// poke has await return.
func (q *queue) poke() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.poked = true
	q.changed.Broadcast()
}

// applied says what became of a batch that was taken.
func (q *queue) applied() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.inHand--
}

// batchSpan is how much time of the source one batch covers less than, so that a
// target that is behind shows the source's states second by second.
const batchSpan = time.Second

func earlier(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}

// await waits until take has a batch, and reports false where it would have none,
// or was poked.
func (q *queue) await() (bool, error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	there, err := q.there()
	q.poked = false
	return there, err
}

func (q *queue) there() (bool, error) {
	for len(q.txs) == 0 && q.end == nil && !q.stopped && !q.poked {
		if q.inHand > 0 {
			return false, nil
		}
		q.changed.Wait()
	}
	switch {
	case q.stopped:
		return false, context.Canceled
	case len(q.txs) > 0:
		return true, nil
	default:
		return false, q.end
	}
}

// take returns the next batch within the bounds of opts. It waits for at least
// one transaction, unless a batch is in hand: then it may return nil. After the
// last one it returns finish's error; after stop, context.Canceled.
func (q *queue) take(opts *Options) (*batch, error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if there, err := q.there(); !there {
		return nil, err
	}
	n, rows, bytes := 0, 0, 0
	first, last := q.txs[0].end.CommitTime, q.txs[0].end.CommitTime
	for n < len(q.txs) && n < opts.BatchTxs {
		t := q.txs[n]
		first, last = earlier(first, t.end.CommitTime), later(last, t.end.CommitTime)
		if n > 0 && (t.spool != nil || rows+t.count > opts.BatchRows || bytes+t.bytes > opts.BatchBytes || last.Sub(first) >= batchSpan) {
			break
		}
		n, rows, bytes = n+1, rows+t.count, bytes+t.bytes
		if t.spool != nil {
			break
		}
	}
	b := &batch{txs: append([]*txn(nil), q.txs[:n]...)}
	q.inHand++
	clear(q.txs[:n])
	q.txs = q.txs[n:]
	q.bytes -= bytes
	q.changed.Broadcast()
	return b, nil
}

// rest returns what was never taken, for closing.
func (q *queue) rest() *batch {
	q.mu.Lock()
	defer q.mu.Unlock()
	b := &batch{txs: q.txs}
	q.txs, q.bytes = nil, 0
	return b
}

// collect is the body of the goroutine "read": it joins chunks into whole
// transactions, spills what is too large, and queues them until the reader
// ends. It always finishes the queue.
func collect(ctx context.Context, r Reader, state State, spillBytes int, q *queue) {
	var open *txn
	err := func() error {
		for {
			tx, err := r.Next(ctx)
			if err != nil {
				return err
			}
			if err := failpoint.Hit("decode"); err != nil {
				return err
			}
			if open == nil {
				open = &txn{}
			}
			open.add(tx)
			if open.bytes > spillBytes && (!tx.Last || open.spool != nil) {
				if err := open.spill(state); err != nil {
					return err
				}
			}
			if !tx.Last {
				continue
			}
			if !q.put(open) {
				return context.Canceled
			}
			open = nil
		}
	}()
	if open != nil { // its end was never read: it is read again by the next run
		closeErr := (&batch{txs: []*txn{open}}).close()
		if closeErr != nil && errors.Is(err, io.EOF) {
			err = closeErr
		}
	}
	q.finish(err)
}
