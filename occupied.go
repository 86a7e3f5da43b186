package rowferry

import (
	"context"
	"slices"

	"github.com/rowferry/rowferry/schema"
)

// checkOccupied refuses, before the batch begins, what tables of the target
// that hold rows already forbid.
func (e *Engine) checkOccupied(ctx context.Context, b *batch) error {
	keeper, ok := e.parts.Sink.(CheckpointKeeper)
	if !ok {
		return nil
	}
	if err := e.checkDropped(ctx, keeper, b); err != nil {
		return err
	}
	return e.checkKeyless(ctx, keeper, b)
}

// checkDropped refuses the end of a table that is not the pipeline's but whose
// rows the target has: they would stay. One that is gone or empty there was
// gone before the pipeline began.
func (e *Engine) checkDropped(ctx context.Context, keeper CheckpointKeeper, b *batch) error {
	var names []schema.Name
	for _, t := range b.txs {
		for _, n := range t.dropped {
			if e.shapes[n] == nil {
				names = append(names, e.parts.Handler.Target(n))
			}
		}
	}
	occupied, err := occupiedOf(ctx, keeper, names)
	if err != nil || len(occupied) == 0 {
		return err
	}
	return shapeChanged(occupied[0], []string{"table dropped or renamed, and the target has rows of it"})
}

// checkKeyless refuses a table without a key that is new to the pipeline and
// already holds rows in the target: they could not be told from the
// pipeline's own, and each would be there twice. Rows of a keyed table are met
// by their key. While a lost state directory is being rebuilt the tables that
// were known before cannot be told from new ones.
func (e *Engine) checkKeyless(ctx context.Context, keeper CheckpointKeeper, b *batch) error {
	if e.rebuilding {
		return nil
	}
	var fresh []*schema.Table
	for _, t := range b.txs {
		for _, s := range t.shapes {
			if e.shapes[s.Name] == nil && !slices.ContainsFunc(fresh, func(t *schema.Table) bool { return t.Name == s.Name }) {
				fresh = append(fresh, s)
			}
		}
	}
	targets, err := e.declared(fresh)
	if err != nil {
		return err
	}
	keyless := slices.DeleteFunc(targets, func(t *schema.Table) bool { return t.Identity() != nil })
	occupied, err := occupiedOf(ctx, keeper, namesOf(keyless))
	if err != nil || len(occupied) == 0 {
		return err
	}
	return Errorf(CodeTargetOccupied, "a table without a key already holds rows, which could not be told from replicated ones").
		Fact("tables", "%v", occupied).
		Remedy("begin", "empty the tables, or take them out of 'tables', and run the same command again")
}

func occupiedOf(ctx context.Context, keeper CheckpointKeeper, names []schema.Name) ([]schema.Name, error) {
	if len(names) == 0 {
		return nil, nil
	}
	return keeper.Occupied(ctx, names)
}

// adopt ties an Appender's target to what the state recorded of it. It may cut
// the file, so it comes after everything that could refuse the start.
func (e *Engine) adopt(ctx context.Context, recorded string) error {
	if a, ok := e.parts.Sink.(Appender); ok {
		return a.Adopt(ctx, recorded)
	}
	return nil
}

// readopt is adopt for a pipeline that has applied something already.
func (e *Engine) readopt(ctx context.Context, at Checkpoint) error {
	if now := e.extent(); at.Extent == "" && now != "" {
		return Errorf(CodeTargetLost, "pipeline %q was writing to a stream, and this target is a file", at.Pipeline).
			Fact("now", "%s", now).Fact("applied", "%s", at.Position).
			Remedy("start over", "use another --name and another --state")
	}
	return e.adopt(ctx, at.Extent)
}

// extent is what an Appender has committed.
func (e *Engine) extent() string {
	if a, ok := e.parts.Sink.(Appender); ok {
		return a.Extent()
	}
	return ""
}
