package sqlsink

import (
	"strconv"

	"github.com/rowferry/rowferry"
	"github.com/rowferry/rowferry/schema"
)

// FoundKeys collects what a Find comes to.
type FoundKeys struct {
	Table *schema.Table
	Key   []int
	All   []rowferry.Found
	times map[int]int
}

// Add takes a row with the given key, as text, that has the values of the given number.
func (f *FoundKeys) Add(value int, texts []string) error {
	if f.times == nil {
		f.times = map[int]int{}
	}
	if f.times[value]++; f.times[value] > rowferry.MostFound {
		return nil
	}
	return EachKey(f.Table, f.Key, texts, func(key []rowferry.Value) error {
		f.All = append(f.All, rowferry.Found{Value: value, Key: key})
		return nil
	})
}

// EachKey calls fn with a key that the target has told as text.
func EachKey(table *schema.Table, columns []int, texts []string, fn func([]rowferry.Value) error) error {
	key := make([]rowferry.Value, len(texts))
	for i, text := range texts {
		if table.Columns[columns[i]].Type.Kind != schema.Int {
			key[i] = rowferry.TextValue(text)
			continue
		}
		if n, err := strconv.ParseInt(text, 10, 64); err == nil {
			key[i] = rowferry.IntValue(n)
			continue
		}
		n, err := strconv.ParseUint(text, 10, 64)
		if err != nil {
			return rowferry.Errorf(rowferry.CodeTarget, "a key of the target is no integer").
				Fact("table", "%s", table.Name).Fact("key", "%s", Shorten(text))
		}
		key[i] = rowferry.UintValue(n)
	}
	return fn(key)
}

// Held returns the places of the values that the columns can hold, as holds tells.
// The others are no row's.
func Held(values [][]rowferry.Value, columns []int, holds func(o int, v rowferry.Value) *rowferry.Error) (places []int, err error) {
	for place, row := range values {
		held := true
		for i, o := range columns {
			switch err := holds(o, row[i]); {
			case err == nil:
			case err.Code == rowferry.CodeOutOfRange:
				held = false
			default:
				return nil, err
			}
		}
		if held {
			places = append(places, place)
		}
	}
	return places, nil
}
