package cli

import (
	"context"
	"errors"
	"fmt"

	"github.com/rowferry/rowferry"
	"github.com/rowferry/rowferry/checkpoint"
	"github.com/rowferry/rowferry/mapping"
)

// logRemoved is how many rows of a table are removed between two log records.
const logRemoved = 100_000

// findRows finds the rows that the pipeline brought, as of the checkpoint in the
// target.
func (d *doomed) findRows(ctx context.Context, sv survey) error {
	at := sv.peeked.checkpoint
	switch {
	case sv.peeked.holder != "", sv.peeked.other != "":
		return nil // which is refused by whoever takes the directory
	case sv.decides == nil:
		return nil // nobody knows the pipeline
	case !sv.keeps:
		return rowferry.Errorf(rowferry.CodeRowsUntold, "this target keeps no rows that could be removed").Remedy("leave out", "--rows")
	case d.row == nil && at.Held.Removing && at.Held.Notes.Mapped == 0:
		return nil // a removal was cut off after the last row
	case d.row == nil, at == nil, at.StateID != d.row.StateID, at.Sequence < d.row.Sequence:
		return rowferry.Errorf(rowferry.CodeRowsUntold, "%s, so that it cannot be told which rows of pipeline %q are in the target", sv.agreement(), d.s.name)
	}
	err := d.s.readNotes(ctx, func(r *mapping.Reader) error {
		owned, err := r.Owned(ctx)
		for _, o := range owned {
			d.things = append(d.things, destroyView{Kind: "rows", Name: o.Table.Name.String(), What: fmt.Sprintf("%s of %s", plural(uint64(o.Rows), "row", "rows"), o.Source), Rows: o.Rows})
		}
		return err
	})
	if rowferry.CodeOf(err) == rowferry.CodeNoKeys {
		return rowferry.Errorf(rowferry.CodeNotOwned, "every key of pipeline %q is the source's, and nothing is noted of its rows", d.s.name)
	}
	return err
}

// removeRows removes the rows. Another engine may take the state directory between
// two locks of it, and finds that rows are being removed.
func (d *doomed) removeRows(ctx context.Context) (err error) {
	if d.state != nil {
		d.state.Release()
		d.state = nil
	}
	rules, err := d.s.facing(ctx, d.in, untold)
	if err != nil {
		return err
	}
	state, err := d.s.openState(ctx)
	if err != nil {
		return err
	}
	into := *d.s
	into.create = false
	sink, err := into.openSink(ctx, d.in, func(string) {})
	if err != nil {
		return errors.Join(err, state.Close())
	}
	at, err := rowferry.Remove(ctx, rowferry.Removal{
		Pipeline: d.s.name, Config: rules.Hash(), Rules: rules.Canonical(), Sink: sink, State: state, Each: d.removed,
		Owner: func(at *rowferry.Remembered) (rowferry.Owner, error) {
			return mapping.NewReader(rules, at.Shapes, at.Checkpoint.Held.Copy.Began(), state)
		},
	})
	if err != nil && ctx.Err() != nil {
		err = rowferry.Errorf(rowferry.CodeInterrupted, "interrupted before every row was removed")
	}
	if err = errors.Join(err, sink.Close(), state.Close()); err != nil {
		return err
	}
	d.row = &at
	d.state, err = checkpoint.Seize(ctx, checkpoint.Options{Dir: d.s.state, Pipeline: d.s.name})
	return err
}

// removed tells how many rows of a table are gone.
func (d *doomed) removed(o *rowferry.Owned, gone int64) {
	switch {
	case d.in.quiet:
	case gone >= o.Rows:
		d.in.screen.draw()
		d.in.say("removed", fmt.Sprintf("%s of %s", plural(uint64(gone), "row", "rows"), o.Table.Name))
	case d.in.errTerminal:
		d.in.screen.draw(clean(fmt.Sprintf("removing  %s of %d of %s", plural(uint64(gone), "row", "rows"), o.Rows, o.Table.Name)))
	case gone%logRemoved == 0:
		d.in.log.Info("removing rows", "table", o.Table.Name.String(), "gone", gone, "of", o.Rows)
	}
}
