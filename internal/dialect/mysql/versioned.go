package mysql

import (
	"slices"

	"github.com/rowferry/rowferry/schema"
)

// version gives a table system versioning (MariaDB). Without columns of its own
// for it the server adds two that it hides, but logs as the table's last.
func (d *draft) version() {
	if d.rowEnd != "" {
		return
	}
	d.rowStart, d.rowEnd, d.implicit = "row_start", "row_end", true
	at := schema.Type{Kind: schema.Timestamp, Fsp: 6}
	d.columns = append(slices.Clip(d.columns),
		schema.Column{Name: d.rowStart, Type: at, Invisible: true},
		schema.Column{Name: d.rowEnd, Type: at, Invisible: true})
}

// unversion takes system versioning from a table, and the hidden columns.
func (d *draft) unversion() {
	if d.implicit {
		d.columns = slices.DeleteFunc(slices.Clone(d.columns), func(c schema.Column) bool {
			return c.Name == d.rowStart || c.Name == d.rowEnd
		})
	}
	d.rowStart, d.rowEnd, d.implicit = "", "", false
}
