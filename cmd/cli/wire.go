package cli

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"time"

	"github.com/rowferry/rowferry"
	"github.com/rowferry/rowferry/checkpoint"
	"github.com/rowferry/rowferry/mapping"
	"github.com/rowferry/rowferry/sink/jsonl"
	"github.com/rowferry/rowferry/sink/sqlite"
	"github.com/rowferry/rowferry/source/csv"
	"github.com/rowferry/rowferry/source/mysql"
	pgsource "github.com/rowferry/rowferry/source/postgres"
)

// wiring is one pipeline's parts, opened and ready for an engine.
type wiring struct {
	in       *invocation
	settings *settings
	mode     mode
	parts    rowferry.Parts
	options  rowferry.Options
	budget   budget
	monitor  *monitor
	throttle *rowferry.Throttle
	notices  []string       // of the target, about tables as they are made
	closers  []func() error // in the order of opening
}

func newWiring(in *invocation, s *settings, m mode) *wiring {
	w := &wiring{in: in, settings: s, mode: m, budget: divide(s.memory), throttle: rowferry.NewThrottle(s.throttle)}
	w.monitor = newMonitor(w)
	return w
}

// open opens everything a pipeline needs: the state first, so that a second
// engine stops before it touches the target. What failed half way is closed by
// close.
func (w *wiring) open(ctx context.Context) error {
	s, in := w.settings, w.in
	rules, err := s.rules()
	if err != nil {
		return err
	}
	if w.parts.Source, err = s.openSource(ctx, rules, w.budget, in); err != nil {
		return err
	}
	if _, ok := w.parts.Source.(rowferry.Fetcher); !ok && rules.Fetches() {
		return rowferry.Errorf(rowferry.CodeKeyRefused, "'missing_parent: fetch' reads rows of the source, and this one is no server that can be asked").
			Fact("source", "%s", s.sourceText()).Remedy("wait for them", "missing_parent: wait")
	}
	if err := w.needStart(ctx); err != nil {
		return err
	}
	state, err := s.openState(ctx)
	if err != nil {
		return err
	}
	w.parts.State = state
	w.closers = append(w.closers, state.Close)
	w.serve()
	var events func(string) // nil where the target's foreign keys act
	if s.targetScheme() == "jsonl" {
		events = w.notice
	}
	if err := w.patiently(ctx, func() (err error) { rules, err = s.facing(ctx, in, w.warn); return err }); err != nil {
		return err
	}
	w.parts.Handler = mapping.NewHandler(rules, events)
	err = w.patiently(ctx, func() (err error) {
		w.parts.Sink, err = s.openSink(ctx, in, w.notice)
		return err
	})
	if err != nil {
		return err
	}
	w.closers = append(w.closers, w.parts.Sink.Close)
	if w.parts.Resolver, err = s.resolver(rules, w.parts.Sink); err != nil {
		return err
	}
	w.options = rowferry.Options{
		Pipeline: s.name, Config: rules.Hash(), Rules: rules.Canonical(), FromGiven: s.from != "", Log: in.log,
		Accept: s.accept, SameKeys: mapping.SameKeys,
		Copy: w.copies(), Ends: s.until != "", CopyWorkers: s.copies.workers, ChunkRows: s.copies.rows, Orphans: s.copies.orphans, Part: s.part,
		Throttle: w.throttle, Patience: w.mode.patience, LongestPause: min(rowferry.DefaultLongestPause, s.shortestTimeout()/4),
	}
	if len(s.resnapshot) > 0 {
		if w.options.Recopy, err = rules.Recopy(s.resnapshot); err != nil {
			return err
		}
	}
	if w.options.Wishes, err = s.notedWishes(); err != nil {
		return err
	}
	w.options.Granted = w.wishesDone
	return w.examine(ctx)
}

// resolver gives rows the target's keys; nil where they are the source's.
func (s *settings) resolver(rules *mapping.Rules, sink rowferry.Sink) (rowferry.Resolver, error) {
	keys, _ := sink.(rowferry.Reserver)
	r, err := mapping.NewResolver(rules, keys, mapping.Limits{Waiting: s.waiting, Rejects: s.rejects.most})
	if r == nil || err != nil {
		return nil, err
	}
	if _, ok := sink.(rowferry.CheckpointKeeper); !ok {
		return nil, rowferry.Errorf(rowferry.CodeKeyRefused, "this target keeps no keys of its own: 'key', 'missing_parent', 'where_parent' and 'on_reject' are for databases")
	}
	return r, nil
}

func (w *wiring) notice(text string) { w.notices = append(w.notices, text) }

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
	o := mapping.Options{Tables: s.tables, Renames: s.renames, Postgres: s.fromPostgres(), Entities: s.entities, OnReject: s.rejects.policy, Pipeline: s.name, Custom: s.handlers}
	switch s.targetScheme() {
	case "mysql", "mariadb":
		o.Namespaces, o.Into = true, s.sink.endpoint.Database
	case "postgres", "jsonl":
		o.Namespaces = true
	}
	return mapping.New(o)
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

// source is the log that the settings name. What can be told to be wrong is
// told here, before anything is made or asked.
func (s *settings) openSource(ctx context.Context, rules *mapping.Rules, b budget, in *invocation) (rowferry.Source, error) {
	switch {
	case s.fromPostgres():
		return s.openSlot(ctx, rules, b, in)
	case s.fromCSV():
		return s.openCSV(rules)
	}
	for _, p := range []string{s.from, s.until} {
		if p == "" {
			continue
		}
		if _, err := mysql.ParsePosition(p); err != nil {
			return nil, err
		}
	}
	if s.source.given() {
		return s.openLive(ctx, rules, b, in)
	}
	if err := checkFiles(s.files); err != nil {
		return nil, err
	}
	return mysql.Files(mysql.Options{
		Paths: s.files, From: s.from, Until: s.until, Scope: rules.InScope, Dump: s.schema,
		ChunkBytes: b.ChunkBytes, Log: in.log,
	}), nil
}

// openState opens the state directory for one engine or command alone.
func (s *settings) openState(ctx context.Context) (*checkpoint.Store, error) {
	return checkpoint.Open(ctx, checkpoint.Options{Dir: s.state, Pipeline: s.name, Recent: divide(s.memory).Recent})
}

// openSink opens the target for writing. notice is told about tables as they
// are made.
func (s *settings) openSink(ctx context.Context, in *invocation, notice func(string)) (rowferry.Sink, error) {
	if s.sink.given() {
		rules, err := s.rules()
		if err != nil {
			return nil, err
		}
		return s.openServer(ctx, in, opening{create: s.create, inScope: rules.Fills, triggers: s.triggers, byKey: s.match == matchKey, notice: notice})
	}
	scheme, path, err := splitURL(s.target)
	if err != nil {
		return nil, err
	}
	switch scheme {
	case "sqlite":
		return sqlite.Open(ctx, path, sqlite.Options{CreateTables: s.create, Triggers: s.triggers, ByKey: s.match == matchKey, Notice: notice})
	case "jsonl":
		if path == "-" {
			return jsonl.Stream(in.stdout, "standard output", jsonl.Options{}), nil
		}
		return jsonl.Open(path, jsonl.Options{})
	default:
		return nil, checkTarget(s.target)
	}
}

// openKeeper opens the target for its checkpoints, to read them or to write
// them too. It returns nil where the target keeps none or, to read, does not
// exist: looking makes nothing.
func (s *settings) openKeeper(ctx context.Context, in *invocation, readOnly bool) (rowferry.CheckpointKeeper, error) {
	if s.sink.given() {
		return s.openServer(ctx, in, opening{readOnly: readOnly})
	}
	scheme, path, err := splitURL(s.target)
	if err != nil {
		return nil, err
	}
	switch scheme {
	case "sqlite":
		if _, err := os.Stat(path); readOnly && errors.Is(err, fs.ErrNotExist) {
			return nil, nil
		}
		sink, err := sqlite.Open(ctx, path, sqlite.Options{ReadOnly: readOnly})
		if err != nil {
			return nil, err // and not a nil *Sink in an interface
		}
		return sink, nil
	case "jsonl":
		return nil, nil
	default:
		return nil, checkTarget(s.target)
	}
}

// peeked is what can be seen of a state directory from outside.
type peeked struct {
	exists     bool
	holder     string // who has it open; "" when nobody does
	id         string
	other      string               // the pipeline it belongs to, where that is another
	checkpoint *rowferry.Checkpoint // nil where there is none, or somebody has it open
}

// peek looks at the state directory and leaves it as it is.
func (s *settings) peek(ctx context.Context) (peeked, error) {
	g, err := checkpoint.Peek(s.state)
	if err != nil || g == nil {
		return peeked{}, err
	}
	p := peeked{exists: true, id: g.ID}
	switch {
	case g.Holder != nil && g.Holder.PID == 0:
		p.holder = "another process"
	case g.Holder != nil:
		p.holder = fmt.Sprintf("process %d since %s", g.Holder.PID, g.Holder.Since.UTC().Format(time.RFC3339))
	}
	if g.Pipeline != s.name {
		p.other = g.Pipeline
	}
	if p.holder != "" || p.other != "" {
		return p, nil
	}
	store, err := checkpoint.Open(ctx, checkpoint.Options{Dir: s.state, Pipeline: s.name, ReadOnly: true, LockWait: -1})
	if rowferry.CodeOf(err) == rowferry.CodeStateLocked {
		p.holder = "another process" // it came between
		return p, nil
	}
	if err != nil {
		return p, err
	}
	known, err := store.Load(rowferry.MaxSequence)
	if known != nil {
		p.checkpoint = &known.Checkpoint
	}
	return p, errors.Join(err, store.Close())
}

// The kinds of positions that are not MySQL's and MariaDB's: PostgreSQL's, and the
// one of CSV files.
const (
	positionLSN = "LSN"
	positionCSV = "CSV"
)

// parsePosition reads a place in a log that can stand in a checkpoint. Positions
// of two kinds are never of one pipeline.
func parsePosition(text string) (p rowferry.Position, kind string, err error) {
	if text == csv.Position {
		return csv.Position, positionCSV, nil
	}
	if strings.Contains(text, "/") && !strings.Contains(text, ":") { // as no other kind has
		p, err := pgsource.ParsePosition(text)
		return p, positionLSN, err
	}
	parsed, err := mysql.ParsePosition(text)
	if err != nil {
		return "", "", err
	}
	if !parsed.Concrete() {
		return "", "", rowferry.Errorf(rowferry.CodeBadPosition, "%s is not a place in a log by itself", text).
			Remedy("write", "mysql-bin.000042:1337, a GTID set, or an LSN, 16/B374D848")
	}
	return rowferry.Position(parsed.String()), fmt.Sprint(parsed.Kind), nil
}
