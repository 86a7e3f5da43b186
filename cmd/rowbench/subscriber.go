package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/rowferry/rowferry/internal/testdb"
)

// subscriber is PostgreSQL's own replica of a source: a native subscription. It
// keeps no copy of the log, as MySQL's replica does, but reads it as it applies
// it, with a slot of its own each time.
type subscriber struct {
	server *testdb.Server
	log    *sourceLog
	origin *postgresOrigin
}

// subscriberWays are all that may make a subscription faster. Transactions in
// progress are applied in parallel from version 16 on.
func subscriberWays(k testdb.Kind) (all []way) {
	streaming := []string{"off", "on"}
	if k != testdb.Postgres15 {
		streaming = append(streaming, "parallel")
	}
	for _, s := range streaming {
		for _, binary := range []string{"false", "true"} {
			all = append(all, way{options: fmt.Sprintf("streaming = %s, binary = %s", s, binary)})
		}
	}
	return all
}

// newSubscriber makes a server a replica that has applied what is logged so far,
// and takes it over.
func newSubscriber(ctx context.Context, s *testdb.Server, l *sourceLog) (replica, error) {
	n := &subscriber{server: s, log: l, origin: l.origin.(*postgresOrigin)}
	err := n.prepare(ctx)
	if err == nil {
		err = n.start(ctx)
	}
	if err == nil {
		err = l.awaitMarker(ctx, n)
	}
	if err == nil {
		err = s.Exec(ctx, "ALTER SUBSCRIPTION "+subscription+" DISABLE")
	}
	if err == nil {
		err = save(ctx, s)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("native replica: %w", err), s.Close())
	}
	return n, nil
}

const subscription = database

// prepare makes the tables, with their indexes, and a subscription that does not
// run yet.
func (n *subscriber) prepare(ctx context.Context) (err error) {
	if err := n.server.Exec(ctx, "CREATE SCHEMA "+database); err != nil {
		return err
	}
	db, err := openSchema(n.server)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	statements := slices.Concat([]string{markerTable}, n.log.work.tables)
	for _, i := range n.log.work.indexes {
		statements = append(statements, fmt.Sprintf("CREATE INDEX ON %s (%s)", i.table, i.columns))
	}
	slot, err := n.origin.slot(ctx, true)
	if err != nil {
		return err
	}
	statements = append(statements, fmt.Sprintf(
		"CREATE SUBSCRIPTION %s CONNECTION 'host=127.0.0.1 port=%d user=postgres dbname=%s' PUBLICATION %s WITH (slot_name = %s, create_slot = false, enabled = false, copy_data = false)",
		subscription, n.log.server.Port, postgresDatabase, publication, slot))
	for _, sql := range statements {
		if _, err := db.ExecContext(ctx, sql); err != nil {
			return fmt.Errorf("%.100s: %w", sql, err)
		}
	}
	return nil
}

// begin sets the subscription's own synchronous_commit too, which is off unless
// told otherwise, whatever the server's is.
func (n *subscriber) begin(ctx context.Context, d durability, w way) error {
	if err := n.server.Reset(ctx); err != nil {
		return err
	}
	if err := setDurability(ctx, n.server, d); err != nil {
		return err
	}
	slot, err := n.origin.slot(ctx, false)
	if err != nil {
		return err
	}
	commit := "off"
	if d == durable {
		commit = "on"
	}
	if err := n.server.Exec(ctx, fmt.Sprintf("ALTER SUBSCRIPTION %s SET (slot_name = %s, synchronous_commit = '%s', %s)", subscription, slot, commit, w.options)); err != nil {
		return err
	}
	return warm(ctx, n.server)
}

func (n *subscriber) start(ctx context.Context) error {
	return n.server.Exec(ctx, "ALTER SUBSCRIPTION "+subscription+" ENABLE")
}

// healthy takes one error for the end, though the server would try again.
func (n *subscriber) healthy(ctx context.Context) error {
	var failed int
	err := n.server.DB().QueryRowContext(ctx, "SELECT apply_error_count FROM pg_stat_subscription_stats WHERE subname = '"+subscription+"'").Scan(&failed)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return err
	}
	if failed > 0 {
		return fmt.Errorf("its subscription failed %d times", failed)
	}
	return nil
}

// fastest begins anew for each way.
func (n *subscriber) fastest(ctx context.Context, d durability, each time.Duration, say func(string, ...any)) (best pace, ended bool, err error) {
	for _, w := range subscriberWays(n.server.Kind) {
		if err := n.begin(ctx, d, w); err != nil {
			return best, false, err
		}
		rate, ended, err := n.try(ctx, each)
		if err != nil || ended {
			return best, ended, err
		}
		say("  calibration, %v: %.0f transactions/s", w, rate)
		if rate > best.rate {
			best = pace{w, rate}
		}
	}
	return best, false, nil
}

// try lets the subscription go on for a while. What it takes to start does not
// count.
func (n *subscriber) try(ctx context.Context, d time.Duration) (rate float64, ended bool, err error) {
	from, err := n.applied(ctx)
	if err != nil {
		return 0, false, err
	}
	if err := n.start(ctx); err != nil {
		return 0, false, err
	}
	var begun time.Time // once it is under way
	var at int64
	asked, seen := time.Now(), sqlMarker(n.server.DB(), markerQuery, n.log.marker)
	err = await(ctx, markerEvery, func() (bool, error) {
		if ended, err = seen(ctx); ended || err != nil {
			return true, err
		}
		if time.Since(asked) > time.Second {
			asked = time.Now()
			if err := n.healthy(ctx); err != nil {
				return false, err
			}
		}
		if at, err = n.applied(ctx); err == nil && begun.IsZero() && at > from {
			from, begun = at, time.Now()
		}
		return !begun.IsZero() && time.Since(begun) >= d, err
	})
	if err != nil || ended {
		return 0, ended, err
	}
	// The log's bytes stand for its transactions, which are all alike.
	took, perTx := time.Since(begun), float64(n.origin.endAt-n.origin.beginAt)/float64(n.log.txs)
	return float64(at-from) / perTx / took.Seconds(), false, nil
}

// applied is how far in the source's log the subscription has committed, in
// bytes.
func (n *subscriber) applied(ctx context.Context) (bytes int64, err error) {
	err = n.server.DB().QueryRowContext(ctx, "SELECT COALESCE(MAX(remote_lsn - '0/0'), 0)::bigint FROM pg_replication_origin_status").Scan(&bytes)
	return bytes, err
}

func (n *subscriber) host() *testdb.Server { return n.server }
func (n *subscriber) stop() error          { return n.server.Kill() }
func (n *subscriber) close() error         { return n.server.Close() }
