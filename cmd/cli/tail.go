package cli

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"math"
	"os"
	"slices"

	"github.com/rowferry/rowferry"
	"github.com/rowferry/rowferry/checkpoint"
	"github.com/rowferry/rowferry/mapping"
	"github.com/rowferry/rowferry/sink/jsonl"
)

func tailCommand() *command {
	return &command{
		name:    "tail",
		summary: "print the changes of a server, or in binlog files",
		about: "Prints every change in log order: before and after, coloured, on a terminal; one JSON object per line otherwise, in the form that the jsonl target writes. --output overrides that. A transaction is printed when its end has been read, so what was rolled back is not printed.\n\n" +
			"A server is followed from now on, or from --from, until the command is interrupted. Nothing is written and no position is kept. A PostgreSQL server is followed from now on only, by a slot that ends with the command, and needs a publication: that of the pipeline, or source.publication.",
		example: "rowferry tail --files /backup/mysql-bin.000042 --tables 'shop.orders'",
		options: []*option{
			filesOption, sourceOption, tailFromOption, onceOption, tailUntilOption, tablesOption, schemaOption, memoryOption, patienceOption,
		},
		run: tail,
	}
}

// tail runs an ordinary engine: the target is standard output, names stay as
// they are, and the state forgets.
func tail(ctx context.Context, in *invocation) error {
	in.stdoutTaken = true
	lines := !in.outTerminal
	if in.asked {
		lines = in.json
	}
	s, err := in.settings()
	if err == nil {
		err = errors.Join(s.need("source"), s.needLog("tail"))
	}
	if err != nil {
		return err
	}
	if s.source.given() && s.from == "" {
		s.from = "latest"
	}
	// The pipeline's own number would take its engine's place at the source.
	s.serverID = 0
	if s.fromPostgres() {
		s.passing = true
		s.slot.slot = passingSlot()
	}
	w := newWiring(in, s, s.modeOf("tail", math.MaxInt64))
	rules, err := mapping.New(mapping.Options{Tables: s.tables, Namespaces: true, Postgres: s.fromPostgres()})
	if err != nil {
		return err
	}
	w.parts.Handler = mapping.NewHandler(rules, w.notice)
	if w.parts.Source, err = s.openSource(ctx, rules, w.budget, in); err != nil {
		return err
	}
	w.parts.Sink = newDiffSink(in.stdout, in.outInk())
	if lines {
		w.parts.Sink = jsonl.Stream(in.stdout, "standard output", jsonl.Options{})
	}
	state := &forgetful{ctx: ctx}
	w.parts.State = state
	w.closers = append(w.closers, state.Close, w.parts.Sink.Close)
	return w.mode.ended(ctx, errors.Join(w.print(ctx), w.close()))
}

// passingSlot is a name that no slot has.
func passingSlot() string {
	var b [8]byte
	_, _ = rand.Read(b[:]) // documented never to fail
	return "rowferry_tail_" + hex.EncodeToString(b[:])
}

// tailResult is what the envelope says of a tail.
type tailResult struct {
	Transactions uint64   `json:"transactions"`
	Rows         uint64   `json:"rows"`
	Position     string   `json:"position"`
	Notices      []string `json:"notices"`
}

func (w *wiring) print(ctx context.Context) error {
	in := w.in
	o := rowferry.Options{Pipeline: "tail", Log: in.log, Patience: w.mode.patience}
	lift := w.budget.apply(&o)
	defer lift()
	var engine *rowferry.Engine
	err := w.patiently(ctx, func() (err error) {
		engine, err = rowferry.Open(ctx, w.parts, o)
		return err
	})
	if err != nil {
		return err
	}
	in.log.Debug("following", "from", engine.Resume().From)
	err = engine.Run(ctx)
	p := engine.Progress()
	notices := append([]string{}, slices.Concat(w.notices, engine.Notices())...)
	in.result = tailResult{p.Transactions, p.Rows, string(p.Position), notices}
	if !in.json {
		for _, n := range notices {
			in.log.Warn(n)
		}
	}
	return errors.Join(err, engine.Close())
}

// forgetful is a State that remembers nothing. A transaction larger than
// memory still has to lie somewhere until its end is known: a temporary
// directory, made when first needed and removed by Close.
type forgetful struct {
	ctx   context.Context
	dir   string
	store *checkpoint.Store
}

var _ rowferry.State = (*forgetful)(nil)

func (*forgetful) ID() string                                { return "none" }
func (*forgetful) Load(uint64) (*rowferry.Remembered, error) { return nil, nil }
func (*forgetful) Record(rowferry.Record) error              { return nil }
func (*forgetful) DiscardAfter(uint64) error                 { return nil }
func (*forgetful) Reset() error                              { return nil }
func (*forgetful) Get([]byte) ([]byte, error)                { return nil, nil }
func (*forgetful) DropStage() error                          { return nil }

// Stage implements rowferry.State.
func (*forgetful) Stage(bool) (rowferry.Stage, error) {
	return nil, rowferry.Errorf(rowferry.CodeInternal, "nothing is copied that is only shown")
}

// Scan implements rowferry.State.
func (*forgetful) Scan([]byte, func(key, value []byte) error) error { return nil }

// Spool implements rowferry.State.
func (f *forgetful) Spool() (rowferry.Spool, error) {
	if f.store == nil {
		dir, err := os.MkdirTemp("", "rowferry-tail-")
		if err != nil {
			return nil, rowferry.Errorf(rowferry.CodeStateUnwritable, "a large transaction needs a temporary directory: %w", err)
		}
		f.dir = dir
		if f.store, err = checkpoint.Open(f.ctx, checkpoint.Options{Dir: dir, Pipeline: "tail"}); err != nil {
			return nil, err
		}
	}
	return f.store.Spool()
}

// Close removes the temporary directory.
func (f *forgetful) Close() error {
	var err error
	if f.store != nil {
		err = f.store.Close()
	}
	if f.dir != "" {
		err = errors.Join(err, os.RemoveAll(f.dir))
	}
	return err
}
