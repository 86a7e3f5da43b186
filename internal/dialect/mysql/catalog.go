package mysql

import (
	"cmp"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/rowferry/rowferry"
	"github.com/rowferry/rowferry/schema"
)

// Catalog holds the shapes in force at one place of the log. It is not safe for
// concurrent use; the shapes it hands out are immutable.
type Catalog struct {
	flavor    Flavor
	version   int // as in executable comments
	tables    map[schema.Name]*entry
	databases map[string]collation // defaults of databases whose creation was seen
	library   library

	temporaries temporaries
}

type entry struct {
	table *schema.Table
	draft *draft
}

// NewCatalog returns an empty catalog for statements of a flavor, of its newest
// version.
func NewCatalog(flavor Flavor) *Catalog {
	newest := 99999
	if flavor == MariaDB {
		newest = 999998 // 999999 marks what no server executes
	}
	return &Catalog{flavor: flavor, version: newest, tables: map[schema.Name]*entry{}, databases: map[string]collation{}}
}

// SetVersion tells which server wrote the statements that follow, as its version
// string has it ("8.0.36-log", "10.11.6-MariaDB"). It decides what executable
// comments hold, whether a column's REFERENCES counts (MySQL 9.0, MariaDB 10.5)
// and what utf8mb4 means. A string without a version is ignored.
func (c *Catalog) SetVersion(version string) {
	n, parts := 0, strings.FieldsFunc(version, func(r rune) bool { return r < '0' || r > '9' })
	if len(parts) < 3 {
		return
	}
	for _, s := range parts[:3] {
		v, err := strconv.Atoi(s)
		if err != nil || v > 99 {
			return
		}
		n = n*100 + v
	}
	c.version = n
}

// honoursInline reports whether REFERENCES of a column makes a foreign key.
func (c *Catalog) honoursInline() bool {
	if c.flavor == MariaDB {
		return c.version >= 100500
	}
	return c.version >= 90000
}

// Table returns the shape of a table, or nil if it is not known.
func (c *Catalog) Table(n schema.Name) *schema.Table {
	if e := c.tables[n]; e != nil {
		return e.table
	}
	return nil
}

// Put makes a shape known that comes from elsewhere. Its
// default character set stays unknown: columns added to it later have a
// character set only if they name one.
func (c *Catalog) Put(t *schema.Table) {
	c.tables[t.Name] = &entry{t, draftOf(t)}
}

// Tables returns all known shapes, by name.
func (c *Catalog) Tables() []*schema.Table {
	list := make([]*schema.Table, 0, len(c.tables))
	for _, e := range c.tables {
		list = append(list, e.table)
	}
	slices.SortFunc(list, func(a, b *schema.Table) int {
		return cmp.Or(cmp.Compare(a.Name.Schema, b.Name.Schema), cmp.Compare(a.Name.Table, b.Name.Table))
	})
	return list
}

func (c *Catalog) forget(n schema.Name) { delete(c.tables, n) }

// put makes a draft the table's shape. A shape that is the same as before keeps
// its pointer.
func (c *Catalog) put(d *draft) (*schema.Table, error) {
	t, err := d.table()
	if err != nil {
		return nil, err
	}
	if e := c.tables[d.name]; e != nil && same(e.table, t) {
		t = e.table
	}
	c.tables[d.name] = &entry{t, d}
	return t, nil
}

// draftOf turns a shape into a draft.
func draftOf(t *schema.Table) *draft {
	d := &draft{name: t.Name, columns: t.Columns, known: t.ConstraintsKnown, recorded: true, notes: t.Unsupported, others: t.OtherIndexes}
	parts := func(ordinals, prefixes []int) []part {
		list := make([]part, len(ordinals))
		for i, o := range ordinals {
			list[i].column = t.Columns[o].Name
			if prefixes != nil {
				list[i].prefix = prefixes[i]
			}
		}
		return list
	}
	if t.PrimaryKey != nil {
		d.keys = append(d.keys, key{name: "PRIMARY", kind: primaryKey, parts: parts(t.PrimaryKey, nil)})
	}
	for _, u := range t.Uniques {
		d.keys = append(d.keys, key{name: u.Name, kind: uniqueKey, parts: parts(u.Columns, u.Prefix)})
	}
	for _, x := range t.Indexes {
		k := key{name: x.Name, kind: plainKey, parts: parts(x.Columns, x.Prefix)}
		for i := range k.parts {
			k.parts[i].descending = x.Descends(i)
		}
		d.keys = append(d.keys, k)
	}
	for _, f := range t.ForeignKeys {
		d.addForeign(foreign{name: f.Name, columns: t.ColumnNames(f.Columns), parent: f.Parent,
			referenced: f.Referenced, onDelete: f.OnDelete, onUpdate: f.OnUpdate})
	}
	return d
}

// StatementError says that a statement which changes shapes cannot be read. The
// tables it names are unknown to the catalog from then on, so that a caller to
// whom none of them matters may go on.
type StatementError struct {
	Tables []schema.Name // the tables that could be told; empty if none could
	Err    *rowferry.Error
}

// Error returns the cause's text.
func (e *StatementError) Error() string { return e.Err.Error() }

// Unwrap returns the *rowferry.Error, of CodeBadStatement.
func (e *StatementError) Unwrap() error { return e.Err }

// same reports whether two shapes say the same.
func same(a, b *schema.Table) bool { return reflect.DeepEqual(a, b) }
