package sqlite

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"

	"github.com/rowferry/rowferry/schema"
)

// Quote returns ident as a quoted SQL identifier. It is exact for every name
// that CheckName accepts: SQLite has no escape other than the doubled quote.
func Quote(ident string) string {
	return `"` + strings.ReplaceAll(ident, `"`, `""`) + `"`
}

// quoteAll returns the names quoted and joined by commas.
func quoteAll(names []string) string {
	q := make([]string, len(names))
	for i, n := range names {
		q[i] = Quote(n)
	}
	return strings.Join(q, ", ")
}

// Fold returns the form under which SQLite compares identifiers: ASCII
// letters in lower case, every other byte as it is.
func Fold(ident string) string {
	b := []byte(ident)
	for i, c := range b {
		if 'A' <= c && c <= 'Z' {
			b[i] = c + 'a' - 'A'
		}
	}
	return string(b)
}

// NameError says that a name cannot be used in SQLite.
type NameError struct {
	Name   string
	Reason string
}

func (e *NameError) Error() string { return fmt.Sprintf("name %q: %s", e.Name, e.Reason) }

// CheckName returns a *NameError for a name that no SQLite table or column can
// have, although it can be quoted.
func CheckName(ident string) error {
	switch {
	case ident == "":
		return &NameError{ident, "is empty"}
	case strings.ContainsRune(ident, 0):
		return &NameError{ident, "holds a NUL character, at which SQLite would cut it off"}
	}
	return nil
}

// CheckTable returns a *NameError where the table's name, or two of its
// columns, cannot be used in SQLite.
func CheckTable(t *schema.Table) error {
	name := t.Name.Table
	if t.Name.Schema != "" {
		return &NameError{t.Name.String(), "has a namespace, and SQLite has none"}
	}
	if err := CheckName(name); err != nil {
		return err
	}
	for _, f := range t.ForeignKeys {
		if f.Parent.Schema != "" {
			return &NameError{f.Parent.String(), "has a namespace, and SQLite has none; a shape's foreign keys carry target names too"}
		}
		if err := CheckName(f.Parent.Table); err != nil {
			return err
		}
	}
	if strings.HasPrefix(Fold(name), "sqlite_") {
		return &NameError{name, "SQLite keeps names that begin with sqlite_ for itself"}
	}
	seen := make(map[string]string, len(t.Columns))
	for _, c := range t.Columns {
		if err := CheckName(c.Name); err != nil {
			return err
		}
		if other, ok := seen[Fold(c.Name)]; ok {
			return &NameError{name, fmt.Sprintf("columns %q and %q are one column to SQLite, which ignores case", other, c.Name)}
		}
		seen[Fold(c.Name)] = c.Name
	}
	return nil
}

// IndexName returns the name of an index that Rowferry makes. Index names
// share one namespace per database with tables, so the name ends in a digest
// of the table and of what is indexed: the same index always gets the same
// name, and two never share one.
func IndexName(table, label, what string) string {
	sum := sha256.Sum256([]byte(table + "\x00" + label + "\x00" + what))
	name := table + "_" + label + "_" + hex.EncodeToString(sum[:4])
	if strings.HasPrefix(Fold(name), "sqlite_") { // which SQLite keeps for itself, and no table begins with
		name = "of_" + name
	}
	return name
}
