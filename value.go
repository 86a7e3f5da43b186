package rowferry

import (
	"math"
	"strconv"
)

// ValueKind says how a Value is carried. What it means is said by the
// column's schema.Type.
type ValueKind uint8

// The ways to carry a value. Absent is the zero value: the column was not in
// the row image. It is not Null, and is never written as Null.
const (
	Absent ValueKind = iota
	Null
	Int   // signed integers, years
	Uint  // unsigned integers, bits
	Float // single and double
	Text  // UTF-8: text, decimals, dates and times, enum and set labels, JSON, UUID, addresses
	Bytes // binary strings
)

// Value is one column's value. It is immutable and comparable with ==, which
// tells NaN-free equality of the same carried form.
type Value struct {
	kind ValueKind
	num  uint64
	str  string
}

// NullValue returns SQL NULL.
func NullValue() Value { return Value{kind: Null} }

// IntValue returns a signed integer.
func IntValue(v int64) Value { return Value{kind: Int, num: uint64(v)} }

// UintValue returns an unsigned integer.
func UintValue(v uint64) Value { return Value{kind: Uint, num: v} }

// FloatValue returns a floating-point number. A single is carried as the
// double of the same value.
func FloatValue(v float64) Value { return Value{kind: Float, num: math.Float64bits(v)} }

// TextValue returns UTF-8 text.
func TextValue(s string) Value { return Value{kind: Text, str: s} }

// BytesValue returns a binary string, held in a Go string so that it cannot
// be changed.
func BytesValue(s string) Value { return Value{kind: Bytes, str: s} }

// Kind returns how the value is carried.
func (v Value) Kind() ValueKind { return v.kind }

// IsAbsent reports whether the column was not in the image.
func (v Value) IsAbsent() bool { return v.kind == Absent }

// IsNull reports whether the value is SQL NULL.
func (v Value) IsNull() bool { return v.kind == Null }

// Int returns the signed integer of an Int value.
func (v Value) Int() int64 { return int64(v.num) }

// Uint returns the unsigned integer of a Uint value.
func (v Value) Uint() uint64 { return v.num }

// Float returns the number of a Float value.
func (v Value) Float() float64 { return math.Float64frombits(v.num) }

// Str returns the text or the bytes of a Text or Bytes value.
func (v Value) Str() string { return v.str }

// Size returns the memory the value holds in bytes, its header included.
func (v Value) Size() int { return 32 + len(v.str) }

// String returns the value for people: text as it is, bytes in hexadecimal.
func (v Value) String() string {
	switch v.kind {
	case Absent:
		return "(absent)"
	case Null:
		return "NULL"
	case Int:
		return strconv.FormatInt(v.Int(), 10)
	case Uint:
		return strconv.FormatUint(v.num, 10)
	case Float:
		return strconv.FormatFloat(v.Float(), 'g', -1, 64)
	case Text:
		return v.str
	default:
		return "0x" + hexString(v.str)
	}
}

func hexString(s string) string {
	const digits = "0123456789ABCDEF"
	b := make([]byte, 0, 2*len(s))
	for i := range len(s) {
		b = append(b, digits[s[i]>>4], digits[s[i]&15])
	}
	return string(b)
}

// Row is one row image: a value per column of the table, in column order. Its
// length equals the table's. A nil Row means the image does not exist.
type Row []Value

// Size returns the memory the row holds in bytes.
func (r Row) Size() int {
	n := 24
	for i := range r {
		n += r[i].Size()
	}
	return n
}
