package rowferry

import (
	"context"
	"time"

	"github.com/rowferry/rowferry/schema"
)

// Start says where a Reader begins.
type Start struct {
	// Position is the place to begin after. Empty means the source's own
	// configured start (its --from, or the earliest position it has).
	Position Position
	// Lineage is what the source said of the transaction that ended at
	// Position. A source that can still read that transaction compares it
	// and stops with CodeLineageBroken if it differs. Empty: no check.
	Lineage string
	// Tables are the shapes in force at Position, as recorded from this
	// source's own Shape changes.
	Tables []*schema.Table
	// Hint returns the existing target table that a source table's rows go
	// to, or nil. Its types are the target's: it only fills in names and keys
	// that the log does not say. A nil Hint knows none.
	Hint func(source schema.Name) *schema.Table
	// ShapesFrom, when not empty, asks the source to learn the shapes anew by
	// reading the log from there to Position.
	ShapesFrom Position
	// Spool gives overflow areas to a source that has to put transactions
	// aside before they are committed. Nil where there are none.
	Spool func() (Spool, error)
	// Peek asks for Begin alone: nothing is made at the source or taken there for
	// a reader that is closed at once.
	Peek bool
	// A reader that begins without Tables tells, at the start of its first
	// Tx, a Shape for every table in scope that it knows already.
}

// Source reads one log.
type Source interface {
	// Open positions a Reader. It fails with CodePositionOutside,
	// CodeLogMissing or CodeLineageBroken where the start cannot be had, and
	// never begins anywhere else.
	Open(ctx context.Context, start Start) (Reader, error)
}

// Reader emits a source's transactions in commit order. It is used by one
// goroutine.
type Reader interface {
	// Begin returns the position the reader begins after: what the caller
	// asked for, or the configured start made concrete.
	Begin() Position
	// Next returns the next transaction or chunk, which is the caller's from
	// then on. A transaction with no change in scope is still returned, since
	// its position counts. io.EOF
	// means that the bounded log has ended; a truncated tail is reported by
	// Notices.
	Next(ctx context.Context) (*Tx, error)
	// Progress returns how much of the log has been read, in bytes, and how
	// much there is; total is 0 when it is not known. Safe for concurrent
	// use.
	Progress() (done, total int64)
	// Notices returns what the operator should know at the end: a truncated
	// tail, tables with unknown constraints. Call it after Next returned an
	// error.
	Notices() []string
	// Close releases what the reader holds. It may be called once, by any
	// goroutine that has seen Next return.
	Close() error
}

// Follower is a Reader of a log that goes on.
type Follower interface {
	Reader
	// CaughtUp returns when the source last said that there was nothing more
	// to read; zero while there is more. Safe for concurrent use.
	CaughtUp() time.Time
}

// Rooted is a Reader that can tie its beginning to what was logged before.
type Rooted interface {
	Reader
	// Lineage returns the Lineage of the transaction that ended at Begin, as
	// Tx has it, so that a start of which nothing was applied yet is not gone
	// on with elsewhere. It is "" where the log has none. It is called before
	// Next.
	Lineage(ctx context.Context) (string, error)
}

// Acker is a Reader of a log that its server keeps until it is told what is no
// longer needed.
type Acker interface {
	Reader
	// Ack tells that everything up to p, a position that Next returned or Begin,
	// is durable in the target. It does not wait for the network and is safe for
	// concurrent use, until Close. Positions come in the log's order.
	Ack(p Position)
}
