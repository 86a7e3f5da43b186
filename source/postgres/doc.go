// Package postgres reads the changes of a PostgreSQL database from its
// write-ahead log, through logical decoding and the output plugin pgoutput.
//
// The server's own slot says what it still has; a position is the LSN of a
// commit's end. The way of a row: frames of the replication connection
// (frame.go), messages of pgoutput (message.go), rows (row.go), transactions
// (reader.go), of which those that the server streams before they are committed
// are put aside (stream.go). A goroutine beside them tells the server how far
// everything is durable (feedback.go).
package postgres
