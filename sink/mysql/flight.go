package mysql

import (
	"context"

	"github.com/rowferry/rowferry"
	"github.com/rowferry/rowferry/internal/sqlsink"
)

// flight is a statement of a batch that is queued and whose answer was not
// looked at, and the mutations that it carries. Each is one row, which it must
// find, or insert; where they are merged it need not.
type flight struct {
	target *target
	ms     []rowferry.Mutation
	merged bool
}

// launch writes mutations of different rows, and leaves the last answers to
// land. An error leaves nothing queued.
func (b *batch) launch(ctx context.Context, ms []rowferry.Mutation) error {
	defer func() { b.rest = nil }()
	for len(ms) > 0 {
		b.rest = ms
		n, err := b.launchSome(ctx, ms)
		if err != nil {
			if first := b.land(ctx, true); first != nil {
				return first // of a statement before this one
			}
			return sqlsink.Blame(err, &ms[0])
		}
		if err := b.land(ctx, false); err != nil {
			return err
		}
		ms = ms[n:]
	}
	return nil
}

// launchSome queues the statement that carries the first mutations, and returns
// how many. What needs more than one statement, or an answer before the next, is
// written when all else is answered.
func (b *batch) launchSome(ctx context.Context, ms []rowferry.Mutation) (int, error) {
	n, t, st, w, err := b.next(ctx, ms)
	if w != nil {
		st, err = w.statement, b.prepare(ctx, w)
	}
	switch {
	case err != nil:
		return 0, err
	case n > 0:
		return n, b.fly(ctx, t, st, ms[:n])
	}
	if err := b.land(ctx, true); err != nil {
		return 0, err
	}
	return b.apply(ctx, ms)
}

// queues reports whether a mutation may be queued.
func (b *batch) queues(m *rowferry.Mutation) bool {
	return len(b.waiting.changes) == 0 && !m.ChecksOff && (m.Op == rowferry.Insert || m.Op == rowferry.Update || m.Op == rowferry.Delete)
}

// flown returns how many of the first mutations one statement carries that may
// be queued, or 0.
func (b *batch) flown(t *target, ms []rowferry.Mutation) int {
	m, n := &ms[0], 1
	if m.Op != rowferry.Delete && (t.lenient(m) || t.decimals(m)) {
		return 0
	}
	if m.Op == rowferry.Insert {
		n = b.alike(t, ms)
	}
	for i := range ms[:n] {
		if ms[i].ChecksOff || t.CheckImages(&ms[i]) != nil {
			return 0
		}
	}
	return n
}

// fly queues a statement.
func (b *batch) fly(ctx context.Context, t *target, st *statement, ms []rowferry.Mutation) error {
	err := b.send(ctx, t, st, ms)
	if err != nil {
		return b.sink.translate(err)
	}
	b.flights = append(b.flights, flight{target: t, ms: ms})
	return nil
}

// land looks at the answers that have come, or at all. The error is that of the
// first statement that failed; what is behind it is taken back, or its answer
// read and dropped.
func (b *batch) land(ctx context.Context, all bool) error {
	se := b.sink.session
	for i := range b.flights {
		if !all && se.conn.Ready() <= se.owed {
			b.flights = append(b.flights[:0], b.flights[i:]...)
			return nil
		}
		f := &b.flights[i]
		n, err := se.answer(ctx)
		if err == nil && (f.merged || n == int64(len(f.ms))) {
			continue
		}
		failed := *f
		b.flights = b.flights[:0]
		se.drain(ctx)
		return b.lost(ctx, failed, n, err)
	}
	clear(b.flights)
	b.flights = b.flights[:0]
	return nil
}

// lost returns the error of a statement that failed, or found other than its
// rows.
func (b *batch) lost(ctx context.Context, f flight, n int64, err error) error {
	m := &f.ms[0]
	switch {
	case err != nil:
		err = b.sink.refuse(err, f.target, m)
		if len(f.ms) > 1 && (f.merged || b.names) && isRefusal(err) {
			return b.find(ctx, f, err)
		}
	case len(f.ms) == 1:
		err = b.missing(ctx, f.target, m, n)
	default:
		err = f.target.Missing(m, n)
	}
	return sqlsink.Blame(err, m)
}

// find returns the refusal of that mutation which the server refuses when it gets
// one by one those of a statement that it refused. What they leave in the batch
// goes with it.
func (b *batch) find(ctx context.Context, f flight, refused error) error {
	for i := range f.ms {
		var err error
		if f.merged {
			err = b.mergeOne(ctx, f.target, &f.ms[i])
		} else {
			err = b.change(ctx, f.target, &f.ms[i])
		}
		if b.sink.session.broken {
			break
		}
		if err != nil {
			return sqlsink.Blame(err, &f.ms[i])
		}
	}
	return refused
}
