package mysql

import (
	"context"
	"errors"

	"github.com/rowferry/rowferry"
	"github.com/rowferry/rowferry/internal/failpoint"
)

// Commit ends the batch with the guarded checkpoint and makes both durable.
func (b *batch) Commit(ctx context.Context, cp rowferry.Checkpoint) error {
	s := b.sink
	if b.failed || s.open != b {
		return rowferry.Errorf(rowferry.CodeInternal, "a commit of a batch that is over")
	}
	b.failed = true
	apart := failpoint.On("position-apart")
	if err := b.conclude(ctx, cp, !apart && !b.moved); err != nil {
		return err
	}
	// The row's lock is held now, and all else is answered. Before this statement
	// the batch is not in the target, whatever happens.
	if err := s.session.exec(ctx, "COMMIT"); err != nil {
		return s.translate(err)
	}
	// After it the batch is durable.
	s.open = nil
	if err := failpoint.Hit("commit.sent"); err != nil {
		return err
	}
	if apart {
		return errors.Join(s.advance(ctx, cp), s.moved(ctx, cp))
	}
	return nil
}

// conclude has all answered that was written, and the checkpoint's row moved on.
func (b *batch) conclude(ctx context.Context, cp rowferry.Checkpoint, move bool) error {
	s := b.sink
	if len(b.waiting.changes) > 0 {
		if err := b.land(ctx, true); err != nil {
			return err
		}
	}
	err := b.finish(ctx)
	if err == nil && move {
		err = s.advance(ctx, cp)
	}
	if first := b.land(ctx, true); first != nil {
		return first
	}
	if err == nil && move {
		err = s.moved(ctx, cp)
	}
	if err == nil {
		err = s.translate(s.session.settle(ctx))
	}
	return err
}

// Rollback undoes the batch. After a Commit that succeeded it does nothing.
func (b *batch) Rollback() error {
	s := b.sink
	if s.open != b {
		return nil
	}
	s.open = nil
	b.failed = true
	s.abandon()
	return nil
}
