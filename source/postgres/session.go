package postgres

import (
	"context"
	"errors"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/rowferry/rowferry/internal/connect"
	dialect "github.com/rowferry/rowferry/internal/dialect/postgres"
)

// session is an ordinary session with the source's database, for questions. It
// is used by one goroutine.
type session struct {
	conn     *pgconn.PgConn
	endpoint connect.Endpoint
}

// openSession logs in for questions, each of which has the endpoint's timeout.
func openSession(ctx context.Context, e connect.Endpoint) (*session, error) {
	conn, err := dialect.Connect(ctx, e, map[string]string{
		"lock_timeout":                        dialect.Millis(e.Wait() / 2),
		"statement_timeout":                   dialect.Millis(e.Wait() * 3 / 4),
		"idle_in_transaction_session_timeout": dialect.Millis(e.Wait()),
		"idle_session_timeout":                "0",
		"default_transaction_read_only":       "off",
	})
	if err != nil {
		return nil, translate(ctx, e, err)
	}
	return &session{conn, e}, nil
}

// openStream logs in for the log.
func openStream(ctx context.Context, e connect.Endpoint) (*pgconn.PgConn, error) {
	conn, err := dialect.Connect(ctx, e, map[string]string{
		"replication":          "database",
		"statement_timeout":    "0",
		"lock_timeout":         "0",
		"idle_session_timeout": "0",
		"client_min_messages":  "warning", // PostgreSQL 18 warns of a publication that is not there yet, and goes on
	})
	if err != nil {
		return nil, translate(ctx, e, err)
	}
	// The server is to notice within a second that we are gone, whatever it waits
	// for: a slot that is made while old transactions are waited for would stay
	// otherwise. On some systems it cannot, and refuses the setting.
	err = command(ctx, e, conn, "SET client_connection_check_interval = '1s'", func(dialect.Row) error { return nil })
	var server *pgconn.PgError
	if err != nil && !errors.As(err, &server) {
		hangUp(conn)
		return nil, err
	}
	return conn, nil
}

// query runs one statement and calls fn for each row.
func (s *session) query(ctx context.Context, sql string, fn func(dialect.Row) error, args ...any) error {
	return translate(ctx, s.endpoint, dialect.Query(ctx, s.conn, sql, fn, args...))
}

// exec runs one statement for what it does.
func (s *session) exec(ctx context.Context, sql string, args ...any) error {
	_, err := dialect.Exec(ctx, s.conn, sql, args...)
	return translate(ctx, s.endpoint, err)
}

// close ends the session; what it could say to that does not matter.
func (s *session) close() { hangUp(s.conn) }

// hangUp ends a connection, within a second where the network does not answer.
func hangUp(conn *pgconn.PgConn) {
	if conn == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	_ = conn.Close(ctx)
}

// command sends one replication command and calls fn for each row of its answer.
func command(ctx context.Context, e connect.Endpoint, stream *pgconn.PgConn, sql string, fn func(dialect.Row) error) error {
	results, err := stream.Exec(ctx, sql).ReadAll()
	if err != nil {
		return translate(ctx, e, err)
	}
	for _, r := range results {
		for _, row := range r.Rows {
			if err := fn(row); err != nil {
				return translate(ctx, e, err)
			}
		}
	}
	return nil
}
