package postgres

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/rowferry/rowferry"
	dialect "github.com/rowferry/rowferry/internal/dialect/postgres"
	"github.com/rowferry/rowferry/internal/sqlsink"
)

// translate turns an error of the driver into one with a code. What is already
// coded stays as it is, and so does the end of the caller's own context.
func (s *Sink) translate(ctx context.Context, err error) error {
	if err == nil || rowferry.CodeOf(err) != "" {
		return err
	}
	if cause := ctx.Err(); cause != nil {
		return cause
	}
	if coded := translateDialect(err); coded != nil {
		return coded
	}
	var server *pgconn.PgError
	if errors.As(err, &server) {
		return s.serverError(server, err)
	}
	if dialect.RefusesTLS(err) {
		return s.located(rowferry.Errorf(rowferry.CodeBadTLS, "no encrypted connection to the target that can be trusted: %w", err))
	}
	if strings.Contains(err.Error(), "require_auth check failed") {
		return s.located(rowferry.Errorf(rowferry.CodeTargetDenied, "the target asks for the password in plain, and the connection is not encrypted: %w", err))
	}
	return s.located(rowferry.Errorf(rowferry.CodeTargetAway, "the target does not answer: %w", err))
}

func (s *Sink) located(e *rowferry.Error) *rowferry.Error {
	return e.Fact("target", "%s", s.options.Endpoint)
}

// translateDialect gives the dialect's own errors their codes.
func translateDialect(err error) *rowferry.Error {
	var name *dialect.NameError
	var typ *dialect.TypeError
	var cascade *dialect.CascadeError
	switch {
	case errors.As(err, &name):
		return rowferry.Errorf(rowferry.CodeNameRefused, "PostgreSQL cannot have this name: %w", err).
			Fact("table", "%s", name.Table).Fact(name.What, "%s", sqlsink.Shorten(name.Name)).
			Remedy("another name", "entities: {db.table: {to: other}}")
	case errors.As(err, &typ):
		return rowferry.Errorf(rowferry.CodeTypeRefused, "a column's type cannot be carried to PostgreSQL: %w", err).
			Fact("table", "%s", typ.Table).Fact("column", "%s", typ.Column)
	case errors.As(err, &cascade):
		e, ok := sqlsink.ActionError(cascade.Table, cascade.Key, "a foreign key that changes rows by itself cannot be carried to PostgreSQL").(*rowferry.Error)
		if !ok {
			return nil
		}
		return e.Fact("why", "%s", cascade.Reason)
	default:
		return nil
	}
}

// serverError gives an error of the server its code by its SQLSTATE
// (https://www.postgresql.org/docs/15/errcodes-appendix.html). An error about a
// row is one of Write: see refuse.
func (s *Sink) serverError(server *pgconn.PgError, err error) error {
	code, what := classify(server)
	s.demoted = s.demoted || code == rowferry.CodeTargetReadOnly
	s.hindered = s.hindered || server.Code == "55P03" // lock_not_available
	e := rowferry.Errorf(code, "%s: %s", what, server.Message)
	e.Err = err
	e.Fact("SQLSTATE", "%s", server.Code)
	for _, f := range []rowferry.Fact{{Name: "detail", Value: server.Detail}, {Name: "hint", Value: server.Hint}, {Name: "constraint", Value: constraintOf(server)}} {
		if f.Value != "" {
			e.Fact(f.Name, "%s", sqlsink.Shorten(f.Value))
		}
	}
	if at := s.options.Endpoint; server.Code == "42501" && strings.Contains(server.Message, "for database") && at.Database != "" {
		e.Remedy("grant", "GRANT CONNECT ON DATABASE %s TO %s", dialect.Quote(at.Database), dialect.Quote(at.User))
	}
	return s.located(e)
}

// classify returns the code of a server's error and the sentence before its
// own words.
func classify(server *pgconn.PgError) (rowferry.Code, string) {
	if code, what, ok := classifyExactly(server.Code); ok {
		return code, what
	}
	switch server.Code[:min(2, len(server.Code))] {
	case "08":
		return rowferry.CodeTargetAway, "the connection to the target failed"
	case "22":
		return rowferry.CodeOutOfRange, "the target cannot hold a value"
	case "23", "44":
		return rowferry.CodeRowRefused, "the target refused a row"
	case "28":
		return rowferry.CodeTargetDenied, "the target refuses the login"
	case "40":
		return rowferry.CodeTargetConflict, "another session of the target was in the way"
	case "53":
		return rowferry.CodeTargetAway, "the target is short of resources"
	case "54":
		return rowferry.CodeOutOfRange, "a row is beyond the target's limits"
	case "57":
		return rowferry.CodeTargetAway, "the target ended the session or the statement"
	case "58":
		return rowferry.CodeTargetAway, "the target's operating system failed it"
	default:
		return rowferry.CodeTarget, "the target failed"
	}
}

// classifyExactly knows the states that mean something else than their class.
func classifyExactly(state string) (rowferry.Code, string, bool) {
	switch state {
	case "08P01": // protocol_violation: a proxy that does not know the session's settings
		return rowferry.CodeTargetUnfit, "what answers in the target's place does not keep a session's settings", true
	case "25006": // read_only_sql_transaction
		return rowferry.CodeTargetReadOnly, "the target takes no writes", true
	case "55006", "55P03": // object_in_use, lock_not_available
		return rowferry.CodeTargetConflict, "another session of the target was in the way", true
	case "25P03": // idle_in_transaction_session_timeout
		return rowferry.CodeTargetAway, "the target ended a transaction that stood still", true
	case "53100", "53200": // disk_full, out_of_memory
		return rowferry.CodeTargetFull, "the target has no room left", true
	case "42501": // insufficient_privilege
		return rowferry.CodeTargetDenied, "the target refuses the request", true
	case "3D000": // invalid_catalog_name
		return rowferry.CodeTargetDenied, "the target has no such database", true
	case "22021", "22P05", "22P02", "22P03", "2200M", "22030", "22032":
		// A character or a text that the column's type or the database's
		// encoding does not have.
		return rowferry.CodeRowRefused, "the target refused a value", true
	case "23505": // unique_violation, outside a row: two that make one thing
		return rowferry.CodeTargetConflict, "another session of the target made the same", true
	case "42P01", "42703", "42804", "42830", "42P16":
		// undefined_table, undefined_column, datatype_mismatch,
		// invalid_foreign_key, invalid_table_definition
		return rowferry.CodeTableDiffers, "a target table is not as it was looked at", true
	case "42939": // reserved_name
		return rowferry.CodeNameRefused, "PostgreSQL keeps the name for itself", true
	case "42P07", "42710", "42P06": // duplicate table, object, schema
		return rowferry.CodeTargetConflict, "something of this name was made meanwhile", true
	case "57P05": // idle_session_timeout
		return rowferry.CodeTargetAway, "the target ended an idle session", true
	default:
		return "", "", false
	}
}

// refuse turns the error of a statement that wrote m into the refusal of m, or
// into a failure of the target where it was not about the row.
func (s *Sink) refuse(ctx context.Context, err error, t *target, m *rowferry.Mutation) error {
	var server *pgconn.PgError
	if !errors.As(err, &server) || rowferry.CodeOf(err) != "" {
		return s.translate(ctx, err)
	}
	var e *rowferry.Error
	switch code, what := classify(server); {
	case server.Code == "23505", server.Code == "23P01": // unique, exclusion
		e = rowferry.Errorf(rowferry.CodeForeignRow, "an %s met a row that already has its key", m.Op)
	case server.Code == "428C9": // generated_always
		e = rowferry.Errorf(rowferry.CodeRowRefused, "the %s changes a column that the target generates ALWAYS", m.Op)
	case code == rowferry.CodeRowRefused, code == rowferry.CodeOutOfRange:
		e = rowferry.Errorf(code, "%s: %s", what, server.Message)
	case server.Code == "P0001": // raise_exception of a trigger
		e = rowferry.Errorf(rowferry.CodeRowRefused, "a trigger of the target refused the %s of a row: %s", m.Op, server.Message)
	default:
		return s.translate(ctx, err)
	}
	e.Err = err
	return describe(t.About(e, m), server)
}

// describe adds what the server says of a refused row.
func describe(e *rowferry.Error, server *pgconn.PgError) *rowferry.Error {
	if c := constraintOf(server); c != "" {
		e.Fact("constraint", "%s", c)
	}
	if server.ColumnName != "" {
		e.Fact("column", "%s", server.ColumnName)
	}
	if server.Detail != "" {
		e.Fact("detail", "%s", sqlsink.Shorten(server.Detail))
	}
	return e.Fact("SQLSTATE", "%s", server.Code)
}

func constraintOf(server *pgconn.PgError) string {
	switch {
	case server.ConstraintName == "":
		return ""
	case server.TableName == "":
		return server.ConstraintName
	default:
		return fmt.Sprintf("%s of %s.%s", server.ConstraintName, server.SchemaName, server.TableName)
	}
}
