package sqlite

import (
	"container/list"

	"zombiezen.com/go/sqlite"

	"github.com/rowferry/rowferry"
)

const (
	// maxStatements and maxParams bound the prepared statements that are kept.
	// Partial images and updates of changing column sets would otherwise keep
	// one for each combination.
	maxStatements = 256
	maxParams     = 16 << 10
)

// statement is a prepared statement and which columns its parameters take:
// first set from After, then match from Before.
type statement struct {
	stmt   *sqlite.Stmt
	sql    string
	set    []int
	match  []int
	key    string
	target *target
	place  *list.Element
}

func (st *statement) params() int { return len(st.set) + len(st.match) }

// stmtCache keeps the most recently used statements of all targets.
type stmtCache struct {
	order  *list.List // of *statement, most recent first
	params int
}

func (c *stmtCache) init() { c.order = list.New() }

func (c *stmtCache) add(st *statement) {
	st.place = c.order.PushFront(st)
	st.target.stmts[st.key] = st
	c.params += st.params()
	for c.order.Len() > maxStatements || c.params > maxParams && c.order.Len() > 1 {
		c.remove(c.order.Back().Value.(*statement))
	}
}

func (c *stmtCache) touch(st *statement) { c.order.MoveToFront(st.place) }

// remove finalizes a statement. Finalizing repeats the error of the last step,
// which was told when it happened.
func (c *stmtCache) remove(st *statement) {
	_ = st.stmt.Finalize()
	c.order.Remove(st.place)
	delete(st.target.stmts, st.key)
	c.params -= st.params()
}

// drop removes all statements of a target.
func (c *stmtCache) drop(t *target) {
	for _, st := range t.stmts {
		c.remove(st)
	}
}

func (c *stmtCache) clear() {
	for c.order.Len() > 0 {
		c.remove(c.order.Front().Value.(*statement))
	}
}

// statement returns the prepared statement for m: of one operation, one set of
// written columns, and for tables without a key one set of matched columns.
func (b *batch) statement(t *target, m *rowferry.Mutation) (*statement, error) {
	b.key = append(b.key[:0], byte(m.Op))
	if m.Op == rowferry.Insert || m.Op == rowferry.Update {
		b.key = appendBits(b.key, len(t.columns), func(i int) bool { return t.writes(m, i) })
	}
	if st := t.stmts[string(b.key)]; st != nil {
		b.sink.stmts.touch(st)
		return st, nil
	}
	st := t.compose(m)
	st.target, st.key = t, string(b.key)
	stmt, _, err := b.sink.conn.PrepareTransient(st.sql)
	if err != nil {
		return nil, b.sink.translate(err)
	}
	st.stmt = stmt
	b.sink.stmts.add(st)
	return st, nil
}

func appendBits(dst []byte, n int, bit func(int) bool) []byte {
	var x byte
	for i := range n {
		if bit(i) {
			x |= 1 << (i % 8)
		}
		if i%8 == 7 || i == n-1 {
			dst = append(dst, x)
			x = 0
		}
	}
	return dst
}
