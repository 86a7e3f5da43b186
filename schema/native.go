package schema

import "fmt"

// SQLiteType returns how a column of type t is declared in a SQLite STRICT
// table. The choices lose nothing: SQLite has no exact decimal, no temporal
// type and no unsigned 64-bit integer, so decimals and times are text exactly
// as the source prints them, and an unsigned value beyond 2^63-1 is refused
// when it arrives. A REAL column stores -0.0 as 0.0, which it equals. The error names a type that cannot be carried at all.
func SQLiteType(t Type) (string, error) {
	switch t.Kind {
	case Int, Year, Bool:
		return "INTEGER", nil
	case Bit:
		if t.Length > 63 {
			return "BLOB", nil
		}
		return "INTEGER", nil
	case Float32, Float64:
		return "REAL", nil
	case Decimal, Char, VarChar, Text, Date, Time, DateTime, Timestamp, Enum, Set, JSON, UUID, Inet4, Inet6, Other:
		return "TEXT", nil
	case Binary, VarBinary, Blob:
		return "BLOB", nil
	default:
		return "", fmt.Errorf("type %s has no counterpart in SQLite", t)
	}
}
