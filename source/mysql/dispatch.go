package mysql

import (
	"context"

	"github.com/go-mysql-org/go-mysql/replication"

	"github.com/rowferry/rowferry"
)

// known refuses events that this program does not know. What each of the
// known ones does:
//
//	FORMAT_DESCRIPTION             a new file: table numbers start anew, transactions must be closed
//	PREVIOUS_GTIDS, GTID_LIST      what precedes the file; read with its head
//	ROTATE, STOP                   end of a file
//	GTID, GTID_TAGGED,             begin a transaction (group.go)
//	ANONYMOUS_GTID, MariaDB's GTID
//	QUERY, QUERY_COMPRESSED        BEGIN, COMMIT, ROLLBACK, savepoints, XA (group.go); else the
//	                               catalog says what the statement did (statement.go)
//	XID, XA_PREPARE                end a transaction
//	TABLE_MAP                      which table a number is until the file ends (tables.go)
//	WRITE, UPDATE, DELETE_ROWS     rows, versions 1 and 2, compressed or not (tables.go)
//	PARTIAL_UPDATE_ROWS            refused if the table is in scope
//	*_ROWS version 0               refused: servers before 5.1.18
//	TRANSACTION_PAYLOAD            never seen here: its events come as if they stood in the file
//	INTVAR, RAND, USER_VAR         belong to a statement that follows: harmless by themselves
//	BEGIN_LOAD_QUERY,              blocks of a file for LOAD DATA as a statement: harmless by
//	APPEND_BLOCK, DELETE_FILE      themselves
//	EXECUTE_LOAD_QUERY             the statement LOAD DATA
//	LOAD, CREATE_FILE, EXEC_LOAD,  LOAD DATA of servers before 5.0.3: refused
//	NEW_LOAD
//	ROWS_QUERY, ANNOTATE_ROWS      the statement behind rows, for people
//	BINLOG_CHECKPOINT, HEARTBEAT,  the server's own housekeeping
//	TRANSACTION_CONTEXT,
//	VIEW_CHANGE, IGNORABLE
//	START_ENCRYPTION               refused in files: what follows is encrypted; a server has decrypted it
//	INCIDENT                       refused: the server lost changes
//
// Any other event is refused, unless the server marked it as one that may be
// ignored.
func (r *reader) known(e *event) error {
	switch e.typ {
	case replication.FORMAT_DESCRIPTION_EVENT:
		// A file that ends inside a transaction is what group says next, and
		// the reason for what the heads would say.
		if e.start.file > r.progress.file && !r.group.open {
			if err := r.progress.head(e.start, r.events.head()); err != nil {
				return err
			}
		}
		r.tables.file(r.events.head(), e.start.file > r.from.file || r.from.off <= e.end.off)
		return nil
	case replication.PREVIOUS_GTIDS_EVENT, replication.MARIADB_GTID_LIST_EVENT,
		replication.ROTATE_EVENT, replication.STOP_EVENT,
		replication.GTID_EVENT, replication.GTID_TAGGED_LOG_EVENT, replication.ANONYMOUS_GTID_EVENT, replication.MARIADB_GTID_EVENT,
		replication.QUERY_EVENT, replication.MARIADB_QUERY_COMPRESSED_EVENT,
		replication.XID_EVENT, replication.XA_PREPARE_LOG_EVENT,
		replication.TABLE_MAP_EVENT,
		replication.WRITE_ROWS_EVENTv1, replication.UPDATE_ROWS_EVENTv1, replication.DELETE_ROWS_EVENTv1,
		replication.WRITE_ROWS_EVENTv2, replication.UPDATE_ROWS_EVENTv2, replication.DELETE_ROWS_EVENTv2,
		replication.MARIADB_WRITE_ROWS_COMPRESSED_EVENT_V1, replication.MARIADB_UPDATE_ROWS_COMPRESSED_EVENT_V1,
		replication.MARIADB_DELETE_ROWS_COMPRESSED_EVENT_V1, replication.PARTIAL_UPDATE_ROWS_EVENT,
		replication.INTVAR_EVENT, replication.RAND_EVENT, replication.USER_VAR_EVENT,
		replication.BEGIN_LOAD_QUERY_EVENT, replication.APPEND_BLOCK_EVENT, replication.DELETE_FILE_EVENT,
		replication.EXECUTE_LOAD_QUERY_EVENT,
		replication.ROWS_QUERY_EVENT, replication.MARIADB_ANNOTATE_ROWS_EVENT,
		replication.MARIADB_BINLOG_CHECKPOINT_EVENT, replication.HEARTBEAT_EVENT, replication.HEARTBEAT_LOG_EVENT_V2,
		replication.TRANSACTION_CONTEXT_EVENT, replication.VIEW_CHANGE_EVENT, replication.IGNORABLE_EVENT:
		return nil
	case replication.LOAD_EVENT, replication.CREATE_FILE_EVENT, replication.EXEC_LOAD_EVENT, replication.NEW_LOAD_EVENT:
		return rowferry.Errorf(rowferry.CodeStatementLog, "LOAD DATA was logged as a statement by a server before 5.0.3").
			Fact("event", "%s", typeName(e.typ)).Fact("at", "%s", e.start)
	case replication.WRITE_ROWS_EVENTv0, replication.UPDATE_ROWS_EVENTv0, replication.DELETE_ROWS_EVENTv0:
		return rowferry.Errorf(rowferry.CodeUnknownEvent, "rows are in the format of a server before 5.1.18").
			Fact("event", "%s", typeName(e.typ)).Fact("at", "%s", e.start)
	case replication.MARIADB_START_ENCRYPTION_EVENT:
		if r.src.live != nil {
			return nil
		}
		return encrypted(r.src.files[e.start.file])
	case replication.INCIDENT_EVENT:
		return rowferry.Errorf(rowferry.CodeIncident, "the server says that changes are missing from its log").Fact("at", "%s", e.start)
	default:
		if e.flags&replication.LOG_EVENT_IGNORABLE_F != 0 {
			return nil
		}
		return rowferry.Errorf(rowferry.CodeUnknownEvent, "an event of type %d is not known", uint8(e.typ)).Fact("at", "%s", e.start)
	}
}

// handle takes what an event says of rows, shapes and savepoints. Where a
// transaction begins and ends was settled before.
func (r *reader) handle(ctx context.Context, e *event, q *query, v verb, rest string) error {
	switch e.typ {
	case replication.QUERY_EVENT, replication.MARIADB_QUERY_COMPRESSED_EVENT:
		return r.statement(ctx, e, q, v, rest)
	case replication.EXECUTE_LOAD_QUERY_EVENT:
		q, err := parseLoad(e)
		if err != nil {
			return err
		}
		return r.statement(ctx, e, q, verbOther, "")
	case replication.TABLE_MAP_EVENT:
		return r.tables.mapped(e)
	default:
		if kind, compressed := rowsKind(e.typ); kind != 0 {
			return r.rows(ctx, e, kind, compressed)
		}
		return nil
	}
}

// rows takes a rows event. The tables of others are not decoded, but sum up.
func (r *reader) rows(ctx context.Context, e *event, kind byte, compressed bool) error {
	h, err := parseRowsHead(e, r.events.head())
	if err != nil {
		return err
	}
	m := r.tables.byNumber[h.table]
	if m == nil {
		if h.table == noTable && len(h.rows) == 0 {
			return nil
		}
		return e.corrupt("it is about table number %d, which no table map names", h.table)
	}
	rows := h.rows
	if compressed {
		if rows, err = inflateRows(rows, int(r.src.maxEvent)); err != nil {
			return err
		}
	}
	r.tx.digest.rows(kind, m.name.Schema, m.name.Table, h.fixed, rows)
	if r.tx.skip || !m.scope {
		return nil
	}
	return r.decode(ctx, m, e, &h, rows)
}

// noTable is the table number of a rows event that only ends a statement.
const noTable = 0xffffff
