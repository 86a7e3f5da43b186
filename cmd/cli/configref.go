package cli

import (
	"strconv"
	"strings"

	"github.com/rowferry/rowferry"
	"github.com/rowferry/rowferry/mapping"
	"github.com/rowferry/rowferry/schema"
)

// strategies are the ways to give keys, by what they are called.
var strategies = map[string]mapping.Strategy{"keep": mapping.Keep, "allocate": mapping.Allocate}

// refer adds a reference of a source table, by "column", or by "kind,column" where
// text is what the first of them has.
func (s *settings) refer(table, columns, text, to string) {
	ref := mapping.Reference{Column: columns, Text: text}
	if kind, column, two := strings.Cut(columns, ","); two {
		ref.Kind, ref.Column = strings.TrimSpace(kind), strings.TrimSpace(column)
	}
	parts := strings.SplitN(to, ".", 3)
	ref.To = mapping.Column{Table: schema.Name{Schema: parts[0], Table: parts[1]}, Name: parts[2]}
	s.entity(table, func(e *mapping.Entity) { e.Keys.References = append(e.Keys.References, ref) })
}

func checkReferring(text string) error {
	kind, column, two := strings.Cut(text, ",")
	if kind == "" || two && strings.TrimSpace(column) == "" || strings.Contains(column, ",") {
		return rowferry.Errorf(rowferry.CodeBadValue, "a reference is by one column, or by two of which the first says where the second leads, not by %q", text)
	}
	return nil
}

func checkColumnPath(text string) error {
	parts := strings.SplitN(text, ".", 3)
	if len(parts) != 3 || parts[0] == "" || parts[1] == "" || parts[2] == "" {
		return rowferry.Errorf(rowferry.CodeBadValue, "%q is not of the form database.table.column", text)
	}
	return nil
}

func checkOffset(text string) error {
	if n, err := strconv.ParseInt(text, 10, 64); err != nil || n == 0 {
		return rowferry.Errorf(rowferry.CodeBadValue, "an offset is an integer other than 0, not %q", text)
	}
	return nil
}

func checkWaiting(text string) error {
	if n, err := strconv.Atoi(text); err != nil || n < 1 {
		return rowferry.Errorf(rowferry.CodeBadValue, "waiting_rows is a number above 0, not %q", text)
	}
	return nil
}
