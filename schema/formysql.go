package schema

import (
	"slices"
	"strings"
)

// The limits of InnoDB's keys and of a row's declared size, in bytes
// (https://dev.mysql.com/doc/refman/9.7/en/innodb-limits.html,
// https://dev.mysql.com/doc/refman/9.7/en/column-count-limit.html), the latter
// with room for the columns that are no texts.
const (
	mostKeyBytes = 3072
	mostRowBytes = 40_000
	longestShort = 512 // characters of a varchar that stays one outside of keys
)

// ForMySQL returns the shape as a MySQL or MariaDB target has it: that of a
// PostgreSQL source with the types there that hold its values, any other as it
// is. What only PostgreSQL has is its exact text, and so is a numeric beyond
// DECIMAL's digits; a timestamptz is a DATETIME in UTC, since TIMESTAMP ends in
// 2038. In a key, which MySQL cannot have over a text without a length, a text
// is as long a VARCHAR as the key has room for.
func ForMySQL(t *Table) *Table {
	if !slices.ContainsFunc(t.Columns, func(c Column) bool { return c.Type.Native != "" }) {
		return t
	}
	m := *t
	m.Columns = slices.Clone(t.Columns)
	keys := keysOf(t)
	for i := range m.Columns {
		m.Columns[i].Type = forMySQL(t, i, slices.ContainsFunc(keys, func(k []int) bool { return slices.Contains(k, i) }))
	}
	for _, k := range keys {
		m.fitKey(k)
	}
	size := 0
	for _, c := range m.Columns {
		size += keyBytes(c.Type)
	}
	for i := range m.Columns {
		c := &m.Columns[i].Type
		inKey := slices.ContainsFunc(keys, func(k []int) bool { return slices.Contains(k, i) })
		if c.Kind == VarChar && !inKey && (size > mostRowBytes || c.Length > longestShort) {
			c.Kind, c.Length = Text, 0
		}
	}
	return &m
}

// keysOf returns the columns of every key that a target has over the table's.
func keysOf(t *Table) [][]int {
	var keys [][]int
	if len(t.PrimaryKey) > 0 {
		keys = append(keys, t.PrimaryKey)
	}
	for _, u := range t.Uniques {
		keys = append(keys, u.Columns)
	}
	for _, f := range t.ForeignKeys {
		keys = append(keys, f.Columns)
	}
	return keys
}

// unlimited stands for the length of a text in a key until the key says it.
const unlimited = 1 << 24

// forMySQL returns the type of a column. One that compares in PostgreSQL as no
// collation does loses its collation where it is in a key, so that the target
// says what is finer about it.
func forMySQL(t *Table, i int, inKey bool) Type {
	c := t.Columns[i].Type
	text := Type{Kind: Text, Native: c.Native, Charset: "utf8mb4", Collation: "utf8mb4_0900_bin"}
	if c.Kind.Textual() {
		text.Collation = c.Collation
	} else if inKey && !c.ByteExact() {
		text.Collation = ""
	}
	if inKey {
		text.Kind, text.Length = VarChar, unlimited
	}
	switch c.Kind {
	case Text, Other:
		return text
	case Decimal:
		if c.Precision == 0 || c.Precision > 65 || c.Scale > 30 {
			return text
		}
	case Timestamp:
		c.Kind = DateTime
	case Blob:
		if inKey {
			c.Kind, c.Length = VarBinary, unlimited
		}
	case Enum:
		if slices.ContainsFunc(c.Labels, unlabelled) || len(c.Labels) == 0 {
			text.Kind, text.Length = VarChar, 63
			return text
		}
	default: // the same in MySQL
	}
	return c
}

// unlabelled reports whether a label of PostgreSQL is none in MySQL, which cuts
// off spaces at the end, and of which the empty one stands for none.
func unlabelled(l string) bool { return l == "" || strings.HasSuffix(l, " ") }

// fitKey gives the texts of a key the length that it has room for.
func (t *Table) fitKey(columns []int) {
	room, sharing := mostKeyBytes, 0
	for _, o := range columns {
		switch c := t.Columns[o].Type; {
		case flexible(c):
			sharing++
		default:
			room -= keyBytes(c)
		}
	}
	for _, o := range columns {
		c := &t.Columns[o].Type
		if !flexible(*c) {
			continue
		}
		n := max(room, 0) / sharing
		if c.Kind == VarChar {
			n /= 4
		}
		c.Length = min(c.Length, max(n, 1))
	}
}

func flexible(t Type) bool {
	return t.Native != "" && (t.Kind == VarChar || t.Kind == VarBinary)
}

// keyBytes returns the most bytes that a value takes in a key.
func keyBytes(t Type) int {
	switch t.Kind {
	case VarChar, Char:
		return 4*t.Length + 2
	case VarBinary, Binary:
		return t.Length + 2
	case UUID:
		return 38
	case Decimal:
		return t.Precision/2 + 2
	default:
		return 8
	}
}
