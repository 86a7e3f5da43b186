package load

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"maps"
	"sync"
	"time"
)

// reconnectPause is how long a writer waits before it tries again to connect.
const reconnectPause = 50 * time.Millisecond

// Live is a load under way. Its methods may be called from several goroutines.
type Live struct {
	options Options
	db      *sql.DB
	cancel  context.CancelFunc
	begun   time.Time
	ended   chan struct{} // closed when all writers have ended
	stats   Stats
	err     error

	mu      sync.Mutex
	changed *sync.Cond // whenever one of these does
	count   int64      // transactions committed since Start
	active  int        // writers in a transaction
	paused  bool
	over    bool // the writers are to end, or have
}

// Start creates the tables unless they are there and starts writers, which end
// when Options say so, when ctx is done or at Stop.
func Start(ctx context.Context, db *sql.DB, o Options) (*Live, error) {
	if o.Writers == 0 {
		o.Writers = 4
	}
	l := &Live{options: o, db: db, begun: time.Now(), ended: make(chan struct{}), stats: Stats{Ops: map[string]int64{}}}
	l.changed = sync.NewCond(&l.mu)
	if err := prepare(ctx, db, o); err != nil {
		return nil, err
	}
	ctx, l.cancel = context.WithCancel(ctx)
	context.AfterFunc(ctx, l.finish)
	var writers sync.WaitGroup
	for i := 1; i <= o.Writers; i++ {
		share := o.Transactions / o.Writers
		if i <= o.Transactions%o.Writers {
			share++
		}
		writers.Go(func() { l.write(ctx, i, share) })
	}
	go func() {
		writers.Wait()
		l.finish()
		l.cancel()
		l.stats.Elapsed = time.Since(l.begun)
		close(l.ended)
	}()
	return l, nil
}

// Stop ends the load and returns what it did. A writer that is in a transaction
// may commit it without counting it.
func (l *Live) Stop() (Stats, error) {
	l.cancel()
	return l.Wait()
}

// Wait returns what the load did once it has ended.
func (l *Live) Wait() (Stats, error) {
	<-l.ended
	return l.stats, l.err
}

// Committed returns how many transactions the writers know to be committed since
// Start.
func (l *Live) Committed() int64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.count
}

// Reach waits until so many transactions are committed since Start. It is an
// error if the load ends before, or ctx does.
func (l *Live) Reach(ctx context.Context, n int64) error {
	stop := context.AfterFunc(ctx, l.wake)
	defer stop()
	l.mu.Lock()
	defer l.mu.Unlock()
	for l.count < n {
		if err := ctx.Err(); err != nil {
			return err
		}
		if l.over {
			return fmt.Errorf("load: it ended after %d transactions, before %d", l.count, n)
		}
		l.changed.Wait()
	}
	return nil
}

// Pause lets every writer end its transaction and begin none, and returns when
// none is in one: then nothing changes until Resume. Should a connection be lost
// and come back meanwhile, its writer stays put too.
func (l *Live) Pause() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.paused = true
	for l.active > 0 {
		l.changed.Wait()
	}
}

// Resume ends Pause.
func (l *Live) Resume() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.paused = false
	l.changed.Broadcast()
}

func (l *Live) wake() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.changed.Broadcast()
}

func (l *Live) finish() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.over = true
	l.changed.Broadcast()
}

func (l *Live) committed() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.count++
	l.changed.Broadcast()
}

// enter waits until a transaction may begin and reports false if none may any
// more.
func (l *Live) enter() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	for l.paused && !l.over {
		l.changed.Wait()
	}
	if l.over {
		return false
	}
	l.active++
	return true
}

func (l *Live) leave() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.active--
	l.changed.Broadcast()
}

// write is one writer from its first to its last transaction; zero of share:
// until ctx is done.
func (l *Live) write(ctx context.Context, id, share int) {
	var w *writer
	var err error
	for done := 0; err == nil && (l.options.Transactions == 0 || done < share); {
		if !l.pace(ctx) || !l.enter() {
			break
		}
		w, err = l.step(ctx, w, id)
		l.leave()
		if err == nil {
			done++
			continue
		}
		if l.options.Reconnect && dialectOf(l.options.Flavor).lost(err) && ctx.Err() == nil {
			err = nil
			l.reconnects()
			pause(ctx, reconnectPause)
		}
	}
	if w != nil {
		w.close()
		stats := w.stats
		stats.Ops = maps.Clone(stats.Ops)
		l.mu.Lock()
		l.stats.add(stats)
		l.mu.Unlock()
	}
	if err != nil && ctx.Err() == nil {
		l.mu.Lock()
		l.err = errors.Join(l.err, err)
		l.mu.Unlock()
		l.cancel()
	}
}

// step commits one transaction, in a new session if there is none or if the last
// one was lost. It returns the writer for the next step.
func (l *Live) step(ctx context.Context, w *writer, id int) (*writer, error) {
	if w == nil || w.conn == nil {
		fresh, err := newWriter(ctx, l.db, id, l.options)
		if err != nil {
			return w, err
		}
		fresh.live = l
		if w != nil { // goes on choosing where it was
			fresh.rng, fresh.stats, fresh.serial = w.rng, w.stats, max(w.serial, fresh.serial)
		}
		w = fresh
	}
	err := w.transaction(ctx, w.randomOps)
	if err != nil && dialectOf(l.options.Flavor).lost(err) {
		w.close()
		w.conn = nil
	}
	return w, err
}

func (l *Live) reconnects() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.stats.Reconnects++
}

// pace waits as Rate says and reports whether ctx is not done. Each writer has
// its share of the rate.
func (l *Live) pace(ctx context.Context) bool {
	if l.options.Rate > 0 {
		pause(ctx, time.Duration(float64(l.options.Writers)/l.options.Rate*float64(time.Second)))
	}
	return ctx.Err() == nil
}

func pause(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}
