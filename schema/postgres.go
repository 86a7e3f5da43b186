package schema

import "fmt"

// longestVarchar is the largest n of PostgreSQL's varchar(n).
const longestVarchar = 10_485_760

// PostgresType returns how a column of type t is declared in PostgreSQL. The
// choices lose nothing that PostgreSQL can hold: the smallest integer that
// holds every value, numeric for unsigned 64-bit ones, varchar rather than
// char, whose trailing spaces do not count, interval for the signed durations
// of TIME, and json, which keeps the text. What no type of PostgreSQL holds
// (zero dates, U+0000 in text) is refused when it arrives. A type of another
// PostgreSQL is the very same again. The error names a type that cannot be
// carried at all.
func PostgresType(t Type) (string, error) {
	if t.Native != "" {
		return t.Native, nil
	}
	switch t.Kind {
	case Bool:
		return "boolean", nil
	case Int:
		return postgresInteger(t)
	case Year:
		return "smallint", nil
	case Decimal:
		if t.Precision == 0 {
			return "numeric", nil
		}
		return fmt.Sprintf("numeric(%d,%d)", t.Precision, t.Scale), nil
	case Float32:
		return "real", nil
	case Float64:
		return "double precision", nil
	case Bit:
		return fmt.Sprintf("bit(%d)", max(t.Length, 1)), nil
	case Char, VarChar:
		if t.Length < 1 || t.Length > longestVarchar {
			return "text", nil
		}
		return fmt.Sprintf("varchar(%d)", t.Length), nil
	case Text, Enum, Set:
		return "text", nil
	case Binary, VarBinary, Blob:
		return "bytea", nil
	case Date:
		return "date", nil
	case DateTime:
		return fmt.Sprintf("timestamp(%d)", t.Fsp), nil
	case Timestamp:
		return fmt.Sprintf("timestamptz(%d)", t.Fsp), nil
	case Time:
		return fmt.Sprintf("interval(%d)", t.Fsp), nil
	case JSON:
		return "json", nil
	case UUID:
		return "uuid", nil
	case Inet4, Inet6:
		return "inet", nil
	default:
		return "", fmt.Errorf("type %s has no counterpart in PostgreSQL", t)
	}
}

func postgresInteger(t Type) (string, error) {
	switch {
	case t.Bits == 8, t.Bits == 16 && !t.Unsigned:
		return "smallint", nil
	case t.Bits == 16, t.Bits == 24, t.Bits == 32 && !t.Unsigned:
		return "integer", nil
	case t.Bits == 32, t.Bits == 64 && !t.Unsigned:
		return "bigint", nil
	case t.Bits == 64:
		return "numeric(20,0)", nil
	default:
		return "", fmt.Errorf("an integer of %d bits has no counterpart in PostgreSQL", t.Bits)
	}
}
