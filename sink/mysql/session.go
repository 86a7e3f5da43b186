package mysql

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net"
	"time"

	driver "github.com/go-sql-driver/mysql"

	"github.com/rowferry/rowferry/internal/connect"
)

// sqlMode is what values are written under. Strict, so that nothing is cut,
// rounded into range or replaced; zero and partial dates and the value 0 of a
// counting column are values like others.
const sqlMode = "STRICT_ALL_TABLES,NO_AUTO_VALUE_ON_ZERO,ALLOW_INVALID_DATES"

// lenientMode is for a statement that writes the invalid label ” of an ENUM,
// which strict mode takes from nobody. Its warnings are looked at.
const lenientMode = "NO_AUTO_VALUE_ON_ZERO,ALLOW_INVALID_DATES"

// sessionCollation is that of what a session sends.
const sessionCollation = "utf8mb4_bin"

// dialer makes sessions.
type dialer struct {
	db   *sql.DB
	wait time.Duration
}

// newDialer prepares to connect. The password goes to the driver alone, and
// what the driver would log is returned as an error anyway.
func newDialer(e connect.Endpoint) (*dialer, error) {
	tlsConfig, err := e.TLSConfig()
	if err != nil {
		return nil, err
	}
	c := driver.NewConfig()
	c.User, c.Passwd = e.User, e.Password.Reveal()
	c.Net, c.Addr = e.Network()
	c.DialFunc = func(ctx context.Context, _, _ string) (net.Conn, error) { return e.Dial(ctx) }
	c.TLS = tlsConfig
	c.Collation = sessionCollation
	c.MaxAllowedPacket = 0 // the server's
	c.ClientFoundRows = true
	c.Logger = &driver.NopLogger{}
	connector, err := driver.NewConnector(c)
	if err != nil {
		return nil, err
	}
	d := &dialer{db: sql.OpenDB(connector), wait: e.Wait()}
	d.db.SetMaxIdleConns(0) // a session's connection is its own, and ends with it
	return d, nil
}

func (d *dialer) close() error { return d.db.Close() }

// settings are what every session has. A lock is waited for half as long as an
// answer, so that the answer arrives; a session of which nothing is heard, or
// only a part of a statement, ends by itself, and its transaction with it.
func (d *dialer) settings() []string {
	seconds := func(d time.Duration) int { return max(1, int(d/time.Second)) }
	return []string{
		// The server may have set another character set after the login: by
		// init_connect, or by --skip-character-set-client-handshake. Texts would
		// arrive as others, without an error.
		"SET NAMES utf8mb4 COLLATE " + sessionCollation,
		fmt.Sprintf("SET SESSION time_zone = '+00:00', sql_mode = '%s', foreign_key_checks = 1, unique_checks = 1, autocommit = 1, lc_messages = 'en_US',"+
			" innodb_lock_wait_timeout = %d, lock_wait_timeout = %d, wait_timeout = %d, net_read_timeout = %d",
			sqlMode, seconds(d.wait/2), seconds(d.wait/2), seconds(d.wait), seconds(d.wait)),
		"SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED",
	}
}

// session returns a new connection, set up.
func (d *dialer) session(ctx context.Context) (*session, error) {
	conn, err := d.db.Conn(ctx)
	if err != nil {
		return nil, err
	}
	s := &session{conn: conn}
	for _, q := range d.settings() {
		if err := s.exec(ctx, q); err != nil {
			s.close()
			return nil, err
		}
	}
	return s, nil
}

// session is one connection. It is not used again once it is broken: what came
// of the last statement is then not known.
type session struct {
	conn   *sql.Conn
	broken bool
}

// close ends the connection. What it had open is rolled back by the server.
func (s *session) close() { _ = s.conn.Close() }

// check notes whether err means that the connection is of no more use.
func (s *session) check(err error) error {
	var refused *driver.MySQLError
	switch {
	case err == nil, errors.Is(err, sql.ErrNoRows):
	case errors.As(err, &refused):
		switch refused.Number {
		case 1053, 1152, 1153, 1158, 1159, 1160, 1161, 1184, 1317, 1927, 2006, 2013, 3024, 4031:
			s.broken = true
		}
	default:
		s.broken = true
	}
	return err
}

func (s *session) exec(ctx context.Context, query string, args ...any) error {
	_, err := s.affect(ctx, query, args...)
	return err
}

// affect returns how many rows the statement found.
func (s *session) affect(ctx context.Context, query string, args ...any) (int64, error) {
	r, err := s.conn.ExecContext(ctx, query, args...)
	if err != nil {
		return 0, s.check(err)
	}
	return r.RowsAffected()
}

// query calls fn for each row, with a function that reads its columns. fn may
// not use the session.
func (s *session) query(ctx context.Context, query string, fn func(scan func(...any) error) error, args ...any) (err error) {
	rows, err := s.conn.QueryContext(ctx, query, args...)
	if err != nil {
		return s.check(err)
	}
	defer func() {
		if cerr := s.check(rows.Close()); err == nil {
			err = cerr
		}
	}()
	for rows.Next() {
		if err := fn(rows.Scan); err != nil {
			return err
		}
	}
	return s.check(rows.Err())
}

// strings returns the first column of a query.
func (s *session) strings(ctx context.Context, query string, args ...any) ([]string, error) {
	var all []string
	err := s.query(ctx, query, func(scan func(...any) error) error {
		var one string
		err := scan(&one)
		all = append(all, one)
		return err
	}, args...)
	return all, err
}
