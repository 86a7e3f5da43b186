package checkpoint

import (
	"github.com/dgraph-io/badger/v4"

	"github.com/rowferry/rowferry"
)

// recentBytes is about how much memory a generation of recent notes takes, and
// recentEntry what one takes beside its bytes.
const (
	recentBytes = 8 << 20
	recentEntry = 96
)

// recent has notes that were read or written lately, as they are stored, nil
// where there is none. A batch reads what it changes, Record reads it again for
// the way back, and each look into the database costs more than all the rest of a
// row. There are two generations: the older one goes when the younger is full.
type recent struct {
	young, old map[string][]byte
	bytes      int // of the younger
}

// get returns what is stored under a key, which must not be changed, and whether
// that is known.
func (r *recent) get(key []byte) (stored []byte, known bool) {
	if stored, known = r.young[string(key)]; known {
		return stored, true
	}
	if stored, known = r.old[string(key)]; known {
		r.put(key, stored)
	}
	return stored, known
}

func (r *recent) put(key, stored []byte) {
	if r.young == nil || r.bytes > recentBytes {
		r.young, r.old, r.bytes = map[string][]byte{}, r.young, 0
	}
	r.young[string(key)] = stored
	r.bytes += len(key) + len(stored) + recentEntry
}

func (r *recent) forget() { *r = recent{} }

// change takes in what a record has made of a note. A large one has values of its
// own, which only the database tells.
func (r *recent) change(n rowferry.Note) {
	key := noteKey(n.Key)
	switch {
	case n.Value == nil:
		r.put(key, nil)
	case len(n.Value) <= maxNoteWhole:
		r.put(key, append([]byte{noteWhole}, n.Value...))
	default:
		delete(r.young, string(key))
		delete(r.old, string(key))
	}
}

// known returns what is stored under a key as of the newest record, which must not
// be changed, if that is known without a look.
func (s *Store) known(key []byte) ([]byte, bool) {
	s.viewing.Lock()
	defer s.viewing.Unlock()
	return s.recent.get(key)
}

// learn keeps what was found under a key, unless there is a newer record.
func (s *Store) learn(txn *badger.Txn, key, stored []byte) {
	if len(stored) > 0 && stored[0] != noteWhole {
		return
	}
	s.viewing.Lock()
	defer s.viewing.Unlock()
	if s.view != nil && s.view.txn == txn {
		s.recent.put(key, stored)
	}
}
