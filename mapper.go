package rowferry

import (
	"context"
	"errors"
	"reflect"

	"github.com/rowferry/rowferry/internal/failpoint"
	"github.com/rowferry/rowferry/schema"
)

// mapper takes a batch's changes through the handler.
type mapper struct {
	engine *Engine
	tally  tally
	shapes map[schema.Name]*schema.Table // told by this batch
	out    []Mutation
	notes  *delta     // nil where keys are the source's
	raw    []Mutation // of one change, with the source's keys
	look   bool       // see Resolver.Begin
	lacks  bool       // see leavesOut
}

func newMapper(e *Engine, b *batch) *mapper {
	w := &mapper{engine: e, shapes: map[schema.Name]*schema.Table{}, lacks: b.lacks}
	if e.parts.Resolver != nil && e.copying == nil {
		w.notes = e.notes(b)
	}
	return w
}

// run calls emit with the batch's mutations in the source's order, each time
// there are most of them, and with the rest. They are valid during the call.
func (w *mapper) run(ctx context.Context, b *batch, most int, emit func([]Mutation) error) error {
	if w.notes != nil {
		w.engine.parts.Resolver.Begin(w.look)
	}
	origins := make([]Origin, len(b.txs))
	var origin *Origin
	each := func(i int, c *Change) error {
		if err := w.handle(i, c, origin); err != nil {
			return err
		}
		if len(w.out) < most {
			return nil
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		return w.flush(emit)
	}
	for k, t := range b.txs {
		origin = &origins[k]
		*origin = Origin{Tx: t.end.ID, Log: t.end.Log, Commit: t.end.CommitTime.UnixMilli()}
		if t.wish != nil {
			if err := w.grant(*t.wish, origin); err != nil {
				return err
			}
		}
		if err := t.each(each); err != nil {
			return err
		}
	}
	if err := w.passed(b); err != nil {
		return err
	}
	return w.flush(emit)
}

// passed has rows that were fetched be as any other, once the log has passed them.
func (w *mapper) passed(b *batch) error {
	if w.notes == nil {
		return nil
	}
	w.tally.fetched = w.notes.fetched
	for source, n := range w.notes.leftOut {
		w.tally.tables.of(source).Filtered += n
	}
	if w.look || w.notes.Held().Fetched == 0 || w.engine.at.Held.Copy.carries() {
		return nil
	}
	copier, ok := w.engine.parts.Source.(Copier)
	if !ok {
		return Errorf(CodeInternal, "rows were fetched from a source that cannot be read")
	}
	return w.engine.parts.Resolver.Passed(w.notes, func(m Mark) (bool, error) {
		return copier.Passed(b.last().Position, b.last().Log, m)
	})
}

func (w *mapper) flush(emit func([]Mutation) error) error {
	if len(w.out) == 0 {
		return nil
	}
	w.sabotage()
	err := emit(w.out)
	clear(w.out)
	w.out = w.out[:0]
	return err
}

func (w *mapper) handle(i int, c *Change, origin *Origin) error {
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
	c.Commit = origin.Commit
	if err := w.told(i, c, origin); err != nil {
		return inTransaction(err, origin)
	}
	return nil
}

// inTransaction adds to what is wrong with a custom handler where it was met.
func inTransaction(err error, origin *Origin) error {
	var e *Error
	if errors.As(err, &e) && (e.Code == CodeHandlerFailed || e.Code == CodeHandlerAnswer) {
		e.Fact("transaction", "%s", origin.Tx)
	}
	return err
}

// told has the handler told of a change.
func (w *mapper) told(i int, c *Change, origin *Origin) error {
	from := len(w.out)
	if w.notes == nil && w.leavesOut(c) {
		w.tally.add(c, nil, 0)
		return nil
	}
	if w.notes != nil {
		if err := w.resolve(i, c, origin); err != nil {
			return err
		}
		w.engine.markMerges(w.out[from:])
		w.tally.add(c, w.raw, len(w.out)-from)
		return w.notes.fits()
	}
	out, err := w.engine.handler().Handle(w.out, c)
	if err != nil {
		return err
	}
	w.out = out
	if w.engine.copying != nil {
		if err := checkCopied(c, out[from:]); err != nil {
			return err
		}
	}
	for k := from; k < len(out); k++ {
		out[k].Origin, out[k].Index, out[k].Nth = origin, i, k-from
	}
	w.engine.markMerges(out[from:])
	w.tally.add(c, out[from:], len(out)-from)
	return nil
}

// leavesOut reports whether a change is not brought; see Engine.leavesOut.
func (w *mapper) leavesOut(c *Change) bool {
	return w.lacks && c.Op != Shape && c.Op != Truncate && w.engine.recopy.concerns(c.Table.Name)
}

// resolve is what comes of a change where keys are not the source's.
func (w *mapper) resolve(i int, c *Change, origin *Origin) error {
	var err error
	if w.raw, err = w.engine.parts.Handler.Handle(w.raw[:0], c); err != nil {
		return err
	}
	w.notes.change(origin.Tx, i)
	if b := w.engine.brought; b != nil && c.Op == Insert {
		b.reach(c.Table, c.After)
	}
	for k := range w.raw {
		w.raw[k].Origin, w.raw[k].Index, w.raw[k].Nth = origin, i, k
		w.raw[k].Merges, w.raw[k].Withheld = w.engine.recopy.concerns(w.raw[k].Source), w.leavesOut(c)
		if w.out, err = w.engine.parts.Resolver.Resolve(w.out, &w.raw[k], w.notes); err != nil {
			return err
		}
	}
	return nil
}

func (w *mapper) known(n schema.Name) *schema.Table {
	if t := w.shapes[n]; t != nil {
		return t
	}
	return w.engine.shapes[n]
}

func (w *mapper) shape(t *schema.Table) error {
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

// sabotage breaks a promise on purpose, in builds for `make sabotage` only.
func (w *mapper) sabotage() {
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
