package postgres

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/rowferry/rowferry"
	dialect "github.com/rowferry/rowferry/internal/dialect/postgres"
)

// pgoutput is the output plugin whose messages are read.
const pgoutput = "pgoutput"

// slot is a replication slot as the server has it.
type slot struct {
	name, plugin, kind, database string
	temporary, twoPhase          bool
	active                       int64  // the process that reads it; 0 for none
	confirmed                    lsn    // 0 while it is being made
	status                       string // wal_status
	lost                         string // why it can no longer be read; "" where it can
	failover, synced             bool
	retained                     int64 // bytes of log that it keeps the server from removing
	catalogAge                   int64 // transactions since the oldest whose catalog rows it keeps
}

// slotQuery asks by way of jsonb for what only newer versions have: conflicting
// (16), invalidation_reason, failover and synced (17).
const slotQuery = `SELECT s.slot_name, coalesce(s.plugin, ''), s.slot_type, coalesce(s.database, ''), s.temporary, coalesce(s.two_phase, false),
  coalesce(s.active_pid, 0), coalesce(s.confirmed_flush_lsn::text, ''), coalesce(s.wal_status, ''),
  coalesce(to_jsonb(s) ->> 'invalidation_reason', CASE WHEN s.wal_status = 'lost' THEN 'its log was removed'
    WHEN to_jsonb(s) ->> 'conflicting' = 'true' THEN 'it was in conflict with recovery' END, ''),
  coalesce(to_jsonb(s) ->> 'failover', 'false') = 'true', coalesce(to_jsonb(s) ->> 'synced', 'false') = 'true',
  coalesce(pg_wal_lsn_diff(CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn() ELSE pg_current_wal_lsn() END, s.restart_lsn), 0)::bigint,
  coalesce(age(s.catalog_xmin), 0)
  FROM pg_replication_slots s WHERE s.slot_name = $1`

// readSlot returns the slot of that name, or nil.
func (s *session) readSlot(ctx context.Context, name string) (found *slot, err error) {
	err = s.query(ctx, slotQuery, func(r dialect.Row) (err error) {
		found = &slot{
			name: r.Text(0), plugin: r.Text(1), kind: r.Text(2), database: r.Text(3), temporary: r.Bool(4), twoPhase: r.Bool(5),
			status: r.Text(8), lost: r.Text(9), failover: r.Bool(10), synced: r.Bool(11),
		}
		for _, n := range []struct {
			to     *int64
			column int
		}{{&found.active, 6}, {&found.retained, 12}, {&found.catalogAge, 13}} {
			if *n.to, err = r.Int(n.column); err != nil {
				return err
			}
		}
		if at := r.Text(7); at != "" {
			found.confirmed, err = parseLSN(at)
		}
		return err
	}, name)
	return found, err
}

// check refuses a slot that cannot be read, whoever reads it now.
func (s *slot) check(database string) error {
	unfit := func(format string, args ...any) error {
		return rowferry.Errorf(rowferry.CodeSourceUnfit, "the replication slot is of another kind than Rowferry reads").
			Fact("slot", "%s", s.name).Fact("reason", format, args...).Remedy("choose", "another source.slot, or leave it out")
	}
	switch {
	case s.kind != "logical":
		return unfit("it is %s", s.kind)
	case s.plugin != pgoutput:
		return unfit("its plugin is %s, not %s", s.plugin, pgoutput)
	case s.database != database:
		return unfit("it is of database %s", s.database)
	case s.temporary:
		return unfit("it is temporary, of process %d", s.active)
	case s.twoPhase:
		return unfit("it was made with two_phase, which tells of prepared transactions before their commit")
	case s.lost != "" || s.status == "lost":
		return rowferry.Errorf(rowferry.CodeSlotLost, "the source has given up the replication slot").
			Fact("slot", "%s", s.name).Fact("reason", "%s", s.lost).Fact("status", "%s", s.status).
			Remedy("start over", "rowferry destroy, then run again into empty tables").
			Remedy("prevent", "a larger max_slot_wal_keep_size and idle_replication_slot_timeout, and a pipeline that runs")
	case s.confirmed == 0:
		return rowferry.Errorf(rowferry.CodeSlotTaken, "the replication slot is still being made").
			Fact("slot", "%s", s.name).Fact("process", "%d", s.active)
	default:
		return nil
	}
}

// missingSlot is the error of a slot that is gone, or was never made.
func missingSlot(name string) *rowferry.Error {
	return rowferry.Errorf(rowferry.CodeSlotMissing, "the source has no replication slot %q, so what came since is not kept", name).
		Remedy("start over", "rowferry destroy, then run again into empty tables")
}

// lingers is how long a reader that is gone may have its slot: until the server
// has noticed.
const lingers = 10 * time.Second

// free waits, within reason, for the process that reads the slot to let go. One
// that served our own former Reader is ended: the connection to it is lost, and
// the server may not learn that for as long as wal_sender_timeout.
func (o *opening) free(ctx context.Context, found *slot) (*slot, error) {
	begun := time.Now()
	for pause := 20 * time.Millisecond; found.active != 0; pause = min(2*pause, time.Second) {
		o.source.mu.Lock()
		ours := o.source.ours
		o.source.mu.Unlock()
		if uint32(found.active) == ours && time.Since(begun) > o.source.lingers/10 {
			if err := o.session.exec(ctx, endQuery, o.options.Slot, found.active); err != nil {
				return nil, err
			}
		}
		if time.Since(begun) > o.source.lingers {
			return nil, rowferry.Errorf(rowferry.CodeSlotTaken, "another process reads the replication slot").
				Fact("slot", "%s", found.name).Fact("process", "%d", found.active).
				Remedy("see", "SELECT * FROM pg_stat_replication WHERE pid = %d", found.active).
				Remedy("end it", "SELECT pg_terminate_backend(%d)", found.active).
				Remedy("choose", "another source.slot")
		}
		timer := time.NewTimer(pause/2 + rand.N(pause/2+1))
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return nil, ctx.Err()
		}
		again, err := o.session.readSlot(ctx, found.name)
		if err != nil {
			return nil, err
		}
		if again == nil {
			return nil, missingSlot(found.name)
		}
		found = again
	}
	return found, nil
}

// endQuery ends the process only while it still is the one that reads the slot.
const endQuery = `SELECT pg_terminate_backend(active_pid) FROM pg_replication_slots WHERE slot_name = $1 AND active_pid = $2`

// makeSlot makes the slot by the replication protocol's own command, which waits
// for transactions that are open, and begins after them. Where the server has
// them, it is one that standbys keep up with.
func (o *opening) makeSlot(ctx context.Context) error {
	sql := "CREATE_REPLICATION_SLOT " + dialect.Quote(o.options.Slot)
	if o.options.Temporary {
		sql += " TEMPORARY"
	}
	sql += " LOGICAL " + pgoutput
	switch {
	case o.server.version >= withFailover && !o.options.Temporary:
		sql += " (SNAPSHOT 'nothing', FAILOVER true)"
	case o.server.version >= 150000:
		sql += " (SNAPSHOT 'nothing')"
	default:
		sql += " NOEXPORT_SNAPSHOT"
	}
	err := command(ctx, o.endpoint(), o.stream, sql, func(r dialect.Row) (err error) {
		o.begin, err = parseLSN(r.Text(1))
		return err
	})
	if err != nil {
		return o.unmade(ctx, err)
	}
	o.fresh = true
	o.source.setMade(o.begin)
	return o.identify(ctx) // the log is longer now
}

// unmade says why a slot could not be made.
func (o *opening) unmade(ctx context.Context, err error) error {
	var server *pgconn.PgError
	if errors.As(err, &server) && server.Code == "42710" { // duplicate_object
		return rowferry.Errorf(rowferry.CodeSlotTaken, "another process has made the replication slot just now").Fact("slot", "%s", o.options.Slot)
	}
	if server != nil && server.Code == "55000" { // object_not_in_prerequisite_state: there can be none at all
		return rowferry.Errorf(rowferry.CodeSourceUnfit, "the source makes no replication slot: %w", server).
			Remedy("allow some", "max_replication_slots on the source, which needs a restart")
	}
	if rowferry.CodeOf(err) != rowferry.CodeSourceAway || ctx.Err() != nil {
		return err
	}
	// It waits for every transaction that was open when it began.
	var open []string
	asked := o.session.query(ctx, openQuery, func(r dialect.Row) error {
		open = append(open, fmt.Sprintf("process %s of %s since %s", r.Text(0), r.Text(1), r.Text(2)))
		return nil
	})
	if asked != nil || len(open) == 0 {
		return err
	}
	return rowferry.Errorf(rowferry.CodeSourceAway, "the replication slot waits for transactions that were open before: %w", err).
		Fact("open", "%s", someOf(open)).Remedy("wait", "until they end, or end them")
}

const openQuery = `SELECT pid::text, coalesce(usename, ''), to_char(xact_start, 'YYYY-MM-DD HH24:MI:SS TZ') FROM pg_stat_activity
  WHERE backend_xid IS NOT NULL AND pid <> pg_backend_pid() ORDER BY xact_start`
