package rowferry

import "github.com/rowferry/rowferry/schema"

// Origin tells where a mutation comes from. One Origin is shared by all
// mutations of a transaction.
type Origin struct {
	Tx     string // Tx.ID
	Log    string // Tx.Log
	Commit int64  // commit time, Unix milliseconds
}

// Mutation is one insert, update, delete, truncate or new shape on a target
// table.
type Mutation struct {
	Op     Op
	Table  *schema.Table // the shape under its target name
	Before Row           // identifies the row to update or delete
	After  Row           // present values are written, absent ones are not
	Source schema.Name   // the table the change was made to
	Origin *Origin
	Index  int // 0-based place of the change in its transaction; with Origin.Tx a stable idempotency key
	// ChecksOff and ChecksLate: see Change. Sinks are told of ChecksOff alone,
	// which then stands for both.
	ChecksOff, ChecksLate bool
	// Revives is set on an insert into a table whose rows may be there already,
	// marked as deleted: 1 and the ordinal of the column that is NULL unless they
	// are. Such a row becomes what After says. See ReviveTx.
	Revives int
}

// Handler says what a change to one entity becomes in the target. It is
// deterministic, free of side effects, and may be called again for the same
// change after a failure. Handle appends to dst and returns it; appending
// nothing means that the change does not reach the target.
type Handler interface {
	Handle(dst []Mutation, c *Change) ([]Mutation, error)
	// Target returns the name of the target table that rows of the source
	// table go to.
	Target(source schema.Name) schema.Name
}

// Reshaper is a Handler whose target tables may have other columns than their
// sources, which then say nothing about them.
type Reshaper interface {
	Handler
	Reshapes(source schema.Name) bool
}
