package mysql

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/rowferry/rowferry"
	"github.com/rowferry/rowferry/internal/sqlsink"
)

const (
	// rowBytes is how much one INSERT of several rows carries at most, so that
	// it fits every sensible max_allowed_packet.
	rowBytes = 512 << 10
	// rowParams bounds its parameters.
	rowParams = 4 << 10
	// truncateRows is how many rows one DELETE of a truncate takes, so that each
	// is answered in time.
	truncateRows = 20_000
)

// rowCounts are the numbers of rows that an INSERT may have, largest first: few,
// so that few statements are prepared.
var rowCounts = []int{256, 64, 16, 4}

// batch is one transaction on its way into the server.
type batch struct {
	sink    *Sink
	failed  bool // after an error only Rollback may follow
	key     []byte
	flights []flight            // queued and not answered, oldest first
	moved   bool                // the checkpoint is in the target's row already
	names   bool                // a refusal of several has to name the one: nobody writes them one by one
	rest    []rowferry.Mutation // of what is being queued
	waiting waiting
}

// Write applies the mutations in order. Consecutive inserts into one table may
// travel as one statement; if the server refuses it, which undoes it, they are
// written one by one to find the refused row.
func (b *batch) Write(ctx context.Context, ms []rowferry.Mutation) error {
	if b.failed || b.sink.open != b {
		return rowferry.Errorf(rowferry.CodeInternal, "a write to a batch that is over")
	}
	for len(ms) > 0 {
		n, err := b.apply(ctx, ms)
		if err != nil {
			b.failed = true
			if cause := ctx.Err(); cause != nil {
				return cause
			}
			return sqlsink.Blame(err, &ms[0])
		}
		ms = ms[n:]
	}
	return nil
}

// apply applies the first mutation, or the first few, and returns how many. An
// error about another than the first says so itself.
func (b *batch) apply(ctx context.Context, ms []rowferry.Mutation) (int, error) {
	m := &ms[0]
	switch m.Op {
	case rowferry.Insert, rowferry.Update, rowferry.Delete, rowferry.Truncate, rowferry.Shape:
	default:
		return 0, rowferry.Errorf(rowferry.CodeInternal, "the MySQL sink was given the operation %s, which must not reach a sink", m.Op).
			Fact("table", "%s", m.Table.Name)
	}
	t, err := b.sink.target(ctx, m)
	if err != nil {
		return 0, err
	}
	switch m.Op {
	case rowferry.Shape: // made by Prepare, and checked now
		return 1, nil
	case rowferry.Truncate:
		return 1, b.truncate(ctx, t, m)
	case rowferry.Insert:
		if n := b.alike(t, ms); n > 1 {
			return b.inserts(ctx, t, ms[:n])
		}
	default: // an update or delete
	}
	return 1, b.write(ctx, t, m)
}

// alike returns how many of the first mutations are inserts that one statement
// may carry.
func (b *batch) alike(t *target, ms []rowferry.Mutation) int {
	if len(b.waiting.changes) > 0 {
		return 1
	}
	most, bytes, n := min(rowCounts[0], rowParams/max(1, len(t.columns))), 0, 0
	for n < min(most, len(ms)) {
		m := &ms[n]
		if m.Op != rowferry.Insert || !t.Of(m.Table) || t.lenient(m) || t.decimals(m) {
			break
		}
		if bytes += m.After.Size(); bytes > rowBytes {
			break
		}
		n++
	}
	for _, count := range rowCounts {
		if n >= count {
			return count
		}
	}
	return 1
}

// inserts writes several inserts with one statement.
func (b *batch) inserts(ctx context.Context, t *target, ms []rowferry.Mutation) (int, error) {
	for i := range ms {
		if err := t.CheckImages(&ms[i]); err != nil {
			return b.oneByOne(ctx, t, ms)
		}
	}
	st, err := b.statement(ctx, t, &ms[0], len(ms))
	if err != nil {
		return 0, err
	}
	if _, err = b.exec(ctx, t, st, ms); err == nil {
		return len(ms), nil
	}
	if refused := b.sink.refuse(err, t, &ms[0]); b.sink.session.broken || !isRefusal(refused) {
		return 0, refused
	}
	return b.oneByOne(ctx, t, ms)
}

// isRefusal reports whether err says which mutation it is about.
func isRefusal(err error) bool {
	e, ok := err.(*rowferry.Error)
	return ok && e.Mutation != nil
}

func (b *batch) oneByOne(ctx context.Context, t *target, ms []rowferry.Mutation) (int, error) {
	for i := range ms {
		if err := b.write(ctx, t, &ms[i]); err != nil {
			return i, err
		}
	}
	return len(ms), nil
}

// change writes one insert, update or delete.
func (b *batch) change(ctx context.Context, t *target, m *rowferry.Mutation) error {
	if err := t.CheckImages(m); err != nil {
		return err
	}
	if m.ChecksOff && m.Op != rowferry.Insert {
		if err := b.checkCascade(ctx, t, m); err != nil {
			return err
		}
	}
	st, err := b.prepared(ctx, t, m)
	if err != nil {
		return err
	}
	exec := b.exec
	if m.Op != rowferry.Delete && t.lenient(m) {
		exec = b.execLenient
	}
	n, err := exec(ctx, t, st, []rowferry.Mutation{*m})
	if err != nil {
		return b.sink.refuse(err, t, m)
	}
	if n != 1 {
		return b.missing(ctx, t, m, n)
	}
	return nil
}

// missing returns the error for a row that was not found exactly once.
func (b *batch) missing(ctx context.Context, t *target, m *rowferry.Mutation, n int64) error {
	guarded := t.Guarded(m)
	if n != 0 || len(guarded) == 0 {
		return t.Missing(m, n)
	}
	where, match := t.where("")
	same, values := make([]bool, len(guarded)), make([]any, len(guarded))
	terms := make([]string, len(guarded))
	for i, o := range guarded {
		terms[i], values[i] = t.exactly("", o), &same[i]
	}
	found := false
	err := b.sink.session.queryWith(ctx, "SELECT "+strings.Join(terms, ", ")+" FROM "+t.quoted+" WHERE "+where, func(scan func(...any) error) error {
		found = true
		return scan(values...)
	}, func() error {
		return b.sink.bindOld(b.sink.session.conn, t, append(slices.Clone(guarded), match...), m)
	})
	switch {
	case err != nil:
		return b.sink.translate(err)
	case !found:
		return t.Missing(m, n)
	default:
		return t.Differs(m, guarded, same)
	}
}

// prepared returns the statement that writes m.
func (b *batch) prepared(ctx context.Context, t *target, m *rowferry.Mutation) (*statement, error) {
	if m.Op != rowferry.Delete && t.decimals(m) {
		return b.withDecimals(t, m)
	}
	return b.statement(ctx, t, m, 1)
}

// exec runs a prepared statement for one or several mutations and returns how
// many rows it found.
func (b *batch) exec(ctx context.Context, t *target, st *statement, ms []rowferry.Mutation) (int64, error) {
	if err := b.send(ctx, t, st, ms); err != nil {
		return 0, err
	}
	return b.sink.session.answer(ctx)
}

// send queues a statement with the values of the mutations.
func (b *batch) send(ctx context.Context, t *target, st *statement, ms []rowferry.Mutation) error {
	s := b.sink
	if s.options.Trace != nil {
		s.options.Trace(st.sql, st.args(ms))
	}
	wire := s.session.conn
	if st.spelled {
		sp := &speller{sql: st.sql}
		if err := s.bindAll(sp, t, st, ms); err != nil {
			return err
		}
		sql, err := sp.finish()
		if err != nil {
			return err
		}
		return s.session.check(wire.QueueText(ctx, sql))
	}
	if st.stmt == nil { // of one use
		if err := s.one(ctx, st); err != nil {
			return err
		}
		defer closeStatement(st)
	}
	wire.Begin(st.stmt)
	if err := s.bindAll(wire, t, st, ms); err != nil {
		return err
	}
	return s.session.check(wire.Queue(ctx))
}

// bindAll gives the values of the mutations to a statement.
func (s *Sink) bindAll(to values, t *target, st *statement, ms []rowferry.Mutation) error {
	for i := range ms {
		if err := s.bind(to, t, st, ms[i].After, &ms[i]); err != nil {
			return err
		}
		if err := s.bindOld(to, t, st.match, &ms[i]); err != nil {
			return err
		}
	}
	for range max(0, st.rows-len(ms)) * (len(st.set) + len(st.match)) {
		to.Null() // a key that no row has
	}
	return nil
}

// lenient reports whether the mutation writes the invalid label of an ENUM.
func (t *target) lenient(m *rowferry.Mutation) bool {
	for o := range t.columns {
		if t.columns[o].lenient && o < len(m.After) && m.After[o].Kind() == rowferry.Text && m.After[o].Str() == "" {
			return true
		}
	}
	return false
}

// execLenient runs a statement outside strict mode, which takes the invalid
// label of an ENUM from nobody, and refuses every other leniency.
func (b *batch) execLenient(ctx context.Context, t *target, st *statement, ms []rowferry.Mutation) (int64, error) {
	se := b.sink.session
	if err := se.exec(ctx, "SET SESSION sql_mode = '"+lenientMode+"'"); err != nil {
		return 0, err
	}
	n, err := b.exec(ctx, t, st, ms)
	if err == nil {
		err = b.checkWarnings(ctx, t, &ms[0])
	}
	if serr := se.exec(ctx, "SET SESSION sql_mode = '"+sqlMode+"'"); serr != nil {
		se.broken = true // what it would write next could be cut
		if err == nil {
			err = serr
		}
	}
	return n, err
}

// checkWarnings refuses a row of which something else was changed than the
// labels that are not.
func (b *batch) checkWarnings(ctx context.Context, t *target, m *rowferry.Mutation) error {
	var expected []string
	for o := range t.columns {
		if t.columns[o].lenient && m.After[o].Kind() == rowferry.Text && m.After[o].Str() == "" {
			expected = append(expected, fmt.Sprintf("Data truncated for column '%s' ", t.Shape.Columns[o].Name))
		}
	}
	return b.sink.session.query(ctx, "SHOW WARNINGS", func(scan func(...any) error) error {
		var level, message string
		var code int
		if err := scan(&level, &code, &message); err != nil {
			return err
		}
		for _, e := range expected {
			if code == 1265 && strings.HasPrefix(message, e) {
				return nil
			}
		}
		return t.About(rowferry.Errorf(rowferry.CodeRowRefused, "the target would change a value of the row"), m).Fact("warning", "%s", message)
	})
}

// truncate removes every row, some at a time. TRUNCATE would commit.
func (b *batch) truncate(ctx context.Context, t *target, m *rowferry.Mutation) error {
	if err := b.finish(ctx); err != nil {
		return err
	}
	if err := b.checkCascade(ctx, t, m); err != nil {
		return err
	}
	sql := fmt.Sprintf("DELETE FROM %s LIMIT %d", t.quoted, truncateRows)
	b.sink.trace(sql, nil)
	for {
		n, err := b.sink.session.affect(ctx, sql)
		if err != nil {
			return b.sink.refuse(err, t, m)
		}
		if n < truncateRows {
			return nil
		}
	}
}
