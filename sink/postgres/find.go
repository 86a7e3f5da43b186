package postgres

import (
	"context"
	"strings"

	"github.com/rowferry/rowferry"
	dialect "github.com/rowferry/rowferry/internal/dialect/postgres"
	"github.com/rowferry/rowferry/internal/sqlsink"
	"github.com/rowferry/rowferry/schema"
)

var _ rowferry.Finder = (*Sink)(nil)

// Find looks rows up by one statement.
func (s *Sink) Find(ctx context.Context, table *schema.Table, columns []int, values [][]rowferry.Value, key []int) ([]rowferry.Found, error) {
	if err := s.idle(ctx); err != nil || len(values) == 0 {
		return nil, err
	}
	found := &sqlsink.FoundKeys{Table: table, Key: key}
	err := s.within(ctx, func() error {
		if err := s.refresh(ctx); err != nil {
			return err
		}
		t, err := s.target(ctx, &rowferry.Mutation{Table: table})
		if err != nil {
			return err
		}
		v := &unnested{statement: &statement{}}
		var on []string
		var args []any
		for i, o := range columns {
			c := &t.columns[o]
			on = append(on, "o."+t.Columns[o].Quoted+" "+c.equality+" "+v.add(c))
			a := array{column: c}
			for _, row := range values {
				if err := a.add(row[i]); err != nil {
					return err.Fact("table", "%s", table.Name).Fact("column", "%s", table.Columns[o].Name)
				}
			}
			args = append(args, string(a.text()))
		}
		shown := []string{"v.place"}
		for _, o := range key {
			shown = append(shown, "o."+t.Columns[o].Quoted+"::text")
		}
		sql := "SELECT " + strings.Join(shown, ", ") + " FROM " + t.quoted + " o, unnest(" + strings.Join(v.given, ", ") +
			") WITH ORDINALITY v(" + strings.Join(append(v.as, "place"), ", ") + ") WHERE " + strings.Join(on, " AND ")
		return s.query(ctx, sql, func(r dialect.Row) error {
			n, err := r.Int(0)
			if err != nil {
				return err
			}
			texts := make([]string, len(key))
			for i := range texts {
				texts[i] = r.Text(i + 1)
			}
			return found.Add(int(n)-1, texts)
		}, args...)
	})
	return found.All, err
}
