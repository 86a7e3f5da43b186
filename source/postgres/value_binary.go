package postgres

import (
	"encoding/binary"
	"math"
	"strings"
	"unicode/utf8"

	"github.com/rowferry/rowferry"
	dialect "github.com/rowferry/rowferry/internal/dialect/postgres"
	"github.com/rowferry/rowferry/schema"
)

// The formats in which a server answers with a column.
const (
	textFormat   int16 = 0
	binaryFormat int16 = 1
)

// formatOf returns the format in which a column of a query is asked for: binary
// where that is less work for both sides and says the same.
func formatOf(t *schema.Type) int16 {
	switch t.Kind {
	case schema.VarChar, schema.Text, schema.Enum, schema.JSON, schema.Other:
		return textFormat
	default:
		return binaryFormat
	}
}

// binaryKnown reports whether carryBinary knows values of a type in binary format.
func binaryKnown(t *schema.Type) bool { return t.Kind != schema.Other }

// jsonb is how Type.Native names the type whose binary format is a byte, its
// version, and the text.
const (
	jsonb        = "jsonb"
	jsonbVersion = 1
)

// carryBinary is carry for a value in binary format, as the type's send function
// writes it (src/backend/utils/adt of the server), a domain's being that of its base.
// What it keeps of b it copies into m.
func carryBinary(m *arena, t *schema.Type, b []byte) (v rowferry.Value, bad *rowferry.Error) {
	ok := false
	switch t.Kind {
	case schema.Int:
		v, ok = binaryInt(b, t.Bits)
	case schema.Bool:
		if ok = len(b) == 1 && b[0] <= 1; ok {
			v = rowferry.IntValue(int64(b[0]))
		}
	case schema.Float32:
		if ok = len(b) == 4; ok {
			v = floatValue(float64(math.Float32frombits(binary.BigEndian.Uint32(b))))
		}
	case schema.Float64:
		if ok = len(b) == 8; ok {
			v = floatValue(math.Float64frombits(binary.BigEndian.Uint64(b)))
		}
	case schema.Bit:
		v, ok = binaryBits(b, t.Length)
	case schema.Blob:
		v, ok = rowferry.BytesValue(m.str(b)), true
	case schema.JSON:
		if t.Native == jsonb {
			if len(b) == 0 || b[0] != jsonbVersion {
				break
			}
			b = b[1:]
		}
		v, ok = binaryText(m, b)
	case schema.VarChar, schema.Text, schema.Enum:
		v, ok = binaryText(m, b)
	case schema.Decimal:
		v, ok = written(m, dialect.NumericText, b)
	case schema.UUID:
		v, ok = written(m, dialect.UUIDText, b)
	case schema.Date:
		v, ok = written(m, dialect.DateText, b)
	case schema.DateTime, schema.Timestamp:
		v, ok = written(m, dialect.TimestampText, b)
	case schema.Time:
		v, ok = written(m, dialect.TimeText, b)
	default:
		return v, rowferry.Errorf(rowferry.CodeInternal, "the PostgreSQL source asked for %s in binary format", t)
	}
	if !ok {
		return rowferry.Value{}, rowferry.Errorf(rowferry.CodeCorruptLog, "the source sent a value that its type does not have").
			Fact("type", "%s", t).Fact("value", "%.80x", b)
	}
	return v, nil
}

// written returns what the server would print.
func written(m *arena, text func(dst, b []byte) ([]byte, bool), b []byte) (rowferry.Value, bool) {
	s, ok := text(m.scratch[:0], b)
	m.scratch = s
	return rowferry.TextValue(m.str(s)), ok
}

func binaryText(m *arena, b []byte) (rowferry.Value, bool) {
	s := m.str(b)
	return rowferry.TextValue(s), utf8.ValidString(s) && strings.IndexByte(s, 0) < 0
}

func binaryInt(b []byte, bits int) (rowferry.Value, bool) {
	switch {
	case bits == 16 && len(b) == 2:
		return rowferry.IntValue(int64(int16(binary.BigEndian.Uint16(b)))), true
	case bits == 32 && len(b) == 4:
		return rowferry.IntValue(int64(int32(binary.BigEndian.Uint32(b)))), true
	case bits == 64 && len(b) == 8:
		return rowferry.IntValue(int64(binary.BigEndian.Uint64(b))), true
	default:
		return rowferry.Value{}, false
	}
}

// binaryBits reads how many bits there are, and the bits, the first one highest.
func binaryBits(b []byte, length int) (rowferry.Value, bool) {
	if length > 64 || len(b) != 4+(length+7)/8 || binary.BigEndian.Uint32(b) != uint32(length) {
		return rowferry.Value{}, false
	}
	var n uint64
	for _, x := range b[4:] {
		n = n<<8 | uint64(x)
	}
	return rowferry.UintValue(n >> (uint(len(b)-4)*8 - uint(length))), true
}

// floatValue has one NaN for all, as text has.
func floatValue(f float64) rowferry.Value {
	if math.IsNaN(f) {
		f = math.NaN()
	}
	return rowferry.FloatValue(f)
}
