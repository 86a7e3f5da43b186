package rowferry

import (
	"encoding/binary"
	"hash/maphash"
	"slices"
)

// compactor turns the mutations of consecutive transactions into fewer ones
// that leave the target the same: each row's changes become one, and those of
// a table stand together, so that a sink can write them in its bulk form. It
// works in segments. Within one, inserts come first, parents before children,
// then updates, then deletes, children before parents. Whatever that order
// could break starts a new segment: a unique value that is taken after another
// row gave it up, a parent's key that changes, a delete or key change that sets
// off others. Tables whose order is not free, and changes that the source made
// with its checks off, pass as they are. Foreign keys that the source looks at late hold
// where a transaction ends, and so after a segment that ends there; what ends in
// between may be refused, and is then written in order.
//
// What is known of the constraints is the source's; where the target has others,
// it refuses, and the engine falls back to the source's own order. A compactor
// is used by one goroutine.
type compactor struct {
	orders   orders
	out      []Mutation
	emit     func(ms []Mutation, free bool)
	nets     []net
	rows     map[uint64]int32 // by hash of table and current key: the newest of the nets, from 1
	released map[string]struct{}
	learned  bool // a table was new, and with it what others mean to each other
	seed     maphash.Seed
	key      []byte
	sorted   []*net // scratch
}

// net is what the changes of one row in a segment come to.
type net struct {
	Mutation
	order   *tableOrder
	next    int32  // the net before it with the same hash, from 1
	first   int    // place of the first change among the mutations
	last    int    // and of the last
	written uint64 // of an update: which columns it writes
	gone    bool   // nothing is left
}

func newCompactor() *compactor {
	return &compactor{rows: map[uint64]int32{}, released: map[string]struct{}{}, seed: maphash.MakeSeed()}
}

// compact calls emit with what the mutations come to, in parts that are valid
// during the call. A part is free where it is a segment: see BulkTx.
func (c *compactor) compact(ms []Mutation, emit func(ms []Mutation, free bool)) {
	c.emit = emit
	for i := range ms {
		c.add(&ms[i], i)
	}
	c.close()
	c.told()
}

// told hands out what was passed, and is to stay in order.
func (c *compactor) told() {
	if len(c.out) > 0 {
		c.emit(c.out, false)
	}
	c.out = c.out[:0]
}

func (c *compactor) add(m *Mutation, place int) {
	switch m.Op {
	case Insert, Update, Delete:
	default: // Truncate, Shape, and what the sink refuses by name
		c.pass(m)
		return
	}
	x := c.orders.known(m.Table)
	if x == nil {
		c.close() // by the ranks it was begun with
		x = c.orders.learn(m.Table)
		c.learned = true
	}
	if m.ChecksOff || x.keeps(m) || m.ChecksLate && x.self != nil {
		c.pass(m)
		return
	}
	n := c.find(x, m)
	if n != nil && !n.takes(m) || c.takesReleased(x, m) {
		c.close()
		n = nil
	}
	c.release(x, m)
	if n == nil {
		c.begin(x, m, place)
		return
	}
	n.fold(m)
	n.last = place
}

// takes reports whether m can become a part of n: a row keeps its key within a
// segment, a new one its parent in the same table, which may come after it, and
// one that goes the parent it had there, which may go before it.
func (n *net) takes(m *Mutation) bool {
	if m.Op == Insert {
		return false
	}
	if m.Op == Delete {
		return n.Op == Insert || !n.changes(n.order.self)
	}
	return !m.changes(n.order.identity) && (n.Op == Update || !m.changes(n.order.self))
}

// pass ends the segment and lets a mutation through.
func (c *compactor) pass(m *Mutation) {
	c.close()
	c.out = append(c.out, *m)
	inOrder(c.out[len(c.out)-1:])
}

// inOrder makes ready mutations that are written in the source's own order,
// which only a segment does without.
func inOrder(ms []Mutation) {
	for i := range ms {
		ms[i].ChecksOff = ms[i].ChecksOff || ms[i].ChecksLate
	}
}

// keeps reports whether a change of the table has to stay where it is: also
// where it is not known which unique values it gives up.
func (x *tableOrder) keeps(m *Mutation) bool {
	switch {
	case x.serial:
		return true
	case m.Op == Insert:
		return false
	case slices.ContainsFunc(x.identity, m.Before.absent):
		return true
	case m.Op == Delete && x.acting, m.Op == Update && m.changes(x.referenced):
		return true
	}
	for _, u := range x.uniques {
		if (m.Op == Delete || m.changes(u.columns)) && slices.ContainsFunc(u.columns, m.Before.absent) {
			return true
		}
	}
	return false
}

func (r Row) absent(o int) bool { return r[o].IsAbsent() }

// changes reports whether an update gives one of the columns another value.
func (m *Mutation) changes(columns []int) bool {
	return slices.ContainsFunc(columns, func(o int) bool { return !m.After[o].IsAbsent() && m.After[o] != m.Before[o] })
}

// takesReleased reports whether m takes a unique value that was given up in
// this segment.
func (c *compactor) takesReleased(x *tableOrder, m *Mutation) bool {
	if len(c.released) == 0 || m.Op == Delete {
		return false
	}
	for i := range x.uniques {
		if m.Op == Update && !m.changes(x.uniques[i].columns) {
			continue
		}
		if c.unique(x, i, m.Before, m.After) {
			if _, ok := c.released[string(c.key)]; ok {
				return true
			}
		}
	}
	return false
}

// release notes the unique values that m gives up.
func (c *compactor) release(x *tableOrder, m *Mutation) {
	if m.Op == Insert {
		return
	}
	for i := range x.uniques {
		if (m.Op == Delete || m.changes(x.uniques[i].columns)) && c.unique(x, i, m.Before, nil) {
			c.released[string(c.key)] = struct{}{}
		}
	}
}

// unique writes the value of a unique key to c.key: of after, and of before
// where after lacks a column. It reports whether there is one: where a column
// is NULL nothing is unique. Where equal is not known exactly, all are one.
func (c *compactor) unique(x *tableOrder, i int, before, after Row) bool {
	u := &x.uniques[i]
	c.key = binary.AppendUvarint(binary.AppendUvarint(c.key[:0], uint64(x.number)), uint64(i))
	for _, o := range u.columns {
		v := Value{}
		if after != nil {
			v = after[o]
		}
		if v.IsAbsent() && before != nil {
			v = before[o]
		}
		if v.IsNull() {
			return false
		}
		if u.exact {
			c.key = v.appendTo(c.key)
		}
	}
	return true
}

// appendTo appends the value so that different values, and sequences of values,
// become different bytes.
func (v Value) appendTo(dst []byte) []byte {
	dst = append(dst, byte(v.kind))
	switch v.kind {
	case Text, Bytes:
		return append(binary.AppendUvarint(dst, uint64(len(v.str))), v.str...)
	default:
		return binary.BigEndian.AppendUint64(dst, v.num)
	}
}

// find returns the net of the row that m changes, or nil.
func (c *compactor) find(x *tableOrder, m *Mutation) *net {
	row := m.Before
	if m.Op == Insert {
		if !m.revives() {
			return nil // its key was free, and is not in the segment: see takesReleased
		}
		row = m.After // which the segment may have marked as deleted
	}
	for i := c.rows[c.hash(x, row)]; i > 0; i = c.nets[i-1].next {
		n := &c.nets[i-1]
		if n.order == x && !n.gone && n.Op != Delete && sameAt(x.identity, n.After, row) {
			return n
		}
	}
	return nil
}

func sameAt(columns []int, a, b Row) bool {
	return !slices.ContainsFunc(columns, func(o int) bool { return a[o] != b[o] })
}

func (c *compactor) hash(x *tableOrder, row Row) uint64 {
	c.key = binary.AppendUvarint(c.key[:0], uint64(x.number))
	for _, o := range x.identity {
		c.key = row[o].appendTo(c.key)
	}
	return maphash.Bytes(c.seed, c.key)
}

// begin adds the first change of a row, to be found by the key it leaves the
// row with.
func (c *compactor) begin(x *tableOrder, m *Mutation, place int) {
	n := net{Mutation: *m, order: x, first: place, last: place}
	if m.Op == Update {
		n.After = n.completed(x.identity)
	}
	if m.Op != Delete {
		h := c.hash(x, n.After)
		n.next, c.rows[h] = c.rows[h], int32(len(c.nets)+1)
	}
	c.nets = append(c.nets, n)
}

// completed returns the new image of an update with the key, which may be in the
// old one alone.
func (m *Mutation) completed(identity []int) Row {
	if !slices.ContainsFunc(identity, m.After.absent) {
		return m.After
	}
	after := slices.Clone(m.After)
	for _, o := range identity {
		if after[o].IsAbsent() {
			after[o] = m.Before[o]
		}
	}
	return after
}

// fold makes m, an update or delete of the row, a part of the net. What an image
// lacks is taken from those before it.
func (n *net) fold(m *Mutation) {
	n.Origin, n.Index, n.Nth = m.Origin, m.Index, m.Nth
	switch {
	case n.Op == Insert && m.Op == Delete:
		n.gone = true
	case n.Op == Insert:
		n.After = over(n.After, m.After)
	case m.Op == Delete:
		n.Before = n.learned(m.Before)
		n.Op, n.After = Delete, nil
	default:
		n.Before = n.learned(m.Before)
		n.After = over(n.After, m.After)
		n.gone = !n.changesAny()
	}
}

// over returns the new image with what it lacks taken from the old one.
func over(old, now Row) Row {
	if !slices.ContainsFunc(now, Value.IsAbsent) {
		return now
	}
	merged := slices.Clone(now)
	for o := range merged {
		if merged[o].IsAbsent() {
			merged[o] = old[o]
		}
	}
	return merged
}

// learned returns the old image with what a later one shows of columns that
// were neither known nor changed so far.
func (n *net) learned(later Row) Row {
	learns := func(o int) bool { return n.Before[o].IsAbsent() && n.After[o].IsAbsent() && !later[o].IsAbsent() }
	known := n.Before
	for o := range known {
		if !learns(o) {
			continue
		}
		if &known[0] == &n.Before[0] {
			known = slices.Clone(known)
		}
		known[o] = later[o]
	}
	return known
}

func (n *net) changesAny() bool {
	for o := range n.After {
		if !n.After[o].IsAbsent() && n.After[o] != n.Before[o] {
			return true
		}
	}
	return false
}

// close ends the segment: what it came to goes out in an order that breaks
// nothing.
func (c *compactor) close() {
	if len(c.nets) == 0 {
		return
	}
	c.sorted = c.sorted[:0]
	for i := range c.nets {
		n := &c.nets[i]
		if n.gone {
			continue
		}
		if n.Op == Update {
			n.written = n.pattern()
		}
		c.sorted = append(c.sorted, n)
	}
	slices.SortFunc(c.sorted, compareNets)
	c.told()
	for _, n := range c.sorted {
		c.out = append(c.out, n.Mutation)
	}
	if len(c.out) > 0 {
		c.emit(c.out, true)
	}
	c.forget()
}

// forget leaves nothing of a segment, nor of what was passed.
func (c *compactor) forget() {
	c.out = c.out[:0]
	clear(c.sorted)
	clear(c.nets)
	c.nets = c.nets[:0]
	clear(c.rows)
	clear(c.released)
}
