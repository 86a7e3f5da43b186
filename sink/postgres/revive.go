package postgres

import (
	"context"
	"strings"

	"github.com/rowferry/rowferry"
	dialect "github.com/rowferry/rowferry/internal/dialect/postgres"
	"github.com/rowferry/rowferry/internal/sqlsink"
)

var _ rowferry.ReviveTx = (*batch)(nil)

// Marked implements rowferry.ReviveTx.
func (b *batch) Marked(ctx context.Context, ms []rowferry.Mutation) ([]bool, error) {
	t, err := b.targetOf(ctx, &ms[0])
	if err == nil {
		err = b.flush(ctx)
	}
	if err != nil {
		return nil, sqlsink.Blame(err, &ms[0])
	}
	v := &unnested{statement: &statement{}}
	on, args := []string{"o." + t.Columns[ms[0].Revives-1].Quoted + " IS NOT NULL"}, []any{}
	for _, o := range t.Identity {
		on = append(on, t.columns[o].equals("o."+t.Columns[o].Quoted, v.add(&t.columns[o]), false))
		a := array{column: &t.columns[o]}
		for i := range ms {
			if err := t.CheckImages(&ms[i]); err != nil {
				return nil, err
			}
			if err := a.add(ms[i].After[o]); err != nil {
				return nil, t.About(err, &ms[i]).Fact("column", "%s", t.Shape.Columns[o].Name)
			}
		}
		args = append(args, string(a.text()))
	}
	conn, err := b.sink.session(ctx)
	if err != nil {
		return nil, err
	}
	marked := make([]bool, len(ms))
	sql := "SELECT v.place FROM " + t.quoted + " o, unnest(" + strings.Join(v.given, ", ") + ") WITH ORDINALITY v(" + strings.Join(append(v.as, "place"), ", ") + ") WHERE " + strings.Join(on, " AND ")
	err = dialect.Query(ctx, conn, sql, func(r dialect.Row) error {
		n, err := r.Int(0)
		if err == nil {
			marked[n-1] = true
		}
		return err
	}, args...)
	return marked, b.sink.translate(ctx, err)
}
