package sqlite

import (
	"zombiezen.com/go/sqlite"

	"github.com/rowferry/rowferry"
)

// statement is a prepared statement and which columns its parameters take:
// first set from After, then match from Before.
type statement struct {
	stmt  *sqlite.Stmt
	sql   string
	set   []int
	match []int
}

// finalize lets go of a statement. Finalizing repeats the error of the last
// step, which was told when it happened.
func finalize(st *statement) { _ = st.stmt.Finalize() }

// statement returns the prepared statement for m: of one operation, one set of
// written columns, and for tables without a key one set of matched columns.
func (b *batch) statement(t *target, m *rowferry.Mutation) (*statement, error) {
	b.key = t.Pattern(b.key[:0], m)
	return b.prepared(t, func() *statement { return t.compose(m) })
}

// prepared returns the statement with the pattern b.key, which compose writes
// where it is not there.
func (b *batch) prepared(t *target, compose func() *statement) (*statement, error) {
	if st, ok := b.sink.stmts.Get(&t.Table, b.key); ok {
		return st, nil
	}
	st := compose()
	stmt, _, err := b.sink.conn.PrepareTransient(st.sql)
	if err != nil {
		return nil, b.sink.translate(err)
	}
	st.stmt = stmt
	b.sink.stmts.Add(&t.Table, b.key, st, len(st.set)+len(st.match))
	return st, nil
}
