package schema

import (
	"fmt"
	"strings"
)

// Kind is the family of a logical type. The zero Kind is invalid.
type Kind uint8

// The logical kinds. How a Value of each kind is carried is said in
// rowferry.Value; how it is spelled in a target, in the type table.
const (
	Invalid   Kind = iota
	Int            // Bits is 8, 16, 24, 32 or 64; Unsigned
	Decimal        // exact; Precision, Scale, Unsigned
	Float32        // IEEE 754 single
	Float64        // IEEE 754 double
	Bit            // Length bits, 1 to 64
	Year           // four digits, 0 or 1901 to 2155
	Char           // fixed text, Length characters, Charset, Collation
	VarChar        // text up to Length characters
	Text           // text without a declared length
	Binary         // fixed bytes, Length
	VarBinary      // bytes up to Length
	Blob           // bytes without a declared length
	Date           // proleptic Gregorian; zero and partial dates are possible in MySQL
	Time           // signed duration up to ±838:59:59, Fsp
	DateTime       // no zone, Fsp
	Timestamp      // an instant, carried in UTC, Fsp
	Enum           // one of Labels, or "" for the invalid ordinal 0
	Set            // comma-joined subset of Labels
	JSON           // JSON text
	UUID
	Inet4
	Inet6
	Geometry
	Vector
	Bool  // carried as the integers 0 and 1
	Other // a type of the source's own, carried as the text its database prints; Native says which
)

var kindNames = [...]string{
	Invalid: "invalid", Int: "int", Decimal: "decimal", Float32: "float", Float64: "double",
	Bit: "bit", Year: "year", Char: "char", VarChar: "varchar", Text: "text", Binary: "binary",
	VarBinary: "varbinary", Blob: "blob", Date: "date", Time: "time", DateTime: "datetime",
	Timestamp: "timestamp", Enum: "enum", Set: "set", JSON: "json", UUID: "uuid",
	Inet4: "inet4", Inet6: "inet6", Geometry: "geometry", Vector: "vector", Bool: "bool", Other: "other",
}

// String returns the kind's lower-case name.
func (k Kind) String() string {
	if int(k) < len(kindNames) {
		return kindNames[k]
	}
	return fmt.Sprintf("kind(%d)", uint8(k))
}

// MarshalText returns the kind's name: what is stored of a shape does not
// depend on the order of the constants.
func (k Kind) MarshalText() ([]byte, error) { return []byte(k.String()), nil }

// UnmarshalText reads a kind's name.
func (k *Kind) UnmarshalText(text []byte) error {
	for i, name := range kindNames {
		if name == string(text) {
			*k = Kind(i)
			return nil
		}
	}
	return fmt.Errorf("%q is no kind of type", text)
}

// Approximate reports whether equality on values of this kind is unreliable,
// so that it must never identify a row.
func (k Kind) Approximate() bool { return k == Float32 || k == Float64 }

// Textual reports whether values of this kind are compared by a collation.
func (k Kind) Textual() bool { return k == Char || k == VarChar || k == Text || k == Enum || k == Set }

// Type is a column's logical type. Fields that do not belong to the kind are
// zero.
type Type struct {
	Kind      Kind     `json:"kind"`
	Bits      int      `json:"bits,omitempty"`
	Unsigned  bool     `json:"unsigned,omitempty"`
	Precision int      `json:"precision,omitempty"`
	Scale     int      `json:"scale,omitempty"`
	Length    int      `json:"length,omitempty"` // characters for text, bytes for binary, bits for Bit
	Fsp       int      `json:"fsp,omitempty"`    // fractional second digits, 0 to 6
	Charset   string   `json:"charset,omitempty"`
	Collation string   `json:"collation,omitempty"` // "" when only the character set is known
	Labels    []string `json:"labels,omitempty"`    // Enum, Set: in ordinal order, as UTF-8
	// Native is the type as a PostgreSQL source declares it ("numeric(10,2)",
	// "integer[]", "public.mood"), a domain's being that of its base; "" where the
	// source is another. A PostgreSQL target declares its column so; the others
	// go by Kind.
	Native string `json:"native,omitempty"`
	// User are the types that Native is made of and that no PostgreSQL has by
	// itself, each after those it is made of.
	User []UserType `json:"user,omitempty"`
}

// UserType is a type of a PostgreSQL source that somebody made. One with
// neither Labels nor Fields (a range, a type in C, the rows of a table) has to
// be in the target already.
type UserType struct {
	Name      string   `json:"name"`                // quoted and with its schema, as Native has it
	Labels    []string `json:"labels,omitempty"`    // of an enum, in order
	Fields    []Field  `json:"fields,omitempty"`    // of a composite type, in order
	Extension string   `json:"extension,omitempty"` // that the type belongs to
}

// Field is an attribute of a composite type.
type Field struct {
	Name   string `json:"name"`
	Native string `json:"native"` // as in Type
}

// String returns the type for people, in its source's spelling.
func (t Type) String() string {
	sign := ""
	if t.Unsigned {
		sign = " unsigned"
	}
	if t.Native != "" {
		return t.Native
	}
	switch t.Kind {
	case Int:
		names := map[int]string{8: "tinyint", 16: "smallint", 24: "mediumint", 32: "int", 64: "bigint"}
		return names[t.Bits] + sign
	case Decimal:
		return fmt.Sprintf("decimal(%d,%d)%s", t.Precision, t.Scale, sign)
	case Float32, Float64:
		return t.Kind.String() + sign
	case Bit, Char, VarChar, Binary, VarBinary:
		return fmt.Sprintf("%s(%d)", t.Kind, t.Length)
	case Time, DateTime, Timestamp:
		if t.Fsp > 0 {
			return fmt.Sprintf("%s(%d)", t.Kind, t.Fsp)
		}
		return t.Kind.String()
	default:
		return t.Kind.String()
	}
}

// ByteExact reports whether equal values of the type are equal bytes. Binary collations pad
// with spaces ('a' = 'a ') unless they say otherwise; fixed CHAR has no
// trailing spaces to begin with. A numeric without a scale prints 1.0 and 1.00,
// and what is carried as a PostgreSQL prints it may have several forms too: an
// interval is '1 day' or '24:00:00'.
func (t Type) ByteExact() bool {
	switch {
	case t.Kind == Other, t.Kind == JSON, t.Kind == Decimal && t.Precision == 0:
		return false
	case !t.Kind.Textual():
		return true
	}
	c := strings.ToLower(t.Collation)
	switch {
	case strings.HasSuffix(c, "_0900_bin"), strings.HasSuffix(c, "_nopad_bin"):
		return true
	case t.Kind == Char:
		return strings.HasSuffix(c, "_bin")
	default:
		return false
	}
}

// ownEquality reports whether a column of the type compares in every PostgreSQL
// as it does at the source: it is one of PostgreSQL's types, and not one that
// compares by a collation of its column which takes different texts for equal.
func (t Type) ownEquality() bool {
	return t.Native != "" && (!t.Kind.Textual() || t.Collation != "" || len(t.User) > 0 || t.Native == "bpchar")
}
