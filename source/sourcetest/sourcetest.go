// Package sourcetest checks that a source keeps the contract of
// rowferry.Source and rowferry.Reader.
package sourcetest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/rowferry/rowferry"
	"github.com/rowferry/rowferry/schema"
)

// Open opens a reader on the source under test. The log behind it is the same
// each time, ends, and has no statement that stops the reader.
type Open func(start rowferry.Start) (rowferry.Reader, error)

// Run checks the contract:
//
//   - Begin is where the first transaction follows, and opening there again
//     gives the same.
//   - Chunks share an ID; only the last has a position and a lineage, and each
//     position is another one.
//   - Every change comes after the shape it has, and with that very shape.
//   - Opening at any transaction's position, with the shapes recorded up to
//     there, gives exactly the rest; so does learning the shapes anew.
//   - A lineage that differs stops; positions are never taken for others.
//   - io.EOF stays; a cancelled context does not end the log; Close may be
//     called early.
func Run(t *testing.T, open Open) {
	t.Helper()
	whole := read(t, open, rowferry.Start{})
	if len(whole.txs) < 3 {
		t.Fatalf("the log has %d transactions; give one with three or more", len(whole.txs))
	}
	t.Run("Rules", func(t *testing.T) { rules(t, whole) })
	t.Run("Begin", func(t *testing.T) {
		same(t, "opened at Begin", read(t, open, rowferry.Start{Position: whole.begin}).txs, whole.txs)
	})
	t.Run("Resume", func(t *testing.T) { resume(t, open, whole) })
	t.Run("Relearn", func(t *testing.T) { relearn(t, open, whole) })
	t.Run("Lineage", func(t *testing.T) { lineage(t, open, whole) })
	t.Run("NoPosition", func(t *testing.T) { noPosition(t, open) })
	t.Run("Cancel", func(t *testing.T) { cancel(t, open, whole) })
	t.Run("Close", func(t *testing.T) { closing(t, open) })
}

// whole is a log as a consumer has it: chunks joined.
type whole struct {
	begin  rowferry.Position
	chunks []*rowferry.Tx
	txs    []Transaction
	given  map[schema.Name]*schema.Table // what was known at the start
}

// Transaction is a transaction whose chunks are joined and whose rolled-back
// changes are gone.
type Transaction struct {
	rowferry.Tx
	Tables []*schema.Table // the shapes in force after it
}

func read(t testing.TB, open Open, start rowferry.Start) whole {
	t.Helper()
	r, err := open(start)
	if err != nil {
		t.Fatalf("open at %q: %v", start.Position, err)
	}
	defer func() {
		if err := r.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	}()
	w := whole{begin: r.Begin(), given: map[schema.Name]*schema.Table{}}
	for _, x := range start.Tables {
		w.given[x.Name] = x
	}
	was := int64(0)
	for {
		tx, err := r.Next(t.Context())
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatalf("next: %v", err)
		}
		w.chunks = append(w.chunks, tx)
		done, total := r.Progress()
		if done < was || total > 0 && done > total {
			t.Errorf("progress went from %d to %d of %d", was, done, total)
		}
		was = done
	}
	if tx, err := r.Next(t.Context()); tx != nil || !errors.Is(err, io.EOF) {
		t.Errorf("after io.EOF, Next returned %v, %v", tx, err)
	}
	w.txs = Join(w.chunks, start.Tables)
	return w
}

// Join joins chunks to transactions, as a consumer that knows the given shapes
// does.
func Join(chunks []*rowferry.Tx, tables []*schema.Table) []Transaction {
	shapes := map[schema.Name]*schema.Table{}
	for _, x := range tables {
		shapes[x.Name] = x
	}
	var all []Transaction
	var changes []rowferry.Change
	for _, c := range chunks {
		if c.DropFrom != nil {
			changes = changes[:min(*c.DropFrom, len(changes))]
		}
		changes = append(changes, c.Changes...)
		if !c.Last {
			continue
		}
		x := Transaction{Tx: *c}
		x.DropFrom, x.Changes = nil, changes
		if c.Discard {
			x.Changes = nil
		}
		for _, ch := range x.Changes {
			switch ch.Op {
			case rowferry.Shape:
				shapes[ch.Table.Name] = ch.Table
			case rowferry.Drop:
				delete(shapes, ch.Table.Name)
			default: // rows change no shape
			}
		}
		for _, s := range shapes {
			x.Tables = append(x.Tables, s)
		}
		slices.SortFunc(x.Tables, func(a, b *schema.Table) int { return strings.Compare(a.Name.String(), b.Name.String()) })
		all, changes = append(all, x), nil
	}
	return all
}

func rules(t *testing.T, w whole) {
	if w.begin == "" {
		t.Error("Begin is empty")
	}
	positions := map[rowferry.Position]string{w.begin: "the beginning"}
	open, count := "", 0
	shapes := w.given
	for _, c := range w.chunks {
		if c.ID == "" || open != "" && c.ID != open {
			t.Errorf("a chunk of %q comes while %q is open", c.ID, open)
		}
		if c.DropFrom != nil && (*c.DropFrom < 0 || *c.DropFrom > count) {
			t.Errorf("%s drops from change %d of %d", c.ID, *c.DropFrom, count)
		}
		if c.DropFrom != nil {
			count = *c.DropFrom
		}
		count += len(c.Changes)
		for i := range c.Changes {
			change(t, c, &c.Changes[i], shapes)
		}
		open = c.ID
		if !c.Last {
			if c.Position != "" || c.Lineage != "" || c.Discard {
				t.Errorf("%s has position %q, lineage %q, discard %v and is not the last chunk", c.ID, c.Position, c.Lineage, c.Discard)
			}
			continue
		}
		if c.Position == "" || c.Lineage == "" || c.Log == "" || c.CommitTime.IsZero() {
			t.Errorf("%s ends without position, lineage, log or commit time: %+v", c.ID, c)
		}
		if other, twice := positions[c.Position]; twice {
			t.Errorf("%s and %s end at the same position %s", other, c.ID, c.Position)
		}
		positions[c.Position] = c.ID
		open, count = "", 0
	}
	if open != "" {
		t.Errorf("the log ends inside %s", open)
	}
}

// change checks one change against the shapes told so far.
func change(t *testing.T, tx *rowferry.Tx, c *rowferry.Change, shapes map[schema.Name]*schema.Table) {
	t.Helper()
	images := [2]bool{c.Before != nil, c.After != nil}
	want, ok := map[rowferry.Op][2]bool{
		rowferry.Insert: {false, true}, rowferry.Update: {true, true}, rowferry.Delete: {true, false},
		rowferry.Truncate: {}, rowferry.Shape: {}, rowferry.Drop: {},
	}[c.Op]
	if !ok || images != want || c.Table == nil {
		t.Errorf("%s has %s with images %v", tx.ID, c.Op, images)
		return
	}
	name := c.Table.Name
	switch c.Op {
	case rowferry.Shape:
		if err := c.Table.Validate(); err != nil {
			t.Errorf("%s: %v", tx.ID, err)
		}
		shapes[name] = c.Table
	case rowferry.Drop:
		delete(shapes, name)
	default:
		if shapes[name] != c.Table {
			t.Errorf("%s has %s of %s with a shape that was not told", tx.ID, c.Op, name)
		}
		for _, row := range []rowferry.Row{c.Before, c.After} {
			if row != nil && len(row) != len(c.Table.Columns) {
				t.Errorf("%s has a row of %d values for %d columns", tx.ID, len(row), len(c.Table.Columns))
			}
		}
	}
}

// recorded returns shapes as a state gives them back.
func recorded(t testing.TB, tables []*schema.Table) []*schema.Table {
	t.Helper()
	b, err := json.Marshal(tables)
	if err != nil {
		t.Fatal(err)
	}
	var back []*schema.Table
	if err := json.Unmarshal(b, &back); err != nil {
		t.Fatal(err)
	}
	return back
}

func resume(t *testing.T, open Open, w whole) {
	for i, tx := range w.txs {
		got := read(t, open, rowferry.Start{Position: tx.Position, Lineage: tx.Lineage, Tables: recorded(t, tx.Tables)})
		if got.begin != tx.Position {
			t.Errorf("opened at %q, Begin is %q", tx.Position, got.begin)
		}
		same(t, fmt.Sprintf("resumed after %s", tx.ID), got.txs, w.txs[i+1:])
		rules(t, got)
	}
}

func relearn(t *testing.T, open Open, w whole) {
	for i, tx := range w.txs {
		got := read(t, open, rowferry.Start{Position: tx.Position, Lineage: tx.Lineage, ShapesFrom: w.begin})
		same(t, fmt.Sprintf("learned shapes anew after %s", tx.ID), withoutShapes(got.txs), withoutShapes(w.txs[i+1:]))
	}
}

func withoutShapes(txs []Transaction) []Transaction {
	out := slices.Clone(txs)
	for i := range out {
		out[i].Changes = slices.DeleteFunc(slices.Clone(out[i].Changes), func(c rowferry.Change) bool { return c.Op == rowferry.Shape })
	}
	return out
}

func lineage(t *testing.T, open Open, w whole) {
	for _, tx := range w.txs {
		b := []byte(tx.Lineage)
		b[len(b)-1] ^= 1 // another digit, whatever the notation
		if err := firstError(t, open, rowferry.Start{Position: tx.Position, Lineage: string(b)}); rowferry.CodeOf(err) != rowferry.CodeLineageBroken {
			t.Errorf("resuming after %s with lineage %q instead of %q: %v", tx.ID, b, tx.Lineage, err)
		}
	}
}

func noPosition(t *testing.T, open Open) {
	for _, p := range []rowferry.Position{"earliest", "latest", "2026-11-18T12:04:00Z", "no position", ":", "\x00"} {
		if err := firstError(t, open, rowferry.Start{Position: p}); rowferry.CodeOf(err) != rowferry.CodeBadPosition {
			t.Errorf("opening at %q: %v", p, err)
		}
	}
}

// firstError opens and reads on until there is an error.
func firstError(t testing.TB, open Open, start rowferry.Start) error {
	t.Helper()
	r, err := open(start)
	for err == nil {
		_, err = r.Next(t.Context())
	}
	if r != nil {
		if err := r.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	}
	if errors.Is(err, io.EOF) {
		return nil
	}
	return err
}

func cancel(t *testing.T, open Open, w whole) {
	r, err := open(rowferry.Start{})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	}()
	ctx, stop := context.WithCancel(t.Context())
	stop()
	if tx, err := r.Next(ctx); tx != nil || !errors.Is(err, context.Canceled) {
		t.Errorf("Next of a cancelled context: %v, %v", tx, err)
	}
	tx, err := r.Next(t.Context())
	if err != nil || tx.ID != w.chunks[0].ID {
		t.Errorf("Next after a cancelled one: %v, %v, want %s", tx, err, w.chunks[0].ID)
	}
}

func closing(t *testing.T, open Open) {
	for _, reads := range []int{0, 1, 2} {
		r, err := open(rowferry.Start{})
		if err != nil {
			t.Fatal(err)
		}
		for range reads {
			if _, err := r.Next(t.Context()); err != nil {
				t.Errorf("next: %v", err)
			}
		}
		if err := r.Close(); err != nil {
			t.Errorf("close after %d reads: %v", reads, err)
		}
		if tx, err := r.Next(t.Context()); tx != nil || err == nil || errors.Is(err, io.EOF) {
			t.Errorf("Next after Close: %v, %v", tx, err)
		}
	}
}

func same(t testing.TB, what string, got, want []Transaction) {
	t.Helper()
	a, b := Text(got), Text(want)
	if a == b {
		return
	}
	x, y := strings.Split(a, "\n"), strings.Split(b, "\n")
	i := 0
	for i < min(len(x), len(y)) && x[i] == y[i] {
		i++
	}
	t.Errorf("%s: %d transactions, want %d; first difference at line %d:\n got %s\nwant %s", what, len(got), len(want), i+1,
		strings.Join(x[i:min(i+3, len(x))], "\n     "), strings.Join(y[i:min(i+3, len(y))], "\n     "))
}

// Text shows transactions, a line each and one for each of their changes.
func Text(txs []Transaction) string {
	var b strings.Builder
	for _, tx := range txs {
		fmt.Fprintf(&b, "%s at %s to %s (%s)", tx.ID, tx.CommitTime.UTC().Format("15:04:05.000000"), tx.Position, tx.Lineage)
		if tx.Discard {
			b.WriteString(" discarded")
		}
		b.WriteByte('\n')
		for _, c := range tx.Changes {
			fmt.Fprintf(&b, "  %s\n", changeText(&c))
		}
	}
	return b.String()
}

func changeText(c *rowferry.Change) string {
	s := fmt.Sprintf("%s %s", c.Op, c.Table.Name)
	if c.Op == rowferry.Shape {
		b, err := json.Marshal(c.Table)
		s += fmt.Sprint(" ", string(b), err)
	}
	for _, row := range []rowferry.Row{c.Before, c.After} {
		if row != nil {
			s += fmt.Sprintf(" %q", row)
		}
	}
	if c.ChecksOff {
		s += " checks off"
	}
	return s
}
