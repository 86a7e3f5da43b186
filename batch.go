package rowferry

import (
	"errors"
	"slices"
	"time"

	"github.com/rowferry/rowferry/internal/failpoint"
	"github.com/rowferry/rowferry/schema"
)

// txn is one whole source transaction, collected from its chunks.
type txn struct {
	end     *Tx // the last chunk, without its changes: identity and position; nil before it came
	last    Tx  // where end points
	changes []Change
	spool   Spool           // holds what came before changes, where that was too large
	shapes  []*schema.Table // told by the changes
	dropped []schema.Name   // tables that the changes end
	undone  []span          // indices of changes that a rollback to a savepoint undid
	count   int             // changes collected, undone ones included
	bytes   int             // of changes
	wish    *Wish           // what is done in place of changes; nil where it is a transaction of the source
}

// span is a half-open range of change indices.
type span struct{ from, to int }

// add appends one chunk.
func (t *txn) add(tx *Tx) {
	if tx.DropFrom != nil {
		t.undo(*tx.DropFrom)
	}
	if t.changes == nil {
		t.changes = slices.Clip(tx.Changes)
	} else {
		t.changes = append(t.changes, tx.Changes...)
	}
	t.count += len(tx.Changes)
	for i := range tx.Changes {
		c := &tx.Changes[i]
		t.bytes += c.Size()
		switch c.Op {
		case Shape:
			t.shapes = append(t.shapes, c.Table)
		case Drop:
			t.dropped = append(t.dropped, c.Table.Name)
		default: // rows
		}
	}
	if tx.Last {
		t.last = *tx
		t.last.Changes = nil
		t.end = &t.last
	}
}

// undo drops all but the first keep of the changes that count. Undone spans
// are ordered and apart.
func (t *txn) undo(keep int) {
	from := keep
	for i, s := range t.undone {
		if from <= s.from {
			t.undone = t.undone[:i]
			break
		}
		from += s.to - s.from
	}
	t.undone = append(t.undone, span{from, t.count})
}

// spill moves the changes held in memory to the spool.
func (t *txn) spill(state State) error {
	if t.spool == nil {
		s, err := state.Spool()
		if err != nil {
			return err
		}
		t.spool = s
	}
	if err := t.spool.Append(t.changes); err != nil {
		return err
	}
	t.changes, t.bytes = nil, 0
	return nil
}

// each calls fn with every change that counts, in order, and its index among
// the rows and truncates that do. The change is valid during the call. The
// index does not depend on how the transaction was cut into chunks, nor on
// which shapes the source had to tell. Shapes count even where the rows around
// them were undone: they are facts about the log, not changes.
func (t *txn) each(fn func(i int, c *Change) error) error {
	if t.spool == nil {
		return t.walk(&walked{}, t.changes, fn)
	}
	var w walked
	if err := t.spool.Replay(func(changes []Change) error { return t.walk(&w, changes, fn) }); err != nil {
		return err
	}
	return t.walk(&w, t.changes, fn)
}

// walked is how many changes were walked over, and of them those that have an index.
type walked struct{ at, index int }

func (t *txn) walk(w *walked, changes []Change, fn func(i int, c *Change) error) error {
	for k := range changes {
		c := &changes[k]
		counts := !t.end.Discard && !t.isUndone(w.at) || failpoint.On("apply-rollbacks")
		w.at++
		if !counts && c.Op != Shape {
			continue
		}
		if err := fn(w.index, c); err != nil {
			return err
		}
		if c.Op != Shape {
			w.index++
		}
	}
	return nil
}

func (t *txn) isUndone(i int) bool {
	return slices.ContainsFunc(t.undone, func(s span) bool { return s.from <= i && i < s.to })
}

// batch is a run of consecutive transactions that commit together.
type batch struct {
	txs   []*txn
	notes *delta // what it changes in the notes; nil before it was resolved
	lacks bool   // what the target refused of tables that are copied again; see leavesOut
}

// last returns the end of the batch's last transaction.
func (b *batch) last() *Tx { return b.txs[len(b.txs)-1].end }

// duration is what lies between the earliest and the latest commit at the
// source. Commit times need not rise along the log.
func (b *batch) duration() time.Duration {
	first, last := b.txs[0].end.CommitTime, b.txs[0].end.CommitTime
	for _, t := range b.txs {
		first, last = earlier(first, t.end.CommitTime), later(last, t.end.CommitTime)
	}
	return last.Sub(first)
}

// rows is how many changes of the batch count, tables that are emptied among them.
func (b *batch) rows() (n int) {
	for _, t := range b.txs {
		if t.end.Discard {
			continue
		}
		n += t.count - len(t.shapes) - len(t.dropped)
		for _, s := range t.undone {
			n -= s.to - s.from
		}
	}
	return max(0, n)
}

// split returns one batch per transaction.
func (b *batch) split() []*batch {
	parts := make([]*batch, len(b.txs))
	for i, t := range b.txs {
		parts[i] = &batch{txs: []*txn{t}}
	}
	return parts
}

// cut returns the first n transactions and the rest as batches of their own.
func (b *batch) cut(n int) (before, rest *batch) {
	return &batch{txs: b.txs[:n:n]}, &batch{txs: b.txs[n:]}
}

// halves cuts it in two.
func (b *batch) halves() []*batch {
	before, rest := b.cut(len(b.txs) / 2)
	return []*batch{before, rest}
}

// spilled reports whether the batch streams from a spool.
func (b *batch) spilled() bool {
	return slices.ContainsFunc(b.txs, func(t *txn) bool { return t.spool != nil })
}

// tellsTables reports whether the batch has news of tables, and not of rows
// alone.
func (b *batch) tellsTables() bool {
	return slices.ContainsFunc(b.txs, func(t *txn) bool { return len(t.shapes)+len(t.dropped) > 0 })
}

// close removes the spools.
func (b *batch) close() error {
	var errs []error
	for _, t := range b.txs {
		if t.spool != nil {
			errs = append(errs, t.spool.Close())
			t.spool = nil
		}
	}
	return errors.Join(errs...)
}
