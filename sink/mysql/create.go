package mysql

import (
	"fmt"
	"slices"
	"strings"

	"github.com/rowferry/rowferry"
	"github.com/rowferry/rowferry/internal/sqlsink"
	"github.com/rowferry/rowferry/schema"
)

// createTable returns the statement that makes a table of the shape, without
// its foreign keys, and what of it could not be carried exactly. A bare one has
// no more keys than loading needs.
//
// Generated columns become plain ones that may be NULL: their values come with
// the rows. There are no defaults, since a shape has none.
func (s *Sink) createTable(t *schema.Table, bare bool) (statement string, notices []string, err error) {
	var lines []string
	for i, c := range t.Columns {
		line, finer, err := s.columnClause(t, i)
		if err != nil {
			return "", nil, rowferry.Errorf(rowferry.CodeTypeRefused, "a column's type cannot be carried to MySQL: %w", err).
				Fact("table", "%s", t.Name).Fact("column", "%s", c.Name)
		}
		if finer != "" {
			notices = append(notices, fmt.Sprintf("table %s, column %s: %s", t.Name, c.Name, finer))
		}
		lines = append(lines, line)
	}
	for _, k := range tableKeys(t, bare) {
		lines = append(lines, k.clause)
	}
	for _, u := range t.Unsupported {
		notices = append(notices, fmt.Sprintf("table %s is made without %s", t.Name, u))
	}
	for _, x := range t.OtherIndexes {
		notices = append(notices, fmt.Sprintf("table %s is made without the %s", t.Name, x))
	}
	return "CREATE TABLE " + quoteName(t.Name) + " (\n  " + strings.Join(lines, ",\n  ") +
		"\n) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 COMMENT = '" + madeBy + "'", notices, nil
}

// columnClause returns a column's definition. TIMESTAMP says its nullability
// and, where it may not be NULL, a default: without both a server may give it
// some by itself, and change it with every update.
func (s *Sink) columnClause(t *schema.Table, i int) (line, finer string, err error) {
	c := t.Columns[i]
	declared, finer, err := schema.MySQLType(c.Type, s.server.MySQLServer)
	if err != nil {
		return "", "", err
	}
	line = quote(c.Name) + " " + declared
	switch notNull := slices.Contains(t.PrimaryKey, i) || !c.Nullable && c.Generated == schema.NotGenerated; {
	case notNull && c.Type.Kind == schema.Timestamp:
		line += " NOT NULL DEFAULT '0000-00-00 00:00:00'"
	case notNull:
		line += " NOT NULL"
	default:
		line += " NULL"
	}
	if i == counting(t) {
		line += " AUTO_INCREMENT"
	}
	if c.Type.Kind == schema.JSON && c.Type.Native == "" && strings.HasPrefix(declared, "LONGTEXT") {
		line += " CHECK (JSON_VALID(" + quote(c.Name) + "))"
	}
	return line, finer, nil
}

// counting returns the ordinal of the column that counts by itself, or -1. MySQL
// has one in a table, where a PostgreSQL has as many as it likes, and gives it a
// value for each NULL.
func counting(t *schema.Table) int {
	counts := func(i int) bool {
		c := t.Columns[i]
		return c.AutoIncrement && c.Type.Kind == schema.Int && (!c.Nullable || c.Type.Native == "")
	}
	for _, i := range t.PrimaryKey {
		if counts(i) {
			return i
		}
	}
	for i := range t.Columns {
		if counts(i) {
			return i
		}
	}
	return -1
}

// tableKey is a key of a table that Rowferry makes, foreign keys aside.
type tableKey struct {
	name   string // PRIMARY for the primary key
	clause string // its definition in CREATE TABLE
	what   string // for people
	plain  bool   // an index of the source's, which refuses no row
}

// tableKeys returns the keys of a table, with its indexes. A bare one has that by
// which rows are found, or which helps to find them, and one that a counting
// column cannot be without. Names are the same
// either way.
func tableKeys(t *schema.Table, bare bool) []tableKey {
	var keys []tableKey
	taken, first, identity := map[string]bool{}, map[int]bool{}, t.Identity()
	add := func(columns []int, k tableKey) {
		if !bare || identity == nil || slices.Equal(columns, identity) {
			keys, first[columns[0]] = append(keys, k), true
		}
	}
	if len(t.PrimaryKey) > 0 {
		terms := quoteAll(t.ColumnNames(t.PrimaryKey))
		add(t.PrimaryKey, tableKey{name: "PRIMARY", clause: "PRIMARY KEY (" + terms + ")", what: "primary key"})
	}
	for _, u := range t.Uniques {
		terms := keyTerms(t, u)
		name := keyName(u.Name, "uq", terms, taken)
		if bare && (identity == nil || !u.Whole()) {
			continue
		}
		add(u.Columns, tableKey{name: name, clause: "UNIQUE KEY " + quote(name) + " (" + terms + ")", what: "unique key " + name})
	}
	for _, x := range t.Indexes {
		terms := keyTerms(t, x)
		name := keyName(x.Name, "ix", terms, taken)
		if !bare {
			keys, first[x.Columns[0]] = append(keys, tableKey{name: name, clause: "KEY " + quote(name) + " (" + terms + ")", what: "index " + name, plain: true}), true
		}
	}
	for _, terms := range helpingKeys(t, first) {
		name := keyName("", "rowferry", terms, taken)
		keys = append(keys, tableKey{name: name, clause: "KEY " + quote(name) + " (" + terms + ")", what: "key (" + terms + ")"})
	}
	return keys
}

// keyTerms returns a key's columns with their prefixes and directions.
func keyTerms(t *schema.Table, u schema.Index) string {
	terms := make([]string, len(u.Columns))
	for i, o := range u.Columns {
		terms[i] = quote(t.Columns[o].Name)
		if u.Prefix != nil && u.Prefix[i] > 0 {
			terms[i] += fmt.Sprintf("(%d)", u.Prefix[i])
		}
		if u.Descends(i) {
			terms[i] += " DESC"
		}
	}
	return strings.Join(terms, ", ")
}

// helpingKeys returns the columns of keys that the shape does not tell of: one
// that a counting column needs which is first in no other, and one that helps to
// find a row of a table without a key, over its first few columns of small
// values.
func helpingKeys(t *schema.Table, first map[int]bool) []string {
	var keys []string
	if i := counting(t); i >= 0 && !first[i] {
		keys = append(keys, quote(t.Columns[i].Name))
	}
	if t.Identity() != nil {
		return keys
	}
	const most = 4
	var columns []int
	for i := range t.Columns {
		if len(columns) < most && helps(t, i) {
			columns = append(columns, i)
		}
	}
	if len(columns) > 0 {
		keys = append(keys, quoteAll(t.ColumnNames(columns)))
	}
	return keys
}

// helps reports whether a column may be part of a key that helps.
func helps(t *schema.Table, i int) bool {
	c := t.Columns[i]
	switch c.Type.Kind {
	case schema.Text, schema.Blob, schema.JSON:
		return false
	case schema.Char, schema.VarChar, schema.Binary, schema.VarBinary:
		return c.Type.Length <= 100
	default:
		return c.Generated == schema.NotGenerated && !c.Type.Kind.Approximate()
	}
}

// addKey returns the clause of an ALTER TABLE that gives a table a foreign key.
func addKey(t *schema.Table, f schema.ForeignKey) string {
	about := sqlsink.DescribeKey(t, f)
	sql := "ADD CONSTRAINT " + quote(keyName("", "fk", t.Name.String()+about, map[string]bool{})) +
		" FOREIGN KEY (" + quoteAll(t.ColumnNames(f.Columns)) + ") REFERENCES " + quoteName(f.Parent) + " (" + quoteAll(f.Referenced) + ")"
	if f.OnDelete != schema.NoAction {
		sql += " ON DELETE " + strings.ToUpper(string(f.OnDelete))
	}
	if f.OnUpdate != schema.NoAction {
		sql += " ON UPDATE " + strings.ToUpper(string(f.OnUpdate))
	}
	return sql
}
