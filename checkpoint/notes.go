package checkpoint

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math"

	"github.com/dgraph-io/badger/v4"

	"github.com/rowferry/rowferry"
)

// What is stored under a note's key begins with its form: the value follows, or
// where the value of a large one is.
const (
	noteWhole = 0
	noteLarge = 1 // uvarint sequence, uvarint number, uvarint parts
)

// Sizes of notes, in bytes. What one note changes, with what it was, fits into a
// step.
const (
	maxNoteKey   = 16 << 10
	maxNoteWhole = 8 << 10 // a larger value has keys of its own
)

func checkNotes(notes []rowferry.Note) error {
	for _, n := range notes {
		if len(n.Key) > maxNoteKey {
			return fmt.Errorf("the key of a note is longer than %d bytes", maxNoteKey)
		}
		if len(n.Value) > maxBlobLength/2 {
			return fmt.Errorf("a note of %d bytes is too large", len(n.Value))
		}
	}
	return nil
}

// Get implements rowferry.State.
func (s *Store) Get(key []byte) (value []byte, err error) {
	if !rowferry.Packed(key) {
		return s.stored(nil, key)
	}
	var keyRoom, packRoom [256]byte
	at, member := packKey(keyRoom[:0], key)
	pack, err := s.stored(packRoom[:0], at)
	if pack == nil || err != nil {
		return nil, err
	}
	if value, err = inPack(make([]byte, 0, 16), pack, member); err != nil {
		return nil, s.unreadable(err)
	}
	return value, nil
}

// stored returns what is stored under a key for a note, or for a pack of them, in dst
// where there is room.
func (s *Store) stored(dst, key []byte) (value []byte, err error) {
	if stored, known := s.known(dst, key); known {
		if stored == nil {
			return nil, nil
		}
		return stored[len(dst)+1:], nil
	}
	err = s.look(func(txn *badger.Txn) error {
		stored, err := get(txn, noteKey(key), nil)
		if err != nil {
			return err
		}
		if stored != nil {
			value, err = noteValue(txn, stored)
		}
		if err == nil {
			s.learn(txn, key, stored)
		}
		return err
	})
	if err != nil {
		return nil, s.unreadable(err)
	}
	return value, nil
}

// Scan implements rowferry.State. It is safe for concurrent use, as Get is, and
// shows what was recorded when it began.
func (s *Store) Scan(prefix []byte, fn func(key, value []byte) error) error {
	if rowferry.Packed(prefix) { // it may be a whole key, and then is the only one
		value, err := s.Get(prefix)
		if err != nil {
			return err
		}
		if value != nil {
			return fn(prefix, value)
		}
	}
	var failed error
	tell := func(key, value []byte) error {
		failed = fn(key, value)
		return failed
	}
	err := s.look(func(txn *badger.Txn) error {
		it := txn.NewIterator(keysOf(noteKey(prefix)))
		defer it.Close()
		for it.Rewind(); it.Valid(); it.Next() {
			item := it.Item()
			err := item.Value(func(stored []byte) error {
				value, err := noteValue(txn, stored)
				if err != nil {
					return err
				}
				if key := item.Key()[1:]; rowferry.Packed(key) {
					return scanPack(prefix, key, value, tell)
				}
				return tell(item.Key()[1:], value)
			})
			if err != nil {
				return err
			}
		}
		return nil
	})
	if failed != nil {
		return failed
	}
	if err != nil {
		return s.unreadable(err)
	}
	return nil
}

func (s *Store) unreadable(err error) error {
	if rowferry.CodeOf(err) != "" {
		return err
	}
	return corrupt(s.dir, fmt.Errorf("a note: %w", err))
}

// get returns what is stored under a key, in buf where it fits; nil where
// nothing is.
func get(txn *badger.Txn, key, buf []byte) ([]byte, error) {
	item, err := txn.Get(key)
	if errors.Is(err, badger.ErrKeyNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return item.ValueCopy(buf)
}

// noteValue returns the value of a note, never nil.
func noteValue(txn *badger.Txn, stored []byte) ([]byte, error) {
	if len(stored) == 0 {
		return nil, errors.New("it is empty")
	}
	if stored[0] == noteWhole {
		return stored[1:], nil
	}
	l, err := decodeLarge(stored)
	if err != nil {
		return nil, err
	}
	kind, data, err := readParts(txn, largeKey(l.seq, l.number))
	if err == nil && kind != blobNote {
		err = fmt.Errorf("it is of kind %q", kind)
	}
	return data, err
}

// large says where the value of a large note is. It is written once and stays
// until no record that is kept can be gone back to that had it.
type large struct {
	seq    uint64
	number uint32
	parts  int
}

func (l large) encode() []byte {
	b := binary.AppendUvarint([]byte{noteLarge}, l.seq)
	b = binary.AppendUvarint(b, uint64(l.number))
	return binary.AppendUvarint(b, uint64(l.parts))
}

func decodeLarge(stored []byte) (large, error) {
	var seq, number, parts uint64
	if len(stored) == 0 || stored[0] != noteLarge {
		return large{}, errors.New("unknown form")
	}
	err := decodeNumbers(append([]byte{codecVersion}, stored[1:]...), &seq, &number, &parts)
	if err == nil && (number > math.MaxUint32 || parts > maxParts) {
		err = errors.New("it is too large")
	}
	return large{seq, uint32(number), int(parts)}, err
}

// view is a read transaction that shows what the newest record left. It is
// shared: a read transaction of Badger's has no state that reading changes. One
// that began while a Record goes on would wait for it.
type view struct {
	txn   *badger.Txn
	users int
	old   bool // ends with its last user
}

// look calls fn with the newest view. What Badger panics with on damaged files is
// returned as an error.
func (s *Store) look(fn func(*badger.Txn) error) (err error) {
	s.viewing.Lock()
	v := s.view
	if v == nil {
		s.viewing.Unlock()
		return rowferry.Errorf(rowferry.CodeInternal, "the state directory is closed")
	}
	v.users++
	s.viewing.Unlock()
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("%w: %s", errDamaged, bytes.TrimSpace([]byte(fmt.Sprint(p))))
		}
		s.viewing.Lock()
		defer s.viewing.Unlock()
		if v.users--; v.users == 0 && v.old {
			v.txn.Discard()
		}
	}()
	return fn(v.txn)
}

// refresh has the notes seen as they now are, and brings what is known of them up
// to that; they are not seen any more once there is no database.
func (s *Store) refresh(db *badger.DB, bring func(*recent)) {
	var next *view
	if db != nil {
		next = &view{txn: db.NewTransaction(false)}
	}
	s.viewing.Lock()
	defer s.viewing.Unlock()
	if v := s.view; v != nil {
		if v.old = true; v.users == 0 {
			v.txn.Discard()
		}
	}
	s.view = next
	bring(&s.recent)
}
