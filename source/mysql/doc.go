// Package mysql reads the binlogs of MySQL and MariaDB. Files and (later) a live
// connection are one reader over two byte streams: framing gives events, events
// are grouped into transactions, rows are decoded into changes.
package mysql
