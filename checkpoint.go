package rowferry

import (
	"time"

	"github.com/rowferry/rowferry/schema"
)

// CheckpointFormat is the version of the checkpoint row that this program writes. A
// newer one is refused.
const CheckpointFormat = 1

// Checkpoint is the durable record of how far everything is applied: one row
// per pipeline in the target, and the same record in the state directory.
type Checkpoint struct {
	Pipeline string
	Position Position // after the last applied transaction
	Lineage  string   // what the source said of that transaction
	Start    Position // the start this pipeline was given
	Fence    uint64   // raised by each engine that takes the pipeline
	Sequence uint64   // raised by each committed batch
	Config   string   // semantic hash of the configuration
	StateID  string   // ties the state directory to the target row
	Held     Held
	Log      string    // file:position of Position, for people
	Commit   time.Time // source commit time of the last applied transaction
	Extent   string    // what an Appender had committed; empty elsewhere
	Updated  time.Time // when the record was written
	Format   int
}

// Held counts what lives only in the state directory.
type Held struct {
	Shapes int      `json:"shapes,omitempty"` // tables whose shape the log told
	Oldest Position `json:"oldest,omitempty"` // where the oldest of it can be read again
	// Copy is how far a copy is that the pipeline began with: not what only the
	// state directory has, but what a batch changes like it.
	Copy CopyState `json:"copy,omitzero"`
	// Notes counts what a Resolver has in the state directory.
	Notes Kept `json:"notes,omitzero"`
	// Fence is that of the engine whose batch it was. Another engine's batch of the
	// same sequence and position may have given rows other keys.
	Fence uint64 `json:"fence,omitempty"`
	// Removing is set while the pipeline's rows are taken out of the target.
	Removing bool `json:"removing,omitempty"`
}

// CopyState is how far a copy is; zero where the pipeline began without one.
type CopyState struct {
	Phase CopyPhase `json:"phase"`
	Until Mark      `json:"until,omitempty"` // where merging ends
	// Carried is how far Carrying is, in the engine's own words.
	Carried string `json:"carried,omitempty"`
	// Server is the source's, as Copy.Server names it.
	Server string `json:"server,omitempty"`
	// Staged says that the rows go by way of a Stage, as long as the copy is going on.
	Staged bool `json:"staged,omitempty"`
	// Partial says that it is no copy of all rows, which nothing follows.
	Partial bool `json:"partial,omitempty"`
	// Orphans is what became of rows without a parent, "" where they were refused.
	Orphans OrphanPolicy `json:"orphans,omitempty"`
	// Tables are those that are copied again, and Copied tells that the pipeline began
	// with a copy: its phase is that again afterwards.
	Tables []schema.Name `json:"tables,omitempty"`
	Copied bool          `json:"copied,omitempty"`
}

// CopyPhase is a part of a copy; see Copier.
type CopyPhase string

// The parts of a copy.
const (
	Loading    CopyPhase = "loading"
	Merging    CopyPhase = "merging"
	Carrying   CopyPhase = "carrying" // of a copy that is staged; see Stage
	Completing CopyPhase = "completing"
	// Copied is what a pipeline stays that began with a copy.
	Copied CopyPhase = "copied"
)

// Began reports whether the pipeline began with a copy.
func (c CopyState) Began() bool { return c.Copied || c.Phase != "" && !c.again() }

// Going reports whether there is a copy to go on with, of all tables or of some again.
func (c CopyState) Going() bool { return c.Phase != "" && c.Phase != Copied }

// The parts of a copy of some tables again; see recopy.go.
const (
	Reloading CopyPhase = "reloading"
	Remerging CopyPhase = "remerging"
	Renewing  CopyPhase = "renewing"
)

// again reports whether it is a copy of some tables again.
func (c CopyState) again() bool {
	return c.Phase == Reloading || c.Phase == Remerging || c.Phase == Renewing
}

// carries reports whether what is applied comes from a Stage, while the log waits.
func (c CopyState) carries() bool { return c.Phase == Carrying || c.Phase == Renewing }

// Record is what one batch writes to the State.
type Record struct {
	Checkpoint Checkpoint
	Shapes     []*schema.Table // shapes that are new with this batch, under source names
	Dropped    []schema.Name   // tables that ended with this batch
	Notes      []Note          // each key once
	Rules      string          // canonical text of the rules behind Checkpoint.Config; kept for messages
}

// Remembered is what a State knows of a pipeline up to some sequence.
type Remembered struct {
	Checkpoint Checkpoint
	Shapes     []*schema.Table
	Rules      string
}

// State is the engine's own durable record. It belongs to one engine at a
// time and is used by one goroutine, apart from Spool.
type State interface {
	// ID returns the identity given to the directory when it was made.
	ID() string
	// Load returns what was recorded up to and including the given sequence,
	// or up to the newest where through is MaxSequence. Nil when nothing was;
	// CodeStateNeeded when it was, but is no longer kept.
	Load(through uint64) (*Remembered, error)
	// Get returns the newest recorded value of a note, nil where there is none. It
	// is safe for concurrent use, with Record too, whose notes may or may not be
	// seen then.
	Get(key []byte) ([]byte, error)
	// Scan calls fn with the notes whose key begins with prefix, in order of key, as
	// they are now recorded. Both are valid during the call.
	Scan(prefix []byte, fn func(key, value []byte) error) error
	// Record durably writes what one batch changes, tagged with the
	// checkpoint's sequence: the sequence last. It is called before the
	// target commits. A record of the same sequence is an error until
	// DiscardAfter has removed it.
	Record(r Record) error
	// DiscardAfter durably removes every version later than sequence:
	// attempts that never committed, or a past the target no longer has.
	DiscardAfter(sequence uint64) error
	// Reset durably forgets the pipeline, for a start over.
	Reset() error
	// Spool returns an empty overflow area for one transaction.
	Spool() (Spool, error)
	// Stage opens the rows of a copy that the directory has, or where fresh is set
	// none, whatever it has. CodeStateNeeded where it has none and is to. It is closed
	// before the State is.
	Stage(fresh bool) (Stage, error)
	// DropStage removes them, where there are any. The Stage is closed.
	DropStage() error
	// Close releases the directory.
	Close() error
}

// MaxSequence asks State.Load for the newest record.
const MaxSequence = ^uint64(0)

// Spool holds the changes of a transaction that is larger than memory, in
// files of the state directory. Its content does not outlive the process. It
// is used by one goroutine.
type Spool interface {
	// Append adds changes at the end.
	Append(changes []Change) error
	// Len returns the number of changes appended.
	Len() int
	// Replay calls fn with consecutive changes from the first on, in slices
	// of bounded size that are valid during the call. It may be repeated.
	Replay(fn func(changes []Change) error) error
	// Close removes the files.
	Close() error
}
