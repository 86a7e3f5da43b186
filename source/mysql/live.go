package mysql

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"log/slog"
	"math"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rowferry/rowferry"
	"github.com/rowferry/rowferry/internal/connect"
	"github.com/rowferry/rowferry/schema"
)

// LiveOptions configure reading the log of a running server.
type LiveOptions struct {
	// Endpoint is the server, and whom to log in as: an account that may read
	// the log (REPLICATION SLAVE), list its files (REPLICATION CLIENT; BINLOG
	// MONITOR on MariaDB) and, for the tables' shapes, SELECT from them.
	Endpoint connect.Endpoint
	// ServerID is the id by which the server knows us among its replicas, which
	// no other may have. 0 chooses one at random from the upper half that no
	// replica has.
	ServerID uint32
	// From is where a Reader begins that is not told where, as in Options. A time
	// is looked for from the last file on that was begun an hour before it.
	From string
	// Until is where the log ends for the Reader, as in Options, or where it will
	// end. Empty: never; "latest" is Once.
	Until string
	// Once ends the log where it ended when Open was called.
	Once bool
	// Scope says which tables are read; nil means all. It has to give the same
	// answer every time.
	Scope func(schema.Name) bool
	// Dump is the path of a dump of CREATE TABLE statements with the shapes in
	// force where reading begins, for tables whose shape neither the log nor the
	// server tells. Empty: none.
	Dump string
	// DefaultDB is the database of tables that the dump names without one.
	DefaultDB string
	// ChunkBytes bounds how much of a transaction is held at once, in bytes of
	// decoded changes; a larger one arrives in chunks.
	ChunkBytes int
	// Log receives what is of interest only when something is wrong. Nil:
	// nothing is logged.
	Log *slog.Logger
}

// maxBeat is how long an idle server may keep silent, at most: how old the news
// can be that there is nothing more to read.
const maxBeat = time.Second

// liveSource is a Source over a running server.
type liveSource struct {
	opt  LiveOptions
	uuid string

	far uint64 // offsets beyond it cannot be asked for

	mu   sync.Mutex
	id   uint32 // 0 until it was chosen
	self string // the server that was looked at last, see liveLog; "" before
}

var _ rowferry.Source = (*liveSource)(nil)

// Live returns the log of a running MySQL or MariaDB server as a source. It
// connects in Open; its Readers are Followers. A Reader never connects again
// after the connection is lost: Next fails with CodeSourceAway, and the source
// is to be opened anew. Close may be called by any goroutine at any time, and
// ends a Next that waits.
func Live(opt LiveOptions) rowferry.Source {
	var u [16]byte
	_, _ = rand.Read(u[:]) // documented never to fail
	u[6], u[8] = u[6]&0x0f|0x40, u[8]&0x3f|0x80
	return &liveSource{opt: opt, uuid: uuidText(u), id: opt.ServerID, far: math.MaxUint32}
}

// Open connects and begins reading. See rowferry.Source.
func (s *liveSource) Open(ctx context.Context, start rowferry.Start) (rowferry.Reader, error) {
	r, err := s.open(ctx, s.opt, start)
	if err != nil {
		return nil, err
	}
	return r, nil
}

// open is Open with other options.
func (s *liveSource) open(ctx context.Context, opt LiveOptions, start rowferry.Start) (_ *liveReader, err error) {
	src := &Source{maxEvent: maxEvent, opt: Options{
		From: opt.From, Until: opt.Until, Scope: opt.Scope, Dump: opt.Dump, DefaultDB: opt.DefaultDB, ChunkBytes: opt.ChunkBytes, Log: opt.Log,
	}}
	if err := src.settle(); err != nil {
		return nil, err
	}
	l := &liveLog{opt: opt, uuid: s.uuid, label: "rowferry", far: s.far}
	l.once = opt.Once || src.until.Kind == Latest && opt.Until != ""
	l.life, l.cancel = context.WithCancel(context.Background())
	src.live, src.open = l, l.file
	r := newReader(src)
	defer func() {
		if err != nil {
			err = errors.Join(l.explain(src, err), r.release())
		}
	}()
	if err := l.look(ctx, src); err != nil {
		return nil, err
	}
	if l.id, err = s.serverID(ctx, l); err != nil {
		return nil, err
	}
	s.looked(l.self)
	if err := r.begin(ctx, start); err != nil {
		return nil, err
	}
	return &liveReader{r}, nil
}

// liveReader is a reader that also knows whether it has caught up.
type liveReader struct{ *reader }

var _ rowferry.Follower = (*liveReader)(nil)

// CaughtUp returns when the server last said that it has nothing more. See
// rowferry.Follower.
func (r *liveReader) CaughtUp() time.Time {
	if at := r.src.live.caughtUp.Load(); at != 0 {
		return time.Unix(0, at)
	}
	return time.Time{}
}

// liveLog is a server's log as one Reader sees it.
type liveLog struct {
	opt    LiveOptions
	life   context.Context // of all connections
	cancel context.CancelFunc
	once   bool
	id     uint32 // ours among the server's replicas
	uuid   string // likewise
	label  string // what SHOW REPLICAS shows as our host
	far    uint64 // the command to send the log has 32 bits for the offset

	srv      server
	self     string        // which server this is: its server_uuid, on MariaDB its server_id
	end      place         // where the log ended when it was opened
	executed gtidSet       // MySQL: what was in the log ever
	states   logState      // MariaDB: likewise
	skew     time.Duration // how far the server's clock is ahead of ours
	caughtUp atomic.Int64  // nanoseconds since 1970; 0: there is more to read
	control  *conn         // for questions; nil where none is open
}

// close ends all connections, and with them every wait.
func (l *liveLog) close() {
	l.cancel()
}

// looked notes which server the source was looked at on.
func (s *liveSource) looked(self string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.self = self
}

// serverID returns the source's id, choosing one at the first call.
func (s *liveSource) serverID(ctx context.Context, l *liveLog) (uint32, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.id != 0 {
		return s.id, nil
	}
	taken, err := l.replicas(ctx)
	if err != nil {
		return 0, err
	}
	var b [4]byte
	for s.id == 0 || taken[s.id] {
		_, _ = rand.Read(b[:])
		s.id = binary.LittleEndian.Uint32(b[:]) | 1<<31
	}
	return s.id, nil
}
