package rowferry

import (
	"context"
	"time"

	"github.com/rowferry/rowferry/internal/failpoint"
	"github.com/rowferry/rowferry/schema"
)

// enter makes durable that the copy is in another phase: it is a batch without
// changes.
func (e *Engine) enter(ctx context.Context, next CopyState) error {
	now := e.at
	now.Sequence++
	now.Held.Copy = next
	now.Updated = time.Now().UTC()
	if err := e.parts.State.Record(Record{Checkpoint: now, Shapes: sortedShapes(e.shapes), Rules: e.opts.Rules}); err != nil {
		return err
	}
	was := e.at
	err := e.insistOn(ctx, func() error {
		err := e.copying.loader.WriteCheckpoint(ctx, &was, now)
		if err == nil {
			return nil
		}
		row, readErr := e.copying.loader.ReadCheckpoint(ctx, now.Pipeline)
		if readErr == nil && row != nil && row.Fence == now.Fence && row.Sequence == now.Sequence && row.StateID == now.StateID {
			return nil // the answer was lost
		}
		return err
	})
	if err != nil {
		return err
	}
	e.at = now
	e.stats.entered(now)
	return nil
}

// throttled calls do when the throttle lets it through.
func (e *Engine) throttled(ctx context.Context, chunk bool, do func() error) error {
	if _, err := e.throttle.begin(ctx, chunk, 0); err != nil {
		return err
	}
	defer e.throttle.done()
	return do()
}

// insistOn calls do again and again while what keeps it from the servers passes by
// itself.
func (e *Engine) insistOn(ctx context.Context, do func() error) error {
	var r retry
	for {
		err := do()
		if err == nil {
			return nil
		}
		if err := e.pause(ctx, &r, err); err != nil {
			return err
		}
	}
}

// entered looks, behind the checkpoint that says so, whether what the phase before
// brought is there: a target that crashed in between may have lost its last
// commits, and with them neither fence nor sequence.
func (e *Engine) entered(ctx context.Context) error {
	c := e.copying
	switch e.at.Held.Copy.Phase {
	case Merging:
		var l *loading
		if err := e.insistOn(ctx, func() (err error) { l, err = e.newLoading(ctx); return err }); err != nil {
			return err
		}
		if l.done() {
			return e.insistOn(ctx, func() error { return e.key(ctx, c.shapes) })
		}
		return e.enter(ctx, CopyState{Phase: Loading, Server: e.at.Held.Copy.Server, Staged: c.staged()})
	case Copied:
		return e.insistOn(ctx, func() error { return c.loader.Complete(ctx, c.shapes, e.completion()) })
	default:
		return nil
	}
}

// recallSnapshots finds what the chunks' snapshots saw.
func (e *Engine) recallSnapshots(ctx context.Context) error {
	chunks, err := e.copying.loader.Chunks(ctx, e.opts.Pipeline)
	if err != nil {
		return err
	}
	e.copying.seen = map[schema.Name]Snapshot{}
	for _, c := range chunks {
		if c.Saw != "" {
			e.copying.seen[c.Table] = c.Saw // a table without a key is one chunk
		}
	}
	return e.expect(chunks)
}

// expect has the source's log be one that has what chunks saw.
func (e *Engine) expect(chunks []Chunk) error {
	saw := make([]Snapshot, len(chunks))
	for i, c := range chunks {
		saw[i] = c.Saw
	}
	return e.copying.copier.Expect(saw)
}

// prepareLoad makes the tables. Files may have a row twice: with the key there, it is
// refused before any of its file stays.
func (e *Engine) prepareLoad(ctx context.Context) error {
	c := e.copying
	err := c.loader.PrepareLoad(ctx, c.shapes)
	if _, files := c.source.(Recognizer); !files || err != nil {
		return err
	}
	return e.key(ctx, c.shapes)
}

// key gives tables the key by which rows are found, where they are loaded without.
func (e *Engine) key(ctx context.Context, shapes []Mutation) error {
	if err := failpoint.Hit("copy.key"); err != nil {
		return err
	}
	l, ok := e.copying.loader.(LateKeyer)
	if !ok || failpoint.On("skip-key") {
		return nil
	}
	defer e.stats.completing("")
	return l.Key(ctx, shapes, e.stats.completing)
}
