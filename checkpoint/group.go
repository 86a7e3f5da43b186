package checkpoint

import (
	"hash/maphash"

	"github.com/dgraph-io/badger/v4"

	"github.com/rowferry/rowferry"
	"github.com/rowferry/rowferry/internal/failpoint"
)

// A group is the notes whose keys differ in the last byte alone: of rows whose keys
// follow each other. It is read as a whole when it is looked into for the second time in
// a short while, if it has no more notes, with those of longer keys among them, and no
// more bytes than this.
const (
	maxGroupNotes = 512
	maxGroupBytes = 64 << 10
)

// group is the name of the group of a note.
func (r *recent) group(key []byte) name {
	of := key[:len(key)-1]
	return name{maphash.Bytes(r.seed, of), 2*uint64(len(of)) + 1, of}
}

// hasGroup reports whether all notes of a note's group are known. It is so as long as
// the generation stands into which they came together: its name is never carried into
// the younger one, as notes that are used are.
func (r *recent) hasGroup(key []byte) bool {
	if len(key) == 0 {
		return false
	}
	n := r.group(key)
	if at, _, _ := r.young.find(n); at >= 0 {
		return true
	}
	at, _, _ := r.old.find(n)
	if at >= 0 && failpoint.On("groups-outlive-notes") {
		r.set(n, noNote, nil)
	}
	return at >= 0
}

// putGroup says what is stored of the group of a key, which is nil where that is not
// to be known.
func (r *recent) putGroup(key []byte, notes []rowferry.Note) {
	r.begin()
	bytes := len(key)
	for _, n := range notes {
		bytes += len(n.Key) + len(n.Value)
	}
	if !r.young.fits(len(notes)+1, bytes) {
		r.turn() // they stand and go together
	}
	for _, n := range notes {
		if n.Value == nil {
			r.drop(n.Key)
		} else {
			r.put(n.Key, n.Value)
		}
	}
	r.set(r.group(key), noNote, nil)
}

// lookAgain reports whether the group of a key was looked into a short while ago.
func (s *Store) lookAgain(key []byte) bool {
	s.viewing.Lock()
	defer s.viewing.Unlock()
	if len(key) == 0 {
		return false
	}
	r := &s.recent
	r.begin()
	hash := r.group(key).hash
	last := &r.looks[hash%uint64(len(r.looks))]
	again := *last == hash
	*last = hash
	return again
}

// readGroup returns what is stored of the group of a key, nil for the value of a large
// note, and false where that is too much.
func readGroup(txn *badger.Txn, key []byte) (notes []rowferry.Note, ok bool, err error) {
	it := txn.NewIterator(keysOf(noteKey(key[:len(key)-1])))
	defer it.Close()
	seen, size := 0, 0
	for it.Rewind(); it.Valid(); it.Next() {
		item := it.Item()
		if seen++; seen > maxGroupNotes || size > maxGroupBytes {
			return nil, false, nil
		}
		if len(item.Key()) != 1+len(key) {
			continue
		}
		n := rowferry.Note{Key: item.KeyCopy(nil)[1:]}
		if n.Value, err = item.ValueCopy(nil); err != nil {
			return nil, false, err
		}
		if len(n.Value) > 0 && n.Value[0] != noteWhole {
			n.Value = nil
		}
		size += len(n.Key) + len(n.Value)
		notes = append(notes, n)
	}
	return notes, true, nil
}
