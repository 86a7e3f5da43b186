package rowferry

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/rowferry/rowferry/internal/failpoint"
	"github.com/rowferry/rowferry/schema"
)

// Recopier is a Copier whose tables can be copied by a pipeline that follows it.
type Recopier interface {
	Copier
	// Recopy is Copy for tables of a pipeline that has applied the log up to from,
	// with the lineage of the transaction that ended there. It makes the log tell of
	// the tables that are new in scope, and waits until every snapshot sees all that
	// was logged before from, and every change that the log does not tell of.
	Recopy(ctx context.Context, from Position, lineage string) (Copy, error)
}

// Renewer is a Loader into whose tables can be copied again.
type Renewer interface {
	Loader
	// CheckRenew refuses what Renew would refuse, with CodeAgainRefused, and changes
	// nothing: tables with rows that Rowferry did not make, and those that are held
	// by keys which Complete would not make again. shapes are the Shape mutations of
	// the tables, all those of the pipeline, theirs included.
	CheckRenew(ctx context.Context, shapes, all []Mutation) error
	// Renew deletes all rows of the tables, those that exist, and the foreign keys to
	// them that Rowferry made, so that PrepareLoad can take their own. It does
	// nothing, and fails with CodeFenced, where the pipeline's checkpoint row has
	// another fence or sequence than cp. It is idempotent.
	Renew(ctx context.Context, cp Checkpoint, shapes, all []Mutation) error
}

// Pattern names tables of the source.
type Pattern interface {
	Matches(name schema.Name) bool
	String() string
}

// Alteration is what a pipeline that has a checkpoint is to do otherwise from now on.
type Alteration struct {
	// Again are the tables to copy again, or for the first time.
	Again []Pattern
	// Accept takes rules that are not those which rows were applied with.
	Accept bool
	// Scope reports whether a table is in scope, OnlyScope whether two texts of rules
	// (Options.Rules) differ in what is.
	Scope     func(schema.Name) bool
	OnlyScope func(then, now string) bool
}

// concerns reports whether the copy is about the table.
func (c *copying) concerns(name schema.Name) bool { return c.tables == nil || c.tables[name] }

// limit has the copy be about the tables, or about all where there are none.
func (c *copying) limit(tables []schema.Name) {
	c.tables = nil
	for _, n := range tables {
		if c.tables == nil {
			c.tables = map[schema.Name]bool{}
		}
		c.tables[n] = true
	}
}

// alters reports whether the pipeline is to go on otherwise than it did.
func (e *Engine) alters(at Checkpoint) bool {
	return len(e.opts.Alter.Again) > 0 || e.opts.Alter.Accept && at.Config != e.opts.Config
}

// mayAlter refuses to copy again what was not copied, or is not known.
func (e *Engine) mayAlter(kind ResumeKind, f found) error {
	if len(e.opts.Alter.Again) == 0 {
		return nil
	}
	if f.row != nil && f.row.Held.Copy.going() {
		return e.sameAgain(f.row.Held.Copy)
	}
	var why string
	switch kind {
	case Resumed, Undone, Rewound:
		return nil
	case Rebuilt:
		why = f.whyMissing() + ": run once without --resnapshot, until the first change is applied"
	default:
		why = "the pipeline has no checkpoint in the target: a run without --resnapshot begins it"
	}
	return Errorf(CodeAgainRefused, "there is nothing that could be copied again").Fact("why", "%s", why)
}

// sameAgain refuses tables beside those of a copy that is going on.
func (e *Engine) sameAgain(c CopyState) error {
	for _, p := range e.opts.Alter.Again {
		if len(c.Tables) == 0 || !slices.ContainsFunc(c.Tables, p.Matches) {
			return Errorf(CodeAgainRefused, "another copy is going on, which has to end first").
				Fact("phase", "%s", c.Phase).Fact("tables", "%v", c.Tables).Fact("not among them", "%s", p).
				Remedy("go on", "run the same command without --resnapshot %s", p)
		}
	}
	return nil
}

// openAltered goes on otherwise than before: with other rules, or with a copy of
// some tables. e.shapes are those that were known.
func (e *Engine) openAltered(ctx context.Context, at Checkpoint, rules string, hint hints) error {
	out, err := e.leavesOut(at)
	if err != nil {
		return err
	}
	for _, n := range out {
		delete(e.shapes, n)
	}
	copies := len(e.opts.Alter.Again) > 0
	if !copies {
		if err := e.read(ctx, Start{Position: at.Position, Lineage: at.Lineage, Tables: sortedShapes(e.shapes), Hint: hint}); err != nil {
			return err
		}
	}
	if err := e.takeOver(ctx, at); err != nil {
		return err
	}
	e.warnOfRules(at, rules, out)
	now := e.at
	now.Config = e.opts.Config
	if copies {
		if now.Held.Copy, err = e.beginAgain(ctx, at); err != nil {
			return err
		}
	} else if err := e.prepareKnown(ctx); err != nil {
		return err
	}
	now.Sequence++
	now.Held.Shapes = len(e.shapes)
	now.Updated = time.Now().UTC()
	e.resume.Detail = "from " + string(at.Position)
	if copies {
		e.resume.Detail = fmt.Sprintf("copying %v, which are followed from %s on", now.Held.Copy.Tables, at.Position)
	}
	return e.commitAlone(ctx, now, out)
}

// leavesOut returns the tables that are known and no longer in scope, and refuses
// what was not accepted.
func (e *Engine) leavesOut(at Checkpoint) (out []schema.Name, err error) {
	if at.Config == e.opts.Config {
		return nil, nil
	}
	for _, t := range sortedShapes(e.shapes) {
		if e.opts.Alter.Scope != nil && !e.opts.Alter.Scope(t.Name) {
			out = append(out, t.Name)
		}
	}
	if len(out) == 0 || e.opts.Alter.Accept {
		return out, nil
	}
	return nil, Errorf(CodeConfigChanged, "tables that were followed are not in scope any more: their rows would stay as they are").
		Fact("tables", "%v", out).
		Remedy("undo", "take them into 'tables' again").
		Remedy("leave them", "--accept-config: their rows stay, and are no longer followed")
}

// warnOfRules says what may be wrong from now on.
func (e *Engine) warnOfRules(at Checkpoint, rules string, out []schema.Name) {
	if at.Config == e.opts.Config {
		return
	}
	if len(out) > 0 {
		e.opts.Log.Warn("tables are no longer followed; their rows stay in the target as they are", "tables", fmt.Sprint(out))
	}
	if e.opts.Alter.Accept {
		e.opts.Log.Warn("other rules are accepted: rows that were applied by the former ones stay as they are, and rows of tables that are new in scope are missing from before here unless --resnapshot names them",
			"then", rules, "now", e.opts.Rules)
	}
}

// beginAgain looks at the tables that are to be copied, and refuses what cannot be
// before anything is changed in the target.
func (e *Engine) beginAgain(ctx context.Context, at Checkpoint) (CopyState, error) {
	c, err := e.newCopying()
	if err != nil {
		return CopyState{}, err
	}
	renewer, err := c.renewable()
	if err != nil {
		return CopyState{}, err
	}
	e.copying = c
	known := e.shapes
	recopier := c.copier.(Recopier) // renewable has looked
	if c.source, err = recopier.Recopy(ctx, at.Position, at.Lineage); err != nil {
		return CopyState{}, err
	}
	chosen, err := e.choose(at, known)
	if err != nil {
		return CopyState{}, err
	}
	state := CopyState{Phase: Emptying, Server: c.source.Server(), Began: at.Held.Copy.Phase == Copied}
	_, state.Lineage = c.source.From()
	var news []schema.Name
	for _, t := range chosen {
		name := t.Shape.Name
		state.Tables = append(state.Tables, name)
		if was := known[name]; was == nil {
			known[name], news = t.Shape, append(news, name)
		} else if d := schema.Diff(was, t.Shape); len(d) > 0 {
			return CopyState{}, shapeChanged(name, d)
		}
	}
	c.limit(state.Tables)
	if err := CheckCopyKeys(chosen); err != nil {
		return CopyState{}, err
	}
	if err := e.checkUnlogged(); err != nil {
		return CopyState{}, err
	}
	if err := e.tellShapes(); err != nil {
		return CopyState{}, err
	}
	return state, e.checkTargets(ctx, renewer, news)
}

// renewable checks that source and target are such that tables can be copied again.
func (c *copying) renewable() (Renewer, error) {
	renewer, ok := c.loader.(Renewer)
	if _, reads := c.copier.(Recopier); reads && ok {
		return renewer, nil
	}
	return nil, Errorf(CodeAgainRefused, "single tables cannot be copied again from this source, or into this target").
		Remedy("start over", "rowferry destroy, then run again into empty tables")
}

// choose returns the tables that are to be copied. Those that are new in scope have
// to be among them, unless that was accepted.
func (e *Engine) choose(at Checkpoint, known map[schema.Name]*schema.Table) (chosen []CopyTable, err error) {
	var left []schema.Name
	used := make([]bool, len(e.opts.Alter.Again))
	for _, t := range e.copying.source.Tables() {
		named := false
		for i, p := range e.opts.Alter.Again {
			if p.Matches(t.Shape.Name) {
				named, used[i] = true, true
			}
		}
		if named {
			chosen = append(chosen, t)
		} else if known[t.Shape.Name] == nil {
			left = append(left, t.Shape.Name)
		}
	}
	if i := slices.Index(used, false); i >= 0 {
		return nil, Errorf(CodeAgainRefused, "no table of the source is in scope and matches %s", e.opts.Alter.Again[i]).
			Remedy("check", "the name, and 'tables'")
	}
	if at.Config == e.opts.Config || e.opts.Alter.Accept || len(left) == 0 {
		return chosen, nil
	}
	return nil, Errorf(CodeConfigChanged, "tables are new in scope, and what they have would be missing").Fact("tables", "%v", left).
		Remedy("copy them", "--resnapshot %s", left[0]).
		Remedy("leave out", "these tables, in 'tables'")
}

// checkUnlogged refuses foreign keys that act without being logged: while they are
// away the target would not do what the source did.
func (e *Engine) checkUnlogged() error {
	for _, t := range sortedShapes(e.shapes) {
		for _, f := range t.ForeignKeys {
			if !f.Acts() || e.shapes[f.Parent] == nil || !e.copying.concerns(t.Name) && !e.copying.concerns(f.Parent) {
				continue
			}
			return Errorf(CodeAgainRefused, "a foreign key changes rows that the source's log does not tell of, and has to be away while its table is copied").
				Fact("table", "%s", t.Name).Fact("parent", "%s", f.Parent).Fact("key", "%s", f.Name).
				Remedy("start over", "rowferry destroy, then run again into empty tables")
		}
	}
	return nil
}

// checkTargets refuses target tables that rows of others are in.
func (e *Engine) checkTargets(ctx context.Context, r Renewer, news []schema.Name) error {
	names := make([]schema.Name, len(news))
	for i, n := range news {
		names[i] = e.parts.Handler.Target(n)
	}
	occupied, err := occupiedOf(ctx, r, names)
	if err != nil {
		return err
	}
	if len(occupied) > 0 {
		return Errorf(CodeTargetOccupied, "tables that are new in scope already have rows in the target").Fact("tables", "%v", occupied).
			Remedy("copy them", "empty these tables, and run the same command again").
			Remedy("leave out", "these tables, in 'tables'")
	}
	return r.CheckRenew(ctx, e.copying.shapes, e.copying.all)
}

// empty makes the tables ready for rows that come in any order.
func (e *Engine) empty(ctx context.Context) error {
	c := e.copying
	r, err := c.renewable()
	if err != nil {
		return err
	}
	for _, do := range []func() error{
		func() error { return c.loader.ForgetChunks(ctx, e.opts.Pipeline) }, // of a copy that was given up
		func() error { return r.Renew(ctx, e.at, c.shapes, c.all) },
		func() error { return failpoint.Hit("copy.emptied") },
		func() error { return e.prepareLoad(ctx) },
	} {
		if err := e.insistOn(ctx, do); err != nil {
			return err
		}
	}
	return nil
}

// prepareLoad makes the tables that are copied ready for their rows, and has the
// target look at the others, in this order: so it knows what those have to do
// without.
func (e *Engine) prepareLoad(ctx context.Context) error {
	c := e.copying
	if err := c.loader.PrepareLoad(ctx, c.shapes); err != nil || c.tables == nil {
		return err
	}
	var others []Mutation
	for _, m := range c.all {
		if !c.concerns(m.Source) {
			others = append(others, m)
		}
	}
	return e.prepareShapes(ctx, others)
}
