package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/rowferry/rowferry"
	"github.com/rowferry/rowferry/mapping"
)

// importNotes is how many notes are recorded at once.
const importNotes = 20_000

func mapImportCommand() *command {
	return &command{
		name: "import", args: "[FILE]", maxArgs: 1,
		summary: "note keys that were exported",
		about:   "Reads what `map export` wrote, from FILE or standard input, and notes the keys in the state directory. All of them or none: it is refused, and nothing is changed, where the pipeline is at another place than it was, or has other rules, where rows waited or an engine ran when the file was written, and where another key of a row is noted. No engine may be running. That the target has the rows is not checked.\n\nTo move a pipeline to a new state directory: `checkpoint export` and `map export`; there, `checkpoint import` and then `map import`.",
		example: "rowferry map import -c shop.yaml keys.jsonl",
		options: pipelineOptions,
		run:     mapImport,
	}
}

// mapImported is what an import did.
type mapImported struct {
	Rows  int64 `json:"rows"`  // in the file
	Fresh int64 `json:"fresh"` // that were not noted before
}

func mapImport(ctx context.Context, in *invocation) (err error) {
	s, err := in.mapSettings()
	if err != nil {
		return err
	}
	from := in.stdin
	if len(in.args) > 0 {
		f, err := os.Open(in.args[0])
		if err != nil {
			return badMap("the map cannot be read: %w", err)
		}
		defer func() { _ = f.Close() }() // only read from
		from = f
	}
	h, err := hold(ctx, in, s)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, h.close()) }()
	done, err := h.importMap(ctx, from)
	if err != nil {
		return err
	}
	if in.result = done; in.json {
		return nil
	}
	return writeAll(in.stdout, fmt.Sprintf("%s pipeline %s has the keys of %s, of which %s noted before\n", in.outInk().good("✓"), s.name,
		plural(uint64(done.Rows), "row", "rows"), plural(uint64(done.Rows-done.Fresh), "was", "were")))
}

// importMap notes the keys of a file, in records that the target knows nothing of
// before the last: where one fails, those before it never were.
func (h *held) importMap(ctx context.Context, from io.Reader) (*mapImported, error) {
	file, err := newMapReader(from)
	if err != nil {
		return nil, err
	}
	if err := h.takesMap(&file.head); err != nil {
		return nil, err
	}
	rules, err := h.settings.rules()
	if err != nil {
		return nil, err
	}
	reader, err := mapping.NewReader(rules.Recalling(h.known.Rules), h.known.Shapes, h.known.Checkpoint.Held.Copy.Began(), h.state)
	if err != nil {
		return nil, err
	}
	now, err := h.next(ctx)
	if err != nil {
		return nil, err
	}
	if err := h.state.DiscardAfter(h.row.Sequence); err != nil {
		return nil, err
	}
	done := &mapImported{}
	x := &importing{held: h, now: now, keys: mapping.NewRestoring(reader), done: done}
	if err := x.all(ctx, file); err != nil {
		return nil, errors.Join(err, h.state.DiscardAfter(h.row.Sequence))
	}
	if done.Fresh == 0 {
		return done, nil
	}
	return done, h.keeper.WriteCheckpoint(ctx, h.row, x.now) // where it fails, the next start finds out
}

// takesMap refuses a map that does not fit the pipeline.
func (h *held) takesMap(head *mapHead) error {
	misfit := func(format string, args ...any) *rowferry.Error {
		return rowferry.Errorf(rowferry.CodeMapConflict, format, args...)
	}
	switch {
	case h.row == nil || h.keeper == nil:
		return noCheckpoint(h.settings)
	case !h.usable():
		return rowferry.Errorf(rowferry.CodeStateNeeded, "the state directory is not the one the pipeline was run with").
			Remedy("begin one", "rowferry checkpoint import, with what checkpoint export wrote")
	case head.Running:
		return misfit("the map was exported while an engine ran, and is of no one place")
	case head.Waiting > 0:
		return misfit("%s when the map was exported, and are not in it", plural(uint64(head.Waiting), "row waited", "rows waited"))
	case head.Pipeline != h.settings.name:
		return misfit("the map is of pipeline %q, not of %q", head.Pipeline, h.settings.name)
	case head.Config != h.row.Config:
		return misfit("the map was made under other rules").Fact("then", "%s", head.Config).Fact("now", "%s", h.row.Config)
	case head.Position != h.row.Position:
		return misfit("the pipeline is not where it was when the map was exported: rows may have been applied since").
			Fact("then", "%s", head.Position).Fact("now", "%s", h.row.Position)
	}
	return nil
}

// importing is an import on its way.
type importing struct {
	*held
	now  rowferry.Checkpoint // to be recorded next, or was last
	any  bool                // it was recorded
	keys *mapping.Restoring
	done *mapImported
}

func (x *importing) all(ctx context.Context, file *mapReader) error {
	for {
		line, err := file.row()
		if err != nil {
			return err
		}
		if line == nil {
			x.done.Rows = file.rows
			return x.record()
		}
		if err := x.keys.Add(line.Table, line.Source, line.Target, mapping.Duplicates(line.Met), line.Filtered); err != nil {
			return err
		}
		if x.keys.Len() < importNotes {
			continue
		}
		if err := errors.Join(ctx.Err(), x.record()); err != nil {
			return err
		}
	}
}

// record records what was added.
func (x *importing) record() error {
	notes, fresh := x.keys.Take()
	if len(notes) == 0 {
		return nil
	}
	if x.any {
		x.now.Sequence++
	}
	x.any = true
	x.done.Fresh += fresh.Mapped + fresh.Filtered
	x.now.Held.Notes.Mapped += fresh.Mapped
	x.now.Held.Notes.Filtered += fresh.Filtered
	return x.state.Record(rowferry.Record{Checkpoint: x.now, Notes: notes, Rules: x.known.Rules})
}
