package csv

import (
	"fmt"

	"github.com/rowferry/rowferry"
)

// unclosed is the error for a quoted field at the end of the file.
func (r *reader) unclosed() error {
	if err := r.broken(); err != nil {
		return err
	}
	return r.errorf(rowferry.CodeCSVSyntax, r.fieldPlace(), "a quoted field is not closed before the file ends").
		Remedy("look", "whether the export was cut off, and whether quote and escape are those of the export")
}

// place is that of the next byte, and fieldPlace that of the open field.
func (r *reader) place() string {
	return fmt.Sprintf("%s:%d:%d", r.path, r.line, r.offset()-r.lineAt+1)
}

func (r *reader) fieldPlace() string {
	if len(r.fields) == 0 {
		return r.place()
	}
	return r.placeOf(r.fields[len(r.fields)-1])
}

func (r *reader) placeOf(f field) string { return fmt.Sprintf("%s:%d:%d", r.path, f.line, f.column) }

func (r *reader) errorf(code rowferry.Code, place, format string, args ...any) *rowferry.Error {
	return rowferry.Errorf(code, format, args...).Fact("at", "%s", place)
}

func (r *reader) unreadable(err error) error {
	return rowferry.Errorf(rowferry.CodeCSVFile, "a CSV file cannot be read: %w", err).Fact("file", "%s", r.path)
}
