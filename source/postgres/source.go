package postgres

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/rowferry/rowferry"
	"github.com/rowferry/rowferry/internal/connect"
	dialect "github.com/rowferry/rowferry/internal/dialect/postgres"
	"github.com/rowferry/rowferry/internal/failpoint"
)

// Source is the log of a PostgreSQL database. Its methods may be called by
// several goroutines; one Reader of a slot can be open at a time.
type Source struct {
	options Options
	lingers time.Duration // the constant, but in tests

	// awaited is a place in the log that somebody waits to see passed.
	awaited atomic.Uint64
	// tokens are what the log has to have for a copy.
	tokens tokens
	// text is set once a table came whose columns cannot be read in binary format.
	text atomic.Bool
	// told is what readers have told of and what may not be seen yet.
	told toldXIDs

	mu   sync.Mutex
	made lsn    // where the slot begins that this Source made; 0 where it made none
	ours uint32 // the server's process that served our last Reader
	// lineage and branches are those of the server that our last Reader reads.
	lineage  lineage
	branches []branch
}

var (
	_ rowferry.Source   = (*Source)(nil)
	_ rowferry.Examiner = (*Source)(nil)
)

// Live returns the log of a running PostgreSQL server as a source. It connects
// in Open. A Reader never connects again after the connection is lost: Next
// fails with CodeSourceAway, and the source is to be opened anew.
func Live(o Options) *Source { return &Source{options: o, lingers: lingers} }

// Open connects, sees to publication and slot, and begins reading. A slot is
// made only where From is "latest", there is none, and the caller names no
// position; a publication only together with it, and before it, since a slot
// decodes its log by the catalog of the time. What cannot be read without a gap
// is refused: CodeSlotMissing, CodeSlotLost, CodeSlotTaken, CodeSlotAhead,
// CodePublication, CodeReplicaIdentity, CodeLineageBroken, CodeSourceUnfit. See
// rowferry.Source for the others.
func (s *Source) Open(ctx context.Context, start rowferry.Start) (_ rowferry.Reader, err error) {
	o := &opening{source: s, options: s.options, start: start}
	if err := o.settle(); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			o.abandon(ctx)
		}
	}()
	last := s.tokens.last()
	if err := o.connect(ctx); err != nil {
		return nil, err
	}
	if err := o.prepare(ctx); err != nil {
		return nil, err
	}
	if start.Peek {
		o.session.close()
		hangUp(o.stream)
		return &peeked{o.begin}, nil
	}
	var branches []branch
	if o.identity.timeline > 1 {
		if branches, err = o.history(ctx); err != nil {
			return nil, err
		}
	}
	if o.anchor.at == 0 || failpoint.On("skip-anchor") {
		o.anchor = anchor{at: o.begin}
	}
	if err := reachable(last, o.identity.lineage, o.identity.flushed); err != nil {
		return nil, err
	}
	s.tokens.begin(o.begin)
	r, err := newReader(ctx, opened{
		options: &o.options, version: o.server.version, system: o.identity.system, timeline: o.identity.timeline,
		begin: o.begin, anchor: o.anchor, end: o.end.at, until: o.end.time, slot: o.options.Slot, publication: o.options.Publication,
		tables: o.scope.tables, queries: o.session.conn, stream: o.stream, start: start, awaited: &s.awaited, tokens: &s.tokens, told: &s.told, text: &s.text,
	})
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	s.ours, s.lineage, s.branches = o.stream.PID(), o.identity.lineage, branches
	s.mu.Unlock()
	return r, nil
}

// opening is a Reader on its way.
type opening struct {
	source  *Source
	options Options
	start   rowferry.Start
	end     until

	session  *session
	stream   *pgconn.PgConn
	server   server
	identity identity
	scope    *scope
	begin    lsn
	anchor   anchor // of begin; none where only begin is known
	fresh    bool   // the slot was made for this reader
	copies   bool   // what is there comes first, so any slot will do, and a new one
}

// settle makes sense of the options.
func (o *opening) settle() error {
	if err := o.options.settle(); err != nil {
		return err
	}
	if o.options.Temporary && o.start.Position != "" {
		return rowferry.Errorf(rowferry.CodeSlotMissing, "the connection that kept a temporary slot is gone, and what came since cannot be read").
			Fact("position", "%s", o.start.Position)
	}
	if o.options.From != "" {
		if _, err := parseFrom(o.options.From); err != nil {
			return err
		}
	}
	var err error
	o.end, err = parseUntil(o.options.Until)
	return err
}

func (o *opening) endpoint() connect.Endpoint { return o.options.Endpoint }

func (o *opening) connect(ctx context.Context) (err error) {
	if o.session, err = openSession(ctx, o.endpoint()); err != nil {
		return err
	}
	if o.server, err = o.session.look(ctx); err != nil {
		return err
	}
	for _, f := range o.server.findings() {
		if err := f.Err(); err != nil {
			return err
		}
	}
	if o.options.Origin == OriginNone && o.server.version < 160000 {
		return rowferry.Errorf(rowferry.CodeSourceUnfit, "the source cannot tell which changes it received by replication: that takes PostgreSQL 16").
			Fact("version", "%s", o.server.name()).Remedy("leave out", "source.origin")
	}
	if o.stream, err = openStream(ctx, o.endpoint()); err != nil {
		return o.denied(err)
	}
	return o.identify(ctx)
}

// denied says what a role lacks that may log in, but not for the log.
func (o *opening) denied(err error) error {
	var server *pgconn.PgError
	if !errors.As(err, &server) || server.Code != "42501" {
		return err
	}
	return rowferry.Errorf(rowferry.CodeSourceDenied, "%s may not read the log: %w", o.server.user, server).
		Fact("source", "%s", o.endpoint()).Remedy("allow it", "ALTER ROLE %s REPLICATION", dialect.Quote(o.server.user))
}

// prepare sees to publication and slot and decides where reading begins.
func (o *opening) prepare(ctx context.Context) error {
	slot, err := o.session.readSlot(ctx, o.options.Slot)
	if err != nil {
		return err
	}
	var making bool
	if o.begin, making, err = o.from(slot); err != nil {
		return err
	}
	if !making {
		if err := o.settled(ctx, slot); err != nil {
			return err
		}
	}
	pub, err := o.session.readPublication(ctx, o.options.Publication)
	if err != nil {
		return err
	}
	if o.scope, err = o.session.readScope(ctx, &o.options, o.server, pub); err != nil {
		return err
	}
	if err := o.scope.check(o.options, pub, making && !o.options.Temporary); err != nil {
		return err
	}
	if making {
		if err := o.makeBoth(ctx, pub == nil); err != nil {
			return err
		}
	}
	return o.finish()
}

// makeBoth makes the publication, where it is missing, and then the slot.
func (o *opening) makeBoth(ctx context.Context, publication bool) error {
	if publication {
		if err := o.makePublication(ctx); err != nil {
			return err
		}
	}
	return o.makeSlot(ctx)
}

// finish says where the log ends for the reader.
func (o *opening) finish() error {
	if !o.options.Once && !o.end.latest {
		return nil
	}
	if at := max(o.identity.flushed, o.begin); o.end.at == 0 || at < o.end.at {
		o.end.at = at
	}
	return nil
}

// abandon closes what was opened and takes back a slot that was made for
// nothing. One that cannot be taken back is found again by the next try.
func (o *opening) abandon(ctx context.Context) {
	hangUp(o.stream)
	if o.session == nil {
		return
	}
	if o.fresh && !o.options.Temporary {
		err := o.session.exec(context.WithoutCancel(ctx), "SELECT pg_drop_replication_slot($1)", o.options.Slot)
		if err != nil {
			o.options.Log.Debug("a new slot stays", "slot", o.options.Slot, "error", err)
		} else {
			o.source.setMade(0)
		}
	}
	o.session.close()
}

func (s *Source) setMade(at lsn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.made = at
}

// peeked is a Reader that tells where it would begin, and reads nothing.
type peeked struct{ begin lsn }

func (p *peeked) Begin() rowferry.Position { return p.begin.position() }

func (p *peeked) Next(context.Context) (*rowferry.Tx, error) {
	return nil, rowferry.Errorf(rowferry.CodeInternal, "a reader that was opened to peek is read from")
}

func (p *peeked) Progress() (done, total int64) { return 0, 0 }
func (p *peeked) Notices() []string             { return nil }
func (p *peeked) Close() error                  { return nil }
