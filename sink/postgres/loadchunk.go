package postgres

import (
	"context"
	"math"

	"github.com/rowferry/rowferry"
	dialect "github.com/rowferry/rowferry/internal/dialect/postgres"
	"github.com/rowferry/rowferry/internal/failpoint"
	"github.com/rowferry/rowferry/internal/sqlsink"
)

var _ rowferry.Load = (*load)(nil)

// load is a connection that loads chunks, each in a batch's transaction.
type load struct {
	sink    *Sink
	loading *loading
	closed  bool
	tx      *batch  // the open chunk, or nil
	target  *target // of tx
	rows    *copyIn // nil where rows of the chunk may be there already
}

// Load opens another connection. Where triggers are suppressed a chunk locks its
// table, so that chunks come one by one.
func (s *Sink) Load(ctx context.Context) (rowferry.Load, error) {
	if !s.loading.open(s.options.Triggers == triggersSuppress) {
		return nil, nil
	}
	l, err := s.beside(ctx)
	if err != nil {
		s.loading.close()
		return nil, err
	}
	return &load{sink: l, loading: s.loading}, nil
}

// open counts a load in, unless it must be alone and is not.
func (l *loading) open(alone bool) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if alone && l.loads > 0 {
		return false
	}
	l.loads++
	return true
}

func (l *loading) close() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.loads--
}

// Begin begins a chunk. Whatever was changed in its table since the last one is
// looked at again.
func (l *load) Begin(ctx context.Context, shape *rowferry.Mutation, again bool) error {
	if shape.Op != rowferry.Shape {
		return rowferry.Errorf(rowferry.CodeInternal, "a chunk was begun with an operation %s", shape.Op)
	}
	tx, err := l.sink.Begin(ctx)
	if err != nil {
		return err
	}
	l.tx = tx.(*batch)
	err = l.tx.attempt(ctx, func() (err error) {
		l.target, err = l.tx.targetOf(ctx, shape)
		return sqlsink.Blame(err, shape)
	})
	if err != nil {
		return err
	}
	l.rows = nil
	if !again {
		l.rows = newCopyIn(l.target)
	}
	return nil
}

// Write writes rows: new ones by COPY, others by merging them.
func (l *load) Write(ctx context.Context, ms []rowferry.Mutation) error {
	if l.tx == nil {
		return rowferry.Errorf(rowferry.CodeInternal, "rows were written outside a chunk")
	}
	return l.tx.attempt(ctx, func() error { return l.write(ctx, ms) })
}

func (l *load) write(ctx context.Context, ms []rowferry.Mutation) error {
	for i := range ms {
		m := &ms[i]
		if m.Op != rowferry.Insert || !l.target.Of(m.Table) {
			return rowferry.Errorf(rowferry.CodeInternal, "a chunk of table %s was given the operation %s of table %s", l.target.name, m.Op, m.Table.Name)
		}
	}
	if l.rows == nil {
		return l.tx.merge(ctx, ms)
	}
	for i := range ms {
		if err := l.add(ctx, &ms[i]); err != nil {
			return err
		}
	}
	return nil
}

// add writes one new row.
func (l *load) add(ctx context.Context, m *rowferry.Mutation) error {
	if !l.rows.fits(m) {
		if err := l.rows.flush(ctx, l.sink); err != nil {
			return err
		}
		one := [1]rowferry.Mutation{*m}
		return l.tx.write(ctx, one[:])
	}
	if err := l.target.CheckImages(m); err != nil {
		return err
	}
	if err := l.rows.add(ctx, l.sink, m); err != nil {
		return err
	}
	if l.rows.full() {
		return l.rows.flush(ctx, l.sink)
	}
	return nil
}

// Commit makes the chunk durable under the lock of the pipeline's checkpoint row,
// which loads share. Whoever takes the pipeline over waits for it, or has raised
// the fence before.
func (l *load) Commit(ctx context.Context, cp rowferry.Checkpoint, c rowferry.Chunk) error {
	if l.tx == nil {
		return rowferry.Errorf(rowferry.CodeInternal, "a commit outside a chunk")
	}
	b, s := l.tx, l.sink
	err := b.attempt(ctx, func() error {
		if l.rows != nil {
			if err := l.rows.flush(ctx, s); err != nil {
				return err
			}
		}
		if err := b.settle(ctx); err != nil {
			return err
		}
		if err := s.hold(ctx, cp); err != nil {
			return err
		}
		return s.loaded(ctx, cp, c)
	})
	if err != nil {
		return err
	}
	b.failed = true
	if err := s.commit(ctx); err != nil {
		return b.refuseCommit(err)
	}
	s.open, b.over, l.tx = nil, true, nil
	return nil
}

// hold keeps the pipeline's row as it is until the open transaction ends. Where it
// is not as cp has it: CodeFenced.
func (s *Sink) hold(ctx context.Context, cp rowferry.Checkpoint) error {
	exists, err := s.hasTable(ctx, checkpoints)
	if err != nil {
		return err
	}
	if !exists || cp.Fence > math.MaxInt64 || cp.Sequence > math.MaxInt64 {
		return s.fenced(ctx, cp)
	}
	held := failpoint.On("ignore-fence")
	err = s.query(ctx, `SELECT FROM `+checkpoints+` WHERE "pipeline" = $1 AND "fence" = $2 AND "sequence" = $3 FOR SHARE`, func(dialect.Row) error {
		held = true
		return nil
	}, cp.Pipeline, int64(cp.Fence), int64(cp.Sequence))
	if err == nil && !held {
		err = s.fenced(ctx, cp)
	}
	return err
}

// Rollback undoes the open chunk, if there is one.
func (l *load) Rollback() error {
	if l.tx == nil {
		return nil
	}
	err := l.tx.Rollback()
	l.tx, l.target, l.rows = nil, nil, nil
	return err
}

// Close closes the connection. An open chunk is rolled back.
func (l *load) Close() error {
	if l.closed {
		return nil
	}
	l.closed = true
	l.tx = nil // which the sink rolls back
	defer l.loading.close()
	return l.sink.Close()
}
