package sqlite

import (
	"slices"
	"strconv"
	"strings"

	"github.com/rowferry/rowferry/schema"
)

// Key is an index of a table.
type Key struct {
	Name string
	SQL  string // makes it
	// Unique is, for people, what must not be there twice; empty for an index that
	// refuses no row.
	Unique string
	Index  string // for people, an index of the source's
}

// What says what the key is, for people. It is empty for an index that only
// Rowferry has a use for.
func (k Key) What() string { return k.Unique + k.Index }

// Keys returns the indexes of a table with those foreign keys that CreateBare
// leaves out of it, and those that it makes.
func Keys(t *schema.Table, carried []schema.ForeignKey) []Key {
	var keys []Key
	if len(t.PrimaryKey) > 0 && t.Bare().PrimaryKey == nil {
		// SQLite cannot add a primary key either.
		keys = append(keys, uniqueKey(t, "pk", schema.Index{Columns: t.PrimaryKey}, "primary key"))
	}
	return slices.Concat(keys, uniqueKeys(t), childIndexes(t, carried), rowIndex(t), indexes(t))
}

// Made reports whether the table is as CreateTable or CreateBare made it, with
// whatever foreign keys. What is not said there is not looked at.
func Made(t *schema.Table, x *Existing) bool {
	plain := *t
	plain.ForeignKeys = nil
	for _, compose := range []func(*schema.Table, Parents) (statements, notices []string, err error){CreateTable, CreateBare} {
		statements, _, err := compose(&plain, nil)
		if err == nil && statements[0] == withoutForeignKeys(x.SQL) {
			return true
		}
	}
	return false
}

// withoutForeignKeys returns a CREATE TABLE as CreateTable writes it without the
// lines of its foreign keys, which come last.
func withoutForeignKeys(sql string) string {
	at := strings.Index(sql, ",\n  FOREIGN KEY (")
	end := strings.LastIndex(sql, "\n) STRICT")
	if at < 0 || end < at {
		return sql
	}
	return sql[:at] + sql[end:]
}

// uniqueKeys returns the table's unique keys.
func uniqueKeys(t *schema.Table) []Key {
	var out []Key
	for _, u := range t.Uniques {
		k := uniqueKey(t, "uq", u, strings.TrimSpace("unique key "+u.Name))
		if !slices.ContainsFunc(out, func(o Key) bool { return o.SQL == k.SQL }) {
			out = append(out, k)
		}
	}
	return out
}

func uniqueKey(t *schema.Table, label string, u schema.Index, what string) Key {
	terms := make([]string, len(u.Columns))
	for i, o := range u.Columns {
		terms[i] = indexTerm(t.Columns[o], u, i)
	}
	over := strings.Join(terms, ", ")
	name := IndexName(t.Name.Table, label, u.Name+"\x00"+over)
	return Key{
		Name: name, SQL: "CREATE UNIQUE INDEX " + Quote(name) + " ON " + Quote(t.Name.Table) + " (" + over + ")",
		Unique: what + " (" + strings.Join(t.ColumnNames(u.Columns), ", ") + ")",
	}
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

// indexes returns the shape's indexes. A prefix, which SQLite does not have, becomes
// the whole column: an entry may be of any length. A name that no other table of the
// source has for an index may still be that of a table which is made later: the
// index's is part of one that nothing else has.
func indexes(t *schema.Table) (all []Key) {
	for _, x := range t.Indexes {
		terms := make([]string, len(x.Columns))
		for i, o := range x.Columns {
			if terms[i] = Quote(t.Columns[o].Name); x.Descends(i) {
				terms[i] += " DESC"
			}
		}
		over := strings.Join(terms, ", ")
		name := IndexName(t.Name.Table+"_"+x.Name, "ix", t.Name.Table+"\x00"+over)
		all = append(all, Key{
			Name: name, SQL: "CREATE INDEX " + Quote(name) + " ON " + Quote(t.Name.Table) + " (" + over + ")",
			Index: strings.TrimSpace("index "+x.Name) + " (" + strings.Join(t.ColumnNames(x.Columns), ", ") + ")",
		})
	}
	return all
}

// childIndexes returns the indexes over foreign-key columns that no key or index
// begins with. Without one, every delete of a parent would read the whole child table.
func childIndexes(t *schema.Table, carried []schema.ForeignKey) (all []Key) {
	for _, columns := range t.UnindexedKeys(carried, wholeIndexes(t)) {
		all = append(all, index(t, "fk", columns))
	}
	return all
}

// index returns an index that refuses no row.
func index(t *schema.Table, label string, columns []int) Key {
	what := quoteAll(t.ColumnNames(columns))
	name := IndexName(t.Name.Table, label, what)
	return Key{Name: name, SQL: "CREATE INDEX " + Quote(name) + " ON " + Quote(t.Name.Table) + " (" + what + ")"}
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

// wholeIndexes returns the shape's indexes as the table has them.
func wholeIndexes(t *schema.Table) []schema.Index {
	whole := slices.Clone(t.Indexes)
	for i := range whole {
		whole[i].Prefix = nil
	}
	return whole
}
