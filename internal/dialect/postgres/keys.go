package postgres

import (
	"slices"
	"strconv"
	"strings"

	"github.com/rowferry/rowferry/schema"
)

// Key is a key or an index of a table.
type Key struct {
	Name string // in the table's schema
	SQL  string // adds it to the table
	// Unique is, for people, what must not be there twice; empty for an index that
	// refuses no row.
	Unique string
	// Index names, for people, an index of the source's.
	Index string
	// Reads says that the table is only read while the key is made, so that others
	// that do so can be made at the same time.
	Reads bool
	// Spare is the same under a name that nothing else has, where Name may be taken.
	Spare *Key
}

// What says what the key is, for people. It is empty for an index that only
// Rowferry has a use for.
func (k Key) What() string { return k.Unique + k.Index }

// Keys returns the keys and indexes of a table, in the order in which they can be
// made: those that CreateTable makes, and then Indexes.
func Keys(t *schema.Table) []Key {
	var keys []Key
	if len(t.PrimaryKey) > 0 {
		keys = append(keys, Key{
			Name: primaryKeyName(t), SQL: "ALTER TABLE " + QuoteTable(t.Name) + " ADD " + primaryKey(t),
			Unique: "primary key (" + strings.Join(t.ColumnNames(t.PrimaryKey), ", ") + ")",
		})
	}
	return slices.Concat(keys, uniqueKeys(t), childIndexes(t), rowIndex(t), Indexes(t))
}

func primaryKey(t *schema.Table) string {
	return "CONSTRAINT " + Quote(primaryKeyName(t)) + " PRIMARY KEY (" + quoteAll(t.ColumnNames(t.PrimaryKey)) + ")"
}

func primaryKeyName(t *schema.Table) string {
	return ObjectName(t.Name.Table, "pk", quoteAll(t.ColumnNames(t.PrimaryKey)))
}

// uniqueKeys returns the table's unique keys. Those over whole columns are
// constraints, as foreign keys and people expect.
func uniqueKeys(t *schema.Table) []Key {
	var out []Key
	for _, u := range t.Uniques {
		terms := make([]string, len(u.Columns))
		for i, o := range u.Columns {
			terms[i] = indexTerm(t.Columns[o], u, i)
		}
		what := strings.Join(terms, ", ")
		k := Key{Name: ObjectName(t.Name.Table, "uq", what), Unique: strings.TrimSpace("unique key "+u.Name) + " (" + strings.Join(t.ColumnNames(u.Columns), ", ") + ")"}
		k.Reads, k.SQL = true, "CREATE UNIQUE INDEX "+Quote(k.Name)+" ON "+QuoteTable(t.Name)+" ("+what+")"
		if u.Whole() {
			k.Reads, k.SQL = false, "ALTER TABLE "+QuoteTable(t.Name)+" ADD CONSTRAINT "+Quote(k.Name)+" UNIQUE ("+what+")"
		}
		if !slices.ContainsFunc(out, func(o Key) bool { return o.SQL == k.SQL }) {
			out = append(out, k)
		}
	}
	return out
}

// indexTerm returns one column of a unique index. Values that are equal in the
// first n characters byte by byte are equal in them by every collation, so
// whatever the source accepted is accepted.
func indexTerm(c schema.Column, u schema.Index, i int) string {
	if u.Prefix == nil || u.Prefix[i] == 0 {
		return Quote(c.Name)
	}
	n := strconv.Itoa(u.Prefix[i])
	if declared, err := schema.PostgresType(c.Type); err == nil && declared == "bytea" {
		return "pg_catalog.substr(" + Quote(c.Name) + ", 1, " + n + ")"
	}
	return "pg_catalog.left(" + Quote(c.Name) + ", " + n + ")"
}

// childIndexes returns the indexes over foreign-key columns that no key or index
// begins with. Without one, every delete of a parent would read the whole child table.
func childIndexes(t *schema.Table) (all []Key) {
	carried, _ := carriedIndexes(t)
	for _, columns := range t.UnindexedKeys(t.ForeignKeys, carried) {
		all = append(all, index(t, "fk", columns))
	}
	return all
}

// index returns an index that refuses no row.
func index(t *schema.Table, label string, columns []int) Key {
	what := quoteAll(t.ColumnNames(columns))
	name := ObjectName(t.Name.Table, label, what)
	return Key{Name: name, Reads: true, SQL: "CREATE INDEX " + Quote(name) + " ON " + QuoteTable(t.Name) + " (" + what + ")"}
}

// rowIndex returns an index that helps to find a row of a
// table without a key: over its first few columns of small values. Without it
// every change would read the whole table.
func rowIndex(t *schema.Table) []Key {
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
	return []Key{index(t, "row", columns)}
}

// large reports whether values may be too large for an index.
func large(t schema.Type) bool {
	switch t.Kind {
	case schema.Text, schema.Blob, schema.JSON, schema.Set, schema.Other: // which need not have an order
		return true
	default:
		return t.Length > 160
	}
}
