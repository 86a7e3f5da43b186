package sqlite

import (
	"context"

	"github.com/rowferry/rowferry"
	dialect "github.com/rowferry/rowferry/internal/dialect/sqlite"
	"github.com/rowferry/rowferry/internal/sqlsink"
	"github.com/rowferry/rowferry/schema"
)

// settleOrphans deals with rows without a parent, of the tables that Rowferry made
// and whose foreign keys have not been looked at.
func (s *Sink) settleOrphans(ctx context.Context, shapes []rowferry.Mutation, c rowferry.Completion) error {
	if !c.Orphans.Changes() {
		return nil
	}
	var keys []sqlsink.OrphanKey
	for i := range shapes {
		t := shapes[i].Table
		if s.loading.complete(t.Name) {
			continue
		}
		x, err := dialect.Inspect(s.conn, t.Name.Table)
		if err != nil {
			return s.translate(err)
		}
		if x == nil || !dialect.Made(t, x) {
			continue
		}
		for _, f := range x.Shape.ForeignKeys {
			if len(f.Referenced) == len(f.Columns) {
				keys = append(keys, sqlsink.OrphanKey{Table: x.Shape, Key: f,
					Child: dialect.Quote(dialect.Fold(t.Name.Table)), Parent: dialect.Quote(dialect.Fold(f.Parent.Table))})
			}
		}
	}
	o := &sqlsink.Orphanage{
		Completion: c, Quote: dialect.Quote, Shown: shown, Look: s.lookAt,
		Change: func(sql string) error {
			return s.within(ctx, func() error {
				if s.options.Trace != nil {
					s.options.Trace(sql, nil)
				}
				return s.translate(dialect.Exec(s.conn, sql))
			})
		},
	}
	return o.Settle(keys)
}

func (s *Sink) lookAt(sql string, columns int, each func([]string)) error {
	return s.translate(dialect.Query(s.conn, sql, func(q row) error {
		texts := make([]string, columns)
		for i := range texts {
			texts[i] = q.ColumnText(i)
		}
		each(texts)
		return nil
	}))
}

// shown is a column's value as text, for people.
func shown(c *schema.Column, quoted string) string {
	switch c.Type.Kind {
	case schema.Binary, schema.VarBinary, schema.Blob:
		return "'0x' || hex(" + quoted + ")"
	default:
		return "CAST(" + quoted + " AS TEXT)"
	}
}
