package mysql

import (
	"context"
	"errors"
	"io"

	"github.com/rowferry/rowferry"
)

var _ rowferry.Rooted = (*liveReader)(nil)

// Lineage returns the lineage of the last transaction that is logged before the
// place where reading begins, which it reads. See rowferry.Rooted.
func (r *liveReader) Lineage(ctx context.Context) (string, error) {
	pos, err := ParsePosition(string(r.start))
	if err != nil {
		return "", err
	}
	for file := r.emit.file; file >= 0; file-- {
		last, err := r.src.lastBefore(ctx, file, r.emit)
		switch {
		case err != nil:
			return "", err
		case pos.Kind == AtFile && last.end != r.emit:
			return "", nil // such a position is tied to what ends there
		case last.id != "":
			return r.read(ctx, last)
		}
	}
	return "", nil
}

// lastBefore returns the last transaction of a file before a place; one without
// an id where there is none.
func (s *Source) lastBefore(ctx context.Context, file int, before place) (last passed, err error) {
	err = s.scan(ctx, file, newProgress(), func(x seen) (bool, error) {
		if !x.start.before(before) || x.start.file > file {
			return true, nil
		}
		if x.how != goesOn {
			last = passed{x.group.id(), x.group.start, x.end}
		}
		return false, nil
	})
	return last, err
}

// read reads one transaction before the place where reading begins, over a
// connection of its own, and returns its lineage.
func (r *liveReader) read(ctx context.Context, tx passed) (lineage string, err error) {
	one := newReader(r.src)
	one.progress, one.emit, one.from = newProgress(), r.emit, tx.start
	one.tables.catalog = r.src.live.catalog()
	one.events = newFileStream(r.src, tx.start)
	defer func() { err = errors.Join(err, one.events.Close()) }()
	for one.before == "" {
		if _, err := one.step(ctx); errors.Is(err, io.EOF) {
			return "", corruptAt(tx.start, "transaction %s has no end", tx.id)
		} else if err != nil {
			return "", err
		}
	}
	return one.before, nil
}
