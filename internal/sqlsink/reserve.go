package sqlsink

import (
	"slices"

	"github.com/rowferry/rowferry"
	"github.com/rowferry/rowferry/schema"
)

// Uncounted is the error of a column from which no keys can be set aside.
func Uncounted(table schema.Name, column, why string) *rowferry.Error {
	return rowferry.Errorf(rowferry.CodeKeyReserve, "no keys can be set aside in the target: %s", why).
		Fact("table", "%s", table).Fact("column", "%s", column)
}

// OtherStrategy is the remedy that is left where a table is as it has to be.
const OtherStrategy = "entities: {db.table: {key: keep}}"

// fewKeys are given though nothing may be left behind them.
const fewKeys = 1000

// Share returns how many of the keys that a counter has left are set aside where n are
// asked for: no more than a quarter, unless that is few, for others count on too.
func Share(n int, left uint64) int {
	return int(min(uint64(n), max(left/4, min(left, fewKeys))))
}

// Ranges returns keys, of which none is there twice, as ascending ranges. It
// sorts them.
func Ranges(keys []int64) (ranges []rowferry.KeyRange) {
	slices.Sort(keys)
	for _, k := range keys {
		if n := len(ranges); n > 0 && ranges[n-1].Last == k-1 {
			ranges[n-1].Last = k
		} else {
			ranges = append(ranges, rowferry.KeyRange{First: k, Last: k})
		}
	}
	return ranges
}
