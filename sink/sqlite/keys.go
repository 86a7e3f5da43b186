package sqlite

import (
	"context"
	"errors"
	"strings"

	"github.com/rowferry/rowferry"
	dialect "github.com/rowferry/rowferry/internal/dialect/sqlite"
	"github.com/rowferry/rowferry/internal/sqlsink"
	"github.com/rowferry/rowferry/schema"
)

var _ rowferry.RecopySink = (*Sink)(nil)

// Made reports whether the table is as Rowferry makes it.
func (s *Sink) Made(ctx context.Context, table *schema.Table) (made bool, err error) {
	err = s.within(ctx, func() error {
		x, err := s.inspect(table)
		made = x != nil && dialect.Made(table, x)
		return err
	})
	return made, err
}

// Keys goes through the table by one statement.
func (s *Sink) Keys(ctx context.Context, table *schema.Table, key []int, fn func([]rowferry.Value) error) error {
	return s.within(ctx, func() (err error) {
		t, err := s.target(&rowferry.Mutation{Table: table})
		if err != nil {
			return err
		}
		keys, texts := make([]string, len(key)), make([]string, len(key))
		for i, o := range key {
			keys[i] = shown(&table.Columns[o], t.Columns[o].Quoted)
		}
		stmt, _, err := s.conn.PrepareTransient("SELECT " + strings.Join(keys, ", ") + " FROM " + t.quoted)
		if err != nil {
			return s.translate(err)
		}
		defer func() { err = errors.Join(err, s.translate(stmt.Finalize())) }()
		for {
			there, err := stmt.Step()
			if err != nil {
				return s.translate(err)
			}
			if !there {
				return nil
			}
			for i := range texts {
				texts[i] = stmt.ColumnText(i)
			}
			if err := sqlsink.EachKey(table, key, texts, fn); err != nil {
				return err
			}
		}
	})
}
