package postgres_test

import (
	"testing"

	"github.com/rowferry/rowferry"
	"github.com/rowferry/rowferry/schema"
)

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
