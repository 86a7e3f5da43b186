// Package mysql applies batches to a MySQL or MariaDB server.
//
// One connection writes, or one a lane. Each batch is one READ COMMITTED transaction on InnoDB
// tables that ends with the guarded update of its row in rowferry_checkpoint;
// COMMIT is sent only after that update's answer was read, so the transaction
// holds the row's lock while a COMMIT may be under way. ReadCheckpoint waits for
// that lock: what it returns cannot be overtaken.
//
// DDL commits by itself in MySQL, so tables and foreign keys are made by
// Prepare, on a connection of its own and before the batch; Write only checks.
//
// The statements of a WriteBulk are sent before those ahead of them are answered,
// with autocommit off (see session.begin); each other statement is waited for.
//
// Chunks of a copy are loaded on connections of their own, each chunk in one
// transaction that holds the checkpoint's row in share mode while it commits:
// others do not wait for it, and whoever takes the pipeline over does. Changes
// are merged by inserts that overwrite, which none is that could meet another row
// than its own. Keys that Complete adds are made on yet another connection, with
// no end to its patience; a goroutine, "watch", asks on the first one whether the
// server is still at it.
//
// Values are bound to prepared statements, never written into SQL; the only
// texts in SQL are names and the labels of ENUM and SET. Foreign-key and unique
// checks are always on, and rows are never replaced: an insert that meets any
// unique key is refused, unless it is merged and meets its own row.
package mysql

import (
	"context"

	"github.com/rowferry/rowferry"
	"github.com/rowferry/rowferry/internal/connect"
	"github.com/rowferry/rowferry/internal/sqlsink"
	"github.com/rowferry/rowferry/schema"
)

// Options are what a Sink can be told. DefaultOptions has the defaults.
type Options struct {
	// Endpoint is the server. Its Database is where tables without a namespace
	// go, and the checkpoint table; "" puts the latter into the database
	// rowferry.
	Endpoint connect.Endpoint
	// CreateTables makes missing tables and databases. Without it a missing
	// table is CodeTableDiffers.
	CreateTables bool
	// InScope reports whether the pipeline carries a table, under its target
	// name, so that a foreign key to it may wait for it. Nil means every table.
	InScope func(schema.Name) bool
	// Triggers says what to do with a target table that has triggers: ""
	// refuses it, "fire" accepts it. MySQL cannot suppress triggers, so
	// "suppress" is refused.
	Triggers string
	// ByKey finds the row of an update or delete by its key alone, rather than
	// by its old values too.
	ByKey bool
	// ReadOnly opens the target for looking only.
	ReadOnly bool
	// Notice is told, for people, what could not be carried exactly. Nil drops
	// the notices.
	Notice func(string)
	// Trace is called with every statement that writes, before it runs, and
	// its values as text, from as many goroutines as there are lanes. Nil traces
	// nothing.
	Trace func(sql string, values []string)
}

// DefaultOptions returns the options of a pipeline that sets none.
func DefaultOptions() Options { return Options{CreateTables: true} }

// Sink applies batches to one server. It is used by one goroutine at a time.
type Sink struct {
	options Options
	dialer  *dialer
	server  server
	session *session // nil when there is none, or the last one broke
	open    *batch   // the open batch, or nil

	targets map[schema.Name]*target
	stmts   *sqlsink.Statements[*statement]
	shapes  map[schema.Name]*schema.Table // all that Prepare was given
	folded  map[schema.Name]schema.Name   // names of shapes, by their place as the server compares it
	noticed map[string]bool

	loading *loading // shared with what writes to the same target beside this
	version int      // of loading, when targets were looked at
}

var (
	_ rowferry.Laner     = (*Sink)(nil)
	_ rowferry.Loader    = (*Sink)(nil)
	_ rowferry.LastTx    = (*batch)(nil)
	_ rowferry.MergeTx   = (*batch)(nil)
	_ rowferry.Preparer  = (*Sink)(nil)
	_ rowferry.Sequencer = (*Sink)(nil)
	_ rowferry.Examiner  = (*Sink)(nil)
)

// Open connects to the server. Errors: CodeBadValue for options, CodeBadTLS,
// CodeTargetAway where the server does not answer, CodeTargetDenied where it
// refuses the login, CodeTargetUnfit for a server that cannot be a target.
func Open(ctx context.Context, o Options) (*Sink, error) {
	if err := checkOptions(o); err != nil {
		return nil, err
	}
	d, err := newDialer(o.Endpoint)
	if err != nil {
		return nil, err
	}
	s := newSink(o, d, &loading{})
	if err := s.connect(ctx); err != nil {
		return nil, err
	}
	return s, nil
}

func newSink(o Options, d *dialer, l *loading) *Sink {
	return &Sink{options: o, dialer: d, targets: map[schema.Name]*target{}, stmts: sqlsink.NewStatements(closeStatement),
		shapes: map[schema.Name]*schema.Table{}, folded: map[schema.Name]schema.Name{}, noticed: map[string]bool{}, loading: l}
}

// Lane opens another connection. Whether names collide was seen by Prepare,
// which alone has notices to give.
func (s *Sink) Lane(ctx context.Context) (rowferry.Sink, error) {
	l, err := s.lane(ctx)
	if err != nil {
		return nil, err
	}
	return l, nil
}

func (s *Sink) lane(ctx context.Context) (*Sink, error) {
	o := s.options
	o.Notice = nil
	l := newSink(o, s.dialer, s.loading)
	if err := l.connect(ctx); err != nil {
		return nil, err
	}
	return l, nil
}

func checkOptions(o Options) error {
	switch o.Endpoint.Scheme {
	case "mysql", "mariadb":
	default:
		return rowferry.Errorf(rowferry.CodeBadValue, "%q is no scheme of a MySQL server", o.Endpoint.Scheme)
	}
	switch o.Triggers {
	case "", "fire":
	case "suppress":
		return rowferry.Errorf(rowferry.CodeBadValue, "MySQL cannot suppress triggers").
			Remedy("let them fire", "triggers: fire")
	default:
		return rowferry.Errorf(rowferry.CodeBadValue, "triggers: %q is neither fire nor suppress", o.Triggers)
	}
	return nil
}

// connect makes sure that there is a session. A new one knows nothing of what
// the last one remembered of the target.
func (s *Sink) connect(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if s.session != nil && !s.session.broken {
		return nil
	}
	s.disconnect()
	session, err := s.dialer.session(ctx)
	if err != nil {
		return s.translate(err)
	}
	// After a failover it may be another one.
	if s.server, err = readServer(ctx, session); err != nil {
		session.close()
		return s.translate(err)
	}
	session.conn.SetMaxPacket(s.server.maxPacket)
	s.session = session
	return nil
}

// disconnect lets go of the session and of all that is remembered through it.
// The server rolls back what it had open.
func (s *Sink) disconnect() {
	s.forget()
	if s.session != nil {
		s.session.close()
		s.session = nil
	}
}

// forget drops all that is remembered of the target's tables.
func (s *Sink) forget() {
	s.stmts.Clear()
	clear(s.targets)
}

// Begin starts a batch, on a new connection where the last one broke.
func (s *Sink) Begin(ctx context.Context) (rowferry.SinkTx, error) {
	switch {
	case s.open != nil:
		return nil, rowferry.Errorf(rowferry.CodeInternal, "a batch is already open on the MySQL target")
	case s.options.ReadOnly:
		return nil, rowferry.Errorf(rowferry.CodeInternal, "the MySQL target was opened for reading only")
	}
	b, err := s.begin(ctx)
	if err != nil {
		return nil, err
	}
	return b, nil
}

func (s *Sink) begin(ctx context.Context) (*batch, error) {
	if v := s.loading.changes(); v != s.version { // tables were, or are no longer, to be loaded
		s.forget()
		s.version = v
	}
	if err := s.start(ctx); err != nil {
		return nil, err
	}
	s.open = &batch{sink: s}
	return s.open, nil
}

// start begins a transaction, of which the server is told with what follows. A
// connection that it closed while nothing went over it is made again.
func (s *Sink) start(ctx context.Context) error {
	fresh := s.session == nil || s.session.broken
	if err := s.connect(ctx); err != nil {
		return err
	}
	err := s.session.begin(ctx)
	if err != nil && s.session.broken && !fresh && ctx.Err() == nil {
		if err := s.connect(ctx); err != nil {
			return err
		}
		err = s.session.begin(ctx)
	}
	return s.translate(err)
}

// abandon rolls back whatever transaction is open. One that cannot be rolled
// back ends with its connection.
func (s *Sink) abandon() {
	if s.session == nil {
		return
	}
	ctx := context.Background()
	s.session.drain(ctx)
	if !s.session.broken && s.session.exec(ctx, "ROLLBACK") != nil {
		s.session.broken = true
	}
	if s.session.broken {
		s.disconnect()
	}
}

// Close rolls back an open batch and closes the connection.
func (s *Sink) Close() error {
	if s.open != nil {
		// A batch that cannot be rolled back ends with the connection.
		_ = s.open.Rollback()
	}
	s.disconnect()
	return nil
}

// notice tells something once.
func (s *Sink) notice(n string) {
	if s.options.Notice != nil && !s.noticed[n] {
		s.noticed[n] = true
		s.options.Notice(n)
	}
}

func (s *Sink) trace(sql string, values []string) {
	if s.options.Trace != nil {
		s.options.Trace(sql, values)
	}
}
