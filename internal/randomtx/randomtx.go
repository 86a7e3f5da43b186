// Package randomtx makes random transactions that a database with these tables
// would have accepted: small tables full of unique keys, some over texts without
// case, of keys of several columns, foreign keys, key changes, references to the
// own table and in a circle, and foreign keys that act without a word in the log.
// It keeps the rows it made, so that every change is one the constraints allow at
// that moment.
package randomtx

import (
	"math/rand/v2"
	"slices"
	"strings"

	"github.com/rowferry/rowferry"
	"github.com/rowferry/rowferry/schema"
)

// World is the tables with their rows.
type World struct {
	random   *rand.Rand
	database string
	tables   []*table
	links    []*link
	busy     []*table // those that are written to for a while
	calm     bool     // keys and unique values mostly stay meanwhile
	made     int      // transactions
	// Minimal is set while images have only keys and what changed.
	Minimal bool
	// Plain leaves out the tables that have no key, are in a circle, or have
	// foreign keys that act: before their changes nothing may be put off.
	Plain bool
}

// table is a table with its rows, which are not changed but replaced.
type table struct {
	shape    *schema.Table
	rows     []rowferry.Row
	parents  []*link
	children []*link
}

// link is a foreign key.
type link struct {
	child, parent       *table
	columns, referenced []int
	onDelete, onUpdate  schema.Action
}

// mostRows bounds a table, and domain its numbers: from 0 to it.
const (
	mostRows = 24
	domain   = 40
)

// New returns a world of empty tables in a database, or without one in "".
func New(database string, seed uint64) *World {
	w := &World{database: database, random: rand.New(rand.NewPCG(seed, 17))}
	top := w.add("top", "iiii", []int{0}, []int{1})
	mid := w.add("mid", "iiiii", []int{0}, []int{2, 3}, []int{4})
	low := w.add("low", "iiii", []int{0})
	tree := w.add("tree", "iiii", []int{0}, []int{2})
	left, right := w.add("circle_l", "iii", []int{0}), w.add("circle_r", "iii", []int{0}, []int{2})
	w.add("loose", "iit", nil)
	w.add("named", "tit", []int{0}, []int{2})
	w.add("other", "ii", nil, []int{0}) // a unique key stands in for a primary one
	pair, deep := w.add("pair", "iiii", []int{0, 1}, []int{2}), w.add("deep", "iiii", []int{0}, []int{3})
	coded, uses := w.add("coded", "iii", []int{0}, []int{1}), w.add("uses", "iii", []int{0})
	owner, keeper, owned := w.add("owner", "iti", []int{0}, []int{1}), w.add("keeper", "ii", []int{0}), w.add("owned", "iiii", []int{0}, []int{2})
	head, line := w.add("head", "ii", []int{0}, []int{1}), w.add("line", "iiii", []int{0, 1}, []int{2})
	w.refer(mid, []int{1}, top, schema.Restrict, schema.NoAction)
	w.refer(low, []int{1}, mid, schema.NoAction, schema.NoAction)
	w.refer(low, []int{2}, top, schema.NoAction, schema.NoAction)
	w.refer(tree, []int{1}, tree, schema.Restrict, schema.NoAction)
	w.refer(left, []int{1}, right, schema.Restrict, schema.NoAction)
	w.refer(right, []int{1}, left, schema.Restrict, schema.NoAction)
	w.refer(deep, []int{1, 2}, pair, schema.NoAction, schema.NoAction)
	w.refer(uses, []int{1}, coded, schema.NoAction, schema.NoAction).over(1)
	w.refer(owned, []int{1}, owner, schema.Cascade, schema.NoAction)
	w.refer(owned, []int{3}, keeper, schema.SetNull, schema.Cascade)
	w.refer(line, []int{0}, head, schema.Cascade, schema.Cascade)
	return w
}

// add makes a table with a column for each letter, numbers i and texts t, which
// may be NULL but for the key and, without one, the first.
func (w *World) add(name, columns string, key []int, uniques ...[]int) *table {
	t := &table{shape: &schema.Table{Name: schema.Name{Schema: w.database, Table: name}, ConstraintsKnown: true, PrimaryKey: key}}
	for i, letter := range columns {
		c := schema.Column{Name: string(rune('a' + i)), Type: schema.Type{Kind: schema.Int, Bits: 64}, Nullable: i > 0 && !slices.Contains(key, i)}
		if letter == 't' {
			c.Type = schema.Type{Kind: schema.VarChar, Length: 40, Charset: "utf8mb4", Collation: "utf8mb4_general_ci"}
		}
		t.shape.Columns = append(t.shape.Columns, c)
	}
	for _, u := range uniques {
		t.shape.Uniques = append(t.shape.Uniques, schema.Index{Columns: u})
	}
	w.tables = append(w.tables, t)
	return t
}

// refer makes a foreign key to the parent's primary key.
func (w *World) refer(child *table, columns []int, parent *table, onDelete, onUpdate schema.Action) *link {
	l := &link{child: child, parent: parent, columns: columns, referenced: parent.shape.PrimaryKey, onDelete: onDelete, onUpdate: onUpdate}
	child.shape.ForeignKeys = append(child.shape.ForeignKeys, schema.ForeignKey{
		Columns: columns, Parent: parent.shape.Name, Referenced: parent.shape.ColumnNames(l.referenced), OnDelete: onDelete, OnUpdate: onUpdate,
	})
	child.parents, parent.children, w.links = append(child.parents, l), append(parent.children, l), append(w.links, l)
	return l
}

// over has a foreign key, the latest of its child, refer to other columns.
func (l *link) over(referenced ...int) {
	l.referenced = referenced
	l.child.shape.ForeignKeys[len(l.child.shape.ForeignKeys)-1].Referenced = l.parent.shape.ColumnNames(referenced)
}

// Shapes returns the tables, parents first where that can be.
func (w *World) Shapes() []*schema.Table {
	var all []*schema.Table
	for _, t := range w.tables {
		all = append(all, t.shape)
	}
	return all
}

// Rows returns the rows of a table in no order, as text.
func (w *World) Rows(n schema.Name) []string {
	var all []string
	for _, r := range w.tables[slices.IndexFunc(w.tables, func(t *table) bool { return t.shape.Name == n })].rows {
		s := ""
		for _, v := range r {
			s += "|" + v.String()
		}
		all = append(all, s)
	}
	return all
}

func (w *World) value(t *table, o int) rowferry.Value {
	c := t.shape.Columns[o]
	switch {
	case c.Nullable && w.random.IntN(5) == 0:
		return rowferry.NullValue()
	case c.Type.Kind == schema.Int:
		return rowferry.IntValue(w.random.Int64N(domain))
	default:
		s := string(rune('a' + w.random.IntN(26)))
		return rowferry.TextValue([]string{s, s, strings.ToUpper(s), s + " "}[w.random.IntN(4)])
	}
}

// folded returns what a value is to a unique key: general_ci tells neither case
// nor spaces at the end apart.
func folded(v rowferry.Value) rowferry.Value {
	if v.Kind() != rowferry.Text {
		return v
	}
	return rowferry.TextValue(strings.TrimRight(strings.ToLower(v.Str()), " "))
}

// free reports whether a row violates no unique key besides row number at.
func (t *table) free(row rowferry.Row, at int) bool {
	return !t.taken(t.shape.PrimaryKey, row, at) &&
		!slices.ContainsFunc(t.shape.Uniques, func(u schema.Index) bool { return t.taken(u.Columns, row, at) })
}

func (t *table) taken(key []int, row rowferry.Row, at int) bool {
	for i, other := range t.rows {
		if i != at && len(key) > 0 && !slices.ContainsFunc(key, func(o int) bool { return row[o].IsNull() || folded(row[o]) != folded(other[o]) }) {
			return true
		}
	}
	return false
}

// refers reports whether a child row points to a parent row.
func (l *link) refers(child, parent rowferry.Row) bool {
	for i, o := range l.columns {
		if child[o].IsNull() || child[o] != parent[l.referenced[i]] {
			return false
		}
	}
	return true
}

// referred reports whether a parent row has children.
func (l *link) referred(parent rowferry.Row) bool {
	return slices.ContainsFunc(l.child.rows, func(r rowferry.Row) bool { return l.refers(r, parent) })
}

// point has a row point to a random parent, or to none; a row may be its own. It
// reports whether it could.
func (w *World) point(l *link, row rowferry.Row) bool {
	parent := make(rowferry.Row, len(l.parent.shape.Columns))
	for o := range parent {
		parent[o] = rowferry.NullValue()
	}
	switch n := w.random.IntN(6); {
	case n == 0 && l.parent == l.child:
		parent = row
	case n > 1 && len(l.parent.rows) > 0:
		parent = l.parent.rows[w.random.IntN(len(l.parent.rows))]
	}
	for i, o := range l.columns {
		row[o] = parent[l.referenced[i]]
		if row[o].IsNull() && !l.child.shape.Columns[o].Nullable {
			return false
		}
	}
	return true
}
