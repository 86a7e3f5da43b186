package cli

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/rowferry/rowferry"
	"github.com/rowferry/rowferry/schema"
)

// diffSink prints mutations for people: what was, and what is. It implements
// rowferry.Sink; a batch is printed when it is committed, so one that is
// rolled back and tried again is printed once.
type diffSink struct {
	w   io.Writer
	ink ink
	tx  *rowferry.Origin // whose heading was printed last
}

var _ rowferry.Sink = (*diffSink)(nil)

func newDiffSink(w io.Writer, ink ink) *diffSink { return &diffSink{w: w, ink: ink} }

// Begin implements rowferry.Sink.
func (d *diffSink) Begin(context.Context) (rowferry.SinkTx, error) {
	return &diffTx{sink: d, out: bufio.NewWriter(d.w)}, nil
}

// Close implements rowferry.Sink.
func (*diffSink) Close() error { return nil }

type diffTx struct {
	sink *diffSink
	out  *bufio.Writer
}

// Write prints as it goes: nothing is refused by paper, so a batch that was
// written is never rolled back for its rows' sake.
func (t *diffTx) Write(_ context.Context, ms []rowferry.Mutation) error {
	for i := range ms {
		t.sink.print(t.out, &ms[i])
	}
	return nil // a failed write shows at Flush
}

// Commit flushes.
func (t *diffTx) Commit(context.Context, rowferry.Checkpoint) error {
	if err := t.out.Flush(); err != nil {
		return fmt.Errorf("write the changes: %w", err)
	}
	return nil
}

// Rollback drops what is not flushed.
func (t *diffTx) Rollback() error {
	t.out.Reset(io.Discard)
	return nil
}

const longestName = 24 // of the column names that values are set right of

func (d *diffSink) print(w io.Writer, m *rowferry.Mutation) {
	if m.Origin != nil && (d.tx == nil || *d.tx != *m.Origin) {
		tx := *m.Origin
		d.tx = &tx
		at := time.UnixMilli(tx.Commit).UTC().Format(time.RFC3339)
		fmt.Fprintln(w, d.ink.dim(strings.TrimSpace(fmt.Sprintf("%s  %s  %s", at, clean(tx.Tx), clean(tx.Log)))))
	}
	name := clean(m.Source.String())
	switch m.Op {
	case rowferry.Insert:
		fmt.Fprintf(w, "  %s %s  %s\n", d.ink.good("+"), d.ink.bold(name), identity(m, m.After))
		d.side(w, m, m.After, "+", d.ink.good)
	case rowferry.Delete:
		fmt.Fprintf(w, "  %s %s  %s\n", d.ink.bad("-"), d.ink.bold(name), identity(m, m.Before))
		d.side(w, m, m.Before, "-", d.ink.bad)
	case rowferry.Update:
		fmt.Fprintf(w, "  %s %s  %s\n", d.ink.warn("~"), d.ink.bold(name), identity(m, m.Before))
		d.changed(w, m)
	case rowferry.Truncate:
		fmt.Fprintf(w, "  %s %s  every row\n", d.ink.bad("-"), d.ink.bold(name))
	case rowferry.Shape:
		fmt.Fprintf(w, "  %s %s  %d columns\n", d.ink.dim("#"), d.ink.bold(name), len(m.Table.Columns))
	case rowferry.Drop:
		fmt.Fprintf(w, "  %s %s  the table\n", d.ink.bad("-"), d.ink.bold(name))
	default:
		fmt.Fprintf(w, "  ? %s  %s\n", name, m.Op)
	}
}

// identity names the row by its key.
func identity(m *rowferry.Mutation, row rowferry.Row) string {
	var parts []string
	for _, o := range m.Table.Identity() {
		if o < len(row) {
			parts = append(parts, clean(m.Table.Columns[o].Name)+"="+shown(row[o]))
		}
	}
	return strings.Join(parts, " ")
}

// nameWidth is how far right the values of a table are set.
func nameWidth(t *schema.Table) int {
	n := 0
	for _, c := range t.Columns {
		n = max(n, min(runes(clean(c.Name)), longestName))
	}
	return n
}

func (d *diffSink) side(w io.Writer, m *rowferry.Mutation, row rowferry.Row, sign string, paint func(string) string) {
	n := nameWidth(m.Table)
	for i, v := range row {
		if i < len(m.Table.Columns) && !v.IsAbsent() {
			fmt.Fprintf(w, "      %-*s  %s\n", n, clean(m.Table.Columns[i].Name), paint(sign+" "+shown(v)))
		}
	}
}

// changed prints the columns that differ, before above after.
func (d *diffSink) changed(w io.Writer, m *rowferry.Mutation) {
	n := nameWidth(m.Table)
	for i := range m.After {
		if i >= len(m.Table.Columns) || i >= len(m.Before) || m.After[i].IsAbsent() || m.After[i] == m.Before[i] {
			continue
		}
		fmt.Fprintf(w, "      %-*s  %s\n", n, clean(m.Table.Columns[i].Name), d.ink.bad("- "+shown(m.Before[i])))
		fmt.Fprintf(w, "      %-*s  %s\n", n, "", d.ink.good("+ "+shown(m.After[i])))
	}
}

// shown is a value on one line, cut to a length that can be read, with what a
// terminal would act on spelled out.
func shown(v rowferry.Value) string {
	const longest = 160
	size := len(v.Str())
	switch v.Kind() {
	case rowferry.Text:
		v = rowferry.TextValue(v.Str()[:min(size, longest)])
	case rowferry.Bytes:
		v = rowferry.BytesValue(v.Str()[:min(size, longest/4)])
	default:
		return v.String()
	}
	text := clean(strings.ToValidUTF8(v.String(), "")) // the cut may lie within a character
	if v.Kind() == rowferry.Text {
		text = "'" + text + "'"
	}
	if len(v.Str()) < size {
		text += fmt.Sprintf("… (%d bytes)", size)
	}
	return text
}
