package rowferry

import (
	"context"
	"errors"
	"reflect"
	"time"

	"github.com/rowferry/rowferry/schema"
)

// prepare has the tables made that are new with the batch, where the target
// cannot make them inside a transaction. A shape that changed is left to the
// writer, which stops there by name.
func (e *Engine) prepare(ctx context.Context, b *batch) error {
	if _, ok := e.parts.Sink.(Preparer); !ok && e.copying == nil {
		return nil
	}
	ms, err := e.newShapes(b)
	if err != nil {
		return err
	}
	return e.prepareShapes(ctx, ms)
}

// newShapes returns the shapes of the tables that are new with the batch.
func (e *Engine) newShapes(b *batch) (ms []Mutation, err error) {
	told := map[schema.Name]*schema.Table{}
	for _, t := range b.txs {
		for _, s := range t.shapes {
			known := told[s.Name]
			if known == nil {
				known = e.shapes[s.Name]
			}
			if reflect.DeepEqual(known, s) || known != nil && len(schema.Diff(known, s)) > 0 {
				continue
			}
			told[s.Name] = s
			if ms, err = e.handler().Handle(ms, &Change{Op: Shape, Table: s}); err != nil {
				return nil, err
			}
		}
	}
	return ms, nil
}

func (e *Engine) prepareShapes(ctx context.Context, ms []Mutation) error {
	if e.copying != nil {
		return e.join(ctx, ms)
	}
	p, ok := e.parts.Sink.(Preparer)
	if !ok || len(ms) == 0 {
		return nil
	}
	return p.Prepare(ctx, ms)
}

// reserve has more keys set aside, and rows looked up and fetched, for a batch that
// lacks them, which its tables have to be there for. Nothing else is under way.
func (e *Engine) reserve(ctx context.Context, b *batch) error {
	if err := e.makeTables(ctx, b); err != nil {
		return err
	}
	if b.notes != nil && len(b.notes.fetches.asked) > 0 { // else it was not resolved yet
		return e.fetchAll(ctx, b) // other things may be short still, which is met again
	}
	if e.parts.Resolver.Looks() {
		if err := e.lookThrough(ctx, b); err != nil {
			return err
		}
	}
	return e.parts.Resolver.Reserve(ctx)
}

// lookThrough resolves a batch for what it asks alone.
func (e *Engine) lookThrough(ctx context.Context, b *batch) error {
	w := newMapper(e, b)
	w.look = true
	// What is wrong with a change is met again in its place.
	if err := w.run(ctx, b, writeChunk, func([]Mutation) error { return nil }); ctx.Err() != nil {
		return errors.Join(ctx.Err(), err)
	}
	return nil
}

// makeTables makes the tables that are new with the batch, before it. Where the target
// makes them inside a transaction, that is one of its own which moves nothing: a
// table of a batch that never comes is empty, and is found again.
func (e *Engine) makeTables(ctx context.Context, b *batch) error {
	ms, err := e.newShapes(b)
	if err != nil {
		return err
	}
	return e.makeShapes(ctx, ms)
}

func (e *Engine) makeShapes(ctx context.Context, ms []Mutation) error {
	if len(ms) == 0 || reflect.DeepEqual(ms, e.made) {
		return nil
	}
	if p, ok := e.parts.Sink.(Preparer); ok {
		return p.Prepare(ctx, ms)
	}
	now := e.at
	now.Sequence++
	now.Updated = time.Now().UTC()
	tx, err := e.parts.Sink.Begin(ctx)
	if err != nil {
		return err
	}
	if err := tx.Write(ctx, ms); err != nil {
		return errors.Join(err, tx.Rollback())
	}
	if err := e.parts.State.Record(Record{Checkpoint: now, Rules: e.opts.Rules}); err != nil {
		return errors.Join(err, tx.Rollback(), e.parts.State.DiscardAfter(e.at.Sequence))
	}
	a := &attempt{engine: e, record: Record{Checkpoint: now}}
	if a.sent = tx.Commit(ctx, now); a.sent != nil {
		a.sent = errors.Join(a.sent, tx.Rollback())
		if err := a.settle(ctx); err != nil {
			return err
		}
	}
	e.at, e.made = now, ms
	return nil
}
