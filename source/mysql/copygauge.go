package mysql

import (
	"context"
	"sync"

	"github.com/rowferry/rowferry"
	"github.com/rowferry/rowferry/internal/mysqlwire"
)

var _ rowferry.LoadGauge = (*tableCopy)(nil)

// loadGauge asks on a connection of its own. Safe for concurrent use.
type loadGauge struct {
	mu     sync.Mutex // held while asking
	conn   *mysqlwire.Conn
	closed bool
}

// Running returns the server's Threads_running, which every account may see. See
// rowferry.LoadGauge.
func (k *tableCopy) Running(ctx context.Context) (n int, err error) {
	g := &k.gauge
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.closed {
		return 0, rowferry.Errorf(rowferry.CodeInternal, "a copy that is closed was asked how busy its server is")
	}
	if g.conn == nil {
		if g.conn, err = mysqlwire.Dial(ctx, k.src.opt.Endpoint); err != nil {
			g.conn = nil
			return 0, translate(ctx, err)
		}
	}
	name := ""
	err = g.conn.Query(ctx, "SHOW GLOBAL STATUS LIKE 'Threads_running'", func(scan func(...any) error) error { return scan(&name, &n) })
	if err == nil && name == "" {
		err = rowferry.Errorf(rowferry.CodeSourceUnfit, "the source does not say how many sessions are at work").Fact("server", "%s", k.src.opt.Endpoint)
	}
	if err != nil {
		g.drop()
		return 0, translate(ctx, err)
	}
	return n, nil
}

func (g *loadGauge) close() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.closed = true
	g.drop()
}

func (g *loadGauge) drop() {
	if g.conn != nil {
		g.conn.Close()
		g.conn = nil
	}
}
