package rowferry

import (
	"context"

	"github.com/rowferry/rowferry/schema"
)

// A copy brings into the target what was in the source before its log is
// followed. It has three parts, and each of them can be gone on with where it
// was cut off:
//
//   - Loading: the tables are read in chunks, each in a snapshot of its own, and
//     written by several connections at once, into tables that have no more than
//     the key by which rows are found, or not even that: a LateKeyer makes it behind
//     the last row. The log is not applied meanwhile.
//   - Merging: the log is applied from Copy.From on, where every chunk's snapshot
//     is later, so that a row may be newer than the change that comes. Changes are
//     merged: they say what a row is, not what it was. Whatever a merge takes back,
//     a later change brings again, until the log has passed Copy.End, which is
//     later than every snapshot. Then the target is what the source was there.
//   - Completing: unique keys, other indexes and foreign keys are made.
//
// From there on the log is followed as ever.

// Copier is a Source whose tables can be copied.
type Copier interface {
	Source
	// Copy looks at the tables in scope, and finds where the log is to be followed
	// from. Where from is not empty, a copy that began there goes on, or one begins where
	// the log was followed to: what was logged before it is waited for until a snapshot
	// sees it. Errors: CodeCopyRefused where what is in the log cannot be told from what
	// a snapshot sees.
	Copy(ctx context.Context, from Position) (Copy, error)
	// Passed reports whether a transaction that ended at p, and in the log at log
	// (Tx.Log), has everything before it that the mark stands behind, itself
	// included. It is false where the two cannot be compared, as after a failover.
	Passed(p Position, log string, m Mark) (bool, error)
	// Saw reports whether the snapshot saw a transaction: the one with the ID tx that
	// ends in the log at log (Tx.ID, Tx.Log). It is of the server the snapshot is of.
	Saw(tx, log string, s Snapshot) (bool, error)
	// Expect has every Reader that is opened from then on, until the Copy is closed,
	// stop with CodeLineageBroken where the log does not have what these snapshots saw,
	// as that of a server which was put back to a copy of its disk, and Passed report
	// false before all of it came. An empty one says nothing. What Fetch saw is
	// expected anyway, and what a mark that Passed is given says of it.
	Expect(saw []Snapshot) error
}

// Mark is a place in a source's log, in the source's own words.
type Mark string

// Snapshot is what a snapshot saw, in the source's own words: exactly, of a table
// that was read whole; else enough to find out whether a log has it, or empty where
// the source cannot tell that.
type Snapshot string

// Copy is one copy's view of a source. It is safe for concurrent use.
type Copy interface {
	// From is where the log has to be followed from, and Lineage what ties it to
	// what was logged before (see Tx), "" where that is not known: what a snapshot
	// that Read opens does not see is logged after it.
	From() (p Position, lineage string)
	// Server names the server whose tables are read, and no other: one that took its
	// place may lack what a chunk saw.
	Server() string
	// Tables are those in scope, with their shapes as the log will tell them.
	Tables() []CopyTable
	// Open opens a connection that reads chunks. Its snapshots see everything that
	// was logged before From.
	Open(ctx context.Context) (ChunkReader, error)
	// End returns a place in the log behind everything that any snapshot which has
	// been read so far saw.
	End(ctx context.Context) (Mark, error)
	// Close ends it. Readers are closed before.
	Close() error
}

// Recognizer is a Copy of files, not of a server. It tells by itself whether it is of
// what a copy began with, and how it differs.
type Recognizer interface {
	Copy
	// Recognize is given what Server said when the copy began. Its error takes the
	// place of the one that names two servers.
	Recognize(began string) error
}

// CopyTable is a table that can be copied.
type CopyTable struct {
	Shape *schema.Table
	// Rows and Bytes are the server's estimates, 0 where it has none.
	Rows, Bytes int64
	// Whole says that the table can be read by ReadWhole, and Unordered by nothing
	// else, though it may have a key: its rows come in no order.
	Whole, Unordered bool
}

// ChunkReader reads rows of a source, on one connection. It is used by one
// goroutine. Rows are those that the log would tell: equal values for equal rows,
// no column absent but such as the log never tells. Keys are the values of the
// columns of Shape.Identity, ordered and compared as the source does.
type ChunkReader interface {
	// Split returns the key of the last of the next n rows behind after, or nil
	// where there are no more than n. Before the first row after is nil. A chunk
	// ends there, and the next one begins. n is at least 1.
	Split(ctx context.Context, t *CopyTable, after []Value, n int) ([]Value, error)
	// Read reads, in a snapshot that it opens and ends, the rows behind after and
	// not behind upto; nil means the table's beginning, or end. It calls each with
	// consecutive rows, which are valid during the call. The number of rows a call
	// is its own. It ends with the error of each, if there is one, else it tells what
	// the snapshot saw.
	Read(ctx context.Context, t *CopyTable, after, upto []Value, each func([]Row) error) (Snapshot, error)
	// ReadWhole is Read for all rows of a table, in one snapshot, however long that
	// takes, and tells what the snapshot saw. It is how a table without a key is
	// read: its rows cannot be merged, so that each change has to be applied once.
	ReadWhole(ctx context.Context, t *CopyTable, each func([]Row) error) (Snapshot, error)
	// Fetch is Read for the rows with the given keys, in any order. Of a key that is
	// not there, there is no row.
	Fetch(ctx context.Context, t *CopyTable, keys [][]Value, each func([]Row) error) error
	// Close closes the connection.
	Close() error
}

// Loader is a Sink that a copy can be made into.
type Loader interface {
	CheckpointKeeper
	// PrepareLoad makes the tables of the given Shape mutations that are missing,
	// without what would keep the rows of a copy from coming in any order: with the
	// key by which rows are found (schema.Table.Identity) alone, or with an index that
	// refuses nothing where there is none. A LateKeyer makes them without any. It
	// checks those that are there. One that Rowferry did not make and that has other unique or
	// foreign keys is refused with CodeCopyRefused. It is idempotent. Afterwards
	// Begin and Load write into the tables as they are, and Prepare does not add to
	// them, until Complete.
	PrepareLoad(ctx context.Context, shapes []Mutation) error
	// Load opens another connection to the target, for chunks that are written while
	// others are. Nil where they have to come one by one: the first is never nil.
	// It is closed before the Sink is.
	Load(ctx context.Context) (Load, error)
	// Chunks returns the chunks of the pipeline that were claimed, by table and
	// number. It makes nothing.
	Chunks(ctx context.Context, pipeline string) ([]Chunk, error)
	// ForgetChunks deletes them.
	ForgetChunks(ctx context.Context, pipeline string) error
	// Complete makes the unique keys, indexes and foreign keys of the tables that PrepareLoad
	// made without them, each key behind those that it needs, and calls each before
	// every one, never twice at the same time. Before foreign keys are made it deals
	// with rows without a parent as it is told. It is idempotent. A row that breaks a
	// key is CodeRowRefused, with the key's name.
	Complete(ctx context.Context, shapes []Mutation, c Completion) error
}

// LateKeyer is a Loader whose tables are filled faster while they have no key at
// all. No chunk needs one: it is there as a whole, with the note that says so, or
// not at all. Merging does, and so does Load.Begin over rows that may be there.
type LateKeyer interface {
	Loader
	// Key makes, of the tables that PrepareLoad made, the key by which rows are found,
	// or the index where there is none, and calls each before every one, never twice at
	// the same time. They outlast a crash of the target even where its commits need
	// not. It is idempotent. Where it was not called, Complete makes them as well. Errors
	// are those of Complete.
	Key(ctx context.Context, shapes []Mutation, each func(what string)) error
}

// Chunk is a part of a table's copy: the rows behind the end of the chunk with
// the number before its own, and not behind its own end. The target keeps them,
// in the table rowferry_chunk, so that what is loaded and what is said to be can
// never differ.
type Chunk struct {
	Table  schema.Name // the source's
	Number int         // from 0
	Upto   string      // the key where it ends, in the engine's own form; empty: the table's end
	Done   bool        // its rows are there
	Rows   int64       // so many, once they are
	Saw    Snapshot    // what was seen of them, once they are there
}

// Load is a connection that loads one chunk at a time. It is used by one
// goroutine. Claim and Commit do nothing, and fail with CodeFenced, where the
// pipeline's checkpoint row has another fence or sequence than cp; it cannot get
// one before they are done. Loads do not wait for each other there.
type Load interface {
	// Claim notes that a chunk is to be loaded, in a transaction of its own.
	Claim(ctx context.Context, cp Checkpoint, c Chunk) error
	// Begin begins a chunk of the table of the given Shape mutation. Where again is
	// set, rows of it may be there already: they become what Write is given, for which
	// a LateKeyer has to have made the table's key. Else they are not, and the fastest
	// way to write may be taken.
	Begin(ctx context.Context, shape *Mutation, again bool) error
	// Write writes inserts of that table.
	Write(ctx context.Context, ms []Mutation) error
	// Commit makes the chunk durable, together with the note that it is done.
	Commit(ctx context.Context, cp Checkpoint, c Chunk) error
	// Rollback undoes the chunk. It may be called after a failed Commit.
	Rollback() error
	// Close closes the connection. An open chunk is rolled back.
	Close() error
}

// MergeTx is a SinkTx of a Loader.
type MergeTx interface {
	SinkTx
	// Merge applies inserts, updates and deletes of which each is about another
	// row, in any order, whatever is in the target:
	//
	//   - after an Insert, the row is as After says, whether there was one or not;
	//   - an Update, which leaves the key as it is, writes the columns that After
	//     has; where there is no such row it does nothing;
	//   - after a Delete there is no such row. Before has at least the key.
	//
	// Deletes come in a call of their own, before what takes their place by the
	// target's collation.
	Merge(ctx context.Context, ms []Mutation) error
}
