package sqlite

import (
	"context"
	"math"

	"github.com/rowferry/rowferry"
	dialect "github.com/rowferry/rowferry/internal/dialect/sqlite"
	"github.com/rowferry/rowferry/internal/failpoint"
	"github.com/rowferry/rowferry/internal/sqlsink"
	"github.com/rowferry/rowferry/schema"
)

var _ rowferry.Load = (*load)(nil)

// load is a connection that loads chunks, each in a batch's transaction. An open
// chunk holds the database's write lock.
type load struct {
	sink    *Sink
	loading *loading
	closed  bool
	tx      *batch        // the open chunk, or nil
	shape   *schema.Table // of tx
	again   bool          // rows of the chunk may be there already
}

// Load opens another connection, or returns nil where one is open: one alone
// writes to the database.
func (s *Sink) Load(ctx context.Context) (rowferry.Load, error) {
	if !s.loading.open() {
		return nil, nil
	}
	o := s.options
	o.Notice = nil
	l, err := open(ctx, s.path, o, s.loading)
	if err != nil {
		s.loading.close()
		return nil, err
	}
	return &load{sink: l, loading: s.loading}, nil
}

// open notes that a load is open, unless one is.
func (l *loading) open() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.loads {
		return false
	}
	l.loads = true
	return true
}

func (l *loading) close() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.loads = false
}

// Begin begins a chunk by taking the database's write lock. CodeTargetBusy when
// another connection keeps it for longer than the busy timeout.
func (l *load) Begin(ctx context.Context, shape *rowferry.Mutation, again bool) error {
	if shape.Op != rowferry.Shape {
		return rowferry.Errorf(rowferry.CodeInternal, "a chunk was begun with an operation %s", shape.Op)
	}
	if l.tx != nil {
		return rowferry.Errorf(rowferry.CodeInternal, "a chunk is already open on the SQLite target")
	}
	if err := l.sink.enforce(); err != nil {
		return err
	}
	tx, err := l.sink.Begin(ctx)
	if err != nil {
		return err
	}
	l.tx, l.shape, l.again = tx.(*batch), shape.Table, again
	if _, err := l.tx.targetOf(shape); err != nil {
		l.tx.failed = true
		return sqlsink.Blame(err, shape)
	}
	return nil
}

// Write writes rows one by one: new ones by INSERT, others by merging them.
func (l *load) Write(ctx context.Context, ms []rowferry.Mutation) error {
	if l.tx == nil {
		return rowferry.Errorf(rowferry.CodeInternal, "rows were written outside a chunk")
	}
	return l.tx.each(ctx, ms, l.write)
}

func (l *load) write(m *rowferry.Mutation) error {
	t, err := l.sink.target(&rowferry.Mutation{Op: rowferry.Shape, Table: l.shape})
	switch {
	case err != nil:
		return err
	case m.Op != rowferry.Insert || !t.Of(m.Table):
		return rowferry.Errorf(rowferry.CodeInternal, "a chunk of table %s was given the operation %s of table %s", l.shape.Name, m.Op, m.Table.Name)
	case l.again:
		return l.tx.merge(m)
	default:
		return l.tx.change(t, m)
	}
}

// Commit makes the chunk durable. Its transaction keeps others from writing, so
// that the pipeline's checkpoint row stays as it is found.
func (l *load) Commit(_ context.Context, cp rowferry.Checkpoint, c rowferry.Chunk) error {
	b, s := l.tx, l.sink
	if b == nil || b.failed {
		return rowferry.Errorf(rowferry.CodeInternal, "a commit of a chunk that is over")
	}
	b.failed = true
	if err := s.hold(cp); err != nil {
		return err
	}
	if err := s.loaded(cp, c); err != nil {
		return err
	}
	if err := dialect.Exec(s.conn, "COMMIT"); err != nil {
		return b.refuseCommit(err)
	}
	s.open, l.tx = nil, nil
	s.truncateWAL()
	return nil
}

// hold wants the pipeline's row to be as cp has it, else CodeFenced.
func (s *Sink) hold(cp rowferry.Checkpoint) error {
	exists, err := s.hasTable(sqlsink.CheckpointTable)
	if err != nil {
		return err
	}
	if !exists || cp.Fence > math.MaxInt64 || cp.Sequence > math.MaxInt64 {
		return s.fenced(cp)
	}
	held := failpoint.On("ignore-fence")
	err = dialect.Query(s.conn, "SELECT 1 FROM rowferry_checkpoint WHERE pipeline = ?1 AND fence = ?2 AND sequence = ?3", func(row) error {
		held = true
		return nil
	}, cp.Pipeline, int64(cp.Fence), int64(cp.Sequence))
	if err == nil && !held {
		return s.fenced(cp)
	}
	return s.translate(err)
}

// Rollback undoes the open chunk, if there is one.
func (l *load) Rollback() error {
	if l.tx == nil {
		return nil
	}
	err := l.tx.Rollback()
	l.tx = nil
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
