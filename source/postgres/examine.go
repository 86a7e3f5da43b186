package postgres

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/rowferry/rowferry"
	dialect "github.com/rowferry/rowferry/internal/dialect/postgres"
)

// What is worth a warning.
const (
	largeSkew     = 5 * time.Second
	smallKeepSize = 1 << 10   // MiB: of log that a slot may keep
	largeRetained = 4 << 30   // bytes of log that a slot does keep
	oldCatalog    = 100 << 20 // transactions, half way to where PostgreSQL itself becomes urgent
)

// examination looks at one server. What it finds is collected in order.
type examination struct {
	*session
	options  Options
	server   server
	settings map[string]string
	slot     *slot
	findings []rowferry.Finding
}

// Examine implements rowferry.Examiner on connections of its own.
func (s *Source) Examine(ctx context.Context) ([]rowferry.Finding, error) {
	x := &examination{options: s.options}
	if err := x.options.settle(); err != nil {
		return nil, err
	}
	var err error
	if x.session, err = openSession(ctx, x.options.Endpoint); err != nil {
		return nil, err
	}
	defer x.close()
	for _, look := range []func(context.Context) error{
		x.lookServer, x.lookReplication, x.lookClock, x.lookSettings, x.lookTables, x.lookObjects, x.lookSlot,
	} {
		if err := look(ctx); err != nil {
			return x.findings, err
		}
	}
	return x.findings, nil
}

func (x *examination) add(f ...rowferry.Finding) { x.findings = append(x.findings, f...) }

func (x *examination) lookServer(ctx context.Context) (err error) {
	if x.server, err = x.look(ctx); err != nil {
		return err
	}
	x.add(x.server.findings()...)
	return nil
}

// lookReplication tries what a run will do, rather than read attributes: a
// provider may give the privilege in ways of its own.
func (x *examination) lookReplication(ctx context.Context) error {
	const name = "replication"
	stream, err := openStream(ctx, x.options.Endpoint)
	hangUp(stream)
	var server *pgconn.PgError
	switch {
	case err == nil:
		x.add(passed(name, "%s may read the log", x.server.user))
		return nil
	case !errors.As(err, &server):
		return err
	case server.Code == "42501":
		x.add(failed(name, rowferry.CodeSourceDenied, x.server.user+" may not read the log", "allow it", "ALTER ROLE "+dialect.Quote(x.server.user)+" REPLICATION"))
	case server.Code == "53300": // too_many_connections
		x.add(failed(name, rowferry.CodeSourceAway, "the source has no room for another reader of its log: "+server.Message, "raise", "max_wal_senders on the source, which needs a restart"))
	default:
		x.add(failed(name, rowferry.CodeOf(err), "no connection for the log: "+server.Message, "see", "pg_hba.conf on the source, and its log"))
	}
	return nil
}

func (x *examination) lookClock(ctx context.Context) error {
	return x.query(ctx, "SELECT extract(epoch FROM clock_timestamp())::text", func(r dialect.Row) error {
		there, err := strconv.ParseFloat(r.Text(0), 64)
		if err != nil {
			return fmt.Errorf("the server's clock says %q", r.Text(0))
		}
		if skew := time.Since(time.UnixMicro(int64(there * 1e6))).Round(time.Millisecond); skew.Abs() > largeSkew {
			x.add(warned("clock", fmt.Sprintf("the server's clock is off by %s from this machine's: lag is shown wrong by as much", -skew), "set", "both clocks by NTP"))
			return nil
		}
		x.add(passed("clock", "agrees with this machine's"))
		return nil
	})
}

const settingsQuery = `SELECT name, setting FROM pg_settings WHERE name IN ('max_replication_slots', 'max_wal_senders', 'max_slot_wal_keep_size',
  'wal_sender_timeout', 'idle_replication_slot_timeout', 'synchronized_standby_slots')
  UNION ALL SELECT 'slots', count(*)::text FROM pg_replication_slots
  UNION ALL SELECT 'senders', count(*)::text FROM pg_stat_get_wal_senders()
  UNION ALL SELECT 'standbys', count(*)::text FROM pg_replication_slots WHERE slot_type = 'physical' AND active`

// lookSettings looks at room for slots and readers, and at how long the server
// keeps its log. pg_settings has plain numbers: MiB, milliseconds, and seconds of
// idle_replication_slot_timeout.
func (x *examination) lookSettings(ctx context.Context) error {
	x.settings = map[string]string{}
	err := x.query(ctx, settingsQuery, func(r dialect.Row) error {
		x.settings[r.Text(0)] = r.Text(1)
		return nil
	})
	if err != nil {
		return err
	}
	if x.slot, err = x.readSlot(ctx, x.options.Slot); err != nil {
		return err
	}
	x.add(x.roomFinding(), x.keepFinding(), x.senderFinding())
	if text, known := x.settings["idle_replication_slot_timeout"]; known {
		x.add(idleFinding(text))
	}
	return nil
}

func (x *examination) number(name string) int64 {
	n, _ := strconv.ParseInt(x.settings[name], 10, 64) // 0 where the server has none
	return n
}

func (x *examination) roomFinding() rowferry.Finding {
	slots, most := x.number("slots"), x.number("max_replication_slots")
	if x.slot == nil && slots >= most {
		return failed("slots", rowferry.CodeSourceUnfit, fmt.Sprintf("all %d replication slots are in use", most),
			"raise", "max_replication_slots on the source, which needs a restart", "or free one", "SELECT pg_drop_replication_slot(slot_name), for one that nobody needs")
	}
	return passed("slots", "%d of %d replication slots and %d of %d readers of the log are in use", slots, most, x.number("senders"), x.number("max_wal_senders"))
}

// keepFinding: without a limit a pipeline that stays down fills the source's
// disk; with one it has to start over.
func (x *examination) keepFinding() rowferry.Finding {
	const name = "retention"
	switch keep := x.number("max_slot_wal_keep_size"); {
	case keep < 0:
		return warned(name, "max_slot_wal_keep_size is not set: a pipeline that stays down fills the source's disk with log",
			"set", "ALTER SYSTEM SET max_slot_wal_keep_size = '50GB', or what the disk has room for", "then", "SELECT pg_reload_conf()")
	case keep < smallKeepSize:
		return warned(name, fmt.Sprintf("max_slot_wal_keep_size is %d MB: a pipeline that is down while more is written has to start over", keep),
			"raise", "ALTER SYSTEM SET max_slot_wal_keep_size = '50GB', or what the disk has room for", "then", "SELECT pg_reload_conf()")
	default:
		return passed(name, "a pipeline may be down while up to %d MB of log are written", keep)
	}
}

func (x *examination) senderFinding() rowferry.Finding {
	if x.number("wal_sender_timeout") == 0 {
		return warned("connection loss", "wal_sender_timeout is 0: the server may not notice that a reader is gone, and refuses the next one",
			"mend", "ALTER SYSTEM SET wal_sender_timeout = '60s'", "then", "SELECT pg_reload_conf()")
	}
	return passed("connection loss", "the server gives a reader up after %s", time.Duration(x.number("wal_sender_timeout"))*time.Millisecond)
}

func idleFinding(text string) rowferry.Finding {
	seconds, _ := strconv.ParseInt(text, 10, 64) // 0 where it is none
	if seconds > 0 {
		return warned("idle slots", fmt.Sprintf("idle_replication_slot_timeout is %s: a pipeline that is down for longer has to start over", time.Duration(seconds)*time.Second),
			"mend", "ALTER SYSTEM SET idle_replication_slot_timeout = 0", "then", "SELECT pg_reload_conf()")
	}
	return passed("idle slots", "are kept")
}
