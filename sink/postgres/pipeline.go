package postgres

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/rowferry/rowferry"
	"github.com/rowferry/rowferry/internal/sqlsink"
)

// How much is sent before the answers are read. Answers are small, so that
// those of a whole queue fit the socket's buffers and the server never waits
// for a client that was stopped.
const (
	mostQueued      = 256
	mostQueuedBytes = 4 << 20
)

// entry is a mutation on its way.
type entry struct {
	statement *statement
	values    [][]byte
	size      int
	target    *target
	mutation  *rowferry.Mutation
	merged    bool  // see Merge
	rows      int64 // how many it is about; anyRows where that is not known
}

// anyRows stands for whatever number of rows a merge finds.
const anyRows = -1

// queue holds what is to be sent in one pipeline.
type queue struct {
	entries []entry
	bytes   int
}

func (q *queue) add(e entry) {
	q.entries = append(q.entries, e)
	q.bytes += e.size
}

func (q *queue) full() bool { return len(q.entries) >= mostQueued || q.bytes >= mostQueuedBytes }

func (q *queue) clear() {
	clear(q.entries)
	q.entries, q.bytes = q.entries[:0], 0
}

// statement returns the statement for m: of one operation, one set of written
// columns, and for tables without a key one set of matched columns.
func (b *batch) statement(t *target, m *rowferry.Mutation) (*statement, error) {
	s := b.sink
	b.key = t.pattern(b.key[:0], m)
	if st, ok := s.statements.Get(&t.Table, b.key); ok {
		return st, nil
	}
	st := t.compose(m)
	if len(st.types) > mostParams {
		return nil, t.About(rowferry.Errorf(rowferry.CodeTypeRefused, "a statement would have more parameters than PostgreSQL takes"), m).
			Fact("parameters", "%d, and the most is %d", len(st.types), mostParams)
	}
	s.name(t, b.key, st)
	return st, nil
}

// name gives a new statement its name at the server and keeps it.
func (s *Sink) name(t *target, pattern []byte, st *statement) {
	s.named++
	st.name = "rowferry_" + strconv.Itoa(s.named)
	s.statements.Add(&t.Table, pattern, st, len(st.types))
}

// flush sends what is queued, each statement prepared when it is first used,
// and checks every answer. After an error it is not known which statements the
// server has: all are let go of.
func (b *batch) flush(ctx context.Context) error {
	s := b.sink
	if len(b.queue.entries) == 0 {
		return nil
	}
	defer b.queue.clear()
	conn, err := s.session(ctx)
	if err != nil {
		return err
	}
	p := conn.StartPipeline(ctx)
	fresh := make([]bool, len(b.queue.entries))
	for i := range b.queue.entries {
		e := &b.queue.entries[i]
		if fresh[i] = !e.statement.prepared; fresh[i] {
			e.statement.prepared = true
			p.SendPrepare(e.statement.name, e.statement.sql, e.statement.types)
		}
		p.SendQueryPrepared(e.statement.name, e.values, e.statement.formats, nil)
	}
	// What fell out of the cache may still be used above.
	for _, name := range s.released {
		p.SendDeallocate(name)
	}
	released := len(s.released)
	s.released = s.released[:0]
	if err = p.Sync(); err == nil {
		err = b.answers(ctx, p, fresh, released)
	} else {
		err = s.translate(ctx, err)
	}
	cerr := p.Close()
	switch missed, ok := err.(*notFound); {
	case ok:
		err = s.missing(ctx, missed)
	case err == nil:
		err = s.translate(ctx, cerr)
	}
	if err != nil {
		s.statements.Clear()
		s.released, s.untidy = nil, true
	}
	return err
}

// notFound is an update or delete that did not find its row exactly once.
type notFound struct {
	*entry
	n int64
}

func (e *notFound) Error() string { return e.target.Missing(e.mutation, e.n).Error() }

// missing returns the error for a row that was not found exactly once. The rest
// of the pipeline has run behind it, or failed, so that the transaction shows
// what the row became, or nothing at all: it is ended, and the row looked at as
// it was before the batch.
func (s *Sink) missing(ctx context.Context, e *notFound) error {
	t, m := e.target, e.mutation
	guarded := t.Guarded(m)
	if e.n != 0 || len(guarded) == 0 {
		return t.Missing(m, e.n)
	}
	s.rollback()
	conn, err := s.session(ctx)
	if err != nil {
		return err
	}
	st := &statement{}
	terms := make([]string, len(guarded))
	for i, o := range guarded {
		terms[i] = t.same(st, o)
	}
	st.sql = "SELECT " + strings.Join(terms, ", ") + " FROM " + t.quoted + " WHERE " + t.where(st, m, "")
	values, err := t.appendOld(nil, st.match, m)
	if err != nil {
		return err
	}
	answer := conn.ExecParams(ctx, st.sql, values, st.types, st.formats, nil).Read()
	var refused *pgconn.PgError
	switch {
	case errors.As(answer.Err, &refused) && refused.Code == "42P01": // the table was made by the batch
		return t.Missing(m, e.n)
	case answer.Err != nil:
		return s.translate(ctx, answer.Err)
	case len(answer.Rows) == 0:
		return t.Missing(m, e.n)
	}
	same := make([]bool, len(guarded))
	for i, v := range answer.Rows[0] {
		same[i] = string(v) == "t"
	}
	return t.Differs(m, guarded, same)
}

// answers reads the answer to each request in the order they were sent.
func (b *batch) answers(ctx context.Context, p *pgconn.Pipeline, fresh []bool, released int) error {
	for i := range b.queue.entries {
		e := &b.queue.entries[i]
		if fresh[i] {
			if _, err := p.GetResults(); err != nil {
				return sqlsink.Blame(b.sink.refuse(ctx, err, e.target, e.mutation), e.mutation)
			}
		}
		n, err := affected(p)
		if err != nil {
			return sqlsink.Blame(b.sink.refuse(ctx, err, e.target, e.mutation), e.mutation)
		}
		if n == e.rows || e.rows == anyRows {
			continue
		}
		if e.rows > 1 && !e.merged {
			return e.target.Missing(e.mutation, n)
		}
		if e.mutation.Op == rowferry.Insert {
			return e.target.About(rowferry.Errorf(rowferry.CodeRowRefused, "something in the target kept a row from being inserted, without an error"), e.mutation).
				Fact("inserted", "%d rows", n)
		}
		return &notFound{e, n}
	}
	for range released + 1 { // and the pipeline's end
		if _, err := p.GetResults(); err != nil {
			return b.sink.translate(ctx, err)
		}
	}
	return nil
}

// affected reads one answer and returns how many rows it was about.
func affected(p *pgconn.Pipeline) (int64, error) {
	answer, err := p.GetResults()
	if err != nil {
		return 0, err
	}
	r, ok := answer.(*pgconn.ResultReader)
	if !ok {
		return 0, fmt.Errorf("the target answered a statement with %T", answer)
	}
	tag, err := r.Close()
	return tag.RowsAffected(), err
}
