// Package randomtx makes random transactions that a database with these tables
// would have accepted: small tables full of unique keys, foreign keys, key
// changes, references to the own table and in a circle. It keeps the rows it
// made, so that every change is one the constraints allow at that moment.
package randomtx

import (
	"math/rand/v2"
	"slices"
	"strconv"

	"github.com/rowferry/rowferry"
	"github.com/rowferry/rowferry/schema"
)

// Database is what the tables are in.
const Database = "random"

// World is the tables with their rows.
type World struct {
	random *rand.Rand
	tables []*table
	// Minimal is set while images have only keys and what changed.
	Minimal bool
}

// table is a table with its rows; each row is a slice of values, nil for NULL.
type table struct {
	shape    *schema.Table
	rows     [][]*int64
	children []child
	domain   int64 // values are from 0 to it
}

// child is a foreign key that leads here.
type child struct {
	of     *table
	column int
	action schema.Action
}

const mostRows = 24

// New returns a world of empty tables.
func New(seed uint64) *World {
	w := &World{random: rand.New(rand.NewPCG(seed, 17))}
	add := func(name string, columns int, uniques [][]int, keyless bool) *table {
		t := &table{domain: 40, shape: &schema.Table{Name: schema.Name{Schema: Database, Table: name}, ConstraintsKnown: true}}
		for i := range columns {
			t.shape.Columns = append(t.shape.Columns, schema.Column{Name: string(rune('a' + i)), Type: schema.Type{Kind: schema.Int, Bits: 64}, Nullable: i > 0})
		}
		if !keyless {
			t.shape.PrimaryKey = []int{0}
		}
		for _, u := range uniques {
			t.shape.Uniques = append(t.shape.Uniques, schema.Index{Columns: u})
		}
		w.tables = append(w.tables, t)
		return t
	}
	refer := func(t *table, column int, parent *table, action schema.Action) {
		t.shape.ForeignKeys = append(t.shape.ForeignKeys, schema.ForeignKey{Columns: []int{column}, Parent: parent.shape.Name, Referenced: []string{"a"}, OnDelete: action})
		parent.children = append(parent.children, child{t, column, action})
	}
	top := add("top", 4, [][]int{{1}}, false)
	mid := add("mid", 5, [][]int{{2, 3}, {4}}, false)
	low := add("low", 4, nil, false)
	tree := add("tree", 4, [][]int{{2}}, false)
	left, right := add("circle_l", 3, nil, false), add("circle_r", 3, [][]int{{2}}, false)
	add("loose", 3, nil, true)
	owner, keeper, owned := add("owner", 3, [][]int{{1}}, false), add("keeper", 2, nil, false), add("owned", 4, [][]int{{2}}, false)
	refer(mid, 1, top, schema.Restrict)
	refer(low, 1, mid, schema.NoAction)
	refer(low, 2, top, schema.NoAction)
	refer(tree, 1, tree, schema.Restrict)
	refer(left, 1, right, schema.Restrict)
	refer(right, 1, left, schema.Restrict)
	refer(owned, 1, owner, schema.Cascade)
	refer(owned, 3, keeper, schema.SetNull)
	return w
}

// Shapes returns the tables, parents first where that can be.
func (w *World) Shapes() []*schema.Table {
	var all []*schema.Table
	for _, t := range w.tables {
		all = append(all, t.shape)
	}
	return all
}

// Transaction returns the changes of one random transaction.
func (w *World) Transaction() []rowferry.Mutation {
	var ms []rowferry.Mutation
	for range 1 + w.random.IntN(6) {
		t := w.tables[w.random.IntN(len(w.tables))]
		switch n := w.random.IntN(10); {
		case len(t.rows) < 3 || n < 3 && len(t.rows) < mostRows:
			ms = w.insert(ms, t)
		case n < 8:
			ms = w.update(ms, t)
		default:
			ms = w.remove(ms, t)
		}
	}
	return ms
}

func (w *World) value(t *table, column int) *int64 {
	if t.shape.Columns[column].Nullable && w.random.IntN(5) == 0 {
		return nil
	}
	v := w.random.Int64N(t.domain)
	return &v
}

func (w *World) insert(ms []rowferry.Mutation, t *table) []rowferry.Mutation {
	row := make([]*int64, len(t.shape.Columns))
	for i := range row {
		row[i] = w.value(t, i)
	}
	for _, k := range t.shape.ForeignKeys {
		row[k.Columns[0]] = w.parent(t, k, row)
	}
	if !t.free(row, -1) {
		return ms
	}
	t.rows = append(t.rows, row)
	return append(ms, rowferry.Mutation{Op: rowferry.Insert, Table: t.shape, After: image(row)})
}

// parent returns the key of a random parent, or nil; a row may be its own.
func (w *World) parent(t *table, k schema.ForeignKey, row []*int64) *int64 {
	p := w.of(k.Parent)
	switch n := w.random.IntN(6); {
	case n == 0 && p == t:
		return row[0]
	case n == 1 || len(p.rows) == 0:
		return nil
	default:
		return p.rows[w.random.IntN(len(p.rows))][0]
	}
}

func (w *World) of(n schema.Name) *table {
	return w.tables[slices.IndexFunc(w.tables, func(t *table) bool { return t.shape.Name == n })]
}

// free reports whether a row violates no unique key besides row number at.
func (t *table) free(row []*int64, at int) bool {
	keys := [][]int{t.shape.PrimaryKey}
	for _, u := range t.shape.Uniques {
		keys = append(keys, u.Columns)
	}
	for i, other := range t.rows {
		for _, k := range keys {
			if i != at && len(k) > 0 && !slices.ContainsFunc(k, func(o int) bool { return row[o] == nil || other[o] == nil || *row[o] != *other[o] }) {
				return false
			}
		}
	}
	return true
}

func (w *World) update(ms []rowferry.Mutation, t *table) []rowferry.Mutation {
	at := w.random.IntN(len(t.rows))
	before, after := t.rows[at], slices.Clone(t.rows[at])
	for range 1 + w.random.IntN(2) {
		o := w.random.IntN(len(after))
		after[o] = w.value(t, o)
	}
	for _, k := range t.shape.ForeignKeys {
		if o := k.Columns[0]; !same(after[o], before[o]) {
			after[o] = w.parent(t, k, after)
		}
	}
	moved := !same(before[0], after[0])
	for _, k := range t.shape.ForeignKeys {
		if moved && k.Parent == t.shape.Name && same(after[k.Columns[0]], before[0]) {
			return ms // its own parent, under the key that it gives up
		}
	}
	if slices.EqualFunc(before, after, same) || !t.free(after, at) || moved && t.referred(before) {
		return ms
	}
	t.rows[at] = after
	m := rowferry.Mutation{Op: rowferry.Update, Table: t.shape, Before: image(before), After: image(after)}
	if w.Minimal && t.shape.PrimaryKey != nil {
		for o := range after {
			if o > 0 {
				m.Before[o] = rowferry.Value{}
			}
			if same(before[o], after[o]) {
				m.After[o] = rowferry.Value{}
			}
		}
	}
	return append(ms, m)
}

func same(a, b *int64) bool { return a == nil && b == nil || a != nil && b != nil && *a == *b }

// referred reports whether a row has children.
func (t *table) referred(row []*int64) bool {
	return slices.ContainsFunc(t.children, func(c child) bool {
		return slices.ContainsFunc(c.of.rows, func(r []*int64) bool { return same(r[c.column], row[0]) })
	})
}

func (w *World) remove(ms []rowferry.Mutation, t *table) []rowferry.Mutation {
	at := w.random.IntN(len(t.rows))
	row := t.rows[at]
	for _, c := range t.children {
		if !c.action.Acts() && slices.ContainsFunc(c.of.rows, func(r []*int64) bool { return same(r[c.column], row[0]) }) {
			return ms // InnoDB also refuses a row that is its own parent
		}
	}
	t.rows = slices.Delete(t.rows, at, at+1)
	for _, c := range t.children { // which no log tells of
		c.act(row)
	}
	m := rowferry.Mutation{Op: rowferry.Delete, Table: t.shape, Before: image(row)}
	if w.Minimal && t.shape.PrimaryKey != nil {
		for o := 1; o < len(row); o++ {
			m.Before[o] = rowferry.Value{}
		}
	}
	return append(ms, m)
}

// act does what the foreign key does when a parent goes.
func (c child) act(parent []*int64) {
	switch c.action {
	case schema.Cascade:
		c.of.rows = slices.DeleteFunc(c.of.rows, func(r []*int64) bool { return same(r[c.column], parent[0]) })
	case schema.SetNull:
		for i, r := range c.of.rows {
			if same(r[c.column], parent[0]) {
				c.of.rows[i] = slices.Clone(r)
				c.of.rows[i][c.column] = nil
			}
		}
	default:
	}
}

// image is a row as a log has it.
func image(row []*int64) rowferry.Row {
	r := make(rowferry.Row, len(row))
	for i, v := range row {
		r[i] = rowferry.NullValue()
		if v != nil {
			r[i] = rowferry.IntValue(*v)
		}
	}
	return r
}

// Rows returns the rows of a table in no order, as text.
func (w *World) Rows(n schema.Name) []string {
	var all []string
	for _, r := range w.of(n).rows {
		all = append(all, text(r))
	}
	return all
}

func text(row []*int64) string {
	s := ""
	for _, v := range row {
		if v == nil {
			s += "|NULL"
			continue
		}
		s += "|" + strconv.FormatInt(*v, 10)
	}
	return s
}
