package postgres

import (
	"encoding/binary"
	"math"

	"github.com/rowferry/rowferry"
	dialect "github.com/rowferry/rowferry/internal/dialect/postgres"
	"github.com/rowferry/rowferry/schema"
)

// form is how COPY takes a column's values where it takes them in binary format,
// which the server reads with less work than text
// (https://www.postgresql.org/docs/15/sql-copy.html#id-1.9.3.55.9.4). What a
// modifier does to a value, such as a numeric's scale, it does in both.
type form byte

const (
	noForm form = iota // text only: its table is copied as text
	boolForm
	int2Form
	int4Form
	int8Form
	numericForm
	float4Form
	float8Form
	bytesForm // as the server has it, or as text
	jsonbForm
	uuidForm
	dateForm
	timeForm
	timestampForm
)

// formOf returns the form of a column's type. A domain has none, and neither has a
// type that the server would read in another way than its text: xml, whose text
// may name an encoding.
func formOf(c *column) form {
	switch c.typ.Base {
	case dialect.Text, dialect.VarChar, dialect.BpChar, dialect.Bytea, dialect.JSON:
		return bytesForm
	case dialect.JSONB:
		return jsonbForm
	default: // below
	}
	if c.kind == schema.Other {
		return noForm // the source's own text
	}
	switch c.typ.Base {
	case dialect.Bool:
		return boolForm
	case dialect.Int2:
		return int2Form
	case dialect.Int4:
		return int4Form
	case dialect.Int8:
		return int8Form
	case dialect.Numeric:
		return numericForm
	case dialect.Float4:
		return float4Form
	case dialect.Float8:
		return float8Form
	case dialect.UUID:
		return uuidForm
	case dialect.Date:
		return dateForm
	case dialect.Time:
		return timeForm
	case dialect.DateTime, dialect.Timestamptz:
		return timestampForm
	case "":
		if c.native && c.kind == schema.Enum {
			return bytesForm // of a label
		}
		return noForm
	default:
		return noForm
	}
}

// jsonbVersion stands before the text of a jsonb.
const jsonbVersion = 1

// appendBinary appends a value in the column's form, with its length. It returns
// false where it has none: encode says whether the column can hold it at all.
func (c *column) appendBinary(dst []byte, v rowferry.Value) ([]byte, bool) {
	if v.IsNull() {
		return append(dst, 0xff, 0xff, 0xff, 0xff), true
	}
	start := len(dst)
	dst, ok := c.appendForm(append(dst, 0, 0, 0, 0), v)
	binary.BigEndian.PutUint32(dst[start:], uint32(len(dst)-start-4))
	return dst, ok
}

func (c *column) appendForm(dst []byte, v rowferry.Value) ([]byte, bool) {
	switch c.form {
	case int2Form, int4Form, int8Form:
		n, err := c.integer(v)
		switch c.form {
		case int2Form:
			dst = binary.BigEndian.AppendUint16(dst, uint16(n))
		case int4Form:
			dst = binary.BigEndian.AppendUint32(dst, uint32(n))
		default:
			dst = binary.BigEndian.AppendUint64(dst, uint64(n))
		}
		return dst, err == nil
	case float4Form, float8Form:
		f, err := c.float(v)
		return c.appendFloat(dst, f), err == nil
	case dateForm, timeForm, timestampForm:
		return c.appendTemporal(dst, v)
	default: // of what encode has
	}
	text, err := c.encode(v)
	if err != nil {
		return dst, false
	}
	switch c.form {
	case bytesForm:
		return append(dst, text...), true
	case jsonbForm:
		return append(append(dst, jsonbVersion), text...), true
	case boolForm:
		return append(dst, byte(v.Int())), true // 0 or 1, or encode had refused it
	case numericForm:
		return dialect.AppendNumeric(dst, stringOf(text))
	case uuidForm:
		return dialect.AppendUUID(dst, stringOf(text))
	default:
		return dst, false
	}
}

// The server's own NaN, of which numbers have many.
const (
	nan4 = 0x7fc00000
	nan8 = 0x7ff8000000000000
)

func (c *column) appendFloat(dst []byte, f float64) []byte {
	switch {
	case c.form == float8Form && math.IsNaN(f):
		return binary.BigEndian.AppendUint64(dst, nan8)
	case c.form == float8Form:
		return binary.BigEndian.AppendUint64(dst, math.Float64bits(f))
	case math.IsNaN(f):
		return binary.BigEndian.AppendUint32(dst, nan4)
	default:
		return binary.BigEndian.AppendUint32(dst, math.Float32bits(float32(f)))
	}
}

func (c *column) appendTemporal(dst []byte, v rowferry.Value) ([]byte, bool) {
	if v.Kind() != rowferry.Text || c.checkTemporal(v.Str()) != nil {
		return dst, false
	}
	switch c.form {
	case dateForm:
		return dialect.AppendDate(dst, v.Str())
	case timeForm:
		return dialect.AppendTime(dst, v.Str())
	default:
		return dialect.AppendTimestamp(dst, v.Str())
	}
}
