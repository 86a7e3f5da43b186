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
	err := s.looking(ctx, func() error {
		if err := s.refresh(ctx); err != nil {
			return err
		}
		t, err := s.target(ctx, &rowferry.Mutation{Table: table})
		if err != nil {
			return err
		}
		v := &unnested{statement: &statement{}}
		var on []string
		arrays, args := make([]array, len(columns)), make([]any, len(columns))
		for i, o := range columns {
			arrays[i].column = &t.columns[o]
			on = append(on, "o."+t.Columns[o].Quoted+" "+t.columns[o].equality+" "+v.add(&t.columns[o]))
		}
		places, err := sqlsink.Held(values, columns, func(o int, v rowferry.Value) *rowferry.Error {
			_, err := t.columns[o].encode(v)
			return err
		})
		if len(places) == 0 || err != nil {
			return err
		}
		for i := range columns {
			for _, place := range places {
				if err := arrays[i].add(values[place][i]); err != nil {
					return err
				}
			}
			args[i] = string(arrays[i].text())
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
			return found.Add(places[n-1], texts)
		}, args...)
	})
	return found.All, err
}
