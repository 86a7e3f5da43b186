package checkpoint

import "encoding/binary"

// generation has notes one behind the other: uvarint twice the length of the key, and
// one more where it is a group's; uvarint what is known, with the length of what is
// stored where that is; the key, and what is stored.
type generation struct {
	notes []byte
	slots []uint32 // by hash, or in a slot behind: 1 and where in notes; 0 where free
	used  int      // slots
}

// What is known under a name.
const (
	unknownNote = iota // not any more what is stored
	noNote             // nothing is, or of a group nothing that is not known besides
	storedNote         // and above, by the length of what is stored
)

// name is what a note or a group is found by.
type name struct {
	hash, tag uint64 // tag is what its entry begins with
	key       []byte
}

// newGeneration returns one that takes a number of bytes, with a slot for every 20 to
// 40 of them: about what a note takes.
func newGeneration(bytes int) generation {
	slots := 1024
	for slots*40 <= bytes {
		slots *= 2
	}
	return generation{notes: make([]byte, 0, bytes-slots*4), slots: make([]uint32, slots)}
}

// find returns where a name is, below 0 where it is not.
func (g *generation) find(n name) (at int, state uint64, stored []byte) {
	at, state, stored, _ = g.seek(n)
	return at, state, stored
}

// seek is find, and also returns the slot of the name, or the one that it would have.
func (g *generation) seek(n name) (at int, state uint64, stored []byte, slot uint64) {
	last := uint64(len(g.slots) - 1)
	for slot = n.hash & last; g.slots[slot] != 0; slot = (slot + 1) & last {
		at = int(g.slots[slot] - 1)
		tag, size := binary.Uvarint(g.notes[at:])
		if tag != n.tag {
			continue
		}
		state, more := binary.Uvarint(g.notes[at+size:])
		from := at + size + more
		if string(g.notes[from:from+len(n.key)]) == string(n.key) {
			from += len(n.key)
			return at, state, g.notes[from : from+lengthOf(state)], slot
		}
	}
	return -1, 0, nil, slot
}

func lengthOf(state uint64) int { return int(max(state, storedNote) - storedNote) }

// fits reports whether there is room for so many names, with bytes of keys and of what
// is stored.
func (g *generation) fits(names, bytes int) bool {
	return len(g.notes)+bytes+names*2*binary.MaxVarintLen64 <= cap(g.notes) && g.used+names <= len(g.slots)/4*3
}

// set puts a name, and reports false where there is no room for it.
func (g *generation) set(n name, state uint64, stored []byte) bool {
	at, was, now, slot := g.seek(n)
	if at >= 0 && was == state {
		copy(now, stored)
		return true
	}
	if !g.fits(1, len(n.key)+len(stored)) {
		return false
	}
	if at < 0 {
		g.used++
	}
	g.slots[slot] = uint32(len(g.notes)) + 1
	g.notes = binary.AppendUvarint(g.notes, n.tag)
	g.notes = binary.AppendUvarint(g.notes, state)
	g.notes = append(append(g.notes, n.key...), stored...)
	return true
}
