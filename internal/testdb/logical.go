package testdb

import (
	"context"
	"database/sql"
	"fmt"
	"strings"
)

// Logical makes PostgreSQL log what a source is read from, and gives it room for
// slots, their readers and prepared transactions. More settings may follow, as
// Arg takes them: "logical_decoding_work_mem=64kB", "wal_sender_timeout=5s",
// "max_slot_wal_keep_size=64MB", "synchronous_commit=off".
func Logical(settings ...string) Option {
	return func(c *config) {
		for _, s := range append([]string{
			"wal_level=logical", "max_replication_slots=40", "max_wal_senders=40", "max_prepared_transactions=40",
		}, settings...) {
			c.arg("%s", s)
		}
	}
}

// Sources returns the PostgreSQL servers that are read from: 15, under Soak also
// the newest.
func Sources() []Kind {
	if Soak() {
		return []Kind{Postgres15, PostgresNew}
	}
	return []Kind{Postgres15}
}

// Replicator is an account that may read a PostgreSQL server's log and connect
// to the database, and nothing else.
func Replicator(database string) Account {
	return Account{
		User: "replicator", Password: "water", Plugin: SCRAM, Replication: true,
		Grants: []string{"CONNECT ON DATABASE " + quotePostgres(database)},
	}
}

// Slot is what PostgreSQL says of a replication slot.
type Slot struct {
	Active    bool
	Restart   string // LSN of the oldest log it needs; empty where it lost some
	Confirmed string // LSN its reader has acknowledged
	Retained  int64  // bytes of log from Restart to the end of the log
	Status    string // wal_status: reserved, extended, unreserved, lost
}

// Slot returns the slot of a name.
func (s *Server) Slot(ctx context.Context, name string) (slot Slot, err error) {
	var restart, confirmed, status sql.NullString
	var retained sql.NullInt64
	err = s.db.QueryRowContext(ctx, `SELECT active, restart_lsn::text, confirmed_flush_lsn::text,
		(pg_current_wal_lsn() - restart_lsn)::bigint, wal_status FROM pg_replication_slots WHERE slot_name = $1`, name).
		Scan(&slot.Active, &restart, &confirmed, &retained, &status)
	if err != nil {
		return slot, fmt.Errorf("testdb: slot %s: %w", name, err)
	}
	slot.Restart, slot.Confirmed, slot.Retained, slot.Status = restart.String, confirmed.String, retained.Int64, status.String
	return slot, nil
}

// SwitchLog ends the current segment of PostgreSQL's log and begins the next.
// Where nothing was logged in it since the last switch it does nothing.
func (s *Server) SwitchLog(ctx context.Context) error { return s.Exec(ctx, "SELECT pg_switch_wal()") }

// dropSlots drops a database's slots, which keep the log of the whole server and
// the database itself. Their readers are ended.
func (s *Server) dropSlots(ctx context.Context, database string) error {
	of := " FROM pg_replication_slots WHERE database = '" + strings.ReplaceAll(database, "'", "''") + "'"
	return s.Exec(ctx, "SELECT pg_terminate_backend(active_pid, 5000)"+of+" AND active", "SELECT pg_drop_replication_slot(slot_name)"+of)
}

func quotePostgres(name string) string { return `"` + strings.ReplaceAll(name, `"`, `""`) + `"` }
