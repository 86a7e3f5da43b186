package mysql

import (
	"context"
	"slices"
	"strings"

	"github.com/rowferry/rowferry"
	"github.com/rowferry/rowferry/internal/sqlsink"
	"github.com/rowferry/rowferry/schema"
)

// Merge writes what rows are, whatever they were. A table's changes go together
// by what they do and which columns they write, many in one statement: inserts
// that overwrite, and updates and deletes that join the table with the rows that
// they are given, as in bulk, but find those that are there. No statement waits
// for the answer to the one before it.
func (b *batch) Merge(ctx context.Context, ms []rowferry.Mutation) error {
	return b.whole(ctx, func() error {
		runs, err := b.runs(ctx, ms)
		if err != nil {
			return err
		}
		for i := range runs {
			if err := b.mergeRun(ctx, &runs[i]); err != nil {
				return err
			}
		}
		return b.land(ctx, true)
	})
}

// run is changes of a table that do the same to the same columns.
type run struct {
	target *target
	ms     []rowferry.Mutation
}

// runs returns the mutations by table and pattern, without the old values that do
// not count: deletes first, then updates, then inserts, so that in a table with
// other unique keys their values are free before they are taken.
func (b *batch) runs(ctx context.Context, ms []rowferry.Mutation) ([]run, error) {
	type like struct {
		target  *target
		pattern string
	}
	var all []run
	places := map[like]int{}
	for i := range ms {
		m := ms[i] // which is changed here
		t, err := b.mergeable(ctx, &m)
		if err != nil {
			return nil, sqlsink.Blame(err, &ms[i])
		}
		if m.Op == rowferry.Update && t.written(&m) == 0 {
			continue
		}
		b.key = t.Pattern(b.key[:0], &m)
		k := like{t, string(b.key)}
		at, ok := places[k]
		if !ok {
			at = len(all)
			places[k], all = at, append(all, run{target: t})
		}
		all[at].ms = append(all[at].ms, m)
	}
	rank := map[rowferry.Op]int{rowferry.Delete: 0, rowferry.Update: 1, rowferry.Insert: 2}
	slices.SortStableFunc(all, func(a, c run) int { return rank[a.ms[0].Op] - rank[c.ms[0].Op] })
	return all, nil
}

// mergeable looks at a mutation, and leaves it no more of its old image than the
// key: the row need not have the rest.
func (b *batch) mergeable(ctx context.Context, m *rowferry.Mutation) (*target, error) {
	t, err := b.sink.target(ctx, m)
	if err != nil {
		return nil, err
	}
	if err := t.CheckMerge(m); err != nil {
		return nil, err
	}
	m.ChecksOff = false // there is nothing that would look
	if m.Op == rowferry.Insert {
		m.Before = nil
		return t, nil
	}
	before := m.Before
	m.Before = make(rowferry.Row, len(before))
	for _, o := range t.Identity {
		m.Before[o] = before[o]
	}
	return t, nil
}

func (b *batch) mergeRun(ctx context.Context, r *run) error {
	for rest := r.ms; len(rest) > 0; {
		n, err := b.mergeSome(ctx, r.target, rest)
		if err != nil {
			if first := b.land(ctx, true); first != nil {
				return first // of a statement before this one
			}
			return sqlsink.Blame(err, &rest[0])
		}
		if err := b.land(ctx, false); err != nil {
			return err
		}
		rest = rest[n:]
	}
	return nil
}

// mergeSome queues the statement that carries the first mutations of a run, and
// returns how many. What has to be answered is written when all else is.
func (b *batch) mergeSome(ctx context.Context, t *target, ms []rowferry.Mutation) (int, error) {
	m, n := &ms[0], 1
	if m.Op == rowferry.Insert && !t.overwrites || m.Op != rowferry.Delete && (t.lenient(m) || t.decimals(m)) {
		if err := b.land(ctx, true); err != nil {
			return 0, err
		}
		return 1, b.mergeOne(ctx, t, m)
	}
	var st *statement
	var w *wanted
	if m.Op == rowferry.Insert {
		n = b.alike(t, ms)
		st, w = b.overwriting(t, m, n)
	} else {
		joined, _, err := b.joinable(ctx, ms)
		switch {
		case err != nil:
			return 0, err
		case joined > 0:
			n = joined
			st, w = b.joined(t, ms[:n])
		default:
			st, w = b.single(t, m, 1)
		}
	}
	if w != nil {
		st = w.statement
		if err := b.prepare(ctx, w); err != nil {
			return 0, err
		}
	}
	if err := b.fly(ctx, t, st, ms[:n]); err != nil {
		return 0, err
	}
	b.flights[len(b.flights)-1].merged = true
	return n, nil
}

// mergeOne merges one mutation and waits for the answer. Where an insert may not
// overwrite, since it could be the row of another that it does so with, the row
// is changed by its key, or else inserted.
func (b *batch) mergeOne(ctx context.Context, t *target, m *rowferry.Mutation) error {
	if m.Op == rowferry.Insert && !t.overwrites {
		u := *m
		u.Op, u.Before = rowferry.Update, make(rowferry.Row, len(m.After))
		for _, o := range t.Identity {
			u.Before[o] = m.After[o]
		}
		if n, err := b.alone(ctx, t, &u, ""); n > 0 || err != nil {
			return err
		}
		_, err := b.alone(ctx, t, m, "")
		return err
	}
	overwrite := ""
	if m.Op == rowferry.Insert {
		overwrite = b.sink.server.overwrite(t)
	}
	_, err := b.alone(ctx, t, m, overwrite)
	return err
}

// alone runs the statement for one mutation, with more at its end, and returns how
// many rows it found.
func (b *batch) alone(ctx context.Context, t *target, m *rowferry.Mutation, more string) (int64, error) {
	var st *statement
	if t.decimals(m) && m.Op != rowferry.Delete {
		var err error
		if st, err = b.withDecimals(t, m); err != nil {
			return 0, err
		}
	} else {
		st = t.compose(m, 1, nil)
	}
	st.sql += more
	exec := b.exec
	if t.lenient(m) && m.Op != rowferry.Delete {
		exec = b.execLenient
	}
	n, err := exec(ctx, t, st, []rowferry.Mutation{*m})
	if err != nil {
		return 0, b.sink.refuse(err, t, m)
	}
	return n, nil
}

// overwriting returns the statement for inserts like m that overwrite the rows
// with their keys, or else the one to prepare.
func (b *batch) overwriting(t *target, m *rowferry.Mutation, rows int) (*statement, *wanted) {
	b.key = append(t.Pattern(b.key[:0], m), 'O', byte(rows), byte(rows>>8))
	if st, ok := b.sink.stmts.Get(&t.Table, b.key); ok {
		return st, nil
	}
	st := t.compose(m, rows, nil)
	st.sql += b.sink.server.overwrite(t)
	return nil, &wanted{st, t, string(b.key), rows * len(st.set)}
}

// overwrite returns the end of an INSERT that overwrites rows with every column,
// those of the key too: to its collation another text may be equal.
func (v *server) overwrite(t *target) string {
	given := func(column string) string { return "VALUES(" + column + ")" }
	row := ""
	if !v.MariaDB {
		const name = "`rowferry row`"
		row, given = " AS "+name, func(column string) string { return name + "." + column }
	}
	var sets []string
	for i := range t.columns {
		if c := t.Columns[i].Quoted; !t.Columns[i].Computed {
			sets = append(sets, c+" = "+given(c))
		}
	}
	return row + " ON DUPLICATE KEY UPDATE " + strings.Join(sets, ", ")
}

// canOverwrite reports whether the only row that an INSERT of the shape's columns
// can meet is the one with its key: the table has no other unique key, and takes
// no keys for equal that the source tells apart.
func (s *Sink) canOverwrite(t *schema.Table, x *existing) bool {
	if t.Identity() == nil || !s.references(x.shape, t.ColumnNames(t.Identity())) || len(s.otherKeys(t, x)) > 0 {
		return false
	}
	for _, o := range t.Identity() {
		want, have := t.Columns[o].Type, x.shape.Columns[s.server.folding().Ordinal(x.shape, t.Columns[o].Name)].Type
		if x.made || !have.Kind.Textual() {
			continue
		}
		clause, _ := s.server.Collation(want)
		if !want.Kind.Textual() || have.Kind != want.Kind || clause != "CHARACTER SET "+have.Charset+" COLLATE "+have.Collation {
			return false
		}
	}
	return true
}
