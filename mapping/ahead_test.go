package mapping_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/rowferry/rowferry"
	"github.com/rowferry/rowferry/mapping"
	"github.com/rowferry/rowferry/schema"
)

// stock hands out as many keys as it is asked for.
type stock struct{ last, asked int64 }

func (s *stock) Reserve(_ context.Context, _ schema.Name, _ string, n int) ([]rowferry.KeyRange, error) {
	first := s.last + 1
	s.last += int64(n)
	s.asked++
	return []rowferry.KeyRange{{First: first, Last: s.last}}, nil
}

// TestKeysAhead: keys are reserved before a batch like those before would lack them,
// so that the first of a table alone is resolved twice.
func TestKeysAhead(t *testing.T) {
	allocated := mapping.Entity{Keys: mapping.KeyRule{Key: mapping.Allocate}}
	known := rules(t, mapping.Options{Tables: []string{"shop.*"}, Namespaces: true, Entities: map[string]mapping.Entity{
		"shop.users": allocated, "shop.teams": allocated,
	}})
	keys := &stock{}
	resolver, err := mapping.NewResolver(known, keys, mapping.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	tables := []*schema.Table{worded(t, "users id! uid"), worded(t, "teams id! uid")}
	w := &world{t: t, handler: mapping.NewHandler(known, nil), resolver: resolver}
	notes := &book{notes: map[string][]byte{}, given: map[rowferry.ChangeID]int64{}}
	random := rand.New(rand.NewPCG(1, 1))
	reserve := func() {
		t.Helper()
		if err := resolver.Reserve(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	id, late, ahead := int64(0), 0, 0
	for n := range 200 {
		if resolver.Short() {
			ahead++
			reserve()
		}
		if resolver.Short() {
			t.Fatalf("batch %d: keys are short right after they were reserved", n)
		}
		var changes []rowferry.Change
		for range 300 + random.IntN(60) {
			id++
			row := rowferry.Row{rowferry.IntValue(id), rowferry.IntValue(id)}
			for _, table := range tables {
				changes = append(changes, rowferry.Change{Op: rowferry.Insert, Table: table, After: row})
			}
		}
		_, err := w.resolve(changes, &rowferry.Origin{Tx: fmt.Sprint(n)}, notes.copied())
		for ; errors.Is(err, rowferry.ErrKeysShort); late++ {
			reserve()
			_, err = w.resolve(changes, &rowferry.Origin{Tx: fmt.Sprint(n)}, notes.copied())
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if late != len(tables) || ahead == 0 || keys.last > 4*id*int64(len(tables)) {
		t.Errorf("keys were short in %d batches and reserved ahead of %d: %d for %d rows", late, ahead, keys.last, id)
	}
}
