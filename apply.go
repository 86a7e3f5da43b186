package rowferry

import (
	"context"
	"errors"
	"maps"
	"slices"
	"time"
)

// writeChunk is how many mutations travel to the sink in one Write.
const writeChunk = 512

// leastHalved is how many rows a batch has at least that is cut in two before it
// is applied in the source's own order.
const leastHalved = 512

// apply brings one batch into the target, compacted where it was planned. If
// the target, or a rule, refuses something in it, the batch is rolled back and
// applied in halves, since it is mostly one transaction that has to keep its
// order; what is small or one transaction in exactly the source's order, one
// statement a change; if that is refused too, one transaction at a time, so that
// everything before the refused one is kept and the error names it.
//
// The cases, per change: insert, update, delete and truncate go to the
// handler; a shape that is new, or equal in what a target follows, goes to
// the handler too, which makes or checks the table; a shape that differs, and
// the end of a known table, stop by name. A transaction without changes, or
// one that the log rolled back, moves the position only.
func (e *Engine) apply(ctx context.Context, a *attempt) error {
	b := a.batch
	if err := e.bring(ctx, a); err != nil {
		return err
	}
	if b.notes != nil {
		b.notes.kept = e.at.Held.Notes // of its last part
	}
	b.notes.settle()
	return nil
}

// bring applies a batch, and again in parts and in other forms where it is refused.
func (e *Engine) bring(ctx context.Context, a *attempt) error {
	for {
		err := e.insist(ctx, a)
		b := a.batch
		switch {
		case err == nil:
			return nil
		case a.refused != nil:
			if b, err = e.setAside(ctx, b, a.refused); err != nil {
				return err
			}
		case !worthSplitting(err):
			return located(err, b)
		case a.plan != nil && (aboutRow(err) || a.late):
			e.stats.fellBack()
			if len(b.txs) > 1 && b.rows() >= leastHalved {
				e.opts.Log.Debug("a batch is applied in halves", "rows", b.rows(), "because", err)
				return e.bringParts(ctx, b, b.halves(), true)
			}
			e.opts.Log.Debug("a batch is applied in the source's own order", "rows", b.rows(), "because", err)
		case len(b.txs) == 1 && e.leavesOut(b, err):
			e.opts.Log.Debug("a transaction is applied without rows that are copied again", "because", err)
		case len(b.txs) == 1:
			if !e.search(ctx, a, err) {
				return located(err, b)
			}
		case e.searches(a, err): // what the commit takes need not be looked at any closer
			return e.bringParts(ctx, b, b.halves(), false)
		default:
			e.stats.split()
			return e.bringParts(ctx, b, b.split(), false)
		}
		a = newAttempt(e, b)
	}
}

// bringParts applies a batch in parts, compacted or not.
func (e *Engine) bringParts(ctx context.Context, b *batch, parts []*batch, compacted bool) error {
	if b.notes != nil {
		b.notes.apart(parts)
	}
	for _, one := range parts {
		a := newAttempt(e, one)
		if compacted {
			a = e.anew(ctx, one)
		}
		if err := e.apply(ctx, a); err != nil {
			return err
		}
	}
	return nil
}

// insist applies the batch, again and again while what keeps it from the
// target passes by itself.
func (e *Engine) insist(ctx context.Context, a *attempt) error {
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
	case CodeFenced, CodeInternal, CodeTarget, CodeTargetLost, CodeTargetAway, CodeTargetReadOnly, CodeTargetDenied, CodeStateCorrupt, CodeStateFull:
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

// refused says why a batch could not be written, or the source not be read on: a
// row that is in the way or gone, or a slot, may be the work of another engine that
// has taken the pipeline, which is then the reason to give.
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
func (e *Engine) record(a *attempt) Record {
	last, cp, shapes := a.batch.last(), e.at, a.shapes
	cp.Sequence++
	if cp.Held.Copy.carries() { // from the stage, while the log waits
		cp.Held.Copy.Carried = string(last.Position)
	} else {
		cp.Position, cp.Lineage, cp.Log, cp.Commit = last.Position, last.Lineage, last.Log, last.CommitTime
	}
	cp.Updated = time.Now().UTC()
	all := len(e.shapes)
	for name := range shapes {
		if e.shapes[name] == nil {
			all++
		}
	}
	cp.Held = Held{Shapes: all, Copy: cp.Held.Copy, Notes: cp.Held.Notes, Fence: cp.Fence}
	if a.notes != nil {
		cp.Held.Notes = a.notes.kept
	}
	for _, c := range []*copying{e.copying, e.recopy} {
		if c != nil {
			cp.Held.Copy.Until = c.until()
		}
	}
	if all > 0 {
		cp.Held.Oldest = cp.Start
	}
	return Record{Checkpoint: cp, Shapes: slices.Collect(maps.Values(shapes)), Notes: a.notes.list(), Rules: e.opts.Rules}
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
