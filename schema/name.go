package schema

import "cmp"

// Name is a table's qualified name. Schema is the MySQL database or the
// PostgreSQL schema; it is empty in an engine without namespaces (SQLite).
type Name struct {
	Schema string `json:"schema"`
	Table  string `json:"table"`
}

// String returns "schema.table", or "table" where there is no namespace.
// It is for people and for map keys, never for SQL: sinks quote names.
func (n Name) String() string {
	if n.Schema == "" {
		return n.Table
	}
	return n.Schema + "." + n.Table
}

// Compare orders names by schema, then by table.
func (n Name) Compare(o Name) int {
	return cmp.Or(cmp.Compare(n.Schema, o.Schema), cmp.Compare(n.Table, o.Table))
}
