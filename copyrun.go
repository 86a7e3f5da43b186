package rowferry

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"
	"time"

	"github.com/rowferry/rowferry/internal/failpoint"
	"github.com/rowferry/rowferry/schema"
)

// copying is a copy that the engine makes; see Copier for its parts.
type copying struct {
	copier Copier
	loader Loader
	shapes []Mutation // of all tables, under target names
	source Copy       // nil where nothing is to be read from the tables any more
	// handler is the pipeline's; that of a copy that is staged leaves all as it is.
	handler Handler

	// Of a copy of some tables again:
	tables  map[schema.Name]bool // which; nil where it is of all
	loaded  chan struct{}        // closed when their chunks are there
	listed  uint64               // the sequence of the last batch that was listed
	drained uint64               // and of the last one that was merged into the stage
	removed removed              // by the last batch that removed any

	seen map[schema.Name]Snapshot // by table, while merging; what counts is that of tables without a key

	mu   sync.Mutex
	mark Mark // where merging ends, as far as is known; the goroutine "read" asks
}

func (c *copying) until() Mark {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.mark
}

func (c *copying) setUntil(m Mark) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.mark = m
}

// handler is what changes go through: the pipeline's, or the copy's.
func (e *Engine) handler() Handler {
	if e.copying != nil {
		return e.copying.handler
	}
	return e.parts.Handler
}

// newCopying checks that source and target can be copied between. Where the copy is
// staged, fresh says that the stage is new.
func (e *Engine) newCopying(staged, fresh bool) (*copying, error) {
	c := &copying{handler: e.parts.Handler}
	if e.opts.Ends {
		return nil, Errorf(CodeUsage, "a copy is right when the log was followed for as far as it saw, and the log is to be followed up to a place or time").
			Remedy("copy first", "run without --until, with --once")
	}
	var err error
	if c.copier, c.loader, err = CanCopy(e.parts.Source, e.parts.Sink); err != nil {
		return nil, err
	}
	if !staged {
		return c, nil
	}
	c.handler = asIs{}
	c.loader, err = e.newStaging(fresh)
	return c, err
}

// openCopy begins a pipeline with a copy. Where the log is followed from is
// durable before the first row (C9, C10).
func (e *Engine) openCopy(ctx context.Context) error {
	c, err := e.newCopying(e.parts.Resolver != nil, true)
	if err != nil {
		return err
	}
	e.copying = c
	if err := e.lookAt(ctx, ""); err != nil {
		return err
	}
	if err := e.seeSource(ctx, c); err != nil {
		return err
	}
	if err := CheckCopyKeys(e.copying.source.Tables()); err != nil {
		return err
	}
	if err := e.tellShapes(); err != nil {
		return err
	}
	if err := e.checkStaged(); err != nil {
		return err
	}
	if err := e.checkCopyInto(ctx); err != nil {
		return err
	}
	// A copy that was given up may have left notes of what it loaded.
	if err := c.loader.ForgetChunks(ctx, e.opts.Pipeline); err != nil {
		return err
	}
	from, lineage := c.source.From()
	e.at = Checkpoint{
		Pipeline: e.opts.Pipeline, Position: from, Lineage: lineage, Start: from, Fence: 1, Sequence: 1,
		Config: e.opts.Config, StateID: e.parts.State.ID(), Updated: time.Now().UTC(), Format: CheckpointFormat,
		Held: Held{Shapes: len(e.shapes), Oldest: from, Copy: CopyState{Phase: Loading, Server: c.source.Server(), Staged: c.staged()}},
	}
	if err := e.parts.State.Record(Record{Checkpoint: e.at, Shapes: sortedShapes(e.shapes), Rules: e.opts.Rules}); err != nil {
		return err
	}
	e.resume.Detail = fmt.Sprintf("no checkpoint; copying %d tables, to be followed from %s", len(e.shapes), from)
	if err := c.loader.WriteCheckpoint(ctx, nil, e.at); err != nil {
		return err
	}
	return e.prepareLoad(ctx)
}

// checkCopyInto refuses tables of the target that hold rows already.
func (e *Engine) checkCopyInto(ctx context.Context) error {
	c := e.copying
	if e.givesKeys() {
		return nil // into tables of others as well: rows are inserted one by one, and never over any
	}
	names := make([]schema.Name, len(c.shapes))
	for i := range c.shapes {
		names[i] = e.parts.Handler.Target(c.shapes[i].Source)
	}
	occupied, err := c.loader.Occupied(ctx, names)
	if err != nil {
		return err
	}
	return CheckOccupied(occupied)
}

// openCopied goes on with a copy that another engine began.
func (e *Engine) openCopied(ctx context.Context, at Checkpoint, fresh bool) error {
	if err := e.takeOver(ctx, at); err != nil {
		return err
	}
	e.resume.Detail = fmt.Sprintf("a copy that is %s, to be followed from %s", at.Held.Copy.Phase, at.Start)
	return e.resumeCopy(ctx, fresh)
}

// resumeCopy goes on with a copy: e.at and, where the state has them, e.shapes
// are known.
func (e *Engine) resumeCopy(ctx context.Context, fresh bool) error {
	c, err := e.newCopying(e.stages(e.at.Held.Copy), fresh)
	if err != nil {
		return err
	}
	e.copying = c
	c.mark = e.at.Held.Copy.Until
	known := e.shapes
	if p := e.at.Held.Copy.Phase; p != Completing && p != Carrying || len(known) == 0 {
		if err := e.lookAt(ctx, e.at.Position); err != nil {
			return err
		}
	}
	if e.at.Held.Copy.Phase == Loading {
		if err := e.seeSource(ctx, c); err != nil {
			return err
		}
	}
	if err := e.sameLineage(); err != nil {
		return err
	}
	for name, t := range known {
		if e.at.Held.Copy.Phase != Loading {
			break // later changes are in the log
		}
		now := e.shapes[name]
		if now == nil {
			return shapeChanged(name, []string{"table dropped or renamed"})
		}
		if d := schema.Diff(t, now); len(d) > 0 {
			return shapeChanged(name, d)
		}
	}
	if len(known) > 0 {
		e.shapes = known // a table that is new is told by the log
	}
	if err := e.tellShapes(); err != nil {
		return err
	}
	if err := e.prepareLoad(ctx); err != nil || len(known) > 0 {
		return err
	}
	return e.enter(ctx, e.at.Held.Copy) // so that the state has the shapes
}

// lookAt opens the source's tables, and learns their shapes.
func (e *Engine) lookAt(ctx context.Context, from Position) error {
	source, err := e.copying.copier.Copy(ctx, from)
	if err != nil {
		return err
	}
	e.copying.source = source
	e.shapes = map[schema.Name]*schema.Table{}
	for _, t := range source.Tables() {
		e.shapes[t.Shape.Name] = t.Shape
	}
	return nil
}

// join makes tables that are new since the copy began like those that are merged.
func (e *Engine) join(ctx context.Context, ms []Mutation) error {
	if len(ms) == 0 {
		return nil
	}
	c := e.copying
	for i := range ms {
		known := slices.ContainsFunc(c.shapes, func(m Mutation) bool { return m.Source == ms[i].Source })
		if !known {
			c.shapes = append(c.shapes, ms[i])
		}
	}
	if err := c.loader.PrepareLoad(ctx, c.shapes); err != nil {
		return err
	}
	return e.key(ctx, ms)
}

// tellShapes has the handler learn the tables, and c.shapes hold them.
func (e *Engine) tellShapes() (err error) {
	e.copying.shapes = nil
	tables := sortedShapes(e.shapes)
	for _, t := range tables {
		if e.copying.shapes, err = e.copying.handler.Handle(e.copying.shapes, &Change{Op: Shape, Table: t}); err != nil {
			return err
		}
	}
	return CheckCopyShapes(e.copying.handler, tables, e.copying.shapes)
}

// copyTables carries the copy through its parts, and leaves a reader from where
// the log is followed strictly.
func (e *Engine) copyTables(ctx context.Context) error {
	if e.recopy != nil {
		return e.copyAgain(ctx)
	}
	if e.copying == nil {
		return nil
	}
	if e.at.Held.Copy.Phase == Merging { // whoever entered it may not have come to look
		if err := e.entered(ctx); err != nil {
			return err
		}
	}
	for e.at.Held.Copy.Going() {
		var err error
		next := CopyState{Phase: Copied, Server: e.at.Held.Copy.Server, Staged: e.copying.staged()}
		switch e.at.Held.Copy.Phase {
		case Loading:
			next.Phase = Merging
			next.Until, err = e.load(ctx, e.copying)
			e.copying.setUntil(next.Until)
		case Merging:
			next.Phase = Completing
			if next.Staged {
				next.Phase = Carrying
			}
			err = e.merge(ctx, e.copying)
		case Carrying:
			next.Staged = false
			err = e.carry(ctx)
		case Completing:
			next.Orphans = e.opts.Orphans.changing()
			err = e.throttled(ctx, false, func() error { return e.complete(ctx) })
		default:
			err = Errorf(CodeCheckpointNew, "the checkpoint has a copy in phase %q, which this program does not know", e.at.Held.Copy.Phase)
		}
		if err == nil {
			err = e.throttled(ctx, false, func() error {
				if err := e.enter(ctx, next); err != nil {
					return err
				}
				return e.entered(ctx)
			})
		}
		if err != nil {
			return err
		}
	}
	if err := errors.Join(e.closeCopy(), e.parts.State.DropStage()); err != nil {
		return err
	}
	e.copying = nil
	return e.read(ctx, e.again())
}

// merge applies the log up to the mark, as merges. Where the source has nothing
// more to tell and does not come there, as behind a transaction that was taken
// back, the mark is read again: a later one will do.
func (e *Engine) merge(ctx context.Context, c *copying) error {
	if err := e.insistOn(ctx, func() error { return e.recallSnapshots(ctx, c) }); err != nil {
		return err
	}
	for first := true; ; first = false {
		if !first {
			err := e.insistOn(ctx, func() error {
				mark, err := c.source.End(ctx)
				if err == nil {
					c.setUntil(mark)
				}
				return err
			})
			if err != nil {
				return err
			}
		}
		passed, err := c.copier.Passed(e.at.Position, e.at.Log, c.until())
		if err != nil || passed || failpoint.On("skip-merging") {
			return err
		}
		if err := e.mergeOnce(ctx); !errors.Is(err, io.EOF) {
			return err
		}
		if passed, err := c.copier.Passed(e.at.Position, e.at.Log, c.until()); err != nil || passed {
			return err
		}
	}
}

// mergeOnce merges until the mark, or until the source has nothing more: io.EOF.
func (e *Engine) mergeOnce(ctx context.Context) error {
	if e.reader == nil { // else Run has opened it again
		if err := e.read(ctx, e.again()); err != nil {
			return err
		}
	}
	err := e.runReader(ctx)
	for CodeOf(err) == CodeSourceAway && ctx.Err() == nil {
		if err = e.reopen(ctx, err); err == nil {
			err = e.runReader(ctx)
		}
	}
	if closeErr := e.closeReader(); closeErr != nil && errors.Is(err, io.EOF) {
		return closeErr
	}
	return err
}

// complete gives the tables what they were made without.
func (e *Engine) complete(ctx context.Context) error {
	l := e.copying.loader
	if err := e.insistOn(ctx, func() error { return l.Complete(ctx, e.copying.shapes, e.completion()) }); err != nil {
		return err
	}
	return e.insistOn(ctx, func() error { return l.ForgetChunks(ctx, e.opts.Pipeline) })
}

func (e *Engine) closeCopy() error {
	if e.part != nil {
		r := e.part.reader
		e.part = nil
		return r.Close()
	}
	if e.copying == nil {
		return nil
	}
	err := e.copying.closeStage()
	if source := e.copying.source; source != nil {
		e.copying.source = nil
		err = errors.Join(err, source.Close())
	}
	return err
}
