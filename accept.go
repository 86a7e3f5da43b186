package rowferry

import (
	"context"
	"errors"
)

// accept refuses a checkpoint that the options contradict.
func (e *Engine) accept(ctx context.Context, at Checkpoint, rules string) error {
	if err := errors.Join(removal(at), e.refusePart(at)); err != nil {
		return err
	}
	if err := e.sameRules(at, rules); err != nil {
		return err
	}
	if err := errors.Join(e.sameOrphans(at), e.rejectsLeft(at)); err != nil {
		return err
	}
	if !e.opts.FromGiven {
		return nil
	}
	conflict := Errorf(CodeFromConflict, "--from is not the start that pipeline %q was given", at.Pipeline).
		Fact("checkpoint", "%s", at.Position).Fact("start", "%s", at.Start).
		Remedy("resume", "run the same command without --from").
		Remedy("move", "rowferry checkpoint set").
		Remedy("start over", "use another --name and another target")
	r, err := e.parts.Source.Open(ctx, Start{Peek: true})
	if err != nil {
		return errors.Join(conflict, err)
	}
	same := r.Begin() == at.Start
	if err := r.Close(); err != nil {
		return err
	}
	if !same {
		return conflict
	}
	e.opts.Log.Info("--from is the start this pipeline was given; resuming from its checkpoint", "start", at.Start, "checkpoint", at.Position)
	return nil
}

// sameRules refuses other rules than those that rows were applied with, unless they
// are accepted: those rows would be wrong or missing under the rules of now.
func (e *Engine) sameRules(at Checkpoint, rules string) error {
	if at.Config == e.opts.Config {
		return nil
	}
	keys := rules != "" && (e.opts.SameKeys == nil || e.opts.SameKeys(rules, e.opts.Rules))
	if e.opts.Accept && keys && !at.Held.Copy.Going() {
		e.opts.Log.Warn("going on under other rules; rows that are there stay as they are", "then", rules, "now", e.opts.Rules)
		return nil
	}
	if r := e.opts.Recopy; r != nil && rules != "" && r.Only(rules, e.opts.Rules) && !at.Held.Copy.Going() {
		return nil
	}
	err := Errorf(CodeConfigChanged, "the rules of pipeline %q are not those its rows were applied with", at.Pipeline)
	if rules != "" {
		err.Fact("then", "%s", rules)
	}
	err.Fact("now", "%s", e.opts.Rules).Remedy("undo", "restore the former tables and entities settings")
	switch {
	case at.Held.Copy.Going():
		err.Fact("copy", "it is %s, and has to end under the former rules", at.Held.Copy.Phase)
	case keys:
		err.Remedy("copy tables again", "rowferry run --resnapshot, with those that the change is about").
			Remedy("leave rows as they are", "rowferry run --accept-config")
	case rules != "":
		err.Fact("keys", "rows would get other keys than those that are there, which nothing could find any more")
	}
	return err.Remedy("start over", "use another --name and another target")
}
