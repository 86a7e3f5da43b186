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

// planned returns an attempt that writes the batch compacted.
func (e *Engine) planned(ctx context.Context, b *batch) (*attempt, error) {
	w := newMapper(e)
	w.out = e.scratch[:0]
	p := &plan{}
	c := e.compactor
	c.learned = false
	err := w.run(context.WithoutCancel(ctx), b, math.MaxInt, func(ms []Mutation) error {
		return c.compact(ms, func(ms []Mutation, free bool) error {
			p.parts = append(p.parts, part{slices.Clone(ms), free})
			w.tally.written += uint64(len(ms))
			return nil
		})
	})
	e.scratch = w.out[:0]
	if err != nil {
		return nil, err
	}
	p.print = c.footprint(p.parts)
	a := newAttempt(e, b)
	a.plan, a.tally, a.shapes = p, w.tally, w.shapes
	return a, nil
}
