package mysql

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/go-mysql-org/go-mysql/replication"

	"github.com/rowferry/rowferry"
)

// reader assembles the transactions of an event source.
type reader struct {
	mu       sync.Mutex // held by Next and Close
	src      *Source
	events   eventSource
	progress *progress
	group    group
	tx       *assembly // of the open transaction; nil or &space
	space    assembly
	query    query  // of the event at hand
	text     []byte // of names that are being made
	tables   *tables
	from     place // where reading began
	emit     place // transactions that start before it are passed over
	stop     place // where a live log that is read once ends; zero for others
	until    untilPoint
	start    rowferry.Position
	lineage  string // of the transaction that ends where we begin; "" once compared
	before   string // the lineage of the transaction before that was passed over last
	prepared map[string]bool
	newest   uint32 // the latest time of an event, in seconds
	notices  []string
	err      error // what Next returns from now on
}

var _ rowferry.Reader = (*reader)(nil)

func newReader(s *Source) *reader {
	return &reader{src: s, prepared: map[string]bool{}, tables: newTables(s)}
}

// begin finds where to begin and opens the log there.
func (r *reader) begin(ctx context.Context, start rowferry.Start) error {
	pos, resumed := r.src.from, false
	if start.Position != "" {
		var err error
		if pos, err = ParsePosition(string(start.Position)); err != nil {
			return err
		}
		if !pos.Concrete() {
			return rowferry.Errorf(rowferry.CodeBadPosition, "%q is not a position to resume from", start.Position)
		}
		resumed = true
	}
	at, err := r.src.startAt(ctx, pos, start.Lineage, resumed)
	if err != nil {
		return err
	}
	r.progress, r.emit, r.lineage = at.progress, at.emit, start.Lineage
	r.start = start.Position
	if at.notice != "" {
		r.notices = append(r.notices, at.notice)
	}
	if !resumed {
		r.start = r.progress.position(at.emit)
	}
	if r.until, err = r.src.untilAt(ctx, r.progress); err != nil {
		return err
	}
	learn := len(start.Tables) == 0
	if start.ShapesFrom != "" {
		if err := r.src.reaches(ctx, start.ShapesFrom); err != nil {
			return err
		}
		learn = true
	}
	if err := r.tables.begin(ctx, start, at.emit, learn); err != nil {
		return err
	}
	events := newFileStream(r.src, at.read)
	if l := r.src.live; l != nil {
		l.hangUp()
		events.main = &follower{log: l, from: at.read, ends: l.once}
		events.open = events.main.open
		if l.once {
			r.stop = l.end
		}
	}
	r.events, r.from = events, at.read
	return nil
}

// reaches checks that the files go back to a position.
func (s *Source) reaches(ctx context.Context, pos rowferry.Position) error {
	p, err := ParsePosition(string(pos))
	if err == nil {
		_, err = s.startAt(ctx, p, "", false)
	}
	return err
}

// Begin returns the position the reader begins after.
func (r *reader) Begin() rowferry.Position { return r.start }

// Progress returns how many bytes of the files were read, of how many.
func (r *reader) Progress() (done, total int64) { return r.events.progress() }

// Close releases the files, or ends the connections.
func (r *reader) Close() error {
	if r.src.live != nil {
		r.src.live.close() // wakes Next
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.err == nil {
		r.err = errors.New("the reader is closed")
	}
	return r.release()
}

func (r *reader) release() error {
	if r.src.live != nil {
		r.src.live.close()
	}
	if r.events == nil {
		return nil
	}
	return r.events.Close()
}

// Notices returns what the operator should know at the end.
func (r *reader) Notices() []string { return slices.Concat(r.notices, r.tables.notices()) }

// Next returns the next transaction or chunk.
func (r *reader) Next(ctx context.Context) (*rowferry.Tx, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for r.err == nil {
		if r.stop != (place{}) && !r.group.open && !(r.group.last.before(r.stop) && r.from.before(r.stop)) {
			r.err = r.end()
			break
		}
		if r.until.reached(r.progress, r.group.last, r.emit) {
			r.err = io.EOF
			break
		}
		tx, err := r.step(ctx)
		switch {
		case err == nil && tx != nil:
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

// step takes one event. It returns a transaction or chunk when the event
// completes one.
func (r *reader) step(ctx context.Context) (*rowferry.Tx, error) {
	e, err := r.events.next(ctx)
	if errors.Is(err, io.EOF) {
		return nil, r.end()
	}
	if errors.Is(err, errIdle) {
		return nil, r.idle()
	}
	if err != nil {
		return nil, err
	}
	r.newest = max(r.newest, e.time)
	if err := r.known(e); err != nil {
		return nil, err
	}
	var q *query
	v, rest := verbOther, ""
	switch e.typ {
	case replication.QUERY_EVENT, replication.MARIADB_QUERY_COMPRESSED_EVENT:
		q = &r.query
		if err = q.parse(e, e.typ == replication.MARIADB_QUERY_COMPRESSED_EVENT); err != nil {
			return nil, err
		}
		v, rest = parseVerb(q.text)
	default: // handle knows them all
	}
	how, err := r.group.step(e, v)
	if err != nil {
		return nil, err
	}
	if how != goesOn && e.packed && !e.final {
		// Nothing may be taken as whole before the payload's checksum.
		return nil, e.corrupt("it ends a transaction before its compressed payload ends")
	}
	if (r.group.open || how != goesOn) && r.tx == nil {
		if err := r.open(); err != nil {
			return nil, err
		}
	}
	if err := r.handle(ctx, e, q, v, rest); err != nil {
		return nil, r.located(e, err)
	}
	if how != goesOn {
		return r.finish(ctx, e, how)
	}
	if r.tx != nil && !r.tx.skip && r.tx.size >= r.src.opt.ChunkBytes {
		return r.chunk(ctx)
	}
	return nil, nil
}

// located adds to an error about an event where the event is.
func (r *reader) located(e *event, err error) error {
	var re *rowferry.Error
	if errors.As(err, &re) && !slices.ContainsFunc(re.Facts, func(f rowferry.Fact) bool { return f.Name == "at" }) {
		return re.Fact("at", "%s", e.start)
	}
	return err
}

// open begins to collect the transaction that group has just opened.
func (r *reader) open() error {
	r.tx = &r.space
	r.tx.reset(r.tables.memory)
	if r.group.start.before(r.emit) {
		r.tx.skip = true
		return nil
	}
	if err := r.progress.meet(&r.group); err != nil {
		return err
	}
	r.tx.skip = r.progress.skips(&r.group.name)
	if !r.tx.skip {
		r.tables.tell(r.tx)
	}
	return nil
}

// finish hands over the transaction that has ended.
func (r *reader) finish(ctx context.Context, e *event, how ending) (*rowferry.Tx, error) {
	tx, g := r.tx, &r.group
	r.tx = nil
	if how == rollsBack {
		tx.digest.kind(digestRollback)
		tx.undone(0, r.tables.restore)
	}
	r.text = g.appendID(r.text[:0])
	named := len(r.text)
	r.text = tx.digest.appendLineage(r.text)
	if tx.skip {
		return nil, r.passOver(string(r.text))
	}
	lineage := r.tables.memory.copied(r.text)
	r.lineage = ""
	if how == prepares {
		if tx.inScope {
			return nil, xaRefused(g.start, g.id(), "it is prepared with changes in scope")
		}
		r.prepared[tx.xid] = true
	}
	if r.until.after(g.commit) {
		return nil, io.EOF
	}
	r.progress.pass(&g.name)
	r.progress.apply(&g.name)
	r.until.pass(&g.name)
	out := tx.chunk(lineage[:named], g.commit)
	out.Last, out.Discard, out.Lineage = true, how == rollsBack, lineage
	r.text = e.end.append(r.text[:0])
	out.Log = r.tables.memory.copied(r.text)
	r.text = r.progress.appendPosition(r.text[:0], e.end)
	out.Position = rowferry.Position(r.tables.memory.copied(r.text))
	return out, nil
}

// passOver compares the transaction at the checkpoint with what it was.
func (r *reader) passOver(lineage string) error {
	if !r.group.start.before(r.emit) {
		r.progress.pass(&r.group.name)
		return nil
	}
	r.before = lineage
	was := r.lineage
	id, _, _ := strings.Cut(was, " ")
	if is, _, _ := strings.Cut(lineage, " "); was == "" || is != id {
		return nil
	}
	r.lineage = ""
	if was != lineage {
		return rowferry.Errorf(rowferry.CodeLineageBroken, "transaction %s is not what was applied", id).
			Fact("applied", "%s", was).Fact("here", "%s", lineage).Fact("at", "%s", r.group.start)
	}
	return nil
}

// chunk hands over what there is of a large transaction.
func (r *reader) chunk(ctx context.Context) (*rowferry.Tx, error) {
	commit := r.group.commit
	if commit.IsZero() && r.until.timed() {
		var err error
		if commit, err = r.src.commitAhead(ctx, r.group.start); err != nil {
			return nil, err
		}
	}
	if r.until.after(commit) {
		return nil, io.EOF
	}
	return r.tx.chunk(r.group.id(), commit), nil
}

// idle settles that a live log has nothing more at present: what was committed
// up to now has been read, and with it all up to an earlier time.
func (r *reader) idle() error {
	if r.until.timed() && time.Now().Add(r.src.live.skew-idleMargin).After(r.until.pos.Time) {
		return r.end()
	}
	return nil
}

// idleMargin is how long before it is in the log a transaction may have taken
// the time that it says it was committed.
const idleMargin = 5 * time.Second

// end settles the end of the log: what is cut off there, and what was asked
// for and not found.
func (r *reader) end() error {
	if s, ok := r.events.(*fileStream); ok && r.src.live == nil {
		r.cutOff(s)
	}
	if ahead := r.progress.ahead(); ahead != "" {
		return r.src.outside(shorten(string(r.start)), "transactions of it are in none of the files").
			Fact("not found", "%s", shorten(ahead))
	}
	if ends := clock(r.newest); r.until.timed() && ends.Before(r.until.pos.Time) {
		r.notices = append(r.notices, fmt.Sprintf("the log ends at %s, before the end that was asked for, %s: everything was read", ends.Format(time.RFC3339), r.until.pos))
	}
	return r.until.missed(r.group.last)
}

func (r *reader) cutOff(s *fileStream) {
	var last place
	name := r.src.files[len(r.src.files)-1].name
	size := uint64(r.src.sizes[len(r.src.files)-1])
	switch {
	case r.group.open:
		last = r.group.start
	case s.tail != nil:
		last = s.tail.at
	default:
		return
	}
	r.notices = append(r.notices, fmt.Sprintf("%s ends inside a transaction or event: its last %d bytes, from %s on, were not applied", name, size-last.off, last))
}

func xaRefused(at place, id, why string) error {
	return rowferry.Errorf(rowferry.CodeXA, "XA transaction %s: %s", id, why).Fact("at", "%s", at)
}
