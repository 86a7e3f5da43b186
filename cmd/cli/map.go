package cli

import (
	"context"
	"encoding/json"
	"errors"
	"strconv"

	"github.com/rowferry/rowferry"
	"github.com/rowferry/rowferry/checkpoint"
	"github.com/rowferry/rowferry/mapping"
)

// defaultLimit is how many rows are printed where --limit does not say.
const defaultLimit = 100

var pairsOption = &option{name: "limit", value: "NUMBER", usage: "how many are printed at most; 0 is all", def: strconv.Itoa(defaultLimit)}

func mapCommand() *command {
	return &command{
		name:    "map",
		summary: "which key a row has in the target, and which rows wait for others",
		about:   "Tells what is recorded in the state directory about rows whose keys are not the source's (`key`, `references` and `missing_parent` in the configuration). A running engine is asked through the socket in the state directory; where none runs, a private copy of the directory's database is read. What is recorded may be one batch ahead of the target: a batch is recorded before it is committed there.\n\nTables have their names in the source: database.table, or schema.table of PostgreSQL. A key is written as its values with commas between, in the order of the table's key: a value that begins with - or has a comma stands in double quotes, a binary one is hexadecimal after 0x.",
		example: "rowferry map lookup -c shop.yaml shop.orders 17",
		sub: []*command{
			{
				name: "lookup", args: "TABLE KEY[,KEY…]", maxArgs: 2,
				summary: "tell where one row is: its keys, and what it waits for",
				about:   "The status is one of: applied, the row is in the target under the key that is printed; waiting, it waits for another row, and a target key is printed where an earlier version of it is there; filtered, its own filter or its parent's leaves it out; kept or computed, nothing is noted of the table's rows, and where the row is there, it has this key; unknown, it is not there. None of them is an error.\n\nWith --by-target, where keys are noted, those of the table are gone through.",
				example: "rowferry map lookup -c shop.yaml --by-target shop.orders 1000017",
				options: append([]*option{{name: "by-target", usage: "the key is the target's"}}, pipelineOptions...),
				run:     mapLookup,
			},
			{
				name: "list", args: "[TABLE]", maxArgs: 1,
				summary: "list the keys that are noted, or how many there are of each table",
				about:   "With a table, prints its keys in the source and in the target, in the order of the source's: numbers by size, texts by length first. Without one, counts of each table what is noted, which it goes through: keys that are mapped, rows that are noted as left out by a filter, rows that wait, rows that were put aside, and the bytes that this is, before keys are packed together.",
				example: "rowferry map list -c shop.yaml --limit 0 shop.orders",
				options: append([]*option{pairsOption}, pipelineOptions...),
				run:     mapList,
			},
			{
				name:    "waiting",
				summary: "list the rows that wait, for what, and since when",
				about:   "In the order in which they began to wait. Since is the source's commit of the change that waits, and behind is the number of rows that wait for this one.",
				example: "rowferry map waiting -c shop.yaml",
				options: append([]*option{pairsOption}, pipelineOptions...),
				run:     mapWaiting,
			},
			mapExportCommand(),
			mapImportCommand(),
		},
	}
}

// mapArgs is what is asked of the map, also of a running engine.
type mapArgs struct {
	Pipeline string `json:"pipeline"`
	What     string `json:"what"` // lookup, pairs, counts or waiting
	Table    string `json:"table,omitempty"`
	Key      string `json:"key,omitempty"`
	ByTarget bool   `json:"by_target,omitempty"`
	Limit    int    `json:"limit,omitempty"` // 0 is none
}

// answer calls emit with what was asked for.
func (a mapArgs) answer(ctx context.Context, r *mapping.Reader, emit func(any) error) error {
	left := a.Limit
	limited := func(item any) error {
		if err := emit(item); err != nil {
			return err
		}
		if left--; left == 0 {
			return mapping.ErrEnough
		}
		return nil
	}
	switch a.What {
	case "lookup":
		find := r.Lookup
		if a.ByTarget {
			find = func(table, key string) (*mapping.Found, error) { return r.LookupTarget(ctx, table, key) }
		}
		f, err := find(a.Table, a.Key)
		if err != nil {
			return err
		}
		return emit(viewRow(f))
	case "pairs":
		return r.Pairs(ctx, a.Table, func(p mapping.Pair) error {
			return limited(mapPair{mapping.KeyTexts(p.Key), mapping.KeyTexts(p.Target), string(p.Met), p.Filtered})
		})
	case "counts":
		counts, err := r.Counts(ctx)
		for i := range counts {
			err = errors.Join(err, emit(viewCount(&counts[i])))
		}
		return err
	case "waiting":
		return r.Waiting(ctx, func(w *mapping.WaitingRow) error { return limited(viewWaiting(w)) })
	default:
		return rowferry.Errorf(rowferry.CodeUsage, "%q cannot be asked of the map", a.What)
	}
}

// tellMap answers the list of that name.
func (m *monitor) tellMap(ctx context.Context, raw json.RawMessage, emit func(any) error) error {
	var a mapArgs
	r, err := m.asked(raw, &a, &a.Pipeline)
	if err != nil {
		return err
	}
	return a.answer(ctx, r, emit)
}

// asked reads a request into a, of which pipeline is a part and has to be this
// engine's, and returns what answers it.
func (m *monitor) asked(raw json.RawMessage, a any, pipeline *string) (*mapping.Reader, error) {
	if err := json.Unmarshal(raw, a); err != nil {
		return nil, rowferry.Errorf(rowferry.CodeUsage, "this is not a request: %w", err)
	}
	if own := m.w.settings.name; *pipeline != own {
		return nil, rowferry.Errorf(rowferry.CodeNoEngine, "the engine in this state directory runs pipeline %q, not %q", own, *pipeline)
	}
	return m.reader()
}

// reader reads what the running engine has recorded.
func (m *monitor) reader() (*mapping.Reader, error) {
	m.mu.Lock()
	notes := m.notes
	m.mu.Unlock()
	if notes == nil {
		return nil, rowferry.Errorf(rowferry.CodeNoEngine, "the engine is starting or ending, and cannot tell yet").Remedy("wait", "a moment, and ask again")
	}
	return notes()
}

// askMap asks the engine that runs the pipeline or, where none does, the state
// directory.
func askMap[T any](ctx context.Context, s *settings, a mapArgs, fn func(T) error) error {
	a.Pipeline = s.name
	err := listFromEngine(ctx, s.state, "map", a, func(raw json.RawMessage) error {
		var item T
		if err := json.Unmarshal(raw, &item); err != nil {
			return err
		}
		return fn(item)
	})
	if !errors.Is(err, errNoEngine) {
		return err
	}
	return s.readNotes(ctx, func(r *mapping.Reader) error {
		return a.answer(ctx, r, func(item any) error { return fn(item.(T)) })
	})
}

// readNotes reads the notes of a pipeline that no engine runs.
func (s *settings) readNotes(ctx context.Context, fn func(*mapping.Reader) error) (err error) {
	rules, err := s.rules()
	if err != nil {
		return err
	}
	store, err := checkpoint.Open(ctx, checkpoint.Options{Dir: s.state, Pipeline: s.name, ReadOnly: true, LockWait: -1})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	known, err := store.Load(rowferry.MaxSequence)
	switch {
	case err != nil:
		return err
	case known == nil:
		return noCheckpoint(s)
	case known.Checkpoint.Config != rules.Recalling(known.Rules).Hash():
		return rowferry.Errorf(rowferry.CodeConfigChanged, "the rules of pipeline %q are not those its rows were applied with", s.name).
			Fact("then", "%s", known.Rules).Fact("now", "%s", rules.Canonical()).
			Remedy("give", "the pipeline's own configuration, with -c")
	}
	r, err := mapping.NewReader(rules.Recalling(known.Rules), known.Shapes, known.Checkpoint.Held.Copy.Began(), store)
	if err != nil {
		return err
	}
	return fn(r)
}

// limit is how many are to be printed; 0 is all.
func (in *invocation) limit() (int, error) {
	if !in.given("limit") {
		return defaultLimit, nil
	}
	n, err := strconv.Atoi(in.text("limit"))
	if err != nil || n < 0 {
		return 0, rowferry.Errorf(rowferry.CodeBadValue, "--limit takes a number from 0 on, not %q", in.text("limit"))
	}
	return n, nil
}
