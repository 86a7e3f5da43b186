// Package jsonl writes changes as JSON lines, to a file or to a stream.
//
// It is at least once: the target keeps no checkpoint, so after a crash the
// last batch may be written again, with the same ids. Every line of a file is
// whole: a line that a crash tore is cut off when the file is opened again.
package jsonl

import (
	"context"
	"errors"
	"io"
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
	name    string
	size    int64 // of the file, up to the last commit
	encoder *Encoder
	buf     []byte
	open    *batch
}

var _ rowferry.Sink = (*Sink)(nil)

// Stream returns a Sink that writes to w. A batch that is rolled back may have
// been written in part; w is not closed.
func Stream(w io.Writer, name string, o Options) *Sink {
	return &Sink{out: w, name: name, encoder: o.encoder()}
}

// Open returns a Sink that appends to the file at path, making it when it is
// missing; "-" is standard output. A pipe or a device is written as a stream.
// CodeTarget where the file cannot be opened, or does not end in an event.
func Open(path string, o Options) (*Sink, error) {
	if path == "-" {
		return Stream(os.Stdout, "standard output", o), nil
	}
	s := &Sink{name: path, encoder: o.encoder()}
	file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_APPEND, 0o644)
	if err != nil {
		return nil, s.translate(err)
	}
	s.out = file
	if err := s.adopt(file); err != nil {
		// The first error is the one to tell.
		_ = file.Close()
		return nil, err
	}
	return s, nil
}

// adopt finds the end of the last whole line and makes the file's name
// durable.
func (s *Sink) adopt(file *os.File) error {
	info, err := file.Stat()
	if err != nil {
		return s.translate(err)
	}
	s.file = file
	if s.regular = info.Mode().IsRegular(); !s.regular {
		return nil
	}
	if s.size, err = s.mend(info.Size()); err != nil {
		return err
	}
	dir, err := os.Open(filepath.Dir(s.name))
	if err != nil {
		return s.translate(err)
	}
	err = dir.Sync()
	return s.translate(errors.Join(err, dir.Close()))
}

// Begin starts a batch.
func (s *Sink) Begin(ctx context.Context) (rowferry.SinkTx, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if s.open != nil {
		return nil, rowferry.Errorf(rowferry.CodeInternal, "a batch is already open on %s", s.name)
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
	_, err := s.out.Write(s.buf)
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
		// Before this the batch may be lost in a crash.
		if err := s.file.Sync(); err != nil {
			return s.translate(err)
		}
		// After it the batch is durable.
		info, err := s.file.Stat()
		if err != nil {
			return s.translate(err)
		}
		s.size = info.Size()
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
	if !s.regular {
		return nil
	}
	return s.translate(s.file.Truncate(s.size))
}
