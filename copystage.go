package rowferry

import (
	"context"

	"github.com/rowferry/rowferry/schema"
)

// A copy of rows that do not keep their keys, or wait for parents, cannot be loaded
// into the target chunk by chunk: while loading and merging nothing says yet which
// row is whose parent, nor, where rows may be put aside, what depends on one. Such a copy is loaded and merged into a Stage, as the source
// has its rows. Then, Carrying, its rows go from there through handler and resolver
// into the target, like inserts of a log, parents first. See carry.go.

// staging is the Loader of such a copy. Where the target's checkpoint is concerned
// it is the target.
type staging struct {
	CheckpointKeeper
	engine  *Engine
	stage   Stage
	tables  map[schema.Name]bool // that are known
	targets []Mutation           // the shapes of the target's
}

var _ Loader = (*staging)(nil)

// PrepareLoad implements Loader: it makes the target's tables as any, and checks
// those that are there. shapes are the source's.
func (s *staging) PrepareLoad(ctx context.Context, shapes []Mutation) error {
	if err := s.learn(shapes); err != nil {
		return err
	}
	return s.engine.makeShapes(ctx, s.targets)
}

// learn takes in the source's tables that are not known.
func (s *staging) learn(shapes []Mutation) (err error) {
	from := len(s.targets)
	for i := range shapes {
		if s.tables[shapes[i].Source] {
			continue
		}
		s.tables[shapes[i].Source] = true
		if s.targets, err = s.engine.parts.Handler.Handle(s.targets, &Change{Op: Shape, Table: shapes[i].Table}); err != nil {
			return err
		}
	}
	return s.engine.learn(s.targets[from:])
}

// Load implements Loader.
func (s *staging) Load(context.Context) (Load, error) { return &stageLoad{stage: s.stage}, nil }

// Chunks implements Loader.
func (s *staging) Chunks(context.Context, string) ([]Chunk, error) { return s.stage.Chunks() }

// ForgetChunks implements Loader: they go with the stage.
func (s *staging) ForgetChunks(context.Context, string) error { return nil }

// Complete implements Loader: the tables have their keys from the beginning.
func (s *staging) Complete(context.Context, []Mutation, Completion) error { return nil }

// stageLoad loads chunks into a Stage. The state directory belongs to this engine
// alone, so nothing has to be fenced off, and a chunk of which only a part came is
// loaded again: what it had has changed in the log, or is the same.
type stageLoad struct {
	stage Stage
	table *schema.Table
}

// Claim implements Load.
func (l *stageLoad) Claim(_ context.Context, _ Checkpoint, c Chunk) error { return l.stage.Note(c) }

// Begin implements Load.
func (l *stageLoad) Begin(_ context.Context, shape *Mutation, _ bool) error {
	l.table = shape.Table
	return nil
}

// Write implements Load.
func (l *stageLoad) Write(_ context.Context, ms []Mutation) error {
	rows := make([]StagedRow, len(ms))
	identity := l.table.Identity()
	for i := range ms {
		rows[i] = StagedRow{keyOf(ms[i].After, identity), ms[i].After}
	}
	return l.stage.Put(l.table, rows)
}

// Commit implements Load.
func (l *stageLoad) Commit(_ context.Context, _ Checkpoint, c Chunk) error { return l.stage.Note(c) }

// Rollback implements Load.
func (l *stageLoad) Rollback() error { return nil }

// Close implements Load.
func (l *stageLoad) Close() error { return nil }

// stageTx merges into a Stage. What it merges is there before the batch commits:
// merged again, after a crash, it comes to the same.
type stageTx struct {
	SinkTx
	stage Stage
}

var _ MergeTx = stageTx{}

// Write implements SinkTx, for what is merged in its place: tables are made
// beforehand.
func (t stageTx) Write(_ context.Context, ms []Mutation) error {
	for i := range ms {
		switch ms[i].Op {
		case Shape:
		case Truncate:
			if err := t.stage.Clear(ms[i].Table); err != nil {
				return err
			}
		default:
			return Errorf(CodeInternal, "the operation %s cannot be staged", ms[i].Op)
		}
	}
	return nil
}

// Merge implements MergeTx.
func (t stageTx) Merge(_ context.Context, ms []Mutation) error {
	for len(ms) > 0 {
		n := 1
		for n < len(ms) && ms[n].Table == ms[0].Table {
			n++
		}
		if err := t.merge(ms[0].Table, ms[:n]); err != nil {
			return err
		}
		ms = ms[n:]
	}
	return nil
}

// merge merges mutations of one table.
func (t stageTx) merge(table *schema.Table, ms []Mutation) error {
	identity := table.Identity()
	rows := make([]StagedRow, 0, len(ms))
	for i := range ms {
		switch m := &ms[i]; m.Op {
		case Insert:
			rows = append(rows, StagedRow{keyOf(m.After, identity), m.After})
		case Delete:
			rows = append(rows, StagedRow{keyOf(m.Before, identity), nil})
		case Update:
			key := keyOf(m.After, identity)
			row, err := t.stage.Get(table, key)
			if err != nil {
				return err
			}
			if row != nil { // else it is deleted later
				rows = append(rows, StagedRow{key, over(row, m.After)})
			}
		default:
			return Errorf(CodeInternal, "the operation %s cannot be merged", m.Op)
		}
	}
	return t.stage.Put(table, rows)
}

// asIs is the Handler of a copy that is staged.
type asIs struct{}

// Handle implements Handler.
func (asIs) Handle(dst []Mutation, c *Change) ([]Mutation, error) {
	return append(dst, Mutation{Op: c.Op, Table: c.Table, Before: c.Before, After: c.After, Source: c.Table.Name}), nil
}

// Target implements Handler.
func (asIs) Target(source schema.Name) schema.Name { return source }

// newStaging returns the Loader of a copy that goes on, or begins.
func (e *Engine) newStaging(fresh bool) (*staging, error) {
	keeper, ok := e.parts.Sink.(CheckpointKeeper)
	if !ok {
		return nil, Errorf(CodeInternal, "a target without checkpoint is copied into")
	}
	e.parts.Resolver.AwaitCircles()
	stage, err := e.parts.State.Stage(fresh)
	if err != nil {
		return nil, err
	}
	return &staging{CheckpointKeeper: keeper, engine: e, stage: stage, tables: map[schema.Name]bool{}}, nil
}

// checkStaged refuses, before anything is read, what Carrying would not come through.
func (e *Engine) checkStaged() error {
	s, ok := e.copying.loader.(*staging)
	if !ok {
		return nil
	}
	if e.opts.Orphans.Changes() {
		if !e.givesKeys() {
			return Errorf(CodeCopyRefused, "'orphans' is for copies in which no row is put aside: the target refuses rows without a parent").
				Remedy("put them aside", "leave 'orphans' out").Remedy("copy first", "without 'on_reject', and say it once the copy is done")
		}
		return Errorf(CodeCopyRefused, "'orphans' is for copies of rows that keep their keys").
			Remedy("say", "missing_parent: wait, null or reject, of each entity")
	}
	if err := CheckStagedKeys(e.copying.source.Tables(), e.givesKeys()); err != nil {
		return err
	}
	if err := s.learn(e.copying.shapes); err != nil {
		return err
	}
	_, err := e.carryOrder()
	return err
}

// staged reports whether the rows go by way of a Stage.
func (c *copying) staged() bool {
	_, ok := c.loader.(*staging)
	return ok
}

// closeStage closes the stage, where there is one.
func (c *copying) closeStage() error {
	s, ok := c.loader.(*staging)
	if !ok || s.stage == nil {
		return nil
	}
	stage := s.stage
	s.stage = nil
	return stage.Close()
}
