package mapping

import (
	"fmt"
	"math/big"
	"reflect"
	"strings"

	"github.com/rowferry/rowferry"
	"github.com/rowferry/rowferry/schema"
)

// kind is the family of an expression's type.
type kind uint8

const (
	kindAny     kind = iota // of a shape that is not known
	kindNull                // nil alone
	kindBool                // carried as the integers 0 and 1
	kindInt                 // 64 bits, signed
	kindDecimal             // exact, carried as text
	kindFloat
	kindText
	kindTime  // a date or a moment: own says which
	kindOther // can be compared with nil, and handed on
)

var kindNames = [...]string{
	kindAny: "anything", kindNull: "nil", kindBool: "true or false", kindInt: "a whole number", kindDecimal: "a decimal number",
	kindFloat: "a floating-point number", kindText: "text", kindTime: "a date or time", kindOther: "of a type that is only handed on",
}

// typ is an expression's type.
type typ struct {
	kind     kind
	nullable bool
	// precision and scale are those of a decimal; a precision of 0 is of a column
	// that declares neither.
	precision, scale int
	own              *schema.Type // of a time or other: the column's
}

// String returns the type for people.
func (t typ) String() string {
	s := kindNames[t.kind]
	if t.own != nil {
		s = "a " + t.own.String()
	}
	if t.nullable && t.kind != kindNull {
		s += " that may be NULL"
	}
	return s
}

// node is a part of an expression that was checked. eval is nil where the shape is
// not known.
type node struct {
	typ
	eval    func(rowferry.Row) (rowferry.Value, error)
	literal bool
	value   rowferry.Value // of a literal
	column  int            // the ordinal of a column that stands alone, else -1
}

var trueValue, falseValue = rowferry.IntValue(1), rowferry.IntValue(0)

func boolValue(b bool) rowferry.Value {
	if b {
		return trueValue
	}
	return falseValue
}

// The most digits that both MySQL's DECIMAL and a computed column have.
const mostDigits, mostScale = 65, 30

// declared returns the logical type of a column with such values.
func (t typ) declared() schema.Type {
	switch t.kind {
	case kindBool:
		return schema.Type{Kind: schema.Bool}
	case kindInt:
		return schema.Type{Kind: schema.Int, Bits: 64}
	case kindDecimal:
		return schema.Type{Kind: schema.Decimal, Precision: t.precision, Scale: t.scale}
	case kindFloat:
		return schema.Type{Kind: schema.Float64}
	case kindText:
		return schema.Type{Kind: schema.Text, Charset: "utf8mb4", Collation: "utf8mb4_0900_bin"}
	default:
		if t.own != nil {
			return *t.own
		}
		return schema.Type{Kind: schema.Text, Charset: "utf8mb4", Collation: "utf8mb4_0900_bin"}
	}
}

// columnType returns what a column is in an expression.
func columnType(c schema.Column) typ {
	t := typ{nullable: c.Nullable}
	switch c.Type.Kind {
	case schema.Int, schema.Year:
		t.kind = kindInt
	case schema.Bit:
		t.kind, t.own = kindOther, &c.Type
	case schema.Bool:
		t.kind = kindBool
	case schema.Decimal:
		t.kind, t.precision, t.scale = kindDecimal, c.Type.Precision, c.Type.Scale
	case schema.Float32, schema.Float64:
		t.kind = kindFloat
	case schema.Char, schema.VarChar, schema.Text, schema.Enum, schema.Set, schema.UUID, schema.Inet4, schema.Inet6:
		t.kind = kindText
	case schema.Date, schema.DateTime, schema.Timestamp:
		t.kind, t.own = kindTime, &c.Type
	default:
		t.kind, t.own = kindOther, &c.Type
	}
	return t
}

// columnNode reads a column. Its value is carried as expressions have it: a whole
// number is signed, whatever its column is.
func columnNode(c schema.Column, o int) node {
	n := node{typ: columnType(c), column: o}
	n.eval = func(row rowferry.Row) (rowferry.Value, error) {
		v := row[o]
		if v.IsNull() {
			return v, nil
		}
		switch n.kind {
		case kindInt:
			if v.Kind() == rowferry.Uint {
				if v.Int() < 0 {
					return v, fmt.Errorf("%s is %s, and expressions count to 9223372036854775807", c.Name, v)
				}
				return rowferry.IntValue(v.Int()), nil
			}
			return v, carried(v, rowferry.Int, c)
		case kindBool:
			return v, carried(v, rowferry.Int, c)
		case kindFloat:
			return v, carried(v, rowferry.Float, c)
		case kindDecimal, kindText, kindTime:
			return v, carried(v, rowferry.Text, c)
		default:
			return v, nil
		}
	}
	return n
}

func carried(v rowferry.Value, want rowferry.ValueKind, c schema.Column) error {
	if v.Kind() != want {
		return fmt.Errorf("%s, a %s, came as something else", c.Name, c.Type)
	}
	return nil
}

// common returns the type of what is one or the other, and false where there is
// none. It loses nothing.
func common(a, b typ) (typ, bool) {
	t := a
	t.nullable = a.nullable || b.nullable
	switch {
	case a.kind == kindAny || b.kind == kindAny:
		return typ{kind: kindAny}, true
	case a.kind == kindNull:
		t = b
		t.nullable = true
		return t, true
	case b.kind == kindNull:
		t.nullable = true
		return t, true
	case isExact(a) && isExact(b):
		if a.kind == kindInt && b.kind == kindInt {
			return t, true
		}
		a, b = asDecimal(a), asDecimal(b)
		if a.precision == 0 || b.precision == 0 {
			return t, a.precision == b.precision
		}
		t.kind, t.scale = kindDecimal, max(a.scale, b.scale)
		t.precision = max(a.precision-a.scale, b.precision-b.scale) + t.scale
		return t, t.precision <= mostDigits && t.scale <= mostScale
	case a.kind != b.kind:
		return t, false
	case a.own != nil:
		return t, b.own != nil && reflect.DeepEqual(*a.own, *b.own)
	default:
		return t, true
	}
}

func isExact(t typ) bool { return t.kind == kindInt || t.kind == kindDecimal }

// asDecimal returns an exact number's type as a decimal's.
func asDecimal(t typ) typ {
	if t.kind == kindInt {
		t.kind, t.precision, t.scale = kindDecimal, 19, 0
	}
	return t
}

// number returns the value of an exact number.
func number(v rowferry.Value) (*big.Rat, error) {
	if v.Kind() == rowferry.Int {
		return new(big.Rat).SetInt64(v.Int()), nil
	}
	if r, ok := new(big.Rat).SetString(v.Str()); ok && !strings.ContainsAny(v.Str(), "/eExX_") {
		return r, nil
	}
	return nil, fmt.Errorf("%q is not a decimal number", v.Str())
}
