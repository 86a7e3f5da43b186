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
	now.Config, now.Held.Copy, now.Held.Shapes = e.opts.Config, next, len(e.shapes)
	now.Updated = time.Now().UTC()
	if err := e.parts.State.Record(Record{Checkpoint: now, Shapes: sortedShapes(e.shapes), Rules: e.opts.Rules}); err != nil {
		return err
	}
	was := e.at
	keeper, ok := e.parts.Sink.(CheckpointKeeper)
	if !ok {
		return Errorf(CodeInternal, "a target without checkpoint is copied into")
	}
	err := e.insistOn(ctx, func() error {
		err := keeper.WriteCheckpoint(ctx, &was, now)
		if err == nil {
			return nil
		}
		row, readErr := keeper.ReadCheckpoint(ctx, now.Pipeline)
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
		if err := e.insistOn(ctx, func() (err error) { l, err = e.newLoading(ctx, c); return err }); err != nil {
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
func (e *Engine) recallSnapshots(ctx context.Context, c *copying) error {
	chunks, err := c.loader.Chunks(ctx, e.opts.Pipeline)
	if err != nil {
		return err
	}
	c.seen = map[schema.Name]Snapshot{}
	for _, chunk := range chunks {
		if chunk.Saw != "" {
			c.seen[chunk.Table] = chunk.Saw // a table without a key is one chunk
		}
	}
	return c.expect(chunks)
}

// expect has the source's log be one that has what chunks saw.
func (c *copying) expect(chunks []Chunk) error {
	saw := make([]Snapshot, len(chunks))
	for i := range chunks {
		saw[i] = chunks[i].Saw
	}
	return c.copier.Expect(saw)
}

// sameLineage refuses a source that may not have what chunks saw that are loaded.
func (e *Engine) sameLineage() error {
	if e.copying.source == nil {
		return nil
	}
	if r, ok := e.copying.source.(Recognizer); ok {
		return r.Recognize(e.at.Held.Copy.Server)
	}
	began, now := e.at.Held.Copy.Server, e.copying.source.Server()
	if began == now && e.at.Held.Copy.Phase == Loading && e.at.Lineage != "" {
		if _, lineage := e.copying.source.From(); lineage != "" {
			began, now = e.at.Lineage, lineage
		}
	}
	if began == now {
		return nil
	}
	return Errorf(CodeLineageBroken, "the source is another server than the one whose tables are being copied, or failed over").
		Fact("began with", "%s", began).Fact("now", "%s", now).
		Remedy("start over", "rowferry destroy, then run again into empty tables")
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
