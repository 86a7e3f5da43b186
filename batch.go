package rowferry

import (
	"errors"
	"slices"
)

// txn is one whole source transaction, collected from its chunks.
type txn struct {
	end     *Tx // the last chunk, without its changes: identity and position
	changes []Change
	spool   Spool  // holds what came before changes, where that was too large
	undone  []span // indices of changes that a rollback to a savepoint undid
	count   int    // changes collected, undone ones included
	bytes   int    // of changes
}

// span is a half-open range of change indices.
type span struct{ from, to int }

// add appends one chunk.
func (t *txn) add(tx *Tx) {
	if tx.DropFrom != nil {
		t.undone = append(t.undone, span{*tx.DropFrom, t.count})
	}
	t.changes = append(t.changes, tx.Changes...)
	t.count += len(tx.Changes)
	for i := range tx.Changes {
		t.bytes += tx.Changes[i].Size()
	}
	if tx.Last {
		end := *tx
		end.Changes = nil
		t.end = &end
	}
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

// each calls fn with every change that counts, in order, and its index. The
// change is valid during the call. Shapes count even where the rows around
// them were undone: the source tells each of them only once.
func (t *txn) each(fn func(i int, c *Change) error) error {
	i := 0
	part := func(changes []Change) error {
		for k := range changes {
			c := &changes[k]
			if c.Op == Shape || (!t.end.Discard && !t.isUndone(i)) {
				if err := fn(i, c); err != nil {
					return err
				}
			}
			i++
		}
		return nil
	}
	if t.spool != nil {
		if err := t.spool.Replay(part); err != nil {
			return err
		}
	}
	return part(t.changes)
}

func (t *txn) isUndone(i int) bool {
	return slices.ContainsFunc(t.undone, func(s span) bool { return s.from <= i && i < s.to })
}

// batch is a run of consecutive transactions that commit together.
type batch struct{ txs []*txn }

// last returns the end of the batch's last transaction.
func (b *batch) last() *Tx { return b.txs[len(b.txs)-1].end }

// split returns one batch per transaction.
func (b *batch) split() []*batch {
	parts := make([]*batch, len(b.txs))
	for i, t := range b.txs {
		parts[i] = &batch{txs: []*txn{t}}
	}
	return parts
}

// spilled reports whether the batch streams from a spool.
func (b *batch) spilled() bool {
	return slices.ContainsFunc(b.txs, func(t *txn) bool { return t.spool != nil })
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
