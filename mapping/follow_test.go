package mapping_test

import (
	"slices"
	"testing"

	"github.com/rowferry/rowferry"
	"github.com/rowferry/rowferry/schema"
)

// TestKeysThatFollow: a row whose key has its parent's in it changes its key before
// the parent does, and so does a child of its own. In the target none of the keys
// changes, so none of the rows is in the way of another.
func TestKeysThatFollow(t *testing.T) {
	for seed := range uint64(8) {
		w := newWorld(t, seed)
		tags := worded(t, "tags order_id! line! no! uid")
		tags.ForeignKeys = []schema.ForeignKey{{Columns: []int{0, 1}, Parent: schema.Name{Schema: "shop", Table: "items"}, Referenced: []string{"order_id", "line"}}}
		w.tables["tags"] = tags
		row := func(values ...int64) (r rowferry.Row) {
			for _, v := range values {
				r = append(r, rowferry.IntValue(v))
			}
			return r
		}
		insert := func(table string, r rowferry.Row) {
			w.apply(rowferry.Change{Op: rowferry.Insert, Table: w.tables[table], After: r})
		}
		user := append(row(10, 100, 100), rowferry.NullValue(), rowferry.NullValue())
		insert("users", user)
		insert("orders", row(1, 101, 10))
		insert("products", row(5, 102, 102))
		insert("items", row(1, 7, 103, 5))
		insert("tags", row(1, 7, 1, 104))
		before := slices.Clone(w.target["tags"])
		w.apply(w.changed("items", row(1, 7, 103, 5), row(2, 7, 103, 5)))
		w.apply(w.changed("tags", row(1, 7, 1, 104), row(2, 7, 1, 104)))
		if w.notes.kept.Waiting != 2 {
			t.Fatalf("seed %d: %d rows wait for the order, want 2", seed, w.notes.kept.Waiting)
		}
		w.apply(w.changed("orders", row(1, 101, 10), row(2, 101, 10)))
		if w.notes.kept.Waiting != 0 || !slices.EqualFunc(before, w.target["tags"], slices.Equal) {
			t.Fatalf("seed %d: %d rows wait, and %v became %v", seed, w.notes.kept.Waiting, before, w.target["tags"])
		}
	}
}
