package mysql

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"strings"

	gomysql "github.com/go-mysql-org/go-mysql/mysql"

	"github.com/rowferry/rowferry"
	"github.com/rowferry/rowferry/internal/mysqlwire"
)

// translate turns an error of the connection or the server into ours. If ctx
// has ended, that is the error.
//
//	refusals of the login or of a privilege    CodeSourceDenied
//	TLS that cannot be had or trusted          CodeBadTLS
//	what the server says of its log            see logError
//	settings without which there is no log     CodeSourceUnfit
//	anything else                              CodeSourceAway: it may pass
//
// What the network says is told and not wrapped: its io.EOF and its timeouts
// would pass for the end of the log and for those of a context.
func translate(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if rowferry.CodeOf(err) != "" {
		return err
	}
	var server *gomysql.MyError
	var wire *mysqlwire.ServerError
	switch {
	case errors.As(err, &wire):
		return serverError(&gomysql.MyError{Code: wire.Number, State: wire.State, Message: wire.Message})
	case errors.As(err, &server):
		return serverError(server)
	case mysqlwire.RefusesTLS(err):
		return rowferry.Errorf(rowferry.CodeBadTLS, "the source cannot be reached over TLS: %v", mysqlwire.Root(err))
	case mysqlwire.RefusesLogin(err):
		return rowferry.Errorf(rowferry.CodeSourceDenied, "the source cannot be logged in to: %v", mysqlwire.Root(err))
	case timedOut(err):
		return rowferry.Errorf(rowferry.CodeSourceAway, "the source does not answer in time: %v", mysqlwire.Root(err))
	default:
		return rowferry.Errorf(rowferry.CodeSourceAway, "the connection to the source is broken: %v", mysqlwire.Root(err))
	}
}

func timedOut(err error) bool {
	var n net.Error
	return errors.As(err, &n) && n.Timeout()
}

// Errors of servers that the library has no name for.
const (
	erAccessDeniedNoPassword = 1698
	erMustChangePassword     = 1820
	erPasswordExpired        = 1862
	erAccountLocked          = 3118
	erMariaAccountLocked     = 4151
	erSecureTransport        = 3159
	erFatalReadingBinlog     = 1236
	erMariaKilled            = 1927
	erMariaSameReplica       = 4052
	erKilled                 = 3169
	erDisconnected           = 4031
)

// serverError translates what the server says.
func serverError(e *gomysql.MyError) error {
	wrap := func(code rowferry.Code, what string) error {
		return rowferry.Errorf(code, "%s: %w", what, e).Fact("server says", "%s (%d)", e.Message, e.Code)
	}
	switch e.Code {
	case erFatalReadingBinlog, erMariaSameReplica:
		return logError(e)
	case gomysql.ER_ACCESS_DENIED_ERROR, gomysql.ER_DBACCESS_DENIED_ERROR, erAccessDeniedNoPassword,
		gomysql.ER_SPECIFIC_ACCESS_DENIED_ERROR, gomysql.ER_TABLEACCESS_DENIED_ERROR, gomysql.ER_COLUMNACCESS_DENIED_ERROR,
		gomysql.ER_HOST_NOT_PRIVILEGED, gomysql.ER_NOT_SUPPORTED_AUTH_MODE, gomysql.ER_PLUGIN_IS_NOT_LOADED,
		erMustChangePassword, erPasswordExpired, erAccountLocked, erMariaAccountLocked, erSecureTransport:
		return wrap(rowferry.CodeSourceDenied, "the source refuses")
	case gomysql.ER_NO_BINARY_LOGGING:
		return wrap(rowferry.CodeSourceUnfit, "the source keeps no log")
	default:
		return wrap(rowferry.CodeSourceAway, "the source fails")
	}
}

// logError tells apart what the server says, under one number, of a log that
// it will not send or go on sending. The texts are those of MySQL 5.7 to 9.7
// and MariaDB 10.2 to 11.8.
func logError(e *gomysql.MyError) error {
	says := strings.ToLower(e.Message)
	has := func(parts ...string) bool {
		for _, p := range parts {
			if strings.Contains(says, p) {
				return true
			}
		}
		return false
	}
	wrap := func(code rowferry.Code, what string) *rowferry.Error {
		return rowferry.Errorf(code, "%s: %w", what, e).Fact("server says", "%s (%d)", e.Message, e.Code)
	}
	switch {
	case has("same server_uuid", "same server_id", "server_uuid/server_id"):
		return wrap(rowferry.CodeServerIDTaken, "another replica connected with our server id, and the source broke our connection off")
	case has("could not find first log", "could not find next log", "purged required binary logs", "purged binary logs", "file is not found", "could not open log file"):
		return wrap(rowferry.CodeLogMissing, "the source no longer has the log that is needed")
	case has("impossible position", "position > file size", "not in the master's binlog", "position > 4", "after the last event"):
		return wrap(rowferry.CodePositionOutside, "the position is not in the source's log")
	case has("max_allowed_packet"):
		return wrap(rowferry.CodeEventTooLarge, "the source cannot send an event")
	case has("i/o error reading log event"):
		// As when the log was reset below the reader, which opening it anew tells.
		return wrap(rowferry.CodeSourceAway, "the source cannot read its own log at present")
	case has("did not pass crc", "bogus data", "corrupt", "checksum"):
		return wrap(rowferry.CodeCorruptLog, "the source cannot read its own log")
	case has("binary log is not open"):
		return wrap(rowferry.CodeSourceUnfit, "the source keeps no log")
	default:
		return wrap(rowferry.CodeLogUnreadable, "the source cannot send its log")
	}
}

// parseServerError reads an error packet.
func parseServerError(b []byte) error {
	if len(b) < 3 {
		return fmt.Errorf("an error of %d bytes", len(b))
	}
	e := &gomysql.MyError{Code: binary.LittleEndian.Uint16(b[1:]), Message: string(b[3:])}
	if len(b) >= 9 && b[3] == '#' {
		e.State, e.Message = string(b[4:9]), string(b[9:])
	}
	return e
}

// saidByServer reports whether the server answered, if only with an error that
// is not about the connection or the login.
func saidByServer(err error) bool {
	var e *gomysql.MyError
	if !errors.As(err, &e) {
		return false
	}
	switch e.Code {
	case gomysql.ER_SERVER_SHUTDOWN, gomysql.ER_QUERY_INTERRUPTED, erMariaKilled, erKilled, erDisconnected, gomysql.ER_LOCK_WAIT_TIMEOUT:
		return false
	default:
		return true
	}
}
