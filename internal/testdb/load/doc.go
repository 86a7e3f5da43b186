// Package load puts a heavy, seeded load on a MySQL, MariaDB or PostgreSQL
// server: several writers at full speed over fifteen tables, on PostgreSQL
// twenty-two, with all that makes replication hard. Run creates what it needs; Start does it while the test does other
// things. WatchLedger counts what arrives in a target.
//
// Three tables are the load's own books, replicated like any other:
//
//	ledger(writer, n)                    every committed transaction of a writer
//	                                     inserts the next n: 1, 2, 3, … with no hole
//	digests(writer, tbl, cnt, digest)    kept by triggers: the rows of a table as
//	                                     changed by a writer: their number, and the
//	                                     sum of their checksums
//	digest_columns(tbl, pos, col, fsp)   which columns a checksum covers, in order;
//	                                     how many digits of a second a time has,
//	                                     NULL for what is no time. On PostgreSQL
//	                                     also hash, the checksum: md5
//
// Summed over the writers, digests tell what the rows of every table must be at
// any committed state, so a target can be checked without the source. The books
// themselves have no digest.
//
// A row's checksum is the CRC32 of one text per column: "~|" for NULL, otherwise
// "=", the value, "|". Integers, BIT and YEAR are decimal text; text, ENUM, SET
// are UTF-8; bytes are upper-case hexadecimal; decimals, dates and times are as
// the server prints them in UTC. JSON, FLOAT and DOUBLE are left out, so every
// update also raises a column ver.
//
// On PostgreSQL the checksum is the first four bytes of the MD5 of that text, as
// a number; true is 1 and false 0, every time has six digits of a second, and
// what else there is, JSON and arrays too, is as the server prints it.
//
// Writer 0 lays the first rows; the others are 1, 2, 3, … A seed makes each
// writer's choices the same again; how writers interleave is up to the server.
package load
