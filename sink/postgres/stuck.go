package postgres

import (
	"context"

	dialect "github.com/rowferry/rowferry/internal/dialect/postgres"
)

// stuckQuery ends sessions of this program and user that were sent a part of a
// pipeline, and then nothing for a time. A server waits for the rest without
// end, with the locks it has: none of its limits holds between the messages of
// one pipeline, and it may not learn for hours that the client is gone. An
// engine that was merely slow notices that it lost its session, and repeats its
// batch or finds the fence raised.
const stuckQuery = `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
  WHERE application_name = $1 AND usename = current_user AND datname = current_database() AND pid <> pg_backend_pid()
    AND state = 'active' AND wait_event = 'ClientRead' AND state_change < clock_timestamp() - CAST($2 AS interval)`

// endStuck ends sessions that hold locks and will never go on. It is for a new
// session, and for one that did not get a lock.
func (s *Sink) endStuck(ctx context.Context) error {
	s.hindered = false
	if s.options.ReadOnly {
		return nil
	}
	return s.query(ctx, stuckQuery, func(dialect.Row) error { return nil }, dialect.ApplicationName, dialect.Millis(s.options.Endpoint.Wait()))
}
