package postgres_test

import (
	"errors"
	"testing"

	"github.com/rowferry/rowferry"
	"github.com/rowferry/rowferry/schema"
)

// TestMissAmongOthers: statements behind one that missed its row have run by
// the time its answer is read. What they did is not taken for what it missed.
func TestMissAmongOthers(t *testing.T) {
	x := newTarget(t, nil)
	table := keyed("t", col("id", integer, false), col("n", integer, true))
	row := func(id, n int64) rowferry.Row { return rowferry.Row{i(id), i(n)} }
	x.must(x.apply(shaped(table)))
	x.exec("INSERT INTO shop.t VALUES (1, 7)")
	for _, c := range []struct {
		name string
		ms   []rowferry.Mutation
		code rowferry.Code
	}{
		{"the row that was missing is made", []rowferry.Mutation{deleted(table, row(3, 3)...), inserted(table, row(3, 3)...)}, rowferry.CodeRowMissing},
		{"the row that was missing is made anew", []rowferry.Mutation{deleted(table, row(3, 3)...), inserted(table, row(3, 4)...)}, rowferry.CodeRowMissing},
		{"the row of another is in the way", []rowferry.Mutation{deleted(table, row(1, 1)...), inserted(table, row(1, 2)...)}, rowferry.CodeRowDiffers},
		{"as one of another after it", []rowferry.Mutation{updated(table, row(1, 1), row(1, 2)), inserted(table, row(1, 2)...)}, rowferry.CodeRowDiffers},
		{"and the batch made rows before", []rowferry.Mutation{inserted(table, row(5, 5)...), deleted(table, row(1, 1)...), inserted(table, row(1, 2)...)}, rowferry.CodeRowDiffers},
	} {
		t.Run(c.name, func(t *testing.T) {
			err := x.apply(c.ms...)
			wants(t, err, c.code)
			refusal(t, err)
			var e *rowferry.Error
			if errors.As(err, &e) && e.Mutation.Op == rowferry.Insert {
				t.Errorf("%v names the insert", err)
			}
			x.is("1 7", "SELECT string_agg(format('%s %s', id, n), ', ') FROM shop.t")
		})
	}
	made := keyed("made", col("id", integer, false), col("n", integer, true))
	wants(t, x.apply(shaped(made), deleted(made, row(1, 1)...)), rowferry.CodeRowMissing)
	x.must(x.apply(updated(table, row(1, 7), row(1, 8))))
}

// TestOldValueThatCannotBe: what the target cannot hold at all, its row does
// not have.
func TestOldValueThatCannotBe(t *testing.T) {
	x := newTarget(t, nil)
	table := keyed("t", col("id", integer, false), col("d", schema.Type{Kind: schema.Date}, true), col("n", integer, true))
	x.must(x.apply(shaped(table)))
	x.exec("INSERT INTO shop.t VALUES (1, NULL, 7)")
	before, after := rowferry.Row{i(1), txt("0000-00-00"), i(7)}, rowferry.Row{i(1), txt("0000-00-00"), i(8)}
	for _, m := range []rowferry.Mutation{updated(table, before, after), updated(table, before, before), deleted(table, before...)} {
		err := x.apply(m)
		wants(t, err, rowferry.CodeRowDiffers, "differs in", "d", "0000-00-00")
		refusal(t, err)
	}
	x.is("7", "SELECT n FROM shop.t")
}
