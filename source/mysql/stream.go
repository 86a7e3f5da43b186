package mysql

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync/atomic"

	"github.com/go-mysql-org/go-mysql/replication"
	"github.com/klauspost/compress/zstd"

	"github.com/rowferry/rowferry"
)

// eventSource yields the events of a log one after the other. Everything
// above it is the same for files and for a live server.
type eventSource interface {
	// next returns the next event, valid until the following call. io.EOF
	// means that the log has ended. The first event, and the first one of
	// each file, is its format description.
	next(ctx context.Context) (*event, error)
	// head describes the file that the last event came from.
	head() *head
	// progress returns bytes read and to read; safe for concurrent use.
	progress() (done, total int64)
	Close() error
}

// tail is what is left unread of a last file that ends inside an event, or
// before its head is complete.
type tail struct {
	at   place
	left uint64
}

// fileStream is the eventSource over files, which may be those of a server.
type fileStream struct {
	src      *Source // whose files grow in number where they are a server's
	open     opener
	main     *follower // where the stream goes on with files that are not there yet
	maxEvent uint64
	// sparse streams read the body of an event only where it tells where
	// transactions lie. All other events come without raw, and compressed
	// transactions as one event; with maps set, table maps are read too, and
	// compressed transactions are opened.
	sparse, maps bool

	framer   *framer
	current  *head
	closer   io.Closer
	payload  *payload
	inflater *zstd.Decoder
	from     place  // where reading starts in the first file that is opened
	index    int    // of the file that is open, or to be opened next
	ended    *ended // the file that is open, as far as it was read, or the one before it
	tail     *tail

	before int64 // bytes of the files before the open one
	done   atomic.Int64
	total  atomic.Int64
}

// newFileStream returns a stream that begins at an event's place. sizes are
// those of all files.
func newFileStream(s *Source, from place) *fileStream {
	f := &fileStream{src: s, open: s.open, maxEvent: s.maxEvent, from: from, index: from.file}
	total := int64(0)
	for i, n := range s.sizes {
		total += n
		if i < from.file {
			f.before += n
		}
	}
	f.total.Store(total)
	f.reach(f.before + int64(from.off))
	return f
}

// reach records how many bytes have been read. A log that grows has at least
// as many.
func (s *fileStream) reach(done int64) {
	s.done.Store(done)
	if done > s.total.Load() {
		s.total.Store(done)
	}
}

func (s *fileStream) head() *head { return s.current }

func (s *fileStream) progress() (int64, int64) {
	done := s.done.Load() // before the total, which is not less
	return done, s.total.Load()
}

// Close releases the file, or the connection, and the decompressor.
func (s *fileStream) Close() error {
	if s.main != nil && s.main.d != nil {
		s.main.d.c.close()
	}
	if s.inflater != nil {
		s.inflater.Close()
		s.inflater = nil
	}
	return s.closeFile()
}

func (s *fileStream) closeFile() error {
	if s.closer == nil {
		return nil
	}
	err := s.closer.Close()
	s.closer, s.framer = nil, nil
	return err
}

func (s *fileStream) last() bool { return s.index == len(s.src.files)-1 }

func (s *fileStream) next(ctx context.Context) (*event, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if l, ok := s.closer.(*remoteFile); ok {
		l.bound(ctx)
	}
	for s.tail == nil && s.index < len(s.src.files) {
		e, err := s.step(ctx)
		if err == nil {
			if err := s.main.sameAs(s.current); err != nil {
				return nil, err
			}
			s.reach(s.before + int64(s.framer.at.off))
			return e, nil
		}
		short := &cut{}
		switch {
		case errors.Is(err, io.EOF):
			if err := s.leave(ctx); err != nil {
				return nil, err
			}
		case !errors.As(err, &short):
			return nil, err
		case !s.last():
			return nil, truncated(short.at, short.left, s.src.files[s.index+1].name)
		default:
			s.tail = &tail{short.at, short.left}
			s.reach(s.total.Load())
		}
	}
	return nil, io.EOF
}

// step returns the next event of the open file, or opens it. A *cut is a file
// that ends in the middle.
func (s *fileStream) step(ctx context.Context) (*event, error) {
	if s.framer == nil {
		return s.openFile(ctx)
	}
	return s.read()
}

func truncated(at place, left uint64, next string) error {
	return rowferry.Errorf(rowferry.CodeTruncatedLog, "%s ends in the middle, and %s follows it", at.name, next).
		Fact("ends at", "%s", at).Fact("bytes left", "%d", left).
		Remedy("get the whole file", "copy %s again from the server or its backup", at.name)
}

// openFile opens the file at index and returns its format description.
func (s *fileStream) openFile(ctx context.Context) (*event, error) {
	file := s.src.files[s.index]
	f, h, c, err := openHead(ctx, s.open, file, s.index, s.maxEvent)
	if err != nil {
		return nil, err
	}
	if s.ended != nil {
		h.join = joined(s.ended, file, h)
	}
	s.framer, s.current, s.closer, s.ended = f, h, c, &ended{file: file, head: h}
	end := place{s.index, file.name, h.events}
	if s.index == s.from.file && s.from.off > h.events {
		if err := s.goTo(s.from); err != nil {
			return nil, err
		}
	}
	return &event{
		header: parseHeader(h.format), raw: h.format,
		start: place{s.index, file.name, magicSize}, end: end,
	}, nil
}

// goTo moves to the place where reading starts. Where that is the end of the
// file, the events before it are passed over, for the last one tells what
// follows.
func (s *fileStream) goTo(at place) error {
	if at.off > s.framer.size {
		return corruptAt(at, "the file has only %d bytes", s.framer.size)
	}
	for at.off == s.framer.size && s.framer.at.off < at.off {
		h, err := s.framer.peek()
		if err != nil {
			return err
		}
		s.ended.last = h
		if h.typ == replication.ROTATE_EVENT {
			_, err = s.plain(h)
		} else {
			err = s.framer.skip(h)
		}
		if err != nil {
			return err
		}
	}
	return s.framer.seek(at.off)
}

// read returns the next event of the open file, from a compressed transaction
// while one is open.
func (s *fileStream) read() (*event, error) {
	if s.payload == nil {
		h, err := s.framer.peek()
		if err != nil {
			return nil, err
		}
		s.ended.last = h
		if s.sparse && !tellsTransactions(h.typ) && !(s.maps && tellsShapes(h.typ)) {
			e := &event{header: h, start: s.framer.at}
			err := s.framer.skip(h)
			e.end = s.framer.at
			return e, err
		}
		if h.typ != replication.TRANSACTION_PAYLOAD_EVENT {
			return s.plain(h)
		}
		if s.payload, err = s.framer.openPayload(h, &s.inflater); err != nil {
			return nil, err
		}
	}
	e, err := s.payload.next(s.framer)
	if err == nil && s.payload.done() {
		s.payload = nil
	}
	return e, err
}

// tellsTransactions lists the events whose bodies group and a catalog need.
func tellsTransactions(t replication.EventType) bool {
	switch t {
	case replication.GTID_EVENT, replication.ANONYMOUS_GTID_EVENT, replication.GTID_TAGGED_LOG_EVENT, replication.MARIADB_GTID_EVENT,
		replication.QUERY_EVENT, replication.MARIADB_QUERY_COMPRESSED_EVENT, replication.XA_PREPARE_LOG_EVENT, replication.ROTATE_EVENT:
		return true
	default:
		return false
	}
}

// tellsShapes lists the events besides that table maps are in.
func tellsShapes(t replication.EventType) bool {
	return t == replication.TABLE_MAP_EVENT || t == replication.TRANSACTION_PAYLOAD_EVENT
}

func (s *fileStream) plain(h header) (*event, error) {
	e, err := s.framer.next(h)
	if err == nil && h.typ == replication.ROTATE_EVENT {
		s.ended.rotate, err = parseRotate(e)
	}
	return e, err
}

// leave closes a file that was read to its end, and checks that the next one
// is the one that follows.
func (s *fileStream) leave(ctx context.Context) error {
	file := s.src.files[s.index]
	s.before += int64(s.framer.at.off)
	if err := s.closeFile(); err != nil {
		return unreadable(file.path, err)
	}
	s.index++
	if s.main != nil {
		if err := s.grow(ctx); err != nil {
			return err
		}
	}
	if s.index == len(s.src.files) {
		return nil
	}
	next := s.src.files[s.index]
	if err := file.follows(next); err != nil {
		return err
	}
	rotate := s.ended.rotate
	if _, n, ok := splitName(rotate); ok && next.numbered && n != next.number {
		return rowferry.Errorf(rowferry.CodeLogMissing, "%s says that %s follows it, not %s", file.name, rotate, next.name).
			Fact("need", "%s", rotate)
	}
	return nil
}

// String tells the remainder for people.
func (t *tail) String() string {
	return fmt.Sprintf("%d bytes after %s", t.left, t.at)
}
