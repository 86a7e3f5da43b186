package csv

import (
	"slices"
	"strings"

	"github.com/rowferry/rowferry"
)

// header returns which column each field is: as the first row says, or the table's
// columns in their order.
func (f *file) header(r *reader, first bool) ([]int, error) {
	h := heading{order: make([]int, 0, len(f.columns))}
	if !first {
		for i := range f.columns {
			h.order = append(h.order, i)
		}
		return h.order, nil
	}
	ok, err := r.next()
	if err != nil {
		return nil, f.about(err)
	}
	if !ok {
		return nil, f.about(r.errorf(rowferry.CodeCSVHeader, r.path+":1:1", "the file is empty, and its first row should have the columns' names"))
	}
	seen := make([]bool, len(f.columns))
	for _, x := range r.fields {
		name := strings.TrimSpace(string(r.text[x.start:x.end]))
		// Of one table, no two names differ in case alone
		// (https://dev.mysql.com/doc/refman/8.4/en/identifier-case-sensitivity.html).
		i := slices.IndexFunc(f.columns, func(c column) bool { return strings.EqualFold(c.Name, name) })
		switch {
		case i < 0:
			h.unknown = append(h.unknown, shorten(name))
		case seen[i]:
			h.twice = append(h.twice, shorten(name))
		default:
			seen[i] = true
			h.order = append(h.order, i)
		}
	}
	for i, c := range f.columns {
		if !seen[i] {
			h.missing = append(h.missing, c.Name)
		}
	}
	if r.count == len(f.columns) && len(h.unknown)+len(h.twice) == 0 {
		return h.order, nil
	}
	return nil, f.about(h.refuse(r, f))
}

// heading is what a header says.
type heading struct {
	order                   []int
	missing, unknown, twice []string
}

// refuse is the error for a header that is not the table's columns.
func (h *heading) refuse(r *reader, f *file) error {
	e := r.errorf(rowferry.CodeCSVHeader, r.path+":1:1", "the header is not the columns of table %s", f.shape.Name)
	for _, x := range []struct {
		what  string
		names []string
	}{{"missing", h.missing}, {"not in the table", h.unknown}, {"twice", h.twice}} {
		if len(x.names) > 0 {
			e.Fact(x.what, "%s", list(x.names))
		}
	}
	switch {
	case r.count == 1 && len(f.columns) > 1:
		e.Remedy("look", "whether the delimiter is %q", r.format.Delimiter)
	case len(h.unknown) == r.count:
		e.Remedy("if there is no header", "source: {csv: {header: false}}")
	}
	return e.Remedy("export", "every column of the table, under its name").Remedy("or change", "the CREATE TABLE statement to what the file has")
}
