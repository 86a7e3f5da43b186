package schema

import (
	"fmt"
	"strings"
)

// MySQLServer is what the spelling of a type depends on.
type MySQLServer struct {
	MariaDB bool
	// Collations are the server's, by name.
	Collations map[string]bool
}

// MySQLType returns how a column of type t is declared, without its
// nullability. Every type of MySQL and MariaDB is the same type again, but for
// texts and blobs, which are of the longest kind since a shape does not tell
// their size, and for what only MariaDB has: on MySQL its UUID, INET4 and INET6
// are text, and its JSON, which is text there, is LONGTEXT that must be JSON, so
// that every document arrives as it was written. Of a PostgreSQL source's types
// it takes those that ForMySQL returns.
//
// A text column keeps its character set and collation. Where the server does
// not have them, or the source did not tell, it gets one that compares byte by
// byte without padding, which is finer than every other: what the source
// accepted is never refused. finer says so, for people, or is "". The error
// names a type that cannot be carried at all.
func MySQLType(t Type, s MySQLServer) (declared, finer string, err error) {
	sign := ""
	if t.Unsigned {
		sign = " UNSIGNED"
	}
	switch t.Kind {
	case Bool:
		return "TINYINT(1)", "", nil
	case Int:
		name, ok := map[int]string{8: "TINYINT", 16: "SMALLINT", 24: "MEDIUMINT", 32: "INT", 64: "BIGINT"}[t.Bits]
		if !ok {
			return "", "", fmt.Errorf("an integer of %d bits has no counterpart in MySQL", t.Bits)
		}
		return name + sign, "", nil
	case Decimal:
		return fmt.Sprintf("DECIMAL(%d,%d)%s", t.Precision, t.Scale, sign), "", nil
	case Float32:
		return "FLOAT" + sign, "", nil
	case Float64:
		return "DOUBLE" + sign, "", nil
	case Bit, Binary, VarBinary:
		return fmt.Sprintf("%s(%d)", strings.ToUpper(t.Kind.String()), t.Length), "", nil
	case Blob:
		return "LONGBLOB", "", nil
	case Year, Date:
		return strings.ToUpper(t.Kind.String()), "", nil
	case Time, DateTime, Timestamp:
		if t.Fsp == 0 {
			return strings.ToUpper(t.Kind.String()), "", nil
		}
		return fmt.Sprintf("%s(%d)", strings.ToUpper(t.Kind.String()), t.Fsp), "", nil
	case Char, VarChar, Text, Enum, Set:
		collation, finer := s.Collation(t)
		return textType(t) + " " + collation, finer, nil
	case JSON:
		if t.Charset != "" && (!s.MariaDB || t.Native != "") { // the text that MariaDB calls JSON, or PostgreSQL's
			return "LONGTEXT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin", "", nil
		}
		return "JSON", "", nil
	case UUID, Inet4, Inet6:
		if s.MariaDB && t.Native == "" { // its UUID refuses some of PostgreSQL's
			return strings.ToUpper(t.Kind.String()), "", nil
		}
		length := map[Kind]int{UUID: 36, Inet4: 15, Inet6: 45}[t.Kind]
		return fmt.Sprintf("VARCHAR(%d) CHARACTER SET ascii COLLATE ascii_bin", length), "", nil
	default:
		return "", "", fmt.Errorf("type %s has no counterpart that rows can be carried to", t)
	}
}

func textType(t Type) string {
	switch t.Kind {
	case Text:
		return "LONGTEXT"
	case Enum, Set:
		labels := make([]string, len(t.Labels))
		for i, l := range t.Labels {
			labels[i] = "'" + strings.NewReplacer("'", "''", `\`, `\\`).Replace(l) + "'"
		}
		return strings.ToUpper(t.Kind.String()) + "(" + strings.Join(labels, ",") + ")"
	default:
		return fmt.Sprintf("%s(%d)", strings.ToUpper(t.Kind.String()), t.Length)
	}
}

// Exact returns the server's collation that compares byte by byte, without
// padding.
func (s MySQLServer) Exact() string {
	if s.MariaDB {
		return "utf8mb4_nopad_bin"
	}
	return "utf8mb4_0900_bin"
}

// Collation returns the character set and collation clause of a text column,
// and for people what is finer about it, or "".
func (s MySQLServer) Collation(t Type) (clause, finer string) {
	name := t.Collation
	if t.Charset != "" && name != "" && s.has(name) {
		return "CHARACTER SET " + t.Charset + " COLLATE " + name, ""
	}
	exact := s.Exact()
	switch {
	case t.Native != "" && name == "":
		finer = "the source takes different values of it for equal, so it"
	case t.Charset == "":
		finer = "its character set is not known, so it"
	case name == "":
		finer = "its collation is not known, so it"
	case s.same(name, exact):
		finer = ""
	default:
		finer = "the target has no collation " + name + ", so it"
	}
	if finer != "" {
		finer += " compares byte by byte (" + exact + ")"
	}
	return "CHARACTER SET utf8mb4 COLLATE " + exact, finer
}

// has reports whether the server has exactly this collation. MariaDB gives the
// names of MySQL's UCA 9.0 collations to others.
func (s MySQLServer) has(collation string) bool {
	return s.Collations[collation] && !(s.MariaDB && strings.Contains(collation, "_0900_"))
}

// same reports whether two names are of one collation.
func (s MySQLServer) same(a, b string) bool {
	exact := func(n string) bool { return n == "utf8mb4_0900_bin" || n == "utf8mb4_nopad_bin" }
	return a == b || exact(a) && exact(b)
}
