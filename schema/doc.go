// Package schema describes tables as Rowferry sees them: names, columns,
// logical types, keys and foreign keys, and how a logical type is spelled in
// each target engine. It is a leaf: it imports only the standard library and
// knows no driver.
//
// A *Table is one version of a table's shape. It is immutable once published:
// a source that learns a new shape publishes a new *Table, so pointer equality
// means "the same version" and every goroutine may read it freely.
package schema
