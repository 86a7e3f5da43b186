package rowferry

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"
)

const (
	// firstPause is about how long the first wait for something that passes
	// by itself takes; each further one is twice as long, up to
	// Options.LongestPause.
	firstPause = 50 * time.Millisecond
	// conflictTries is how often a batch that met another session's locks is
	// applied again, however small the patience.
	conflictTries = 8
	// settled is how long a source must have been read for its next loss to
	// count as a new one.
	settled = time.Minute
)

// retry counts the tries of one thing that passes by itself.
type retry struct {
	begun time.Time // when it first failed
	tries int
}

// pause waits before the next try. It returns err where waiting is over, and
// with context.Canceled joined where ctx is.
func (e *Engine) pause(ctx context.Context, r *retry, err error) error {
	code := CodeOf(err)
	if !code.Transient() {
		return err
	}
	if r.tries == 0 {
		r.begun = time.Now()
	}
	r.tries++
	if time.Since(r.begun) >= e.opts.Patience && (code != CodeTargetConflict || r.tries > conflictTries) {
		return err
	}
	longest := min(firstPause<<min(r.tries-1, 20), e.opts.LongestPause)
	wait := longest/2 + rand.N(longest/2+1)
	e.stats.wait(fmt.Sprintf("%v", err))
	defer e.stats.wait("")
	e.opts.Log.Warn("waiting", "for", err, "again_in", wait.Round(time.Millisecond), "tries", r.tries)
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return errors.Join(context.Cause(ctx), err)
	}
}

// reopen opens the source again where it is durable in the target, after err
// ended the reader. A slot that is taken, or has moved on, may be that of an engine
// which has taken the pipeline over.
func (e *Engine) reopen(ctx context.Context, err error) error {
	if e.lost.tries > 0 && (e.lostAt != e.at.Position || time.Since(e.readSince) > settled) {
		e.lost = retry{}
	}
	e.lostAt = e.at.Position
	if closeErr := e.closeReader(); closeErr != nil && !CodeOf(closeErr).Transient() {
		return errors.Join(err, closeErr)
	}
	for {
		if err := e.pause(ctx, &e.lost, err); err != nil {
			return e.refused(ctx, err)
		}
		if err = e.read(ctx, e.again()); err == nil {
			e.opts.Log.Info("the source is back", "position", e.at.Position)
			return nil
		}
	}
}

// again is where a source that was lost is read on.
func (e *Engine) again() Start {
	s := Start{Position: e.at.Position, Lineage: e.at.Lineage, Hint: e.hint}
	if e.rebuilding {
		if e.at.Held.Shapes > 0 {
			s.ShapesFrom = e.at.Held.Oldest
		}
		return s
	}
	s.Tables = sortedShapes(e.shapes)
	return s
}
