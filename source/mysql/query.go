package mysql

import (
	"github.com/go-mysql-org/go-mysql/replication"

	"github.com/rowferry/rowferry/internal/dialect/mysql"
)

// query is a QUERY_EVENT: a statement, and what its session decided about it.
type query struct {
	db     string
	text   []byte
	status []byte // variables of the session: what follows up to atomic, unread

	sqlMode uint64
	flags   uint64 // options of the session
	// Collations by number, 0 where the event does not say: of the client,
	// which the text is written in, and of the server.
	client, collation uint64
	// defaults are the collations that character sets have by default in the
	// session, where the event says so: numbers by number of the built-in one.
	defaults   map[uint64]uint64
	timestamps timestampRule

	atomic bool // it has the transaction id of an atomic DDL (MySQL)

	thread uint64 // the session's thread
}

// timestampRule is what the event says of explicit_defaults_for_timestamp.
type timestampRule uint8

const (
	timestampsUnsaid timestampRule = iota
	timestampsImplicit
	timestampsExplicit
)

// Status variables of a query event. MariaDB's own begin at 128.
const (
	statusFlags        = 0
	statusSQLMode      = 1
	statusAutoInc      = 3
	statusCharset      = 4
	statusTimeZone     = 5
	statusCatalog      = 6
	statusLCTime       = 7
	statusDBCharset    = 8
	statusMapUpdates   = 9
	statusMasterLength = 10
	statusInvoker      = 11
	statusDatabases    = 12
	statusMicroseconds = 13
	statusTimestamps   = 16
	statusXID          = 17
	statusUTF8MB4      = 18
	statusRequirePK    = 19
	statusEncryption   = 20
	statusHRNow        = 128
	statusMariaXID     = 129
	statusCollations   = 131

	tooManyDatabases = 254
	utf8mb4Default   = 45 // utf8mb4_general_ci
)

// parseQuery reads a QUERY_EVENT, or MariaDB's compressed one; see
// https://dev.mysql.com/doc/dev/mysql-server/latest/classmysql_1_1binlog_1_1event_1_1Query__event.html
func parseQuery(e *event, compressed bool) (*query, error) {
	q := &query{}
	return q, q.parse(e, compressed)
}

// parse is parseQuery into q, whose database's name is kept if it is the same.
func (q *query) parse(e *event, compressed bool) error {
	in := &input{b: e.body()}
	thread := in.uint(4)
	in.bytes(4) // duration
	dbLength := in.uint(1)
	in.uint(2) // error
	status := in.bytes(in.uint(2))
	db := in.bytes(dbLength)
	if was := q.db; string(db) == was {
		*q = query{db: was, thread: thread, status: status}
	} else {
		*q = query{db: string(db), thread: thread, status: status}
	}
	in.uint(1)
	q.text = in.rest()
	if in.err != nil {
		return e.corrupt("%v", in.err)
	}
	if compressed {
		var err error
		if q.text, err = inflateRows(q.text, maxEvent); err != nil {
			return e.corrupt("its statement cannot be decompressed: %v", err)
		}
	}
	return nil
}

// parseLoad reads the statement of an EXECUTE_LOAD_QUERY_EVENT: a query event
// with 13 bytes about the file before its variable part.
func parseLoad(e *event) (*query, error) {
	const queryFixed, loadFixed = 13, 13
	b := e.body()
	if len(b) < queryFixed+loadFixed {
		return nil, e.corrupt("%v", errShort)
	}
	plain := make([]byte, 0, len(e.raw)-loadFixed)
	plain = append(plain, e.raw[:headerSize+queryFixed]...)
	plain = append(plain, b[queryFixed+loadFixed:]...)
	return parseQuery(&event{header: e.header, raw: plain, start: e.start, end: e.end}, false)
}

// session reads the variables up to one that is not known, whose length is not
// known either. Those that matter come before all newer ones.
func (q *query) session() {
	in := &input{b: q.status}
	for in.err == nil && len(in.b) > 0 {
		switch in.uint(1) {
		case statusFlags:
			q.flags = in.uint(4)
		case statusSQLMode:
			q.sqlMode = in.uint(8)
		case statusCharset:
			q.client = in.uint(2)
			in.uint(2)
			q.collation = in.uint(2)
		case statusTimestamps:
			q.timestamps = timestampsImplicit
			if in.uint(1) != 0 {
				q.timestamps = timestampsExplicit
			}
		case statusUTF8MB4:
			q.defaults = map[uint64]uint64{utf8mb4Default: in.uint(2)}
		case statusCollations:
			q.defaults = map[uint64]uint64{}
			for range in.uint(1) {
				from := in.uint(2)
				q.defaults[from] = in.uint(2)
			}
		case statusRequirePK, statusEncryption:
			in.bytes(1)
		case statusLCTime, statusDBCharset:
			in.bytes(2)
		case statusMicroseconds, statusHRNow:
			in.bytes(3)
		case statusAutoInc, statusMasterLength:
			in.bytes(4)
		case statusXID:
			in.bytes(8)
			q.atomic = true
		case statusMapUpdates, statusMariaXID:
			in.bytes(8)
		case statusTimeZone, statusCatalog:
			in.bytes(in.uint(1))
		case statusInvoker:
			in.bytes(in.uint(1))
			in.bytes(in.uint(1))
		case statusDatabases:
			if n := in.uint(1); n != tooManyDatabases {
				for range n {
					for in.err == nil && in.uint(1) != 0 {
					}
				}
			}
		default:
			return
		}
	}
}

// mariaExplicitTimestamps is the option bit with which MariaDB says that
// explicit_defaults_for_timestamp is on; servers that do not know the bit had
// it off unless told otherwise.
const mariaExplicitTimestamps = 1 << 24

// statement prepares the query for a catalog: its text as UTF-8.
func (q *query) statement(srv server, e *event) (mysql.Statement, error) {
	q.session()
	st := mysql.Statement{
		Database: q.db, SQL: string(q.text), SQLMode: mysql.SQLMode(q.sqlMode), DDLXID: q.atomic,
		ThreadID: uint64(e.server)<<32 | q.thread, ThreadSpecific: e.flags&replication.LOG_EVENT_THREAD_SPECIFIC_F != 0,
	}
	if q.client != 0 {
		charset, _, ok := findCollation(q.client, srv)
		if !ok {
			return st, e.corrupt("its text is in collation %d, which is not known", q.client)
		}
		if c := findCharset(charset); c != nil && !c.verbatim(st.SQL) {
			text, bad := c.appendUTF8(nil, q.text)
			if bad >= 0 {
				text = q.text // as it is: only a name could make it matter
			}
			st.SQL = string(text)
		}
	}
	_, st.ServerCollation, _ = findCollation(q.collation, srv)
	for from, to := range q.defaults {
		charset, _, ok := findCollation(from, srv)
		if _, name, known := findCollation(to, srv); ok && known {
			if st.Collations == nil {
				st.Collations = map[string]string{}
			}
			st.Collations[charset] = name
		}
	}
	switch {
	case srv.mariadb:
		st.ImplicitTimestamps = q.flags&mariaExplicitTimestamps == 0
	case q.timestamps == timestampsUnsaid:
		st.ImplicitTimestamps = !srv.since(8, 0)
	default:
		st.ImplicitTimestamps = q.timestamps == timestampsImplicit
	}
	return st, nil
}
