package cli

import (
	"context"
	"errors"
	"os"

	"github.com/rowferry/rowferry"
	"github.com/rowferry/rowferry/checkpoint"
	"github.com/rowferry/rowferry/mapping"
	"github.com/rowferry/rowferry/sink/jsonl"
)

func tailCommand() *command {
	return &command{
		name:    "tail",
		summary: "print the changes in binlog files",
		about: "Prints every change in log order: before and after, coloured, on a terminal; one JSON object per line otherwise, in the form that the jsonl target writes. --output overrides that. A transaction is printed when its end has been read, so what was rolled back is not printed.\n\n" +
			"Nothing is written and no position is kept.",
		example: "rowferry tail --files /backup/mysql-bin.000042 --tables 'shop.orders'",
		options: []*option{filesOption, fromOption, untilOption, tablesOption, schemaOption, memoryOption},
		run:     tail,
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
		err = s.need("files")
	}
	if err != nil {
		return err
	}
	rules, err := mapping.New(mapping.Options{Tables: s.tables, Namespaces: true})
	if err != nil {
		return err
	}
	source, err := s.openSource(ctx, rules, divide(s.memory), in)
	if err != nil {
		return err
	}
	var sink rowferry.Sink = newDiffSink(in.stdout, in.outInk())
	if lines {
		sink = jsonl.Stream(in.stdout, "standard output", jsonl.Options{})
	}
	state := &forgetful{ctx: ctx}
	err = tailWith(ctx, in, rowferry.Parts{Source: source, Handler: mapping.NewHandler(rules), Sink: sink, State: state}, divide(s.memory))
	return errors.Join(err, sink.Close(), state.Close())
}

// tailResult is what the envelope says of a tail.
type tailResult struct {
	Transactions uint64   `json:"transactions"`
	Rows         uint64   `json:"rows"`
	Position     string   `json:"position"`
	Notices      []string `json:"notices"`
}

func tailWith(ctx context.Context, in *invocation, parts rowferry.Parts, b budget) error {
	o := rowferry.Options{Pipeline: "tail", Log: in.log}
	lift := b.apply(&o)
	defer lift()
	engine, err := rowferry.Open(ctx, parts, o)
	if err != nil {
		return err
	}
	err = engine.Run(ctx)
	p := engine.Progress()
	in.result = tailResult{p.Transactions, p.Rows, string(p.Position), append([]string{}, engine.Notices()...)}
	if !in.json {
		for _, n := range engine.Notices() {
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
