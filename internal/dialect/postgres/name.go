package postgres

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/rowferry/rowferry/schema"
)

const (
	// longestName is the most bytes of a name (NAMEDATALEN - 1). PostgreSQL
	// cuts a longer one off and goes on.
	longestName = 63
	// DefaultSchema is where a table without a namespace lives.
	DefaultSchema = "public"
)

// Quote returns ident as a quoted SQL identifier. It is exact for every name
// that CheckName accepts: with standard_conforming_strings or without, a quoted
// identifier has no escape other than the doubled quote.
func Quote(ident string) string {
	return `"` + strings.ReplaceAll(ident, `"`, `""`) + `"`
}

// QuoteTable returns a table's qualified name.
func QuoteTable(n schema.Name) string {
	return Quote(Namespace(n)) + "." + Quote(n.Table)
}

// Namespace returns the schema that a table lives in.
func Namespace(n schema.Name) string {
	if n.Schema == "" {
		return DefaultSchema
	}
	return n.Schema
}

// quoteAll returns the names quoted and joined by commas.
func quoteAll(names []string) string {
	q := make([]string, len(names))
	for i, n := range names {
		q[i] = Quote(n)
	}
	return strings.Join(q, ", ")
}

// NameError says that a name cannot be used in PostgreSQL.
type NameError struct {
	Table  schema.Name // whose it is, or which
	What   string      // "table", "column" or "schema"
	Name   string
	Reason string
}

func (e *NameError) Error() string { return fmt.Sprintf("%s name %q: %s", e.What, e.Name, e.Reason) }

// systemColumns are names that every table has already
// (https://www.postgresql.org/docs/15/ddl-system-columns.html).
var systemColumns = []string{"tableoid", "xmin", "cmin", "xmax", "cmax", "ctid"}

// CheckTable returns a *NameError where the name of the table, its schema, one
// of its columns, or of a foreign key's parent cannot be used.
func CheckTable(t *schema.Table) error {
	if err := CheckName(t.Name); err != nil {
		return err
	}
	for _, c := range t.Columns {
		if reason := unusable(c.Name); reason != "" {
			return &NameError{t.Name, "column", c.Name, reason}
		}
		if slices.Contains(systemColumns, c.Name) {
			return &NameError{t.Name, "column", c.Name, "PostgreSQL has a system column of this name in every table"}
		}
	}
	for _, f := range t.ForeignKeys {
		if err := CheckName(f.Parent); err != nil {
			return err
		}
		for _, name := range f.Referenced {
			if reason := unusable(name); reason != "" {
				return &NameError{f.Parent, "column", name, reason}
			}
		}
	}
	return nil
}

// CheckName returns a *NameError for a table's name that cannot be used.
func CheckName(n schema.Name) error {
	if reason := unusable(n.Table); reason != "" {
		return &NameError{n, "table", n.Table, reason}
	}
	space := Namespace(n)
	if reason := unusable(space); reason != "" {
		return &NameError{n, "schema", space, reason}
	}
	if strings.HasPrefix(space, "pg_") || space == "information_schema" {
		return &NameError{n, "schema", space, "PostgreSQL keeps it for itself"}
	}
	return nil
}

func unusable(name string) string {
	switch {
	case name == "":
		return "is empty"
	case strings.ContainsRune(name, 0):
		return "holds the character U+0000"
	case !utf8.ValidString(name):
		return "is not UTF-8"
	case len(name) > longestName:
		return fmt.Sprintf("has %d bytes, and PostgreSQL's names have at most %d", len(name), longestName)
	default:
		return ""
	}
}

// ObjectName returns the name of an index, constraint or sequence that
// Rowferry makes. Such names share one namespace per schema with tables, so the
// name ends in a digest of the table and of what it is for: the same one always
// gets the same name, and two never share one.
func ObjectName(table, label, what string) string {
	sum := sha256.Sum256([]byte(table + "\x00" + label + "\x00" + what))
	tail := "_" + label + "_" + hex.EncodeToString(sum[:6])
	cut := min(len(table), longestName-len(tail))
	for cut > 0 && cut < len(table) && !utf8.RuneStart(table[cut]) {
		cut--
	}
	return table[:cut] + tail
}
