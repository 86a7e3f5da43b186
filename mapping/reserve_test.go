package mapping_test

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/rowferry/rowferry"
	"github.com/rowferry/rowferry/mapping"
	"github.com/rowferry/rowferry/schema"
)

// counters hand out keys of each table, up to the most where that is not 0, and are
// locked as many times as a table says.
type counters struct {
	last   map[string]int64
	locked map[string]int
}

func (k *counters) Reserve(_ context.Context, t schema.Name, _ string, n int) ([]rowferry.KeyRange, error) {
	if k.locked[t.Table] > 0 {
		k.locked[t.Table]--
		return nil, rowferry.Errorf(rowferry.CodeTargetConflict, "another session is in the way")
	}
	first := k.last[t.Table] + 1
	k.last[t.Table] += int64(n)
	return []rowferry.KeyRange{{First: first, Last: k.last[t.Table]}}, nil
}

func (k *counters) Find(context.Context, *schema.Table, []int, [][]rowferry.Value, []int) ([]rowferry.Found, error) {
	return nil, nil
}

// giver resolves batches of new rows as an engine does that sets keys aside ahead.
type giver struct {
	*world
	keys *counters
	next int64
}

func newGiver(t *testing.T, b mapping.Strategy) *giver {
	t.Helper()
	rule := mapping.KeyRule{Key: b}
	if b == mapping.Match {
		rule.Match = [][]string{{"uid"}}
	}
	g := &giver{world: emptyWorld(t, 1), keys: &counters{last: map[string]int64{}, locked: map[string]int{}}}
	g.begin([]string{"a id! uid", "b id! uid"}, mapping.Options{Tables: []string{"shop.*"}, Namespaces: true, Entities: map[string]mapping.Entity{
		"shop.a": {Keys: mapping.KeyRule{Key: mapping.Allocate}}, "shop.b": {Keys: rule},
	}})
	var err error
	if g.resolver, err = mapping.NewResolver(g.rules, g.keys, mapping.Limits{}); err != nil {
		t.Fatal(err)
	}
	for _, s := range g.tables {
		if _, err := g.resolve([]rowferry.Change{{Op: rowferry.Shape, Table: s}}, &rowferry.Origin{Tx: "0"}, g.notes); err != nil {
			t.Fatal(err)
		}
	}
	return g
}

// batch resolves so many new rows of each table.
func (g *giver) batch(rows map[string]int) error {
	var changes []rowferry.Change
	for table, n := range rows {
		for range n {
			g.next++
			changes = append(changes, rowferry.Change{Op: rowferry.Insert, Table: g.tables[table], After: rowferry.Row{rowferry.IntValue(g.next), rowferry.IntValue(g.next)}})
		}
	}
	g.tx++
	g.notes = &book{notes: map[string][]byte{}, given: map[rowferry.ChangeID]int64{}}
	origin := &rowferry.Origin{Tx: fmt.Sprint(g.tx)}
	for {
		err := rowferry.ErrKeysShort
		if !g.resolver.Short() {
			g.resolver.Begin(false)
			_, err = g.goThrough(changes, origin, g.notes.copied())
		}
		for errors.Is(err, rowferry.ErrKeysShort) {
			if g.resolver.Looks() {
				g.resolver.Begin(true)
				if _, err := g.goThrough(changes, origin, g.notes.copied()); err != nil && !errors.Is(err, rowferry.ErrKeysShort) {
					return err
				}
			}
			reserved := g.resolver.Reserve(g.t.Context())
			if reserved == nil {
				break
			}
			if !rowferry.CodeOf(reserved).Transient() {
				return reserved
			}
		}
		if !errors.Is(err, rowferry.ErrKeysShort) {
			return err
		}
	}
}

// TestReserveInTheWay: a session that is in the way once, of a table that is short or
// of one that is set aside for beside it, is waited for and no more.
func TestReserveInTheWay(t *testing.T) {
	for at := range 12 {
		g := newGiver(t, mapping.Allocate)
		for i := range 100 {
			if i == 20+at {
				g.keys.locked["a"], g.keys.locked["b"] = at%2, 1
			}
			if err := g.batch(map[string]int{"a": 100, "b": 70}); err != nil {
				t.Fatalf("locked at batch %d: batch %d: %v", 20+at, i, err)
			}
		}
	}
}

// TestReserveUneven: how many keys the next batch takes is estimated again between the
// moment when they seem short and the one when they are set aside.
func TestReserveUneven(t *testing.T) {
	for seed := range 16 {
		g := newGiver(t, mapping.Match)
		for i := range 150 {
			if err := g.batch(map[string]int{"a": 60 + (i+seed*7)*37%61}); err != nil {
				t.Fatalf("seed %d: batch %d: %v", seed, i, err)
			}
		}
	}
}
