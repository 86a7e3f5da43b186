// Package csv copies CSV files: one file a table, each read from its beginning to
// its end, and no log behind them.
//
// A Format says how the files are written. A Source finds the files and, in a file
// of CREATE TABLE statements, their tables' shapes; its Reader ends at once. What
// the fields of a row become is what the same row would be if it was read from a
// MySQL server: a field that is not of its column's type is refused by file, line
// and column, and never rounded, cut or guessed at.
package csv
