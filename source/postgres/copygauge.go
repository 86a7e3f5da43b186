package postgres

import (
	"context"
	"sync"

	"github.com/rowferry/rowferry"
	dialect "github.com/rowferry/rowferry/internal/dialect/postgres"
)

var _ rowferry.LoadGauge = (*copying)(nil)

// loadGauge asks on a session of its own. Safe for concurrent use.
type loadGauge struct {
	mu      sync.Mutex // held while asking
	session *session
	closed  bool
}

// To others the view shows that there are sessions, and not what they do.
const runningQuery = `SELECT pg_has_role(current_user, 'pg_read_all_stats', 'USAGE'),
  (SELECT count(*) FROM pg_stat_activity WHERE state = 'active' AND backend_type = 'client backend')`

// Running returns how many client backends are active. See rowferry.LoadGauge.
func (c *copying) Running(ctx context.Context) (n int, err error) {
	g, e := c.gauge, c.options.Endpoint
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.closed {
		return 0, rowferry.Errorf(rowferry.CodeInternal, "a copy that is closed was asked how busy its server is")
	}
	if g.session == nil || g.session.conn.IsClosed() {
		if g.session, err = openSession(ctx, e); err != nil {
			g.session = nil
			return 0, err
		}
	}
	sees := false
	err = g.session.query(ctx, runningQuery, func(r dialect.Row) error {
		sees = r.Bool(0)
		count, err := r.Int(1)
		n = int(count)
		return err
	})
	switch {
	case err != nil:
		g.drop()
		return 0, err
	case !sees:
		return 0, rowferry.Errorf(rowferry.CodeSourceDenied, "the account does not see how busy the source is").
			Fact("server", "%s", e).
			Remedy("let it", "GRANT pg_read_all_stats TO %s", dialect.Quote(e.User)).
			Remedy("leave it out", "source_max_running")
	default:
		return n, nil
	}
}

func (g *loadGauge) close() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.closed = true
	g.drop()
}

func (g *loadGauge) drop() {
	if g.session != nil {
		g.session.close()
		g.session = nil
	}
}
