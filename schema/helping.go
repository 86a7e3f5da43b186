package schema

import "slices"

// UnindexedKeys returns the columns of those of the foreign keys that no key of the
// table begins with, in any order, nor any of the indexes that it will have. Without
// an index of their own, every delete of a parent would read the whole table.
func (t *Table) UnindexedKeys(foreign []ForeignKey, indexes []Index) (all [][]int) {
	keys := [][]int{t.PrimaryKey}
	for _, u := range slices.Concat(t.Uniques, indexes) {
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

// Descends reports whether the values of the index's column i are in descending order.
func (x Index) Descends(i int) bool { return x.Descending != nil && x.Descending[i] }

// WithoutIndexes returns the shape without what refuses no row: what is left is
// what rows depend on. It is the shape itself where there is nothing to leave out.
func (t *Table) WithoutIndexes() *Table {
	if t.Indexes == nil && t.OtherIndexes == nil {
		return t
	}
	c := *t
	c.Indexes, c.OtherIndexes = nil, nil
	return &c
}
