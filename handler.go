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
	Index  int // 0-based place of the change in its transaction
	Nth    int // 0-based place among the mutations of its change; with Index and Origin.Tx a stable idempotency key
	Turn   int // 0-based place among what a Resolver had come of its change
	// ChecksOff and ChecksLate: see Change. Sinks are told of ChecksOff alone,
	// which then stands for both.
	ChecksOff, ChecksLate bool
	// Revives is set on an insert into a table whose rows may be there already,
	// marked as deleted: 1 and the ordinal of the column that is NULL unless they
	// are. Such a row becomes what After says. See ReviveTx.
	Revives int
	// FilteredBefore and Filtered tell that a filter leaves the row out of the target, before
	// and after. The generic handler hands such changes on where rows of other tables
	// follow a filter, with as much of the row as is known without computing anything: a
	// Resolver makes of them what they come to.
	FilteredBefore, Filtered bool
	// Defaulted tells that After has a default in a value's place, and LeftOut that the
	// row has a value for which the target has no column; see TableStats.
	Defaulted, LeftOut bool
	// Merges is set by the engine on changes of a table that is copied again: they say
	// what a row is, as MergeTx has it, whatever the target has.
	Merges bool
	// Withheld is set with Merges where the target is to be left as it is: only a row
	// that waits takes part in the change.
	Withheld bool
}

// Handler says what a change to one entity becomes in the target. It is
// deterministic, free of side effects, and may be called again for the same
// change after a failure. Handle appends to dst and returns it; appending
// nothing means that the change does not reach the target.
//
// The first change of a table that it is given is a Shape. It answers that with a
// Shape mutation for each target table that it writes, which the target then makes
// or checks: further mutations name these tables, under these shapes, and no others.
// What else a mutation needs is its Op and its rows: an Insert has After, with all
// columns; an Update has Before, with at least the key, and After, of which absent
// columns stay as they are; a Delete has Before, with at least the key. Where Before
// has other columns, the target has to have these values. A row has a Value for each
// of the table's columns, carried as the column's type is.
//
// A handler of one's own (see cli.WithHandler) may be given several source tables,
// whose changes come in the source's order: rows of a child can become columns of
// its parent's row, by updates. It answers the Shape of each of them, and may declare
// a target table more than once, each time alike. It may change the rows of the
// Change, which are its own. What it must not do silently is leave out a Truncate of
// which the target has rows: it returns an error for whatever it does not know.
// Columns that hold keys of other rows follow these, where they get keys of the
// target's own, if the shape has a foreign key there.
type Handler interface {
	Handle(dst []Mutation, c *Change) ([]Mutation, error)
	// Target returns the name of the target table that rows of the source
	// table go to; where they go to several, the one with the source's key.
	Target(source schema.Name) schema.Name
}

// Versioned is a Handler that may come to make other rows of the same changes. Its
// version counts among the rules of a pipeline, which does not go on where they are
// not those that its rows were made with.
type Versioned interface {
	Handler
	Version() string
}

// Reshaper is a Handler whose target tables may have other columns than their
// sources, which then say nothing about them.
type Reshaper interface {
	Handler
	Reshapes(source schema.Name) bool
}
