package mysql

import (
	"context"
	"math"

	"github.com/rowferry/rowferry"
)

var _ rowferry.Forgetter = (*Sink)(nil)

// DeleteCheckpoint deletes the row that is still as was, in a transaction of its
// own.
func (s *Sink) DeleteCheckpoint(ctx context.Context, was rowferry.Checkpoint) error {
	if err := s.idle(ctx); err != nil {
		return err
	}
	if was.Fence > math.MaxInt64 || was.Sequence > math.MaxInt64 {
		return s.fenced(ctx, was)
	}
	if err := s.start(ctx); err != nil {
		return err
	}
	s.trace("DELETE FROM rowferry_checkpoint", []string{was.Pipeline})
	err := s.missed(was, s.session.queueWith(ctx, "DELETE FROM "+quoteName(s.checkpointName())+" WHERE pipeline = ? AND fence = ? AND sequence = ?",
		was.Pipeline, int64(was.Fence), int64(was.Sequence)))
	if err == nil {
		err = s.moved(ctx, was)
	}
	if err == nil {
		err = s.translate(s.session.exec(ctx, "COMMIT"))
	}
	if err != nil {
		s.abandon()
	}
	return err
}
