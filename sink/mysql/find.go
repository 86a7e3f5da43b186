package mysql

import (
	"context"
	"slices"
	"strconv"
	"strings"

	"github.com/rowferry/rowferry"
	"github.com/rowferry/rowferry/internal/sqlsink"
	"github.com/rowferry/rowferry/schema"
)

var _ rowferry.Finder = (*Sink)(nil)

// findTerms is how many values one statement looks up.
const findTerms = 100

// Find looks rows up, each value by a SELECT of its own, of which one statement has
// many: a list of values to join with would not be compared by the column's collation.
func (s *Sink) Find(ctx context.Context, table *schema.Table, columns []int, values [][]rowferry.Value, key []int) ([]rowferry.Found, error) {
	var all []rowferry.Found
	err := s.afresh(ctx, func() error {
		all = nil
		t, err := s.target(ctx, &rowferry.Mutation{Table: table})
		if err != nil {
			return err
		}
		found := &sqlsink.FoundKeys{Table: table, Key: key}
		at := 0
		for some := range slices.Chunk(values, findTerms) {
			if err := s.findSome(ctx, t, columns, some, at, found); err != nil {
				return err
			}
			at += len(some)
		}
		all = found.All
		return nil
	})
	return all, err
}

// findSome looks up values, of which the first is the one with the given number.
func (s *Sink) findSome(ctx context.Context, t *target, columns []int, values [][]rowferry.Value, at int, found *sqlsink.FoundKeys) error {
	var where, keys []string
	for _, o := range columns {
		where = append(where, t.indexed("", o, " = "))
	}
	for _, o := range found.Key {
		keys = append(keys, shown(&t.Shape.Columns[o], t.Columns[o].Quoted))
	}
	terms := make([]string, len(values))
	for i := range values {
		terms[i] = "(SELECT " + strconv.Itoa(at+i) + ", " + strings.Join(keys, ", ") + " FROM " + t.quoted +
			" WHERE " + strings.Join(where, " AND ") + " LIMIT " + strconv.Itoa(rowferry.MostFound) + ")"
	}
	bind := func() error {
		for _, row := range values {
			for i, o := range columns {
				if err := s.parameter(s.session.conn, &t.columns[o], row[i]); err != nil {
					return err.Fact("table", "%s", t.Shape.Name).Fact("column", "%s", t.Shape.Columns[o].Name)
				}
			}
		}
		return nil
	}
	return s.session.queryWith(ctx, strings.Join(terms, " UNION ALL "), func(scan func(...any) error) error {
		value, texts := 0, make([]string, len(keys))
		into := []any{&value}
		for i := range texts {
			into = append(into, &texts[i])
		}
		if err := scan(into...); err != nil {
			return err
		}
		return found.Add(value, texts)
	}, bind)
}
