package checkpoint

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"slices"

	"github.com/rowferry/rowferry"
	"github.com/rowferry/rowferry/internal/failpoint"
)

// Notes of the kinds that rowferry.Packed names are stored together: those whose keys
// differ in the last six bits alone, of rows whose keys follow each other, are one pack,
// under their key without these bits. As their values mostly follow each other too, ten
// million of them are a few megabytes, and a look brings its neighbours along.
//
// A pack is runs, in order: the last six bits of the first note's key, how many notes
// there are behind it whose keys follow, how many bytes of its value are those of the
// value before, and uvarint the number of those after them, which are next. In a run each
// value is one higher than the one before, as a number of the last eight bytes, big
// endian. The value before is the last one of the run before.
const (
	firstPacked = 'A' // what the first of their keys begins with
	packSize    = 64
	packNumber  = 8 // bytes at the end of a value that count up
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

// unpack reads a pack.
func unpack(pack []byte) (m members, err error) {
	room := make([]byte, 0, 256) // not nil, as no value is
	err = eachRun(pack, func(first, more int, value []byte) bool {
		room = slices.Grow(room, (more+1)*len(value))
		for i := range more + 1 {
			at := len(room)
			room = append(room, value...)
			m[first+i] = room[at:len(room):len(room)]
			if i > 0 {
				raise(m[first+i], uint64(i))
			}
		}
		return true
	})
	return m, err
}

// inPack appends the value of a note in a pack to dst, which is not nil; nil where
// there is none.
func inPack(dst, pack []byte, member int) (value []byte, err error) {
	err = eachRun(pack, func(first, more int, of []byte) bool {
		if first <= member && member <= first+more {
			value = append(dst, of...)
			if member > first {
				raise(value, uint64(member-first))
			}
		}
		return first <= member
	})
	return value, err
}

// eachRun calls fn with the number of a run's first note, how many there are behind it,
// and the first one's value, which is valid during the call, until it returns false.
func eachRun(pack []byte, fn func(first, more int, value []byte) bool) error {
	var room [64]byte
	last, at := room[:0], 0
	for len(pack) > 0 {
		if len(pack) < 4 {
			return errPack
		}
		first, more, shared := int(pack[0]), int(pack[1]), int(pack[2])
		size, n := binary.Uvarint(pack[3:])
		if first < at || first+more >= packSize || shared > len(last) || n <= 0 || size > uint64(len(pack)-3-n) {
			return errPack
		}
		pack = pack[3+n:]
		last = append(last[:shared], pack[:size]...)
		pack = pack[size:]
		if more > 0 && len(last) < packNumber {
			return errPack
		}
		if !fn(first, more, last) {
			return nil
		}
		if more > 0 {
			raise(last, uint64(more))
		}
		at = first + more + 1
	}
	return nil
}

var errPack = fmt.Errorf("%w: a pack of notes is cut off", errDamaged)

// raise adds to the number at the end of a value.
func raise(value []byte, by uint64) {
	number := value[len(value)-packNumber:]
	binary.BigEndian.PutUint64(number, binary.BigEndian.Uint64(number)+by)
}

// follows reports whether a value is one higher than another.
func follows(value, before []byte) bool {
	at := len(value) - packNumber
	return at >= 0 && len(before) == len(value) && bytes.Equal(before[:at], value[:at]) &&
		binary.BigEndian.Uint64(value[at:]) == binary.BigEndian.Uint64(before[at:])+1
}

// pack writes members, as nil where there are none.
func (m *members) pack() (pack []byte) {
	var last []byte
	for i := 0; i < packSize; i++ {
		if m[i] == nil {
			continue
		}
		first := i
		for i+1 < packSize && m[i+1] != nil && follows(m[i+1], m[i]) {
			i++
		}
		value := m[first]
		shared := 0
		for shared < min(len(last), len(value), 255) && last[shared] == value[shared] {
			shared++
		}
		pack = append(pack, byte(first), byte(i-first), byte(shared))
		pack = binary.AppendUvarint(pack, uint64(len(value)-shared))
		pack = append(pack, value[shared:]...)
		last = m[i]
	}
	return pack
}

// packed returns what is stored for notes: of those that are packed the packs that they
// change.
func (s *Store) packed(notes []rowferry.Note) (stored []rowferry.Note, err error) {
	var small []rowferry.Note
	for _, n := range notes {
		if rowferry.Packed(n.Key) {
			small = append(small, n)
		} else {
			stored = append(stored, n)
		}
	}
	byKey := func(a, b rowferry.Note) int { return bytes.Compare(a.Key, b.Key) }
	if !slices.IsSortedFunc(small, byKey) {
		slices.SortFunc(small, byKey)
	}
	for len(small) > 0 {
		key, _ := packKey(nil, small[0].Key)
		n := 1
		for n < len(small) && samePack(key, small[n].Key) {
			n++
		}
		pack, err := s.repacked(key, small[:n])
		if err != nil {
			return nil, err
		}
		stored = append(stored, rowferry.Note{Key: key, Value: pack})
		small = small[n:]
	}
	return stored, nil
}

func samePack(pack, key []byte) bool {
	last := len(pack) - 1
	return len(key) == len(pack) && bytes.Equal(key[:last], pack[:last]) && key[last]-key[last]%packSize == pack[last]
}

// repacked returns a pack with changed notes in it.
func (s *Store) repacked(key []byte, notes []rowferry.Note) ([]byte, error) {
	was, err := s.stored(nil, key)
	if err != nil {
		return nil, err
	}
	m, err := unpack(was)
	if err != nil {
		return nil, err
	}
	if failpoint.On("forget-neighbours") {
		m = members{}
	}
	for _, n := range notes {
		m[n.Key[len(n.Key)-1]%packSize] = n.Value
	}
	return m.pack(), nil
}

// scanPack calls fn with the notes of a pack.
func scanPack(key, pack []byte, fn func(key, value []byte) error) error {
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
		if err := fn(key, value); err != nil {
			return err
		}
	}
	return nil
}
