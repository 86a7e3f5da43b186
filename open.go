package rowferry

import (
	"context"
	"fmt"
	"time"

	"github.com/rowferry/rowferry/internal/failpoint"
	"github.com/rowferry/rowferry/schema"
)

// open carries out what reconcile decides and leaves the engine with its
// checkpoint, its shapes and a positioned reader.
func (e *Engine) open(ctx context.Context) error {
	if err := e.seeTarget(ctx); err != nil {
		return err
	}
	f, err := e.find(ctx)
	if err != nil {
		return err
	}
	kind, err := reconcile(f)
	if err != nil {
		return err
	}
	e.resume.Kind = kind
	hint, err := e.hints(ctx)
	if err != nil {
		return err
	}
	e.hint = hint
	if e.opts.Part != nil {
		return e.openPart(ctx, kind, f)
	}
	if err := e.mayRecopy(kind, f); err != nil {
		return err
	}
	switch kind {
	case Fresh:
		if e.opts.Copy {
			err = e.openCopy(ctx)
			break
		}
		err = e.openFresh(ctx, hint)
	case StartedOver:
		err = e.openOver(ctx, f, hint)
	case Rebuilt:
		err = e.openRebuilt(ctx, f, hint)
	case Resumed, Undone, Rewound:
		err = e.openResumed(ctx, f, hint)
	default:
		err = Errorf(CodeInternal, "no way to open a pipeline that is %q", kind)
	}
	if err != nil {
		return err
	}
	e.resume.From = e.at.Position
	return nil
}

// givesKeys reports whether keys are others than the source's.
func (e *Engine) givesKeys() bool { return e.parts.Resolver != nil && !e.parts.Resolver.Keeps() }

// stages reports whether the rows of a copy that is gone on with go by way of a Stage.
func (e *Engine) stages(c CopyState) bool { return c.Staged || e.givesKeys() }

// learn tells the resolver of the tables that are known.
func (e *Engine) learn(shapes []Mutation) error {
	if e.parts.Resolver == nil {
		return nil
	}
	for i := range shapes {
		if _, err := e.parts.Resolver.Resolve(nil, &shapes[i], nil); err != nil {
			return err
		}
	}
	return nil
}

// hints looks up existing target tables by the source tables that map to them.
type hints = func(source schema.Name) *schema.Table

func (e *Engine) hints(ctx context.Context) (hints, error) {
	keeper, ok := e.parts.Sink.(CheckpointKeeper)
	if !ok {
		return nil, nil
	}
	tables, err := keeper.Tables(ctx)
	if err != nil {
		return nil, err
	}
	byName := map[schema.Name]*schema.Table{}
	for _, t := range tables {
		byName[t.Name] = t
	}
	return func(source schema.Name) *schema.Table {
		if r, ok := e.parts.Handler.(Reshaper); ok && r.Reshapes(source) {
			return nil
		}
		t := byName[e.parts.Handler.Target(source)]
		if t == nil {
			return nil
		}
		return t.WithName(source)
	}, nil
}

func (e *Engine) find(ctx context.Context) (found, error) {
	f := found{stateID: e.parts.State.ID()}
	var err error
	if keeper, ok := e.parts.Sink.(CheckpointKeeper); ok {
		f.keeps = true
		if f.row, err = keeper.ReadCheckpoint(ctx, e.opts.Pipeline); err != nil {
			return f, err
		}
	}
	if f.newest, err = e.parts.State.Load(MaxSequence); err != nil || f.row == nil {
		return f, err
	}
	if f.at, err = e.parts.State.Load(f.row.Sequence); CodeOf(err) == CodeStateNeeded {
		err = nil // no longer kept: as good as missing
	}
	return f, err
}

// openFresh begins a pipeline that has no checkpoint anywhere, and makes its
// start durable before the first row (C10).
func (e *Engine) openFresh(ctx context.Context, hint hints) error {
	if err := e.read(ctx, Start{Hint: hint}); err != nil {
		return err
	}
	e.resume.Detail = "no checkpoint; starting at " + string(e.reader.Begin())
	return e.begin(ctx)
}

// openOver begins anew a pipeline that the state remembers and the target
// does not.
func (e *Engine) openOver(ctx context.Context, f found, hint hints) error {
	keeper, ok := e.parts.Sink.(CheckpointKeeper)
	if !ok {
		return Errorf(CodeInternal, "a target without checkpoint cannot have lost it")
	}
	if err := e.accept(ctx, f.newest.Checkpoint, f.newest.Rules); err != nil {
		return err
	}
	tables, err := e.declared(f.newest.Shapes)
	if err != nil {
		return err
	}
	occupied, err := keeper.Occupied(ctx, namesOf(tables))
	if err != nil {
		return err
	}
	if len(occupied) > 0 {
		return Errorf(CodeTargetOccupied, "the target has no checkpoint of pipeline %q but still holds rows it wrote", e.opts.Pipeline).
			Fact("tables", "%v", occupied).
			Fact("state", "applied up to %s", f.newest.Checkpoint.Position).
			Remedy("start over", "empty or drop these tables, then run the same command again").
			Remedy("go on", "restore the table rowferry_checkpoint together with the rows")
	}
	if c := f.newest.Checkpoint.Held.Copy; c.Began() {
		if err := e.parts.State.Reset(); err != nil {
			return err
		}
		return e.openCopy(ctx)
	}
	start := f.newest.Checkpoint.Start
	if err := e.read(ctx, Start{Position: start, Hint: hint}); err != nil {
		return targetLost(e.opts.Pipeline, start, err)
	}
	if err := e.parts.State.Reset(); err != nil {
		return err
	}
	e.resume.Detail = fmt.Sprintf("the target is empty; starting over at %s", start)
	return e.begin(ctx)
}

func targetLost(pipeline string, start Position, cause error) error {
	err := Errorf(CodeTargetLost, "the target lost the checkpoint of pipeline %q, and the pipeline's start can no longer be read: %w", pipeline, cause)
	return err.Fact("start", "%s", start).
		Remedy("start over", "give the log files from the start on, or remove the state directory to start with what there is")
}

// begin records the start of a pipeline in the state, then in the target.
func (e *Engine) begin(ctx context.Context) error {
	start := e.reader.Begin()
	lineage := ""
	if r, ok := e.reader.(Rooted); ok {
		var err error
		if lineage, err = r.Lineage(ctx); err != nil {
			return err
		}
	}
	if err := e.adopt(ctx, ""); err != nil {
		return err
	}
	e.at = Checkpoint{
		Pipeline: e.opts.Pipeline, Position: start, Lineage: lineage, Start: start, Fence: 1, Sequence: 1,
		Config: e.opts.Config, StateID: e.parts.State.ID(), Updated: time.Now().UTC(), Format: CheckpointFormat,
		Extent: e.extent(),
	}
	if err := e.parts.State.Record(Record{Checkpoint: e.at, Rules: e.opts.Rules}); err != nil {
		return err
	}
	if keeper, ok := e.parts.Sink.(CheckpointKeeper); ok {
		return keeper.WriteCheckpoint(ctx, nil, e.at)
	}
	return nil
}

// openResumed goes on from the target's row, or from the state where the
// target keeps none, discarding what the state has beyond it.
func (e *Engine) openResumed(ctx context.Context, f found, hint hints) error {
	known := f.newest
	at := known.Checkpoint
	if f.keeps {
		known, at = f.at, *f.row
	}
	err := e.accept(ctx, at, known.Rules)
	if err != nil {
		return err
	}
	again := e.recopies(at)
	if !at.Held.Copy.Going() && !again {
		if err := e.read(ctx, Start{Position: at.Position, Lineage: at.Lineage, Tables: known.Shapes, Hint: hint}); err != nil {
			return err
		}
	}
	if err := e.parts.State.DiscardAfter(at.Sequence); err != nil {
		return err
	}
	if err := e.readopt(ctx, at); err != nil {
		return err
	}
	var ms []Mutation
	for _, t := range known.Shapes {
		e.shapes[t.Name] = t
		// The handler learns which names are taken.
		if ms, err = e.parts.Handler.Handle(ms, &Change{Op: Shape, Table: t}); err != nil {
			return err
		}
	}
	if at.Held.Copy.Going() && !again {
		return e.openCopied(ctx, at, false)
	}
	if !at.Held.Copy.again() {
		if err := e.parts.State.DropStage(); err != nil { // a copy's that was done right before a crash
			return err
		}
	}
	if e.givesKeys() && at.Held.Copy.Began() {
		e.parts.Resolver.AwaitCircles()
	}
	if err := e.learn(ms); err != nil {
		return err
	}
	if err := e.prepareShapes(ctx, ms); err != nil {
		return err
	}
	switch e.resume.Kind {
	case Rewound:
		e.resume.Detail = fmt.Sprintf("the target went back by %d batches (restored?); following it from %s", f.newest.Checkpoint.Sequence-at.Sequence, at.Position)
		e.opts.Log.Warn(e.resume.Detail)
	default:
		e.resume.Detail = "from " + string(at.Position)
	}
	if again {
		return e.openRecopy(ctx, at, known.Rules, e.resume.Kind == Rewound && !failpoint.On("keep-stage"))
	}
	return e.takeOver(ctx, at)
}

// openRebuilt goes on from the target's row with a state that is made anew:
// the shapes, if there were any, are learnt again from the log.
func (e *Engine) openRebuilt(ctx context.Context, f found, hint hints) error {
	at := *f.row
	if err := e.accept(ctx, at, ""); err != nil {
		return err
	}
	if at.Held.Notes != (Kept{}) {
		return stateNeeded(f, f.whyMissing(), nil)
	}
	if at.Held.Copy.again() { // as below
		if err := e.parts.State.Reset(); err != nil {
			return err
		}
		return e.openRecopy(ctx, at, "", true)
	}
	if at.Held.Copy.Going() { // the shapes are those of the tables
		if e.stages(at.Held.Copy) && at.Held.Copy.Phase != Loading {
			return stateNeeded(f, f.whyMissing()+" of a copy that is "+string(at.Held.Copy.Phase), nil)
		}
		if err := e.parts.State.Reset(); err != nil {
			return err
		}
		return e.openCopied(ctx, at, true)
	}
	start := Start{Position: at.Position, Lineage: at.Lineage, Hint: hint}
	if at.Held.Shapes > 0 {
		start.ShapesFrom = at.Held.Oldest
	}
	if err := e.read(ctx, start); err != nil {
		switch CodeOf(err) {
		case CodeLogMissing, CodePositionOutside:
			if at.Held.Shapes > 0 {
				return stateNeeded(f, f.whyMissing(), err)
			}
		}
		return err
	}
	// The directory stays empty, and so counts as missing, until the first
	// batch records the shapes along with itself.
	if err := e.parts.State.Reset(); err != nil {
		return err
	}
	e.rebuilding = true
	e.resume.Detail = fmt.Sprintf("%s; rebuilt from the log, going on from %s", f.whyMissing(), at.Position)
	return e.takeOver(ctx, at)
}

func stateNeeded(f found, why string, cause error) error {
	err := Errorf(CodeStateNeeded, "%s, and what lived only there cannot be rebuilt", why)
	err.Err = cause
	err.Fact("target", "sequence %d at %s", f.row.Sequence, f.row.Position).
		Fact("shapes", "%d tables, readable again from %s on", f.row.Held.Shapes, f.row.Held.Oldest)
	if k := f.row.Held.Notes; k != (Kept{}) {
		err.Fact("keys", "%d rows whose key in the target is noted there, %d rows that wait", k.Mapped+k.Filtered, k.Waiting)
		return err.Remedy("go on", "put the state directory %s back", f.row.StateID).
			Remedy("start over", startOver)
	}
	if cause != nil {
		err.Fact("log", "%s", cause)
	}
	return err.Remedy("go on", "put the state directory %s back", f.row.StateID).
		Remedy("rebuild", "give the log files from %s on, and run the same command again", f.row.Held.Oldest)
}

// read opens the source.
func (e *Engine) read(ctx context.Context, s Start) error {
	s.Spool = e.parts.State.Spool
	r, err := e.parts.Source.Open(ctx, s)
	if err != nil {
		return err
	}
	e.mu.Lock()
	e.reader, e.readSince = r, time.Now()
	e.mu.Unlock()
	return nil
}

// takeOver raises the fence in the target, so that an engine that still runs
// elsewhere cannot commit any more.
func (e *Engine) takeOver(ctx context.Context, at Checkpoint) error {
	e.at = at
	if e.opts.Recopy == nil || at.Held.Copy.again() {
		e.at.Config = e.opts.Config // or accepted
	}
	keeper, ok := e.parts.Sink.(CheckpointKeeper)
	if !ok {
		return nil
	}
	now := e.at
	now.Fence++
	now.StateID = e.parts.State.ID()
	now.Updated = time.Now().UTC()
	if err := keeper.WriteCheckpoint(ctx, &at, now); err != nil {
		return err
	}
	e.at = now
	return nil
}
