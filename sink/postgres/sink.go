// Package postgres applies batches to a PostgreSQL database.
//
// One session writes, or one a lane. Each batch is one READ COMMITTED transaction that ends
// with the guarded update of its row in rowferry.rowferry_checkpoint, so rows,
// tables and position are durable together or not at all. COMMIT is sent only
// once that update was answered: from then on the transaction holds the row's
// lock, and whoever reads the row waits for what becomes of it.
//
// Mutations travel in a pipeline of prepared statements: a Write costs a few
// round trips, and still each mutation's count is checked and each error names
// its mutation. Values are parameters in the text form that PostgreSQL prints
// itself, checked beforehand: nothing is rounded, cut off or invented.
//
// Foreign keys are enforced with each statement. Where the source had its
// checks off, their check is put off to the end of the batch.
//
// No wait is endless. The session's own limits (lock, statement and idle
// transaction) follow the endpoint's timeout, so that a transaction whose
// engine was stopped or cut off dies by itself and gives its locks back. Where
// that happened in the middle of a pipeline the server would wait for the rest:
// whoever comes after ends such a session.
package postgres

import (
	"context"
	"slices"
	"strconv"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/rowferry/rowferry"
	"github.com/rowferry/rowferry/internal/connect"
	dialect "github.com/rowferry/rowferry/internal/dialect/postgres"
	"github.com/rowferry/rowferry/internal/sqlsink"
	"github.com/rowferry/rowferry/schema"
)

// The values of Options.Triggers.
const (
	triggersRefuse   = ""
	triggersFire     = "fire"
	triggersSuppress = "suppress"
)

// Options are what a Sink can be told.
type Options struct {
	// Endpoint is the server. Its Timeout bounds every wait, and its Database
	// is the one that is written to.
	Endpoint connect.Endpoint
	// Triggers says what to do with a target table that has enabled triggers:
	// "" refuses it, "fire" accepts it, "suppress" disables them inside each
	// batch's transaction, which needs the table's owner and keeps other
	// writers out while a batch lasts.
	Triggers string
	// ByKey finds the row of an update or delete by its key alone, rather than
	// by its old values too.
	ByKey bool
	// InScope reports whether the pipeline makes, or may yet make, the table
	// of that target name. A foreign key to another table that does not exist
	// is left out. Nil means that every table is.
	InScope func(schema.Name) bool
	// CreateTables lets Shape mutations make missing tables.
	CreateTables bool
	// ReadOnly is for the reading methods of a CheckpointKeeper only; nothing
	// is made, changed or locked.
	ReadOnly bool
	// Notice is called with what the operator should know about tables as they
	// are made. Nil drops notices.
	Notice func(string)
	// Trace is called with every statement that writes, before it is sent, and
	// its values as text, from as many goroutines as there are lanes. Nil traces
	// nothing.
	Trace func(sql string, values []string)
}

// Sink applies batches to one database. It is used by one goroutine at a time.
type Sink struct {
	options Options
	conn    *pgconn.PgConn // nil where there is none; every use goes through session
	gone    []*pgconn.PgConn
	open    *batch // the open batch, or nil
	inside  bool   // a transaction was begun on conn

	shapes     map[schema.Name]*schema.Table // told so far, under normal names
	targets    map[schema.Name]*target
	silent     map[string]*dialect.Existing // tables whose triggers the open batch disabled, by quoted name
	statements *sqlsink.Statements[*statement]
	released   []string // prepared statements to be let go of at the server
	copyBuffer []byte   // of rows on their way, for the next ones
	named      int      // prepared statements so far
	untidy     bool     // the server may have statements that nobody knows
	hindered   bool     // a lock was not to be had
	demoted    bool     // the server takes no writes any more: another may answer by now
	noticed    map[string]bool
	lane       bool        // of another sink
	durable    *durability // one for a sink and its lanes
	loading    *loading    // one for a sink, its lanes and its loads
	lags       *lagGauge
}

var (
	_ rowferry.Laner     = (*Sink)(nil)
	_ rowferry.Preparer  = (*Sink)(nil)
	_ rowferry.Sequencer = (*Sink)(nil)
	_ rowferry.Examiner  = (*Sink)(nil)
)

// Open connects to the server. Errors: CodeBadValue for options, CodeBadTLS,
// CodeTargetAway, CodeTargetDenied, and CodeTargetUnfit for a server that
// cannot hold what a source sends.
func Open(ctx context.Context, o Options) (*Sink, error) {
	switch o.Triggers {
	case triggersRefuse, triggersFire, triggersSuppress:
	default:
		return nil, rowferry.Errorf(rowferry.CodeBadValue, "triggers: %q is neither fire nor suppress", o.Triggers)
	}
	s := newSink(o)
	if _, err := s.session(ctx); err != nil {
		return nil, err
	}
	return s, nil
}

func newSink(o Options) *Sink {
	s := &Sink{options: o, shapes: map[schema.Name]*schema.Table{}, targets: map[schema.Name]*target{}, silent: map[string]*dialect.Existing{}, noticed: map[string]bool{}, durable: &durability{}, loading: &loading{}, lags: &lagGauge{}}
	s.statements = sqlsink.NewStatements(func(st *statement) { s.released = append(s.released, st.name) })
	return s
}

// Lane opens another connection. Prepare alone makes tables, and has notices to
// give. Where triggers are suppressed a batch locks its tables.
func (s *Sink) Lane(ctx context.Context) (rowferry.Sink, error) {
	if s.options.Triggers == triggersSuppress {
		return nil, nil
	}
	l, err := s.beside(ctx)
	if err != nil {
		return nil, err
	}
	return l, nil
}

// beside opens another connection to the same target.
func (s *Sink) beside(ctx context.Context) (*Sink, error) {
	o := s.options
	o.Notice = nil
	l := newSink(o)
	l.lane, l.durable, l.loading = true, s.durable, s.loading
	if _, err := l.session(ctx); err != nil {
		return nil, err
	}
	return l, nil
}

// session returns the connection, making one where there is none. A connection
// that failed in any way but with the server's own error is never used again.
func (s *Sink) session(ctx context.Context) (*pgconn.PgConn, error) {
	if s.conn != nil && !s.conn.IsClosed() && (!s.demoted || s.inside) {
		if s.hindered && !s.inside {
			return s.conn, s.endStuck(ctx)
		}
		return s.conn, nil
	}
	if s.inside {
		// What follows belongs to the transaction that ended with it.
		return nil, rowferry.Errorf(rowferry.CodeTargetAway, "the connection to the target was lost in the middle of a transaction")
	}
	s.drop()
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	conn, err := dialect.Connect(ctx, s.options.Endpoint, s.settings())
	if err != nil {
		return nil, s.translate(ctx, err)
	}
	s.conn = conn
	err = s.checkSession(ctx)
	if err == nil {
		err = s.endStuck(ctx)
	}
	if err != nil {
		s.drop()
		return nil, err
	}
	return conn, nil
}

// settings are the session's limits. A lock is given up first, then a
// statement, both before the client stops waiting for the answer; a
// transaction that nobody goes on with ends when the client would have stopped
// waiting.
func (s *Sink) settings() map[string]string {
	wait := s.options.Endpoint.Wait()
	m := map[string]string{
		"lock_timeout":                        dialect.Millis(wait / 2),
		"statement_timeout":                   dialect.Millis(wait * 3 / 4),
		"idle_in_transaction_session_timeout": dialect.Millis(wait),
	}
	if s.options.ReadOnly {
		m["default_transaction_read_only"] = "on"
	}
	return m
}

const sessionQuery = `SELECT current_setting('server_version_num'), current_setting('server_encoding'),
  current_setting('session_replication_role'), current_setting('search_path'), current_setting('synchronous_commit')`

// oldest is the first version whose behaviour is known: 13.
const oldest = 130000

// checkSession refuses a server, or a session behind a proxy, in which rows
// would not be what they are elsewhere.
func (s *Sink) checkSession(ctx context.Context) error {
	return s.query(ctx, sessionQuery, func(r dialect.Row) error {
		if r.Text(4) == "off" {
			s.durable.relaxed.Store(true)
		}
		version, err := strconv.Atoi(r.Text(0))
		if err != nil {
			return rowferry.Errorf(rowferry.CodeTargetUnfit, "the target calls its version %q", r.Text(0))
		}
		for _, f := range []rowferry.Finding{versionFinding(version), encodingFinding(r.Text(1)), roleFinding(r.Text(2)), pathFinding(r.Text(3))} {
			if err := f.Err(); err != nil {
				return err
			}
		}
		return nil
	})
}

// query runs one statement on the session and translates its error.
func (s *Sink) query(ctx context.Context, sql string, fn func(dialect.Row) error, args ...any) error {
	conn, err := s.session(ctx)
	if err != nil {
		return err
	}
	return s.translate(ctx, dialect.Query(ctx, conn, sql, fn, args...))
}

// exec runs one statement on the session and returns the rows it affected.
func (s *Sink) exec(ctx context.Context, sql string, args ...any) (int64, error) {
	conn, err := s.session(ctx)
	if err != nil {
		return 0, err
	}
	tag, err := dialect.Exec(ctx, conn, sql, args...)
	return tag.RowsAffected(), s.translate(ctx, err)
}

// run executes a statement that changes the schema.
func (s *Sink) run(ctx context.Context, sql string) error {
	if s.options.Trace != nil {
		s.options.Trace(sql, nil)
	}
	_, err := s.exec(ctx, sql)
	return err
}

// drop lets go of the connection and of what was remembered with it. The
// driver may still be telling the server; Close waits for that.
func (s *Sink) drop() {
	if s.conn != nil {
		if !s.conn.IsClosed() {
			ctx, cancel := context.WithTimeout(context.Background(), s.options.Endpoint.Wait())
			// It is being abandoned; what it says to that does not matter.
			_ = s.conn.Close(ctx)
			cancel()
		}
		s.gone = append(slices.DeleteFunc(s.gone, finished), s.conn)
		s.conn = nil
	}
	s.inside = false
	s.forget()
	s.released, s.untidy, s.demoted, s.hindered = nil, false, false, false // they ended with the session
}

func finished(conn *pgconn.PgConn) bool {
	select {
	case <-conn.CleanupDone():
		return true
	default:
		return false
	}
}

// forget drops all that is remembered of the database's schema.
func (s *Sink) forget() {
	s.statements.Clear()
	clear(s.targets)
	clear(s.silent)
}

// Close rolls back an open batch and closes the connection.
func (s *Sink) Close() error {
	var err error
	if s.open != nil {
		err = s.open.Rollback()
	}
	s.drop()
	for _, conn := range s.gone {
		<-conn.CleanupDone()
	}
	s.gone = nil
	s.lags.close()
	if !s.lane {
		s.durable.drop()
	}
	return err
}

// commit ends the transaction. A COMMIT of a transaction that failed is
// answered without an error, as a ROLLBACK.
func (s *Sink) commit(ctx context.Context) error {
	conn, err := s.session(ctx)
	if err != nil {
		return err
	}
	tag, err := dialect.Exec(ctx, conn, "COMMIT")
	if err != nil {
		return s.translate(ctx, err)
	}
	s.inside = false
	if tag.String() != "COMMIT" {
		return rowferry.Errorf(rowferry.CodeTarget, "the target answered a COMMIT with %s", tag)
	}
	return nil
}

// rollback undoes whatever transaction is open. A connection on which that
// fails is let go of, which undoes it too.
func (s *Sink) rollback() {
	defer func() { s.inside = false }()
	if s.conn == nil || s.conn.IsClosed() {
		s.drop()
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), s.options.Endpoint.Wait())
	defer cancel()
	if _, err := dialect.Exec(ctx, s.conn, "ROLLBACK"); err != nil {
		s.drop()
	}
}

// idle refuses the use of the session that has a batch open: it would see what
// is not committed.
func (s *Sink) idle(ctx context.Context) error {
	if s.open != nil {
		return rowferry.Errorf(rowferry.CodeInternal, "the PostgreSQL target was asked something while a batch is open")
	}
	return ctx.Err()
}

// notice tells the operator something once, however often a batch is repeated.
func (s *Sink) notice(n string) {
	if s.options.Notice != nil && !s.noticed[n] {
		s.noticed[n] = true
		s.options.Notice(n)
	}
}

// normal returns the name under which a table is known here: with its schema.
func normal(n schema.Name) schema.Name {
	return schema.Name{Schema: dialect.Namespace(n), Table: n.Table}
}
