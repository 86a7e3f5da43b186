package postgres

import (
	"context"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/rowferry/rowferry"
	dialect "github.com/rowferry/rowferry/internal/dialect/postgres"
	"github.com/rowferry/rowferry/internal/sqlsink"
	"github.com/rowferry/rowferry/schema"
)

// orphans deals with rows without a parent, of the foreign keys that the tables
// lack and can have.
func (c *completion) orphans(ctx context.Context, shapes []rowferry.Mutation, o rowferry.Completion) error {
	if !o.Orphans.Changes() {
		return nil
	}
	var keys []sqlsink.OrphanKey
	for i := range shapes {
		t := shapes[i].Table
		missing, err := c.lackingForeign(ctx, t)
		if err != nil {
			return sqlsink.Blame(err, &shapes[i])
		}
		for _, f := range missing {
			keys = append(keys, sqlsink.OrphanKey{Table: t, Key: f, Child: dialect.QuoteTable(normal(t.Name)), Parent: dialect.QuoteTable(normal(f.Parent))})
		}
	}
	if len(keys) == 0 {
		return nil
	}
	b := newBuilders(c.sink)
	conn, err := b.open(ctx)
	if err != nil {
		return c.sink.translate(ctx, err)
	}
	defer b.close(conn)
	look := func(sql string, columns int, row func([]string)) error { return b.texts(ctx, conn, sql, columns, row) }
	settling := &sqlsink.Orphanage{
		Completion: o, Quote: dialect.Quote,
		Shown:  func(_ *schema.Column, quoted string) string { return quoted + "::text" },
		Look:   look,
		Change: func(sql string) error { return look(sql, 0, func([]string) {}) },
	}
	b.watched(ctx, func() { err = settling.Settle(keys) })
	return c.sink.translate(ctx, err)
}

// texts runs a statement that may read whole tables.
func (b *builders) texts(ctx context.Context, conn *pgconn.PgConn, sql string, columns int, row func([]string)) error {
	return b.query(ctx, conn, sql, func(r dialect.Row) error {
		texts := make([]string, columns)
		for i := range texts {
			texts[i] = r.Text(i)
		}
		row(texts)
		return nil
	})
}
