package load

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"net"
	"slices"

	"github.com/go-sql-driver/mysql"

	"github.com/rowferry/rowferry/internal/testdb"
)

// mySQL is MariaDB's too.
var mySQL = dialect{
	books: mySQLBooks, tables: mySQLTables, triggers: mySQLTriggers, cover: mySQLCover,
	ops: slices.Concat(commonOps, []op{
		{"customer insert", 6, (*writer).insertCustomer},
		{"word upsert", 6, (*writer).upsertWord},
		{"place replace", 3, (*writer).replacePlace},
		{"queue shift", 3, (*writer).shiftQueue},
		{"wide insert", 4, (*writer).insertWide},
		{"wide update", 4, (*writer).updateWide},
		{"wide delete", 1, (*writer).deleteWide},
	}),
	first: []func(*writer, context.Context) error{(*writer).insertCustomer},
	there: `SELECT COUNT(*) FROM information_schema.TABLES
		WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME = 'ledger'`,
	session: mySQLSession,
	now:     "UTC_TIMESTAMP(6)", share: "FLOOR(? * %s)", savepoint: "`sp`",
	some:    func(statement, _, which string) string { return statement + " WHERE " + which },
	bits:    func(value, _ int) any { return value },
	bind:    func(query string, args []any) (string, []any) { return query, args },
	refused: func(err error) bool { return isServerError(err, errDuplicate, errIsReferenced, errNoParent) },
	again:   func(err error) bool { return isServerError(err, errDeadlock, errLockTimeout, errChanged) },
	lost:    mySQLLost,
}

// Deadlocked reports whether a server ended a statement, and with it perhaps the
// transaction, because of another session's locks.
func Deadlocked(err error) bool {
	return isServerError(err, errDeadlock, errLockTimeout) || hasState(err, deadlockDetected, lockNotAvailable)
}

// Server errors a load meets by its nature.
const (
	errDuplicate    = 1062
	errIsReferenced = 1451
	errNoParent     = 1452
	errLockTimeout  = 1205
	errDeadlock     = 1213
	errChanged      = 1020 // MariaDB 11: the row changed since the snapshot
	errShutdown     = 1053
	errKilled       = 1927 // MariaDB
	errKilledQuery  = 1317
)

func mySQLSession(id int, o Options) []string {
	settings := []string{
		fmt.Sprintf("SET SESSION time_zone = '+00:00', innodb_lock_wait_timeout = 5, @writer = %d", id),
		"SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED",
	}
	if o.Domains > 1 && id%o.Domains > 0 {
		set := "SET SESSION gtid_next = 'AUTOMATIC:tag_%d'"
		if o.Flavor == testdb.MariaDB {
			set = "SET SESSION gtid_domain_id = %d"
		}
		settings = append(settings, fmt.Sprintf(set, id%o.Domains))
	}
	return settings
}

// mySQLLost reports whether the connection is gone, or the server is about to go.
func mySQLLost(err error) bool {
	var network net.Error
	return errors.Is(err, driver.ErrBadConn) || errors.Is(err, mysql.ErrInvalidConn) || errors.As(err, &network) ||
		isServerError(err, errShutdown, errKilled, errKilledQuery)
}

func isServerError(err error, numbers ...uint16) bool {
	var e *mysql.MySQLError
	return errors.As(err, &e) && slices.Contains(numbers, e.Number)
}
