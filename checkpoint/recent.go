package checkpoint

import (
	"encoding/binary"
	"hash/maphash"

	"github.com/dgraph-io/badger/v4"

	"github.com/rowferry/rowferry"
)

// DefaultRecent is how much memory notes take that were read or written lately, in
// bytes, and leastRecent what they take at least.
const (
	DefaultRecent = 32 << 20
	leastRecent   = 256 << 10
)

// recent has notes that were read or written lately, as they are stored. A batch
// reads what it changes, Record reads it again for the way back, and each look into
// the database costs more than all the rest of a row. There are two generations: the
// older one goes when the younger is full. Neither has a pointer in it, so that the
// garbage collector has nothing to do with how many notes there are.
type recent struct {
	bytes      int // of both generations; leastRecent where it is less
	seed       maphash.Seed
	young, old generation
	whole      []byte // room for what change puts
}

// generation has notes one behind the other: the uvarint length of the key, uvarint 0
// where what is stored is not known, 1 where nothing is and else 2 and its length, the
// key, and what is stored.
type generation struct {
	notes []byte
	slots []uint32 // by hash, or in a slot behind: 1 and where in notes; 0 where free
	used  int      // slots
}

const (
	unknownNote = iota
	noNote
	storedNote
)

// get appends to dst what is stored under the key of a note, nil where nothing is,
// and reports whether that is known.
func (r *recent) get(dst, key []byte) (stored []byte, known bool) {
	if r.young.slots == nil { // nothing was put yet
		return nil, false
	}
	hash := maphash.Bytes(r.seed, key)
	at, state, now := r.young.find(hash, key)
	if at < 0 {
		if at, state, now = r.old.find(hash, key); at >= 0 && state != unknownNote {
			dst = append(dst, now...) // what follows may overwrite it
			now = dst[len(dst)-len(now):]
			r.set(hash, key, state, now)
			return storedOr(state, dst), true
		}
	}
	if at < 0 || state == unknownNote {
		return nil, false
	}
	return storedOr(state, append(dst, now...)), true
}

func storedOr(state uint64, stored []byte) []byte {
	if state == noNote {
		return nil
	}
	return stored
}

// put says what is stored under a key, nil where nothing is.
func (r *recent) put(key, stored []byte) {
	state := noNote + uint64(0)
	if stored != nil {
		state = storedNote + uint64(len(stored))
	}
	r.set(maphash.Bytes(r.hashSeed(), key), key, state, stored)
}

// add is put, and does nothing and reports false where the younger generation is full.
func (r *recent) add(key, stored []byte) bool {
	seed := r.hashSeed()
	return r.young.set(maphash.Bytes(seed, key), key, storedNote+uint64(len(stored)), stored)
}

// drop says that it is not known any more what is stored under a key.
func (r *recent) drop(key []byte) {
	r.set(maphash.Bytes(r.hashSeed(), key), key, unknownNote, nil)
}

// hashSeed also makes the generations, which take no memory while there are no notes.
func (r *recent) hashSeed() maphash.Seed {
	if r.young.slots == nil {
		r.seed = maphash.MakeSeed()
		bytes := max(leastRecent, r.bytes)
		r.young, r.old = newGeneration(bytes/2), newGeneration(bytes/2)
	}
	return r.seed
}

func (r *recent) set(hash uint64, key []byte, state uint64, stored []byte) {
	if r.young.set(hash, key, state, stored) {
		return
	}
	r.turn()
	r.young.set(hash, key, state, stored)
}

// turn has the younger generation be the older one.
func (r *recent) turn() {
	r.young, r.old = r.old, r.young
	clear(r.young.slots)
	r.young.notes, r.young.used = r.young.notes[:0], 0
}

func (r *recent) forget() { r.young, r.old = generation{}, generation{} }

// newGeneration returns one that takes a number of bytes, with a slot for every 20 to
// 40 of them: about what a note takes.
func newGeneration(bytes int) generation {
	slots := 1024
	for slots*40 <= bytes {
		slots *= 2
	}
	return generation{notes: make([]byte, 0, bytes-slots*4), slots: make([]uint32, slots)}
}

// find returns where the note of a key is, below 0 where it is not.
func (g *generation) find(hash uint64, key []byte) (at int, state uint64, stored []byte) {
	at, state, stored, _ = g.seek(hash, key)
	return at, state, stored
}

// seek is find, and also returns the slot of the note, or the one that it would have.
func (g *generation) seek(hash uint64, key []byte) (at int, state uint64, stored []byte, slot uint64) {
	last := uint64(len(g.slots) - 1)
	for slot = hash & last; g.slots[slot] != 0; slot = (slot + 1) & last {
		at = int(g.slots[slot] - 1)
		length, n := binary.Uvarint(g.notes[at:])
		state, m := binary.Uvarint(g.notes[at+n:])
		from := at + n + m
		if length == uint64(len(key)) && string(g.notes[from:from+len(key)]) == string(key) {
			from += len(key)
			return at, state, g.notes[from : from+lengthOf(state)], slot
		}
	}
	return -1, 0, nil, slot
}

func lengthOf(state uint64) int { return int(max(state, storedNote) - storedNote) }

// set puts a note, and reports false where there is no room for it.
func (g *generation) set(hash uint64, key []byte, state uint64, stored []byte) bool {
	at, was, now, slot := g.seek(hash, key)
	if at >= 0 && was == state {
		copy(now, stored)
		return true
	}
	if len(g.notes)+len(key)+len(stored)+2*binary.MaxVarintLen64 > cap(g.notes) || g.used >= len(g.slots)/4*3 {
		return false
	}
	if at < 0 {
		g.used++
	}
	g.slots[slot] = uint32(len(g.notes)) + 1
	g.notes = binary.AppendUvarint(g.notes, uint64(len(key)))
	g.notes = binary.AppendUvarint(g.notes, state)
	g.notes = append(append(g.notes, key...), stored...)
	return true
}

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

// warm learns packs, as many as there is room for, in one pass through them: an engine
// that begins would look each up by itself.
func (s *Store) warm() error {
	return s.look(func(txn *badger.Txn) error {
		it := txn.NewIterator(keysOf([]byte{notePrefix}))
		defer it.Close()
		full := 0 // generations
		for it.Seek(noteKey([]byte{firstPacked})); it.Valid(); it.Next() {
			item := it.Item()
			key := item.Key()[1:]
			if !rowferry.Packed(key) {
				return nil
			}
			err := item.Value(func(stored []byte) error {
				s.viewing.Lock()
				defer s.viewing.Unlock()
				switch {
				case len(stored) == 0 || stored[0] != noteWhole || s.recent.add(key, stored):
				case full == 0:
					full++
					s.recent.put(key, stored) // turns
				default:
					full++
				}
				return nil
			})
			if err != nil || full > 1 {
				return err
			}
		}
		return nil
	})
}
