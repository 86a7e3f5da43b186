package postgres

import (
	"unsafe"

	"github.com/rowferry/rowferry"
)

// blockBytes is how much is handed out of one block of memory. Whoever keeps
// one value of a block keeps all of it, so this, and one object that is larger
// by itself, is how far memory in use can be beyond what Change.Size says.
const blockBytes = 128 << 10

// How much of each kind a block takes from the allocator at once.
const (
	slabText    = 16 << 10 // bytes
	slabValues  = 512
	slabChanges = 128
	slabTxs     = 32
)

// What the types take, about, in bytes.
const (
	valueSize  = 32
	changeSize = 72
	txSize     = 152
)

// arena hands out the memory of what has been decoded, which is never written
// again, so that many small rows and transactions share a few allocations. What
// is handed out together is let go together. Not safe for concurrent use.
type arena struct {
	text    []byte // handed out up to its length
	values  []rowferry.Value
	changes []rowferry.Change // free from its start on
	txs     []rowferry.Tx
	held    int // bytes handed out of the block
	many    int // changes of the last transaction or chunk
	scratch []byte
}

// take counts n bytes, and begins a new block where enough was handed out.
func (a *arena) take(n int) {
	if a.held > blockBytes {
		*a = arena{many: a.many, scratch: a.scratch}
	}
	a.held += n
}

// copied returns a copy of b that nobody writes.
func (a *arena) copied(b []byte) []byte {
	n := len(b)
	a.take(n)
	if n > slabText/4 {
		return append([]byte(nil), b...)
	}
	if cap(a.text)-len(a.text) < n {
		a.text = make([]byte, 0, slabText)
	}
	from := len(a.text)
	a.text = append(a.text, b...)
	return a.text[from:len(a.text):len(a.text)]
}

// str returns a copy of b as a string.
func (a *arena) str(b []byte) string {
	if len(b) == 0 {
		return ""
	}
	c := a.copied(b)
	return unsafe.String(&c[0], len(c)) // copied says that nobody writes it
}

// row returns a row of n absent values.
func (a *arena) row(n int) rowferry.Row {
	a.take(n * valueSize)
	if len(a.values) < n {
		if n > slabValues/4 {
			return make(rowferry.Row, n)
		}
		a.values = make([]rowferry.Value, slabValues)
	}
	row := a.values[:n:n]
	a.values = a.values[n:]
	return row
}

// begin returns where to append the changes of one transaction or chunk, with
// room for as many as the last one had. Only one may be open.
func (a *arena) begin() []rowferry.Change {
	a.take(0)
	if many := min(a.many, blockBytes/changeSize); cap(a.changes) < max(many, slabChanges/8) {
		a.changes = make([]rowferry.Change, 0, max(many, slabChanges))
	}
	return a.changes[:0]
}

// end returns the changes that were appended. What is handed out after them
// cannot be reached from them.
func (a *arena) end(changes []rowferry.Change) []rowferry.Change {
	n := len(changes)
	if a.many = n; n == 0 {
		return nil
	}
	a.take(n * changeSize)
	if n <= cap(a.changes) && &changes[0] == &a.changes[:1][0] {
		a.changes = a.changes[n:n]
	}
	return changes[:n:n]
}

// tx returns an empty transaction.
func (a *arena) tx() *rowferry.Tx {
	a.take(txSize)
	if len(a.txs) == 0 {
		a.txs = make([]rowferry.Tx, slabTxs)
	}
	t := &a.txs[0]
	a.txs = a.txs[1:]
	return t
}
