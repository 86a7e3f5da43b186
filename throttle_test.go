package rowferry_test

import (
	"context"
	"testing"
	"time"

	"github.com/rowferry/rowferry"
)

// running is an engine that runs, and what it ends with.
type running struct {
	*rowferry.Engine
	cancel context.CancelFunc
	ended  chan error
}

// running starts an engine that is ended and closed with the test at the latest.
func (b *bench) running(s rowferry.Source) *running {
	b.t.Helper()
	e, done, err := b.open(s)
	if err != nil {
		done()
		b.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(b.t.Context())
	r := &running{Engine: e, cancel: cancel, ended: make(chan error, 1)}
	closed := make(chan struct{})
	go func() {
		defer close(closed)
		r.ended <- e.Run(ctx)
		done()
	}()
	b.t.Cleanup(func() { cancel(); <-closed })
	return r
}

// until polls.
func (b *bench) until(what string, is func() bool) {
	b.t.Helper()
	for limit := time.Now().Add(time.Minute); !is(); time.Sleep(time.Millisecond) {
		if time.Now().After(limit) {
			b.t.Fatalf("waited in vain until %s", what)
		}
	}
}

// TestPause: an engine that is paused has read what there is and writes nothing; it
// ends at once when it is asked to, and what runs after it is not paused.
func TestPause(t *testing.T) {
	b := newBench(t)
	b.must(&script{txs: counting(9).txs[:3]}, rowferry.Fresh)
	b.opts.Throttle = rowferry.NewThrottle(rowferry.Limits{})
	if !b.opts.Throttle.Pause() || b.opts.Throttle.Pause() {
		t.Error("a pause is news once")
	}
	r := b.running(counting(9))
	b.until("all is read", func() bool { return r.Progress().QueueBytes > 0 })
	if s := b.opts.Throttle.State(); !s.Paused || s.Writing || s.Held != rowferry.HeldByPause || s.Since.IsZero() {
		t.Errorf("%+v", s)
	}
	b.rows(upTo(3)...)
	r.cancel()
	if err := <-r.ended; rowferry.CodeOf(err) != rowferry.CodeInterrupted {
		t.Errorf("%v", err)
	}
	b.rows(upTo(3)...)
	b.opts.Throttle = nil
	b.must(counting(9), rowferry.Resumed)
	b.rows(upTo(9)...)
}

// TestResume: what was held back is written when the pause ends.
func TestResume(t *testing.T) {
	b := newBench(t)
	b.opts.Throttle = rowferry.NewThrottle(rowferry.Limits{})
	b.opts.Throttle.Pause()
	r := b.running(counting(9))
	b.until("all is read", func() bool { return r.Progress().QueueBytes > 0 })
	if p := r.Progress(); p.Rows != 0 || p.Throttle.Held != rowferry.HeldByPause {
		t.Errorf("%+v", p)
	}
	if !b.opts.Throttle.Resume() || b.opts.Throttle.Resume() {
		t.Error("a pause ends once")
	}
	if err := <-r.ended; err != nil {
		t.Fatal(err)
	}
	b.rows(upTo(9)...)
	if s := r.Progress().Throttle; s.Paused || s.Held != "" || s.Waited[rowferry.HeldByPause] <= 0 || s.Writing {
		t.Errorf("%+v", s)
	}
}

// TestRate: a transaction larger than the limit is written whole, the next one
// waits, and goes on when there is no limit any more.
func TestRate(t *testing.T) {
	b := newBench(t)
	big := []rowferry.Change{}
	for i := range 5000 {
		big = append(big, put(int64(i+1), 0))
	}
	b.opts.Throttle = rowferry.NewThrottle(rowferry.Limits{RowsPerSecond: 1})
	r := b.running(log(big, []rowferry.Change{put(5001, 0)}))
	b.until("the first is committed, and the next waits", func() bool {
		s := r.Progress()
		return s.Transactions == 1 && s.Throttle.Held == rowferry.HeldByRate
	})
	b.rows(upTo(5000)...)
	if s := b.opts.Throttle.State(); s.Writing || s.Since.IsZero() || s.Paused {
		t.Errorf("%+v", s)
	}
	if err := b.opts.Throttle.Set(t.Context(), rowferry.Limits{}); err != nil {
		t.Fatal(err)
	}
	if err := <-r.ended; err != nil {
		t.Fatal(err)
	}
	b.rows(upTo(5001)...)
	if s := r.Progress().Throttle; s.Held != "" || s.Waited[rowferry.HeldByRate] <= 0 {
		t.Errorf("%+v", s)
	}
}

// TestRateBoundsBatches: batches have no more rows than a second may have, and an
// engine that waits ends at once.
func TestRateBoundsBatches(t *testing.T) {
	b := newBench(t)
	b.opts.BatchTxs = 1000
	b.opts.Throttle = rowferry.NewThrottle(rowferry.Limits{RowsPerSecond: 2})
	b.opts.Throttle.Pause()
	s := counting(1000)
	for _, tx := range s.txs {
		tx.CommitTime = time.Unix(0, 0) // a second of the source is a batch otherwise
	}
	r := b.running(s)
	one := s.txs[1].Changes[0].Size()
	b.until("more is read than a batch may have", func() bool { return r.Progress().QueueBytes > 10*one })
	b.opts.Throttle.Resume()
	b.until("a batch waits", func() bool {
		s := r.Progress()
		return s.Batches > 0 && s.Throttle.Held == rowferry.HeldByRate
	})
	r.cancel()
	if err := <-r.ended; rowferry.CodeOf(err) != rowferry.CodeInterrupted {
		t.Errorf("%v", err)
	}
	if p := r.Progress(); p.MostTransactions > 2 {
		t.Errorf("a batch had %d rows", p.MostTransactions)
	}
	b.opts.Throttle = nil
	b.must(counting(1000), rowferry.Resumed)
	b.rows(upTo(1000)...)
}

// TestGaugesAreRefused: a limit of which nothing can be seen is refused by name, at
// the start and later.
func TestGaugesAreRefused(t *testing.T) {
	b := newBench(t)
	b.opts.Throttle = rowferry.NewThrottle(rowferry.Limits{TargetLag: time.Second})
	b.fails(counting(1), rowferry.CodeUsage)
	b.opts.Throttle = rowferry.NewThrottle(rowferry.Limits{RowsPerSecond: 5})
	for _, l := range []rowferry.Limits{{TargetLag: time.Second}, {SourceRunning: 1}} {
		if err := b.opts.Throttle.Set(t.Context(), l); rowferry.CodeOf(err) != rowferry.CodeUsage {
			t.Errorf("%+v: %v", l, err)
		}
	}
	if l := b.opts.Throttle.State().Limits; l != (rowferry.Limits{RowsPerSecond: 5}) {
		t.Errorf("a limit that was refused changed %+v", l)
	}
}
