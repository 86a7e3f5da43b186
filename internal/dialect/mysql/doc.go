// Package mysql understands the statements of MySQL and MariaDB as they stand
// in binlogs and schema dumps, and keeps a catalog of table shapes.
//
// A Catalog starts from known shapes (Put, LoadDump) and is brought forward by
// Apply, one logged statement at a time. Each statement goes one way:
//
//	text → tokens → its first keywords → names and clauses   (this package)
//	column and key definitions → rewritten → the SQL parser   (a library)
//	parsed definitions → a draft of the shape → schema.Table
//
// Only definitions reach the library's parser, and only after everything that
// cannot matter to a shape (defaults, expressions, comments, options,
// partitions) is left out and what the library does not know (MariaDB's types
// and attributes, most character sets) is noted and replaced. A statement that
// concerns a shape and cannot be read is an error, and the tables it names are
// forgotten: an unknown shape is found out, a wrong one is not.
package mysql
