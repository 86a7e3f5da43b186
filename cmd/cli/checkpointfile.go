package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/rowferry/rowferry"
	"github.com/rowferry/rowferry/schema"
)

// exportKind marks the file, so that another JSON file is not mistaken for
// it.
const exportKind = "rowferry checkpoint"

// largestImport bounds what import reads: shapes of some ten thousand tables.
const largestImport = 64 << 20

// exported is a pipeline's checkpoint with everything that lives only in the
// state directory, as a file.
type exported struct {
	Schema   int               `json:"schema"`
	Kind     string            `json:"kind"`
	Pipeline string            `json:"pipeline"`
	Position rowferry.Position `json:"position"`
	Lineage  string            `json:"lineage,omitempty"`
	Start    rowferry.Position `json:"start"`
	Log      string            `json:"log,omitempty"`
	Commit   *time.Time        `json:"commit,omitempty"`
	Extent   string            `json:"extent,omitempty"`
	Config   string            `json:"config"`
	Rules    string            `json:"rules,omitempty"`
	Oldest   rowferry.Position `json:"oldest,omitempty"`
	Copied   bool              `json:"copied,omitempty"` // it began with a copy
	Shapes   []*schema.Table   `json:"shapes"`
}

func checkpointExportCommand() *command {
	return &command{
		name: "export", args: "[FILE]", maxArgs: 1,
		summary: "write a pipeline's checkpoint and table shapes as JSON",
		about:   "Writes to FILE, which must not exist, or to standard output. The file is what `checkpoint import` reads: with it, a pipeline whose state directory is lost goes on. No engine may be running.",
		example: "rowferry checkpoint export --target sqlite:shop.db shop-checkpoint.json",
		options: pipelineOptions,
		run:     checkpointExport,
	}
}

func checkpointExport(ctx context.Context, in *invocation) (err error) {
	s, err := in.settings()
	if err == nil {
		err = s.need("target")
	}
	if err != nil {
		return err
	}
	if seen, err := look(ctx, in, s); err != nil {
		return err
	} else if seen.decides == nil && seen.peeked.holder == "" {
		return noCheckpoint(s) // before anything is made to hold it
	}
	h, err := hold(ctx, in, s)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, h.close()) }()
	x, err := h.export()
	if err != nil {
		return err
	}
	if len(in.args) == 0 && in.json {
		in.result = x
		return nil
	}
	text, err := json.MarshalIndent(x, "", "  ")
	if err != nil {
		return fmt.Errorf("encode the checkpoint: %w", err)
	}
	text = append(text, '\n')
	if len(in.args) == 0 {
		return writeAll(in.stdout, string(text))
	}
	if err := writeNew(in.args[0], text); err != nil {
		return err
	}
	in.result = x
	if in.json {
		return nil
	}
	return writeAll(in.stdout, fmt.Sprintf("%s wrote %s: pipeline %s at %s\n", in.outInk().good("✓"), in.args[0], x.Pipeline, x.Position))
}

func (h *held) export() (*exported, error) {
	at := h.checkpoint()
	if at == nil {
		return nil, noCheckpoint(h.settings)
	}
	if err := alone(at); err != nil {
		return nil, err
	}
	if at.Held.Shapes > 0 && !h.usable() {
		return nil, rowferry.Errorf(rowferry.CodeStateNeeded, "the state directory is not the one the pipeline was run with").
			Fact("shapes", "%d tables, known only there", at.Held.Shapes)
	}
	x := &exported{
		Schema: jsonSchema, Kind: exportKind, Pipeline: at.Pipeline, Position: at.Position, Lineage: at.Lineage,
		Start: at.Start, Log: at.Log, Extent: at.Extent, Config: at.Config, Oldest: at.Held.Oldest, Copied: at.Held.Copy.Began(), Shapes: h.shapes(),
	}
	if h.usable() {
		x.Rules = h.known.Rules
	}
	if !at.Commit.IsZero() {
		c := at.Commit.UTC()
		x.Commit = &c
	}
	if x.Shapes == nil {
		x.Shapes = []*schema.Table{}
	}
	return x, nil
}

// writeNew writes a file that must not exist yet, durably.
func writeNew(path string, text []byte) (err error) {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return fmt.Errorf("write the checkpoint: %w", err)
	}
	_, err = f.Write(text)
	return errors.Join(err, f.Sync(), f.Close())
}

func checkpointImportCommand() *command {
	return &command{
		name: "import", args: "[FILE]", maxArgs: 1,
		summary: "put an exported checkpoint in place",
		about:   "Reads what `checkpoint export` wrote, from FILE or standard input, and writes it to the target and to the state directory. The next run goes on after its position. The target must hold the rows that the checkpoint says are applied; that is not checked.",
		example: "rowferry checkpoint import --target sqlite:shop.db --yes shop-checkpoint.json",
		options: append([]*option{yesOption}, pipelineOptions...),
		run:     checkpointImport,
	}
}

func checkpointImport(ctx context.Context, in *invocation) (err error) {
	s, err := in.settings()
	if err == nil {
		err = s.need("target")
	}
	if err != nil {
		return err
	}
	if len(in.args) == 0 && !in.on("yes") {
		return rowferry.Errorf(rowferry.CodeUsage, "standard input is the checkpoint, so nobody can be asked").Remedy("if that is meant", "add --yes")
	}
	text, err := in.readImport(ctx)
	if err != nil {
		return err
	}
	x, err := parseExported(text)
	if err != nil {
		return err
	}
	if x.Pipeline != s.name {
		return rowferry.Errorf(rowferry.CodeBadImport, "the checkpoint is of pipeline %q, not of %q", x.Pipeline, s.name).
			Remedy("if that is meant", "add --name %s", quote(x.Pipeline))
	}
	h, err := hold(ctx, in, s)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, h.close()) }()
	if err := h.replaceable(); err != nil {
		return err
	}
	now, err := h.next(ctx)
	if err != nil {
		return err
	}
	from := now.Position
	if err := in.confirm(ctx, fmt.Sprintf("move pipeline %s from %s to %s", s.name, orNone(from), x.Position)); err != nil {
		return err
	}
	x.onto(&now)
	if err := h.move(ctx, rowferry.Record{Checkpoint: now, Shapes: x.Shapes, Rules: x.Rules}); err != nil {
		return err
	}
	return in.moved(s, from, now)
}

// onto puts what was exported over a checkpoint, leaving its fence, sequence
// and state id.
func (x *exported) onto(c *rowferry.Checkpoint) {
	c.Position, c.Lineage, c.Start, c.Log, c.Config = x.Position, x.Lineage, x.Start, x.Log, x.Config
	c.Extent = x.Extent
	c.Held = rowferry.Held{Shapes: len(x.Shapes), Oldest: x.Oldest}
	if x.Copied {
		c.Held.Copy.Phase = rowferry.Copied
	}
	c.Commit = time.Time{}
	if x.Commit != nil {
		c.Commit = *x.Commit
	}
}

// readImport reads the file, or standard input until it ends or ctx is
// cancelled.
func (in *invocation) readImport(ctx context.Context) ([]byte, error) {
	if len(in.args) > 0 {
		text, err := readFile(in.args[0])
		if err != nil {
			return nil, rowferry.Errorf(rowferry.CodeBadImport, "the checkpoint cannot be read: %w", err)
		}
		return text, nil
	}
	in.log.Info("reading the checkpoint from standard input")
	type answer struct {
		text []byte
		err  error
	}
	c := make(chan answer, 1)
	go func() { // the goroutine "stdin"
		text, err := io.ReadAll(io.LimitReader(in.stdin, largestImport+1))
		c <- answer{text, err}
	}()
	select {
	case a := <-c:
		return a.text, a.err
	case <-ctx.Done():
		return nil, rowferry.Errorf(rowferry.CodeInterrupted, "interrupted; nothing was changed")
	}
}

func readFile(path string) (text []byte, err error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	return io.ReadAll(io.LimitReader(f, largestImport+1))
}

// parseExported reads what export writes, and nothing else.
func parseExported(text []byte) (*exported, error) {
	bad := func(format string, args ...any) (*exported, error) {
		return nil, rowferry.Errorf(rowferry.CodeBadImport, format, args...)
	}
	if len(text) > largestImport {
		return bad("the file is larger than %d MiB", largestImport>>20)
	}
	var x exported
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	if err := d.Decode(&x); err != nil {
		return bad("this is not an exported checkpoint: %w", err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return bad("something follows the checkpoint in the file")
	}
	switch {
	case x.Kind != exportKind:
		return bad("this is not an exported checkpoint: its kind is %q", x.Kind)
	case x.Schema != jsonSchema:
		return bad("the file has schema %d, this program knows %d", x.Schema, jsonSchema)
	case x.Config == "":
		return bad("the file lacks the hash of the rules")
	}
	if err := checkName(x.Pipeline); err != nil {
		return bad("the pipeline's name: %w", err)
	}
	for _, p := range []rowferry.Position{x.Position, x.Start} {
		if canonical, _, err := parsePosition(string(p)); err != nil || canonical != p {
			return bad("%q is not a position as Rowferry prints them", p)
		}
	}
	seen := map[schema.Name]bool{}
	for _, t := range x.Shapes {
		if t == nil || seen[t.Name] {
			return bad("a shape is missing or there twice")
		}
		if err := t.Validate(); err != nil {
			return bad("a shape contradicts itself: %w", err)
		}
		seen[t.Name] = true
	}
	return &x, nil
}
