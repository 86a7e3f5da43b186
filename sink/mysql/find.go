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
		places, err := sqlsink.Held(values, columns, func(o int, v rowferry.Value) *rowferry.Error { return s.parameter(nowhere{}, &t.columns[o], v) })
		if err != nil {
			return err
		}
		for some := range slices.Chunk(places, findTerms) {
			if err := s.findSome(ctx, t, columns, values, some, found); err != nil {
				return err
			}
		}
		all = found.All
		return nil
	})
	return all, err
}

// findSome looks up the values at some places.
func (s *Sink) findSome(ctx context.Context, t *target, columns []int, values [][]rowferry.Value, places []int, found *sqlsink.FoundKeys) error {
	var where, keys []string
	for _, o := range columns {
		where = append(where, t.indexed("", o, " = "))
	}
	for _, o := range found.Key {
		keys = append(keys, shown(&t.Shape.Columns[o], t.Columns[o].Quoted))
	}
	terms := make([]string, len(places))
	for i, place := range places {
		terms[i] = "(SELECT " + strconv.Itoa(place) + ", " + strings.Join(keys, ", ") + " FROM " + t.quoted +
			" WHERE " + strings.Join(where, " AND ") + " LIMIT " + strconv.Itoa(rowferry.MostFound) + ")"
	}
	bind := func() error {
		for _, place := range places {
			for i, o := range columns {
				if err := s.parameter(s.session.conn, &t.columns[o], values[place][i]); err != nil {
					return err
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

// nowhere takes values that are only to be looked at.
type nowhere struct{}

func (nowhere) Null()         {}
func (nowhere) Int(int64)     {}
func (nowhere) Uint(uint64)   {}
func (nowhere) Float(float64) {}
func (nowhere) Text(string)   {}
func (nowhere) Bytes(string)  {}
