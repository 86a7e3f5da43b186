package rowferry

import (
	"context"
	"errors"
	"maps"
	"reflect"
	"slices"
	"time"

	"github.com/rowferry/rowferry/internal/failpoint"
	"github.com/rowferry/rowferry/schema"
)

// writeChunk is how many mutations travel to the sink in one Write.
const writeChunk = 512

// apply brings one batch into the target, compacted where the target has
// transactions. If the target, or a rule, refuses something in it, the batch is
// rolled back and applied in exactly the source's order, one statement a change;
// if that is refused too, one transaction at a time, so that everything before
// the refused one is kept and the error names it.
//
// The cases, per change: insert, update, delete and truncate go to the
// handler; a shape that is new, or equal in what a target follows, goes to
// the handler too, which makes or checks the table; a shape that differs, and
// the end of a known table, stop by name. A transaction without changes, or
// one that the log rolled back, moves the position only.
func (e *Engine) apply(ctx context.Context, b *batch) error {
	compacts := e.compactor != nil && !b.spilled()
	err := e.insist(ctx, b, compacts)
	if err == nil || !worthSplitting(err) {
		return located(err, b)
	}
	if compacts && aboutRow(err) {
		e.stats.fellBack()
		if err = e.insist(ctx, b, false); err == nil || !worthSplitting(err) {
			return located(err, b)
		}
	}
	if len(b.txs) == 1 {
		return located(err, b)
	}
	e.stats.split()
	for _, one := range b.split() {
		if err := e.insist(ctx, one, false); err != nil {
			return located(err, one)
		}
	}
	return nil
}

// insist applies the batch, again and again while what keeps it from the
// target passes by itself.
func (e *Engine) insist(ctx context.Context, b *batch, compacts bool) error {
	a := &attempt{engine: e, batch: b, compacts: compacts}
	var r retry
	for {
		err := a.run(ctx)
		if err == nil {
			return nil
		}
		if err := e.pause(ctx, &r, err); err != nil {
			return err
		}
	}
}

// worthSplitting reports whether err is about what the batch contains, so
// that a part of the batch may succeed.
func worthSplitting(err error) bool {
	var e *Error
	if !errors.As(err, &e) || errors.Is(err, context.Canceled) {
		return false
	}
	switch e.Code {
	case CodeFenced, CodeInternal, CodeTarget, CodeTargetAway, CodeTargetReadOnly, CodeTargetDenied, CodeStateCorrupt, CodeStateFull:
		return false
	default:
		return true
	}
}

// aboutRow reports whether err is the target's refusal of a change, which in
// another order, or with the changes before it, it may take.
func aboutRow(err error) bool {
	var e *Error
	return errors.As(err, &e) && e.Mutation != nil
}

// located adds to err which transactions it is about.
func located(err error, b *batch) error {
	var e *Error
	if err == nil || !errors.As(err, &e) {
		return err
	}
	first, last := b.txs[0].end, b.last()
	if len(b.txs) == 1 {
		e.Fact("transaction", "%s", last.ID)
	} else {
		e.Fact("transactions", "%s to %s", first.ID, last.ID)
	}
	e.Fact("log", "%s", last.Log)
	return err
}

// refused says why a batch could not be written: a row that is in the way or
// gone may be the work of another engine that has taken the pipeline, which is
// then the reason to give.
func (e *Engine) refused(ctx context.Context, err error) error {
	keeper, ok := e.parts.Sink.(CheckpointKeeper)
	if !ok || ctx.Err() != nil || CodeOf(err) == CodeTargetAway {
		return err
	}
	row, readErr := keeper.ReadCheckpoint(ctx, e.at.Pipeline)
	if readErr == nil && (row == nil || row.Fence != e.at.Fence || row.Sequence != e.at.Sequence) {
		return fenced(e.at, row)
	}
	return err
}

// record is what the batch's commit will say.
func (e *Engine) record(b *batch, shapes map[schema.Name]*schema.Table) Record {
	last, cp := b.last(), e.at
	cp.Sequence++
	cp.Position, cp.Lineage, cp.Log, cp.Commit = last.Position, last.Lineage, last.Log, last.CommitTime
	cp.Updated = time.Now().UTC()
	all := len(e.shapes)
	for name := range shapes {
		if e.shapes[name] == nil {
			all++
		}
	}
	cp.Held = Held{Shapes: all}
	if all > 0 {
		cp.Held.Oldest = cp.Start
	}
	return Record{Checkpoint: cp, Shapes: slices.Collect(maps.Values(shapes)), Rules: e.opts.Rules}
}

// fenced says why the target's row is not as this engine left it: the target
// lost what it had confirmed, or somebody else writes there.
func fenced(ours Checkpoint, row *Checkpoint) *Error {
	if row != nil && row.Fence == ours.Fence && row.StateID == ours.StateID && row.Sequence < ours.Sequence {
		return Errorf(CodeTargetLost, "the target lost batches of pipeline %q that it had confirmed (a crash without synchronous commits, a failover, or a restored backup)", ours.Pipeline).
			Fact("ours", "sequence %d", ours.Sequence).
			Fact("target", "sequence %d at %s, written %s", row.Sequence, row.Position, row.Updated.Format(time.RFC3339)).
			Remedy("go on", "run the same command again: it follows the target from where it is")
	}
	err := Errorf(CodeFenced, "another engine has taken pipeline %q", ours.Pipeline).
		Fact("ours", "fence %d, sequence %d", ours.Fence, ours.Sequence)
	if row == nil {
		return err.Fact("target", "no checkpoint row")
	}
	return err.Fact("target", "fence %d, sequence %d, written %s", row.Fence, row.Sequence, row.Updated.Format(time.RFC3339))
}

// writer takes a batch's changes through the handler into one SinkTx.
type writer struct {
	engine *Engine
	tx     SinkTx
	tally  tally
	shapes map[schema.Name]*schema.Table // told by this batch
	out    []Mutation
	// compacts is set where the whole batch is collected and compacted.
	compacts bool
}

func (w *writer) write(ctx context.Context, b *batch) error {
	for _, t := range b.txs {
		origin := &Origin{Tx: t.end.ID, Log: t.end.Log, Commit: t.end.CommitTime.UnixMilli()}
		err := t.each(func(i int, c *Change) error {
			if err := w.handle(i, c, origin); err != nil {
				return err
			}
			if w.compacts || len(w.out) < writeChunk {
				return nil
			}
			if err := ctx.Err(); err != nil {
				return err
			}
			return w.flush(ctx)
		})
		if err != nil {
			return err
		}
	}
	if !w.compacts {
		return w.flush(ctx)
	}
	return w.flushCompacted(ctx)
}

// flushCompacted writes what the batch comes to.
func (w *writer) flushCompacted(ctx context.Context) error {
	all := w.out
	w.out = nil
	bulk, _ := w.tx.(BulkTx)
	err := w.engine.compactor.compact(all, func(ms []Mutation, free bool) error {
		if free && bulk != nil {
			if err := bulk.WriteBulk(ctx, ms); err != nil {
				return err
			}
			w.tally.written += uint64(len(ms))
			return failpoint.Hit("apply")
		}
		w.out = append(w.out[:0], ms...)
		return w.flush(ctx)
	})
	clear(all)
	w.out = all[:0]
	return err
}

func (w *writer) handle(i int, c *Change, origin *Origin) error {
	if err := failpoint.Hit("map"); err != nil {
		return err
	}
	switch c.Op {
	case Insert, Update, Delete, Truncate:
	case Shape:
		if err := w.shape(c.Table); err != nil {
			return err
		}
	case Drop:
		if w.known(c.Table.Name) == nil {
			return nil // and checkOccupied found no rows of it in the target
		}
		return shapeChanged(c.Table.Name, []string{"table dropped or renamed"})
	default:
		return Errorf(CodeInternal, "the source emitted an operation %d", c.Op)
	}
	from := len(w.out)
	out, err := w.engine.parts.Handler.Handle(w.out, c)
	if err != nil {
		return err
	}
	w.out = out
	for k := from; k < len(out); k++ {
		out[k].Origin, out[k].Index = origin, i
	}
	w.tally.add(c, len(out)-from)
	return nil
}

func (w *writer) known(n schema.Name) *schema.Table {
	if t := w.shapes[n]; t != nil {
		return t
	}
	return w.engine.shapes[n]
}

func (w *writer) shape(t *schema.Table) error {
	old := w.known(t.Name)
	if old != nil {
		if d := schema.Diff(old, t); len(d) > 0 {
			return shapeChanged(t.Name, d)
		}
	}
	if !reflect.DeepEqual(old, t) { // told again after a resume: nothing to record
		w.shapes[t.Name] = t
	}
	return nil
}

func shapeChanged(n schema.Name, differences []string) *Error {
	err := Errorf(CodeShapeChanged, "the shape of table %s changed", n)
	for _, d := range differences {
		err.Fact("change", "%s", d)
	}
	return err.Remedy("leave it out", "take %s out of 'tables' and start a new pipeline", n).
		Remedy("go on", "start a new pipeline after the change, into a new target")
}

func (w *writer) flush(ctx context.Context) error {
	if len(w.out) == 0 {
		return nil
	}
	w.sabotage()
	if err := w.tx.Write(ctx, w.out); err != nil {
		return err
	}
	w.tally.written += uint64(len(w.out))
	clear(w.out)
	w.out = w.out[:0]
	return failpoint.Hit("apply")
}

// sabotage breaks a promise on purpose, in builds for `make sabotage` only.
func (w *writer) sabotage() {
	n := len(w.out)
	last := &w.out[n-1]
	switch {
	case failpoint.On("drop-change") && last.Op != Shape:
		w.out = w.out[:n-1]
	case failpoint.On("swap-changes") && n > 1:
		w.out[n-2], w.out[n-1] = w.out[n-1], w.out[n-2]
	case failpoint.On("null-for-absent"):
		for i := range w.out {
			for k, v := range w.out[i].After {
				if v.IsAbsent() {
					w.out[i].After[k] = NullValue()
				}
			}
		}
	}
}
