package mysql

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/rowferry/rowferry/internal/connect"
	"github.com/rowferry/rowferry/internal/mysqlwire"
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
	endpoint connect.Endpoint
	wait     time.Duration
}

// newDialer prepares to connect.
func newDialer(e connect.Endpoint) (*dialer, error) {
	if _, err := e.TLSConfig(); err != nil {
		return nil, err
	}
	return &dialer{endpoint: e, wait: e.Wait()}, nil
}

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
	conn, err := mysqlwire.Dial(ctx, d.endpoint)
	if err != nil {
		return nil, err
	}
	s := &session{conn: conn, wait: d.wait, kept: map[string]*mysqlwire.Stmt{}}
	if err := s.set(ctx, d.settings()); err != nil {
		s.close()
		return nil, err
	}
	return s, nil
}

// session is one connection. It is not used again once it is broken: what came
// of the last statement is then not known.
type session struct {
	conn   *mysqlwire.Conn
	wait   time.Duration
	broken bool
	kept   map[string]*mysqlwire.Stmt // statements of the session's whole life
	// manual: autocommit is off, so that nothing commits by itself. See begin.
	manual bool
	owed   int // statements queued before others whose answers nobody has asked for
}

// close ends the connection. What it had open is rolled back by the server.
func (s *session) close() { s.conn.Close() }

// check notes whether err means that the connection is of no more use.
func (s *session) check(err error) error {
	var refused *mysqlwire.ServerError
	switch {
	case err == nil:
	case errors.Is(err, mysqlwire.ErrEarlier):
		if begun := s.settle(context.Background()); begun != nil { // it has come
			return begun
		}
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

// set runs statements that return nothing, at once.
func (s *session) set(ctx context.Context, statements []string) error {
	for _, q := range statements {
		if err := s.conn.QueueText(ctx, q); err != nil {
			return s.check(err)
		}
	}
	for range statements {
		if _, err := s.conn.Answer(ctx); err != nil {
			return s.check(err)
		}
	}
	return nil
}

// begin queues the start of a transaction, which is answered with what follows.
//
// A server goes on with what is queued behind a statement that failed. Where it
// failed by a deadlock the transaction is over, and each of those behind it
// would be committed by itself. So autocommit is off, from before the first
// statement is queued, and nothing but a COMMIT commits.
func (s *session) begin(ctx context.Context) error {
	if !s.conn.Alive() {
		s.broken = true
		return mysqlwire.ErrBroken
	}
	if !s.manual {
		if err := s.exec(ctx, "SET SESSION autocommit = 0"); err != nil {
			return err
		}
		s.manual = true
	}
	s.owed++
	return s.check(s.conn.QueueText(ctx, "START TRANSACTION READ WRITE"))
}

// auto switches autocommit on again, which commits what is open: nothing may be.
// Whoever reads would else keep what was read from being altered.
func (s *session) auto(ctx context.Context) error {
	if !s.manual {
		return nil
	}
	err := s.exec(ctx, "SET SESSION autocommit = 1")
	s.manual = err != nil
	return err
}

// answer returns the answer to the oldest statement that was queued, unless what
// begin queued before it failed.
func (s *session) answer(ctx context.Context) (int64, error) {
	begun := s.settle(ctx)
	n, err := s.conn.Answer(ctx)
	if begun != nil {
		return 0, begun
	}
	return n, s.check(err)
}

// settle returns the error of what begin queued.
func (s *session) settle(ctx context.Context) (err error) {
	for ; s.owed > 0; s.owed-- {
		if _, e := s.conn.Answer(ctx); err == nil {
			err = s.check(e)
		}
	}
	return err
}

// drain lets go of all that is queued: what is not sent is taken back, and the
// answers to the rest are read and dropped. It waits as long as for a lock; a
// connection that has not answered by then is broken.
func (s *session) drain(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, s.wait/2)
	defer cancel()
	s.conn.Discard()
	s.owed = 0
	for s.conn.Unanswered() > 0 && !s.broken {
		_, err := s.conn.Answer(ctx)
		_ = s.check(err) // an error before it is the one to tell
	}
}

func (s *session) exec(ctx context.Context, query string) error {
	_, err := s.affect(ctx, query)
	return err
}

// affect returns how many rows the statement found.
func (s *session) affect(ctx context.Context, query string) (int64, error) {
	n, err := s.conn.Exec(ctx, query)
	return n, s.check(err)
}

// queueWith queues a statement with parameters. It stays prepared.
func (s *session) queueWith(ctx context.Context, query string, args ...any) error {
	st := s.kept[query]
	if st == nil {
		var err error
		if st, err = s.conn.Prepare(ctx, query); err != nil {
			return s.check(err)
		}
		s.kept[query] = st
	}
	s.conn.Begin(st)
	for _, a := range args {
		if err := s.conn.Arg(a); err != nil {
			return err
		}
	}
	return s.check(s.conn.Queue(ctx))
}

// query calls fn for each row, with a function that reads its columns. fn may
// not use the session.
func (s *session) query(ctx context.Context, query string, fn func(scan func(...any) error) error, args ...any) error {
	return s.look(s.conn.Query(ctx, query, fn, args...))
}

// queryWith is query with parameters that bind writes.
func (s *session) queryWith(ctx context.Context, query string, fn func(scan func(...any) error) error, bind func() error) error {
	st, err := s.conn.Prepare(ctx, query)
	if err != nil {
		return s.check(err)
	}
	defer st.Close()
	s.conn.Begin(st)
	if err := bind(); err != nil {
		return err
	}
	return s.look(s.conn.Rows(ctx, fn))
}

// look is check for a query, of which an error may be that of whoever was given
// its rows: it breaks nothing.
func (s *session) look(err error) error {
	if err == nil || s.conn.Broken() || errors.Is(err, mysqlwire.ErrEarlier) || errors.As(err, new(*mysqlwire.ServerError)) {
		return s.check(err)
	}
	return err
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
