package rowferry

import (
	"context"
	"errors"
	"io"

	"github.com/rowferry/rowferry/internal/failpoint"
	"github.com/rowferry/rowferry/schema"
)

// phase is what the copy is in while it loads.
func (c *copying) phase() CopyPhase {
	if c.tables != nil {
		return Reloading
	}
	return Loading
}

// copyAgain carries a copy of some tables through its parts, and leaves a reader from
// where the log is followed strictly.
func (e *Engine) copyAgain(ctx context.Context) error {
	c := e.recopy
	for e.at.Held.Copy.again() {
		var err error
		next := e.at.Held.Copy
		switch next.Phase {
		case Reloading:
			next.Phase = Remerging
			next.Until, err = e.reload(ctx)
			c.setUntil(next.Until)
		case Remerging:
			next.Phase, next.Until = Renewing, ""
			err = e.remerge(ctx)
		case Renewing:
			err = e.renew(ctx)
			next = CopyState{}
			if was := e.at.Held.Copy; was.Copied {
				next = CopyState{Phase: Copied, Server: was.Server, Orphans: was.Orphans}
			}
		default:
			err = Errorf(CodeInternal, "tables are copied again in phase %q", next.Phase)
		}
		if err == nil {
			err = e.throttled(ctx, false, func() error { return e.enter(ctx, next) })
		}
		if err != nil {
			return err
		}
	}
	if err := errors.Join(e.closeRecopy(), e.parts.State.DropStage()); err != nil {
		return err
	}
	e.recopy = nil
	return e.read(ctx, e.again())
}

// reload loads the tables into the stage while the log is followed, and returns a mark
// behind them.
func (e *Engine) reload(ctx context.Context) (mark Mark, err error) {
	c := e.recopy
	loading, stop := context.WithCancel(ctx)
	defer stop()
	c.loaded = make(chan struct{})
	var failed error
	go func() { // the goroutine "reload"
		mark, failed = e.load(loading, c)
		close(c.loaded)
	}()
	err = e.mergeOnce(ctx)
	if !errors.Is(err, io.EOF) {
		stop()
	}
	<-c.loaded
	if errors.Is(err, io.EOF) { // also where the source has no more to tell
		err = failed
	}
	return mark, err
}

// remerge follows the log up to the mark, and has the stage be what the source was
// there. A row that had to be read again moves the mark.
func (e *Engine) remerge(ctx context.Context) error {
	c := e.recopy
	for {
		if err := e.merge(ctx, c); err != nil {
			return err
		}
		if err := e.insistOn(ctx, func() error { return e.drain(ctx) }); err != nil {
			return err
		}
		if err := failpoint.Hit("recopy.drained"); err != nil {
			return err
		}
		if passed, err := c.copier.Passed(e.at.Position, e.at.Log, c.until()); err != nil || passed {
			return err
		}
	}
}

// drain merges what was listed into the stage.
func (e *Engine) drain(ctx context.Context) error {
	c := e.recopy
	tables := map[schema.Name]*schema.Table{}
	for i := range c.shapes {
		tables[c.shapes[i].Source] = c.shapes[i].Table
	}
	m := newMerger(e, c, stageTx{stage: c.stage()}, nil)
	n, upto := 0, c.drained
	var ms []Mutation
	err := c.stage().Listed(c.drained, tables, func(sequence uint64, ch *Change) (err error) {
		if ms, err = c.handler.Handle(ms[:0], ch); err != nil {
			return err
		}
		ms[0].Origin = &Origin{}
		if err := m.add(ctx, &ms[0]); err != nil {
			return err
		}
		upto = sequence
		if n++; n%mergeChunk == 0 {
			return errors.Join(ctx.Err(), m.flush(ctx))
		}
		return nil
	})
	if err == nil {
		err = m.flush(ctx)
	}
	if err == nil {
		c.drained = upto
	}
	return err
}

// listed notes in the stage, before the batch commits, what it changes in the tables
// that are copied again.
func (e *Engine) listed(b *batch) error {
	c := e.recopy
	if c == nil || e.at.Held.Copy.Phase == Renewing {
		return nil
	}
	if failpoint.On("forget-listed") {
		return nil
	}
	sequence := e.at.Sequence + 1
	if c.listed >= sequence { // by an attempt that did not commit
		if err := c.stage().Unlist(e.at.Sequence); err != nil {
			return err
		}
	}
	c.listed = sequence
	return c.stage().List(sequence, func(add func(*Change) error) error {
		for _, t := range b.txs {
			err := t.each(func(_ int, ch *Change) error {
				if !c.concerns(ch.Table.Name) || ch.Op == Shape {
					return nil
				}
				return add(ch)
			})
			if err != nil {
				return err
			}
		}
		return nil
	})
}
