package postgres

import (
	"slices"
	"strings"

	"github.com/rowferry/rowferry/schema"
)

// mostIndexBytes is how much an entry of a btree takes, with room for what
// PostgreSQL adds to it (2,704 bytes of a page of 8 KiB, BTMaxItemSize in
// src/include/access/nbtree.h). A row with a longer one is refused.
const mostIndexBytes = 2600

// Indexes returns those of the shape's indexes that the table can have. Those of a
// PostgreSQL source keep their names where nothing else in the schema has them. Of
// other sources names are unique in a table only, and a table that is made later
// may need the name: theirs are part of a name that nothing else has.
func Indexes(t *schema.Table) (keys []Key) {
	carried, _ := carriedIndexes(t)
	for _, x := range carried {
		terms := make([]string, len(x.Columns))
		for i, o := range x.Columns {
			if terms[i] = Quote(t.Columns[o].Name); x.Descends(i) {
				terms[i] += " DESC"
			}
		}
		over := strings.Join(terms, ", ")
		named := func(name string) Key {
			return Key{Name: name, Reads: true, SQL: "CREATE INDEX " + Quote(name) + " ON " + QuoteTable(t.Name) + " (" + over + ")",
				Index: strings.TrimSpace("index "+x.Name) + " (" + strings.Join(t.ColumnNames(x.Columns), ", ") + ")"}
		}
		k := named(ObjectName(t.Name.Table+"_"+x.Name, "ix", t.Name.Table+"\x00"+over))
		if ofPostgres(t) && unusable(x.Name) == "" {
			spare := k
			k = named(x.Name)
			k.Spare = &spare
		}
		keys = append(keys, k)
	}
	return keys
}

// ofPostgres reports whether the shape is that of a PostgreSQL source.
func ofPostgres(t *schema.Table) bool {
	return slices.ContainsFunc(t.Columns, func(c schema.Column) bool { return c.Type.Native != "" })
}

// carriedIndexes returns the indexes that can never refuse a row, and what the
// others are. A prefix, which PostgreSQL does not have, becomes the whole column.
func carriedIndexes(t *schema.Table) (carried []schema.Index, left []string) {
	for _, x := range t.Indexes {
		x.Prefix = nil
		if why := refusesIndex(t, x); why != "" {
			left = append(left, "index "+x.Name+", "+why)
			continue
		}
		carried = append(carried, x)
	}
	return carried, left
}

// refusesIndex returns why PostgreSQL cannot have the index, or "". What a
// PostgreSQL source has indexed can be indexed.
func refusesIndex(t *schema.Table, x schema.Index) string {
	if ofPostgres(t) {
		return ""
	}
	size := 0
	for _, o := range x.Columns {
		c := t.Columns[o]
		if c.Type.Kind == schema.JSON {
			return "since PostgreSQL does not sort json, which " + c.Name + " is"
		}
		size += entryBytes(c.Type)
	}
	if size > mostIndexBytes {
		return "whose entries may be longer than an index of PostgreSQL takes"
	}
	return ""
}

// entryBytes returns the most bytes that a value takes in an index.
func entryBytes(t schema.Type) int {
	const head = 4 // of a value of variable length
	longest := func(labels []string) (n int) {
		for _, l := range labels {
			n = max(n, len(l))
		}
		return n
	}
	switch t.Kind {
	case schema.Char, schema.VarChar:
		if t.Charset == "ascii" {
			return t.Length + head
		}
		return 4*t.Length + head
	case schema.Binary, schema.VarBinary:
		return t.Length + head
	case schema.Text, schema.Blob:
		return mostIndexBytes + 1
	case schema.Enum:
		return longest(t.Labels) + head
	case schema.Set:
		return len(strings.Join(t.Labels, ",")) + head
	case schema.Decimal:
		return t.Precision + head
	default:
		return 24 // numbers, times, uuid, inet
	}
}
