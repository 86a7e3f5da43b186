package sqlite

import (
	"context"
	"errors"

	"github.com/rowferry/rowferry"
)

var _ rowferry.ReviveTx = (*batch)(nil)

// Marked implements rowferry.ReviveTx.
func (b *batch) Marked(_ context.Context, ms []rowferry.Mutation) (marked []bool, err error) {
	t, err := b.targetOf(&ms[0])
	if err != nil {
		return nil, err
	}
	where, match := t.where("")
	stmt, _, err := b.sink.conn.PrepareTransient("SELECT 1 FROM " + t.quoted + " WHERE " + where + " AND " + t.Columns[ms[0].Revives-1].Quoted + " IS NOT NULL")
	if err != nil {
		return nil, b.sink.translate(err)
	}
	defer func() { err = errors.Join(err, b.sink.translate(stmt.Finalize())) }()
	marked = make([]bool, len(ms))
	for i := range ms {
		if err := t.CheckImages(&ms[i]); err != nil {
			return nil, err
		}
		probe := ms[i]
		probe.Before = probe.After
		if err := t.bindOld(stmt, 1, match, &probe); err != nil {
			return nil, err
		}
		if marked[i], err = stmt.Step(); err != nil {
			return nil, b.sink.translate(err)
		}
		if err := stmt.Reset(); err != nil {
			return nil, b.sink.translate(err)
		}
	}
	return marked, nil
}
