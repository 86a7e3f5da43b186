package sqlite

import (
	"context"
	"strings"

	"zombiezen.com/go/sqlite"

	"github.com/rowferry/rowferry"
	dialect "github.com/rowferry/rowferry/internal/dialect/sqlite"
	"github.com/rowferry/rowferry/internal/failpoint"
	"github.com/rowferry/rowferry/internal/sqlsink"
)

// largeValue is the size beyond which a bound value is let go after its
// statement ran, so that cached statements hold little.
const largeValue = 64 << 10

// batch is one transaction on its way into the database.
type batch struct {
	sink          *Sink
	failed        bool // after an error only Rollback may follow
	changedSchema bool
	last          *target // of the last mutation written
	key           []byte  // scratch for the statement cache
	sets          []int   // scratch
}

// prepare puts the freshly begun transaction into its state.
func (b *batch) prepare() error {
	s := b.sink
	if err := dialect.Exec(s.conn, "PRAGMA defer_foreign_keys = ON"); err != nil {
		return s.translate(err)
	}
	s.remember()
	for _, t := range s.targets {
		t.written = false
	}
	return nil
}

// Write applies the mutations in order. The context interrupts even a single
// long statement.
func (b *batch) Write(ctx context.Context, ms []rowferry.Mutation) error {
	return b.each(ctx, ms, b.apply)
}

// each writes mutations one by one. After an error the batch has failed.
func (b *batch) each(ctx context.Context, ms []rowferry.Mutation, apply func(*rowferry.Mutation) error) error {
	if b.failed || b.sink.open != b {
		return rowferry.Errorf(rowferry.CodeInternal, "a write to a batch that is over")
	}
	if ctx.Done() != nil {
		b.sink.conn.SetInterrupt(ctx.Done())
		defer b.sink.conn.SetInterrupt(nil)
	}
	for i := range ms {
		err := apply(&ms[i])
		if err == nil {
			continue
		}
		b.failed = true
		if cause := ctx.Err(); cause != nil {
			return cause
		}
		return sqlsink.Blame(err, &ms[i])
	}
	return nil
}

func (b *batch) apply(m *rowferry.Mutation) error {
	switch m.Op {
	case rowferry.Insert, rowferry.Update, rowferry.Delete, rowferry.Truncate:
		t, err := b.targetOf(m)
		if err != nil {
			return err
		}
		if m.Op == rowferry.Truncate {
			return b.truncate(t, m)
		}
		return b.change(t, m)
	case rowferry.Shape:
		return b.shape(m)
	default:
		return rowferry.Errorf(rowferry.CodeInternal, "the SQLite sink was given the operation %s, which must not reach a sink", m.Op).
			Fact("table", "%s", m.Table.Name)
	}
}

// targetOf returns the mutation's table, ready to be written to.
func (b *batch) targetOf(m *rowferry.Mutation) (*target, error) {
	t, err := b.sink.target(m)
	if err != nil {
		return nil, err
	}
	if !t.settled {
		if err := b.sink.settle(t); err != nil {
			return nil, err
		}
	}
	t.written, b.last = true, t
	t.last = rowferry.Mutation{Op: m.Op, Table: m.Table, Source: m.Source, Origin: m.Origin, Index: m.Index}
	return t, nil
}

// change writes one insert, update or delete.
func (b *batch) change(t *target, m *rowferry.Mutation) error {
	if err := t.CheckImages(m); err != nil {
		return err
	}
	if m.ChecksOff && m.Op != rowferry.Insert {
		if err := b.checkCascade(t, m); err != nil {
			return err
		}
	}
	st, err := b.statement(t, m)
	if err != nil {
		return err
	}
	n, err := b.run(st, t, m)
	if err == nil && n != 1 && m.Op != rowferry.Insert {
		err = b.missing(t, m, int64(n))
	}
	return err
}

// run binds and runs a statement and returns how many rows it affected.
func (b *batch) run(st *statement, t *target, m *rowferry.Mutation) (int, error) {
	if err := t.bind(st.stmt, 1, st.set, m.After, m); err != nil {
		return 0, err
	}
	if err := t.bindOld(st.stmt, 1+len(st.set), st.match, m); err != nil {
		return 0, err
	}
	n, err := b.step(st, t, m)
	if err == nil && (large(st.set, m.After) || large(st.match, m.Before)) {
		err = b.sink.translate(st.stmt.ClearBindings())
	}
	return n, err
}

// missing returns the error for a row that was not found exactly once.
func (b *batch) missing(t *target, m *rowferry.Mutation, n int64) error {
	guarded := t.Guarded(m)
	if n != 0 || len(guarded) == 0 {
		return t.Missing(m, n)
	}
	terms := make([]string, len(guarded))
	for i, o := range guarded {
		terms[i] = t.Columns[o].Quoted + " IS ? COLLATE BINARY"
	}
	where, match := t.where("")
	stmt, _, err := b.sink.conn.PrepareTransient("SELECT " + strings.Join(terms, ", ") + " FROM " + t.quoted + " WHERE " + where)
	if err != nil {
		return b.sink.translate(err)
	}
	defer func() { _ = stmt.Finalize() }() // repeats the error of the step
	if err := t.bindOld(stmt, 1, append(guarded, match...), m); err != nil {
		return err
	}
	found, err := stmt.Step()
	switch {
	case err != nil:
		return b.sink.translate(err)
	case !found:
		return t.Missing(m, n)
	}
	same := make([]bool, len(guarded))
	for i := range same {
		same[i] = stmt.ColumnBool(i)
	}
	return t.Differs(m, guarded, same)
}

// step runs a bound statement and returns how many rows it affected, or for an
// update that changes nothing would have affected.
func (b *batch) step(st *statement, t *target, m *rowferry.Mutation) (int, error) {
	if b.sink.options.Trace != nil {
		b.sink.options.Trace(st.sql, st.args(m))
	}
	counted, err := st.stmt.Step()
	if err != nil {
		return 0, b.sink.refuse(err, t, m)
	}
	n := b.sink.conn.Changes()
	if counted {
		n = st.stmt.ColumnInt(0)
	}
	return n, b.sink.translate(st.stmt.Reset())
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

func large(columns []int, r rowferry.Row) bool {
	for _, o := range columns {
		if len(r[o].Str()) > largeValue {
			return true
		}
	}
	return false
}

// truncate removes every row.
func (b *batch) truncate(t *target, m *rowferry.Mutation) error {
	if err := b.checkCascade(t, m); err != nil {
		return err
	}
	sql := "DELETE FROM " + t.quoted
	if b.sink.options.Trace != nil {
		b.sink.options.Trace(sql, nil)
	}
	if err := dialect.Exec(b.sink.conn, sql); err != nil {
		return b.sink.refuse(err, t, m)
	}
	return nil
}

// Commit ends the batch with the guarded checkpoint and makes both durable.
func (b *batch) Commit(_ context.Context, cp rowferry.Checkpoint) error {
	s := b.sink
	if b.failed || s.open != b {
		return rowferry.Errorf(rowferry.CodeInternal, "a commit of a batch that is over")
	}
	b.failed = true
	apart := failpoint.On("position-apart")
	if !apart {
		if err := s.advance(cp); err != nil {
			return err
		}
	}
	// Before this statement the batch is not in the target, whatever happens.
	if err := dialect.Exec(s.conn, "COMMIT"); err != nil {
		return b.refuseCommit(err)
	}
	// After it the batch is durable.
	s.open = nil
	if err := failpoint.Hit("commit.sent"); err != nil {
		return err
	}
	if apart {
		return s.advance(cp)
	}
	if b.changedSchema {
		s.version = s.schemaVersion()
	}
	s.truncateWAL()
	return nil
}

// refuseCommit explains a failed COMMIT. A foreign key is checked only then,
// so it is known which rows violate it but not which mutation did: the refusal
// names the last one.
func (b *batch) refuseCommit(err error) error {
	s := b.sink
	if sqlite.ErrCode(err).ToPrimary() != sqlite.ResultConstraint || b.last == nil {
		return s.translate(err)
	}
	return b.parentless(err)
}

// Check looks for rows that lack their parent, in the tables that the batch wrote and
// those that refer to them: SQLite tells no one but who commits. Rows that lacked it
// before are among them.
func (b *batch) Check(ctx context.Context) error {
	s := b.sink
	if b.failed || s.open != b {
		return rowferry.Errorf(rowferry.CodeInternal, "a check of a batch that is over")
	}
	b.failed = true
	refs, err := b.affected()
	if err != nil || b.last == nil {
		return err
	}
	looked := map[string]bool{}
	for _, r := range refs {
		if looked[r.child] {
			continue
		}
		looked[r.child] = true
		found := false
		err := dialect.Query(s.conn, "PRAGMA foreign_key_check("+dialect.Quote(r.child)+")", func(row) error {
			found = true
			return ctx.Err()
		})
		switch {
		case err != nil:
			return s.translate(err)
		case found:
			return b.parentless(nil)
		}
	}
	return nil
}

func (b *batch) parentless(err error) error {
	e := rowferry.Errorf(rowferry.CodeRowRefused, "the batch leaves rows without their parent")
	e.Err = err
	e.Facts = append(e.Facts, b.violations()...)
	last := b.last.last
	e.Mutation = &last
	e.Fact("last change", "%s of %s", last.Op, last.Table.Name)
	return e
}

// Rollback undoes the batch. After a Commit that succeeded it does nothing.
func (b *batch) Rollback() error {
	s := b.sink
	if s.open != b {
		return nil
	}
	s.open = nil
	b.failed = true
	if b.changedSchema {
		s.forget()
	}
	return s.abandon()
}
