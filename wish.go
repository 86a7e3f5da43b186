package rowferry

import (
	"context"
	"fmt"
	"sync"
)

// wishes are what an operator wants done with rows that were put aside, until they
// are granted. Safe for concurrent use.
type wishes struct {
	mu      sync.Mutex
	waiting []wishing
	over    bool // nobody grants any more
}

type wishing struct {
	list []Wish
	done func(error)
}

func (w *wishes) any() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.waiting) > 0
}

func (w *wishes) add(list []Wish, done func(error)) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.over {
		done(errEnding())
		return
	}
	w.waiting = append(w.waiting, wishing{list, done})
}

func (w *wishes) take() wishing {
	w.mu.Lock()
	defer w.mu.Unlock()
	first := w.waiting[0]
	w.waiting = w.waiting[1:]
	return first
}

// end refuses what was not granted.
func (w *wishes) end() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.over = true
	for _, x := range w.waiting {
		x.done(errEnding())
	}
	w.waiting = nil
}

func errEnding() error {
	return Errorf(CodeNoEngine, "the engine ends, and does no more with rows that were put aside").Remedy("again", "once it runs again")
}

// Grant carries out wishes about rows that were put aside, between two batches: each
// is committed by itself, or with others. It returns when that is done, or with
// the error that kept it from being done: those before the one it is about were.
// Safe for concurrent use while Run runs.
func (e *Engine) Grant(ctx context.Context, list []Wish) error {
	if len(list) == 0 {
		return nil
	}
	done := make(chan error, 1)
	e.wishes.add(list, func(err error) { done <- err })
	e.mu.Lock()
	q := e.queue
	e.mu.Unlock()
	if q != nil {
		q.poke()
	}
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// grant carries out the first wishes, while nothing else is under way. What the
// target does not take is no reason to stop: the rows stay where they were.
func (l *lanes) grant(ctx context.Context) error {
	e := l.engine
	if _, err := e.throttle.begin(ctx, false, 0); err != nil {
		return err
	}
	defer e.throttle.done()
	l.given.Wait()
	w := e.wishes.take()
	b, at := &batch{}, e.at.Position
	if c := e.at.Held.Copy; c.carries() {
		at = Position(c.Carried)
		if e.brought != nil {
			if err := e.brought.committed(c.Carried); err != nil {
				return err
			}
		}
	}
	for i := range w.list {
		end := &Tx{
			ID: fmt.Sprintf("row %d put aside, %d", w.list[i].Number, i), Position: at, Lineage: e.at.Lineage, Log: e.at.Log,
			CommitTime: e.at.Commit, Last: true,
		}
		b.txs = append(b.txs, &txn{end: end, wish: &w.list[i]})
	}
	err := e.apply(ctx, newAttempt(e, b))
	w.done(err)
	if err != nil && worthSplitting(err) && !CodeOf(err).Transient() {
		e.newest = nil // nothing that is not committed is built upon
		return nil
	}
	return err
}

// grant is what comes of a wish.
func (w *mapper) grant(wish Wish, origin *Origin) error {
	if w.notes == nil {
		return Errorf(CodeInternal, "a row was put aside where none can be")
	}
	w.notes.change(origin.Tx, 0)
	var err error
	if w.out, err = w.engine.parts.Resolver.Reconsider(w.out, wish, origin, w.notes); err != nil {
		return err
	}
	return w.notes.fits()
}
