package checkpoint

import (
	"encoding/binary"
	"fmt"

	"github.com/rowferry/rowferry/schema"
)

// The keys. Numbers in them are big endian, so that they sort.
//
//	h                             head
//	m seq                         marker: the record of seq is whole
//	c seq part                    checkpoint
//	s len schema len table seq part   a table's shape from seq on, or its end
//	r sha256 part                 rules text
//	n note                        the value of a note
//	o seq number part             the value of a note that seq set, if it is large
//	u seq part                    what notes were before seq; see step
//
// seq has 8 bytes, number 4, part 2, len 2. What does not fit into one value
// continues in the following parts.
const (
	headKey       = 'h'
	markerPrefix  = 'm'
	recordPrefix  = 'c'
	shapePrefix   = 's'
	rulesPrefix   = 'r'
	notePrefix    = 'n'
	largePrefix   = 'o'
	undoPrefix    = 'u'
	partLen       = 2
	numberLen     = 4
	seqLen        = 8
	maxName       = 16 << 10 // bytes of a schema or table name in a key
	maxParts      = 1<<16 - 1
	maxBlobLength = maxParts * chunkSize
	maxCheckpoint = 64 * chunkSize // so that removing a few fits into one transaction
)

func markerKey(seq uint64) []byte {
	return binary.BigEndian.AppendUint64([]byte{markerPrefix}, seq)
}

func recordKey(seq uint64) []byte {
	return binary.BigEndian.AppendUint64([]byte{recordPrefix}, seq)
}

func rulesKey(hash [32]byte) []byte {
	return append([]byte{rulesPrefix}, hash[:]...)
}

func noteKey(key []byte) []byte {
	return append(append(make([]byte, 0, 1+len(key)), notePrefix), key...)
}

func largeKey(seq uint64, number uint32) []byte {
	k := binary.BigEndian.AppendUint64([]byte{largePrefix}, seq)
	return binary.BigEndian.AppendUint32(k, number)
}

func undoKey(seq uint64) []byte {
	return binary.BigEndian.AppendUint64([]byte{undoPrefix}, seq)
}

func shapeKey(n schema.Name, seq uint64) ([]byte, error) {
	if len(n.Schema) > maxName || len(n.Table) > maxName {
		return nil, fmt.Errorf("the name of table %.100q is longer than %d bytes", n.String(), maxName)
	}
	k := make([]byte, 0, 1+2+len(n.Schema)+2+len(n.Table)+seqLen+partLen)
	k = append(k, shapePrefix)
	k = binary.BigEndian.AppendUint16(k, uint16(len(n.Schema)))
	k = append(k, n.Schema...)
	k = binary.BigEndian.AppendUint16(k, uint16(len(n.Table)))
	k = append(k, n.Table...)
	return binary.BigEndian.AppendUint64(k, seq), nil
}

func partKey(key []byte, part int) []byte {
	k := make([]byte, 0, len(key)+partLen)
	return binary.BigEndian.AppendUint16(append(k, key...), uint16(part))
}

// entry is what a key says.
type entry struct {
	kind byte
	name schema.Name // of a shape
	seq  uint64      // of all but a head, rules and a note
	part int
}

// parseKey reads any key that this package writes.
func parseKey(k []byte) (entry, error) {
	if len(k) == 0 {
		return entry{}, fmt.Errorf("empty key")
	}
	e := entry{kind: k[0]}
	rest := k[1:]
	switch e.kind {
	case headKey:
		if len(rest) == 0 {
			return e, nil
		}
	case markerPrefix:
		if len(rest) == seqLen {
			e.seq = binary.BigEndian.Uint64(rest)
			return e, nil
		}
	case rulesPrefix:
		if len(rest) == 32+partLen {
			e.part = int(binary.BigEndian.Uint16(rest[32:]))
			return e, nil
		}
	case shapePrefix:
		var ok1, ok2 bool
		e.name.Schema, rest, ok1 = cutName(rest)
		e.name.Table, rest, ok2 = cutName(rest)
		if !ok1 || !ok2 {
			break
		}
		return e.versioned(k, rest)
	case largePrefix:
		if len(rest) == seqLen+numberLen+partLen {
			e.seq = binary.BigEndian.Uint64(rest)
			e.part = int(binary.BigEndian.Uint16(rest[seqLen+numberLen:]))
			return e, nil
		}
	case recordPrefix, undoPrefix:
		return e.versioned(k, rest)
	case notePrefix:
		return e, nil
	}
	return entry{}, fmt.Errorf("unknown key %.64x", k)
}

func (e entry) versioned(k, rest []byte) (entry, error) {
	if len(rest) != seqLen+partLen {
		return entry{}, fmt.Errorf("unknown key %.64x", k)
	}
	e.seq = binary.BigEndian.Uint64(rest)
	e.part = int(binary.BigEndian.Uint16(rest[seqLen:]))
	return e, nil
}

func cutName(b []byte) (string, []byte, bool) {
	if len(b) < 2 {
		return "", nil, false
	}
	n := int(binary.BigEndian.Uint16(b))
	if n > len(b)-2 {
		return "", nil, false
	}
	return string(b[2 : 2+n]), b[2+n:], true
}
