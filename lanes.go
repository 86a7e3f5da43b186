package rowferry

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"
)

// lanes brings batches into the target, in the source's order. While one is
// being written or committed, the next is written on another connection, but
// for what it has to do with those before it: see footprint. They commit one
// after the other, so that every committed state is one that the source had.
//
// Whatever goes wrong beside others is no news yet: the batch, and those after
// it, are rolled back and applied again, one by one. That also ends a wait of
// an earlier batch for a lock of a later one, which the server cannot see to be
// without end.
type lanes struct {
	engine  *Engine
	queue   *queue
	sinks   []Sink         // one a lane; the first is the engine's own
	idle    []Sink         // those without a flight
	flights []*flight      // the earliest first
	next    *attempt       // is planned, and has no lane yet; nil where there is none
	again   []*attempt     // to be applied before anything else, each alone
	short   *batch         // cannot be planned before more keys are reserved; nil where there is none
	given   sync.WaitGroup // flights that were given up and are not rolled back yet
	begun   int            // batches that the throttle let through and that are not applied yet
	// bearable is how many rows the next batch may have, so that what it notes is not
	// much; see bear.
	bearable int
	pace     pace
}

// flight is a batch on its way through a lane.
type flight struct {
	*attempt
	sink    Sink
	tx      SinkTx
	later   []part // to write once the batches before it are committed
	begun   time.Time
	took    time.Duration // until now was written
	written chan error    // one, once the rest is written
}

func newLanes(e *Engine, q *queue) *lanes {
	l := &lanes{engine: e, queue: q, sinks: []Sink{e.parts.Sink}, pace: pace{most: 1}, bearable: e.opts.BatchRows}
	if _, ok := e.parts.Sink.(Laner); ok && e.compactor != nil {
		l.pace.most = e.opts.Lanes
	}
	l.idle = append(l.idle, l.sinks...)
	return l
}

// run applies batches until the queue ends, and returns why it did.
func (l *lanes) run(ctx context.Context) error {
	for {
		err := l.step(ctx)
		if err == nil {
			continue
		}
		l.giveUp(0)
		left := l.again
		if l.next != nil {
			left = append(left, l.next)
		}
		if l.short != nil {
			left = append(left, newAttempt(l.engine, l.short))
		}
		for _, a := range left {
			err = errors.Join(err, a.batch.close())
		}
		l.given.Wait()
		for ; l.begun > 0; l.begun-- {
			l.engine.throttle.done()
		}
		return errors.Join(err, l.narrow())
	}
}

// step does what comes next: what went wrong is done again before anything
// else, and what can be committed is committed before more is taken.
func (l *lanes) step(ctx context.Context) error {
	switch {
	case len(l.flights) == 0 && len(l.again) > 0:
		return l.alone(ctx)
	case len(l.flights) == 0 && ctx.Err() != nil:
		return context.Cause(ctx)
	case len(l.again) > 0, len(l.flights) > 0 && len(l.flights[0].written) > 0:
		return l.land(ctx)
	case l.short != nil && len(l.flights) > 0:
		return l.land(ctx)
	case l.short != nil:
		return l.reserve(ctx)
	case l.next != nil && ctx.Err() == nil && l.free(ctx):
		l.launch(ctx)
		return nil
	case l.next != nil:
		return l.land(ctx)
	}
	if l.engine.wishes.any() {
		if len(l.flights) > 0 {
			return l.land(ctx)
		}
		return l.grant(ctx)
	}
	b, err := l.take(ctx)
	switch {
	case len(l.flights) == 0 && b == nil && err == nil:
		return nil // somebody has a wish
	case len(l.flights) > 0 && (b == nil || err != nil):
		return l.land(ctx)
	case err != nil:
		return err
	default:
		l.plan(ctx, b)
		return nil
	}
}

// plan makes a batch the next, or one that is applied alone: where it tells of
// tables, does not fit into memory or cannot be planned, and where nothing is
// behind it, since that is the quickest.
func (l *lanes) plan(ctx context.Context, b *batch) {
	e := l.engine
	if e.compactor != nil && e.copying == nil && !b.spilled() {
		a, err := e.planned(ctx, b)
		if err == nil && a.notes != nil {
			l.bear(a.notes.bytes, b.rows())
		}
		switch {
		case errors.Is(err, ErrKeysShort):
			l.short = b
			return
		case err != nil: // what is wrong is met again in its place
		case l.pace.most > 1 && !b.tellsTables() && !e.rebuilding && (len(l.flights) > 0 || l.queue.waits()):
			l.next = a
			return
		default:
			l.again = append(l.again, a)
			return
		}
	}
	l.again = append(l.again, newAttempt(e, b))
}

// reserve has more keys set aside, and plans the batch that lacked them.
func (l *lanes) reserve(ctx context.Context) error {
	e := l.engine
	var r retry
	for {
		err := e.reserve(context.WithoutCancel(ctx), l.short)
		if err == nil {
			break
		}
		if err := e.pause(ctx, &r, err); err != nil {
			return err
		}
	}
	b := l.short
	l.short = nil
	l.plan(ctx, b)
	return nil
}

// alone applies a batch while nothing else is under way.
func (l *lanes) alone(ctx context.Context) error {
	a := l.again[0]
	l.given.Wait()
	if a.batch.tellsTables() {
		if err := l.narrow(); err != nil {
			return err
		}
	}
	l.again = l.again[1:]
	if a.stale {
		a = l.engine.anew(ctx, a.batch)
	}
	aside := l.engine.aside
	err := l.engine.apply(ctx, a)
	if l.engine.aside != aside {
		l.outdate()
	}
	l.applied()
	if closeErr := a.batch.close(); err == nil {
		err = closeErr
	}
	return err
}

// free reports whether there is a lane for the next batch, opening one where
// that is needed.
func (l *lanes) free(ctx context.Context) bool {
	if len(l.flights) == 0 {
		l.given.Wait()
		return true
	}
	if !l.pace.beside() {
		return false
	}
	if len(l.idle) == 0 && len(l.sinks) < l.pace.most {
		lane, err := l.engine.parts.Sink.(Laner).Lane(ctx)
		if err != nil || lane == nil {
			l.pace.most = len(l.sinks)
			l.engine.opts.Log.Info("batches are written on fewer connections", "connections", len(l.sinks), "because", err)
			return false
		}
		l.sinks, l.idle = append(l.sinks, lane), append(l.idle, lane)
	}
	return len(l.idle) > 0
}

// narrow closes the lanes but the first, when nothing is under way.
func (l *lanes) narrow() error {
	var errs []error
	for _, s := range l.sinks[1:] {
		errs = append(errs, s.Close())
	}
	l.sinks = l.sinks[:1]
	l.idle = append(l.idle[:0], l.sinks[0])
	return errors.Join(errs...)
}

// launch has the next batch written.
func (l *lanes) launch(ctx context.Context) {
	earlier := make([]*footprint, len(l.flights))
	for i, f := range l.flights {
		earlier[i] = &f.attempt.plan.print
	}
	now, later := l.next.plan.apart(earlier)
	last := len(l.idle) - 1
	f := &flight{attempt: l.next, sink: l.idle[last], later: later, begun: time.Now(), written: make(chan error, 1)}
	if len(earlier) > 0 && len(now) > 0 {
		l.engine.stats.overlapped()
	}
	l.idle, l.next = l.idle[:last], nil
	l.flights = append(l.flights, f)
	ctx = context.WithoutCancel(ctx)
	go func() { f.written <- f.begin(ctx, now) }() // a "lane"
}

// begin writes what can be written now.
func (f *flight) begin(ctx context.Context, now []part) error {
	tx, err := f.sink.Begin(ctx)
	if err != nil {
		return err
	}
	f.tx = tx
	err = f.put(ctx, now, nil)
	f.took = time.Since(f.begun)
	return err
}

func (f *flight) put(ctx context.Context, parts []part, cp *Checkpoint) error {
	err := put(ctx, f.tx, parts, cp)
	if err != nil {
		return errors.Join(err, f.tx.Rollback())
	}
	return nil
}

// land commits the earliest flight, once it is written.
func (l *lanes) land(ctx context.Context) error {
	f := l.flights[0]
	ctx = context.WithoutCancel(ctx)
	err := l.await(f)
	if err == nil { // the time has come for the rest
		f.attempt.recordNow()
		go func() { f.written <- f.put(ctx, f.later, f.attempt.sealed()) }()
		err = l.await(f)
	}
	if err != nil {
		err = errors.Join(err, f.attempt.unrecord())
	}
	stops := false // for good: what becomes of the others does not matter
	if err == nil {
		err = f.attempt.commit(ctx, f.tx)
		stops = err != nil && f.attempt.sent == nil && !CodeOf(err).Transient() && !worthSplitting(err)
	}
	l.flights = slices.Delete(l.flights, 0, 1)
	l.idle = append(l.idle, f.sink)
	switch {
	case stops:
		return located(err, f.attempt.batch)
	case err != nil:
		l.engine.stats.ranAgain()
		l.engine.opts.Log.Info("a batch is applied again, alone", "because", err)
		l.pace.trouble()
		l.giveUp(0)
		l.again = slices.Insert(l.again, 0, f.attempt)
		return nil
	}
	l.pace.landed(f.took)
	err = f.attempt.done()
	l.applied()
	return err
}

// await waits until f is written. Where that takes long, what it waits for may
// be a later flight's, which is given up.
func (l *lanes) await(f *flight) error {
	if len(l.flights) == 1 {
		return <-f.written
	}
	timer := time.NewTimer(l.pace.patience())
	defer timer.Stop()
	select {
	case err := <-f.written:
		return err
	case <-timer.C:
		l.pace.trouble()
		l.giveUp(1)
		return <-f.written
	}
}

// giveUp rolls back the flights from the given one on, as soon as they can be.
// Their batches are to be applied again.
func (l *lanes) giveUp(from int) {
	again := make([]*attempt, 0, len(l.flights)+len(l.again))
	for _, f := range l.flights[from:] {
		again = append(again, f.attempt)
		l.idle = append(l.idle, f.sink) // not before given is waited for
		l.given.Go(func() {
			if err := <-f.written; err == nil {
				// A rollback that fails ends with its connection.
				_ = f.tx.Rollback()
			}
		})
	}
	l.flights = slices.Delete(l.flights, from, len(l.flights))
	l.again = append(again, l.again...)
}

const (
	// leastPatience is how long an earlier batch is waited for at least before
	// later ones are rolled back for its sake.
	leastPatience = time.Second
	// longestRest is how many batches are written one by one at most after some
	// could not be written beside others.
	longestRest = 256
)

// pace decides whether batches are written at the same time. Where that went
// wrong, the next ones come one by one for a while, each time for longer.
type pace struct {
	most    int           // lanes
	usual   time.Duration // about what writing a batch takes
	rest    int           // batches to land before the next are written beside others
	penalty int           // the next rest
	streak  int           // batches landed since the last trouble
}

// patience is how long a batch is waited for that has others behind it.
func (p *pace) patience() time.Duration { return leastPatience + 4*p.usual }

func (p *pace) beside() bool { return p.rest == 0 }

func (p *pace) trouble() {
	p.penalty = min(longestRest, max(1, 2*p.penalty))
	p.rest, p.streak = p.penalty, 0
}

func (p *pace) landed(took time.Duration) {
	p.usual += (min(took, p.patience()) - p.usual) / 8
	p.rest = max(0, p.rest-1)
	if p.streak++; p.streak > longestRest {
		p.penalty = 0
	}
}
