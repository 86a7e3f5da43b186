package postgres

import (
	"strings"

	"github.com/rowferry/rowferry/schema"
)

// Base is one of the types whose values Rowferry writes in a form of their own,
// as pg_type names it.
type Base string

// The base types.
const (
	Bool        Base = "bool"
	Int2        Base = "int2"
	Int4        Base = "int4"
	Int8        Base = "int8"
	Numeric     Base = "numeric"
	Float4      Base = "float4"
	Float8      Base = "float8"
	BitString   Base = "bit"
	VarBit      Base = "varbit"
	BpChar      Base = "bpchar"
	VarChar     Base = "varchar"
	Text        Base = "text"
	Bytea       Base = "bytea"
	Date        Base = "date"
	Time        Base = "time"
	DateTime    Base = "timestamp"
	Timestamptz Base = "timestamptz"
	Interval    Base = "interval"
	JSON        Base = "json"
	JSONB       Base = "jsonb"
	UUID        Base = "uuid"
	Inet        Base = "inet"
)

// oids are fixed for built-in types (src/include/catalog/pg_type.dat).
var oids = map[Base]uint32{
	Bool: 16, BpChar: 1042, Time: 1083,
	Int2: 21, Int4: 23, Int8: 20, Numeric: 1700, Float4: 700, Float8: 701, BitString: 1560, VarBit: 1562,
	VarChar: 1043, Text: 25, Bytea: 17, Date: 1082, DateTime: 1114, Timestamptz: 1184, Interval: 1186,
	JSON: 114, JSONB: 3802, UUID: 2950, Inet: 869,
}

// bases are the base types by oid.
var bases = func() map[uint32]Base {
	m := make(map[uint32]Base, len(oids))
	for b, o := range oids {
		m[o] = b
	}
	return m
}()

// ColumnType is the type of an existing column.
type ColumnType struct {
	Base   Base // "" where it is none of them: a domain, an array, an enum …
	Length int  // of varchar, bpchar, bit and varbit; 0 where it has none
	// Precision and Scale are those of a numeric; Precision is 0 where it has
	// none. For temporal types Scale is the number of fractional digits.
	Precision, Scale int
}

// columnType reads the type modifier of a column
// (https://www.postgresql.org/docs/15/catalog-pg-attribute.html); how each type
// packs it is in its typmodin function.
func columnType(oid uint32, mod int) ColumnType {
	t := ColumnType{Base: bases[oid]}
	switch t.Base {
	case VarChar, BpChar:
		if mod >= 4 {
			t.Length = mod - 4
		}
	case BitString, VarBit:
		t.Length = max(mod, 0)
	case Numeric:
		if mod >= 4 {
			t.Precision = (mod - 4) >> 16 & 0xffff
			t.Scale = ((mod-4)&0x7ff ^ 1024) - 1024 // signed, 11 bits
		}
	case DateTime, Timestamptz, Time:
		if t.Scale = 6; mod >= 0 {
			t.Scale = mod
		}
	case Interval:
		const full, allFields = 0xffff, 0x7fff
		if t.Scale = 6; mod >= 0 {
			if mod&full != full {
				t.Scale = mod & full
			}
			if mod>>16&allFields != allFields {
				t.Base = "" // interval hour to minute, which drops the rest
			}
		}
	default: // no other base type has a modifier
	}
	return t
}

// OID returns the type of a parameter for a column of type t, 0 where it has no
// Base. Text serves varchar too: a varchar parameter would be compared as text
// anyway.
func (t ColumnType) OID() uint32 {
	if t.Base == VarChar {
		return oids[Text]
	}
	return oids[t.Base]
}

// Keeps reports whether a column of type t stores every value of the source
// type s that PostgreSQL can hold at all, unchanged.
func (t ColumnType) Keeps(s schema.Type) bool {
	if _, err := schema.PostgresType(s); err != nil {
		return false
	}
	if t.Base == Text || t.Base == VarChar && t.Length == 0 {
		return carriedAsText(s.Kind)
	}
	switch s.Kind {
	case schema.Bool:
		return t.Base == Bool || t.keepsInteger(schema.Type{Bits: 2})
	case schema.Int, schema.Year:
		return t.keepsInteger(s)
	case schema.Decimal:
		return t.Base == Numeric && (t.Precision == 0 || s.Precision > 0 && t.Scale >= s.Scale && t.Precision-t.Scale >= s.Precision-s.Scale)
	case schema.Float32:
		return t.Base == Float4 || t.Base == Float8
	case schema.Float64:
		return t.Base == Float8
	case schema.Bit:
		return t.Base == BitString && t.Length == max(s.Length, 1) || t.Base == VarBit && (t.Length == 0 || t.Length >= s.Length)
	case schema.Char, schema.VarChar:
		return t.Base == VarChar && s.Length > 0 && t.Length >= s.Length
	case schema.Enum, schema.Set:
		return t.Base == VarChar && t.Length >= longestValue(s)
	case schema.Text:
		return false // text, or varchar without a length, said above
	case schema.Binary, schema.VarBinary, schema.Blob:
		return t.Base == Bytea
	case schema.Date:
		return t.Base == Date
	case schema.DateTime:
		return t.Base == DateTime && t.Scale >= s.Fsp
	case schema.Timestamp:
		return t.Base == Timestamptz && t.Scale >= s.Fsp
	case schema.Time:
		// MySQL's is signed, and passes 24 hours.
		return (t.Base == Interval || t.Base == Time && s.Native != "") && t.Scale >= s.Fsp
	case schema.JSON:
		return t.Base == JSON || t.Base == JSONB
	case schema.UUID:
		return t.Base == UUID
	case schema.Inet4, schema.Inet6:
		return t.Base == Inet
	default:
		return false
	}
}

func carriedAsText(k schema.Kind) bool {
	switch k {
	case schema.Decimal, schema.Char, schema.VarChar, schema.Text, schema.Date, schema.Time, schema.DateTime, schema.Timestamp,
		schema.Enum, schema.Set, schema.JSON, schema.UUID, schema.Inet4, schema.Inet6, schema.Other:
		return true
	default:
		return false
	}
}

// longestValue returns the characters of an ENUM's or SET's longest value.
func longestValue(s schema.Type) int {
	if s.Kind == schema.Set {
		return len([]rune(strings.Join(s.Labels, ",")))
	}
	longest := 0
	for _, l := range s.Labels {
		longest = max(longest, len([]rune(l)))
	}
	return longest
}

func (t ColumnType) keepsInteger(s schema.Type) bool {
	bits := s.Bits
	if s.Kind == schema.Year {
		bits = 12 // up to 2155
	} else if s.Unsigned {
		bits++ // for the sign
	}
	switch t.Base {
	case Int2:
		return bits <= 16
	case Int4:
		return bits <= 32
	case Int8:
		return bits <= 64
	case Numeric:
		return t.Precision == 0 || t.Scale >= 0 && t.Precision-t.Scale >= decimalDigits(bits)
	default:
		return false
	}
}

// decimalDigits returns how many digits the integers of so many bits have,
// their sign's included.
func decimalDigits(bits int) int {
	switch {
	case bits <= 9:
		return 3
	case bits <= 17:
		return 5
	case bits <= 25:
		return 8
	case bits <= 33:
		return 10
	case bits <= 64:
		return 19
	default:
		return 20
	}
}

// logical returns the type of the source that stands for a column. It is a hint
// for people and for names and keys, no more.
func (t ColumnType) logical() schema.Type {
	switch t.Base {
	case Bool:
		return schema.Type{Kind: schema.Bool}
	case Int2:
		return schema.Type{Kind: schema.Int, Bits: 16}
	case Int4:
		return schema.Type{Kind: schema.Int, Bits: 32}
	case Int8:
		return schema.Type{Kind: schema.Int, Bits: 64}
	case Numeric:
		return schema.Type{Kind: schema.Decimal, Precision: t.Precision, Scale: t.Scale}
	case Float4:
		return schema.Type{Kind: schema.Float32}
	case Float8:
		return schema.Type{Kind: schema.Float64}
	case BitString, VarBit:
		return schema.Type{Kind: schema.Bit, Length: t.Length}
	case VarChar, BpChar:
		if t.Length > 0 {
			return schema.Type{Kind: schema.VarChar, Length: t.Length}
		}
		return schema.Type{Kind: schema.Text}
	case Bytea:
		return schema.Type{Kind: schema.Blob}
	case Date:
		return schema.Type{Kind: schema.Date}
	case DateTime:
		return schema.Type{Kind: schema.DateTime, Fsp: t.Scale}
	case Timestamptz:
		return schema.Type{Kind: schema.Timestamp, Fsp: t.Scale}
	case Interval, Time:
		return schema.Type{Kind: schema.Time, Fsp: t.Scale}
	case JSON, JSONB:
		return schema.Type{Kind: schema.JSON}
	case UUID:
		return schema.Type{Kind: schema.UUID}
	default:
		return schema.Type{Kind: schema.Text}
	}
}
