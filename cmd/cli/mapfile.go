package cli

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/rowferry/rowferry"
)

// An exported map is lines of JSON: what it is, one line for each row, and how many
// they are.

// mapFormat is the version of exported maps, and mapKind marks them.
const (
	mapFormat = 1
	mapKind   = "rowferry map"
)

// longestMapLine bounds a line in bytes: a key of any length that can be noted.
const longestMapLine = 1 << 20

// mapHead is the first line.
type mapHead struct {
	Format   int               `json:"format"`
	Kind     string            `json:"kind"`
	Pipeline string            `json:"pipeline"`
	Position rowferry.Position `json:"position"` // what was applied
	Config   string            `json:"config"`   // hash of the rules
	Running  bool              `json:"running"`  // an engine ran, so that there may be rows of later positions
	Waiting  int64             `json:"waiting"`  // rows that wait, which are not in the file
	Tables   []mapTable        `json:"tables"`
}

// mapTable is a table whose keys are in the file.
type mapTable struct {
	Table   string      `json:"table"`
	Columns []mapColumn `json:"key_columns"`
}

// mapLine is a row, or the last line, which has nothing but the number of rows.
type mapLine struct {
	Table  string   `json:"table,omitempty"`
	Source []string `json:"source_key,omitempty"`
	Target []string `json:"target_key,omitempty"`
	Met    string   `json:"met,omitempty"` // see mapPair
	// Filtered tells that the row is left out of the target.
	Filtered bool   `json:"filtered,omitempty"`
	Rows     *int64 `json:"rows,omitempty"`
}

func mapExportCommand() *command {
	return &command{
		name: "export", args: "[TABLE]", maxArgs: 1,
		summary: "write the keys that are noted as lines of JSON",
		about:   "Writes those of a table, or of all, to standard output or --file, which must not exist. The first line says of which pipeline, place and rules they are, and the columns and types of the tables' keys; then there is a line for each row, with its keys in the source and in the target, and with what was made of a row that the target had before, or that a filter leaves it out; the last one says how many they are. -o json is not for it.\n\nA running engine is asked too. But what is exported then, or while rows wait, `map import` does not take: rows that wait are not in the file.",
		example: "rowferry map export -c shop.yaml --file keys.jsonl",
		options: append([]*option{{name: "file", value: "FILE", usage: "write to this file, and not to standard output"}}, pipelineOptions...),
		run:     mapExport,
	}
}

func mapExport(ctx context.Context, in *invocation) (err error) {
	s, err := in.mapSettings()
	if err != nil {
		return err
	}
	if in.json {
		return rowferry.Errorf(rowferry.CodeUsage, "an exported map is lines of JSON, in no envelope").Remedy("leave out", "-o json")
	}
	head, err := in.mapHead(ctx, s)
	if err != nil {
		return err
	}
	if !in.given("file") {
		_, err := writeMap(ctx, in.stdout, s, head)
		return err
	}
	path := in.text("file")
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return fmt.Errorf("write the map: %w", err)
	}
	n, err := writeMap(ctx, f, s, head)
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return errors.Join(err, os.Remove(path))
	}
	return writeAll(in.stdout, fmt.Sprintf("%s wrote %s: %s of pipeline %s\n", in.outInk().good("✓"), path, plural(uint64(n), "row", "rows"), s.name))
}

// mapHead finds out what is exported.
func (in *invocation) mapHead(ctx context.Context, s *settings) (*mapHead, error) {
	h := &mapHead{Format: mapFormat, Kind: mapKind, Pipeline: s.name, Tables: []mapTable{}}
	p, err := s.peek(ctx)
	if err != nil {
		return nil, err
	}
	if h.Running = p.holder != ""; p.checkpoint != nil {
		h.Position, h.Config, h.Waiting = p.checkpoint.Position, p.checkpoint.Config, p.checkpoint.Held.Notes.Waiting
	}
	err = askMap(ctx, s, mapArgs{What: "counts"}, func(c mapCount) error {
		if c.Noted && (len(in.args) == 0 || c.Table == in.args[0]) {
			h.Tables = append(h.Tables, mapTable{c.Table, c.Columns})
		}
		return nil
	})
	if err == nil && len(h.Tables) == 0 {
		err = rowferry.Errorf(rowferry.CodeNoKeys, "no keys are noted that could be exported")
	}
	return h, err
}

// writeMap writes lines, and returns how many rows they are of.
func writeMap(ctx context.Context, to io.Writer, s *settings, head *mapHead) (n int64, err error) {
	w := bufio.NewWriter(to)
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	if err := e.Encode(head); err != nil {
		return 0, err
	}
	for _, t := range head.Tables {
		err := askMap(ctx, s, mapArgs{What: "pairs", Table: t.Table}, func(p mapPair) error {
			n++
			return e.Encode(mapLine{Table: t.Table, Source: p.Source, Target: p.Target, Met: p.Met, Filtered: p.Filtered})
		})
		if err != nil {
			return n, err
		}
	}
	p, err := s.peek(ctx)
	if err != nil {
		return n, err
	}
	if !head.Running && (p.holder != "" || p.checkpoint == nil || p.checkpoint.Position != head.Position) {
		return n, rowferry.Errorf(rowferry.CodeStateLocked, "an engine has begun while the map was written, which is of no one place").Remedy("again", "when it has ended")
	}
	return n, errors.Join(e.Encode(mapLine{Rows: &n}), w.Flush())
}

// mapReader reads an exported map.
type mapReader struct {
	lines *bufio.Scanner
	head  mapHead
	rows  int64
}

func badMap(format string, args ...any) *rowferry.Error {
	return rowferry.Errorf(rowferry.CodeMapFile, format, args...)
}

func newMapReader(from io.Reader) (*mapReader, error) {
	r := &mapReader{lines: bufio.NewScanner(from)}
	r.lines.Buffer(nil, longestMapLine)
	if err := r.next(&r.head); err != nil {
		return nil, err
	}
	switch {
	case r.head.Kind != mapKind:
		return nil, badMap("this is no exported map: its kind is %q", r.head.Kind)
	case r.head.Format != mapFormat:
		return nil, badMap("the map has format %d, this program knows %d", r.head.Format, mapFormat)
	}
	return r, nil
}

// next reads a line.
func (r *mapReader) next(into any) error {
	if !r.lines.Scan() {
		if err := r.lines.Err(); err != nil {
			return badMap("the map cannot be read: %w", err)
		}
		return badMap("the map has no end: its last line is missing").Fact("rows", "%d", r.rows)
	}
	d := json.NewDecoder(bytes.NewReader(r.lines.Bytes()))
	d.DisallowUnknownFields()
	if err := d.Decode(into); err != nil {
		return badMap("a line of the map cannot be read: %w", err).Fact("line", "%d", r.rows+2)
	}
	return nil
}

// row returns the next row; nil behind the last.
func (r *mapReader) row() (*mapLine, error) {
	line := &mapLine{}
	if err := r.next(line); err != nil {
		return nil, err
	}
	switch {
	case line.Rows == nil && line.Table != "":
		r.rows++
		return line, nil
	case line.Rows == nil || line.Table != "" || *line.Rows != r.rows:
		return nil, badMap("the map does not end as it should").Fact("rows", "%d", r.rows)
	case r.lines.Scan():
		return nil, badMap("something follows the map's last line")
	}
	return nil, r.lines.Err()
}
