package mapping_test

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"testing"

	"github.com/rowferry/rowferry"
	"github.com/rowferry/rowferry/mapping"
	"github.com/rowferry/rowferry/schema"
)

// plenty sets more keys aside than are asked for.
type plenty struct{}

func (plenty) Reserve(context.Context, schema.Name, string, int) ([]rowferry.KeyRange, error) {
	return []rowferry.KeyRange{{First: 1_000_000_000, Last: 2_000_000_000}}, nil
}

// chain brings rows 1 to n of a table, each of which refers to the one that to says, 0
// being none, as a copy does: any number may wait. Each has to lead where it did.
func chain(t *testing.T, n int, to func(i int) int) {
	t.Helper()
	w := emptyWorld(t, 1)
	w.begin([]string{"n id! uid next?>n"}, mapping.Options{Tables: []string{"shop.*"}, Namespaces: true, Entities: map[string]mapping.Entity{
		"shop.n": {Keys: mapping.KeyRule{Key: mapping.Allocate}},
	}})
	var err error
	if w.resolver, err = mapping.NewResolver(w.rules, plenty{}, mapping.Limits{}); err != nil {
		t.Fatal(err)
	}
	w.resolver.AwaitCircles()
	table := w.tables["n"]
	bring := func(i int, c rowferry.Change, notes *book) ([]rowferry.Mutation, error) {
		return w.resolve([]rowferry.Change{c}, &rowferry.Origin{Tx: fmt.Sprint(i)}, notes)
	}
	if _, err := bring(-1, rowferry.Change{Op: rowferry.Shape, Table: table}, w.notes); err != nil {
		t.Fatal(err)
	}
	w.resolver.Carry(nil)
	insert := func(i, to int) rowferry.Change {
		row := rowferry.Row{rowferry.IntValue(int64(i)), rowferry.IntValue(int64(i)), rowferry.NullValue()}
		if to > 0 {
			row[2] = rowferry.IntValue(int64(to))
		}
		return rowferry.Change{Op: rowferry.Insert, Table: table, After: row}
	}
	if _, err := bring(n+1, insert(n+1, 0), w.notes.copied()); !errors.Is(err, rowferry.ErrKeysShort) {
		t.Fatal(err)
	}
	if err := w.resolver.Reserve(t.Context()); err != nil {
		t.Fatal(err)
	}
	keys, parents := map[int64]int64{}, map[int64]rowferry.Value{} // by uid; by key
	for i := 1; i <= n; i++ {
		out, err := bring(i, insert(i, to(i)), w.notes)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range out {
			key := m.After[0].Int()
			if m.Op == rowferry.Insert {
				keys[m.After[1].Int()] = key
			} else {
				key = m.Before[0].Int()
			}
			if !m.After[2].IsAbsent() {
				parents[key] = m.After[2]
			}
		}
	}
	if w.notes.kept.Waiting != 0 || len(keys) != n {
		t.Fatalf("%d of %d rows came, %d wait", len(keys), n, w.notes.kept.Waiting)
	}
	for i := 1; i <= n; i++ {
		parent, leads := parents[keys[int64(i)]], to(i) > 0
		if leads == parent.IsNull() || leads && parent.Int() != keys[int64(to(i))] {
			t.Fatalf("row %d refers to %v, not to %d", i, parent, to(i))
		}
	}
}

// TestLongChains: rows that refer to each other in chains that are longer than a stack
// should be deep, either way, and as a ring. With a stack frame for each or a walk
// along all of it for each row, it would not end.
func TestLongChains(t *testing.T) {
	const n = 10_000
	defer debug.SetMaxStack(debug.SetMaxStack(4 << 20))
	for name, to := range map[string]func(i int) int{
		"to the next":             func(i int) int { return (i + 1) % (n + 1) },
		"to the one before, late": func(i int) int { return map[int]int{1: n, n: 0}[i] + (i-1)*min(1, (i-1)*(n-i)) },
		"ring":                    func(i int) int { return i%n + 1 },
		"all to the last":         func(i int) int { return n * min(1, n-i) },
	} {
		t.Run(name, func(t *testing.T) { chain(t, n, to) })
	}
}
