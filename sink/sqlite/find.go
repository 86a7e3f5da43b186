package sqlite

import (
	"context"
	"errors"
	"strconv"
	"strings"

	"github.com/rowferry/rowferry"
	"github.com/rowferry/rowferry/internal/sqlsink"
	"github.com/rowferry/rowferry/schema"
)

var _ rowferry.Finder = (*Sink)(nil)

// Find looks rows up, one value after the other.
func (s *Sink) Find(ctx context.Context, table *schema.Table, columns []int, values [][]rowferry.Value, key []int) ([]rowferry.Found, error) {
	found := &sqlsink.FoundKeys{Table: table, Key: key}
	err := s.looking(ctx, func() error {
		t, err := s.target(&rowferry.Mutation{Table: table})
		if err != nil {
			return err
		}
		return s.findAll(t, columns, values, found)
	})
	return found.All, err
}

func (s *Sink) findAll(t *target, columns []int, values [][]rowferry.Value, found *sqlsink.FoundKeys) (err error) {
	var where, keys []string
	for _, o := range columns {
		where = append(where, t.Columns[o].Quoted+" = ?")
	}
	for _, o := range found.Key {
		keys = append(keys, shown(&t.Shape.Columns[o], t.Columns[o].Quoted))
	}
	stmt, _, err := s.conn.PrepareTransient("SELECT " + strings.Join(keys, ", ") + " FROM " + t.quoted + " WHERE " + conjunction(where) + " LIMIT " + strconv.Itoa(rowferry.MostFound))
	if err != nil {
		return s.translate(err)
	}
	defer func() { err = errors.Join(err, s.translate(stmt.Finalize())) }()
	places, err := sqlsink.Held(values, columns, func(o int, v rowferry.Value) *rowferry.Error { return bindValue(stmt, 1, t.carry[o], v) })
	if err != nil {
		return err
	}
	texts := make([]string, len(keys))
	for _, place := range places {
		for i, o := range columns {
			if err := bindValue(stmt, 1+i, t.carry[o], values[place][i]); err != nil {
				return err
			}
		}
		for {
			there, err := stmt.Step()
			if err != nil {
				return s.translate(err)
			}
			if !there {
				break
			}
			for i := range texts {
				texts[i] = stmt.ColumnText(i)
			}
			if err := found.Add(place, texts); err != nil {
				return err
			}
		}
		if err := stmt.Reset(); err != nil {
			return s.translate(err)
		}
	}
	return nil
}
