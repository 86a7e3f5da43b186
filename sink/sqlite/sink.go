// Package sqlite applies batches to a SQLite database file.
//
// One connection writes. Each batch is one BEGIN IMMEDIATE transaction that
// ends with the guarded update of its row in rowferry_checkpoint, so rows,
// tables and position are durable together or not at all. The journal is WAL
// with synchronous=FULL: every commit is flushed, readers see whole batches
// and are never blocked.
//
// Foreign keys are enforced. Within a batch their check is put off to the
// commit (defer_foreign_keys), which accepts every order the source logged;
// what is violated then is refused.
//
// Memory: SQLite's page cache is bounded to about 40 MiB, whatever the size of
// a batch; pages beyond it spill to the WAL.
package sqlite

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"zombiezen.com/go/sqlite"

	"github.com/rowferry/rowferry"
	dialect "github.com/rowferry/rowferry/internal/dialect/sqlite"
	"github.com/rowferry/rowferry/internal/sqlsink"
	"github.com/rowferry/rowferry/schema"
)

// DefaultBusyTimeout is how long another writer's lock is waited for.
const DefaultBusyTimeout = 10 * time.Second

const (
	// cacheKiB bounds SQLite's page cache. A cached page takes up to twice its
	// size.
	cacheKiB = 16 << 10
	// busySlice is how long SQLite waits for a lock before the context is
	// looked at again.
	busySlice = 50 * time.Millisecond
	// walLimit is the size of the WAL beyond which it is truncated after the
	// commit that made it so large.
	walLimit = 64 << 20
)

// Options are what a Sink can be told. DefaultOptions has the defaults.
type Options struct {
	// Triggers says what to do with a target table that has triggers: ""
	// refuses it, "fire" accepts it. SQLite cannot suppress triggers, so
	// "suppress" is refused.
	Triggers string
	// ByKey finds the row of an update or delete by its key alone, rather than
	// by its old values too.
	ByKey bool
	// InScope reports whether the pipeline makes, or may yet make, the table
	// of that target name. Foreign keys to other tables that do not exist are
	// left out, since SQLite would refuse every row. Nil means that every
	// table is.
	InScope func(schema.Name) bool
	// BusyTimeout is how long to wait for another connection's write lock.
	// Zero means DefaultBusyTimeout.
	BusyTimeout time.Duration
	// CreateTables lets Shape mutations make missing tables.
	CreateTables bool
	// ReadOnly opens an existing database for the reading methods of a
	// CheckpointKeeper only; it makes and changes nothing.
	ReadOnly bool
	// Notice is called with what the operator should know about tables as they
	// are made. Nil drops notices.
	Notice func(string)
	// Trace is called with every statement that writes, before it runs, and
	// its values as text. Nil traces nothing.
	Trace func(sql string, values []string)
}

// DefaultOptions returns the options of a pipeline that sets none.
func DefaultOptions() Options {
	return Options{BusyTimeout: DefaultBusyTimeout, CreateTables: true}
}

// Sink applies batches to one SQLite file. It is used by one goroutine at a
// time.
type Sink struct {
	conn    *sqlite.Conn
	path    string
	options Options
	open    *batch // the open batch, or nil

	loading *loading // one for a sink and its load

	version int64 // the database's schema version that the caches below belong to
	targets map[string]*target
	graph   *graph // nil until needed
	stmts   *sqlsink.Statements[*statement]
}

var _ rowferry.CheckpointKeeper = (*Sink)(nil)

// Open opens the database file at path, making it when it is missing and its
// directory exists. Errors: CodeBadValue for options, CodeTarget where the
// file cannot be opened or is no database, CodeTargetBusy where it stays
// locked.
func Open(ctx context.Context, path string, o Options) (*Sink, error) {
	if err := checkOptions(path, &o); err != nil {
		return nil, err
	}
	return open(ctx, path, o, &loading{})
}

// open opens a connection.
func open(ctx context.Context, path string, o Options, l *loading) (*Sink, error) {
	flags := sqlite.OpenReadWrite | sqlite.OpenCreate
	if o.ReadOnly {
		flags = sqlite.OpenReadOnly
	}
	conn, err := sqlite.OpenConn(path, flags)
	if err != nil {
		return nil, rowferry.Errorf(rowferry.CodeTarget, "the SQLite database cannot be opened: %w", err).Fact("file", "%s", path)
	}
	s := &Sink{conn: conn, path: path, options: o, loading: l, targets: map[string]*target{}, stmts: sqlsink.NewStatements(finalize)}
	if err := s.configure(ctx); err != nil {
		// The first error is the one to tell.
		_ = conn.Close()
		return nil, err
	}
	return s, nil
}

func checkOptions(path string, o *Options) error {
	switch o.Triggers {
	case "", "fire":
	case "suppress":
		return rowferry.Errorf(rowferry.CodeBadValue, "SQLite cannot suppress triggers").
			Remedy("let them fire", "triggers: fire")
	default:
		return rowferry.Errorf(rowferry.CodeBadValue, "triggers: %q is neither fire nor suppress", o.Triggers)
	}
	if path == "" || path == ":memory:" || strings.ContainsRune(path, 0) {
		return rowferry.Errorf(rowferry.CodeBadValue, "%q is not a file that a SQLite database can live in", path)
	}
	if o.BusyTimeout < 0 {
		return rowferry.Errorf(rowferry.CodeBadValue, "the busy timeout is negative: %s", o.BusyTimeout)
	}
	if o.BusyTimeout == 0 {
		o.BusyTimeout = DefaultBusyTimeout
	}
	return nil
}

// configure sets the connection up. Switching to WAL needs an exclusive lock
// and is lasting; a file system without shared memory keeps another mode, in
// which EXTRA is what makes a commit durable.
func (s *Sink) configure(ctx context.Context) error {
	s.conn.SetBusyTimeout(busySlice)
	mode := "wal"
	if !s.options.ReadOnly {
		err := s.patiently(ctx, func() error {
			return dialect.Query(s.conn, "PRAGMA journal_mode = WAL", func(r *sqlite.Stmt) error {
				mode = r.ColumnText(0)
				return nil
			})
		})
		if err != nil {
			return err
		}
	}
	sync := "EXTRA"
	if mode == "wal" {
		sync = "FULL"
	}
	for _, p := range []string{
		"synchronous = " + sync,
		"foreign_keys = ON",
		"recursive_triggers = OFF",
		"temp_store = FILE",
		"cache_spill = ON",
		fmt.Sprintf("cache_size = -%d", cacheKiB),
		fmt.Sprintf("journal_size_limit = %d", walLimit),
	} {
		if err := s.patiently(ctx, func() error { return dialect.Exec(s.conn, "PRAGMA "+p) }); err != nil {
			return err
		}
	}
	// A file that is no database is recognised by the first read.
	return s.patiently(ctx, func() error { return dialect.Exec(s.conn, "SELECT count(*) FROM sqlite_schema") })
}

// patiently runs fn until it meets no lock, for at most the busy timeout.
func (s *Sink) patiently(ctx context.Context, fn func() error) error {
	deadline := time.Now().Add(s.options.BusyTimeout)
	for {
		if err := ctx.Err(); err != nil {
			return err
		}
		err := fn()
		if err == nil {
			return nil
		}
		if code := sqlite.ErrCode(err).ToPrimary(); code != sqlite.ResultBusy && code != sqlite.ResultLocked || time.Now().After(deadline) {
			return s.translate(err)
		}
	}
}

// Begin starts a batch by taking the database's write lock. CodeTargetBusy
// when another connection keeps it for longer than the busy timeout.
func (s *Sink) Begin(ctx context.Context) (rowferry.SinkTx, error) {
	if s.open != nil {
		return nil, rowferry.Errorf(rowferry.CodeInternal, "a batch is already open on the SQLite target")
	}
	if err := s.start(ctx); err != nil {
		return nil, err
	}
	b := &batch{sink: s}
	if err := b.prepare(); err != nil {
		return nil, errors.Join(err, s.abandon())
	}
	s.open = b
	return b, nil
}

// start begins an immediate transaction.
func (s *Sink) start(ctx context.Context) error {
	if s.options.ReadOnly {
		return rowferry.Errorf(rowferry.CodeInternal, "the SQLite target was opened for reading only").Fact("file", "%s", s.path)
	}
	return s.patiently(ctx, func() error { return dialect.Exec(s.conn, "BEGIN IMMEDIATE") })
}

// abandon rolls back whatever transaction is open. SQLite may already have
// done so (disk full, interrupt). What a failed rollback leaves behind ends
// with the connection.
func (s *Sink) abandon() error {
	s.conn.SetInterrupt(nil)
	if s.conn.AutocommitEnabled() {
		return nil
	}
	return s.translate(dialect.Exec(s.conn, "ROLLBACK"))
}

// within runs fn in a transaction of its own.
func (s *Sink) within(ctx context.Context, fn func() error) error { return s.between(ctx, s.start, fn) }

// looking runs fn in a transaction of its own that only reads.
func (s *Sink) looking(ctx context.Context, fn func() error) error {
	return s.between(ctx, func(ctx context.Context) error {
		return s.patiently(ctx, func() error { return dialect.Exec(s.conn, "BEGIN") })
	}, fn)
}

// between runs fn between begin and a commit, or a rollback where it fails.
func (s *Sink) between(ctx context.Context, begin func(context.Context) error, fn func() error) error {
	if err := s.idle(ctx); err != nil {
		return err
	}
	if err := begin(ctx); err != nil {
		return err
	}
	err := fn()
	if err == nil {
		err = s.translate(dialect.Exec(s.conn, "COMMIT"))
	}
	if err != nil {
		if rerr := s.abandon(); rerr != nil {
			return fmt.Errorf("%w (and the rollback failed: %w)", err, rerr)
		}
	}
	return err
}

// Close rolls back an open batch and closes the file. The last connection to
// close moves the WAL into the database.
func (s *Sink) Close() error {
	var first error
	if s.open != nil {
		first = s.open.Rollback()
	}
	s.forget()
	if err := s.conn.Close(); err != nil && first == nil {
		first = s.translate(err)
	}
	return first
}

// forget drops all that is remembered of the database's schema.
func (s *Sink) forget() {
	s.stmts.Clear()
	clear(s.targets)
	s.graph = nil
}

// remember drops the caches if another connection changed the schema since
// they were made.
func (s *Sink) remember() {
	if version := s.schemaVersion(); version < 0 || version != s.version {
		s.forget()
		s.version = version
	}
}

// schemaVersion returns SQLite's count of schema changes, or -1 where it
// cannot be had, which makes the caches count as stale.
func (s *Sink) schemaVersion() int64 {
	version := int64(-1)
	err := dialect.Query(s.conn, "PRAGMA schema_version", func(r *sqlite.Stmt) error {
		version = r.ColumnInt64(0)
		return nil
	})
	if err != nil {
		return -1
	}
	return version
}

func (s *Sink) notice(n string) {
	if s.options.Notice != nil {
		s.options.Notice(n)
	}
}

// truncateWAL gives back the disk that a huge batch took. It is best effort:
// readers may hold the WAL, which is then truncated after a later commit, or by
// Close.
func (s *Sink) truncateWAL() {
	info, err := os.Stat(s.path + "-wal")
	if err != nil || info.Size() <= walLimit {
		return
	}
	s.conn.SetBusyTimeout(0)
	defer s.conn.SetBusyTimeout(busySlice)
	_ = dialect.Exec(s.conn, "PRAGMA wal_checkpoint(TRUNCATE)")
}
