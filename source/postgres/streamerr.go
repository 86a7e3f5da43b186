package postgres

import (
	"context"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/rowferry/rowferry"
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
		if err := r.slotExists(ctx); err != nil {
			return err
		}
		return r.unpublished(wrap(rowferry.CodePublication, "the publication was not there when the log was written"))
	case "55000", "58P01": // object_not_in_prerequisite_state, undefined_file
		return wrap(rowferry.CodeSlotLost, "the source has given up the replication slot").Fact("slot", "%s", r.opened.slot)
	case "55006": // object_in_use
		return wrap(rowferry.CodeSlotTaken, "another process reads the replication slot").Fact("slot", "%s", r.opened.slot)
	default:
		return serverError(r.opened.options.Endpoint, server).Fact("source", "%s", r.opened.options.Endpoint)
	}
}

// notice looks at a warning. PostgreSQL 18 warns of a publication that was not
// there when the log was written, and goes on without its rows.
func (r *reader) notice(ctx context.Context, body []byte) error {
	server := parseServerError(body)
	r.opened.options.Log.Debug("the source says", "severity", server.Severity, "message", server.Message, "SQLSTATE", server.Code)
	if server.Severity != "WARNING" || server.Code != "55000" {
		return nil
	}
	return r.unpublished(rowferry.Errorf(rowferry.CodePublication, "the publication was not there when the log was written: %s", server.Message))
}

// unpublished is about a publication that is newer than the slot, or gone.
func (r *reader) unpublished(e *rowferry.Error) error {
	return e.Fact("publication", "%s", r.opened.publication).Fact("slot", "%s", r.opened.slot).
		Remedy("start over", "rowferry destroy, then run again into empty tables")
}

// slotExists fails with CodeSlotMissing where there is none.
func (r *reader) slotExists(ctx context.Context) error {
	return r.catalog.ask(ctx, func(ctx context.Context, s *session) error {
		found, err := s.readSlot(ctx, r.opened.slot)
		if err == nil && found == nil {
			err = missingSlot(r.opened.slot)
		}
		return err
	})
}
