package postgres

import (
	"context"
	"errors"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/rowferry/rowferry"
	"github.com/rowferry/rowferry/internal/connect"
	dialect "github.com/rowferry/rowferry/internal/dialect/postgres"
)

// translate turns an error of the driver or the server into ours. If ctx has
// ended, that is the error. What the network says is told and not wrapped: its
// io.EOF would pass for the end of the log.
func translate(ctx context.Context, e connect.Endpoint, err error) error {
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return ctx.Err()
	case rowferry.CodeOf(err) != "":
		return err
	}
	var server *pgconn.PgError
	var coded *rowferry.Error
	switch {
	case errors.As(err, &server):
		coded = serverError(e, server)
	case dialect.RefusesTLS(err):
		coded = rowferry.Errorf(rowferry.CodeBadTLS, "the source cannot be reached over TLS: %v", err)
	case strings.Contains(err.Error(), "require_auth check failed"):
		coded = rowferry.Errorf(rowferry.CodeSourceDenied, "the source asks for the password in plain, and the connection is not encrypted")
	case pgconn.Timeout(err):
		coded = rowferry.Errorf(rowferry.CodeSourceAway, "the source does not answer in time: %v", err)
	default:
		coded = rowferry.Errorf(rowferry.CodeSourceAway, "the connection to the source is broken: %v", err)
	}
	return coded.Fact("source", "%s", e)
}

// serverError gives what the server says a code by its SQLSTATE
// (https://www.postgresql.org/docs/current/errcodes-appendix.html). Slots and
// publications have theirs from those who asked for them.
func serverError(at connect.Endpoint, server *pgconn.PgError) *rowferry.Error {
	wrap := func(code rowferry.Code, what string) *rowferry.Error {
		e := rowferry.Errorf(code, "%s: %s", what, server.Message).Fact("SQLSTATE", "%s", server.Code)
		e.Err = server
		for _, f := range []rowferry.Fact{{Name: "detail", Value: server.Detail}, {Name: "hint", Value: server.Hint}} {
			if f.Value != "" {
				e.Fact(f.Name, "%s", f.Value)
			}
		}
		return e
	}
	switch server.Code {
	case "42501": // insufficient_privilege
		e := wrap(rowferry.CodeSourceDenied, "the source refuses the request")
		if strings.Contains(server.Message, "for database") && at.Database != "" {
			e.Remedy("grant", "GRANT CONNECT ON DATABASE %s TO %s", dialect.Quote(at.Database), dialect.Quote(at.User))
		}
		return e
	case "3D000": // invalid_catalog_name
		return wrap(rowferry.CodeSourceDenied, "the source has no such database")
	case "53400": // configuration_limit_exceeded
		return wrap(rowferry.CodeSourceUnfit, "the source is at one of its limits").
			Remedy("raise", "max_replication_slots on the source, which needs a restart").
			Remedy("or free one", "SELECT pg_drop_replication_slot(slot_name), for one that nobody needs")
	case "55006": // object_in_use
		return wrap(rowferry.CodeSlotTaken, "another process reads the replication slot")
	case "55P03", "57014", "25P03": // lock_not_available, query_canceled, idle_in_transaction_session_timeout
		return wrap(rowferry.CodeSourceAway, "the source did not come to an answer in time")
	}
	switch server.Code[:min(2, len(server.Code))] {
	case "28":
		return wrap(rowferry.CodeSourceDenied, "the source refuses the login")
	case "08", "53", "57", "58":
		return wrap(rowferry.CodeSourceAway, "the source cannot serve us at present")
	default:
		return wrap(rowferry.CodeLogUnreadable, "the source failed")
	}
}
