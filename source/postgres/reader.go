package postgres

import (
	"context"
	"errors"
	"io"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rowferry/rowferry"
	dialect "github.com/rowferry/rowferry/internal/dialect/postgres"
)

// DefaultChunkBytes is how much of a transaction is held at once, unless
// Options say otherwise.
const DefaultChunkBytes = 4 << 20

const (
	// idleBytes and idleTime are how far or for how long the log may go on
	// without us before its reader returns an empty transaction, so that the
	// server need not keep it. That costs the target a commit, so idlePause lies
	// between two of them.
	idleBytes = 1 << 20
	idleTime  = 10 * time.Second
	idlePause = time.Second
	// untilMargin is how long before it is in the log a transaction may have
	// taken the time that it says it was committed.
	untilMargin = 5 * time.Second
)

// reader assembles the transactions that a slot sends.
//
// What may come, and what it is taken for:
//
//   - Begin, rows, Commit: a transaction that was committed. It arrives in order
//     of commit, and large ones are handed over in chunks while they come.
//   - Stream Start, rows, Stream Stop, again and again, several transactions in
//     turn: transactions that are not committed yet. They are put aside.
//   - Stream Abort: one of these, or a subtransaction of one, was rolled back.
//   - Stream Commit: one was committed, at this place of the order. It is read
//     back and handed over like any other.
//   - Relation: a table's rows look like this from here on.
//   - a keepalive: everything before a place was sent.
//   - prepared transactions come when they are committed; anything else stops.
type reader struct {
	mu       sync.Mutex // held by Next and Close
	opened   opened
	in       *frames
	feedback *feedback
	catalog  *catalog
	tables   *tables
	memory   arena
	tx       assembly
	asides   asides
	back     *readBack // the committed transaction that is being read back
	last     lsn       // the position that was returned last
	moved    time.Time // and when
	at       lsn       // of the message at hand, for errors
	from     string    // the text of a lineage before its anchor
	passage  passage
	chunk    int
	text     []byte // of names that are being made
	caughtUp atomic.Int64
	heard    flushed // what the server had when it was last asked
	closed   bool
	past     bool  // the time to read until has passed, and where it ends is known
	err      error // what Next returns from now on
}

var (
	_ rowferry.Follower = (*reader)(nil)
	_ rowferry.Acker    = (*reader)(nil)
	_ rowferry.Rooted   = (*reader)(nil)
)

// newReader begins reading. It takes the sessions over, unless it fails.
func newReader(ctx context.Context, o opened) (_ *reader, err error) {
	r := &reader{opened: o, last: o.begin, moved: time.Now(), from: o.lineage().String() + "@", chunk: o.options.ChunkBytes,
		passage: passage{anchor: o.anchor, begin: o.begin, stage: passing}}
	if r.chunk <= 0 {
		r.chunk = DefaultChunkBytes
	}
	if r.catalog, err = newCatalog(ctx, &o); err != nil {
		return nil, err
	}
	if err := r.catalog.ask(ctx, func(ctx context.Context, _ *session) error { return r.catalog.narrow(ctx, o.tables) }); err != nil {
		return nil, err
	}
	r.opened.chooseFormat()
	r.tables = newTables(&r.opened, r.catalog)
	r.asides = asides{all: map[uint32]*aside{}, limit: 2 * r.chunk, spool: o.start.Spool}
	return r, r.follow(ctx)
}

// Begin returns the position the reader begins after.
func (r *reader) Begin() rowferry.Position { return r.opened.begin.position() }

// Lineage returns where Begin comes from. See rowferry.Rooted.
func (r *reader) Lineage(context.Context) (string, error) {
	return r.from + r.opened.anchor.String(), nil
}

// Ack tells that everything up to p is durable. Begin is passed on to the server
// once its log is known to have what came before. See rowferry.Acker.
func (r *reader) Ack(p rowferry.Position) {
	if at, err := parseLSN(string(p)); err == nil && r.passage.acks(at) { // no LSN is none of ours
		r.feedback.ack(at)
	}
}

// CaughtUp returns when the server last said that it has nothing more. See
// rowferry.Follower.
func (r *reader) CaughtUp() time.Time {
	if at := r.caughtUp.Load(); at != 0 {
		return time.Unix(0, at)
	}
	return time.Time{}
}

// Progress returns how much of the log has come, and how much there is where it
// has an end.
func (r *reader) Progress() (done, total int64) {
	begin, at := r.opened.begin, max(lsn(r.feedback.received.Load()), r.opened.begin)
	if end := r.opened.end; end > begin {
		return int64(min(at, end) - begin), int64(end - begin)
	}
	return int64(at - begin), 0
}

// Notices returns what the operator should know at the end.
func (r *reader) Notices() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.tables.notices()
}

// Next returns the next transaction or chunk.
func (r *reader) Next(ctx context.Context) (*rowferry.Tx, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for r.err == nil {
		if !r.tx.open && r.opened.end != 0 && r.last >= r.opened.end && r.passage.stage == arrived {
			r.err = io.EOF
			break
		}
		tx, err := r.step(ctx)
		switch {
		case tx != nil:
			return tx, nil
		case err == nil:
		case errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded):
			return nil, err // and go on when asked again
		default:
			r.err = err
		}
	}
	return nil, r.err
}

// step takes one message, or one of a transaction that is read back. It returns
// a transaction or chunk where that completes one.
func (r *reader) step(ctx context.Context) (*rowferry.Tx, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if r.back != nil {
		return r.readBack(ctx)
	}
	kind, body, err := r.receive(ctx)
	if err != nil {
		return nil, r.broken(ctx, err)
	}
	switch kind {
	case frameCopyData:
		tx, err := r.copied(ctx, body)
		if err != nil {
			err = r.located(err)
		}
		return tx, err
	case frameError:
		return nil, r.streamError(ctx, parseServerError(body))
	case frameNotice:
		return nil, r.notice(ctx, body)
	case frameParameter, frameNotify:
		return nil, nil
	case frameCopyDone, frameComplete, frameReady:
		return nil, rowferry.Errorf(rowferry.CodeSourceAway, "the source stopped sending its log").Fact("source", "%s", r.opened.options.Endpoint)
	default:
		return nil, unexpected(kind)
	}
}

// receive returns the next message of the connection.
func (r *reader) receive(ctx context.Context) (kind byte, body []byte, err error) {
	if !r.in.ready() {
		r.feedback.waiting.Store(true)
		defer r.feedback.waiting.Store(false)
	}
	return r.in.next(ctx)
}

// broken gives an error of the network its code.
func (r *reader) broken(ctx context.Context, err error) error {
	if failed := r.feedback.failed.Load(); failed != nil {
		err = *failed
	}
	return translate(ctx, r.opened.options.Endpoint, err)
}

// located adds to an error where in the log it is about.
func (r *reader) located(err error) error {
	var e *rowferry.Error
	if r.at != 0 && errors.As(err, &e) && e.Code != rowferry.CodeSourceAway {
		return e.Fact("at", "%s", r.at)
	}
	return err
}

// What is inside of a CopyData message; see
// https://www.postgresql.org/docs/current/protocol-replication.html
const (
	copyLog       = 'w'
	copyKeepalive = 'k'
)

func (r *reader) copied(ctx context.Context, body []byte) (*rowferry.Tx, error) {
	c := cursor{b: body}
	switch kind := c.u8(); kind {
	case copyLog:
		start := lsn(c.u64())
		c.u64()
		c.u64()
		if c.failed || len(c.b) == 0 {
			return nil, unexpected(kind)
		}
		r.at = start
		r.advance(start)
		r.caughtUp.Store(0)
		return r.message(ctx, c.b)
	case copyKeepalive:
		end, sent, reply := lsn(c.u64()), clock(int64(c.u64())), c.u8()
		if !c.whole() {
			return nil, unexpected(kind)
		}
		if reply == 1 {
			r.feedback.answer()
		}
		r.advance(end)
		return r.idle(ctx, end, sent)
	default:
		return nil, unexpected(kind)
	}
}

// advance notes how far the log has come.
func (r *reader) advance(at lsn) {
	if uint64(at) > r.feedback.received.Load() {
		r.feedback.received.Store(uint64(at)) // nobody else does
	}
}

// flushed is how long the server's log was at a time.
type flushed struct {
	at   lsn
	when time.Time
}

// idle takes a keepalive: everything before a place was sent. That the server had
// no more is only known where it reaches what the server had before: one that is
// still reading its own log sends keepalives, too.
func (r *reader) idle(ctx context.Context, end lsn, sent time.Time) (*rowferry.Tx, error) {
	if r.tx.open || r.asides.open != nil || r.in.ready() {
		return nil, nil
	}
	if err := r.reaches(end); err != nil || r.passage.stage == passing {
		return nil, err
	}
	if r.heard.at != 0 && end >= r.heard.at {
		r.caughtUp.Store(r.heard.when.UnixNano())
	}
	if err := r.listen(ctx, sent); err != nil {
		return nil, err
	}
	switch {
	case len(r.asides.all) == 0 && r.awaited(end): // which is told first
	case r.opened.end != 0 && end >= r.opened.end:
		return nil, io.EOF
	case len(r.asides.all) > 0 || end <= r.last:
		return nil, nil
	case time.Since(r.moved) < idlePause, end-r.last < idleBytes && time.Since(r.moved) < idleTime:
		return nil, nil
	}
	r.begin(commit{lsn: end, end: end}, "idle", sent)
	return r.finish(end)
}

// awaited reports whether the log has come to a place that somebody waits for.
func (r *reader) awaited(end lsn) bool {
	if r.opened.awaited == nil {
		return false
	}
	place := lsn(r.opened.awaited.Load())
	return r.last < place && place <= end
}

// listen asks how long the server's log is. Once the time to read until has
// passed, all that was committed before is in the log: it ends there for us.
func (r *reader) listen(ctx context.Context, sent time.Time) error {
	now := flushed{when: time.Now()}
	err := r.catalog.ask(ctx, func(ctx context.Context, s *session) error {
		return s.query(ctx, "SELECT pg_current_wal_flush_lsn()", func(row dialect.Row) (err error) {
			now.at, err = parseLSN(row.Text(0))
			return err
		})
	})
	if err != nil {
		return err
	}
	r.heard = now
	if u := r.opened.until; !u.IsZero() && sent.Add(-untilMargin).After(u) && !r.past {
		r.past = true
		if r.opened.end == 0 || now.at < r.opened.end {
			r.opened.end = now.at
		}
	}
	return nil
}

// Close tells the server what is durable, releases the slot and ends the
// sessions.
func (r *reader) Close() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.err == nil {
		r.err = errors.New("the reader is closed")
	}
	if r.closed {
		return nil
	}
	r.closed = true
	r.hangUp()
	hangUp(r.opened.queries)
	err := r.asides.close()
	if r.back != nil {
		err = errors.Join(err, r.back.close())
	}
	return err
}
