package mysql

import (
	"context"

	"github.com/rowferry/rowferry"
	"github.com/rowferry/rowferry/internal/sqlsink"
	"github.com/rowferry/rowferry/schema"
)

// orphans deals with rows without a parent, of the foreign keys that the tables
// lack and can have.
func (p *preparation) orphans(tables []*schema.Table, c rowferry.Completion) error {
	if !c.Orphans.Changes() {
		return nil
	}
	var keys []sqlsink.OrphanKey
	err := p.eachMade(tables, func(t *schema.Table, x *existing) error {
		missing, err := p.lackingForeign(t, x)
		for _, f := range missing {
			keys = append(keys, sqlsink.OrphanKey{Table: t, Key: f, Child: quoteName(t.Name), Parent: quoteName(f.Parent)})
		}
		return err
	})
	if err != nil || len(keys) == 0 {
		return err
	}
	o := &sqlsink.Orphanage{Completion: c, Quote: quote, Shown: shown, Joins: true, Look: p.lookAt, Change: p.change}
	return p.sink.translate(o.Settle(keys))
}

func (p *preparation) lookAt(query string, columns int, row func([]string)) error {
	return p.sink.lookingPatiently(p.ctx, p.session, func(ctx context.Context, se *session) error {
		return se.query(ctx, query, func(scan func(...any) error) error {
			texts, into := make([]string, columns), make([]any, columns)
			for i := range texts {
				into[i] = &texts[i]
			}
			if err := scan(into...); err != nil {
				return err
			}
			row(texts)
			return nil
		})
	})
}

func (p *preparation) change(statement string) error {
	p.sink.trace(statement, nil)
	return p.sink.patiently(p.ctx, p.session, statement)
}

// shown is a column's value as text, for people.
func shown(c *schema.Column, quoted string) string {
	switch c.Type.Kind {
	case schema.Binary, schema.VarBinary, schema.Blob, schema.Bit:
		return "CONCAT('0x', HEX(" + quoted + "))"
	default:
		return "CAST(" + quoted + " AS CHAR)"
	}
}
