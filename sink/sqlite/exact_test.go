package sqlite

import (
	"math"
	"testing"

	"github.com/rowferry/rowferry"
	"github.com/rowferry/rowferry/schema"
)

// TestOthersKeepTheirRows: to the collation of an existing table's column the
// row of another may equal ours. It is never changed for that.
func TestOthersKeepTheirRows(t *testing.T) {
	with := keyed("t", col("id", text, false), col("n", integer, true))
	without := &schema.Table{Name: schema.Name{Table: "t"}, ConstraintsKnown: true, Columns: []schema.Column{col("id", text, true), col("n", integer, true)}}
	for _, c := range []struct {
		name, sql string
		table     *schema.Table
	}{
		{"key", "CREATE TABLE t (id TEXT NOT NULL COLLATE NOCASE PRIMARY KEY, n INTEGER)", with},
		{"key, spaces", "CREATE TABLE t (id TEXT NOT NULL collate rtrim PRIMARY KEY, n INTEGER)", with},
		{"no key", "CREATE TABLE t (id TEXT COLLATE NOCASE, n INTEGER)", without},
	} {
		t.Run(c.name, func(t *testing.T) {
			sink, _ := openTraced(t, DefaultOptions())
			theirs, ours := "A", "a"
			if c.name == "key, spaces" {
				theirs = "a "
			}
			sql(t, sink, c.sql, "INSERT INTO t VALUES ('"+theirs+"', 1)")
			before := rowferry.Row{s(ours), i(1)}
			wants(t, apply(sink, 1, shaped(c.table), rowferry.Mutation{Op: rowferry.Update, Table: c.table, Before: before, After: rowferry.Row{s(ours), i(2)}}), rowferry.CodeRowMissing)
			wants(t, apply(sink, 1, rowferry.Mutation{Op: rowferry.Update, Table: c.table, Before: before, After: before}), rowferry.CodeRowMissing)
			wants(t, apply(sink, 1, rowferry.Mutation{Op: rowferry.Delete, Table: c.table, Before: before}), rowferry.CodeRowMissing)
			if err := apply(sink, 1, rowferry.Mutation{Op: rowferry.Update, Table: c.table, Before: rowferry.Row{s(theirs), i(1)}, After: rowferry.Row{s(theirs), i(3)}}); err != nil {
				t.Error(err)
			}
			if got := one(t, sink, "SELECT id || n FROM t"); got != theirs+"3" {
				t.Errorf("the row is %s", got)
			}
		})
	}
}

// TestOldValueThatCannotBe: what SQLite cannot hold at all, its row does not
// have.
func TestOldValueThatCannotBe(t *testing.T) {
	sink, _ := openTraced(t, DefaultOptions())
	table := keyed("t", col("id", integer, false), col("u", schema.Type{Kind: schema.Int, Bits: 64, Unsigned: true}, true), col("n", integer, true))
	sql(t, sink, "CREATE TABLE t (id INTEGER PRIMARY KEY, u INTEGER, n INTEGER)", "INSERT INTO t VALUES (1, NULL, 1)")
	if err := apply(sink, 1, shaped(table)); err != nil {
		t.Fatal(err)
	}
	before, after := rowferry.Row{i(1), rowferry.UintValue(math.MaxUint64), i(1)}, rowferry.Row{i(1), rowferry.UintValue(math.MaxUint64), i(2)}
	for _, m := range []rowferry.Mutation{
		{Op: rowferry.Update, Table: table, Before: before, After: after}, {Op: rowferry.Update, Table: table, Before: before, After: before},
		{Op: rowferry.Delete, Table: table, Before: before},
	} {
		wants(t, apply(sink, 2, m), rowferry.CodeRowDiffers, "differs in: u", "18446744073709551615")
	}
}
