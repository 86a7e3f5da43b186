package mysql

import (
	"bytes"
	"context"
	"errors"
	"io"

	"github.com/go-mysql-org/go-mysql/replication"

	"github.com/rowferry/rowferry"
)

const (
	// keepBytes is how much of the start of a file is kept while its head is
	// read, which goes back once.
	keepBytes = 1 << 20
	// passBytes is what is rather passed over than asked for anew.
	passBytes = 1 << 20
)

// remoteFile is one file of a server's log as if it lay here. It is asked for
// where reading begins; events begin wherever Seek is told to go.
type remoteFile struct {
	log  *liveLog
	ctx  context.Context
	name string
	main *follower // whose dump it reads from main.from on; nil: none
	d    *dump
	off  uint64 // of the next byte
	head []byte // what was read from the start on, as far as it is kept
	gone bool   // more was read than is kept
}

var _ logBytes = (*remoteFile)(nil)

// file opens a file of the log for a look: as nobody, up to where the log ends.
func (l *liveLog) file(ctx context.Context, name string) (logBytes, error) {
	return &remoteFile{log: l, ctx: ctx, name: name}, nil
}

// Size returns endless.
func (f *remoteFile) Size() uint64 { return endless }

// bound makes ctx end what waits for the network from now on.
func (f *remoteFile) bound(ctx context.Context) {
	f.ctx = ctx
	if f.d != nil {
		f.d.ctx = ctx
	}
}

// Read reads on. See dump.read for what it returns.
func (f *remoteFile) Read(b []byte) (int, error) {
	if f.off < uint64(len(f.head)) {
		n := copy(b, f.head[f.off:])
		f.off += uint64(n)
		return n, nil
	}
	n, err := f.read(b)
	f.off += uint64(n)
	if !f.gone {
		if len(f.head)+n > keepBytes {
			f.head, f.gone = nil, true
		} else {
			f.head = append(f.head, b[:n]...)
		}
	}
	return n, err
}

func (f *remoteFile) read(b []byte) (n int, err error) {
	if f.off < magicSize {
		return copy(b, magicBinlog[f.off:]), nil
	}
	if f.d == nil {
		if f.main != nil && f.off == f.main.from.off {
			f.d, err = f.main.start(f.ctx, f.name, f.off)
		} else {
			f.d, err = f.log.dump(f.ctx, f.name, f.off, 0, true)
		}
		if err != nil {
			return 0, err
		}
	}
	return f.d.read(b)
}

// Seek moves to a place at which an event starts.
func (f *remoteFile) Seek(to int64, _ int) (int64, error) {
	off := uint64(to)
	begin := f.main != nil && f.main.d == nil && off == f.main.from.off
	switch {
	case begin && off == magicSize: // the head is still to come
		f.drop()
		f.head, f.gone = bytes.Clone(magicBinlog), false
	case !begin && !f.gone && off <= uint64(len(f.head)):
	case !begin && f.d != nil && f.d.off <= off && off-f.d.off <= passBytes:
		if err := f.d.discard(off - f.d.off); err != nil {
			return 0, err
		}
		f.head, f.gone = nil, true
	default:
		f.drop()
		f.head, f.gone = nil, true
	}
	f.off = off
	return to, nil
}

// drop ends the dump, unless others read on with it.
func (f *remoteFile) drop() {
	if f.d != nil && (f.main == nil || f.d != f.main.d) {
		f.d.c.close()
	}
	f.d = nil
}

// Close ends reading.
func (f *remoteFile) Close() error {
	f.drop()
	return nil
}

// follower opens the files of a log from one place on, over one connection: as
// the replica that we are.
type follower struct {
	log  *liveLog
	from place
	ends bool  // where the log ends
	d    *dump // nil until from is reached
}

func (m *follower) start(ctx context.Context, name string, off uint64) (*dump, error) {
	d, err := m.log.dump(ctx, name, off, m.log.id, m.ends)
	m.d = d
	return d, err
}

// open opens a file: the first, or the one to which the server has gone on.
func (m *follower) open(ctx context.Context, name string) (logBytes, error) {
	f := &remoteFile{log: m.log, ctx: ctx, name: name, main: m}
	switch {
	case m.d == nil:
		return f, nil
	case m.d.next != name:
		return nil, rowferry.Errorf(rowferry.CodeInternal, "%s is asked for where the server sends %q", name, m.d.next)
	}
	m.d.advance()
	f.d, m.d.ctx = m.d, ctx
	return f, nil
}

// sameAs checks that the file whose head was read over another connection is
// the one that is being sent: the log may have been reset in between.
func (m *follower) sameAs(h *head) error {
	if m == nil || m.d == nil || m.d.seen == nil {
		return nil
	}
	seen := m.d.seen
	m.d.seen = nil
	if sameFormat(h.format, seen) {
		return nil
	}
	return rowferry.Errorf(rowferry.CodeLineageBroken, "%s became another file while it was being opened", m.d.file)
}

// sameFormat compares format descriptions without what a server changes when it
// sends one from the middle of its file: place, flags, start and checksum.
func sameFormat(a, b []byte) bool {
	const started = headerSize + 2 + 50
	plain := func(x []byte) []byte {
		x = bytes.Clone(x)
		clear(x[9:headerSize])
		clear(x[started : started+4])
		return x
	}
	n := len(a) - checksumSize - 1
	return n >= started+4 && len(b) >= n && bytes.Equal(plain(a[:n]), plain(b[:n]))
}

// grow makes the file that the server has gone on with the next one. Where the
// log has ended there is none.
func (s *fileStream) grow(ctx context.Context) error {
	if err := s.main.sameAs(s.ended.head); err != nil {
		return err
	}
	d := s.main.d
	if d.next == "" {
		s.src.files = s.src.files[:s.index] // what the listing has beyond was not sent
		return nil
	}
	if s.ended.last == (header{}) {
		if err := s.recall(ctx); err != nil {
			return err
		}
	}
	next := newLogFile(d.next)
	if s.index < len(s.src.files) && s.src.files[s.index].name != next.name {
		return rowferry.Errorf(rowferry.CodeLineageBroken, "the server goes on with %s after %s, which its list of files does not say", next.name, s.src.files[s.index-1].name)
	}
	if s.index == len(s.src.files) {
		s.src.files = append(s.src.files, next)
	}
	return nil
}

// recall looks for the last event of a file of which none was read, since
// reading began at its end: it tells what follows.
func (s *fileStream) recall(ctx context.Context) (err error) {
	f, _, c, err := openHead(ctx, s.src.open, s.ended.file, s.index-1, s.maxEvent)
	if err != nil {
		return err
	}
	defer func() { _ = c.Close() }()
	for {
		h, err := f.peek()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		s.ended.last = h
		if h.typ != replication.ROTATE_EVENT {
			if err := f.skip(h); err != nil {
				return err
			}
			continue
		}
		e, err := f.next(h)
		if err != nil {
			return err
		}
		if s.ended.rotate, err = parseRotate(e); err != nil {
			return err
		}
	}
}
