package load

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

var postgres = dialect{
	books: postgresBooks, before: postgresTypes, tables: postgresTables, after: postgresIdentities,
	triggers: postgresTriggers, cover: postgresCover,
	ops: slices.Concat(commonOps, []op{
		{"customer insert", 6, (*writer).insertPerson},
		{"order deferred", 3, (*writer).insertItemsFirst},
		{"word upsert", 6, (*writer).insertOrUpdateWord},
		{"place replace", 3, (*writer).renewPlace},
		{"queue shift", 3, (*writer).shiftQueueTwice},
		{"wide insert", 4, (*writer).insertAssorted},
		{"wide update", 4, (*writer).updateAssorted},
		{"wide delete", 1, (*writer).deleteAssorted},
		{"paper insert", 3, (*writer).insertPaper},
		{"paper beside", 5, (*writer).updateBesidePaper},
		{"paper update", 2, (*writer).updatePaper},
		{"paper key change", 1, (*writer).changePaperKey},
		{"paper delete", 1, (*writer).deletePaper},
		{"tag insert", 3, (*writer).insertTag},
		{"tag update", 3, (*writer).updateTag},
		{"tag delete", 1, (*writer).deleteTag},
		{"album insert", 3, (*writer).insertAlbum},
		{"album rename", 2, (*writer).renameAlbum},
		{"album delete", 1, (*writer).deleteAlbum},
		{"event insert", 4, (*writer).insertEvent},
		{"event moves", 3, (*writer).moveEvent},
		{"event delete", 2, (*writer).deleteEvent},
		{"reading insert", 2, (*writer).insertReadings},
		{"reading update", 1, (*writer).updateReadings},
		{"reading delete", 1, (*writer).deleteReadings},
	}),
	first: []func(*writer, context.Context) error{(*writer).insertPerson, (*writer).insertPaper, (*writer).insertAlbum, (*writer).insertEvent},
	there: `SELECT COUNT(*) FROM pg_catalog.pg_tables WHERE schemaname = current_schema() AND tablename = 'ledger'`,
	// Writers lock each other out at times, which costs them this long.
	session: func(id int, _ Options) []string {
		return []string{fmt.Sprintf("SET load.writer = '%d'", id), "SET lock_timeout = '5s'", "SET deadlock_timeout = '50ms'"}
	},
	now: "now() AT TIME ZONE 'UTC'", share: "(?::float8 * %s)::bigint", savepoint: `"sp"`,
	some: func(statement, table, which string) string {
		return statement + " WHERE ctid IN (SELECT ctid FROM " + table + " WHERE " + which + " FOR UPDATE)"
	},
	bits:            func(value, width int) any { return fmt.Sprintf("%0*b", width, value) },
	bind:            bindPostgres,
	subtransactions: true, returning: true,
	refused: func(err error) bool { return hasState(err, uniqueViolation, foreignKeyViolation) },
	again: func(err error) bool {
		// A deferred foreign key is looked at when the transaction ends.
		return errors.Is(err, errForgotten) || hasState(err, serializationFailure, deadlockDetected, lockNotAvailable, foreignKeyViolation)
	},
	lost: postgresLost,
}

// The conditions a load meets by its nature
// (https://www.postgresql.org/docs/current/errcodes-appendix.html).
const (
	uniqueViolation      = "23505"
	serializationFailure = "40001" // the row moved to another partition
	foreignKeyViolation  = "23503"
	deadlockDetected     = "40P01"
	lockNotAvailable     = "55P03"
	tooManyConnections   = "53300"
	adminShutdown        = "57P01"
	crashShutdown        = "57P02"
	cannotConnectNow     = "57P03"
)

func hasState(err error, states ...string) bool {
	var e *pgconn.PgError
	return errors.As(err, &e) && slices.Contains(states, e.Code)
}

// postgresLost reports whether the connection is gone or cannot be had, or the
// server is about to go.
func postgresLost(err error) bool {
	var network net.Error
	var connecting *pgconn.ConnectError
	return errors.Is(err, driver.ErrBadConn) || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, sql.ErrConnDone) ||
		errors.As(err, &network) || errors.As(err, &connecting) ||
		hasState(err, adminShutdown, crashShutdown, cannotConnectNow, tooManyConnections)
}

// bindPostgres numbers the places of the arguments, and has the driver write
// them into the statement, so that text is taken for whatever a column is of.
// No statement of the load has a question mark in a literal.
func bindPostgres(query string, args []any) (string, []any) {
	var b strings.Builder
	for i, part := range strings.Split(query, "?") {
		if i > 0 {
			b.WriteString("$" + strconv.Itoa(i))
		}
		b.WriteString(part)
	}
	return b.String(), append([]any{pgx.QueryExecModeSimpleProtocol}, args...)
}
