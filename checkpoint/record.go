package checkpoint

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"

	"github.com/rowferry/rowferry"
	"github.com/rowferry/rowferry/internal/failpoint"
	"github.com/rowferry/rowferry/schema"
)

// Record durably writes what one batch changes. It is in the directory as a
// whole or, for Load, not at all. The sequence must be greater than any that
// is recorded, else CodeInternal. A table in both Shapes and Dropped was
// dropped and made anew; of several shapes of one table the last counts.
//
// CodeStateFull before anything was written leaves the store usable: Record
// may be tried again. Any other failure to write leaves it unknown what is
// durable, and every later write returns the same error; Load and Close may
// still be called.
func (s *Store) Record(r rowferry.Record) error {
	if err := s.writable(); err != nil {
		return err
	}
	seq := r.Checkpoint.Sequence
	if err := s.checkRecord(r.Checkpoint); err != nil {
		return err
	}
	s.noted = s.noted || len(r.Notes) > 0
	if err := s.room(0); err != nil {
		return err
	}
	if err := s.removeLeftovers(); err != nil {
		return err
	}
	blobs, err := s.blobs(r)
	if err != nil {
		return rowferry.Errorf(rowferry.CodeInternal, "sequence %d cannot be encoded: %w", seq, err)
	}
	notes, bytes, err := s.packed(r.Notes)
	if err != nil {
		return s.unreadable(err)
	}
	if err := s.room(bytes); err != nil {
		return err
	}
	if err := failpoint.Hit("record.before"); err != nil {
		return s.writeError(err)
	}
	s.history.strays = true // until the marker is there
	next, err := s.write(seq, blobs, notes)
	if err != nil {
		s.failed = s.writeError(fmt.Errorf("recording sequence %d: %w", seq, err))
		return s.failed
	}
	s.history = next
	s.refresh(s.db, func(known *recent) {
		for _, n := range notes {
			known.change(n)
		}
	})
	if err := failpoint.Hit("record.marked"); err != nil {
		s.failed = s.writeError(err)
		return s.failed
	}
	return nil
}

func (s *Store) checkRecord(c rowferry.Checkpoint) error {
	switch {
	case c.Sequence == 0 || c.Sequence == rowferry.MaxSequence:
		return rowferry.Errorf(rowferry.CodeInternal, "sequence %d cannot be recorded", c.Sequence)
	case c.Sequence <= s.history.newest():
		return rowferry.Errorf(rowferry.CodeInternal, "sequence %d cannot be recorded: the state directory has %d", c.Sequence, s.history.newest())
	case c.Pipeline != s.format.Pipeline:
		return rowferry.Errorf(rowferry.CodeInternal, "a record of pipeline %q for the state directory of %q", c.Pipeline, s.format.Pipeline)
	}
	return nil
}

// blob is a key with a value of any size.
type blob struct {
	key   []byte
	value []byte
	kind  byte
}

// blobs encodes a record; the checkpoint is the last.
func (s *Store) blobs(r rowferry.Record) ([]blob, error) {
	seq := r.Checkpoint.Sequence
	var bs []blob
	at := map[schema.Name]int{}
	add := func(n schema.Name, kind byte, data []byte) error {
		key, err := shapeKey(n, seq)
		if err != nil {
			return err
		}
		b := blob{key: key, value: encodeBlob(kind, data), kind: kind}
		if i, ok := at[n]; ok {
			bs[i] = b
			return nil
		}
		at[n] = len(bs)
		bs = append(bs, b)
		return nil
	}
	for _, n := range r.Dropped {
		if err := add(n, blobDropped, nil); err != nil {
			return nil, err
		}
	}
	for _, t := range r.Shapes {
		data, err := json.Marshal(t)
		if err != nil {
			return nil, err
		}
		if err := add(t.Name, blobShape, data); err != nil {
			return nil, err
		}
	}
	var hash string
	if r.Rules != "" {
		sum := rulesSum(r.Rules)
		hash = hex.EncodeToString(sum[:])
		if !s.hasRules(sum) {
			bs = append(bs, blob{key: rulesKey(sum), value: encodeBlob(blobRules, []byte(r.Rules)), kind: blobRules})
		}
	}
	data, err := encodeCheckpoint(r.Checkpoint, hash)
	if err != nil {
		return nil, err
	}
	bs = append(bs, blob{key: recordKey(seq), value: encodeBlob(blobCheckpoint, data), kind: blobCheckpoint})
	if err := checkNotes(r.Notes); err != nil {
		return nil, err
	}
	for _, b := range bs {
		most := maxBlobLength
		if b.kind == blobCheckpoint {
			most = maxCheckpoint
		}
		if len(b.value) > most {
			return nil, fmt.Errorf("a value of %d bytes is too large", len(b.value))
		}
	}
	return bs, nil
}

func rulesSum(text string) [32]byte { return sha256.Sum256([]byte(text)) }

// hasRules reports whether a text is stored as a whole. It is looked up once
// per change of rules. One that cannot be read is written again.
func (s *Store) hasRules(sum [32]byte) bool {
	if s.rules == sum {
		return true
	}
	if _, err := s.readRules(sum); err != nil {
		return false
	}
	s.rules = sum
	return true
}

// write writes the blobs and the notes, then the marker together with the head
// and the removal of what is superseded. It returns the history that is then
// true.
func (s *Store) write(seq uint64, blobs []blob, notes []rowferry.Note) (history, error) {
	w := writer{db: s.db, split: s.split}
	defer w.discard()
	next := s.history
	next.strays, next.stale = false, nil
	kept := keptRecord{seq: seq}
	if err := s.forget(&w, s.history.stale); err != nil {
		return next, err
	}
	for _, b := range blobs {
		n, err := w.putBlob(b)
		if err != nil {
			return next, err
		}
		switch b.kind {
		case blobShape, blobDropped:
			next.shapes++
		case blobCheckpoint:
			kept.parts = n
		}
	}
	var err error
	if kept.steps, err = s.putNotes(&w, seq, notes); err != nil {
		return next, err
	}
	if err := failpoint.Hit("record.written"); err != nil {
		return next, err
	}
	if next.head.first == 0 {
		next.head.first = seq
	}
	m := marker{prev: s.history.newest(), shapes: next.shapes, steps: uint64(kept.steps)}
	superseded := next.supersede(kept, s.retain)
	return next, s.mark(&w, seq, m, next.head, superseded)
}

// mark commits the marker, and whatever the writer still holds. Marker, head
// and the removal of superseded markers refer to each other, so they are one
// transaction: what would not fit into it is committed before.
func (s *Store) mark(w *writer, seq uint64, m marker, h head, superseded []keptRecord) error {
	if w.count > maxTxnKeys-600 || w.size > maxTxnSize-chunkSize {
		if err := w.commit(); err != nil {
			return err
		}
	}
	w.split, w.whole = false, true
	if err := w.put(markerKey(seq), m.encode()); err != nil {
		return err
	}
	if err := w.put([]byte{headKey}, h.encode()); err != nil {
		return err
	}
	for _, k := range superseded {
		if err := w.remove(markerKey(k.seq)); err != nil {
			return err
		}
		for part := range k.parts {
			if err := w.remove(partKey(recordKey(k.seq), part)); err != nil {
				return err
			}
		}
	}
	return s.commit(w)
}

// commit commits the writer's transaction and makes a new log's directory
// entry durable.
func (s *Store) commit(w *writer) error {
	if err := w.commit(); err != nil {
		return err
	}
	if s.unsynced {
		return nil
	}
	return s.entries.sync()
}
