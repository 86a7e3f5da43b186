package sqlsink

import (
	"bytes"
	"slices"
	"strings"
	"testing"

	"github.com/rowferry/rowferry"
	"github.com/rowferry/rowferry/schema"
)

// TestGuarded: which old values tell the row of another apart, and that
// statements which compare others are not taken for the same.
func TestGuarded(t *testing.T) {
	kinds := []schema.Kind{schema.Int, schema.Text, schema.Float64, schema.JSON, schema.Int, schema.Float32, schema.Text, schema.Text}
	shape := &schema.Table{PrimaryKey: []int{0}, Columns: make([]schema.Column, len(kinds))}
	for i, k := range kinds {
		shape.Columns[i].Type.Kind = k
	}
	shape.Columns[6].Generated = schema.Stored
	table := func(identity []int) *Table {
		x := &Table{Shape: shape, Identity: identity, Columns: make([]Column, len(kinds))}
		x.Columns[4].Computed = true
		x.Guard(func(o int) bool { return o != 7 })
		return x
	}
	row := func(text string) rowferry.Row {
		r := make(rowferry.Row, len(kinds))
		for i := range r {
			r[i] = rowferry.TextValue(text)
		}
		return r
	}
	large := row("x")
	large[1] = rowferry.TextValue(strings.Repeat("x", mostCompared+1))
	partial := row("x")
	partial[1] = rowferry.Value{}
	keyed := table([]int{0})
	for _, c := range []struct {
		table  *Table
		before rowferry.Row
		want   []int
	}{{keyed, row("x"), []int{1}}, {keyed, large, nil}, {keyed, partial, nil}, {table(nil), row("x"), nil}, {table([]int{0, 1}), row("x"), nil}} {
		if got := c.table.Guarded(&rowferry.Mutation{Op: rowferry.Update, Before: c.before}); !slices.Equal(got, c.want) {
			t.Errorf("guarded %v, want %v", got, c.want)
		}
	}
	for _, op := range []rowferry.Op{rowferry.Update, rowferry.Delete} {
		whole := keyed.Pattern(nil, &rowferry.Mutation{Op: op, Before: row("x"), After: row("x")})
		without := keyed.Pattern(nil, &rowferry.Mutation{Op: op, Before: partial, After: partial})
		if bytes.Equal(whole, without) {
			t.Errorf("%s: a statement that compares a column has the pattern of one that does not", op)
		}
	}
}

// TestGuardedOfMany: of many columns those that change are compared, and the
// first of the others.
func TestGuardedOfMany(t *testing.T) {
	const columns = 3 * mostGuarded
	shape := &schema.Table{PrimaryKey: []int{0}, Columns: make([]schema.Column, columns)}
	before, after := make(rowferry.Row, columns), make(rowferry.Row, columns)
	for i := range columns {
		shape.Columns[i].Type.Kind = schema.Int
		before[i], after[i] = rowferry.IntValue(1), rowferry.IntValue(1)
	}
	x := &Table{Shape: shape, Identity: []int{0}, Columns: make([]Column, columns)}
	x.Guard(func(int) bool { return true })
	first := func(n int, more ...int) []int {
		var all []int
		for o := 1; len(all) < n; o++ {
			all = append(all, o)
		}
		return append(all, more...)
	}
	check := func(m *rowferry.Mutation, want []int) {
		t.Helper()
		if got := x.Guarded(m); !slices.Equal(got, want) {
			t.Errorf("guarded %v, want %v", got, want)
		}
	}
	check(&rowferry.Mutation{Op: rowferry.Delete, Before: before}, first(mostGuarded))
	after[columns-1], after[30] = rowferry.IntValue(2), rowferry.IntValue(2)
	check(&rowferry.Mutation{Op: rowferry.Update, Before: before, After: after}, first(mostGuarded-2, 30, columns-1))
	for i := 1; i < columns; i++ {
		after[i] = rowferry.IntValue(2)
	}
	check(&rowferry.Mutation{Op: rowferry.Update, Before: before, After: after}, first(mostGuarded))
}
