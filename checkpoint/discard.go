package checkpoint

import (
	"slices"

	"github.com/dgraph-io/badger/v4"
)

// DiscardAfter durably removes every version later than sequence, and sets the
// notes back to what they were. The markers go first, all in one transaction:
// from then on the versions do not exist, and what an interruption leaves of them
// is removed before their sequence can be used again. Where no checkpoint is kept
// that far back, no note is either.
func (s *Store) DiscardAfter(sequence uint64) error {
	if err := s.writable(); err != nil {
		return err
	}
	if err := s.discardAfter(sequence); err != nil {
		s.failed = s.writeError(err)
		return s.failed
	}
	return s.removeLeftovers()
}

func (s *Store) discardAfter(sequence uint64) error {
	h := &s.history
	n := h.upTo(sequence) + 1
	gone := h.kept[n:]
	next := head{first: h.head.first, pruned: min(h.head.pruned, sequence)}
	if sequence < next.first {
		next = head{}
	}
	if len(gone) == 0 && next == h.head {
		return nil
	}
	w := writer{db: s.db, whole: true}
	defer w.discard()
	for _, k := range gone {
		if err := w.remove(markerKey(k.seq)); err != nil {
			return err
		}
	}
	if err := w.put([]byte{headKey}, next.encode()); err != nil {
		return err
	}
	if err := s.commit(&w); err != nil {
		return err
	}
	h.kept, h.head, h.strays = slices.Clip(h.kept[:n]), next, true
	return nil
}

// Reset durably forgets the pipeline: its checkpoints, shapes, notes and rules. The
// directory keeps its ID.
func (s *Store) Reset() error {
	if err := s.DropStage(); err != nil {
		return err
	}
	if err := s.DiscardAfter(0); err != nil {
		return err
	}
	s.rules = [32]byte{}
	return s.remove(func(e entry) bool { return e.kind == rulesPrefix })
}

// removeLeftovers removes versions that belong to no whole record: of an
// attempt that was interrupted, of a discard that was, or superseded. What it
// did to the notes is undone.
func (s *Store) removeLeftovers() error {
	if !s.history.strays {
		return nil
	}
	if err := s.settleNotes(); err != nil {
		return err
	}
	h := &s.history
	newest := h.newest()
	kept := make(map[uint64]bool, len(h.kept))
	for _, k := range h.kept {
		kept[k.seq] = true
	}
	shapes := uint64(0)
	err := s.remove(func(e entry) bool {
		switch e.kind {
		case recordPrefix:
			return !kept[e.seq]
		case largePrefix:
			return h.stray(e.seq)
		case shapePrefix:
			if e.seq <= newest && e.part == 0 {
				shapes++
			}
			return e.seq > newest
		default:
			return false
		}
	})
	if err != nil {
		return err
	}
	h.shapes, h.strays = shapes, false
	return nil
}

// settleNotes has the notes be those of the newest whole record.
func (s *Store) settleNotes() error {
	w := writer{db: s.db, split: s.split}
	defer w.discard()
	bring := (*recent).forget
	var err error
	if len(s.history.kept) == 0 {
		err = s.dropNotes()
	} else {
		var undone [][]byte
		if undone, err = s.undoStrays(&w); err == nil {
			err = s.commit(&w)
		}
		bring = func(known *recent) {
			for _, key := range undone {
				known.drop(key)
			}
		}
	}
	if err != nil {
		s.failed = s.writeError(err)
		return s.failed
	}
	s.refresh(s.db, bring)
	return nil
}

// remove durably removes the keys that which chooses, in any number of
// transactions.
func (s *Store) remove(which func(entry) bool) error {
	var keys [][]byte
	err := eachKey(s.db, nil, func(item *badger.Item) error {
		e, err := parseKey(item.Key())
		if err == nil && which(e) {
			keys = append(keys, item.KeyCopy(nil))
		}
		return err
	})
	if err != nil {
		return corrupt(s.dir, err)
	}
	if len(keys) == 0 {
		return nil
	}
	w := writer{db: s.db}
	defer w.discard()
	for _, k := range keys {
		if err := w.remove(k); err != nil {
			s.failed = s.writeError(err)
			return s.failed
		}
	}
	if err := s.commit(&w); err != nil {
		s.failed = s.writeError(err)
		return s.failed
	}
	return nil
}
