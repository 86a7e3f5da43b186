package postgres

import (
	"context"
	"strings"

	"github.com/rowferry/rowferry"
	dialect "github.com/rowferry/rowferry/internal/dialect/postgres"
	"github.com/rowferry/rowferry/internal/sqlsink"
	"github.com/rowferry/rowferry/schema"
)

var _ rowferry.RecopySink = (*Sink)(nil)

// Made reports whether the table has the comment of those that Rowferry makes.
func (s *Sink) Made(ctx context.Context, table *schema.Table) (made bool, err error) {
	if err := s.idle(ctx); err != nil {
		return false, err
	}
	err = s.within(ctx, func() error {
		x, err := s.inspect(ctx, table)
		made = x != nil && x.Made
		return err
	})
	return made, err
}

// Keys goes through the table by one statement.
func (s *Sink) Keys(ctx context.Context, table *schema.Table, key []int, fn func([]rowferry.Value) error) error {
	return s.within(ctx, func() error {
		if err := s.refresh(ctx); err != nil {
			return err
		}
		t, err := s.target(ctx, &rowferry.Mutation{Table: table})
		if err != nil {
			return err
		}
		var shown []string
		for _, o := range key {
			shown = append(shown, t.Columns[o].Quoted+"::text")
		}
		texts := make([]string, len(key))
		return s.query(ctx, "SELECT "+strings.Join(shown, ", ")+" FROM "+t.quoted, func(r dialect.Row) error {
			for i := range texts {
				texts[i] = r.Text(i)
			}
			return sqlsink.EachKey(table, key, texts, fn)
		})
	})
}
