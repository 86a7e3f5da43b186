package cli

import (
	"context"
	"errors"

	"github.com/rowferry/rowferry"
	"github.com/rowferry/rowferry/checkpoint"
	"github.com/rowferry/rowferry/mapping"
)

// rehearsal is a run that writes nothing: an ordinary engine, of which the target is a
// drySink, and the state a copy that is thrown away.
type rehearsal struct {
	*wiring
	rules  *mapping.Rules
	sink   *drySink
	state  *checkpoint.Store
	tables bool // they are read, and not the log
}

// dryRun is `run --dry-run`.
func (in *invocation) dryRun(ctx context.Context, s *settings) error {
	if !s.once && s.until == "" {
		return rowferry.Errorf(rowferry.CodeUsage, "a dry run has to have an end").Remedy("say", "--once, or --until POS")
	}
	if len(s.resnapshot) > 0 {
		return rowferry.Errorf(rowferry.CodeUsage, "a dry run copies no tables again").Remedy("leave out", "--resnapshot, or --dry-run")
	}
	r, err := in.rehearse(ctx, s)
	if r == nil {
		return err
	}
	in.result = r
	if !in.json {
		if printErr := writeAll(in.stdout, r.text(in.outInk())); printErr != nil {
			return errors.Join(err, printErr)
		}
	}
	return err
}

// rehearse finds out what a run would do. Where it stopped on the way, the result is
// what was found until then; it is nil where nothing was.
func (in *invocation) rehearse(ctx context.Context, s *settings) (r *dryResult, err error) {
	switch {
	case s.targetScheme() == "jsonl":
		return nil, rowferry.Errorf(rowferry.CodeDryRun, "JSON lines take every row: there is nothing to foresee")
	case s.fromCSV():
		return nil, rowferry.Errorf(rowferry.CodeDryRun, "CSV files are not read twice: what a copy of them would do cannot be foreseen").
			Remedy("look", "rowferry plan")
	case s.part != nil:
		return nil, rowferry.Errorf(rowferry.CodeDryRun, "a partial copy cannot be foreseen").Remedy("look at all rows", "without --limit, --ids and --since")
	}
	x := &rehearsal{wiring: newWiring(in, s, s.modeOf("run", 0))}
	if x.rules, err = s.facing(ctx, in, x.warn); err != nil {
		return nil, err
	}
	if x.parts.Source, err = s.openSource(ctx, x.rules, x.budget, in); err != nil {
		return nil, err
	}
	if err := x.needStart(ctx); err != nil {
		return nil, err
	}
	err = in.planTarget(ctx, s, x.rules, x.parts.Source, func(sink rowferry.Sink) error {
		err := x.open(ctx, sink)
		if err == nil {
			r, err = x.run(ctx)
		}
		return errors.Join(err, x.close())
	})
	return r, x.mode.ended(ctx, err)
}

// open opens all parts, with the target as it is.
func (x *rehearsal) open(ctx context.Context, target rowferry.Sink) (err error) {
	s := x.settings
	x.parts.Sink = target
	if err := x.examine(ctx); err != nil {
		return err
	}
	if x.state, err = checkpoint.Fork(ctx, checkpoint.Options{Dir: s.state, Pipeline: s.name}); err != nil {
		return err
	}
	x.parts.State = x.state
	x.closers = append(x.closers, x.state.Close)
	if x.sink, err = newDrySink(target, x.state); err != nil {
		return err
	}
	x.closers = append(x.closers, x.sink.Close)
	x.parts.Sink = x.sink
	x.parts.Handler = mapping.NewHandler(x.rules, nil)
	if x.parts.Resolver, err = s.resolver(x.rules, x.sink); err != nil {
		return err
	}
	x.sink.resolver = x.parts.Resolver
	x.options = rowferry.Options{
		Pipeline: s.name, Config: x.rules.Hash(), Rules: x.rules.Canonical(), FromGiven: s.from != "", Log: x.in.log,
		Accept: s.accept, SameKeys: mapping.SameKeys, Ends: s.until != "", Throttle: x.throttle,
	}
	return x.openSource(ctx)
}

// openSource decides whether the log is read or the tables are.
func (x *rehearsal) openSource(ctx context.Context) error {
	s := x.settings
	row, err := x.sink.ReadCheckpoint(ctx, s.name)
	if err != nil {
		return err
	}
	known, err := x.state.Load(rowferry.MaxSequence)
	if err != nil {
		return err
	}
	phase := rowferry.CopyPhase("")
	switch {
	case row != nil:
		phase = row.Held.Copy.Phase
	case known != nil && known.Checkpoint.Held.Copy.Phase != "":
		phase = rowferry.Loading // it would begin anew
	}
	switch fresh := row == nil && known == nil; {
	case rowferry.CopyState{Phase: phase}.Going():
		return rowferry.Errorf(rowferry.CodeDryRun, "the pipeline is in the middle of a copy, which cannot be gone on with without writing").
			Fact("phase", "%s", phase).Remedy("finish it", "%s", s.again("run"))
	case fresh && x.copies():
		return x.openTables(ctx)
	case fresh && s.fromPostgres() && s.from == "latest":
		return rowferry.Errorf(rowferry.CodeDryRun, "a replication slot would be made, and there is nothing to read before it is").
			Remedy("look at the tables", "without --from")
	}
	x.parts.Source = withoutAcks(x.parts.Source)
	return nil
}

// openTables has the tables be read, in the order in which a copy would bring them.
func (x *rehearsal) openTables(ctx context.Context) error {
	if x.options.Ends {
		return rowferry.Errorf(rowferry.CodeUsage, "a pipeline without a checkpoint begins with a copy, which ends at no place in the log").Remedy("say", "--once")
	}
	source, ok := x.parts.Source.(rowferry.PartSource)
	if !ok {
		return rowferry.Errorf(rowferry.CodeDryRun, "the tables of this source cannot be read beside its log")
	}
	part, err := source.Part(ctx)
	if err != nil {
		return err
	}
	x.closers = append(x.closers, part.Close)
	tables := part.Tables()
	if err := rowferry.CheckCopyKeys(tables); err != nil {
		return err
	}
	order, err := x.settings.resolver(x.rules, x.sink) // told of the tables before the engine's is
	if err != nil {
		return err
	}
	staged := order != nil
	if staged {
		if err := rowferry.CheckStagedKeys(tables, !order.Keeps()); err != nil {
			return err
		}
		order.AwaitCircles()
		x.parts.Resolver.AwaitCircles()
	}
	x.sink.loads, x.tables = !staged, true
	all, err := orderedTables(mapping.NewHandler(x.rules, nil), order, tables)
	x.parts.Source = &tableSource{part: part, tables: all}
	return err
}

// run runs the engine to its end, and reports.
func (x *rehearsal) run(ctx context.Context) (*dryResult, error) {
	in := x.in
	lift := x.budget.apply(&x.options)
	defer lift()
	x.options.BatchTxs, x.options.Lanes = 1, 1
	engine, err := rowferry.Open(ctx, x.parts, x.options)
	if err != nil {
		return nil, err
	}
	stop := in.follow(ctx, x.wiring, engine.Progress)
	err = engine.Run(ctx)
	stop()
	r := x.result(engine)
	after, noteErr := x.noted(context.WithoutCancel(ctx))
	r.rest(after)
	if err = errors.Join(err, noteErr, engine.Close()); err != nil {
		r.Stopped = describe(problems(err))
		return r, err
	}
	return r, r.refused()
}

// noted counts what is recorded in the copy of the state directory.
func (x *rehearsal) noted(ctx context.Context) ([]mapping.Count, error) {
	known, err := x.state.Load(rowferry.MaxSequence)
	if known == nil || x.parts.Resolver == nil || err != nil {
		return nil, err
	}
	r, err := mapping.NewReader(x.rules, known.Shapes, x.tables || known.Checkpoint.Held.Copy.Began(), x.state)
	if err != nil {
		return nil, err
	}
	return r.Counts(ctx)
}
