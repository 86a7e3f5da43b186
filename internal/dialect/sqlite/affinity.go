package sqlite

import (
	"strings"

	"github.com/rowferry/rowferry/schema"
)

// Affinity is what SQLite prefers to store in a column.
type Affinity string

// The affinities. Any is that of BLOB, of no declared type, and of ANY in a
// STRICT table: values are kept as they are.
const (
	AffinityInteger Affinity = "INTEGER"
	AffinityReal    Affinity = "REAL"
	AffinityText    Affinity = "TEXT"
	AffinityNumeric Affinity = "NUMERIC"
	AffinityAny     Affinity = "ANY"
	AffinityBlob    Affinity = "BLOB" // STRICT only: nothing but blobs
)

// affinityOf applies the rules of https://www.sqlite.org/datatype3.html,
// section 3.1, and those of https://www.sqlite.org/stricttables.html.
func affinityOf(declared string, strict bool) Affinity {
	d := strings.ToUpper(declared)
	if strict {
		switch d {
		case "INT", "INTEGER":
			return AffinityInteger
		case "REAL":
			return AffinityReal
		case "TEXT":
			return AffinityText
		case "BLOB":
			return AffinityBlob
		default:
			return AffinityAny
		}
	}
	switch {
	case strings.Contains(d, "INT"):
		return AffinityInteger
	case strings.Contains(d, "CHAR"), strings.Contains(d, "CLOB"), strings.Contains(d, "TEXT"):
		return AffinityText
	case d == "", strings.Contains(d, "BLOB"):
		return AffinityAny
	case strings.Contains(d, "REAL"), strings.Contains(d, "FLOA"), strings.Contains(d, "DOUB"):
		return AffinityReal
	default:
		return AffinityNumeric
	}
}

// typeOf returns the logical type that stands for a column of the given
// affinity. It is a hint for people and for names and keys, no more.
func typeOf(a Affinity) schema.Type {
	switch a {
	case AffinityInteger:
		return schema.Type{Kind: schema.Int, Bits: 64}
	case AffinityReal:
		return schema.Type{Kind: schema.Float64}
	case AffinityText:
		return schema.Type{Kind: schema.Text}
	case AffinityNumeric:
		return schema.Type{Kind: schema.Decimal}
	default:
		return schema.Type{Kind: schema.Blob}
	}
}

// Keeps reports whether a column of affinity a stores every value of the
// source type t unchanged. Numeric affinity turns text that looks like a
// number into one ('12.50' into 12.5), which is why decimals need a TEXT
// column; dates and times never look like a number.
func Keeps(a Affinity, strict bool, t schema.Type) bool {
	want, err := schema.SQLiteType(t)
	if err != nil {
		return false
	}
	if a == AffinityAny {
		return true
	}
	switch want {
	case "INTEGER":
		return a == AffinityInteger || a == AffinityNumeric
	case "REAL":
		return a == AffinityReal
	case "TEXT":
		return a == AffinityText || a == AffinityNumeric && temporal(t.Kind)
	case "BLOB":
		// No affinity ever converts a blob, but a STRICT table checks.
		return a == AffinityBlob || !strict
	default:
		return false
	}
}

func temporal(k schema.Kind) bool {
	switch k {
	case schema.Date, schema.Time, schema.DateTime, schema.Timestamp:
		return true
	default:
		return false
	}
}
