package sqlsink

import (
	"strings"

	"github.com/rowferry/rowferry"
)

// About adds to e which mutation it is about and what identifies its row.
func (t *Table) About(e *rowferry.Error, m *rowferry.Mutation) *rowferry.Error {
	kept := *m // the caller may use its slice again
	e.Mutation = &kept
	e.Fact("table", "%s", m.Table.Name)
	if key := t.keyText(m); key != "" {
		e.Fact("key", "%s", key)
	}
	return e
}

// keyText returns the identity of the row that m is about, for people, from
// the image that names it in the target. Without a key it is the first columns.
func (t *Table) keyText(m *rowferry.Mutation) string {
	row := m.Before
	if m.Op == rowferry.Insert || row == nil {
		row = m.After
	}
	if len(row) != len(t.Shape.Columns) {
		return ""
	}
	ordinals := t.Identity
	if ordinals == nil {
		for i := range min(len(row), 4) {
			ordinals = append(ordinals, i)
		}
	}
	parts := make([]string, len(ordinals))
	for i, o := range ordinals {
		parts[i] = t.Shape.Columns[o].Name + "=" + Shorten(row[o].String())
	}
	return strings.Join(parts, " ")
}

// Missing is the refusal of an update or delete that found n rows instead of
// one.
func (t *Table) Missing(m *rowferry.Mutation, n int64) error {
	return t.About(rowferry.Errorf(rowferry.CodeRowMissing, "the row to %s was not found exactly once in the target", m.Op), m).
		Fact("found", "%d", n)
}

// Blame marks an error about m's table as a refusal of m, so that what comes
// before it can be saved. Failures of the target as a whole are about no row.
func Blame(err error, m *rowferry.Mutation) error {
	e, ok := err.(*rowferry.Error)
	if !ok || e.Mutation != nil {
		return err
	}
	switch e.Code {
	case rowferry.CodeTableDiffers, rowferry.CodeTriggers, rowferry.CodeCascades, rowferry.CodeNameCollision, rowferry.CodeNameRefused,
		rowferry.CodeTypeRefused, rowferry.CodeRowRefused, rowferry.CodeOutOfRange, rowferry.CodeCopyRefused:
		kept := *m
		e.Mutation = &kept
	}
	return err
}

// Shorten cuts a value for a message, between characters.
func Shorten(s string) string {
	const limit = 80
	if len(s) <= limit {
		return s
	}
	cut := 0
	for i := range s {
		if i > limit {
			break
		}
		cut = i
	}
	return s[:cut] + "…"
}

// Miscarried is the error of a value that is carried in another way than its
// column's type says. Stored is the target's type, for people.
func Miscarried(v rowferry.Value, stored string) *rowferry.Error {
	return rowferry.Errorf(rowferry.CodeInternal, "a value is carried in another way than its column's type says").
		Fact("carried as", "%s", kindName(v.Kind())).Fact("stored as", "%s", stored)
}

// NotUTF8 is the error of a text that is not.
func NotUTF8(s string) *rowferry.Error {
	return rowferry.Errorf(rowferry.CodeInternal, "a text value is not UTF-8, although text always is").
		Fact("value", "%q", Shorten(s))
}

func kindName(k rowferry.ValueKind) string {
	switch k {
	case rowferry.Absent:
		return "absent"
	case rowferry.Null:
		return "NULL"
	case rowferry.Int:
		return "integer"
	case rowferry.Uint:
		return "unsigned integer"
	case rowferry.Float:
		return "float"
	case rowferry.Text:
		return "text"
	case rowferry.Bytes:
		return "bytes"
	default:
		return "unknown"
	}
}
