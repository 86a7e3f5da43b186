package rowferry

// Position is a place in a source's log between two transactions. It is
// opaque outside its source, which prints and parses it; two positions are
// the same if and only if their texts are. The empty Position is no position.
//
// MySQL and MariaDB files: a GTID set where transactions have GTIDs
// ("3e11fa47-…:1-5", "0-1-100"), else "mysql-bin.000042:1337". PostgreSQL: the
// LSN of a commit's end ("16/B374D848").
type Position string
