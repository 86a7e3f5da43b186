package postgres

import (
	"encoding/binary"
	"math"
	"unsafe"

	"github.com/rowferry/rowferry"
	"github.com/rowferry/rowferry/schema"
)

// The formats in which a server answers with a column.
const (
	textFormat   int16 = 0
	binaryFormat int16 = 1
)

// The types that are read in binary format, where that is less work for both sides
// and says the same: their OIDs, which are fixed (src/include/catalog/pg_type.dat).
const (
	boolOID   = 16
	byteaOID  = 17
	int8OID   = 20
	int2OID   = 21
	int4OID   = 23
	float4OID = 700
	float8OID = 701
)

// formatOf returns the format in which a column is asked for, and how long its
// values are, 0 where that varies.
func formatOf(t *schema.Type, oid uint32) (format int16, length int) {
	switch {
	case oid == boolOID && t.Kind == schema.Bool:
		return binaryFormat, 1
	case oid == int2OID && t.Kind == schema.Int:
		return binaryFormat, 2
	case oid == int4OID && t.Kind == schema.Int, oid == float4OID && t.Kind == schema.Float32:
		return binaryFormat, 4
	case oid == int8OID && t.Kind == schema.Int, oid == float8OID && t.Kind == schema.Float64:
		return binaryFormat, 8
	case oid == byteaOID && t.Kind == schema.Blob:
		return binaryFormat, 0
	default:
		return textFormat, 0
	}
}

// carryBinary is carry for a value in binary format, as a type's send function
// writes it: big endian. Like that it may lie in b's memory.
func carryBinary(c *saidColumn, t *schema.Type, b []byte) (rowferry.Value, *rowferry.Error) {
	if c.length != 0 && len(b) != c.length {
		return rowferry.Value{}, rowferry.Errorf(rowferry.CodeCorruptLog, "the source sent a value that its type does not have").
			Fact("type", "%s", t).Fact("value", "%d bytes", len(b))
	}
	switch c.typeOID {
	case boolOID:
		return rowferry.IntValue(int64(b[0])), nil
	case int2OID:
		return rowferry.IntValue(int64(int16(binary.BigEndian.Uint16(b)))), nil
	case int4OID:
		return rowferry.IntValue(int64(int32(binary.BigEndian.Uint32(b)))), nil
	case int8OID:
		return rowferry.IntValue(int64(binary.BigEndian.Uint64(b))), nil
	case float4OID:
		return floatValue(float64(math.Float32frombits(binary.BigEndian.Uint32(b)))), nil
	case float8OID:
		return floatValue(math.Float64frombits(binary.BigEndian.Uint64(b))), nil
	case byteaOID:
		return rowferry.BytesValue(unsafe.String(unsafe.SliceData(b), len(b))), nil
	default:
		return rowferry.Value{}, rowferry.Errorf(rowferry.CodeInternal, "the PostgreSQL source asked for type %d in binary format", c.typeOID)
	}
}

// floatValue has one NaN for all, as text has.
func floatValue(f float64) rowferry.Value {
	if math.IsNaN(f) {
		f = math.NaN()
	}
	return rowferry.FloatValue(f)
}
