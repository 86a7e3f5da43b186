package checkpoint

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/dgraph-io/badger/v4"

	"github.com/rowferry/rowferry"
	"github.com/rowferry/rowferry/internal/failpoint"
)

// A step sets some of a record's notes. It is one Badger transaction, and what
// the notes were before is a part of it: where a step is there, it can be
// undone, and where it is not, nothing of it is. So steps need no order among
// themselves, and those of an attempt that was interrupted are undone one by
// one.
//
// What the notes were is a blob: of each the uvarint length of its key, the key,
// and what was stored, after its uvarint length plus one, or zero where there
// was nothing.
type step struct {
	keys, values [][]byte // of the notes, as they are stored; a nil value removes
	undo         []byte
	size         int // of the transaction, in bytes
}

// What a step may be, so that it fits into a transaction, and two seldom do.
const (
	maxStepNotes = 1000
	maxStepSize  = 112 << 10
	maxUndoSize  = chunkSize - 32 // a blob's beginning is shorter
)

func (st *step) fits(key, value, was []byte) bool {
	undo := len(key) + len(was) + 2*binary.MaxVarintLen32
	return len(st.keys) < maxStepNotes && len(st.undo)+undo <= maxUndoSize &&
		st.size+len(key)+len(value)+entryOverhead+undo <= maxStepSize
}

func (st *step) add(key, value, was []byte) {
	before := len(st.undo)
	st.undo = appendUndo(st.undo, key[1:], was)
	st.keys, st.values = append(st.keys, key), append(st.values, value)
	st.size += len(key) + len(value) + entryOverhead + len(st.undo) - before
}

func appendUndo(b, key, was []byte) []byte {
	b = append(binary.AppendUvarint(b, uint64(len(key))), key...)
	if was == nil {
		return append(b, 0)
	}
	return append(binary.AppendUvarint(b, uint64(len(was))+1), was...)
}

// eachUndo calls fn with each key and what was stored under it. Neither is a
// copy.
func eachUndo(b []byte, fn func(key, was []byte) error) error {
	for len(b) > 0 {
		n, size := binary.Uvarint(b)
		if size <= 0 || n > uint64(len(b)-size) {
			return fmt.Errorf("%w: the key of a note is cut off", errDamaged)
		}
		key := b[size : size+int(n)]
		b = b[size+int(n):]
		n, size = binary.Uvarint(b)
		if size <= 0 || n > uint64(len(b)-size)+1 {
			return fmt.Errorf("%w: what a note was is cut off", errDamaged)
		}
		var was []byte
		if b = b[size:]; n > 0 {
			was, b = b[:n-1:n-1], b[n-1:]
		}
		if err := fn(key, was); err != nil {
			return err
		}
	}
	return nil
}

// putNotes sets notes, and returns in how many steps.
func (s *Store) putNotes(w *writer, seq uint64, notes []rowferry.Note) (steps int, err error) {
	var st step
	put := func() error {
		if err := failpoint.Hit("record.step"); err != nil {
			return err
		}
		err := st.put(w, partKey(undoKey(seq), steps))
		st = step{}
		steps++
		return err
	}
	var buf []byte
	for i, n := range notes {
		key := noteKey(n.Key)
		was, known := s.known(buf[:0], n.Key)
		if !known {
			err := s.look(func(txn *badger.Txn) error {
				was, err = get(txn, key, buf[:0])
				return err
			})
			if err != nil {
				return steps, err
			}
		}
		if was != nil {
			buf = was
		}
		value, err := encodeNote(w, seq, uint32(i), n.Value)
		if err != nil {
			return steps, err
		}
		if bytes.Equal(was, value) && (was == nil) == (value == nil) {
			continue
		}
		if !st.fits(key, value, was) || (w.split && len(st.keys) == 2) {
			if err := put(); err != nil {
				return steps, err
			}
		}
		st.add(key, value, was)
	}
	if len(st.keys) == 0 {
		return steps, nil
	}
	return steps, put()
}

// encodeNote returns what is stored for a value. A large one is written at once:
// nothing refers to it before the step that comes later, and what an attempt
// leaves of it is removed with the attempt.
func encodeNote(w *writer, seq uint64, number uint32, value []byte) ([]byte, error) {
	switch {
	case value == nil:
		return nil, nil
	case len(value) <= maxNoteWhole:
		return append(append(make([]byte, 0, 1+len(value)), noteWhole), value...), nil
	}
	parts, err := w.putBlob(blob{key: largeKey(seq, number), value: encodeBlob(blobNote, value)})
	return large{seq, number, parts}.encode(), err
}

func (st *step) put(w *writer, undoKey []byte) error {
	undo := encodeBlob(blobUndo, st.undo)
	return w.together(len(st.keys)+1, st.size+len(undoKey)+len(undo)-len(st.undo), func() error {
		for i, key := range st.keys {
			if err := w.set(key, st.values[i]); err != nil {
				return err
			}
		}
		return w.put(undoKey, undo)
	})
}

// readStep returns what the notes of a step were before; nil where there is no
// such step.
func (s *Store) readStep(key []byte) (undo []byte, err error) {
	err = read(s.db, func(txn *badger.Txn) error {
		stored, err := get(txn, key, nil)
		if stored == nil || err != nil {
			return err
		}
		kind, data, err := decodeBlob(stored)
		if err == nil && kind != blobUndo {
			err = fmt.Errorf("it is of kind %q", kind)
		}
		undo = data
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("%w: what notes were before: %w", errDamaged, err)
	}
	return undo, nil
}

// undoStrays sets the notes back to the newest whole record: every step that
// belongs to none is undone, the latest sequence first, and gone with that. It returns
// the keys of the notes that were set.
func (s *Store) undoStrays(w *writer) (undone [][]byte, err error) {
	var keys [][]byte
	err = eachKey(s.db, []byte{undoPrefix}, func(item *badger.Item) error {
		e, err := parseKey(item.Key())
		if err == nil && s.history.stray(e.seq) {
			keys = append(keys, item.KeyCopy(nil))
		}
		return err
	})
	for i := len(keys) - 1; i >= 0 && err == nil; i-- {
		undone, err = s.undoStep(w, keys[i], undone)
	}
	return undone, err
}

func (s *Store) undoStep(w *writer, key []byte, undone [][]byte) ([][]byte, error) {
	if err := failpoint.Hit("undo.step"); err != nil {
		return nil, err
	}
	undo, err := s.readStep(key)
	if err != nil {
		return nil, err
	}
	count, size := 1, len(key)+entryOverhead
	if err := eachUndo(undo, func(key, was []byte) error {
		count++
		size += 1 + len(key) + len(was) + entryOverhead
		undone = append(undone, bytes.Clone(key))
		return nil
	}); err != nil {
		return nil, err
	}
	return undone, w.together(count, size, func() error {
		if err := eachUndo(undo, func(key, was []byte) error { return w.set(noteKey(key), was) }); err != nil {
			return err
		}
		return w.remove(key)
	})
}

// forget removes the steps of superseded records, and before each the large
// values that only undoing it would have brought back.
func (s *Store) forget(w *writer, stale []keptRecord) error {
	for _, k := range stale {
		for part := range k.steps {
			key := partKey(undoKey(k.seq), part)
			undo, err := s.readStep(key)
			if err != nil {
				return err
			}
			if undo == nil {
				continue // removed before a crash
			}
			if err := eachUndo(undo, func(_, was []byte) error { return w.removeLarge(was) }); err != nil {
				return err
			}
			if err := w.remove(key); err != nil {
				return err
			}
		}
	}
	return nil
}

func (w *writer) removeLarge(was []byte) error {
	if len(was) == 0 || was[0] != noteLarge {
		return nil
	}
	l, err := decodeLarge(was)
	if err != nil {
		return err
	}
	for part := range l.parts {
		if err := w.remove(partKey(largeKey(l.seq, l.number), part)); err != nil {
			return err
		}
	}
	return nil
}

// dropNotes removes all notes: without a record that is kept there is none that
// they could belong to. A crash in the middle is found by just that, and the
// next Open goes on.
func (s *Store) dropNotes() error {
	prefixes := []byte{notePrefix, largePrefix, undoPrefix}
	for range 2 {
		var there [][]byte
		for _, p := range prefixes {
			found, err := anyKey(s.db, p)
			if err != nil {
				return err
			}
			if found {
				there = append(there, []byte{p})
			}
		}
		if len(there) == 0 {
			s.history.stale = nil
			return nil
		}
		if err := s.db.DropPrefix(there...); err != nil {
			return err
		}
		if err := syncDir(s.entries.dir); err != nil {
			return err
		}
	}
	return errors.New("badger kept notes that it was to drop")
}
