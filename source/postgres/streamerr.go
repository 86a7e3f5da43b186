package postgres

import (
	"context"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/rowferry/rowferry"
	dialect "github.com/rowferry/rowferry/internal/dialect/postgres"
)

// parseServerError reads what an ErrorResponse or NoticeResponse says: fields of
// a letter and a text.
func parseServerError(body []byte) *pgconn.PgError {
	c := cursor{b: body}
	e := &pgconn.PgError{}
	for {
		kind := c.u8()
		if kind == 0 {
			return e
		}
		text := string(c.text())
		switch kind {
		case 'V': // severity, in English
			e.Severity = text
		case 'C':
			e.Code = text
		case 'M':
			e.Message = text
		case 'D':
			e.Detail = text
		case 'H':
			e.Hint = text
		default: // where in the server's own code and the like
		}
	}
}

// streamError gives an error of the server about its log a code. Which thing is
// missing that a name is undefined for is asked of the catalog: the message is
// in the server's language.
func (r *reader) streamError(ctx context.Context, server *pgconn.PgError) error {
	wrap := func(code rowferry.Code, what string) *rowferry.Error {
		e := rowferry.Errorf(code, "%s: %s", what, server.Message).Fact("SQLSTATE", "%s", server.Code)
		e.Err = server
		if server.Detail != "" {
			e.Fact("detail", "%s", server.Detail)
		}
		return e
	}
	switch server.Code {
	case "42704": // undefined_object
		if err := r.publicationExists(ctx); err != nil {
			return err
		}
		return wrap(rowferry.CodeSlotMissing, "the replication slot does not exist").Fact("slot", "%s", r.opened.slot)
	case "55000", "58P01": // object_not_in_prerequisite_state, undefined_file
		return wrap(rowferry.CodeSlotLost, "the source has given up the replication slot").Fact("slot", "%s", r.opened.slot)
	case "55006": // object_in_use
		return wrap(rowferry.CodeSlotTaken, "another process reads the replication slot").Fact("slot", "%s", r.opened.slot)
	default:
		return serverError(r.opened.options.Endpoint, server).Fact("source", "%s", r.opened.options.Endpoint)
	}
}

// notice looks at a warning. PostgreSQL 18 warns of a publication that is not
// there, and goes on without its rows.
func (r *reader) notice(ctx context.Context, body []byte) error {
	server := parseServerError(body)
	r.opened.options.Log.Debug("the source says", "severity", server.Severity, "message", server.Message, "SQLSTATE", server.Code)
	if server.Severity != "WARNING" {
		return nil
	}
	return r.publicationExists(ctx)
}

// publicationExists fails with CodePublication where there is none.
func (r *reader) publicationExists(ctx context.Context) error {
	found := false
	err := r.catalog.ask(ctx, func(ctx context.Context, s *session) error {
		return s.query(ctx, "SELECT FROM pg_publication WHERE pubname = $1", func(dialect.Row) error {
			found = true
			return nil
		}, r.opened.publication)
	})
	if err != nil || found {
		return err
	}
	return rowferry.Errorf(rowferry.CodePublication, "the publication does not exist any more").
		Fact("publication", "%s", r.opened.publication)
}
