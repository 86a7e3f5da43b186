// Package mysql reads the binlogs of MySQL and MariaDB: framing gives events,
// events are grouped into transactions, rows are decoded into changes.
//
// Files and a running server are one reader over two byte streams. A server
// sends each file of its log byte for byte (dump), so that a remoteFile reads
// like a file that lies here: finding a position, a time, a GTID or a shape is
// the same scan, with the same checks. Such a look is a dump as nobody, which
// ends where the log ends. The stream that a Reader goes on with (follower) is
// a dump as the replica that we are, which waits for more and goes on over
// rotations; the checks between one file and the next hold there too. All of it
// runs in the caller's goroutine: there is none of our own.
//
// A server is asked besides for its list of files, for what has been in its log
// ever, and for the shapes of its tables (livelook, liveshape). No connection is
// ever made again by itself: what breaks is an error of Next, and the caller
// opens the source anew from its own durable position, where everything that
// ties the position to the server is checked again.
//
// A server's tables can be copied (copy): each chunk is read over a connection of
// the protocol's text form, by one walk of the key's index (copysql), and made
// into the values that the log would tell by the log's own decoder (copyvalue).
// What a snapshot is to the log is in copyplace.
package mysql
