package rowferry

import (
	"context"
	"math"
	"slices"
)

// part is a run of mutations for a sink.
type part struct {
	ms   []Mutation
	free bool // see BulkTx
}

// plan is what a batch comes to, compacted, in the order to write it.
type plan struct {
	parts []part
	print footprint
}

// planned returns an attempt that writes the batch compacted. ErrKeysShort also where
// keys will probably be short: the batch is then resolved once, and not twice.
func (e *Engine) planned(ctx context.Context, b *batch) (*attempt, error) {
	if r := e.parts.Resolver; r != nil && r.Short() {
		return nil, ErrKeysShort
	}
	w := newMapper(e, b)
	w.out = e.scratch[:0]
	p := &plan{}
	err := w.run(context.WithoutCancel(ctx), b, math.MaxInt, func(ms []Mutation) error {
		p = e.compactor.plan(ms)
		return nil
	})
	e.scratch = w.out[:0]
	if err != nil {
		return nil, err
	}
	for _, part := range p.parts {
		w.tally.written += uint64(len(part.ms))
	}
	a := newAttempt(e, b)
	a.plan, a.tally, a.shapes, a.notes = p, w.tally, w.shapes, w.notes
	return a, nil
}

// anew plans a batch that was planned already.
func (e *Engine) anew(ctx context.Context, b *batch) *attempt {
	a, err := e.planned(ctx, b)
	if err != nil { // what is wrong is met again in its place
		return newAttempt(e, b)
	}
	return a
}

// plan compacts mutations.
func (c *compactor) plan(ms []Mutation) *plan {
	p := &plan{}
	c.learned = false
	c.compact(ms, func(ms []Mutation, free bool) { p.parts = append(p.parts, part{slices.Clone(ms), free}) })
	p.print = c.footprint(p.parts)
	return p
}
