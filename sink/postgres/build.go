package postgres

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/rowferry/rowferry"
	dialect "github.com/rowferry/rowferry/internal/dialect/postgres"
	"github.com/rowferry/rowferry/internal/sqlsink"
	"github.com/rowferry/rowferry/schema"
)

const (
	// mostBuilders is how many keys are made at the same time. The server reads and
	// sorts for each, with workers of its own where a table is large.
	mostBuilders = 4
	// buildMemory is what a builder's session may sort in at least, in KiB. Any role
	// may set it for itself; a sort takes no more of it than its table needs, and all
	// builders together no more than mostBuilders times that.
	buildMemory = 128 << 10
)

// job is a statement that makes a key.
type job struct {
	of     *rowferry.Mutation // the table's shape
	what   string             // the key, for people; empty where nobody is told
	sql    string
	tables []schema.Name // that it locks, under normal names
	shares bool          // with others that share: they are only read
	bytes  int64         // of its table
	number int           // in the list
}

// builders make keys, as many at a time as do not lock each other out. To build an
// index and to look at every row may take hours, and the server says nothing
// meanwhile: that is waited for on sessions without limits, while the sink's own
// asks whether the server is still at it.
type builders struct {
	sink *Sink
	each func(what string)

	mu      sync.Mutex // also of each
	changed *sync.Cond
	jobs    []*job                             // left
	locks   map[schema.Name]int                // how many share it, or exclusive
	running map[uint32]context.CancelCauseFunc // by the session's process
	failed  *job                               // the first of the list: nothing is begun any more
	err     error                              // its own
}

// exclusive stands for the one that has a table alone.
const exclusive = -1

// build makes keys: the first ones of the list first. What was begun is finished
// where another is refused, and stays.
func (s *Sink) build(ctx context.Context, jobs []*job, each func(what string)) error {
	if len(jobs) == 0 {
		return nil
	}
	if s.options.ReadOnly {
		return rowferry.Errorf(rowferry.CodeInternal, "the PostgreSQL target was opened for reading only")
	}
	b := newBuilders(s)
	b.each, b.jobs = each, jobs
	b.watched(ctx, func() {
		var workers sync.WaitGroup
		for range min(mostBuilders, len(jobs)) {
			workers.Go(func() { b.work(ctx) }) // a "build"
		}
		workers.Wait()
	})
	switch { // nothing else uses the sink now, which learns from errors
	case b.failed != nil:
		return sqlsink.Blame(b.explain(ctx), b.failed.of)
	default:
		return ctx.Err()
	}
}

func newBuilders(s *Sink) *builders {
	b := &builders{sink: s, locks: map[schema.Name]int{}, running: map[uint32]context.CancelCauseFunc{}}
	b.changed = sync.NewCond(&b.mu)
	return b
}

// watched does what may take long on sessions of its own.
func (b *builders) watched(ctx context.Context, do func()) {
	over := make(chan struct{})
	var watcher sync.WaitGroup
	watcher.Go(func() { b.watch(ctx, over) }) // the "build watch"
	do()
	close(over)
	watcher.Wait()
}

// work makes keys on one session until none is left.
func (b *builders) work(ctx context.Context) {
	var conn *pgconn.PgConn
	defer func() { b.close(conn) }()
	for j := b.take(ctx); j != nil; j = b.take(ctx) {
		var err error
		if conn == nil || conn.IsClosed() {
			conn, err = b.open(ctx)
		}
		if err == nil {
			err = b.query(ctx, conn, j.sql, func(dialect.Row) error { return nil })
		}
		b.done(j, err)
	}
}

// take returns the first job whose tables are free, or nil where none is left to
// begin.
func (b *builders) take(ctx context.Context) *job {
	b.mu.Lock()
	defer b.mu.Unlock()
	for len(b.jobs) > 0 && b.failed == nil && ctx.Err() == nil {
		i := slices.IndexFunc(b.jobs, b.free)
		if i < 0 {
			b.changed.Wait()
			continue
		}
		j := b.jobs[i]
		b.jobs = slices.Delete(b.jobs, i, i+1)
		for _, n := range j.tables {
			if b.locks[n]++; !j.shares {
				b.locks[n] = exclusive
			}
		}
		if j.what != "" {
			b.each(j.of.Table.Name.String() + ": " + j.what)
		}
		return j
	}
	return nil
}

// free reports whether nothing keeps a job from its tables.
func (b *builders) free(j *job) bool {
	return !slices.ContainsFunc(j.tables, func(n schema.Name) bool { return b.locks[n] == exclusive || b.locks[n] > 0 && !j.shares })
}

// done lets go of a job's tables.
func (b *builders) done(j *job, err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, n := range j.tables {
		if b.locks[n]--; !j.shares {
			b.locks[n] = 0
		}
	}
	if err != nil && (b.failed == nil || j.number < b.failed.number) {
		b.failed, b.err = j, err
	}
	b.changed.Broadcast()
}

// explain says what the first error means.
func (b *builders) explain(ctx context.Context) error {
	var server *pgconn.PgError
	if !errors.As(b.err, &server) || rowferry.CodeOf(b.err) != "" || len(server.Code) < 2 || server.Code[:2] != "23" {
		return b.sink.translate(ctx, b.err)
	}
	e := rowferry.Errorf(rowferry.CodeRowRefused, "rows of the target's table break a key that the source has")
	e.Err = b.err
	return describe(e.Fact("table", "%s", b.failed.of.Table.Name).Fact("key", "%s", b.failed.what), server)
}

// query runs a statement for as long as the server is at it.
func (b *builders) query(ctx context.Context, conn *pgconn.PgConn, sql string, row func(dialect.Row) error) error {
	if b.sink.options.Trace != nil {
		b.sink.options.Trace(sql, nil)
	}
	watched, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	pid := conn.PID()
	b.mu.Lock()
	b.running[pid] = cancel
	b.mu.Unlock()
	err := dialect.Query(watched, conn, sql, row)
	b.mu.Lock()
	delete(b.running, pid)
	b.mu.Unlock()
	if gone := context.Cause(watched); gone != nil && err != nil {
		return gone
	}
	return err
}

// watch is the goroutine that asks, until all is over, whether the sessions that
// build are still there. It is the sink's session that asks: nothing else uses it
// meanwhile.
func (b *builders) watch(ctx context.Context, over <-chan struct{}) {
	every := time.NewTicker(b.sink.options.Endpoint.Wait() / 4)
	defer every.Stop()
	for {
		select {
		case <-over:
			return
		case <-every.C:
			b.look(ctx)
		}
	}
}

// look ends the wait for sessions that are gone, and for all where the server does
// not say.
func (b *builders) look(ctx context.Context) {
	b.mu.Lock()
	gone := maps.Clone(b.running)
	b.mu.Unlock()
	lost := error(rowferry.Errorf(rowferry.CodeTargetAway, "the target ended the session that makes a key"))
	err := b.sink.query(ctx, "SELECT pid FROM pg_stat_activity", func(r dialect.Row) error {
		pid, err := r.Int(0)
		delete(gone, uint32(pid))
		return err
	})
	if err != nil {
		lost = err
	}
	for _, end := range gone {
		end(lost)
	}
}

// forever is longer than anything that is built.
const forever = 10 * 365 * 24 * time.Hour

// open opens a session without limits. Locks are waited for no longer than
// elsewhere.
func (b *builders) open(ctx context.Context) (*pgconn.PgConn, error) {
	settings := b.sink.settings()
	settings["statement_timeout"] = "0"
	e := b.sink.options.Endpoint
	e.Timeout = forever
	limited, cancel := context.WithTimeout(ctx, b.sink.options.Endpoint.Wait())
	defer cancel()
	conn, err := dialect.Connect(limited, e, settings)
	if err != nil {
		return nil, err
	}
	err = dialect.Query(limited, conn, buildSettings, func(dialect.Row) error { return nil }, strconv.Itoa(buildMemory))
	return conn, err
}

// buildSettings leaves a server its own setting of memory where that is more. What
// is made is on the disk before it is said to be there: merging relies on it.
const buildSettings = "SELECT CASE name WHEN 'synchronous_commit' THEN set_config(name, 'local', false) ELSE set_config(name, greatest(setting::int8, $1::int8)::text || unit, false) END " +
	"FROM pg_settings WHERE name = 'maintenance_work_mem' OR name = 'synchronous_commit' AND setting = 'off'"

func (b *builders) close(conn *pgconn.PgConn) {
	if conn == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), b.sink.options.Endpoint.Wait())
	defer cancel()
	_ = conn.Close(ctx) // nothing is open on it
	<-conn.CleanupDone()
}
