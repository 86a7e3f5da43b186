package postgres

import (
	"context"
	"errors"
	"slices"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/rowferry/rowferry"
	dialect "github.com/rowferry/rowferry/internal/dialect/postgres"
	"github.com/rowferry/rowferry/internal/failpoint"
	"github.com/rowferry/rowferry/internal/sqlsink"
	"github.com/rowferry/rowferry/schema"
)

// batch is one transaction on its way into the database.
type batch struct {
	sink     *Sink
	failed   bool // after an error only Rollback may follow
	over     bool // committed or rolled back
	altered  bool // it changed the schema
	deferred bool // the check of foreign keys waits for the end
	last     map[schema.Name]rowferry.Mutation
	queue    queue
	key      []byte // scratch for the statement cache
}

// Begin starts a batch. Whatever was changed in the tables since the last one
// is looked at again.
func (s *Sink) Begin(ctx context.Context) (rowferry.SinkTx, error) {
	if s.open != nil {
		return nil, rowferry.Errorf(rowferry.CodeInternal, "a batch is already open on the PostgreSQL target")
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if err := s.begin(ctx); err != nil {
		return nil, err
	}
	if err := s.refresh(ctx); err != nil {
		s.rollback()
		return nil, err
	}
	b := &batch{sink: s, last: map[schema.Name]rowferry.Mutation{}}
	s.open = b
	return b, nil
}

// Write applies the mutations in order.
func (b *batch) Write(ctx context.Context, ms []rowferry.Mutation) error {
	return b.attempt(ctx, func() error { return b.write(ctx, ms) })
}

// attempt runs a write. After an error the batch has failed.
func (b *batch) attempt(ctx context.Context, write func() error) error {
	if b.failed || b.over {
		return rowferry.Errorf(rowferry.CodeInternal, "a write to a batch that is over")
	}
	err := write()
	if err != nil {
		b.failed = true
		b.queue.clear()
		if cause := ctx.Err(); cause != nil {
			return cause
		}
	}
	return err
}

func (b *batch) write(ctx context.Context, ms []rowferry.Mutation) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := b.each(ctx, ms); err != nil {
		return err
	}
	return b.flush(ctx)
}

// each queues the mutations one by one.
func (b *batch) each(ctx context.Context, ms []rowferry.Mutation) error {
	for i := range ms {
		if err := b.apply(ctx, &ms[i]); err != nil {
			// What is queued comes before it, and so does its error.
			if earlier := b.flush(ctx); earlier != nil {
				return earlier
			}
			return sqlsink.Blame(err, &ms[i])
		}
	}
	return nil
}

func (b *batch) apply(ctx context.Context, m *rowferry.Mutation) error {
	switch m.Op {
	case rowferry.Insert, rowferry.Update, rowferry.Delete, rowferry.Truncate:
		t, err := b.targetOf(ctx, m)
		if err != nil {
			return err
		}
		b.last[t.name] = rowferry.Mutation{Op: m.Op, Table: m.Table, Source: m.Source, Origin: m.Origin, Index: m.Index}
		if m.Op == rowferry.Truncate {
			return b.truncate(ctx, t, m)
		}
		return b.change(ctx, t, m)
	case rowferry.Shape:
		return b.shape(ctx, m)
	default:
		return rowferry.Errorf(rowferry.CodeInternal, "the PostgreSQL sink was given the operation %s, which must not reach a sink", m.Op).
			Fact("table", "%s", m.Table.Name)
	}
}

// targetOf returns the mutation's table, ready to be written to.
func (b *batch) targetOf(ctx context.Context, m *rowferry.Mutation) (*target, error) {
	t := b.sink.known(m.Table)
	if t == nil {
		if err := b.flush(ctx); err != nil {
			return nil, err
		}
		var err error
		if t, err = b.sink.target(ctx, m); err != nil {
			return nil, err
		}
	}
	if b.sink.options.Triggers == triggersSuppress && !t.muted {
		if err := b.flush(ctx); err != nil {
			return nil, err
		}
		if err := b.sink.mute(ctx, t); err != nil {
			return nil, err
		}
	}
	return t, nil
}

// change queues one insert, update or delete.
func (b *batch) change(ctx context.Context, t *target, m *rowferry.Mutation) error {
	if err := t.CheckImages(m); err != nil {
		return err
	}
	if m.ChecksOff {
		if err := b.checksOff(ctx, t, m); err != nil {
			return err
		}
	}
	st, err := b.statement(t, m)
	if err != nil {
		return err
	}
	values := make([][]byte, 0, len(st.types))
	for _, o := range st.set {
		if values, err = t.append(values, o, m.After[o], m); err != nil {
			return err
		}
	}
	if values, err = t.appendOld(values, st.match, m); err != nil {
		return err
	}
	size := 0
	for _, v := range values {
		size += len(v)
	}
	if size > largest {
		return t.About(tooLong(size), m)
	}
	if b.sink.options.Trace != nil {
		b.sink.options.Trace(st.sql, st.args(m))
	}
	b.queue.add(entry{statement: st, values: values, size: size, target: t, mutation: m, rows: 1})
	if b.queue.full() {
		return b.flush(ctx)
	}
	return nil
}

func (t *target) append(values [][]byte, o int, v rowferry.Value, m *rowferry.Mutation) ([][]byte, error) {
	text, err := t.columns[o].encode(v)
	if err != nil {
		return nil, t.About(err, m).Fact("column", "%s", t.Shape.Columns[o].Name)
	}
	return append(values, text), nil
}

// appendOld appends the old values of the columns.
func (t *target) appendOld(values [][]byte, columns []int, m *rowferry.Mutation) ([][]byte, error) {
	for _, o := range columns {
		text, err := t.columns[o].encode(m.Before[o])
		if err != nil {
			return nil, t.Unheld(err, m, o)
		}
		values = append(values, text)
	}
	return values, nil
}

func (st *statement) args(m *rowferry.Mutation) []string {
	var args []string
	for _, o := range st.set {
		args = append(args, m.After[o].String())
	}
	for _, o := range st.match {
		args = append(args, m.Before[o].String())
	}
	return args
}

// truncate removes every row. A TRUNCATE would lock readers out and be refused
// for a table that foreign keys point to.
func (b *batch) truncate(ctx context.Context, t *target, m *rowferry.Mutation) error {
	if err := b.flush(ctx); err != nil {
		return err
	}
	if err := b.checkCascade(ctx, t, m); err != nil {
		return err
	}
	if m.ChecksOff {
		if err := b.deferChecks(ctx); err != nil {
			return err
		}
	}
	sql := "DELETE FROM " + t.quoted
	if b.sink.options.Trace != nil {
		b.sink.options.Trace(sql, nil)
	}
	conn, err := b.sink.session(ctx)
	if err != nil {
		return err
	}
	if _, err := dialect.Exec(ctx, conn, sql); err != nil {
		return b.sink.refuse(ctx, err, t, m)
	}
	return nil
}

// Commit ends the batch with the guarded checkpoint and makes both durable.
func (b *batch) Commit(ctx context.Context, cp rowferry.Checkpoint) error {
	s := b.sink
	if b.failed || b.over {
		return rowferry.Errorf(rowferry.CodeInternal, "a commit of a batch that is over")
	}
	b.failed = true
	if err := b.settle(ctx); err != nil {
		return err
	}
	apart := failpoint.On("position-apart")
	if !apart {
		if err := s.advance(ctx, cp); err != nil {
			return err
		}
	}
	// Before this statement the batch is not in the target, whatever happens.
	// After it was sent nobody knows but the target, and the lock on the
	// checkpoint row makes whoever asks wait for the answer.
	if err := s.commit(ctx); err != nil {
		return b.refuseCommit(err)
	}
	s.open, b.over = nil, true
	s.durable.note(cp)
	if err := failpoint.Hit("commit.sent"); err != nil {
		return err
	}
	if apart {
		return s.advance(ctx, cp)
	}
	return nil
}

// Check makes the checks that wait for the end.
func (b *batch) Check(ctx context.Context) error {
	if b.failed || b.over {
		return rowferry.Errorf(rowferry.CodeInternal, "a check of a batch that is over")
	}
	b.failed = true
	if _, err := b.sink.exec(ctx, "SET CONSTRAINTS ALL IMMEDIATE"); err != nil {
		return b.refuseCommit(err)
	}
	return nil
}

// settle has every check made that was put off, so that what it refuses is
// known before the checkpoint is touched, and switches triggers on again.
func (b *batch) settle(ctx context.Context) error {
	if b.deferred || b.sink.options.Triggers == triggersSuppress {
		if _, err := b.sink.exec(ctx, "SET CONSTRAINTS ALL IMMEDIATE"); err != nil {
			return b.refuseCommit(err)
		}
	}
	return b.sink.unmute(ctx)
}

// refuseCommit explains a check that was made only at the end. The server says
// which row of which table it is, but not which mutation: the refusal names the
// last one of that table.
func (b *batch) refuseCommit(err error) error {
	var server *pgconn.PgError
	if !errors.As(err, &server) || len(b.last) == 0 {
		return err
	}
	var e *rowferry.Error
	switch {
	case server.Code == "23505", server.Code == "23P01":
		e = rowferry.Errorf(rowferry.CodeForeignRow, "the batch met a row that already has a key of it")
	case server.Code == "23503":
		e = rowferry.Errorf(rowferry.CodeRowRefused, "the batch leaves rows without their parent")
	case server.Code == "P0001": // raise_exception of a trigger
		e = rowferry.Errorf(rowferry.CodeRowRefused, "a trigger of the target refused the batch: %s", server.Message)
	case server.Code[:2] == "23":
		e = rowferry.Errorf(rowferry.CodeRowRefused, "the target refused the batch: %s", server.Message)
	default:
		return err
	}
	e.Err = err
	last, ok := b.last[schema.Name{Schema: server.SchemaName, Table: server.TableName}]
	if !ok {
		last = b.anyLast()
	}
	e.Mutation = &last
	e.Fact("table", "%s.%s", server.SchemaName, server.TableName).Fact("last change", "%s of %s", last.Op, last.Table.Name)
	return describe(e, server)
}

// anyLast returns a mutation of the batch, the same for the same batch.
func (b *batch) anyLast() rowferry.Mutation {
	var names []schema.Name
	for n := range b.last {
		names = append(names, n)
	}
	return b.last[slices.MinFunc(names, schema.Name.Compare)]
}

// Rollback undoes the batch. After a Commit that succeeded it does nothing.
func (b *batch) Rollback() error {
	s := b.sink
	if b.over {
		return nil
	}
	s.open, b.over = nil, true
	b.queue.clear()
	clear(s.silent)
	if b.altered {
		s.forget()
	}
	s.rollback()
	return nil
}
