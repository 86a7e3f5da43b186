package mysql

import (
	"context"
	"slices"
	"strconv"
	"strings"

	"github.com/rowferry/rowferry"
)

var _ rowferry.ReviveTx = (*batch)(nil)

// Marked implements rowferry.ReviveTx.
func (b *batch) Marked(ctx context.Context, ms []rowferry.Mutation) ([]bool, error) {
	if err := b.finish(ctx); err != nil {
		return nil, err
	}
	t, err := b.sink.target(ctx, &ms[0])
	if err != nil {
		return nil, err
	}
	where, match := t.where("")
	from := " FROM " + t.quoted + " WHERE " + where + " AND " + t.Columns[ms[0].Revives-1].Quoted + " IS NOT NULL"
	terms := make([]string, len(ms))
	for i := range ms {
		if err := t.CheckImages(&ms[i]); err != nil {
			return nil, err
		}
		terms[i] = "SELECT " + strconv.Itoa(i) + from
	}
	marked := make([]bool, len(ms))
	err = b.sink.session.queryWith(ctx, strings.Join(terms, " UNION ALL "), func(scan func(...any) error) error {
		var i int
		if err := scan(&i); err != nil {
			return err
		}
		marked[i] = true
		return nil
	}, func() error {
		for _, probe := range slices.Clone(ms) {
			probe.Before = probe.After
			if err := b.sink.bindOld(b.sink.session.conn, t, match, &probe); err != nil {
				return err
			}
		}
		return nil
	})
	return marked, b.sink.translate(err)
}
