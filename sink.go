package rowferry

import (
	"context"

	"github.com/rowferry/rowferry/schema"
)

// Sink applies batches to one target. One batch is open at a time.
type Sink interface {
	// Begin starts a batch.
	Begin(ctx context.Context) (SinkTx, error)
	// Close releases the target. An open batch is rolled back.
	Close() error
}

// SinkTx is one batch on its way into the target.
type SinkTx interface {
	// Write applies mutations in the given order. Every update and delete
	// must affect exactly one row (CodeRowMissing), which has the values of the
	// old image where databases write such values alike (CodeRowDiffers), an
	// insert that meets an existing key has met a foreign row (CodeForeignRow),
	// and a Shape makes
	// the table when it is missing or checks it column by column
	// (CodeTableDiffers). After an error only Rollback may follow. A refusal
	// is a *Error whose Mutation says which mutation it was about.
	Write(ctx context.Context, ms []Mutation) error
	// Commit makes the batch durable. On a CheckpointKeeper it ends with the
	// guarded update of the checkpoint row: the row must still have cp's
	// fence and the sequence before cp's, else CodeFenced and nothing is
	// committed. An error after which it is not known whether the batch was
	// committed need not be marked: the engine looks.
	Commit(ctx context.Context, cp Checkpoint) error
	// Rollback undoes the batch. It may be called after a failed Commit.
	Rollback() error
}

// BulkTx is a SinkTx that has a faster way to write many changes at once.
type BulkTx interface {
	SinkTx
	// WriteBulk applies inserts, updates and deletes of which each is about
	// another row, and which may be applied in any order that leaves inserts and
	// deletes of one table as they stand. It promises what Write does, but that
	// a refusal may name another mutation of those that travelled together, and
	// may call a row missing that differs: the engine then writes the same
	// changes again, one by one.
	WriteBulk(ctx context.Context, ms []Mutation) error
}

// LateTx is a SinkTx whose target makes some of its checks at the commit alone.
type LateTx interface {
	SinkTx
	// Check makes all checks that Commit would, and returns what they refuse, as Commit
	// does. Only Rollback may follow.
	Check(ctx context.Context) error
}

// LastTx is a BulkTx that has its last changes and its checkpoint answered at once.
type LastTx interface {
	BulkTx
	// WriteLast is WriteBulk for the last changes of a batch, and writes the
	// checkpoint that Commit will be given, which then only commits.
	WriteLast(ctx context.Context, ms []Mutation, cp Checkpoint) error
}

// Laner is a Sink to whose target several batches can be written at once.
type Laner interface {
	CheckpointKeeper
	// Lane opens another connection to the target, for batches that are written
	// while others are open. It is closed before the Sink is, and before the
	// Sink's Prepare. Nil where batches have to come one by one.
	Lane(ctx context.Context) (Sink, error)
}

// Preparer is a Sink whose target cannot make tables inside a transaction.
type Preparer interface {
	Sink
	// Prepare makes or checks the tables of the given Shape mutations, in
	// order, as Write does elsewhere. It is called before Begin with the
	// shapes of the coming batch, and on start with all that are known; the
	// Shapes that Write is given afterwards are then no more than checked. It
	// is idempotent: a table that was made for a batch that never committed is
	// empty, and is found again.
	Prepare(ctx context.Context, shapes []Mutation) error
}

// CheckpointKeeper is a Sink whose target has transactions and keeps the
// checkpoint itself, in the table rowferry_checkpoint. A Sink that is neither
// this nor an Appender with an extent is at least once: the State's position is
// the authority.
type CheckpointKeeper interface {
	Sink
	// ReadCheckpoint returns the pipeline's row, or nil when there is none.
	// It does not create the table. On a server it waits for a transaction
	// that is changing the row, within the sink's timeout (CodeTargetConflict):
	// what it returns cannot be overtaken by a commit whose answer was lost.
	ReadCheckpoint(ctx context.Context, pipeline string) (*Checkpoint, error)
	// ListCheckpoints returns all rows, by pipeline name.
	ListCheckpoints(ctx context.Context) ([]Checkpoint, error)
	// WriteCheckpoint replaces the row that is still as was (fence and
	// sequence; nil means no row) by now, in a transaction of its own, making
	// the table when missing. CodeFenced when the row is not as was.
	WriteCheckpoint(ctx context.Context, was *Checkpoint, now Checkpoint) error
	// Occupied returns which of the tables exist and hold at least one row.
	Occupied(ctx context.Context, tables []schema.Name) ([]schema.Name, error)
	// Tables returns the shapes of the existing tables, without Rowferry's
	// own. Types are the target's: a hint for names and keys, no more.
	Tables(ctx context.Context) ([]*schema.Table, error)
}

// Syncer is a CheckpointKeeper whose target may answer commits before they
// are durable.
type Syncer interface {
	CheckpointKeeper
	// Sync returns once a crash of the target can no longer undo any batch whose
	// Commit had returned when it was called; at once where none could. It is
	// safe for concurrent use.
	Sync(ctx context.Context) error
}

// Forgetter is a CheckpointKeeper that can forget a pipeline.
type Forgetter interface {
	CheckpointKeeper
	// DeleteCheckpoint deletes the row that is still as was (fence and sequence),
	// in a transaction of its own: no engine can commit for it any more.
	// CodeFenced when the row is not as was.
	DeleteCheckpoint(ctx context.Context, was Checkpoint) error
}

// Appender is a Sink without transactions whose target is a file that grows:
// how much of it is committed is part of the checkpoint, which makes it exactly
// once in effect. Nothing is cut off or written before Adopt, or without it
// before Begin.
type Appender interface {
	Sink
	// Extent names the target and how much of it is committed, for the State:
	// "path size sum". It is "" where the target is no file, which makes the
	// sink at least once. It changes with Adopt and with Commit only, and is
	// recorded after each commit, and with the pipeline's start before its
	// first batch.
	Extent() string
	// Adopt is told the recorded extent, "" on a fresh start, before the first
	// batch. It cuts off events beyond the extent, which a batch left behind
	// that was never recorded. CodeTargetLost where the file is missing,
	// shorter or another one; CodeTargetOccupied where a fresh start meets a
	// file that is not empty; CodeTarget where what is beyond the extent is not
	// events. A refused file is left as it was.
	Adopt(ctx context.Context, extent string) error
}

// Sequence is what a target table counts its next key from.
type Sequence struct {
	Table  schema.Name
	Column string
	Last   uint64 // the largest value in the table; 0 where it is empty
	Next   uint64 // the next value before; after it is Last+1 where that is larger
}

// Sequencer is a Sink whose tables count keys by themselves.
type Sequencer interface {
	Sink
	// Sequences returns the counting columns of the existing tables, and with
	// advance sets each past the table's rows. None is ever set back.
	Sequences(ctx context.Context, tables []schema.Name, advance bool) ([]Sequence, error)
}
