package postgres

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/rowferry/rowferry"
	dialect "github.com/rowferry/rowferry/internal/dialect/postgres"
)

var _ rowferry.Syncer = (*Sink)(nil)

// durability is what a sink and its lanes know of what was committed, and
// whether the server had it on disk when it said so. Safe for concurrent use.
type durability struct {
	relaxed atomic.Bool                         // a session commits without waiting for the disk
	newest  atomic.Pointer[rowferry.Checkpoint] // committed, or seen to be

	mu   sync.Mutex // held by Sync
	conn *pgconn.PgConn
}

// note remembers a row that was committed, or read.
func (d *durability) note(cp rowferry.Checkpoint) { d.newest.Store(&cp) }

// Sync makes sure of all batches whose Commit has returned. See rowferry.Syncer.
//
// First the checkpoint's row is read: a server that crashed, or another one that
// took its place, may have lost batches since, and would make durable what is
// left (CodeTargetLost). What is seen there is on disk with everything that is
// committed after it, so one commit that waits for the disk is enough; none is
// needed where the sessions' commits wait by themselves. It is not waited for
// standbys.
func (s *Sink) Sync(ctx context.Context) error {
	d := s.durable
	want := d.newest.Load()
	d.mu.Lock()
	defer d.mu.Unlock()
	waits, err := s.stillThere(ctx, want)
	if err == nil && (!waits || d.relaxed.Load()) {
		err = s.flush(ctx)
	}
	if err != nil {
		d.drop()
	}
	return err
}

// stillThere reads whether the server has what was committed, and whether new
// sessions' commits wait for the disk. A session of its own is asked, since the
// others may be in the middle of a batch.
func (s *Sink) stillThere(ctx context.Context, want *rowferry.Checkpoint) (waits bool, err error) {
	d := s.durable
	if d.conn == nil || d.conn.IsClosed() {
		d.drop()
		settings := s.settings()
		delete(settings, "default_transaction_read_only")
		if d.conn, err = dialect.Connect(ctx, s.options.Endpoint, settings); err != nil {
			return false, s.translate(ctx, err)
		}
	}
	if want == nil {
		want = &rowferry.Checkpoint{}
	}
	exists := want.Pipeline == ""
	err = dialect.Query(ctx, d.conn, "SELECT current_setting('synchronous_commit') <> 'off'", func(r dialect.Row) error {
		waits = r.Bool(0)
		return nil
	})
	if err == nil && !exists {
		err = dialect.Query(ctx, d.conn, "SELECT FROM "+checkpoints+` WHERE "pipeline" = $1 AND "sequence" >= $2`, func(dialect.Row) error {
			exists = true
			return nil
		}, want.Pipeline, int64(want.Sequence))
	}
	if err == nil && !exists {
		err = rowferry.Errorf(rowferry.CodeTargetLost, "the target no longer has a batch that was committed").
			Fact("pipeline", "%s", want.Pipeline).Fact("sequence", "%d", want.Sequence)
	}
	return waits, s.translate(ctx, err)
}

// flush commits something, and waits until it is on disk. The message is for
// nobody: a commit without anything in the log is not waited for.
func (s *Sink) flush(ctx context.Context) error {
	const sql = "BEGIN; SET LOCAL synchronous_commit = 'local'; SELECT pg_logical_emit_message(true, 'rowferry', ''); COMMIT"
	_, err := s.durable.conn.Exec(ctx, sql).ReadAll()
	return s.translate(ctx, err)
}

// drop lets go of the connection.
func (d *durability) drop() {
	if d.conn == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	_ = d.conn.Close(ctx) // it is being abandoned
	d.conn = nil
}
