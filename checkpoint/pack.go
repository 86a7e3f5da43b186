package checkpoint

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"fmt"
	"math"
	"math/bits"
	"slices"

	"github.com/rowferry/rowferry"
	"github.com/rowferry/rowferry/internal/failpoint"
)

// Notes of the kinds that rowferry.Packed names are stored together: those whose keys
// differ in the last six bits alone, of rows whose keys follow each other, are one pack,
// under their key without these bits. As their values mostly follow each other too, ten
// million of them are a few megabytes, and a look brings its neighbours along.
//
// A pack is chains of notes, by the first note of each. In a chain each value is one
// higher than the one before, as a number of the last eight bytes, big endian, whatever
// notes of other chains, or none, are between. A chain is the last six bits of its one
// note's key, or else chainOfMany and eight bytes, big endian, with a bit for each of its
// notes, the lowest for the first key of the pack; then how many bytes of its first value
// are those of the first value of the chain before; uvarint the number of those after
// them; and those.
const (
	firstPacked = 'A' // what the first of their keys begins with
	packSize    = 64
	packNumber  = 8 // bytes at the end of a value that count up
	chainOfMany = packSize
	fewest      = 3 // notes in a chain of many: of fewer each is a chain
)

// packKey returns the key of the pack that a note is in, which is dst's where there is
// room, and which of its notes it is.
func packKey(dst, key []byte) (pack []byte, member int) {
	pack = append(dst, key...)
	last := &pack[len(pack)-1]
	member = int(*last % packSize)
	*last -= byte(member)
	return pack, member
}

// members are the values of a pack, nil where there is no note.
type members [packSize][]byte

// chain is which notes of a pack are in it, and the value of the first.
type chain struct {
	notes uint64
	value []byte
}

// unpack reads a pack. What it returns is not the pack's.
func unpack(pack []byte) (m members, err error) {
	room := make([]byte, 0, 256) // not nil, as no value is
	err = eachChain(pack, func(c chain) bool {
		for left, nth := c.notes, uint64(0); left != 0; left, nth = left&(left-1), nth+1 {
			at := len(room)
			room = append(room, c.value...)
			value := room[at:len(room):len(room)]
			raise(value, nth)
			m[bits.TrailingZeros64(left)] = value
		}
		return true
	})
	return m, err
}

// inPack appends the value of a note in a pack to dst, which is not nil; nil where
// there is none.
func inPack(dst, pack []byte, member int) (value []byte, err error) {
	err = eachChain(pack, func(c chain) bool {
		if c.notes>>member&1 == 0 {
			return true
		}
		value = append(dst, c.value...)
		raise(value, uint64(bits.OnesCount64(c.notes&(1<<member-1))))
		return false
	})
	return value, err
}

// eachChain calls fn with the chains of a pack, whose values are valid during the call,
// until it returns false.
func eachChain(pack []byte, fn func(chain) bool) error {
	var room [64]byte
	c := chain{value: room[:0]}
	seen := uint64(0)
	for len(pack) > 0 {
		c.notes = 1 << (pack[0] % packSize)
		if pack[0] == chainOfMany && len(pack) > 8 {
			c.notes = binary.BigEndian.Uint64(pack[1:])
			pack = pack[8:]
		} else if pack[0] >= packSize {
			return errPack
		}
		if len(pack) < 3 || c.notes == 0 || c.notes&seen != 0 {
			return errPack
		}
		seen |= c.notes
		shared := int(pack[1])
		size, n := binary.Uvarint(pack[2:])
		if n <= 0 || shared > len(c.value) || size > uint64(len(pack)-2-n) {
			return errPack
		}
		pack = pack[2+n:]
		c.value = append(c.value[:shared], pack[:size]...)
		pack = pack[size:]
		if len(c.value) < packNumber && bits.OnesCount64(c.notes) > 1 {
			return errPack
		}
		if !fn(c) {
			return nil
		}
	}
	return nil
}

var errPack = fmt.Errorf("%w: a pack of notes is cut off", errDamaged)

// raise adds to the number at the end of a value.
func raise(value []byte, by uint64) {
	if by > 0 {
		number := value[len(value)-packNumber:]
		binary.BigEndian.PutUint64(number, binary.BigEndian.Uint64(number)+by)
	}
}

// pack writes members, as nil where there are none.
func (m *members) pack() (pack []byte) {
	var last []byte
	for _, c := range m.chains() {
		shared := 0
		for shared < min(len(last), len(c.value), math.MaxUint8) && last[shared] == c.value[shared] {
			shared++
		}
		if bits.OnesCount64(c.notes) == 1 {
			pack = append(pack, byte(bits.TrailingZeros64(c.notes)))
		} else {
			pack = binary.BigEndian.AppendUint64(append(pack, chainOfMany), c.notes)
		}
		pack = binary.AppendUvarint(append(pack, byte(shared)), uint64(len(c.value)-shared))
		pack = append(pack, c.value[shared:]...)
		last = c.value
	}
	return pack
}

// chains parts members into chains.
func (m *members) chains() (cs []chain) {
	var next [packSize]uint64 // the number that comes next in a chain
	for i, value := range m {
		if value == nil {
			continue
		}
		number, at := uint64(0), len(value)-packNumber
		if at >= 0 {
			number = binary.BigEndian.Uint64(value[at:])
		}
		to := -1
		for k := len(cs) - 1; k >= 0 && to < 0 && at >= 0; k-- {
			if first := cs[k].value; next[k] == number && len(first) == len(value) && bytes.Equal(first[:at], value[:at]) {
				to = k
			}
		}
		if to < 0 {
			to = len(cs)
			cs = append(cs, chain{value: value})
		}
		cs[to].notes |= 1 << i
		next[to] = number + 1
	}
	return m.split(cs)
}

// split makes chains of one note of those that have few.
func (m *members) split(cs []chain) (all []chain) {
	for _, c := range cs {
		if bits.OnesCount64(c.notes) >= fewest {
			all = append(all, c)
			continue
		}
		for left := c.notes; left != 0; left &= left - 1 {
			i := bits.TrailingZeros64(left)
			all = append(all, chain{1 << i, m[i]})
		}
	}
	return all
}

// packed returns what is stored for notes, of those that are packed the packs that they
// change, and how many bytes that is with what was stored before.
func (s *Store) packed(notes []rowferry.Note) (stored []rowferry.Note, bytes int, err error) {
	var small []rowferry.Note
	for _, n := range notes {
		if rowferry.Packed(n.Key) {
			small = append(small, n)
		} else {
			stored = append(stored, n)
			bytes += 2 * (len(n.Key) + len(n.Value))
		}
	}
	if !slices.IsSortedFunc(small, byPack) {
		slices.SortFunc(small, byPack)
	}
	for len(small) > 0 {
		n := 1
		for n < len(small) && samePack(small[0].Key, small[n].Key) {
			n++
		}
		key, _ := packKey(nil, small[0].Key)
		pack, was, err := s.repacked(key, small[:n])
		if err != nil {
			return nil, 0, err
		}
		stored = append(stored, rowferry.Note{Key: key, Value: pack})
		bytes += 2*len(key) + len(pack) + was
		small = small[n:]
	}
	return stored, bytes, nil
}

// byPack orders notes so that those of a pack follow each other: by all of the key but
// its end, and then by that.
func byPack(a, b rowferry.Note) int {
	endA, endB := len(a.Key)-1, len(b.Key)-1
	return cmp.Or(bytes.Compare(a.Key[:endA], b.Key[:endB]), cmp.Compare(a.Key[endA], b.Key[endB]))
}

func samePack(a, b []byte) bool {
	end := len(a) - 1
	return len(b) == len(a) && bytes.Equal(a[:end], b[:end]) && a[end]/packSize == b[end]/packSize
}

// repacked returns a pack with changed notes in it, and how many bytes it was.
func (s *Store) repacked(key []byte, notes []rowferry.Note) (pack []byte, bytes int, err error) {
	was, err := s.stored(nil, key)
	if err != nil {
		return nil, 0, err
	}
	m, err := unpack(was)
	if err != nil {
		return nil, 0, err
	}
	if failpoint.On("forget-neighbours") {
		m = members{}
	}
	for _, n := range notes {
		m[n.Key[len(n.Key)-1]%packSize] = n.Value
	}
	return m.pack(), len(was), nil
}

// scanPack calls fn with the notes of a pack whose keys begin with prefix.
func scanPack(prefix, key, pack []byte, fn func(key, value []byte) error) error {
	m, err := unpack(pack)
	if err != nil {
		return err
	}
	key = bytes.Clone(key)
	last := &key[len(key)-1]
	first := *last
	for i, value := range m {
		if value == nil {
			continue
		}
		*last = first + byte(i)
		if !bytes.HasPrefix(key, prefix) {
			continue
		}
		if err := fn(key, value); err != nil {
			return err
		}
	}
	return nil
}
