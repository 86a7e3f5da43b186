package schema

import "slices"

// UnindexedKeys returns the columns of those of the foreign keys that no key of the
// table begins with, in any order. Without an index of their own, every delete of
// a parent would read the whole table.
func (t *Table) UnindexedKeys(foreign []ForeignKey) (all [][]int) {
	keys := [][]int{t.PrimaryKey}
	for _, u := range t.Uniques {
		if u.Whole() {
			keys = append(keys, u.Columns)
		}
	}
	for _, f := range foreign {
		if slices.ContainsFunc(keys, func(k []int) bool { return beginsWith(k, f.Columns) }) {
			continue
		}
		keys, all = append(keys, f.Columns), append(all, f.Columns)
	}
	return all
}

// beginsWith reports whether the first columns of a key are these, in any order.
func beginsWith(key, columns []int) bool {
	return len(key) >= len(columns) && !slices.ContainsFunc(columns, func(o int) bool { return !slices.Contains(key[:len(columns)], o) })
}
