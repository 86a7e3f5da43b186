package rowferry

import (
	"fmt"
	"testing"

	"github.com/rowferry/rowferry/schema"
)

// TestCompactRevival: a row that is marked as deleted and inserted again within one
// batch is not inserted before it is marked.
func TestCompactRevival(t *testing.T) {
	number := schema.Type{Kind: schema.Int, Bits: 32}
	table := &schema.Table{
		Name:       schema.Name{Table: "t"},
		Columns:    []schema.Column{{Name: "id", Type: number}, {Name: "v", Type: number}, {Name: "gone", Type: number, Nullable: true}},
		PrimaryKey: []int{0}, ConstraintsKnown: true,
	}
	null := NullValue()
	insert := func(v int64) Mutation {
		return Mutation{Op: Insert, Table: table, After: Row{IntValue(1), IntValue(v), null}, Revives: 3}
	}
	mark := func(v int64) Mutation {
		return Mutation{Op: Update, Table: table, Before: Row{IntValue(1), IntValue(v), null}, After: Row{{}, {}, IntValue(9)}}
	}
	for _, c := range []struct {
		ms   []Mutation
		want string
	}{
		{[]Mutation{mark(1), insert(2)}, "[update][insert 2 NULL]"},
		{[]Mutation{insert(1), mark(1), insert(2)}, "[insert 1 9][insert 2 NULL]"},
		{[]Mutation{insert(1), mark(1), insert(2), mark(2)}, "[insert 1 9][insert 2 9]"},
	} {
		got := ""
		newCompactor().compact(c.ms, func(ms []Mutation, _ bool) {
			for _, m := range ms {
				if got += "[" + m.Op.String(); m.Op == Insert {
					got += fmt.Sprintf(" %s %s", m.After[1], m.After[2])
				}
				got += "]"
			}
		})
		if got != c.want {
			t.Errorf("%s, want %s", got, c.want)
		}
	}
}
