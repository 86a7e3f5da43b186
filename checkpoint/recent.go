package checkpoint

import (
	"hash/maphash"

	"github.com/dgraph-io/badger/v4"

	"github.com/rowferry/rowferry"
)

// DefaultRecent is how much memory notes take that were read or written lately, in
// bytes, and leastRecent what they take at least.
const (
	DefaultRecent = 24 << 20
	leastRecent   = 256 << 10
)

// recent has notes that were read or written lately, as they are stored. A batch
// reads what it changes, Record reads it again for the way back, and each look into
// the database costs more than all the rest of a row. There are two generations: the
// older one goes when the younger is full. Neither has a pointer in it, so that the
// garbage collector has nothing to do with how many notes there are. Of a group that was
// read as a whole it is also known what is not there: see group.go.
type recent struct {
	bytes      int // of both generations; leastRecent where it is less
	seed       maphash.Seed
	young, old generation
	whole      []byte // room for what change puts
	looks      [32]uint64
}

// get appends to dst what is stored under the key of a note, nil where nothing is,
// and reports whether that is known.
func (r *recent) get(dst, key []byte) (stored []byte, known bool) {
	if r.young.slots == nil { // nothing was put yet
		return nil, false
	}
	n := r.noted(key)
	at, state, now := r.young.find(n)
	if at < 0 {
		if at, state, now = r.old.find(n); at >= 0 && state != unknownNote {
			dst = append(dst, now...) // what follows may overwrite it
			now = dst[len(dst)-len(now):]
			r.set(n, state, now)
			return storedOr(state, dst), true
		}
	}
	switch {
	case at < 0:
		return nil, r.hasGroup(key)
	case state == unknownNote:
		return nil, false
	default:
		return storedOr(state, append(dst, now...)), true
	}
}

func storedOr(state uint64, stored []byte) []byte {
	if state == noNote {
		return nil
	}
	return stored
}

// noted is the name of a note.
func (r *recent) noted(key []byte) name {
	return name{maphash.Bytes(r.seed, key), 2 * uint64(len(key)), key}
}

// put says what is stored under a key, nil where nothing is.
func (r *recent) put(key, stored []byte) {
	state := noNote + uint64(0)
	if stored != nil {
		state = storedNote + uint64(len(stored))
	}
	r.begin()
	r.set(r.noted(key), state, stored)
}

// drop says that it is not known any more what is stored under a key.
func (r *recent) drop(key []byte) {
	r.begin()
	r.set(r.noted(key), unknownNote, nil)
}

// begin makes the generations, which take no memory while there are no notes.
func (r *recent) begin() {
	if r.young.slots == nil {
		r.seed = maphash.MakeSeed()
		bytes := max(leastRecent, r.bytes)
		r.young, r.old = newGeneration(bytes/2), newGeneration(bytes/2)
	}
}

func (r *recent) set(n name, state uint64, stored []byte) {
	if !r.young.set(n, state, stored) {
		r.turn()
		r.young.set(n, state, stored)
	}
}

// turn has the younger generation be the older one.
func (r *recent) turn() {
	r.young, r.old = r.old, r.young
	clear(r.young.slots)
	r.young.notes, r.young.used = r.young.notes[:0], 0
}

func (r *recent) forget() { r.young, r.old = generation{}, generation{} }

// change takes in what a record has made of a note. A large one has values of its
// own, which only the database tells.
func (r *recent) change(n rowferry.Note) {
	switch {
	case n.Value == nil:
		r.put(n.Key, nil)
	case len(n.Value) <= maxNoteWhole:
		r.whole = append(append(r.whole[:0], noteWhole), n.Value...)
		r.put(n.Key, r.whole)
	default:
		r.drop(n.Key)
	}
}

// known appends to dst what is stored under the key of a note as of the newest
// record, if that is known without a look.
func (s *Store) known(dst, key []byte) ([]byte, bool) {
	s.viewing.Lock()
	defer s.viewing.Unlock()
	return s.recent.get(dst, key)
}

// learn calls fn with what is known, which it adds to what txn shows, unless there is a
// newer record.
func (s *Store) learn(txn *badger.Txn, fn func(*recent)) {
	s.viewing.Lock()
	defer s.viewing.Unlock()
	if s.view != nil && s.view.txn == txn {
		fn(&s.recent)
	}
}
