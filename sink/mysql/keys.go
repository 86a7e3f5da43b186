package mysql

import (
	"context"
	"strings"

	"github.com/rowferry/rowferry"
	"github.com/rowferry/rowferry/internal/sqlsink"
	"github.com/rowferry/rowferry/schema"
)

var _ rowferry.RecopySink = (*Sink)(nil)

// Made reports whether the table has the comment of those that Rowferry makes.
func (s *Sink) Made(ctx context.Context, table *schema.Table) (made bool, err error) {
	err = s.afresh(ctx, func() error {
		x, err := s.inspect(ctx, s.session, s.place(table.Name))
		made = x != nil && x.made
		return err
	})
	return made, err
}

// Keys goes through the table by one statement.
func (s *Sink) Keys(ctx context.Context, table *schema.Table, key []int, fn func([]rowferry.Value) error) error {
	if err := s.idle(ctx); err != nil {
		return err
	}
	t, err := s.target(ctx, &rowferry.Mutation{Table: table})
	if err != nil {
		return err
	}
	keys := make([]string, len(key))
	texts, into := make([]string, len(key)), make([]any, len(key))
	for i, o := range key {
		keys[i] = shown(&table.Columns[o], t.Columns[o].Quoted)
		into[i] = &texts[i]
	}
	return s.translate(s.session.queryWith(ctx, "SELECT "+strings.Join(keys, ", ")+" FROM "+t.quoted, func(scan func(...any) error) error {
		if err := scan(into...); err != nil {
			return err
		}
		return sqlsink.EachKey(table, key, texts, fn)
	}, func() error { return nil }))
}
