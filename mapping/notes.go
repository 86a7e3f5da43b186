package mapping

import (
	"encoding/binary"
	"errors"
	"math"

	"github.com/rowferry/rowferry"
)

// The keys of the notes. Numbers are big endian, texts come with their length.
//
//	K entity key      the target's key of a row, by the source's, and its flags
//	M entity key      of tables whose rows are looked up: the source's key of a row,
//	                  by the target's
//	q                 the number of the row that began to wait last
//	e number          a waiting row
//	t entity key      who has the key: a waiting row that has it now, or gives it up
//	l list            how many slots a list has
//	l list slot       the number of a waiting row
//	f entity key      a row that was fetched, and may be newer than the log: its number
//	                  and what it refers to, and its unique values, in the target
//	n number          the mark up to which it may be, and the note above
//	o                 the numbers of the first of them and of the next
//
// A list is of rows that wait for a row to come (a entity key) or to leave the
// room (r number), that the target refused (x), of which some were given up (g), or
// that keep others from what they still have in the target: a
// parent (p entity key, the target's) or a unique value (u entity index values).
//
// The flags are a byte behind the key, which is left out where none is set, as it is
// in notes from before there were any. A row that is adopted was somebody else's: it
// stays when this pipeline's rows are removed.
const (
	mapNote     = 'K' // these two are packed: see rowferry.Packed
	backNote    = 'M'
	lastNote    = 'q'
	waitingNote = 'e'
	holderNote  = 't'
	listNote    = 'l'

	newerNote      = 'f'
	newerOrderNote = 'n'
	newerRangeNote = 'o'

	arrivalList = 'a'
	releaseList = 'r'
	parentList  = 'p'
	uniqueList  = 'u'
	rejectList  = 'x'
	droppedList = 'g'
)

// The flags of a noted key.
const (
	adopted  = 1 << iota // the row was in the target before
	merged               // and has values of its own where the source had none
	skipped              // and nothing of it is ever changed
	filtered             // the row is not in the target, and its key there is of absent values
)

var errNote = errors.New("a note cannot be read")

func appendText(dst []byte, s string) []byte {
	return append(binary.AppendUvarint(dst, uint64(len(s))), s...)
}

// appendKey appends values so that equal keys are equal bytes, whether their
// columns are signed or not.
func appendKey(dst []byte, key []rowferry.Value) []byte {
	for _, v := range key {
		if v.Kind() == rowferry.Int && v.Int() >= 0 {
			v = rowferry.UintValue(uint64(v.Int()))
		}
		dst = appendValue(dst, v)
	}
	return dst
}

func appendValue(dst []byte, v rowferry.Value) []byte {
	dst = append(dst, byte(v.Kind()))
	switch v.Kind() {
	case rowferry.Int:
		return binary.BigEndian.AppendUint64(dst, uint64(v.Int())^1<<63)
	case rowferry.Uint:
		return binary.BigEndian.AppendUint64(dst, v.Uint())
	case rowferry.Float:
		return binary.BigEndian.AppendUint64(dst, math.Float64bits(v.Float()))
	case rowferry.Text, rowferry.Bytes:
		return appendText(dst, v.Str())
	default: // Absent, Null
		return dst
	}
}

// reader reads what was appended. The first error stays.
type reader struct {
	rest []byte
	err  error
}

func (r *reader) uvarint() uint64 {
	n, size := binary.Uvarint(r.rest)
	if size <= 0 {
		r.err, r.rest = errNote, nil
		return 0
	}
	r.rest = r.rest[size:]
	return n
}

func (r *reader) bytes(n uint64) []byte {
	if n > uint64(len(r.rest)) {
		r.err, r.rest = errNote, nil
		return make([]byte, min(n, 8))
	}
	b := r.rest[:n]
	r.rest = r.rest[n:]
	return b
}

func (r *reader) number() uint64 { return binary.BigEndian.Uint64(r.bytes(8)) }

func (r *reader) text() string { return string(r.bytes(r.uvarint())) }

func (r *reader) value() rowferry.Value {
	switch kind := rowferry.ValueKind(r.bytes(1)[0]); kind {
	case rowferry.Absent:
		return rowferry.Value{}
	case rowferry.Null:
		return rowferry.NullValue()
	case rowferry.Int:
		return rowferry.IntValue(int64(r.number() ^ 1<<63))
	case rowferry.Uint:
		return rowferry.UintValue(r.number())
	case rowferry.Float:
		return rowferry.FloatValue(math.Float64frombits(r.number()))
	case rowferry.Text:
		return rowferry.TextValue(r.text())
	case rowferry.Bytes:
		return rowferry.BytesValue(r.text())
	default:
		r.err = errNote
		return rowferry.Value{}
	}
}

func appendRow(dst []byte, row rowferry.Row) []byte {
	if row == nil {
		return binary.AppendUvarint(dst, 0)
	}
	dst = binary.AppendUvarint(dst, uint64(len(row))+1)
	for _, v := range row {
		dst = appendValue(dst, v)
	}
	return dst
}

func (r *reader) row() rowferry.Row {
	n := r.uvarint()
	if n == 0 || n > uint64(len(r.rest))+1 {
		if n > 0 {
			r.err = errNote
		}
		return nil
	}
	row := make(rowferry.Row, n-1)
	for i := range row {
		row[i] = r.value()
	}
	return row
}

// appendNoted appends what is noted of a row: its key in the target, and the flags.
func appendNoted(dst []byte, key []rowferry.Value, flags byte) []byte {
	dst = appendKey(dst, key)
	if flags != 0 {
		dst = append(dst, flags)
	}
	return dst
}

// parseNoted reads a key of as many values as there is room for, and the flags behind it.
func parseNoted(data []byte, key []rowferry.Value) (flags byte, err error) {
	rd := reader{rest: data}
	for i := range key {
		key[i] = rd.value()
	}
	if len(rd.rest) > 0 && rd.err == nil {
		flags = rd.bytes(1)[0]
	}
	if len(rd.rest) > 0 && rd.err == nil {
		rd.err = errNote
	}
	return flags, rd.err
}

// isFiltered reports whether a note is of a row that is left out of the target: absent
// values stand for its key there.
func isFiltered(note []byte) bool {
	return len(note) > 1 && rowferry.ValueKind(note[0]) == rowferry.Absent && note[len(note)-1]&filtered != 0
}

// keyOf returns the values of a row at the given columns. They may be the row's own, and
// must not be changed.
func keyOf(row rowferry.Row, columns []int) []rowferry.Value {
	if len(columns) == 1 {
		return row[columns[0] : columns[0]+1 : columns[0]+1]
	}
	key := make([]rowferry.Value, len(columns))
	for i, o := range columns {
		key[i] = row[o]
	}
	return key
}
