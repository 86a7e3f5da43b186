package rowferry

import (
	"cmp"
	"slices"
	"sync"
	"time"

	"github.com/rowferry/rowferry/schema"
)

// TableStats counts the committed changes of one source table.
type TableStats struct {
	Table                              schema.Name
	Inserts, Updates, Deletes, Cleared uint64
	// Filtered is how many of the inserts, updates and deletes the handler made
	// nothing of.
	Filtered uint64
	// Defaulted and LeftOut are how many rows came with a default in a value's place,
	// and with a value for which the target has no column.
	Defaulted, LeftOut uint64
}

// Rows returns how many row changes the counts add up to.
func (t *TableStats) Rows() uint64 { return t.Inserts + t.Updates + t.Deletes }

// Progress is a snapshot of a running engine.
type Progress struct {
	Transactions uint64 // committed in the target by this run
	Batches      uint64
	Rows         uint64
	Overlaps     uint64 // batches of which a part was written before an earlier one was committed
	Reruns       uint64 // batches that could not be written beside others, and were applied again
	Fallbacks    uint64 // batches that were refused compacted
	Splits       uint64 // of those, batches that were refused as they were and applied one transaction at a time
	Spilled      uint64 // transactions that went through the spool
	// MostTransactions is how many source transactions the largest batch had,
	// and LongestSpan what lay between the first and the last commit at the
	// source in the batch where that is most, as the source's log says: in
	// whole seconds on MariaDB.
	MostTransactions int
	LongestSpan      time.Duration
	// Mutations is what the committed changes came to in the target's terms,
	// Written what was left of that to write after compaction.
	Mutations, Written uint64
	// Fetched is how many rows were fetched from the source as parents of others.
	Fetched  uint64
	Tables   []TableStats
	Position Position
	Log      string
	Commit   time.Time // source commit time of the last applied transaction
	// Checkpoint is the last committed one: as Open left it, until this run
	// commits.
	Checkpoint Checkpoint
	ReadBytes  int64
	TotalBytes int64 // 0 when unknown
	QueueBytes int   // read and not yet taken by a batch
	// CaughtUp tells that a source that goes on had nothing more to read when
	// it was last heard, and that all it had is applied.
	CaughtUp bool
	// Lag is how long ago the source committed what was applied last; 0 where
	// CaughtUp, or nothing was applied yet. Clocks that differ do not make it
	// negative.
	Lag time.Duration
	// Copy is how far a copy is; its Phase is empty where there is none.
	Copy    CopyProgress
	Waiting string // what is being waited for, and why; "" when nothing is
	// Throttle is what holds the engine back.
	Throttle ThrottleState
}

// stats is shared between "apply", which adds, and whoever asks for Progress.
type stats struct {
	mu       sync.Mutex
	progress Progress
	tables   tableTally
	carry    []carryTable // whose rows are to come, or are coming
}

// Progress returns a snapshot. Safe for concurrent use while the engine is
// open.
func (e *Engine) Progress() Progress {
	e.stats.mu.Lock()
	defer e.stats.mu.Unlock()
	p := e.stats.progress
	for _, t := range e.stats.tables {
		p.Tables = append(p.Tables, *t)
	}
	slices.SortFunc(p.Tables, func(a, b TableStats) int { return cmp.Compare(a.Table.String(), b.Table.String()) })
	p.Throttle = e.throttle.State()
	e.mu.Lock()
	defer e.mu.Unlock()
	idle := false
	if e.queue != nil {
		p.QueueBytes, idle = e.queue.state()
	}
	if e.reader != nil {
		p.ReadBytes, p.TotalBytes = e.reader.Progress()
		f, goesOn := e.reader.(Follower)
		p.CaughtUp = goesOn && idle && !f.CaughtUp().IsZero()
	}
	if !p.CaughtUp && !p.Commit.IsZero() {
		p.Lag = max(0, time.Since(p.Commit))
	}
	return p
}

func (s *stats) wait(what string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.progress.Waiting = what
}

// tally counts the changes of one batch until it is committed.
type tally struct {
	tables             tableTally
	mutations, written uint64 // see Progress
	fetched            uint64
}

// tableTally is counts by source table.
type tableTally map[schema.Name]*TableStats

// of returns the counts of a table.
func (t *tableTally) of(table schema.Name) *TableStats {
	s := (*t)[table]
	if s == nil {
		s = &TableStats{Table: table}
		if *t == nil {
			*t = tableTally{}
		}
		(*t)[table] = s
	}
	return s
}

// ease counts the rows that came with defaults, or without values.
func (t *TableStats) ease(ms []Mutation) {
	for i := range ms {
		if ms[i].Defaulted {
			t.Defaulted++
		}
		if ms[i].LeftOut {
			t.LeftOut++
		}
	}
}

// add counts a change of which the handler made mutations, which came to so many.
func (t *tally) add(c *Change, made []Mutation, mutations int) {
	t.mutations += uint64(mutations)
	s := t.tables.of(c.Table.Name)
	s.ease(made)
	switch c.Op {
	case Insert:
		s.Inserts++
	case Update:
		s.Updates++
	case Delete:
		s.Deletes++
	case Truncate:
		s.Cleared++
		return
	case Shape, Drop: // a table that was only made is listed with zeros
		return
	}
	if len(made) == 0 {
		s.Filtered++
	}
}

func (s *stats) committed(b *batch, t tally, cp Checkpoint) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for name, add := range t.tables {
		sum := s.tables.of(name)
		sum.Inserts += add.Inserts
		sum.Updates += add.Updates
		sum.Deletes += add.Deletes
		sum.Cleared += add.Cleared
		sum.Filtered += add.Filtered
		sum.Defaulted += add.Defaulted
		sum.LeftOut += add.LeftOut
		s.progress.Rows += add.Rows()
	}
	if cp.Held.Copy.carries() {
		s.carried(b)
	} else {
		for _, tx := range b.txs {
			if tx.wish == nil {
				s.progress.Transactions++
			}
		}
	}
	s.progress.Batches++
	s.progress.MostTransactions = max(s.progress.MostTransactions, len(b.txs))
	s.progress.LongestSpan = max(s.progress.LongestSpan, b.duration())
	s.progress.Mutations += t.mutations
	s.progress.Written += t.written
	s.progress.Fetched += t.fetched
	s.progress.Position, s.progress.Log, s.progress.Commit = cp.Position, cp.Log, cp.Commit
	s.progress.Checkpoint = cp
	for _, tx := range b.txs {
		if tx.spool != nil {
			s.progress.Spilled++
		}
	}
}

func (s *stats) overlapped() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.progress.Overlaps++
}

func (s *stats) ranAgain() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.progress.Reruns++
}

func (s *stats) split() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.progress.Splits++
}

func (s *stats) fellBack() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.progress.Fallbacks++
}
