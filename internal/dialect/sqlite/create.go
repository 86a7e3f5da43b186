package sqlite

import (
	"fmt"
	"slices"
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
// has none, but an AUTO_INCREMENT column that is the rowid counts by itself once
// nobody gives it a value, and gives none twice.
//
// Errors: *NameError, *TypeError, and *CascadeError for a foreign key whose
// action would be lost.
func CreateTable(t *schema.Table, parents Parents) (statements, notices []string, err error) {
	statements, _, notices, err = createTable(t, t, parents)
	return statements, notices, err
}

// CreateBare is CreateTable without the keys and indexes that schema.Table.Bare
// leaves out, but for foreign keys, which SQLite cannot add to a table: Keys has
// the others.
func CreateBare(t *schema.Table, parents Parents) (statements, notices []string, err error) {
	statements, _, notices, err = createTable(t, t.Bare(), parents)
	return statements, notices, err
}

// PlanBare is CreateBare with the foreign keys that the table is made with.
func PlanBare(t *schema.Table, parents Parents) (statements []string, carried []schema.ForeignKey, notices []string, err error) {
	return createTable(t, t.Bare(), parents)
}

// createTable makes a table of shape t that has the keys of another version.
func createTable(t, keyed *schema.Table, parents Parents) (statements []string, carried []schema.ForeignKey, notices []string, err error) {
	if err := CheckTable(t); err != nil {
		return nil, nil, nil, err
	}
	var lines []string
	alias := RowidAlias(keyed)
	for i, c := range t.Columns {
		declared, err := schema.SQLiteType(c.Type)
		if err != nil {
			return nil, nil, nil, &TypeError{Table: t.Name, Column: c.Name, Err: err}
		}
		line := Quote(c.Name) + " " + declared
		switch {
		case i == alias:
			line += " PRIMARY KEY"
			if c.AutoIncrement {
				line += " AUTOINCREMENT"
			}
		case slices.Contains(t.PrimaryKey, i), !c.Nullable && c.Generated == schema.NotGenerated:
			line += " NOT NULL"
		}
		lines = append(lines, line)
	}
	if alias < 0 && len(keyed.PrimaryKey) > 0 {
		lines = append(lines, "PRIMARY KEY ("+quoteAll(keyed.ColumnNames(keyed.PrimaryKey))+")")
	}
	carried, notices, err = foreignKeys(t, parents)
	if err != nil {
		return nil, nil, nil, err
	}
	for _, f := range carried {
		lines = append(lines, foreignKeyClause(t, f))
	}
	options := "STRICT"
	if alias < 0 && len(keyed.PrimaryKey) > 0 && !largeRows(t) {
		options += ", WITHOUT ROWID"
	}
	create := "CREATE TABLE " + Quote(t.Name.Table) + " (\n  " + strings.Join(lines, ",\n  ") + "\n) " + options
	keys := uniqueKeys(keyed)
	if keyed == t {
		keys = slices.Concat(keys, childIndexes(t, carried), indexes(t))
	}
	keys = append(keys, rowIndex(t)...) // merging looks for rows already
	statements = append(statements, create)
	for _, k := range keys {
		statements = append(statements, k.SQL)
	}
	for _, u := range t.Unsupported {
		notices = append(notices, fmt.Sprintf("table %s is made without %s", t.Name, u))
	}
	for _, x := range t.OtherIndexes {
		notices = append(notices, fmt.Sprintf("table %s is made without the %s", t.Name, x))
	}
	return statements, carried, notices, nil
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
