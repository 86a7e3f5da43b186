package sqlite

import (
	"context"
	"math"
	"strconv"

	"github.com/rowferry/rowferry"
	dialect "github.com/rowferry/rowferry/internal/dialect/sqlite"
	"github.com/rowferry/rowferry/internal/sqlsink"
	"github.com/rowferry/rowferry/schema"
)

var _ rowferry.Reserver = (*Sink)(nil)

// Reserve sets n keys aside by moving the counter of a table with AUTOINCREMENT
// past them, in a transaction of its own. Without AUTOINCREMENT the next key is
// one more than the largest of a row, which no counter knows of.
func (s *Sink) Reserve(ctx context.Context, table schema.Name, column string, n int) (ranges []rowferry.KeyRange, err error) {
	err = s.within(ctx, func() error {
		x, err := s.counting(table, column)
		if err != nil || n < 1 {
			return err
		}
		last, err := dialect.Counter(s.conn, x)
		if err != nil {
			return s.translate(err)
		}
		if int64(n) > math.MaxInt64-last {
			return sqlsink.Uncounted(table, column, "the counter is at its end").
				Fact("counter", "%d", last).Remedy("or let rows have the source's keys", sqlsink.OtherStrategy)
		}
		r := rowferry.KeyRange{First: last + 1, Last: last + int64(n)}
		if s.options.Trace != nil {
			s.options.Trace("UPDATE sqlite_sequence", []string{table.Table, strconv.FormatInt(r.Last, 10)})
		}
		ranges = []rowferry.KeyRange{r}
		return s.translate(dialect.SetCounter(s.conn, x, r.Last))
	})
	if err != nil {
		return nil, err
	}
	return ranges, nil
}

// counting returns the table whose column counts.
func (s *Sink) counting(table schema.Name, column string) (*dialect.Existing, error) {
	x, err := dialect.Inspect(s.conn, table.Table)
	if err != nil {
		return nil, s.translate(err)
	}
	var why string
	switch {
	case x == nil:
		why = "the table does not exist"
	case x.Kind != "table":
		why = "it is no table"
	case folding.Ordinal(x.Shape, column) < 0:
		why = "the table has no such column"
	case folding.Ordinal(x.Shape, column) != x.RowidAlias:
		why = "the column does not count: it is no INTEGER PRIMARY KEY"
	case !x.Counts():
		why = "without AUTOINCREMENT others are given the next key after the largest, whatever was set aside"
	default:
		return x, nil
	}
	return nil, sqlsink.Uncounted(table, column, why).
		Remedy("make the table with a counter", "CREATE TABLE %s (%s INTEGER PRIMARY KEY AUTOINCREMENT, …) STRICT", dialect.Quote(table.Table), dialect.Quote(column)).
		Remedy("or let rows have the source's keys", sqlsink.OtherStrategy)
}
