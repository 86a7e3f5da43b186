package rowferry

import (
	"slices"

	"github.com/rowferry/rowferry/schema"
)

// tableOrder is what compaction needs to know of a target table: how its rows
// are told apart, and what reordering its changes among those of other tables
// could break.
type tableOrder struct {
	table    *schema.Table
	number   int // its own among all
	identity []int
	uniques  []uniqueKey // all unique keys, the identity's too
	rank     int         // parents have smaller ranks than their children
	// serial is set where the order of the source is kept: tables without a
	// key, and tables whose foreign keys lead back to themselves by way of
	// others.
	serial bool
	// self holds the columns of foreign keys to the table itself.
	self []int
	// referenced holds the columns that other tables, or the table itself,
	// refer to.
	referenced []int
	// acting is set where a delete or key change here changes other rows.
	acting bool
	// parents holds the foreign keys to tables that are known. opaque is set
	// where one of them, from or to here, leads to no unique key.
	parents []parentKey
	opaque  bool
}

// uniqueKey is a unique key of a table. Where exact is false, values that
// differ byte by byte may be equal to the target. Where stamped is false, those
// of the foreign keys that lead here may be, too.
type uniqueKey struct {
	columns        []int
	exact, stamped bool
}

// orders knows the tables that mutations were seen for.
type orders struct {
	byName map[schema.Name]*tableOrder
	last   *tableOrder
}

// known returns what is known of the table, or nil where this version of it has
// to be learned.
func (o *orders) known(t *schema.Table) *tableOrder {
	if o.last != nil && o.last.table == t {
		return o.last
	}
	x := o.byName[t.Name]
	if x == nil || x.table != t && !sameConstraints(x.table, t) {
		return nil
	}
	x.table = t // perhaps another copy
	o.last = x
	return x
}

// learn takes a new version of a table in. What is known of the others may
// change with it.
func (o *orders) learn(t *schema.Table) *tableOrder {
	if o.byName == nil {
		o.byName = map[schema.Name]*tableOrder{}
	}
	x := o.byName[t.Name]
	if x == nil {
		x = &tableOrder{number: len(o.byName)}
		o.byName[t.Name] = x
	}
	x.table, o.last = t, x
	o.rank()
	return x
}

func sameConstraints(a, b *schema.Table) bool {
	return len(a.Columns) == len(b.Columns) && slices.Equal(a.PrimaryKey, b.PrimaryKey) &&
		slices.EqualFunc(a.Uniques, b.Uniques, func(x, y schema.Index) bool {
			return slices.Equal(x.Columns, y.Columns) && slices.Equal(x.Prefix, y.Prefix)
		}) &&
		slices.EqualFunc(a.ForeignKeys, b.ForeignKeys, func(x, y schema.ForeignKey) bool {
			return x.Parent == y.Parent && x.OnDelete == y.OnDelete && x.OnUpdate == y.OnUpdate &&
				slices.Equal(x.Columns, y.Columns) && slices.Equal(x.Referenced, y.Referenced)
		})
}

// rank finds what every table means to the others.
func (o *orders) rank() {
	for _, x := range o.byName {
		*x = tableOrder{table: x.table, number: x.number, identity: x.table.Identity(), uniques: uniqueKeys(x.table)}
	}
	for _, child := range o.byName {
		for _, k := range child.table.ForeignKeys {
			if parent := o.byName[k.Parent]; parent != nil {
				parent.refer(child, k)
				child.rely(parent, k)
			}
		}
	}
	depths := map[*tableOrder]int{}
	for _, x := range o.byName {
		x.rank = o.depth(x, depths)
		x.serial = x.identity == nil || x.rank < 0
	}
}

// refer notes that a foreign key of child leads to x.
func (x *tableOrder) refer(child *tableOrder, k schema.ForeignKey) {
	x.acting = x.acting || k.Acts()
	for _, name := range k.Referenced {
		if c := x.table.Column(name); c >= 0 {
			x.referenced = append(x.referenced, c)
		}
	}
	if child == x {
		x.self = append(x.self, k.Columns...)
	}
}

// depth returns how many tables are above x, or -1 where foreign keys over
// several tables lead back to one. Each table is asked once, however many ways
// lead to it.
func (o *orders) depth(x *tableOrder, known map[*tableOrder]int) int {
	if n, ok := known[x]; ok {
		return n
	}
	known[x] = -1 // who comes back to it on the way up is in a circle
	most := 0
	for _, k := range x.table.ForeignKeys {
		parent := o.byName[k.Parent]
		if parent == nil || parent == x {
			continue
		}
		n := o.depth(parent, known)
		if n < 0 {
			return -1
		}
		most = max(most, n+1)
	}
	known[x] = most
	return most
}

func uniqueKeys(t *schema.Table) []uniqueKey {
	keys := []uniqueKey{}
	for _, u := range append([]schema.Index{{Columns: t.PrimaryKey}}, t.Uniques...) {
		if len(u.Columns) > 0 {
			exact := u.Whole() && t.ByteExact(u.Columns) && !slices.ContainsFunc(u.Columns, func(o int) bool { return t.Columns[o].Type.Kind.Approximate() })
			keys = append(keys, uniqueKey{u.Columns, exact, exact})
		}
	}
	return keys
}
