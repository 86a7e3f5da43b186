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
	if c.again() {
		return e.sameTables(c)
	}
	if c.going() {
		return refused("the copy of the pipeline is %s", c.Phase).Remedy("end it", "run the same command without --resnapshot")
	}
	return nil
}

// sameTables refuses other tables than those that are being copied again.
func (e *Engine) sameTables(c CopyState) error {
	for _, p := range e.opts.Recopy.Patterns {
		if !slices.ContainsFunc(c.Tables, p.Matches) {
			return Errorf(CodeRecopyRefused, "other tables are being copied again").
				Fact("tables", "%v", c.Tables).Fact("asked for", "%s", p.Text).
				Remedy("go on", "run the same command without --resnapshot, and with it afterwards")
		}
	}
	return nil
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
// lost.
func (e *Engine) openRecopy(ctx context.Context, at Checkpoint, rules string, fresh bool) error {
	begins := !at.Held.Copy.again()
	c, err := e.newRecopy(fresh || begins)
	if err != nil {
		return err
	}
	e.recopy = c
	next := at.Held.Copy
	if begins {
		next = CopyState{Phase: Reloading, Server: at.Held.Copy.Server, Orphans: at.Held.Copy.Orphans, Began: at.Held.Copy.Phase == Copied}
	}
	if begins || fresh || next.Phase != Renewing {
		if c.source, err = c.copier.Copy(ctx, at.Position); err != nil {
			return err
		}
		if begins {
			next.Tables, err = e.choose(at, rules)
		} else {
			err = e.chosen(next.Tables, len(e.shapes) == 0)
		}
		if err != nil {
			return err
		}
		now := c.source.Server()
		if again := begins || fresh || next.Server != now; again && !begins {
			next = CopyState{Phase: Reloading, Tables: next.Tables, Orphans: next.Orphans, Began: next.Began}
			if err := e.restage(); err != nil {
				return err
			}
		}
		next.Server = now
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

// checkUnlogged refuses tables of which a foreign key changes rows, which the log would
// not tell.
func (e *Engine) checkUnlogged(names []schema.Name) error {
	for _, n := range names {
		for _, f := range e.shapes[n].ForeignKeys {
			if f.Acts() {
				return Errorf(CodeRecopyRefused, "a foreign key of table %s changes its rows, and the log does not have those changes", n).
					Fact("foreign key", "%s to %s", f.Name, f.Parent).
					Remedy("start over", "rowferry destroy, then run again into empty tables")
			}
		}
	}
	return nil
}

// notes reports whether it is noted which rows of a table are the pipeline's.
func (e *Engine) notesRows(n schema.Name) bool {
	return e.parts.Resolver != nil && e.parts.Resolver.Notes(n)
}

// checkMade refuses tables in which others may have rows that cannot be told from the
// pipeline's.
func (e *Engine) checkMade(ctx context.Context, begins bool) error {
	if !begins {
		return nil
	}
	sink := e.parts.Sink.(RecopySink)
	for _, m := range e.recopy.staging().targets {
		if e.notesRows(m.Source) {
			continue
		}
		made, err := sink.Made(ctx, m.Table)
		if err != nil {
			return err
		}
		why := "it was not made by this program, and which of its rows are the pipeline's is not noted"
		if made {
			why = untold(m.Table)
		}
		if why != "" {
			return Errorf(CodeRecopyRefused, "which rows of table %s the source no longer has cannot be told", m.Table.Name).Fact("because", "%s", why).
				Remedy("start over", "rowferry destroy, then run again into empty tables")
		}
	}
	return nil
}

// untold says why rows of a table cannot be named by what the target tells of their
// keys, "" where they can.
func untold(t *schema.Table) string {
	for _, o := range t.Identity() {
		switch t.Columns[o].Type.Kind {
		case schema.Int, schema.Char, schema.VarChar, schema.Text, schema.UUID:
		default:
			return fmt.Sprintf("its key has a column of type %s", t.Columns[o].Type.Kind)
		}
	}
	return ""
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
