package mysql

import (
	"context"
	"math"

	"github.com/rowferry/rowferry"
	"github.com/rowferry/rowferry/internal/failpoint"
	"github.com/rowferry/rowferry/internal/sqlsink"
)

// load is a connection that loads chunks, each of them one transaction: a lane
// whose batches leave the checkpoint as it is.
type load struct {
	sink  *Sink
	batch *batch // the open chunk, or nil
	shape *rowferry.Mutation
	again bool
}

// Load opens another connection. Its goroutine is whoever uses it.
func (s *Sink) Load(ctx context.Context) (rowferry.Load, error) {
	lane, err := s.lane(ctx)
	if err != nil {
		return nil, err
	}
	return &load{sink: lane}, nil
}

// Begin begins a chunk, on a new connection where the last one broke.
func (l *load) Begin(ctx context.Context, shape *rowferry.Mutation, again bool) error {
	switch {
	case l.batch != nil:
		return rowferry.Errorf(rowferry.CodeInternal, "a chunk is already open on this connection to the MySQL target")
	case l.sink.options.ReadOnly:
		return rowferry.Errorf(rowferry.CodeInternal, "the MySQL target was opened for reading only")
	case again && shape.Table.Identity() == nil:
		return rowferry.Errorf(rowferry.CodeInternal, "a table without a key was to be loaded over rows that are there").Fact("table", "%s", shape.Table.Name)
	}
	b, err := l.sink.begin(ctx)
	if err != nil {
		return err
	}
	b.names = true
	l.batch, l.shape, l.again = b, shape, again
	if _, err := l.sink.target(ctx, shape); err != nil {
		_ = l.Rollback() // which cannot fail: what cannot be rolled back ends with its connection
		return sqlsink.Blame(err, shape)
	}
	return nil
}

// Write writes rows as the inserts of a batch are written in bulk, or merges them
// where there may be others in their places.
func (l *load) Write(ctx context.Context, ms []rowferry.Mutation) error {
	b := l.batch
	if b == nil {
		return rowferry.Errorf(rowferry.CodeInternal, "rows were to be loaded without a chunk")
	}
	for i := range ms {
		if m := &ms[i]; m.Op != rowferry.Insert || m.Table.Name != l.shape.Table.Name {
			b.failed = true
			return rowferry.Errorf(rowferry.CodeInternal, "a chunk was given something else than inserts of its table").
				Fact("operation", "%s", m.Op).Fact("table", "%s", m.Table.Name).Fact("chunk of", "%s", l.shape.Table.Name)
		}
	}
	if l.again {
		return b.Merge(ctx, ms)
	}
	return b.WriteBulk(ctx, ms)
}

// Commit makes the chunk durable. From before its COMMIT until after it the
// checkpoint's row is locked, together with other chunks, so that who takes the
// pipeline over waits for it.
func (l *load) Commit(ctx context.Context, cp rowferry.Checkpoint, c rowferry.Chunk) error {
	b, s := l.batch, l.sink
	if b == nil || b.failed || s.open != b {
		return rowferry.Errorf(rowferry.CodeInternal, "a commit of a chunk that is over")
	}
	b.failed = true
	if err := b.conclude(ctx, cp, false); err != nil {
		return err
	}
	if err := s.hold(ctx, cp); err != nil {
		return err
	}
	if err := s.loaded(ctx, cp, c); err != nil {
		return err
	}
	if err := s.session.exec(ctx, "COMMIT"); err != nil {
		return s.translate(err)
	}
	s.open, l.batch = nil, nil
	return nil
}

// hold locks the pipeline's row against changes until the transaction ends:
// CodeFenced where it is not as cp. Others may hold it too.
func (s *Sink) hold(ctx context.Context, cp rowferry.Checkpoint) error {
	if cp.Fence > math.MaxInt64 || cp.Sequence > math.MaxInt64 {
		return s.fenced(ctx, cp)
	}
	held := false
	err := s.session.query(ctx, "SELECT 1 FROM "+quoteName(s.checkpointName())+
		" WHERE pipeline = ? AND fence = ? AND sequence = ? AND format <= ? LOCK IN SHARE MODE", func(func(...any) error) error {
		held = true
		return nil
	}, cp.Pipeline, int64(cp.Fence), int64(cp.Sequence), rowferry.CheckpointFormat)
	switch {
	case err != nil:
		return s.missed(cp, err)
	case !held && !failpoint.On("ignore-fence"):
		return s.fenced(ctx, cp)
	default:
		return nil
	}
}

// Rollback undoes the chunk. After a Commit that succeeded it does nothing.
func (l *load) Rollback() error {
	b := l.batch
	l.batch = nil
	if b == nil {
		return nil
	}
	return b.Rollback()
}

// Close rolls back an open chunk and closes the connection.
func (l *load) Close() error {
	l.batch = nil
	return l.sink.Close()
}
