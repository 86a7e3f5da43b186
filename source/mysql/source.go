package mysql

import (
	"context"
	"errors"
	"log/slog"

	"github.com/rowferry/rowferry"
	"github.com/rowferry/rowferry/schema"
)

// DefaultChunkBytes is how much of a transaction is held at once, unless
// Options say otherwise.
const DefaultChunkBytes = 4 << 20

// Options configure reading a log from its files.
type Options struct {
	// Paths are the log's files, or patterns of them; the order does not
	// matter where they are numbered. A pattern takes only numbered names.
	Paths []string
	// From is where a Reader begins that is not told where: a position as
	// ParsePosition reads it. Empty is "earliest".
	From string
	// Until is where the log ends for the Reader: after the transaction that
	// contains or ends at a place, once all of a GTID set was read, or before
	// the first transaction committed after a time. Empty is "latest".
	Until string
	// Scope says which tables are read; nil means all. It has to give the
	// same answer every time.
	Scope func(schema.Name) bool
	// Dump is the path of a dump of CREATE TABLE statements with the shapes in
	// force where the files begin. Empty: none.
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

// Source reads the binlog files of a MySQL or MariaDB server.
type Source struct {
	opt      Options
	from     Parsed
	until    Parsed
	files    []logFile
	sizes    []int64
	oldest   int // the first of files that is still there
	open     opener
	live     *liveLog // nil where the log is files
	maxEvent uint64
}

var _ rowferry.Source = (*Source)(nil)

// Files returns the source. Nothing is read before Open, so that a bad option
// is an error of Open too.
func Files(opt Options) rowferry.Source {
	return &Source{opt: opt, open: func(_ context.Context, path string) (logBytes, error) { return openLog(path) }, maxEvent: maxEvent}
}

// Open begins reading. See rowferry.Source.
func (s *Source) Open(ctx context.Context, start rowferry.Start) (rowferry.Reader, error) {
	if err := s.prepare(ctx); err != nil {
		return nil, err
	}
	r := newReader(s)
	if err := r.begin(ctx, start); err != nil {
		return nil, errors.Join(err, r.release())
	}
	return r, nil
}

// prepare reads the options and looks at the files.
func (s *Source) prepare(ctx context.Context) (err error) {
	if err := s.settle(); err != nil {
		return err
	}
	if s.files, err = expand(s.opt.Paths); err != nil {
		return err
	}
	s.sizes = make([]int64, len(s.files))
	for i, f := range s.files {
		b, err := s.open(ctx, f.path)
		if err != nil {
			return err
		}
		s.sizes[i] = int64(b.Size())
		if err := b.Close(); err != nil {
			return unreadable(f.path, err)
		}
	}
	return nil
}

// settle reads the options.
func (s *Source) settle() (err error) {
	if s.opt.ChunkBytes <= 0 {
		s.opt.ChunkBytes = DefaultChunkBytes
	}
	if s.opt.Scope == nil {
		s.opt.Scope = func(schema.Name) bool { return true }
	}
	if s.opt.Log == nil {
		s.opt.Log = slog.New(slog.DiscardHandler)
	}
	if s.from, err = parseOr(s.opt.From, Earliest); err != nil {
		return err
	}
	s.until, err = parseOr(s.opt.Until, Latest)
	return err
}

func parseOr(text string, empty PositionKind) (Parsed, error) {
	if text == "" {
		return Parsed{Kind: empty}, nil
	}
	return ParsePosition(text)
}
