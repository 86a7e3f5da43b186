package cli

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/rowferry/rowferry"
	"github.com/rowferry/rowferry/checkpoint"
	"github.com/rowferry/rowferry/mapping"
	"github.com/rowferry/rowferry/sink/jsonl"
	"github.com/rowferry/rowferry/sink/sqlite"
	"github.com/rowferry/rowferry/source/mysql"
)

// wiring is one pipeline's parts, opened and ready for an engine.
type wiring struct {
	settings *settings
	parts    rowferry.Parts
	options  rowferry.Options
	budget   budget
	closers  []func() error // in the order of opening
}

// openWiring opens everything a pipeline needs: the state first, so that a
// second engine stops before it touches the target.
func openWiring(ctx context.Context, in *invocation, s *settings) (*wiring, error) {
	w := &wiring{settings: s, budget: divide(s.memory)}
	if err := w.open(ctx, in); err != nil {
		return nil, errors.Join(err, w.close())
	}
	return w, nil
}

func (w *wiring) open(ctx context.Context, in *invocation) error {
	s := w.settings
	rules, err := s.rules()
	if err != nil {
		return err
	}
	if w.parts.Source, err = s.source(rules, in); err != nil {
		return err
	}
	state, err := s.openState(ctx, w.budget, in)
	if err != nil {
		return err
	}
	w.parts.State = state
	w.closers = append(w.closers, state.Close)
	sink, err := s.openSink(ctx, rules, w.budget, in)
	if err != nil {
		return err
	}
	w.parts.Sink = sink
	w.closers = append(w.closers, sink.Close)
	w.parts.Handler = mapping.NewHandler(rules)
	w.options = rowferry.Options{
		Pipeline: s.name, Config: rules.Hash(), Rules: rules.Canonical(), FromGiven: s.from != "", Log: in.log,
	}
	return nil
}

// close closes the parts, the last opened first.
func (w *wiring) close() error {
	var errs []error
	for i := len(w.closers) - 1; i >= 0; i-- {
		errs = append(errs, w.closers[i]())
	}
	w.closers = nil
	return errors.Join(errs...)
}

// rules are the mapping rules that the settings mean.
func (s *settings) rules() (*mapping.Rules, error) {
	return mapping.New(mapping.Options{Tables: s.tables, Renames: s.renames, Namespaces: s.namespaces()})
}

// namespaces reports whether the target keeps the source's databases apart.
func (s *settings) namespaces() bool {
	scheme, _, err := splitURL(s.target)
	return err == nil && scheme == "jsonl"
}

func checkPattern(text string) error {
	_, err := mapping.New(mapping.Options{Tables: []string{text}})
	return err
}

func checkEntity(text string) error {
	_, err := mapping.New(mapping.Options{Renames: map[string]string{text: "t"}})
	return err
}

func checkTargetName(text string) error {
	_, err := mapping.New(mapping.Options{Renames: map[string]string{"db.t": text}})
	return err
}

// source is the log that the settings name.
func (s *settings) source(rules *mapping.Rules, in *invocation) (rowferry.Source, error) {
	files, err := expandFiles(s.files)
	if err != nil {
		return nil, err
	}
	for _, p := range []string{s.from, s.until} {
		if p == "" {
			continue
		}
		if _, err := mysql.ParsePosition(p); err != nil {
			return nil, err
		}
	}
	return mysql.Files(mysql.Options{
		Paths: files, From: s.from, Until: s.until, Scope: rules.InScope, Dump: s.schema, Log: in.log,
	}), nil
}

// openState opens the state directory for one engine or command alone.
func (s *settings) openState(ctx context.Context, b budget, in *invocation) (*checkpoint.Store, error) {
	return checkpoint.Open(ctx, checkpoint.Options{Dir: s.state, Pipeline: s.name, Memory: b.StateBytes, Log: in.log})
}

// openSink opens the target.
func (s *settings) openSink(ctx context.Context, rules *mapping.Rules, b budget, in *invocation) (rowferry.Sink, error) {
	scheme, path, err := splitURL(s.target)
	if err != nil {
		return nil, err
	}
	switch scheme {
	case "sqlite":
		return sqlite.Open(ctx, path, sqlite.Options{CreateTables: s.create, Triggers: s.triggers, CacheBytes: b.SinkBytes})
	case "jsonl":
		return jsonl.Open(path, in.stdout)
	default:
		return nil, checkTarget(s.target)
	}
}

// openKeeper opens the target to read its checkpoints. It returns nil where
// the target keeps none, or does not exist: looking makes nothing.
func (s *settings) openKeeper(ctx context.Context, in *invocation) (rowferry.CheckpointKeeper, error) {
	scheme, path, err := splitURL(s.target)
	if err != nil {
		return nil, err
	}
	if scheme == "sqlite" {
		if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
			return nil, nil
		}
	}
	return s.makeKeeper(ctx, in)
}

// makeKeeper opens the target, making it where it is missing. It returns nil
// where the target keeps no checkpoints.
func (s *settings) makeKeeper(ctx context.Context, in *invocation) (rowferry.CheckpointKeeper, error) {
	if scheme, _, err := splitURL(s.target); err != nil || scheme == "jsonl" {
		return nil, err
	}
	rules, err := s.rules()
	if err != nil {
		return nil, err
	}
	sink, err := s.openSink(ctx, rules, divide(s.memory), in)
	if err != nil {
		return nil, err
	}
	keeper, ok := sink.(rowferry.CheckpointKeeper)
	if !ok {
		return nil, errors.Join(fmt.Errorf("target %s keeps no checkpoint", s.target), sink.Close())
	}
	return keeper, nil
}

// peeked is what can be seen of a state directory from outside.
type peeked struct {
	exists     bool
	locked     bool // an engine has it
	id         string
	checkpoint *rowferry.Checkpoint // nil where there is none, or it is locked
}

func (s *settings) peek() (peeked, error) {
	p, err := checkpoint.Peek(s.state)
	if err != nil {
		return peeked{}, err
	}
	return peeked{exists: p.Exists, locked: p.Locked, id: p.ID, checkpoint: p.Checkpoint}, nil
}

// parsePosition reads a place in a log that can stand in a checkpoint.
func parsePosition(text string) (rowferry.Position, mysql.PositionKind, error) {
	p, err := mysql.ParsePosition(text)
	if err != nil {
		return "", 0, err
	}
	if !p.Concrete() {
		return "", 0, rowferry.Errorf(rowferry.CodeBadPosition, "%s is not a place in a log by itself", text).
			Remedy("write", "mysql-bin.000042:1337, or a GTID set")
	}
	return rowferry.Position(p.String()), p.Kind, nil
}
