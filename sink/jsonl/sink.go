// Package jsonl writes changes as JSON lines, to a file or to a stream.
//
// A file is exactly once in effect: how much of it is committed is part of the
// checkpoint (rowferry.Appender), and what a crash left beyond that is cut off
// before the batch is written again. So a reader that follows the file while it
// grows may see lines that are taken back; they come again with the same ids.
// A file has one writer: it is locked (flock) from Open to Close.
//
// A stream (standard output, a pipe, a device) is at least once: after a crash
// the last batch may be written again, with the same ids.
package jsonl

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"github.com/rowferry/rowferry"
)

// flushSize is how much is gathered before it is written.
const flushSize = 256 << 10

// Options are what a Sink can be told. The zero value is usable.
type Options struct {
	Connector string           // the "connector" of each event; "" means "mysql"
	Now       func() time.Time // the clock behind "ts_ms"; nil means time.Now
}

func (o Options) encoder() *Encoder {
	if o.Connector == "" {
		o.Connector = "mysql"
	}
	return NewEncoder(o.Connector, o.Now)
}

// Sink writes events. It is used by one goroutine at a time.
type Sink struct {
	out     io.Writer
	file    *os.File // nil for a stream that is not ours to close
	regular bool     // the file can be synced and cut
	made    bool     // the file did not exist before Open
	name    string
	path    string // absolute, of a regular file
	length  int64  // of the file, as this sink left it
	size    int64  // of it, up to the last commit
	sum     uint32 // of the last bytes up to size
	encoder *Encoder
	buf     []byte
	open    *batch
}

var _ rowferry.Appender = (*Sink)(nil)

// Stream returns a Sink that writes to w. A batch that is rolled back may have
// been written in part; w is not closed.
func Stream(w io.Writer, name string, o Options) *Sink {
	return &Sink{out: w, name: name, encoder: o.encoder()}
}

// Open returns a Sink that appends to the file at path, making it when it is
// missing; "-" is standard output. A pipe or a device is written as a stream.
// CodeTarget where the file cannot be opened, or does not end in an event;
// CodeTargetHeld where another Sink has it open.
func Open(path string, o Options) (*Sink, error) {
	if path == "-" {
		return Stream(os.Stdout, "standard output", o), nil
	}
	s := &Sink{name: path, encoder: o.encoder()}
	const flags = os.O_RDWR | os.O_CREATE | os.O_APPEND
	file, err := os.OpenFile(path, flags|os.O_EXCL, 0o644)
	s.made = err == nil
	if errors.Is(err, fs.ErrExist) {
		file, err = os.OpenFile(path, flags, 0o644)
	}
	if err != nil {
		return nil, s.translate(err)
	}
	s.out = file
	if err := s.take(file); err != nil {
		// The first error is the one to tell.
		_ = file.Close()
		return nil, err
	}
	return s, nil
}

// take locks the file, finds the end of its last whole line and makes its name
// durable.
func (s *Sink) take(file *os.File) error {
	info, err := file.Stat()
	if err != nil {
		return s.translate(err)
	}
	s.file = file
	if s.regular = info.Mode().IsRegular(); !s.regular {
		return nil
	}
	if err := s.lock(); err != nil {
		return err
	}
	if s.path, err = filepath.Abs(s.name); err == nil {
		s.path, err = filepath.EvalSymlinks(s.path)
	}
	if err != nil {
		return s.translate(err)
	}
	// Only now, with the lock, is the size one that stays.
	if info, err = file.Stat(); err != nil {
		return s.translate(err)
	}
	s.length = info.Size()
	whole, err := s.whole()
	if err != nil {
		return err
	}
	if err := s.settle(whole); err != nil {
		return err
	}
	dir, err := os.Open(filepath.Dir(s.path))
	if err != nil {
		return s.translate(err)
	}
	err = dir.Sync()
	return s.translate(errors.Join(err, dir.Close()))
}

// Begin starts a batch. It cuts off a torn last line, where Adopt did not.
func (s *Sink) Begin(ctx context.Context) (rowferry.SinkTx, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if s.open != nil {
		return nil, rowferry.Errorf(rowferry.CodeInternal, "a batch is already open on %s", s.name)
	}
	if err := s.cut(s.size); err != nil {
		return nil, err
	}
	s.open = &batch{sink: s}
	return s.open, nil
}

// Close rolls back an open batch and closes a file.
func (s *Sink) Close() error {
	var err error
	if s.open != nil {
		err = s.open.Rollback()
	}
	if s.file == nil {
		return err
	}
	return errors.Join(err, s.translate(s.file.Close()))
}

// flush writes what is gathered.
func (s *Sink) flush() error {
	if len(s.buf) == 0 {
		return nil
	}
	n, err := s.out.Write(s.buf)
	s.length += int64(n)
	s.buf = s.buf[:0]
	if cap(s.buf) > 4*flushSize {
		s.buf = nil // a large row came by
	}
	return s.translate(err)
}

func (s *Sink) translate(err error) error {
	switch {
	case err == nil || rowferry.CodeOf(err) != "":
		return err
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT), errors.Is(err, syscall.EFBIG):
		return rowferry.Errorf(rowferry.CodeTargetFull, "there is no room left to write events: %w", err).Fact("file", "%s", s.name)
	default:
		return rowferry.Errorf(rowferry.CodeTarget, "events cannot be written: %w", err).Fact("file", "%s", s.name)
	}
}

// batch is the events since the last commit.
type batch struct {
	sink   *Sink
	failed bool
}

// Write appends one line for each mutation that is an event.
func (b *batch) Write(ctx context.Context, ms []rowferry.Mutation) error {
	s := b.sink
	if b.failed || s.open != b {
		return rowferry.Errorf(rowferry.CodeInternal, "a write to a batch that is over")
	}
	if err := b.write(ctx, ms); err != nil {
		b.failed = true
		return err
	}
	return nil
}

func (b *batch) write(ctx context.Context, ms []rowferry.Mutation) error {
	s := b.sink
	for i := range ms {
		if err := ctx.Err(); err != nil {
			return err
		}
		n := len(s.buf)
		var err error
		if s.buf, err = s.encoder.AppendEvent(s.buf, &ms[i]); err != nil {
			return err
		}
		if len(s.buf) > n {
			s.buf = append(s.buf, '\n')
		}
		if len(s.buf) >= flushSize {
			if err := s.flush(); err != nil {
				return err
			}
		}
	}
	return nil
}

// Commit makes the batch durable in a file; a stream it only flushes. The
// checkpoint is not kept here.
func (b *batch) Commit(context.Context, rowferry.Checkpoint) error {
	s := b.sink
	if b.failed || s.open != b {
		return rowferry.Errorf(rowferry.CodeInternal, "a commit of a batch that is over")
	}
	b.failed = true
	if err := s.flush(); err != nil {
		return err
	}
	if s.regular {
		if err := s.mine(); err != nil {
			return err
		}
		sum, err := s.sumUpTo(s.length)
		if err != nil {
			return err
		}
		// Before this the batch may be lost in a crash.
		if err := s.file.Sync(); err != nil {
			return s.translate(err)
		}
		// After it the batch is durable.
		s.size, s.sum = s.length, sum
	}
	s.open = nil
	return nil
}

// Rollback cuts the batch off a file. What a stream was given cannot be taken
// back; its ids will be the same when it is written again.
func (b *batch) Rollback() error {
	s := b.sink
	if s.open != b {
		return nil
	}
	s.open = nil
	b.failed = true
	s.buf = s.buf[:0]
	return s.cut(s.size)
}
