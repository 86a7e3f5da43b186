package postgres

import (
	"math"
	"strconv"
	"strings"
	"unicode/utf8"
	"unsafe"

	"github.com/rowferry/rowferry"
	dialect "github.com/rowferry/rowferry/internal/dialect/postgres"
	"github.com/rowferry/rowferry/internal/sqlsink"
	"github.com/rowferry/rowferry/schema"
)

// largest is the size beyond which PostgreSQL takes no value: its rows travel
// in messages of at most 1 GiB.
const largest = 1<<30 - 1<<16

// The formats of parameters.
const (
	textFormat   int16 = 0
	binaryFormat int16 = 1
)

// column is a column of the shape as the target has it.
type column struct {
	kind     schema.Kind
	typ      dialect.ColumnType
	oid      uint32 // of a parameter
	cast     string // the type without a modifier
	listed   bool   // arrays of the type carry its values
	equality string // the operator by which keys compare
	foreign  bool   // the source is no PostgreSQL
	native   bool   // of the very type that it has at the source
	loose    bool   // compares by a collation that takes different texts for equal
	always   bool   // GENERATED ALWAYS AS IDENTITY
	form     form   // in which COPY takes the values
}

// newColumn returns what a column of the source's type s is written as to x.
func newColumn(s schema.Type, x *dialect.Column) column {
	c := column{
		kind: s.Kind, typ: x.Type, oid: x.Type.OID(), cast: x.Cast, listed: x.Listed, equality: x.Equals,
		foreign: s.Native == "", native: s.Native != "" && s.Native == x.Declared, loose: x.Loose, always: x.Always,
	}
	if c.oid == 0 {
		c.oid = x.OID
	}
	c.form = formOf(&c)
	return c
}

// format returns the format in which the column's values travel: text, but for
// bytes, which need not be written as digits.
func (c *column) format() int16 {
	if c.typ.Base == dialect.Bytea {
		return binaryFormat
	}
	return textFormat
}

// encode returns the value as a parameter, nil for NULL, or says why the column
// cannot hold it. The bytes may be the value's own and must not be changed.
func (c *column) encode(v rowferry.Value) ([]byte, *rowferry.Error) {
	if v.IsNull() {
		return nil, nil
	}
	if c.kind == schema.Other {
		return c.encodeText(v)
	}
	switch c.typ.Base {
	case dialect.Bool:
		return c.encodeBool(v)
	case dialect.Int2, dialect.Int4, dialect.Int8, dialect.Numeric:
		return c.encodeNumber(v)
	case dialect.Float4, dialect.Float8:
		return c.encodeFloat(v)
	case dialect.BitString, dialect.VarBit:
		return c.encodeBits(v)
	case dialect.Bytea:
		if v.Kind() != rowferry.Bytes {
			return nil, c.miscarried(v)
		}
		if len(v.Str()) > largest {
			return nil, tooLong(len(v.Str()))
		}
		return bytesOf(v.Str()), nil
	default:
		return c.encodeText(v)
	}
}

func (c *column) miscarried(v rowferry.Value) *rowferry.Error {
	return sqlsink.Miscarried(v, string(c.typ.Base))
}

func (c *column) encodeBool(v rowferry.Value) ([]byte, *rowferry.Error) {
	switch {
	case v == rowferry.IntValue(0):
		return []byte("f"), nil
	case v == rowferry.IntValue(1):
		return []byte("t"), nil
	default:
		return nil, c.miscarried(v)
	}
}

// size returns the bits of an integer type, 0 for other types.
func (c *column) size() int {
	switch c.typ.Base {
	case dialect.Int2:
		return 16
	case dialect.Int4:
		return 32
	case dialect.Int8:
		return 64
	default:
		return 0
	}
}

// integer returns a number for a column of an integer type.
func (c *column) integer(v rowferry.Value) (int64, *rowferry.Error) {
	var n int64
	ok := true
	switch {
	case v.Kind() == rowferry.Int && c.kind != schema.Decimal:
		n = v.Int()
	case v.Kind() == rowferry.Uint && c.kind != schema.Decimal:
		n, ok = int64(v.Uint()), v.Uint() <= math.MaxInt64
	case v.Kind() == rowferry.Text && c.kind == schema.Decimal:
		var err error
		n, err = strconv.ParseInt(v.Str(), 10, 64)
		ok = err == nil
	default:
		return 0, c.miscarried(v)
	}
	most := int64(1)<<(c.size()-1) - 1
	if !ok || n < -most-1 || n > most {
		return 0, rowferry.Errorf(rowferry.CodeOutOfRange, "a number is beyond what the target's column can hold").
			Fact("value", "%s", v).Fact("smallest", "%d", -most-1).Fact("largest", "%d", most)
	}
	return n, nil
}

func (c *column) encodeNumber(v rowferry.Value) ([]byte, *rowferry.Error) {
	if c.size() > 0 {
		n, err := c.integer(v)
		if err != nil {
			return nil, err
		}
		return strconv.AppendInt(nil, n, 10), nil
	}
	var text []byte
	switch {
	case v.Kind() == rowferry.Int && c.kind != schema.Decimal:
		text = strconv.AppendInt(nil, v.Int(), 10)
	case v.Kind() == rowferry.Uint && c.kind != schema.Decimal:
		text = strconv.AppendUint(nil, v.Uint(), 10)
	case v.Kind() == rowferry.Text && c.kind == schema.Decimal:
		return bytesOf(v.Str()), c.checkDecimal(v.Str())
	default:
		return nil, c.miscarried(v)
	}
	return text, c.checkDecimal(string(text))
}

// checkDecimal refuses what is no plain decimal number, and what the column
// would round or has no room for. PostgreSQL's numeric has values that are no
// numbers, of which the infinities are in none with a precision.
func (c *column) checkDecimal(s string) *rowferry.Error {
	switch {
	case c.foreign:
	case c.native, s == "NaN":
		return nil
	case s == "Infinity", s == "-Infinity":
		if c.typ.Precision > 0 {
			return rowferry.Errorf(rowferry.CodeOutOfRange, "a numeric with a precision holds no infinity").Fact("value", "%s", s)
		}
		return nil
	}
	whole, fraction, dotted := strings.Cut(strings.TrimPrefix(s, "-"), ".")
	if !onlyDigits(whole) || dotted && !onlyDigits(fraction) {
		return rowferry.Errorf(rowferry.CodeInternal, "a decimal number is written in a way that is not known").Fact("value", "%q", sqlsink.Shorten(s))
	}
	if c.typ.Precision == 0 {
		return nil
	}
	whole = strings.TrimLeft(whole, "0")
	if len(whole) > c.typ.Precision-c.typ.Scale || len(fraction) > max(c.typ.Scale, 0) || c.typ.Scale < 0 {
		return rowferry.Errorf(rowferry.CodeOutOfRange, "a number is beyond what the target's column can hold").
			Fact("value", "%s", sqlsink.Shorten(s)).Fact("target", "numeric(%d,%d)", c.typ.Precision, c.typ.Scale)
	}
	return nil
}

func onlyDigits(s string) bool {
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return s != ""
}

// float returns a number for a column of a floating-point type.
func (c *column) float(v rowferry.Value) (float64, *rowferry.Error) {
	if v.Kind() != rowferry.Float {
		return 0, c.miscarried(v)
	}
	f := v.Float()
	if c.typ.Base == dialect.Float4 && !math.IsNaN(f) && float64(float32(f)) != f {
		return 0, rowferry.Errorf(rowferry.CodeOutOfRange, "a number needs double precision, and the target's column is a real").
			Fact("value", "%s", v)
	}
	return f, nil
}

// encodeFloat writes the shortest text that is read back as the same number.
func (c *column) encodeFloat(v rowferry.Value) ([]byte, *rowferry.Error) {
	f, err := c.float(v)
	bits := 64
	if c.typ.Base == dialect.Float4 {
		bits = 32
	}
	switch {
	case err != nil:
		return nil, err
	case math.IsNaN(f):
		return []byte("NaN"), nil
	case math.IsInf(f, 1):
		return []byte("Infinity"), nil
	case math.IsInf(f, -1):
		return []byte("-Infinity"), nil
	default:
		return strconv.AppendFloat(nil, f, 'g', -1, bits), nil
	}
}

// encodeBits writes a bit string of the column's length, its highest bit first.
func (c *column) encodeBits(v rowferry.Value) ([]byte, *rowferry.Error) {
	if v.Kind() != rowferry.Uint || c.kind != schema.Bit {
		return nil, c.miscarried(v)
	}
	n := c.typ.Length
	if n == 0 {
		n = 64
	}
	if n < 64 && v.Uint()>>n != 0 {
		return nil, rowferry.Errorf(rowferry.CodeOutOfRange, "a bit string is longer than the target's column").
			Fact("value", "%b", v.Uint()).Fact("bits", "%d", n)
	}
	text := make([]byte, n)
	for i := range text {
		text[i] = '0'
		if place := n - 1 - i; place < 64 && v.Uint()>>place&1 == 1 {
			text[i] = '1'
		}
	}
	return text, nil
}

// encodeText carries what is text at the source.
func (c *column) encodeText(v rowferry.Value) ([]byte, *rowferry.Error) {
	if v.Kind() != rowferry.Text {
		return nil, c.miscarried(v)
	}
	s := v.Str()
	switch {
	case !utf8.ValidString(s):
		return nil, sqlsink.NotUTF8(s)
	case len(s) > largest:
		return nil, tooLong(len(s))
	case strings.IndexByte(s, 0) >= 0:
		return nil, rowferry.Errorf(rowferry.CodeOutOfRange, "PostgreSQL's text cannot hold the character U+0000").Fact("value", "%q", sqlsink.Shorten(s))
	}
	switch c.typ.Base {
	case dialect.VarChar:
		// The server would cut off spaces at the end without a word.
		if n := c.typ.Length; n > 0 && len(s) > n && utf8.RuneCountInString(s) > n {
			return nil, rowferry.Errorf(rowferry.CodeOutOfRange, "a text is longer than the target's column").
				Fact("value", "%s", sqlsink.Shorten(s)).Fact("characters", "%d", utf8.RuneCountInString(s)).Fact("most", "%d", n)
		}
		return bytesOf(s), nil
	case dialect.Date, dialect.Time, dialect.DateTime, dialect.Timestamptz, dialect.Interval:
		if c.kind == schema.Other {
			break
		}
		err := c.checkTemporal(s)
		if err == nil && c.typ.Base == dialect.Timestamptz && !strings.HasSuffix(s, "infinity") {
			return append([]byte(s), "+00"...), nil
		}
		return bytesOf(s), err
	case dialect.Text, dialect.JSON, dialect.JSONB, dialect.UUID, dialect.Inet:
	default:
		if !c.native {
			return nil, c.miscarried(v)
		}
	}
	return bytesOf(s), nil
}

func tooLong(n int) *rowferry.Error {
	return rowferry.Errorf(rowferry.CodeOutOfRange, "a value is larger than PostgreSQL can hold").
		Fact("bytes", "%d", n).Fact("largest", "%d", largest)
}

// bytesOf lends the string's bytes to the driver, which only copies them.
func bytesOf(s string) []byte {
	if s == "" {
		return []byte{} // unsafe.StringData of "" may be nil, which is NULL
	}
	return unsafe.Slice(unsafe.StringData(s), len(s))
}

// stringOf lends bytes that nobody changes.
func stringOf(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) }
