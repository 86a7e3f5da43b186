package postgres

import (
	"context"
	"errors"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/rowferry/rowferry"
	dialect "github.com/rowferry/rowferry/internal/dialect/postgres"
	"github.com/rowferry/rowferry/internal/sqlsink"
	"github.com/rowferry/rowferry/schema"
)

// Complete makes the keys and indexes that tables made by Rowferry lack: first
// the unique ones of all tables, then the foreign keys, for which the server
// looks at every row. Each is a transaction of its own, so what was made stays
// where a later one is refused.
func (s *Sink) Complete(ctx context.Context, shapes []rowferry.Mutation, c rowferry.Completion) error {
	if err := s.idle(ctx); err != nil {
		return err
	}
	if err := sqlsink.OnlyShapes(shapes); err != nil {
		return err
	}
	b := &builder{sink: s, each: c.Each}
	defer b.close()
	for i := range shapes {
		if err := b.keys(ctx, &shapes[i]); err != nil {
			return sqlsink.Blame(err, &shapes[i])
		}
	}
	if err := b.orphans(ctx, shapes, c); err != nil {
		return err
	}
	for i := range shapes {
		if err := b.foreignKeys(ctx, &shapes[i]); err != nil {
			return sqlsink.Blame(err, &shapes[i])
		}
	}
	s.loading.end(shapes)
	s.forget()
	return s.within(ctx, func() error {
		for i := range shapes {
			s.shapes[normal(shapes[i].Table.Name)] = shapes[i].Table
		}
		for i := range shapes { // of tables that were made meanwhile
			if err := s.addAwaited(ctx, shapes[i].Table); err != nil {
				return sqlsink.Blame(err, &shapes[i])
			}
		}
		return nil
	})
}

// builder makes keys. To build an index and to look at every row may take hours,
// and the server says nothing meanwhile: that is waited for on a session without
// limits, while the sink's own asks whether the server is still at it.
type builder struct {
	sink *Sink
	each func(what string)
	conn *pgconn.PgConn // nil until needed
}

// keys makes the keys and indexes of a table that are not there.
func (b *builder) keys(ctx context.Context, m *rowferry.Mutation) error {
	x, err := b.made(ctx, m.Table)
	if err != nil || x == nil {
		return err
	}
	there, err := b.sink.indexNames(ctx, x)
	if err != nil {
		return err
	}
	for _, k := range dialect.Keys(m.Table) {
		if there[k.Name] || k.Spare != nil && there[k.Spare.Name] {
			continue
		}
		if k.What() != "" {
			b.each(m.Table.Name.String() + ": " + k.What())
		}
		if k, err = b.sink.free(ctx, m.Table, k); err != nil {
			return err
		}
		if err := b.build(ctx, m, k.Unique, k.SQL); err != nil {
			return err
		}
	}
	return nil
}

// indexNames returns the names of a table's indexes.
func (s *Sink) indexNames(ctx context.Context, x *dialect.Existing) (map[string]bool, error) {
	there := map[string]bool{}
	err := s.query(ctx, "SELECT c.relname FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid WHERE i.indrelid = $1", func(r dialect.Row) error {
		there[r.Text(0)] = true
		return nil
	}, x.OID)
	return there, err
}

// foreignKeys makes the foreign keys of a table that are not there.
func (b *builder) foreignKeys(ctx context.Context, m *rowferry.Mutation) error {
	t := m.Table
	missing, err := b.lackingForeign(ctx, t)
	if err != nil {
		return err
	}
	for _, f := range missing {
		what := "foreign key " + sqlsink.DescribeKey(t, f)
		b.each(t.Name.String() + ": " + what)
		if err := b.build(ctx, m, what, dialect.AddForeignKey(t, f, true)); err != nil {
			return err
		}
	}
	return nil
}

// lackingForeign returns the foreign keys that a table which Rowferry made lacks and
// that it can have.
func (b *builder) lackingForeign(ctx context.Context, t *schema.Table) (missing []schema.ForeignKey, err error) {
	x, err := b.made(ctx, t)
	if err != nil || x == nil {
		return nil, err
	}
	for _, f := range t.ForeignKeys {
		if has(t, f, x) {
			continue
		}
		parent, err := b.sink.look(ctx, f.Parent)
		if err != nil {
			return nil, err
		}
		if parent == nil && b.sink.inScope(f.Parent) {
			continue
		}
		ok, err := b.sink.bears(ctx, t, f, parent)
		if err != nil {
			return nil, err
		}
		if ok {
			missing = append(missing, f)
		}
	}
	return missing, nil
}

// made returns a table as it exists, or nil where somebody else made it.
func (b *builder) made(ctx context.Context, t *schema.Table) (*dialect.Existing, error) {
	x, err := b.sink.inspect(ctx, t)
	switch {
	case err != nil:
		return nil, err
	case x == nil:
		return nil, rowferry.Errorf(rowferry.CodeTableDiffers, "a table whose keys are to be made does not exist in the target").
			Fact("table", "%s", t.Name)
	case !x.Made:
		return nil, nil
	default:
		return x, nil
	}
}

// build runs a statement that makes a key.
func (b *builder) build(ctx context.Context, m *rowferry.Mutation, what, sql string) error {
	if b.sink.options.ReadOnly {
		return rowferry.Errorf(rowferry.CodeInternal, "the PostgreSQL target was opened for reading only")
	}
	if err := b.open(ctx); err != nil {
		return err
	}
	if b.sink.options.Trace != nil {
		b.sink.options.Trace(sql, nil)
	}
	err := b.watched(ctx, func(ctx context.Context) error {
		_, err := dialect.Exec(ctx, b.conn, sql)
		return err
	})
	var server *pgconn.PgError
	if !errors.As(err, &server) || rowferry.CodeOf(err) != "" || len(server.Code) < 2 || server.Code[:2] != "23" {
		return b.sink.translate(ctx, err)
	}
	e := rowferry.Errorf(rowferry.CodeRowRefused, "rows of the target's table break a key that the source has")
	e.Err = err
	return describe(e.Fact("table", "%s", m.Table.Name).Fact("key", "%s", what), server)
}

// watched runs a statement for as long as the server is at it.
func (b *builder) watched(ctx context.Context, do func(context.Context) error) error {
	done, lost := make(chan struct{}), make(chan error, 1)
	watched, cancel := context.WithCancel(ctx)
	defer cancel()
	go func() {
		lost <- b.watch(watched, done)
		cancel()
	}()
	err := do(watched)
	close(done)
	if gone := <-lost; gone != nil && err != nil {
		return gone
	}
	return err
}

// watch is the goroutine that asks, until done is closed, whether the session
// that builds is still there. It is the sink's session that asks: nothing else
// uses it meanwhile.
func (b *builder) watch(ctx context.Context, done <-chan struct{}) error {
	every := time.NewTicker(b.sink.options.Endpoint.Wait() / 4)
	defer every.Stop()
	for {
		select {
		case <-done:
			return nil
		case <-every.C:
		}
		there := false
		err := b.sink.query(ctx, "SELECT FROM pg_stat_activity WHERE pid = $1", func(dialect.Row) error {
			there = true
			return nil
		}, b.conn.PID())
		switch {
		case err != nil:
			return err
		case !there:
			return rowferry.Errorf(rowferry.CodeTargetAway, "the target ended the session that makes a key")
		}
	}
}

// forever is longer than anything that is built.
const forever = 10 * 365 * 24 * time.Hour

// open opens the session without limits. Locks are waited for no longer than
// elsewhere.
func (b *builder) open(ctx context.Context) error {
	if b.conn != nil && !b.conn.IsClosed() {
		return nil
	}
	s := b.sink
	settings := s.settings()
	settings["statement_timeout"] = "0"
	e := s.options.Endpoint
	e.Timeout = forever
	limited, cancel := context.WithTimeout(ctx, s.options.Endpoint.Wait())
	defer cancel()
	conn, err := dialect.Connect(limited, e, settings)
	if err != nil {
		return s.translate(ctx, err)
	}
	b.conn = conn
	return nil
}

func (b *builder) close() {
	if b.conn == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), b.sink.options.Endpoint.Wait())
	defer cancel()
	_ = b.conn.Close(ctx) // nothing is open on it
	<-b.conn.CleanupDone()
}
