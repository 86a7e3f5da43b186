package postgres

import (
	"context"
	"sync"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/rowferry/rowferry"
	dialect "github.com/rowferry/rowferry/internal/dialect/postgres"
)

var _ rowferry.LagGauge = (*Sink)(nil)

// lagGauge asks on a session of its own, since the others may be in the middle of a
// batch. Safe for concurrent use.
type lagGauge struct {
	mu     sync.Mutex // held while asking
	conn   *pgconn.PgConn
	closed bool
}

// To others the view shows that there are replicas, and nothing of them.
const lagQuery = `SELECT pg_has_role(current_user, 'pg_read_all_stats', 'USAGE'),
  coalesce((SELECT ceil(extract(epoch FROM max(replay_lag)) * 1000) FROM pg_stat_replication), 0)::bigint`

// Lag returns the largest replay_lag of those who receive the server's log now. See
// rowferry.LagGauge.
func (s *Sink) Lag(ctx context.Context) (lag time.Duration, err error) {
	g := s.lags
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.closed {
		return 0, rowferry.Errorf(rowferry.CodeInternal, "a target that is closed was asked how far its replicas are")
	}
	if g.conn == nil || g.conn.IsClosed() {
		settings := s.settings()
		settings["default_transaction_read_only"] = "on"
		if g.conn, err = dialect.Connect(ctx, s.options.Endpoint, settings); err != nil {
			g.conn = nil
			return 0, s.translate(ctx, err)
		}
	}
	sees := false
	err = dialect.Query(ctx, g.conn, lagQuery, func(r dialect.Row) error {
		sees = r.Bool(0)
		millis, err := r.Int(1)
		lag = time.Duration(millis) * time.Millisecond
		return err
	})
	switch {
	case err != nil:
		g.drop()
		return 0, s.translate(ctx, err)
	case !sees:
		return 0, s.located(rowferry.Errorf(rowferry.CodeTargetDenied, "the account does not see how far the target's replicas are behind")).
			Remedy("let it", "GRANT pg_read_all_stats TO %s", dialect.Quote(s.options.Endpoint.User)).
			Remedy("leave it out", "target_max_lag")
	default:
		return lag, nil
	}
}

func (g *lagGauge) close() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.closed = true
	g.drop()
}

func (g *lagGauge) drop() {
	if g.conn == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	_ = g.conn.Close(ctx) // it was asked, and had nothing to keep
	g.conn = nil
}
