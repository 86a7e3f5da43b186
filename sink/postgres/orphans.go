package postgres

import (
	"context"

	"github.com/rowferry/rowferry"
	dialect "github.com/rowferry/rowferry/internal/dialect/postgres"
	"github.com/rowferry/rowferry/internal/sqlsink"
	"github.com/rowferry/rowferry/schema"
)

// orphans deals with rows without a parent, of the foreign keys that the tables
// lack and can have.
func (b *builder) orphans(ctx context.Context, shapes []rowferry.Mutation, c rowferry.Completion) error {
	if !c.Orphans.Changes() {
		return nil
	}
	var keys []sqlsink.OrphanKey
	for i := range shapes {
		t := shapes[i].Table
		missing, err := b.lackingForeign(ctx, t)
		if err != nil {
			return sqlsink.Blame(err, &shapes[i])
		}
		for _, f := range missing {
			keys = append(keys, sqlsink.OrphanKey{Table: t, Key: f, Child: dialect.QuoteTable(normal(t.Name)), Parent: dialect.QuoteTable(normal(f.Parent))})
		}
	}
	o := &sqlsink.Orphanage{
		Completion: c, Quote: dialect.Quote,
		Shown:  func(_ *schema.Column, quoted string) string { return quoted + "::text" },
		Look:   func(sql string, columns int, row func([]string)) error { return b.look(ctx, sql, columns, row) },
		Change: func(sql string) error { return b.look(ctx, sql, 0, func([]string) {}) },
	}
	return o.Settle(keys)
}

// look runs a statement that may read whole tables.
func (b *builder) look(ctx context.Context, sql string, columns int, row func([]string)) error {
	if err := b.open(ctx); err != nil {
		return err
	}
	if b.sink.options.Trace != nil {
		b.sink.options.Trace(sql, nil)
	}
	return b.sink.translate(ctx, b.watched(ctx, func(ctx context.Context) error {
		return dialect.Query(ctx, b.conn, sql, func(r dialect.Row) error {
			texts := make([]string, columns)
			for i := range texts {
				texts[i] = r.Text(i)
			}
			row(texts)
			return nil
		})
	}))
}
