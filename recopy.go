package rowferry

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/rowferry/rowferry/schema"
)

// Some tables of a pipeline that follows can be copied again, or for the first time,
// while it has all the others. That goes through the stage, as a copy whose rows get
// keys does, and in three parts, each of which can be gone on with:
//
//   - Reloading: the tables are read in chunks into the stage, while the log is
//     followed. What it tells of the tables is listed in the stage, and merged into the
//     target as far as that has the rows (see Mutation.Merges): other rows may refer
//     to them.
//   - Remerging: the log is followed until it has passed the mark behind the chunks.
//     Then what was listed is merged into the stage, which now is what the source was
//     at the checkpoint's position.
//   - Renewing: while the log waits, rows of the target that the source no longer has
//     are removed, and all others written as the stage has them.
//
// From there on the log is followed strictly again.

// Recopy says what is to be copied again.
type Recopy struct {
	Patterns []Pattern
	// Check refuses a table of the source which by the rules cannot be.
	Check func(schema.Name) error
	// Only reports whether two texts of rules (Options.Rules) differ in nothing but
	// which tables are in scope, and what is said of tables that a pattern matches: not
	// in the keys of such as were in scope before.
	Only func(then, now string) bool
	// Scope returns which tables are in scope by a text of rules.
	Scope func(rules string) (func(schema.Name) bool, error)
}

// Pattern names tables of the source.
type Pattern struct {
	Text    string
	Matches func(schema.Name) bool
}

func (r *Recopy) matches(n schema.Name) bool {
	return slices.ContainsFunc(r.Patterns, func(p Pattern) bool { return p.Matches(n) })
}

// RecopySink is a Loader whose tables can be copied again.
type RecopySink interface {
	Loader
	Finder
	// Made reports whether Rowferry made the table, so that nobody else's rows are in
	// it. It is called while no batch is open, of a table that exists.
	Made(ctx context.Context, table *schema.Table) (bool, error)
	// Keys calls fn with the key of each row of a table, as Find tells keys, in any
	// order. It ends with fn's error. It is called while no batch is open.
	Keys(ctx context.Context, table *schema.Table, key []int, fn func([]Value) error) error
}

// concerns reports whether the table is copied again. c may be nil.
func (c *copying) concerns(n schema.Name) bool { return c != nil && c.tables[n] }

// recopies reports whether a pipeline is to go on with a copy of some tables again, or
// to begin one.
func (e *Engine) recopies(at Checkpoint) bool {
	return at.Held.Copy.again() || e.opts.Recopy != nil
}

// mayRecopy refuses to begin what has nothing to begin with.
func (e *Engine) mayRecopy(kind ResumeKind, f found) error {
	if e.opts.Recopy == nil {
		return nil
	}
	refused := func(format string, args ...any) *Error {
		return Errorf(CodeRecopyRefused, "there is nothing to copy again").Fact("because", format, args...)
	}
	switch {
	case kind == Fresh || kind == StartedOver:
		return refused("pipeline %q has no checkpoint: it begins with a copy of all its tables", e.opts.Pipeline).Remedy("copy", "run the same command without --resnapshot")
	case !f.keeps:
		return refused("the target is no database")
	case e.opts.Ends:
		return refused("the log is to be followed up to a place or time").Remedy("copy first", "run without --until, with --once")
	case kind == Rebuilt:
		return refused("%s", f.whyMissing()).Remedy("first", "run without --resnapshot, until a change is applied")
	}
	c := f.row.Held.Copy
	if c.Going() && !c.again() {
		return refused("the copy of the pipeline is %s", c.Phase).Remedy("end it", "run the same command without --resnapshot")
	}
	return nil
}

// beginsRecopy reports whether none is under way, or more tables are asked for than that
// is of: then it begins again, with all of them. Others are refused, and any once rows
// are written.
func (e *Engine) beginsRecopy(c CopyState) (bool, error) {
	if !c.again() {
		return true, nil
	}
	if e.opts.Recopy == nil || len(e.shapes) == 0 {
		return false, nil
	}
	var asked []schema.Name
	for n := range e.shapes {
		if e.opts.Recopy.matches(n) {
			asked = append(asked, n)
		}
	}
	slices.SortFunc(asked, schema.Name.Compare)
	left := slices.ContainsFunc(c.Tables, func(n schema.Name) bool { return !slices.Contains(asked, n) })
	switch more := len(asked) > len(c.Tables); {
	case !left && !more:
		return false, nil
	case !left && c.Phase != Renewing:
		return true, nil
	default:
		return false, Errorf(CodeRecopyRefused, "other tables are being copied again").
			Fact("tables", "%v", c.Tables).Fact("asked for", "%v", asked).
			Remedy("go on", "run the same command without --resnapshot, and with it afterwards")
	}
}

// newRecopy returns a copy of some tables, into a stage.
func (e *Engine) newRecopy(fresh bool) (*copying, error) {
	copier, _, err := CanCopy(e.parts.Source, e.parts.Sink)
	if err != nil {
		return nil, err
	}
	keeper, ok := e.parts.Sink.(RecopySink)
	if !ok {
		return nil, Errorf(CodeRecopyRefused, "tables cannot be copied again into this target")
	}
	stage, err := e.parts.State.Stage(fresh)
	if err != nil {
		return nil, err
	}
	loader := &staging{CheckpointKeeper: keeper, engine: e, stage: stage, tables: map[schema.Name]bool{}}
	return &copying{copier: copier, loader: loader, handler: asIs{}, tables: map[schema.Name]bool{}}, nil
}

// openRecopy goes on with a copy of some tables again, or begins it. The reader of the
// log is not open yet, and e.shapes are what was known; fresh says that the stage is
// lost, or not of what the target has.
func (e *Engine) openRecopy(ctx context.Context, at Checkpoint, rules string, fresh bool) error {
	begins, err := e.beginsRecopy(at.Held.Copy)
	if err != nil {
		return err
	}
	c, err := e.newRecopy(fresh || begins)
	if err != nil {
		return err
	}
	e.recopy = c
	next := at.Held.Copy
	if !begins && !fresh && next.Phase != Reloading {
		if fresh, err = c.lacks(next.Tables); err != nil {
			return err
		}
	}
	if begins {
		next = CopyState{Phase: Reloading, Server: at.Held.Copy.Server, Orphans: at.Held.Copy.Orphans, Copied: at.Held.Copy.Began()}
	}
	if begins || fresh || next.Phase != Renewing {
		if next, err = e.lookAgain(ctx, at, rules, next, begins, fresh); err != nil {
			return err
		}
	}
	for _, n := range next.Tables {
		c.tables[n] = true
		c.shapes = append(c.shapes, Mutation{Op: Shape, Table: e.shapes[n], Source: n})
	}
	c.mark = next.Until
	if err := c.stage().Unlist(at.Sequence); err != nil {
		return err
	}
	if c.source != nil {
		if err := e.recallSnapshots(ctx, c); err != nil {
			return err
		}
	}
	if err := c.staging().learn(c.shapes); err != nil {
		return err
	}
	if err := e.readyTables(ctx, at, begins); err != nil {
		return err
	}
	e.resume.Detail = fmt.Sprintf("from %s, copying %v again", at.Position, next.Tables)
	return e.enter(ctx, next)
}

// lookAgain opens the source's tables, and returns what comes next: all of it once more
// where the stage is not of this server.
func (e *Engine) lookAgain(ctx context.Context, at Checkpoint, rules string, next CopyState, begins, fresh bool) (_ CopyState, err error) {
	c := e.recopy
	if c.source, err = c.copier.Copy(ctx, at.Position); err != nil {
		return next, err
	}
	if begins {
		next.Tables, err = e.choose(at, rules)
	} else {
		err = e.chosen(next.Tables, len(e.shapes) == 0)
	}
	if err != nil {
		return next, err
	}
	now := c.source.Server()
	if !begins && (fresh || next.Server != now) {
		next = CopyState{Phase: Reloading, Tables: next.Tables, Orphans: next.Orphans, Copied: next.Copied}
		if err := e.restage(); err != nil {
			return next, err
		}
	}
	next.Server = now
	return next, nil
}

// readyTables takes the pipeline over, and has the target's tables made and looked at.
func (e *Engine) readyTables(ctx context.Context, at Checkpoint, begins bool) error {
	if err := e.takeOver(ctx, at); err != nil {
		return err
	}
	if err := e.recopy.loader.PrepareLoad(ctx, e.recopy.shapes); err != nil {
		return err
	}
	if err := e.checkMade(ctx, begins); err != nil {
		return err
	}
	_, err := e.renewal(ctx)
	return err
}

// lacks reports whether chunks of the tables are not in the stage: it may be another one
// than the checkpoint is of. A table whose rows are not there would be emptied.
func (c *copying) lacks(tables []schema.Name) (bool, error) {
	chunks, err := c.stage().Chunks()
	left, ended := map[schema.Name]bool{}, map[schema.Name]bool{}
	for i := range chunks {
		k := &chunks[i]
		left[k.Table] = left[k.Table] || !k.Done
		ended[k.Table] = ended[k.Table] || k.Upto == ""
	}
	return slices.ContainsFunc(tables, func(n schema.Name) bool { return left[n] || !ended[n] }), err
}

func (c *copying) staging() *staging { return c.loader.(*staging) }

func (c *copying) stage() Stage { return c.staging().stage }

// restage begins with an empty stage: of another server's chunks nothing is known.
func (e *Engine) restage() error {
	s := e.recopy.staging()
	if err := s.stage.Close(); err != nil {
		return err
	}
	var err error
	s.stage, err = e.parts.State.Stage(true)
	return err
}

// choose returns the tables that are to be copied, adds what is new of them to e.shapes
// and refuses what cannot be, and what would be missing.
func (e *Engine) choose(at Checkpoint, rules string) (names []schema.Name, err error) {
	asked := e.opts.Recopy
	was := func(schema.Name) bool { return true }
	if at.Config != e.opts.Config {
		if was, err = asked.Scope(rules); err != nil {
			return nil, err
		}
	}
	tables := e.recopy.source.Tables()
	used := make([]bool, len(asked.Patterns))
	var chosen []CopyTable
	for i := range tables {
		n := tables[i].Shape.Name
		if !asked.matches(n) {
			if !was(n) && !e.opts.Accept {
				return nil, Errorf(CodeConfigChanged, "table %s is new in scope, and what it has would be missing", n).
					Remedy("copy it", "--resnapshot %s", n).Remedy("leave it out", "in 'tables'")
			}
			continue
		}
		for k, p := range asked.Patterns {
			used[k] = used[k] || p.Matches(n)
		}
		if err := asked.Check(n); err != nil {
			return nil, err
		}
		chosen, names = append(chosen, tables[i]), append(names, n)
	}
	if i := slices.Index(used, false); i >= 0 {
		return nil, Errorf(CodeRecopyRefused, "no table in scope matches %s", asked.Patterns[i].Text).Remedy("check", "the name, and 'tables'")
	}
	if err := refuseKeyless(chosen, func(*CopyTable) bool { return true }, "tables without a key cannot be copied again"); err != nil {
		return nil, err
	}
	if err := e.chosen(names, false); err != nil {
		return nil, err
	}
	return names, e.checkUnlogged(names)
}

// chosen has e.shapes know the tables that are copied, or all that there are. A table
// with another shape than the log told so far is refused.
func (e *Engine) chosen(names []schema.Name, all bool) error {
	left := slices.Clone(names)
	for _, t := range e.recopy.source.Tables() {
		n := t.Shape.Name
		i := slices.Index(left, n)
		if i >= 0 {
			left = slices.Delete(left, i, i+1)
		} else if !all {
			continue
		}
		known := e.shapes[n]
		if known == nil {
			e.shapes[n] = t.Shape
		} else if d := schema.Diff(known, t.Shape); len(d) > 0 {
			return shapeChanged(n, d)
		}
	}
	if len(left) > 0 {
		return shapeChanged(left[0], []string{"table dropped or renamed"})
	}
	return nil
}

// closeRecopy closes what it holds open.
func (e *Engine) closeRecopy() error {
	c := e.recopy
	if c == nil {
		return nil
	}
	err := c.closeStage()
	if source := c.source; source != nil {
		c.source = nil
		err = errors.Join(err, source.Close())
	}
	return err
}
