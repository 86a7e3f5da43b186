package sqlite

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/rowferry/rowferry/schema"
)

// CreateTable returns the statements that make a table of the given shape, and
// what the operator should know that could not be carried. The first statement
// is the CREATE TABLE.
//
// The table is STRICT. A single integer key is the rowid itself; any other key
// makes a WITHOUT ROWID table, unless rows may be large. Keys compare exactly
// (BINARY), which is finer than the source's collation and so never refuses
// what the source accepted. Generated columns become plain ones that may be
// NULL: their values come with the rows. There are no defaults, since a shape
// has none.
//
// Errors: *NameError, *TypeError, and *CascadeError for a foreign key whose
// action would be lost.
func CreateTable(t *schema.Table, parents Parents) (statements, notices []string, err error) {
	if err := CheckTable(t); err != nil {
		return nil, nil, err
	}
	var lines []string
	alias := RowidAlias(t)
	for i, c := range t.Columns {
		declared, err := schema.SQLiteType(c.Type)
		if err != nil {
			return nil, nil, &TypeError{Table: t.Name, Column: c.Name, Err: err}
		}
		line := Quote(c.Name) + " " + declared
		switch {
		case i == alias:
			line += " PRIMARY KEY"
		case slices.Contains(t.PrimaryKey, i), !c.Nullable && c.Generated == schema.NotGenerated:
			line += " NOT NULL"
		}
		lines = append(lines, line)
	}
	if alias < 0 && len(t.PrimaryKey) > 0 {
		lines = append(lines, "PRIMARY KEY ("+quoteAll(t.ColumnNames(t.PrimaryKey))+")")
	}
	carried, notices, err := foreignKeys(t, parents)
	if err != nil {
		return nil, nil, err
	}
	for _, f := range carried {
		lines = append(lines, foreignKeyClause(t, f))
	}
	options := "STRICT"
	if alias < 0 && len(t.PrimaryKey) > 0 && !largeRows(t) {
		options += ", WITHOUT ROWID"
	}
	create := "CREATE TABLE " + Quote(t.Name.Table) + " (\n  " + strings.Join(lines, ",\n  ") + "\n) " + options
	statements = append(statements, create)
	statements = append(statements, uniqueIndexes(t)...)
	statements = append(statements, childIndexes(t, carried)...)
	statements = append(statements, rowIndex(t)...)
	for _, u := range t.Unsupported {
		notices = append(notices, fmt.Sprintf("table %s is made without %s", t.Name, u))
	}
	return statements, notices, nil
}

// TypeError says that a column's type has no counterpart in SQLite.
type TypeError struct {
	Table  schema.Name
	Column string
	Err    error
}

func (e *TypeError) Error() string {
	return fmt.Sprintf("column %s.%s: %v", e.Table, e.Column, e.Err)
}

// Unwrap returns what the type table says.
func (e *TypeError) Unwrap() error { return e.Err }

// RowidAlias returns the ordinal of the column that becomes INTEGER PRIMARY
// KEY, the rowid itself, or -1.
func RowidAlias(t *schema.Table) int {
	if len(t.PrimaryKey) != 1 {
		return -1
	}
	o := t.PrimaryKey[0]
	if declared, err := schema.SQLiteType(t.Columns[o].Type); err != nil || declared != "INTEGER" {
		return -1
	}
	return o
}

// largeRows reports whether rows may outgrow the twentieth part of a page or
// so up to which a WITHOUT ROWID table is the better one
// (https://www.sqlite.org/withoutrowid.html, section 4).
func largeRows(t *schema.Table) bool {
	return slices.ContainsFunc(t.Columns, func(c schema.Column) bool { return large(c.Type) })
}

func large(t schema.Type) bool {
	switch t.Kind {
	case schema.Text, schema.Blob, schema.JSON:
		return true
	default:
		return t.Length > 255
	}
}

func foreignKeyClause(t *schema.Table, f schema.ForeignKey) string {
	s := "FOREIGN KEY (" + quoteAll(t.ColumnNames(f.Columns)) + ") REFERENCES " +
		Quote(f.Parent.Table) + " (" + quoteAll(f.Referenced) + ")"
	if f.OnDelete != schema.NoAction {
		s += " ON DELETE " + strings.ToUpper(string(f.OnDelete))
	}
	if f.OnUpdate != schema.NoAction {
		s += " ON UPDATE " + strings.ToUpper(string(f.OnUpdate))
	}
	return s
}

// uniqueIndexes returns the statements for the table's unique keys.
func uniqueIndexes(t *schema.Table) []string {
	var out []string
	for _, u := range t.Uniques {
		terms := make([]string, len(u.Columns))
		for i, o := range u.Columns {
			terms[i] = indexTerm(t.Columns[o], u, i)
		}
		what := strings.Join(terms, ", ")
		sql := "CREATE UNIQUE INDEX " + Quote(IndexName(t.Name.Table, "uq", u.Name+"\x00"+what)) +
			" ON " + Quote(t.Name.Table) + " (" + what + ")"
		if !slices.Contains(out, sql) {
			out = append(out, sql)
		}
	}
	return out
}

// indexTerm returns one column of a unique index. A prefix of n characters
// becomes a prefix of the up to 4n bytes they may take: SQLite's substr stops
// at a NUL character, so that values which differ only behind one would be
// refused. Values equal in 4n bytes are equal in n characters, so whatever the
// source accepted is accepted.
func indexTerm(c schema.Column, u schema.Index, i int) string {
	if u.Prefix == nil || u.Prefix[i] == 0 {
		return Quote(c.Name)
	}
	n := u.Prefix[i]
	if declared, err := schema.SQLiteType(c.Type); err == nil && declared == "TEXT" {
		return "substr(CAST(" + Quote(c.Name) + " AS BLOB), 1, " + strconv.Itoa(4*n) + ")"
	}
	return "substr(" + Quote(c.Name) + ", 1, " + strconv.Itoa(n) + ")"
}

// childIndexes returns the statements for indexes over foreign-key columns
// that no key begins with. Without one, every delete of a parent would read
// the whole child table.
func childIndexes(t *schema.Table, carried []schema.ForeignKey) []string {
	keys := [][]int{t.PrimaryKey}
	for _, u := range t.Uniques {
		if u.Whole() {
			keys = append(keys, u.Columns)
		}
	}
	var out []string
	for _, f := range carried {
		if slices.ContainsFunc(keys, func(k []int) bool { return beginsWith(k, f.Columns) }) {
			continue
		}
		keys = append(keys, f.Columns)
		what := quoteAll(t.ColumnNames(f.Columns))
		out = append(out, "CREATE INDEX "+Quote(IndexName(t.Name.Table, "fk", what))+" ON "+Quote(t.Name.Table)+" ("+what+")")
	}
	return out
}

// rowIndex returns the statement for an index that helps to find a row of a
// table without a key: over its first few columns of small values. Without it
// every change would read the whole table.
func rowIndex(t *schema.Table) []string {
	const most = 4
	var columns []int
	for i, c := range t.Columns {
		if len(columns) < most && c.Generated == schema.NotGenerated && !c.Type.Kind.Approximate() && !large(c.Type) {
			columns = append(columns, i)
		}
	}
	if t.Identity() != nil || len(columns) == 0 {
		return nil
	}
	what := quoteAll(t.ColumnNames(columns))
	return []string{"CREATE INDEX " + Quote(IndexName(t.Name.Table, "row", what)) + " ON " + Quote(t.Name.Table) + " (" + what + ")"}
}

func beginsWith(key, columns []int) bool {
	return len(key) >= len(columns) && sameSet(key[:len(columns)], columns)
}

func sameSet(a, b []int) bool {
	return len(a) == len(b) && !slices.ContainsFunc(b, func(o int) bool { return !slices.Contains(a, o) })
}
