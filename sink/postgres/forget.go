package postgres

import (
	"context"
	"math"

	"github.com/rowferry/rowferry"
)

var _ rowferry.Forgetter = (*Sink)(nil)

// DeleteCheckpoint deletes the row that is still as was, in a transaction of its
// own.
func (s *Sink) DeleteCheckpoint(ctx context.Context, was rowferry.Checkpoint) error {
	return s.within(ctx, func() error {
		exists, err := s.hasTable(ctx, checkpoints)
		if err != nil {
			return err
		}
		if !exists || was.Fence > math.MaxInt64 || was.Sequence > math.MaxInt64 {
			return s.fenced(ctx, was)
		}
		if s.options.Trace != nil {
			s.options.Trace("DELETE FROM rowferry.rowferry_checkpoint", []string{was.Pipeline})
		}
		n, err := s.exec(ctx, "DELETE FROM "+checkpoints+` WHERE "pipeline" = $1 AND "fence" = $2 AND "sequence" = $3`, was.Pipeline, int64(was.Fence), int64(was.Sequence))
		if err == nil && n != 1 {
			err = s.fenced(ctx, was)
		}
		return err
	})
}
