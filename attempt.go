package rowferry

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/rowferry/rowferry/internal/failpoint"
	"github.com/rowferry/rowferry/schema"
)

// attempt brings one batch into the target in one target transaction. It may
// be run again after an error, until it returns nil.
type attempt struct {
	engine *Engine
	batch  *batch
	plan   *plan // nil where each change is written as it comes
	tally  tally
	shapes map[schema.Name]*schema.Table // told by this batch
	notes  *delta                        // and what it changes in them; nil where it changes none
	record Record
	// recorded brings what became of recording it, where that was begun.
	recorded chan error
	// sent is set while a COMMIT may have reached the target whose answer did
	// not come back, and why it did not.
	sent error
	// refused is the refusal of a row that is to be put aside, of the last run.
	refused *Error
	// late tells that the error of the last run was the commit's.
	late bool
	// stale tells that it was planned before an earlier batch put rows aside.
	stale bool
}

// newAttempt returns one that writes the batch in the source's own order.
func newAttempt(e *Engine, b *batch) *attempt { return &attempt{engine: e, batch: b} }

// run applies the batch. A small batch is finished even if ctx is cancelled;
// one that streams from a spool is rolled back, since it may take minutes.
func (a *attempt) run(ctx context.Context) error {
	if !a.batch.spilled() {
		ctx = context.WithoutCancel(ctx)
	}
	if a.sent != nil {
		err := a.settle(ctx)
		if err == nil {
			return a.done()
		}
		if a.sent != nil || !CodeOf(err).Transient() {
			return err
		}
	}
	e := a.engine
	a.refused, a.late = nil, false
	if err := e.checkOccupied(ctx, a.batch); err != nil {
		return err
	}
	if err := e.prepare(ctx, a.batch); err != nil {
		return err
	}
	tx, err := e.parts.Sink.Begin(ctx)
	if err != nil {
		return err
	}
	a.recordNow()
	if err := a.write(ctx, tx); err != nil {
		err = errors.Join(err, tx.Rollback(), a.unrecord())
		if errors.Is(err, ErrKeysShort) {
			if err := e.reserve(ctx, a.batch); err != nil {
				return err
			}
			return a.run(ctx)
		}
		err = e.refused(ctx, err)
		a.refused = a.refusal(err)
		return err
	}
	if err := a.commit(ctx, tx); err != nil {
		a.late = true
		return err
	}
	return a.done()
}

// write writes the whole batch.
func (a *attempt) write(ctx context.Context, tx SinkTx) error {
	if a.plan != nil {
		return put(ctx, tx, a.plan.parts, a.sealed())
	}
	if a.engine.copying != nil {
		return a.merge(ctx, tx)
	}
	w := newMapper(a.engine, a.batch)
	err := w.run(ctx, a.batch, writeChunk, func(ms []Mutation) error {
		w.tally.written += uint64(len(ms))
		inOrder(ms)
		return put(ctx, tx, []part{{ms: ms}}, nil)
	})
	a.tally, a.shapes, a.notes = w.tally, w.shapes, w.notes
	return err
}

// merge writes the whole batch as merges.
func (a *attempt) merge(ctx context.Context, tx SinkTx) error {
	merges, ok := tx.(MergeTx)
	if s, staged := a.engine.copying.loader.(*staging); staged {
		merges, ok = stageTx{tx, s.stage}, true
	}
	if !ok {
		return Errorf(CodeInternal, "a target that can be copied into cannot be merged into")
	}
	w := newMapper(a.engine, a.batch)
	m := newMerger(a.engine, a.engine.copying, merges, w.shapes)
	err := w.run(ctx, a.batch, mergeChunk, func(ms []Mutation) error {
		w.tally.written += uint64(len(ms))
		if err := m.write(ctx, ms); err != nil {
			return err
		}
		return failpoint.Hit("apply")
	})
	a.tally, a.shapes, a.notes = w.tally, w.shapes, w.notes
	return err
}

// put writes parts of a plan, and behind them the checkpoint where it is given and
// the sink writes it so. To a sink without a bulk form the parts are all one.
func put(ctx context.Context, tx SinkTx, parts []part, cp *Checkpoint) error {
	bulk, ok := tx.(BulkTx)
	if !ok && len(parts) > 1 {
		var all []Mutation
		for _, p := range parts {
			all = append(all, p.ms...)
		}
		parts = []part{{ms: all}}
	}
	last, lasts := tx.(LastTx)
	lasts = lasts && cp != nil
	revive, revives := tx.(ReviveTx)
	for i, p := range parts {
		write, most := tx.Write, writeChunk
		if merges(p.ms) {
			if err := putMerges(ctx, tx, p); err != nil {
				return err
			}
			continue
		}
		if revives && slices.ContainsFunc(p.ms, func(m Mutation) bool { return m.revives() }) {
			if ok && p.free {
				var err error
				if p.ms, err = revived(ctx, revive, p.ms); err != nil {
					return err
				}
			} else {
				write = func(ctx context.Context, ms []Mutation) error { return writeReviving(ctx, revive, ms) }
			}
		}
		if ok && p.free {
			write, most = bulk.WriteBulk, len(p.ms)
		}
		if ok && p.free && lasts && i == len(parts)-1 {
			write = func(ctx context.Context, ms []Mutation) error { return last.WriteLast(ctx, ms, *cp) }
			lasts = false // the checkpoint goes with them
		}
		for ms := range slices.Chunk(p.ms, max(1, most)) {
			if err := write(ctx, ms); err != nil {
				return err
			}
			if err := failpoint.Hit("apply"); err != nil {
				return err
			}
		}
	}
	if lasts {
		return last.WriteLast(ctx, nil, *cp)
	}
	return nil
}

// done counts the committed batch.
func (a *attempt) done() error {
	e := a.engine
	e.at, e.rebuilding = a.record.Checkpoint, false
	a.notes.settle()
	maps.Copy(e.shapes, a.shapes)
	e.stats.committed(a.batch, a.tally, e.at)
	e.acks.committed(e.at.Position)
	return failpoint.Hit("confirm")
}

// commit makes the batch durable. Where the target keeps the checkpoint the
// state goes first and the target decides; else the target goes first and the
// state decides, which may repeat the batch after a crash but never loses it.
func (a *attempt) commit(ctx context.Context, tx SinkTx) error {
	e, r := a.engine, &a.record
	if err := e.listed(a.batch); err != nil {
		return errors.Join(err, tx.Rollback(), a.unrecord())
	}
	if _, ok := e.parts.Sink.(CheckpointKeeper); !ok {
		*r = e.record(a)
		if err := tx.Commit(ctx, r.Checkpoint); err != nil {
			return errors.Join(err, tx.Rollback())
		}
		r.Checkpoint.Extent = e.extent()
		return e.parts.State.Record(*r)
	}
	if a.recorded == nil {
		*r = e.record(a)
		a.recorded = make(chan error, 1)
		a.recorded <- e.parts.State.Record(*r)
	}
	err := <-a.recorded
	a.recorded = nil
	if err != nil {
		return errors.Join(err, tx.Rollback(), e.parts.State.DiscardAfter(e.at.Sequence))
	}
	if err := failpoint.Hit("recorded"); err != nil {
		return errors.Join(err, tx.Rollback(), e.parts.State.DiscardAfter(e.at.Sequence))
	}
	if err = tx.Commit(ctx, r.Checkpoint); err == nil {
		return nil
	}
	a.sent = errors.Join(err, tx.Rollback())
	if failpoint.On("retry-blindly") {
		defer func() { a.sent = nil }()
		return errors.Join(a.sent, e.parts.State.DiscardAfter(e.at.Sequence))
	}
	return a.settle(ctx)
}

// recordNow has the state note the batch while it is being written, where what it
// will note is known, and nothing else is under way.
func (a *attempt) recordNow() {
	e := a.engine
	if _, ok := e.parts.Sink.(CheckpointKeeper); !ok || a.plan == nil {
		return
	}
	a.record = e.record(a)
	a.recorded = make(chan error, 1)
	go func() { a.recorded <- e.parts.State.Record(a.record) }() // a "record"
}

// sealed returns the checkpoint that the batch will be committed with, where it
// is known before it is written.
func (a *attempt) sealed() *Checkpoint {
	if a.recorded == nil {
		return nil
	}
	return &a.record.Checkpoint
}

// unrecord has the state forget what recordNow noted.
func (a *attempt) unrecord() error {
	if a.recorded == nil {
		return nil
	}
	err := <-a.recorded
	a.recorded = nil
	return errors.Join(err, a.engine.parts.State.DiscardAfter(a.engine.at.Sequence))
}

// settle finds out what became of a commit that returned an error, by reading
// the checkpoint row: never by trying again. It returns nil where the batch is
// committed, and clears sent once it knows.
func (a *attempt) settle(ctx context.Context) error {
	e, cp, commitErr := a.engine, a.record.Checkpoint, a.sent
	keeper, ok := e.parts.Sink.(CheckpointKeeper)
	if !ok {
		return Errorf(CodeInternal, "a target without checkpoint was asked what became of a commit")
	}
	row, err := keeper.ReadCheckpoint(ctx, cp.Pipeline)
	if err != nil {
		return errors.Join(commitErr, fmt.Errorf("whether the batch was committed is not known; the next start reads it: %w", err))
	}
	a.sent = nil
	switch {
	case row != nil && row.Fence == cp.Fence && row.Sequence == cp.Sequence && row.StateID == cp.StateID:
		return nil
	case row != nil && row.Fence == cp.Fence && row.Sequence == e.at.Sequence:
		return errors.Join(commitErr, e.parts.State.DiscardAfter(e.at.Sequence))
	}
	if err := fenced(cp, row); err.Code != CodeFenced || CodeOf(commitErr) != CodeFenced {
		return errors.Join(err, commitErr)
	}
	return commitErr
}

// sortedShapes returns the shapes in the order of their names.
func sortedShapes(shapes map[schema.Name]*schema.Table) []*schema.Table {
	return slices.SortedFunc(maps.Values(shapes), func(a, b *schema.Table) int { return strings.Compare(a.Name.String(), b.Name.String()) })
}
