package mysql

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"syscall"

	"github.com/rowferry/rowferry"
	"github.com/rowferry/rowferry/internal/mysqlwire"
	"github.com/rowferry/rowferry/schema"
)

// translate turns an error of the connection into one with a code. What is already
// coded, and the context's own errors, stay as they are. Numbers are those of
// https://dev.mysql.com/doc/mysql-errors/9.7/en/server-error-reference.html and
// https://mariadb.com/kb/en/mariadb-error-code-reference/.
func (s *Sink) translate(err error) error {
	if err == nil || rowferry.CodeOf(err) != "" || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	var refused *mysqlwire.ServerError
	if !errors.As(err, &refused) {
		return s.translateBroken(err)
	}
	code, what := classify(refused)
	return rowferry.Errorf(code, what+": %w", err).Fact("server", "%s", s.options.Endpoint)
}

// classify says what a server's error means where it is not about a row.
func classify(e *mysqlwire.ServerError) (rowferry.Code, string) {
	switch e.Number {
	case 1020, 1205, 1206, 1213, 1614, 3058, 3100, 3101, 3572, 4020:
		return rowferry.CodeTargetConflict, "another transaction is in the way in the target"
	case 1223, 1290, 1792, 1836:
		return rowferry.CodeTargetReadOnly, "the target takes no writes"
	case 1040, 1047, 1053, 1129, 1152, 1158, 1159, 1160, 1161, 1184, 1203, 1226, 1317, 1927, 2006, 2013, 3024, 3169, 4031:
		return rowferry.CodeTargetAway, "the target does not answer, or let go of the connection"
	case 1044, 1045, 1095, 1130, 1131, 1132, 1133, 1142, 1143, 1227, 1251, 1370, 1410, 1419, 1524, 1698, 1820, 1862, 3118, 3159, 3878, 3955, 4151:
		return rowferry.CodeTargetDenied, "the target refuses the user, or what it is asked for"
	case 1021, 1041, 1114, 1037, 1038:
		return rowferry.CodeTargetFull, "the target has no room left"
	case 1030, 1026, 1005, 1004, 3, 1296:
		if fullText(e.Message) {
			return rowferry.CodeTargetFull, "the target has no room left"
		}
	}
	return rowferry.CodeTarget, "the target failed"
}

// fullText reports whether an error of a file names ENOSPC or EDQUOT, or
// InnoDB's own word for a full disk.
func fullText(message string) bool {
	m := strings.ToLower(message)
	for _, sign := range []string{"no space left", "errno: 28", "error 28 ", "error 122 ", "disk full", "quota exceeded", "disk is full"} {
		if strings.Contains(m, sign) {
			return true
		}
	}
	return false
}

// translateBroken is about errors that did not come from the server.
func (s *Sink) translateBroken(err error) error {
	var network net.Error
	var nonsense *mysqlwire.ProtocolError
	switch {
	case errors.As(err, &nonsense):
		return rowferry.Errorf(rowferry.CodeTarget, "the target failed: %w", err).Fact("server", "%s", s.options.Endpoint)
	case errors.Is(err, mysqlwire.ErrBroken):
		return rowferry.Errorf(rowferry.CodeTargetAway, "the target does not answer, or let go of the connection: %w", err).Fact("server", "%s", s.options.Endpoint)
	case mysqlwire.LacksTLS(err):
		return rowferry.Errorf(rowferry.CodeBadTLS, "the target offers no TLS, and going on without is not allowed").
			Fact("server", "%s", s.options.Endpoint).Remedy("without encryption", "tls: {mode: disable}")
	case mysqlwire.RefusesTLS(err):
		return rowferry.Errorf(rowferry.CodeBadTLS, "the target's TLS cannot be trusted: %w", err).Fact("server", "%s", s.options.Endpoint)
	case mysqlwire.RefusesLogin(err):
		return rowferry.Errorf(rowferry.CodeTargetDenied, "the target wants the password in a way that is not supported: %w", err).Fact("server", "%s", s.options.Endpoint)
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, net.ErrClosed), errors.As(err, &network),
		errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE), errors.Is(err, syscall.ECONNREFUSED):
		return rowferry.Errorf(rowferry.CodeTargetAway, "the target does not answer, or let go of the connection: %w", err).Fact("server", "%s", s.options.Endpoint)
	default:
		return rowferry.Errorf(rowferry.CodeTarget, "the target failed: %w", err).Fact("server", "%s", s.options.Endpoint)
	}
}

func (s *Sink) tooLarge() *rowferry.Error {
	return rowferry.Errorf(rowferry.CodeOutOfRange, "a value is larger than the target takes in one packet").
		Fact("max_allowed_packet", "%d", s.server.maxPacket).
		Remedy("allow more", "SET GLOBAL max_allowed_packet = 1073741824")
}

// refuse turns the error of a statement that wrote m into the refusal of m, or
// into a failure of the target where it was not about the row.
func (s *Sink) refuse(err error, t *target, m *rowferry.Mutation) error {
	var refused *mysqlwire.ServerError
	if !errors.As(err, &refused) {
		return s.translate(err)
	}
	var e *rowferry.Error
	switch refused.Number {
	case 1022, 1062, 1169, 1586, 1859:
		e = rowferry.Errorf(rowferry.CodeForeignRow, "an %s met a row that already has its key", m.Op).Fact("constraint", "%s", keyOf(refused.Message))
	case 1048, 1216, 1217, 1265, 1292, 1300, 1364, 1366, 1411, 1451, 1452, 1557, 1644, 1761, 1762, 3140, 3141, 3156, 3157, 3819, 3854, 3903, 4025, 1906, 6575:
		e = rowferry.Errorf(rowferry.CodeRowRefused, "the target refused the %s of a row", m.Op).Fact("reason", "%s", refused.Message)
	case 1264, 1367, 1406, 1690, 3150, 3669:
		e = rowferry.Errorf(rowferry.CodeOutOfRange, "a value does not fit its column in the target").Fact("reason", "%s", refused.Message)
	case 1118, 1197, 1301, 1153, 1105:
		if refused.Number == 1105 && !strings.Contains(refused.Message, "max_long_data_size") && !strings.Contains(refused.Message, "max_allowed_packet") {
			return s.translate(err)
		}
		e = s.tooLarge().Fact("reason", "%s", refused.Message)
	default:
		return s.translate(err)
	}
	e.Err = err
	return t.About(e, m)
}

// keyOf returns the name of the key that a duplicate-entry message ends with.
func keyOf(message string) string {
	if i := strings.LastIndex(message, " for key "); i >= 0 {
		return strings.Trim(message[i+len(" for key "):], "'")
	}
	return message
}

// differs turns the error of a statement that makes or changes t's table into
// one that names it.
func (s *Sink) differs(err error, t *schema.Table) error {
	var refused *mysqlwire.ServerError
	if !errors.As(err, &refused) {
		return s.translate(err)
	}
	var e *rowferry.Error
	switch code, what := classify(refused); {
	case code != rowferry.CodeTarget:
		e = rowferry.Errorf(code, "%s", what)
	case refused.Number == 1059, refused.Number == 1102, refused.Number == 1103, refused.Number == 1166,
		strings.Contains(strings.ToLower(refused.Message), "name too long"):
		e = rowferry.Errorf(rowferry.CodeNameRefused, "the target cannot have a table with these names")
	default:
		e = rowferry.Errorf(rowferry.CodeTableDiffers, "the target cannot have a table of this shape")
	}
	e.Err = err
	return e.Fact("table", "%s", t.Name).Fact("reason", "%s", fmt.Sprint(refused))
}
