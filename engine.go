package rowferry

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/rowferry/rowferry/schema"
)

// The defaults of Options.
const (
	DefaultBatchTxs   = 1000
	DefaultBatchRows  = 20_000
	DefaultBatchBytes = 8 << 20
	DefaultSpillBytes = 24 << 20
	DefaultLanes      = 2
	// DefaultCopyWorkers keeps two cores busy while some wait.
	DefaultCopyWorkers = 4

	DefaultLongestPause = 10 * time.Second
)

// Options tune an Engine. Zero values mean the defaults.
type Options struct {
	// Pipeline names the checkpoint. Required.
	Pipeline string
	// Config is the semantic hash of the rules, Rules their canonical text.
	Config, Rules string
	// Accept goes on under other rules than those that rows were applied with, and
	// leaves these rows as they are. SameKeys reports whether two texts of rules give
	// rows the same keys: where they do not, no one can go on. Nil: they do.
	Accept   bool
	SameKeys func(a, b string) bool
	// FromGiven tells that the user asked the source for a particular start,
	// which is an error where a checkpoint says otherwise.
	FromGiven bool
	// BatchTxs, BatchRows and BatchBytes bound how many source transactions,
	// changes and bytes of changes commit together. A single transaction may
	// exceed the last two. Together they cover less than a second of the source.
	BatchTxs, BatchRows, BatchBytes int
	// SpillBytes is how much of one transaction is held in memory before the
	// rest of it goes to the state's spool.
	SpillBytes int
	// Copy has a pipeline without a checkpoint begin with a copy of the tables.
	Copy bool
	// Recopy, where it is not nil, has some tables of a pipeline with a checkpoint copied
	// again, and takes rules that are others for these alone.
	Recopy *Recopy
	// Part, where it is not nil, is which rows are copied, without the log being
	// followed. A pipeline that begins so ends so.
	Part *Part
	// Ends tells that the source ends before its log does: no copy can be made.
	Ends bool
	// CopyWorkers is how many chunks are loaded at the same time, each on a
	// connection to the source and one to the target.
	CopyWorkers int
	// ChunkRows is how many rows a chunk of a copy has. Zero: as many as can be
	// copied in about a second.
	ChunkRows int
	// Orphans is what a copy does with rows of which a foreign key has no parent.
	Orphans OrphanPolicy
	// Lanes is how many batches are written at the same time, each on a
	// connection of its own, where the target can; they commit one after the
	// other.
	Lanes int
	// Patience is how long a source or target that is away, busy, read-only or
	// full is waited for before its error ends the run. Zero: not at all, apart
	// from a few tries for locks of other sessions. LongestPause bounds the
	// jittered pauses between two tries.
	Patience, LongestPause time.Duration
	// Wishes are granted before anything else; Granted is told what came of it.
	Wishes  []Wish
	Granted func(error)
	// Throttle holds the engine back. Nil: nothing does.
	Throttle *Throttle
	// Log receives notices. Errors are returned, never logged.
	Log *slog.Logger
}

// Parts are what an Engine connects. The engine uses them but does not close
// them.
type Parts struct {
	Source  Source
	Handler Handler
	Sink    Sink
	State   State
	// Resolver gives mutations the keys of the target. Nil where they are the
	// source's.
	Resolver Resolver
}

// Engine runs one pipeline. Its goroutines: the caller of Run is "apply",
// which owns sink and state; "read" owns the reader, each "lane" a batch while
// it is being written, "ack" tells the source what is durable, "gauge" asks
// the servers how hard they work, and "reload" loads tables that are copied
// again. They end before Run returns.
type Engine struct {
	parts  Parts
	opts   Options
	hint   hints
	at     Checkpoint // as committed
	resume Resume
	shapes map[schema.Name]*schema.Table // as committed, under source names
	// rebuilding is set until a rebuilt state directory has its first record.
	rebuilding bool
	compactor  *compactor // nil where each change counts
	scratch    []Mutation // of planned
	newest     *delta     // of the batch that was resolved last
	made       []Mutation // the tables that were made before their batch last
	stats      stats
	copying    *copying // nil where there is no copy to make
	brought    *brought // nil but while rows are carried under the source's keys
	fetching   RowCopy  // what rows are fetched from; nil before the first
	recopy     *copying // of some tables again, beside what is followed; nil where there is none
	part       *parting // nil where all rows are copied
	acks       *acks    // of the reader that runs; nil until one does
	throttle   *Throttle
	aside      int // refused rows that were put aside
	wishes     wishes

	mu        sync.Mutex // guards reader and queue for Progress
	reader    Reader     // nil while a lost source is waited for
	queue     *queue
	notices   []string // of readers that are closed
	lost      retry    // of the source
	lostAt    Position
	readSince time.Time
}

// Open finds where the pipeline is, by the rules of reconcile, takes the
// pipeline over by raising its fence, and positions the source. Nothing is
// applied yet.
func Open(ctx context.Context, parts Parts, opts Options) (*Engine, error) {
	opts.setDefaults()
	e := &Engine{parts: parts, opts: opts, shapes: map[schema.Name]*schema.Table{}, throttle: opts.Throttle}
	if _, ok := parts.Sink.(CheckpointKeeper); ok {
		e.compactor = newCompactor()
	}
	if err := e.open(ctx); err != nil {
		return nil, errors.Join(err, e.closeReader(), e.closeCopy(), e.closeRecopy())
	}
	if len(opts.Wishes) > 0 && parts.Resolver != nil {
		e.wishes.add(opts.Wishes, opts.Granted)
	}
	e.stats.progress.Checkpoint = e.at
	e.stats.progress.Copy.Phase = e.at.Held.Copy.Phase
	return e, nil
}

func (o *Options) setDefaults() {
	for _, d := range []struct {
		field *int
		value int
	}{
		{&o.BatchTxs, DefaultBatchTxs}, {&o.BatchRows, DefaultBatchRows},
		{&o.BatchBytes, DefaultBatchBytes}, {&o.SpillBytes, DefaultSpillBytes},
		{&o.Lanes, DefaultLanes}, {&o.CopyWorkers, DefaultCopyWorkers},
	} {
		if *d.field <= 0 {
			*d.field = d.value
		}
	}
	if o.LongestPause <= 0 {
		o.LongestPause = DefaultLongestPause
	}
	if o.Throttle == nil {
		o.Throttle = NewThrottle(Limits{})
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
}

// Run applies until the source's log ends (nil), ctx is cancelled
// (CodeInterrupted, after the batch in hand is committed or rolled back), or
// something stops the pipeline by name. What passes by itself is waited for as
// long as Options.Patience says: a target with the batch in hand, a source by
// opening it again where the target is. Run is called once.
func (e *Engine) Run(ctx context.Context) error {
	defer e.watch(ctx)()
	defer e.wishes.end()
	if e.part != nil {
		err := e.copyPart(ctx)
		if err != nil && ctx.Err() != nil {
			return Errorf(CodeInterrupted, "the partial copy was interrupted, and cannot be gone on with").
				Remedy("start over", "rowferry destroy, empty or drop the tables, then run again")
		}
		return err
	}
	for {
		err := e.copyTables(ctx)
		if err == nil {
			err = e.runReader(ctx)
		}
		if CodeOf(err) == CodeSourceAway && ctx.Err() == nil {
			if err = e.reopen(ctx, err); err == nil {
				continue
			}
		}
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case errors.Is(err, context.Canceled) && ctx.Err() != nil:
			return e.interrupted()
		default:
			return e.explainOrphans(err)
		}
	}
}

// runReader applies what the reader returns until it, or something else, ends.
func (e *Engine) runReader(ctx context.Context) error {
	readCtx, cancel := context.WithCancel(ctx)
	defer cancel()
	q := newQueue(2 * e.opts.BatchBytes)
	e.mu.Lock()
	e.queue = q
	e.mu.Unlock()
	defer context.AfterFunc(readCtx, q.stop)()
	var wg sync.WaitGroup
	reader, end := e.ending(readCtx)
	defer end(nil)
	wg.Go(func() { // the goroutine "read"
		collect(readCtx, reader, e.parts.State, e.opts.SpillBytes, q)
	})
	e.acks = newAcks(e.reader, e.parts.Sink)
	wg.Go(func() { e.acks.run(ctx) }) // the goroutine "ack"
	e.acks.committed(e.at.Position)
	err := newLanes(e, q).run(ctx)
	e.acks.end()
	cancel()
	q.stop()
	wg.Wait()
	if closeErr := q.rest().close(); closeErr != nil && errors.Is(err, io.EOF) {
		err = closeErr
	}
	return err
}

func (e *Engine) interrupted() error {
	return Errorf(CodeInterrupted, "interrupted; everything up to %s is applied", e.at.Position).
		Remedy("go on", "run the same command again")
}

// Close releases the reader. It is called after Run has returned, or instead
// of Run.
func (e *Engine) Close() error {
	if err := errors.Join(e.closeReader(), e.closeCopy(), e.closeRecopy(), e.closeFetching()); err != nil {
		return fmt.Errorf("close the source: %w", err)
	}
	return nil
}

func (e *Engine) closeReader() error {
	e.mu.Lock()
	r := e.reader
	e.reader = nil
	e.mu.Unlock()
	if r == nil {
		return nil
	}
	for _, n := range r.Notices() {
		if !slices.Contains(e.notices, n) {
			e.notices = append(e.notices, n)
		}
	}
	return r.Close()
}

// Checkpoint returns the last committed checkpoint. Not safe while Run runs.
func (e *Engine) Checkpoint() Checkpoint { return e.at }

// Resume says how Open found the pipeline.
func (e *Engine) Resume() Resume { return e.resume }

// Notices returns what the operator should know, after Run.
func (e *Engine) Notices() []string {
	all := slices.Clone(e.notices)
	if e.reader != nil {
		all = append(all, e.reader.Notices()...)
	}
	return all
}
