package postgres

import (
	"bytes"
	"slices"

	"github.com/rowferry/rowferry"
)

// The messages of pgoutput, by their first byte; see
// https://www.postgresql.org/docs/current/protocol-logicalrep-message-formats.html
const (
	msgBegin            = 'B'
	msgCommit           = 'C'
	msgOrigin           = 'O'
	msgRelation         = 'R'
	msgType             = 'Y'
	msgInsert           = 'I'
	msgUpdate           = 'U'
	msgDelete           = 'D'
	msgTruncate         = 'T'
	msgLogical          = 'M'
	msgStreamStart      = 'S'
	msgStreamStop       = 'E'
	msgStreamCommit     = 'c'
	msgStreamAbort      = 'A'
	msgBeginPrepare     = 'b'
	msgPrepare          = 'P'
	msgCommitPrepared   = 'K'
	msgRollbackPrepared = 'r'
	msgStreamPrepare    = 'p'
)

var messageNames = map[byte]string{
	msgBegin: "Begin", msgCommit: "Commit", msgOrigin: "Origin", msgRelation: "Relation", msgType: "Type",
	msgInsert: "Insert", msgUpdate: "Update", msgDelete: "Delete", msgTruncate: "Truncate", msgLogical: "Message",
	msgStreamStart: "Stream Start", msgStreamStop: "Stream Stop", msgStreamCommit: "Stream Commit", msgStreamAbort: "Stream Abort",
	msgBeginPrepare: "Begin Prepare", msgPrepare: "Prepare", msgCommitPrepared: "Commit Prepared",
	msgRollbackPrepared: "Rollback Prepared", msgStreamPrepare: "Stream Prepare",
}

// malformed is the error of a message that is not as its kind is.
func malformed(kind byte, what string) *rowferry.Error {
	return rowferry.Errorf(rowferry.CodeCorruptLog, "the server's message %s %s", messageNames[kind], what)
}

const badLength = "has another length than its fields"

// commit is what Begin, Commit and Stream Commit say of a commit. Begin knows
// no end, and only it and Stream Commit the transaction.
type commit struct {
	xid  uint32
	lsn  lsn   // of the commit's record
	end  lsn   // behind it
	time int64 // microseconds since epoch
}

func parseBegin(b []byte) (commit, error) {
	c := cursor{b: b}
	m := commit{lsn: lsn(c.u64()), time: int64(c.u64()), xid: c.u32()}
	if !c.whole() || m.lsn == 0 {
		return m, malformed(msgBegin, badLength)
	}
	return m, nil
}

func parseCommit(kind byte, b []byte) (commit, error) {
	c := cursor{b: b}
	var m commit
	if kind == msgStreamCommit {
		m.xid = c.u32()
	}
	flags := c.u8()
	m.lsn, m.end, m.time = lsn(c.u64()), lsn(c.u64()), int64(c.u64())
	switch {
	case !c.whole():
		return m, malformed(kind, badLength)
	case flags != 0:
		return m, malformed(kind, "has flags that are not known")
	case m.end < m.lsn || m.end == 0:
		return m, malformed(kind, "ends before it begins")
	default:
		return m, nil
	}
}

// described is a table as a Relation message describes it.
type described struct {
	oid      uint32
	schema   string
	name     string
	identity byte // of the table's replica identity: d, n, f or i
	columns  []describedColumn
}

type describedColumn struct {
	key  bool // part of the replica identity
	name string
	oid  uint32 // of its type
	mod  int32  // its type's modifier, -1 for none
}

// equal reports whether two descriptions say the same.
func (d *described) equal(e *described) bool {
	return d.oid == e.oid && d.schema == e.schema && d.name == e.name && d.identity == e.identity && slices.Equal(d.columns, e.columns)
}

// minColumn is the least a column takes in a Relation message.
const minColumn = 1 + 1 + 4 + 4

func parseRelation(b []byte) (*described, error) {
	c := cursor{b: b}
	d := &described{oid: c.u32(), schema: string(c.text()), name: string(c.text()), identity: c.u8()}
	if d.schema == "" {
		d.schema = "pg_catalog"
	}
	n := c.u16()
	if n*minColumn > len(c.b) {
		return nil, malformed(msgRelation, badLength)
	}
	d.columns = make([]describedColumn, n)
	for i := range d.columns {
		flags := c.u8()
		if flags > 1 {
			return nil, malformed(msgRelation, "has flags that are not known")
		}
		d.columns[i] = describedColumn{key: flags == 1, name: string(c.text()), oid: c.u32(), mod: int32(c.u32())}
	}
	switch {
	case !c.whole():
		return nil, malformed(msgRelation, badLength)
	case bytes.IndexByte([]byte("dnfi"), d.identity) < 0:
		return nil, malformed(msgRelation, "has a replica identity that is not known")
	default:
		return d, nil
	}
}

// parseTruncate returns the tables that were truncated together. CASCADE and
// RESTART IDENTITY are of no interest: the tables it cascades to are among them,
// and a target's counters are nobody's concern before the hand-over.
func parseTruncate(b []byte) ([]uint32, error) {
	c := cursor{b: b}
	n := int(c.u32())
	if options := c.u8(); options > 3 {
		return nil, malformed(msgTruncate, "has options that are not known")
	}
	if n < 0 || n != len(c.b)/4 || len(c.b)%4 != 0 || c.failed {
		return nil, malformed(msgTruncate, badLength)
	}
	oids := make([]uint32, n)
	for i := range oids {
		oids[i] = c.u32()
	}
	return oids, nil
}

// parseStreamStart returns the transaction of which a part follows.
func parseStreamStart(b []byte) (xid uint32, first bool, err error) {
	c := cursor{b: b}
	xid, flag := c.u32(), c.u8()
	if !c.whole() || flag > 1 || xid == 0 {
		return 0, false, malformed(msgStreamStart, badLength)
	}
	return xid, flag == 1, nil
}

// parseStreamAbort returns the transaction, and which of its subtransactions
// was rolled back: itself where all of it was. Where and when is told only to
// those who asked for parallel streaming.
func parseStreamAbort(b []byte) (xid, sub uint32, err error) {
	c := cursor{b: b}
	xid, sub = c.u32(), c.u32()
	if len(c.b) == 16 {
		c.take(16)
	}
	if !c.whole() {
		return 0, 0, malformed(msgStreamAbort, badLength)
	}
	return xid, sub, nil
}

// parsePassed checks what is known and says nothing about rows.
func parsePassed(kind byte, b []byte) error {
	c := cursor{b: b}
	switch kind {
	case msgOrigin: // the commit's place and the name of where it comes from
		c.u64()
		c.text()
	case msgType: // a type's oid, schema and name
		c.u32()
		c.text()
		c.text()
	default:
		return malformed(kind, "was not looked at")
	}
	if !c.whole() {
		return malformed(kind, badLength)
	}
	return nil
}

// logical is what pg_logical_emit_message wrote: of the open transaction, or at once.
type logical struct {
	transactional   bool
	prefix, content string
}

func parseLogical(b []byte) (logical, error) {
	c := cursor{b: b}
	flags := c.u8()
	c.u64() // where it is
	m := logical{transactional: flags == 1, prefix: string(c.text())}
	content := c.take(int(c.u32()))
	if !c.whole() || flags > 1 {
		return m, malformed(msgLogical, badLength)
	}
	if m.prefix == tokenPrefix { // others' may be large
		m.content = string(content)
	}
	return m, nil
}
