package mysql

import (
	"encoding/binary"
	"fmt"
	"math"

	"github.com/rowferry/rowferry"
	"github.com/rowferry/rowferry/schema"
)

// fieldOp is how a column's bytes become a value.
type fieldOp uint8

const (
	opInt  fieldOp = iota + 1 // little-endian, signed
	opUint                    // little-endian
	opFloat
	opDouble
	opBit // big-endian
	opYear
	opDecimal
	opDate
	opTime      // since MySQL 5.6
	opDateTime  // since MySQL 5.6
	opTimestamp // since MySQL 5.6
	opOldTime
	opOldDateTime
	opOldTimestamp
	opHiresTime      // MariaDB's old format with a fraction
	opHiresDateTime  // MariaDB's old format with a fraction
	opHiresTimestamp // MariaDB's old format with a fraction
	opEnum
	opSet
	// From here on: bytes after their length.
	opText
	opPacked // opText or opBytes in MariaDB's compressed form
	opBytes
	opPadded // bytes, of which trailing zeros were cut
	opUUID
	opInet4
	opInet6
	opJSON
)

// field decodes one column.
type field struct {
	op     fieldOp
	width  int // bytes of a value, or what a padded one is filled up to
	prefix int // bytes of the length before a value; 0 where width is all of it
	name   string
	skip   bool // hidden: read over

	precision, scale, fsp int
	labels                []string
	sets                  map[uint64]string // of a SET, those joined so far
	cs                    *charset          // nil for bytes
}

// copies reports whether values of the field are parts of the event as it is.
func (f *field) copies() bool { return f.op == opText || f.op >= opBytes && f.op != opJSON }

// newField compiles the decoder of a column of type t, which fits w.
func newField(w *wireColumn, t schema.Type) (field, problem) {
	switch w.code {
	case wireTiny, wireShort, wireInt24, wireLong, wireLongLong:
		f := field{op: opInt, width: map[byte]int{wireTiny: 1, wireShort: 2, wireInt24: 3, wireLong: 4, wireLongLong: 8}[w.code]}
		if t.Unsigned {
			f.op = opUint
		}
		return f, problem{}
	case wireFloat:
		return field{op: opFloat, width: 4}, problem{}
	case wireDouble:
		return field{op: opDouble, width: 8}, problem{}
	case wireBit:
		return field{op: opBit, width: (w.length + 7) / 8}, problem{}
	case wireYear:
		return field{op: opYear, width: 1}, problem{}
	case wireDecimal:
		return field{op: opDecimal, width: decimalWidth(w.precision, w.scale), precision: w.precision, scale: w.scale}, problem{}
	case wireEnum:
		return field{op: opEnum, width: w.length, labels: t.Labels}, problem{}
	case wireSet:
		return field{op: opSet, width: w.length, labels: t.Labels, sets: map[uint64]string{}}, problem{}
	case wireDate, wireTime, wireDateTime, wireTimestamp, wireTime2, wireDateTime2, wireTimestamp2:
		return timeField(w, t), problem{}
	case wireJSON:
		return field{op: opJSON, prefix: w.length}, problem{}
	case wireGeometry, wireVector:
		return field{}, problem{refused, t.Kind.String() + " columns are not carried by this version"}
	case wireString, wireVarChar, wireVarString, wireBlob, wireVarCharZ, wireBlobZ:
		return stringField(w, t)
	default:
		return field{}, problem{refused, "not a known type"}
	}
}

func stringField(w *wireColumn, t schema.Type) (field, problem) {
	f := field{op: opText, prefix: w.length}
	if w.code != wireBlob && w.code != wireBlobZ {
		f.prefix = 1
		if w.length > 255 {
			f.prefix = 2
		}
	}
	switch t.Kind {
	case schema.Char, schema.VarChar, schema.Text, schema.JSON:
		charset := t.Charset
		if charset == "" && t.Kind == schema.JSON {
			charset = "utf8mb4" // what MariaDB makes of JSON
		}
		if f.cs = findCharset(charset); f.cs == nil {
			return f, problem{refused, fmt.Sprintf("its character set %q is not one that is known", t.Charset)}
		}
	case schema.VarBinary, schema.Blob:
		f.op = opBytes
	case schema.Binary:
		f.op, f.width = opPadded, t.Length
	case schema.UUID:
		f.op, f.width = opUUID, 16
	case schema.Inet6:
		f.op, f.width = opInet6, 16
	case schema.Inet4:
		f.op, f.width = opInet4, 4
	default:
		return f, problem{refused, t.Kind.String() + " columns are not carried by this version"}
	}
	if w.code == wireVarCharZ || w.code == wireBlobZ {
		f.op = opPacked
	}
	return f, problem{}
}

// value decodes one value at pos and returns the position after it.
func (d *rowDecoder) value(f *field, v *rowferry.Value, pos int) (int, error) {
	if f.prefix == 0 {
		end := pos + f.width
		if end > len(d.rows) {
			return 0, d.damaged(f)
		}
		return end, d.fixed(f, v, d.rows[pos:end])
	}
	start := pos + f.prefix
	if start > len(d.rows) {
		return 0, d.damaged(f)
	}
	n := little(d.rows[pos:start])
	if n > uint64(len(d.rows)-start) {
		return 0, d.damaged(f)
	}
	end := start + int(n)
	return end, d.varying(f, v, start, end)
}

func little(b []byte) uint64 {
	switch len(b) {
	case 1:
		return uint64(b[0])
	case 2:
		return uint64(binary.LittleEndian.Uint16(b))
	case 4:
		return uint64(binary.LittleEndian.Uint32(b))
	case 8:
		return binary.LittleEndian.Uint64(b)
	}
	var v uint64
	for i, c := range b {
		v |= uint64(c) << (8 * i)
	}
	return v
}

func big(b []byte) uint64 {
	if len(b) == 4 {
		return uint64(binary.BigEndian.Uint32(b))
	}
	var v uint64
	for _, c := range b {
		v = v<<8 | uint64(c)
	}
	return v
}

// fixed decodes a value of a type whose values all have one width.
func (d *rowDecoder) fixed(f *field, v *rowferry.Value, b []byte) error {
	switch f.op {
	case opInt:
		n := little(b)
		shift := 64 - 8*len(b)
		*v = rowferry.IntValue(int64(n<<shift) >> shift)
	case opUint:
		*v = rowferry.UintValue(little(b))
	case opFloat:
		return d.float(f, v, float64(math.Float32frombits(binary.LittleEndian.Uint32(b))))
	case opDouble:
		return d.float(f, v, math.Float64frombits(binary.LittleEndian.Uint64(b)))
	case opBit:
		*v = rowferry.UintValue(big(b))
	case opYear:
		year := int64(b[0])
		if year != 0 {
			year += 1900
		}
		*v = rowferry.IntValue(year)
	case opEnum:
		return d.enum(f, v, little(b))
	case opSet:
		return d.set(f, v, little(b))
	case opDecimal:
		made, ok := appendDecimal(d.made[:0], b, f.precision, f.scale)
		return d.keep(f, v, made, ok)
	default:
		made, ok := appendTime(d.made[:0], b, f)
		return d.keep(f, v, made, ok)
	}
	return nil
}

// keep makes v the text that was made, unless it is not ok. The buffer is used
// again.
func (d *rowDecoder) keep(f *field, v *rowferry.Value, made []byte, ok bool) error {
	d.made = made
	if !ok {
		return d.damaged(f)
	}
	if err := d.spend(len(made) + valueSize); err != nil {
		return err
	}
	*v = rowferry.TextValue(d.memory.copied(made))
	return nil
}

// keepBytes is keep for bytes.
func (d *rowDecoder) keepBytes(f *field, v *rowferry.Value, made []byte) error {
	err := d.keep(f, v, made, true)
	*v = rowferry.BytesValue(v.Str())
	return err
}

// float carries what a server can hold, which is neither NaN nor infinite.
func (d *rowDecoder) float(f *field, v *rowferry.Value, n float64) error {
	if math.IsNaN(n) || math.IsInf(n, 0) {
		return d.damaged(f)
	}
	*v = rowferry.FloatValue(n)
	return nil
}

func (d *rowDecoder) enum(f *field, v *rowferry.Value, n uint64) error {
	switch {
	case n == 0: // what an invalid label was stored as
		*v = rowferry.TextValue("")
	case n <= uint64(len(f.labels)):
		*v = rowferry.TextValue(f.labels[n-1])
	default:
		return d.noLabel(f, n)
	}
	return nil
}

// maxSets is how many combinations of a SET are remembered.
const maxSets = 256

func (d *rowDecoder) set(f *field, v *rowferry.Value, n uint64) error {
	if len(f.labels) < 64 && n>>len(f.labels) != 0 {
		return d.noLabel(f, n)
	}
	if s, ok := f.sets[n]; ok {
		*v = rowferry.TextValue(s)
		return nil
	}
	made := d.made[:0]
	for i, label := range f.labels {
		if n&(1<<i) == 0 {
			continue
		}
		if len(made) > 0 {
			made = append(made, ',')
		}
		made = append(made, label...)
	}
	if len(f.sets) < maxSets {
		f.sets[n] = string(made)
	}
	return d.keep(f, v, made, true)
}

func (d *rowDecoder) noLabel(f *field, n uint64) error {
	return rowferry.Errorf(rowferry.CodeShapeMismatch, "a value of table %s is outside its column's labels", d.shape.Name).
		Fact("column", "%s", f.name).Fact("value", "%d", n).Fact("labels", "%d", len(f.labels)).
		Remedy("the right shape", "give --schema a dump of the table's definition as of the start of the log")
}
