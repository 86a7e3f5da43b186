package mysql

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"time"

	gomysql "github.com/go-mysql-org/go-mysql/mysql"

	"github.com/rowferry/rowferry/internal/connect"
	"github.com/rowferry/rowferry/internal/mysqlwire"
)

// sendPatience is how long the server may wait, in seconds, for us to take
// what it sends before it breaks a connection off: a slow target slows the
// reader down, or somebody pauses it for a weekend, and that must not cost it its
// connection.
const sendPatience = 7 * 24 * 3600

// conn is a logged-in connection to the server, in UTC and utf8mb4. It is used
// by one goroutine; only interrupt may come from others.
type conn struct {
	*mysqlwire.Link
	endpoint connect.Endpoint
	raw      net.Conn // below TLS
	release  func() bool
	watched  <-chan struct{} // of the context that reading ends with; nil: none
	unwatch  func()
}

// dial connects and logs in. The connection ends with life, or, until dial
// returns, with ctx.
func dial(ctx, life context.Context, e connect.Endpoint) (_ *conn, err error) {
	config, err := e.TLSConfig()
	if err != nil {
		return nil, err
	}
	raw, err := e.Dial(ctx)
	if err != nil {
		return nil, translate(ctx, err)
	}
	c := &conn{endpoint: e, raw: raw, release: context.AfterFunc(life, func() { _ = raw.Close() })}
	defer func() {
		if err != nil {
			c.close()
		}
	}()
	stop := context.AfterFunc(ctx, func() { _ = raw.Close() })
	defer stop()
	if c.Link, err = mysqlwire.Login(ctx, raw, e, config); err != nil {
		return nil, translate(ctx, err)
	}
	_, err = c.query(ctx, fmt.Sprintf("SET NAMES utf8mb4, time_zone='+00:00', sql_mode='', sql_quote_show_create=1, net_write_timeout=%d, lock_wait_timeout=%d",
		sendPatience, max(1, int(e.Wait()/(2*time.Second)))))
	return c, err
}

// translate is translate for an error of the library.
func (c *conn) translate(ctx context.Context, err error) error { return translate(ctx, c.Cause(err)) }

// close ends the connection at once.
func (c *conn) close() {
	c.watch(context.Background())
	c.release()
	_ = c.raw.Close() // nothing is lost by what it could say
}

// answer is the answer to a query, as text; NULL is "".
type answer [][]string

// query runs one statement.
func (c *conn) query(ctx context.Context, sql string) (out answer, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = translate(ctx, fmt.Errorf("the server's answer makes no sense: %v", p))
		}
	}()
	defer c.During(ctx)()
	r, err := c.Execute(sql)
	if err != nil {
		return nil, c.translate(ctx, err)
	}
	defer r.Close()
	if r.Resultset == nil {
		return nil, nil
	}
	for i := range r.RowNumber() {
		row := make([]string, r.ColumnNumber())
		for j := range row {
			text, err := r.GetString(i, j)
			if err != nil {
				return nil, translate(ctx, err)
			}
			row[j] = strings.Clone(text) // the library uses its memory again
		}
		out = append(out, row)
	}
	return out, nil
}

// first runs a query for one row of at least n columns.
func (c *conn) first(ctx context.Context, n int, sql string) ([]string, error) {
	out, err := c.query(ctx, sql)
	if err == nil && (len(out) == 0 || len(out[0]) < n) {
		err = translate(ctx, fmt.Errorf("no answer to %s", sql))
	}
	if err != nil {
		return nil, err
	}
	return out[0], nil
}

// anyOf runs the first of several statements that the server understands:
// their names have changed between versions.
func (c *conn) anyOf(ctx context.Context, statements ...string) (out answer, err error) {
	for _, sql := range statements {
		out, err = c.query(ctx, sql)
		if me := (*gomysql.MyError)(nil); !errors.As(err, &me) || me.Code != gomysql.ER_PARSE_ERROR {
			return out, err
		}
	}
	return out, err
}

// watch is During until it is called with another context, or the connection
// is closed. It costs nothing to be called again with the same one.
func (c *conn) watch(ctx context.Context) {
	if c.watched == ctx.Done() {
		return
	}
	if c.unwatch != nil {
		c.unwatch()
		c.unwatch = nil
	}
	if c.watched = ctx.Done(); c.watched != nil {
		c.unwatch = c.During(ctx)
	}
}

// quoted quotes an identifier.
func quoted(s string) string { return "`" + strings.ReplaceAll(s, "`", "``") + "`" }
