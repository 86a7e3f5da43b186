package mysql

import (
	"context"
	"errors"
	"slices"

	"github.com/rowferry/rowferry"
	"github.com/rowferry/rowferry/internal/mysqlwire"
)

// closeStatement lets go of a statement. It may be queued and not answered: the
// server is told behind it, in the order of the connection.
func closeStatement(st *statement) { st.stmt.Close() }

// wanted is a statement that is not prepared yet.
type wanted struct {
	*statement
	target *target
	key    string
	params int
}

// statement returns the prepared statement for m, or for rows inserts like m. Of
// updates of ever other columns it is one of one use, that is not prepared.
func (b *batch) statement(ctx context.Context, t *target, m *rowferry.Mutation, rows int) (*statement, error) {
	st, w := b.single(t, m, rows)
	if w != nil {
		return w.statement, b.prepare(ctx, w)
	}
	return st, nil
}

// single returns the statement for m, or for rows inserts like m, or else the one
// to prepare.
func (b *batch) single(t *target, m *rowferry.Mutation, rows int) (*statement, *wanted) {
	b.key = t.Pattern(b.key[:0], m)
	pattern := len(b.key)
	b.key = append(b.key, byte(rows), byte(rows>>8))
	if st, ok := b.sink.stmts.Get(&t.Table, b.key); ok {
		return st, nil
	}
	st := t.compose(m, rows, nil)
	if m.Op == rowferry.Update && len(st.set) > 0 && m.Before.Size()+m.After.Size() <= rowBytes && t.Scattered(b.key[:pattern]) {
		st.spelled = true
		return st, nil
	}
	return nil, &wanted{st, t, string(b.key), rows*len(st.set) + len(st.match)}
}

// joined is single for a join.
func (b *batch) joined(t *target, ms []rowferry.Mutation) (*statement, *wanted) {
	count, _ := slices.BinarySearch(joinCounts, len(ms))
	class, _ := slices.BinarySearch(textClasses, t.longestText(ms))
	b.key = append(t.Pattern(b.key[:0], &ms[0]), 'J', byte(count), byte(class))
	if st, ok := b.sink.stmts.Get(&t.Table, b.key); ok {
		return st, nil
	}
	j := joinComposer{target: t, server: &b.sink.server, text: textClasses[class]}
	st := j.like(&ms[0], joinCounts[count])
	return nil, &wanted{st, t, string(b.key), st.rows * (len(st.set) + len(st.match))}
}

// The statements that are prepared at once, at most.
const (
	mostAhead   = 64
	paramsAhead = 32 << 10
)

// prepare prepares a statement, and with it those that the changes behind it
// will want: to prepare is to wait for the server, and for all that is queued.
func (b *batch) prepare(ctx context.Context, first *wanted) error {
	s := b.sink
	all := b.ahead(ctx, first)
	sql := make([]string, len(all))
	for i, w := range all {
		sql[i] = w.sql
	}
	stmts, err := s.session.conn.PrepareAll(ctx, sql)
	if len(all) > 1 && errors.As(err, new(*mysqlwire.ServerError)) { // of another, whose turn is yet to come
		all = all[:1]
		stmts, err = s.session.conn.PrepareAll(ctx, sql[:1])
	}
	if err != nil {
		return s.translate(s.session.check(err))
	}
	for i, w := range slices.Backward(all) { // the first one last, so that it is kept
		w.stmt = stmts[i]
		s.stmts.Add(&w.target.Table, []byte(w.key), w.statement, w.params)
	}
	return nil
}

// ahead returns first and other statements that are not prepared.
func (b *batch) ahead(ctx context.Context, first *wanted) []*wanted {
	all, params := []*wanted{first}, first.params
	for ms := b.rest; len(ms) > 0 && len(all) < mostAhead && params < paramsAhead; {
		n, _, _, w, err := b.next(ctx, ms)
		if err != nil || n == 0 { // met again in its turn
			break
		}
		ms = ms[n:]
		if w != nil && !slices.ContainsFunc(all, func(x *wanted) bool { return x.target == w.target && x.key == w.key }) {
			all, params = append(all, w), params+w.params
		}
	}
	return all
}

// next returns how many of the first mutations one statement carries that may be
// queued, 0 if none, their table, and the statement, or else the one to prepare.
func (b *batch) next(ctx context.Context, ms []rowferry.Mutation) (n int, t *target, st *statement, w *wanted, err error) {
	n, t, err = b.joinable(ctx, ms)
	switch {
	case err != nil:
		return 0, nil, nil, nil, err
	case n > 0:
		st, w = b.joined(t, ms[:n])
		return n, t, st, w, nil
	case !b.queues(&ms[0]):
		return 0, nil, nil, nil, nil
	}
	if t, err = b.sink.target(ctx, &ms[0]); err != nil {
		return 0, nil, nil, nil, err
	}
	if n, columns := b.mingled(t, ms); n > 0 {
		return n, t, b.mingle(t, ms[:n], columns), nil, nil
	}
	if n = b.flown(t, ms); n > 0 {
		st, w = b.single(t, &ms[0], n)
	}
	return n, t, st, w, nil
}

// one prepares a statement of one use.
func (s *Sink) one(ctx context.Context, st *statement) (err error) {
	st.stmt, err = s.session.conn.Prepare(ctx, st.sql)
	return s.translate(s.session.check(err))
}
