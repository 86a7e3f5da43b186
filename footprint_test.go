package rowferry

import (
	"fmt"
	"slices"
	"testing"

	"github.com/rowferry/rowferry/schema"
)

var (
	number = schema.Type{Kind: schema.Int, Bits: 64}
	folds  = schema.Type{Kind: schema.VarChar, Length: 20, Charset: "utf8mb4", Collation: "utf8mb4_general_ci"}

	// parents have a second unique key, children a parent by the first, and
	// labels a key of which equal is not known exactly.
	parents = &schema.Table{
		Name: schema.Name{Table: "parents"}, PrimaryKey: []int{0}, Uniques: []schema.Index{{Name: "u", Columns: []int{1}}},
		Columns: []schema.Column{{Name: "id", Type: number}, {Name: "u", Type: number, Nullable: true}, {Name: "n", Type: number}},
	}
	children = &schema.Table{
		Name: schema.Name{Table: "children"}, PrimaryKey: []int{0},
		Columns:     []schema.Column{{Name: "id", Type: number}, {Name: "p", Type: number, Nullable: true}},
		ForeignKeys: []schema.ForeignKey{{Columns: []int{1}, Parent: schema.Name{Table: "parents"}, Referenced: []string{"id"}}},
	}
	labels = &schema.Table{
		Name: schema.Name{Table: "labels"}, PrimaryKey: []int{0}, Columns: []schema.Column{{Name: "id", Type: folds}, {Name: "n", Type: number}},
	}
	keyless = &schema.Table{Name: schema.Name{Table: "keyless"}, Columns: []schema.Column{{Name: "n", Type: number}}}
)

func row(values ...any) Row {
	r := Row{}
	for _, v := range values {
		switch v := v.(type) {
		case int:
			r = append(r, IntValue(int64(v)))
		case string:
			r = append(r, TextValue(v))
		case nil:
			r = append(r, NullValue())
		default:
			panic(fmt.Sprintf("no value of %T", v))
		}
	}
	return r
}

func comes(t *schema.Table, after Row) Mutation {
	return Mutation{Op: Insert, Table: t, After: after}
}
func goes(t *schema.Table, before Row) Mutation {
	return Mutation{Op: Delete, Table: t, Before: before}
}
func turns(t *schema.Table, before, after Row) Mutation {
	return Mutation{Op: Update, Table: t, Before: before, After: after}
}

// TestApart: what a batch has to do with an earlier one waits for it, and what
// follows from that; the rest does not.
func TestApart(t *testing.T) {
	for _, c := range []struct {
		name           string
		earlier, batch []Mutation
		later          []int // which of batch have to wait
	}{
		{"other rows", []Mutation{turns(parents, row(1, 1, 1), row(1, 1, 2))}, []Mutation{turns(parents, row(2, 2, 1), row(2, 2, 2))}, nil},
		{"the same row", []Mutation{turns(parents, row(1, 1, 1), row(1, 1, 2))},
			[]Mutation{turns(parents, row(1, 1, 2), row(1, 1, 3)), turns(parents, row(2, 2, 1), row(2, 2, 2))}, []int{0}},
		{"a row that came", []Mutation{comes(parents, row(1, 1, 1))}, []Mutation{goes(parents, row(1, 1, 1))}, []int{0}},
		{"a key given up", []Mutation{goes(parents, row(1, 1, 1))}, []Mutation{comes(parents, row(1, 9, 9))}, []int{0}},
		{"a unique value given up", []Mutation{turns(parents, row(1, 1, 1), row(1, 5, 1))}, []Mutation{comes(parents, row(2, 1, 1))}, []int{0}},
		{"a unique value taken", []Mutation{comes(parents, row(1, 7, 1))}, []Mutation{turns(parents, row(2, 6, 1), row(2, 7, 1))}, []int{0}},
		{"no unique value", []Mutation{comes(parents, row(1, nil, 1))}, []Mutation{comes(parents, row(2, nil, 1))}, nil},
		{"a new parent", []Mutation{comes(parents, row(1, 1, 1))}, []Mutation{comes(children, row(1, 1)), comes(children, row(2, 2)), comes(children, row(3, nil))}, []int{0}},
		{"a parent of a child that goes", []Mutation{goes(children, row(1, 1))}, []Mutation{goes(parents, row(1, 1, 1))}, []int{0}},
		{"a parent of a child that leaves", []Mutation{turns(children, row(1, 1), row(1, 2))}, []Mutation{goes(parents, row(1, 1, 1))}, []int{0}},
		{"two children of one parent", []Mutation{comes(children, row(1, 1))}, []Mutation{comes(children, row(2, 1))}, nil},
		{"what follows", []Mutation{comes(parents, row(8, 1, 1))},
			[]Mutation{comes(parents, row(3, 1, 1)), comes(parents, row(4, 4, 4)), comes(children, row(1, 3)), comes(children, row(2, 4))}, []int{0, 2}},
		{"texts that may be equal", []Mutation{comes(labels, row("a", 1))}, []Mutation{comes(labels, row("b", 1)), comes(parents, row(1, 1, 1))}, []int{0}},
		{"no key", []Mutation{comes(keyless, row(1))}, []Mutation{comes(parents, row(1, 1, 1))}, []int{0}},
		{"no key, later", []Mutation{comes(parents, row(1, 1, 1))}, []Mutation{comes(parents, row(2, 2, 2)), comes(keyless, row(1))}, []int{0, 1}},
	} {
		t.Run(c.name, func(t *testing.T) {
			compactor := newCompactor()
			for _, x := range []*schema.Table{parents, children, labels, keyless} {
				compactor.orders.learn(x)
			}
			earlier, later := compactor.plan(c.earlier), compactor.plan(c.batch)
			now, rest := later.apart([]*footprint{&earlier.print})
			var want []string
			for _, i := range c.later {
				want = append(want, told(&c.batch[i]))
			}
			if got := all(rest); !slices.Equal(got, want) {
				t.Errorf("%q wait, want %q", got, want)
			}
			if n := len(all(now)) + len(all(rest)); n != len(c.batch) {
				t.Errorf("%d of %d mutations are left", n, len(c.batch))
			}
			if now, rest := later.apart(nil); len(rest) > 0 || len(all(now)) != len(c.batch) {
				t.Errorf("%q wait for nothing", all(rest))
			}
		})
	}
}

// TestLearned: a batch with a table that is new goes alone, since it changes
// what the footprints of others mean.
func TestLearned(t *testing.T) {
	compactor := newCompactor()
	if p := compactor.plan([]Mutation{comes(parents, row(1, 1, 1))}); !p.print.everything {
		t.Error("the first batch of a table touches a part of everything only")
	}
	if p := compactor.plan([]Mutation{comes(parents, row(2, 2, 2))}); p.print.everything {
		t.Error("the second batch of a table touches everything")
	}
}

func all(parts []part) (texts []string) {
	for _, p := range parts {
		for i := range p.ms {
			texts = append(texts, told(&p.ms[i]))
		}
	}
	return texts
}

func told(m *Mutation) string {
	return fmt.Sprintf("%s %s %v -> %v", m.Op, m.Table.Name, m.Before, m.After)
}
