package rowferry

import (
	"context"
	"sync"
	"time"
)

// Limits say what a pipeline is held back by. Zero values do not hold it back.
type Limits struct {
	// RowsPerSecond is how many rows are written to the target in a second, as
	// the source tells them: chunks of a copy and batches of the log alike. Neither
	// is cut off in the middle for it.
	RowsPerSecond int
	// SourceRunning is how many sessions may be at work on the source, for a copy
	// to begin another chunk. See LoadGauge.
	SourceRunning int
	// TargetLag is how far the target's replicas may be behind it, for anything
	// more to be begun. See LagGauge.
	TargetLag time.Duration
}

// Hold is what holds a pipeline back.
type Hold string

// The holds, by the names of their settings.
const (
	HeldByPause  Hold = "pause"
	HeldByRate   Hold = "max_rows_per_second"
	HeldBySource Hold = "source_max_running"
	HeldByTarget Hold = "target_max_lag"
)

// Holds lists them, the one that is named first where several hold.
func Holds() []Hold { return []Hold{HeldByPause, HeldByTarget, HeldBySource, HeldByRate} }

// ThrottleState is a snapshot of a Throttle.
type ThrottleState struct {
	Limits Limits
	Paused bool
	// Writing tells that something which was let through is not committed yet.
	Writing bool
	// Held is why nothing more is begun, "" where nothing holds it back, and Since
	// when that began. Paused is never without HeldByPause.
	Held  Hold
	Since time.Time
	// Waited is for how long each held something back. A pause counts whether there
	// was anything to write or not.
	Waited map[Hold]time.Duration
	// Running and Lag are what the gauges said last.
	Running int
	Lag     time.Duration
	// Unseen is why a gauge that is to hold the pipeline back does not answer now,
	// and so does not; "" where none fails.
	Unseen string
}

// Throttle holds an Engine back: by limits, and while it is paused. Whatever is to
// be written asks it before it is begun; what was begun is finished. So a pause
// leaves a committed state behind, with the checkpoint that belongs to it. It is
// safe for concurrent use, and belongs to one Engine.
type Throttle struct {
	mu      sync.Mutex
	changed chan struct{} // closed, and made anew, when who waits should look again
	limits  Limits
	bucket  bucket
	paused  time.Time // since when; zero: not
	gauges  gauges

	writers int // let through, and not done yet
	waiting int
	held    Hold // what they wait for, or the last of them waited for, but for pauses
	since   time.Time
	ticked  time.Time // waited is right for then
	waited  map[Hold]time.Duration
}

// NewThrottle returns one with limits, that is not paused.
func NewThrottle(l Limits) *Throttle {
	t := &Throttle{changed: make(chan struct{}), limits: l, waited: map[Hold]time.Duration{}}
	t.bucket.set(time.Now(), l.RowsPerSecond)
	return t
}

// Pause has nothing more begun until Resume, and reports whether that is news.
func (t *Throttle) Pause() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if !t.paused.IsZero() {
		return false
	}
	t.paused = t.tick()
	t.wake()
	return true
}

// Resume ends a pause, and reports whether there was one.
func (t *Throttle) Resume() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.paused.IsZero() {
		return false
	}
	t.tick()
	t.paused = time.Time{}
	t.wake()
	return true
}

// Set changes the limits. One that needs a gauge is refused where there is none, or
// where it does not answer; then none is changed.
func (t *Throttle) Set(ctx context.Context, l Limits) error {
	t.mu.Lock()
	was, g := t.limits, t.gauges
	t.mu.Unlock()
	if l.TargetLag != was.TargetLag {
		if err := t.lag(ctx, g.target, l.TargetLag); err != nil {
			return err
		}
	}
	if l.SourceRunning != was.SourceRunning {
		if err := t.running(ctx, g.source, l.SourceRunning); err != nil {
			return err
		}
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.limits = l
	t.bucket.set(t.tick(), l.RowsPerSecond)
	t.wake()
	return nil
}

// State returns a snapshot.
func (t *Throttle) State() ThrottleState {
	t.mu.Lock()
	defer t.mu.Unlock()
	now := t.tick()
	s := ThrottleState{
		Limits: t.limits, Paused: !t.paused.IsZero(), Writing: t.writers > 0, Waited: map[Hold]time.Duration{},
		Running: t.gauges.running, Lag: t.gauges.lag, Unseen: t.gauges.unseen(t.limits),
	}
	for h, d := range t.waited {
		s.Waited[h] = d
	}
	switch {
	case s.Paused:
		s.Held, s.Since = HeldByPause, t.paused
	case t.waiting > 0 && t.held != "", t.held == HeldByRate && t.bucket.wait(now) > 0: // or between two waits
		s.Held, s.Since = t.held, t.since
	}
	return s
}

// tick counts the time since it was called last, and returns what it is.
func (t *Throttle) tick() time.Time {
	now := time.Now()
	switch {
	case !t.paused.IsZero():
		t.waited[HeldByPause] += now.Sub(t.ticked)
	case t.waiting > 0 && t.held != "":
		t.waited[t.held] += now.Sub(t.ticked)
	}
	t.ticked = now
	return now
}

// wake has who waits look again.
func (t *Throttle) wake() {
	close(t.changed)
	t.changed = make(chan struct{})
}

// holds is why nothing is begun now, and for how long at least, where that is
// known. A chunk of a copy also looks at the source.
func (t *Throttle) holds(now time.Time, chunk bool) (Hold, time.Duration) {
	g, l := &t.gauges, t.limits
	switch {
	case !t.paused.IsZero():
		return HeldByPause, 0
	case l.TargetLag > 0 && g.lag > l.TargetLag:
		return HeldByTarget, 0
	case chunk && l.SourceRunning > 0 && g.running > l.SourceRunning:
		return HeldBySource, 0
	}
	if wait := t.bucket.wait(now); wait > 0 {
		return HeldByRate, wait
	}
	return "", 0
}

// try lets something through if that is possible at once.
func (t *Throttle) try() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if why, _ := t.holds(time.Now(), false); why != "" {
		return false
	}
	t.writers++
	return true
}

// begin waits until something may be begun, which is a chunk of a copy or not, and
// lets it through: done is to follow. It reports false where that would take longer
// than atMost, unless that is 0.
func (t *Throttle) begin(ctx context.Context, chunk bool, atMost time.Duration) (bool, error) {
	if atMost > 0 {
		limited, cancel := context.WithTimeout(ctx, atMost)
		defer cancel()
		err := t.await(limited, chunk)
		if err != nil && ctx.Err() == nil {
			return false, nil
		}
		return err == nil, err
	}
	err := t.await(ctx, chunk)
	return err == nil, err
}

func (t *Throttle) await(ctx context.Context, chunk bool) error {
	for first := true; ; first = false {
		changed, wait := t.look(chunk, first)
		if changed == nil {
			return nil
		}
		err := rest(ctx, changed, wait)
		t.mu.Lock()
		t.tick()
		t.waiting--
		t.mu.Unlock()
		if err != nil {
			return err
		}
	}
}

// rest waits for a change, or for a time, where there is one.
func rest(ctx context.Context, changed <-chan struct{}, wait time.Duration) error {
	var over <-chan time.Time
	if wait > 0 {
		timer := time.NewTimer(wait)
		defer timer.Stop()
		over = timer.C
	}
	select {
	case <-changed:
	case <-over:
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	return nil
}

// look lets something through, and returns nil, or else counts who waits.
func (t *Throttle) look(chunk, first bool) (changed <-chan struct{}, wait time.Duration) {
	t.mu.Lock()
	defer t.mu.Unlock()
	now := t.tick()
	why, wait := t.holds(now, chunk)
	if why == "" {
		if first {
			t.held = "" // what held is over
		}
		t.writers++
		return nil, 0
	}
	if why != HeldByPause && t.held != why {
		t.held, t.since = why, now
	}
	t.waiting++
	return t.changed, wait
}

// done ends what was let through.
func (t *Throttle) done() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.writers--
}

// wrote counts rows that are written by what was let through.
func (t *Throttle) wrote(rows int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.bucket.take(time.Now(), rows)
}

// share is how many rows a part of the work should have, of most: about those of a
// second, where several parts are written at once those together.
func (t *Throttle) share(most, parts int) int {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.bucket.rate <= 0 {
		return most
	}
	return min(most, max(1, t.bucket.rate/max(1, parts)))
}
