package rowferry

import (
	"time"

	"github.com/rowferry/rowferry/schema"
)

// Op is what a change or mutation does.
type Op uint8

// The operations. Their meaning for images: Insert has After, Delete has
// Before, Update has both; Truncate, Shape and Drop have none.
const (
	Insert Op = iota + 1
	Update
	Delete
	Truncate // every row of Table is gone
	Shape    // Table is the table's shape from here on: new, or changed
	Drop     // Table is gone, with its rows
)

var opNames = [...]string{Insert: "insert", Update: "update", Delete: "delete", Truncate: "truncate", Shape: "shape", Drop: "drop"}

// String returns the operation's name.
func (o Op) String() string {
	if int(o) < len(opNames) && opNames[o] != "" {
		return opNames[o]
	}
	return "op?"
}

// Change is one row's insert, update or delete, or a table's truncate, new
// shape or end. It holds no SQL and no driver types.
type Change struct {
	Op     Op
	Table  *schema.Table // the shape in force, under its source name
	Before Row
	After  Row
	// ChecksOff is set where the source session had foreign-key or unique
	// checks switched off, so that the order of changes may break them.
	ChecksOff bool
	// ChecksLate is set where the source looks at foreign keys at the end of a
	// statement or of the transaction, as PostgreSQL does, and the table has some
	// or is referred to: until the transaction ends, the order of changes may
	// break them, and no longer.
	ChecksLate bool
	// Commit is when the source committed the change, in Unix milliseconds. The
	// engine sets it for the Handler; 0 is a row that is copied.
	Commit int64
}

// Size returns the memory the change holds in bytes.
func (c *Change) Size() int { return 64 + c.Before.Size() + c.After.Size() }

// Tx is one source transaction, or an ordered chunk of a large one. All
// chunks of a transaction share ID; the last has Last set, and only it has
// Position, Lineage and a meaningful Discard.
type Tx struct {
	ID         string    // the transaction's name in the log: its GTID, or file:position of its start
	CommitTime time.Time // when the source committed it; second resolution on MariaDB
	Log        string    // where it ends in the log, for people and events: file:position
	Changes    []Change
	// DropFrom, when not nil, tells that a rollback to a savepoint undid,
	// before this chunk's changes, all but the first DropFrom of those
	// changes of earlier chunks that still counted.
	DropFrom *int
	Last     bool
	Discard  bool     // with Last: the log says that the transaction was rolled back
	Position Position // after the transaction
	Lineage  string   // ties Position to the transaction's content; see Source
}
