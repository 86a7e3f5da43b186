package sqlite

import (
	"context"
	"math"

	"github.com/rowferry/rowferry"
	dialect "github.com/rowferry/rowferry/internal/dialect/sqlite"
	"github.com/rowferry/rowferry/internal/sqlsink"
)

var _ rowferry.Forgetter = (*Sink)(nil)

// DeleteCheckpoint deletes the row that is still as was, in a transaction of its
// own.
func (s *Sink) DeleteCheckpoint(ctx context.Context, was rowferry.Checkpoint) error {
	return s.within(ctx, func() error { return s.deleteCheckpoint(was) })
}

func (s *Sink) deleteCheckpoint(was rowferry.Checkpoint) error {
	exists, err := s.hasTable(sqlsink.CheckpointTable)
	if err != nil {
		return err
	}
	if !exists || was.Fence > math.MaxInt64 || was.Sequence > math.MaxInt64 {
		return s.fenced(was)
	}
	if s.options.Trace != nil {
		s.options.Trace("DELETE FROM rowferry_checkpoint", []string{was.Pipeline})
	}
	err = dialect.Exec(s.conn, "DELETE FROM rowferry_checkpoint WHERE pipeline = ? AND fence = ? AND sequence = ?", was.Pipeline, int64(was.Fence), int64(was.Sequence))
	if err == nil && s.conn.Changes() != 1 {
		return s.fenced(was)
	}
	return s.translate(err)
}
