package mysql

import (
	"github.com/rowferry/rowferry/schema"
)

// Flavor is which family of servers wrote a statement.
type Flavor uint8

// The flavors. Percona Server counts as MySQL.
const (
	MySQL Flavor = iota
	MariaDB
)

// SQLMode is the session's sql_mode as the query event has it (status variable
// 1). Other bits than these do not change how a statement is read.
type SQLMode uint64

// The modes that matter.
const (
	RealAsFloat        SQLMode = 1 << 0
	ANSIQuotes         SQLMode = 1 << 2
	Oracle             SQLMode = 1 << 9  // MariaDB
	MaxDB              SQLMode = 1 << 12 // MariaDB
	NoBackslashEscapes SQLMode = 1 << 20
	strictTrans        SQLMode = 1 << 21
	strictAll          SQLMode = 1 << 22
)

// Statement is one statement of the log with what its session decided.
type Statement struct {
	Database string // the default database
	SQL      string // as UTF-8: the caller converts it from the session's character set
	SQLMode  SQLMode
	// ImplicitTimestamps is set where explicit_defaults_for_timestamp was off:
	// TIMESTAMP columns are then NOT NULL unless they say NULL.
	ImplicitTimestamps bool
	// DDLXID is set where the query event has the transaction id of an atomic
	// DDL (status variable 17, MySQL 8.0 and newer). There, a CREATE TABLE IF NOT
	// EXISTS without it found the table in place, whatever its shape.
	DDLXID bool
	// ThreadID is the session's: the id of its server, and in the low 32 bits that
	// of its thread. ThreadSpecific is set where the event's header has
	// LOG_EVENT_THREAD_SPECIFIC_F: the session has used a temporary table.
	ThreadID       uint64
	ThreadSpecific bool
	// ServerCollation is the session's collation_server: what CREATE DATABASE
	// takes where it names none. Empty: not known.
	ServerCollation string
	// Collations are the session's default collations of character sets, where
	// they are not the built-in ones: MySQL's default_collation_for_utf8mb4
	// under "utf8mb4", MariaDB's character_set_collations.
	Collations map[string]string
}

// EffectKind is what a statement did.
type EffectKind uint8

// The kinds. Table, Before and After are as said; what is not said is zero.
const (
	Unknown         EffectKind = iota // the first keywords mean nothing to this program; Detail has them
	Nothing                           // no table's shape or rows: GRANT, CREATE VIEW, temporary tables …
	Created                           // Table is new with shape After, or replaces Before; After is nil if the statement does not say the shape. Detail: "sequence", "if not exists", "replace", "select"
	Altered                           // Before to After, the same pointer if nothing Rowferry carries changed. After nil: the shape is not known from here on, Detail says why
	Dropped                           // Table is gone; Before, if known
	Renamed                           // Table is now called To; Before and After, if known
	Truncated                         // every row of Table is gone
	RowsChanged                       // rows changed by a statement as text. Table is empty if it cannot be told which; Detail is the verb
	Unsupported                       // Table's rows change in a way that the log does not carry (partitions, tablespaces); Detail says how
	DatabaseDropped                   // Table.Schema is gone, with all its tables (each known one has its own Dropped before)
	Begin
	Commit
	Rollback
	Savepoint        // Detail is its name
	RollbackTo       // Detail is the savepoint's name
	ReleaseSavepoint // Detail is its name
	XA               // Detail is the verb: START, END, PREPARE, COMMIT, ROLLBACK
)

var effectNames = [...]string{
	Unknown: "unknown", Nothing: "nothing", Created: "created", Altered: "altered", Dropped: "dropped",
	Renamed: "renamed", Truncated: "truncated", RowsChanged: "rows changed", Unsupported: "unsupported",
	DatabaseDropped: "database dropped", Begin: "begin", Commit: "commit", Rollback: "rollback",
	Savepoint: "savepoint", RollbackTo: "rollback to savepoint", ReleaseSavepoint: "release savepoint", XA: "xa",
}

// String returns the kind's name for people.
func (k EffectKind) String() string {
	if int(k) < len(effectNames) {
		return effectNames[k]
	}
	return "effect?"
}

// Effect is one thing a statement did. A statement has at least one.
type Effect struct {
	Kind   EffectKind
	Table  schema.Name
	To     schema.Name // Renamed: the new name
	Before *schema.Table
	After  *schema.Table
	Detail string
	// Rewrites says for people what an alteration did that Before and After do
	// not show: to rows that were there already, or, where the keys of Before
	// are not known, to keys.
	Rewrites []string
	// Unsure is set where the effect would be another one, or none, if more were
	// known of what the log said before.
	Unsure bool
}

// Details of Created effects.
const (
	DetailSequence    = "sequence"      // MariaDB's: a table of one row that is logged as inserts
	DetailIfNotExists = "if not exists" // the table may have been there already: then After is another's. MySQL 8.0 and newer: it was, After is nil
	DetailReplace     = "replace"       // CREATE OR REPLACE: a table of that name, if there was one, is gone
	DetailSelect      = "select"        // CREATE … SELECT as text: the shape comes from a query
)
