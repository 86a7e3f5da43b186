package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/rowferry/rowferry"
	"github.com/rowferry/rowferry/internal/failpoint"
	"github.com/rowferry/rowferry/schema"
)

// unacked is a source whose readers tell it nothing: what they are, beside that they
// read, is out of sight.
type unacked struct{ rowferry.Source }

// Open implements rowferry.Source.
func (u unacked) Open(ctx context.Context, start rowferry.Start) (rowferry.Reader, error) {
	r, err := u.Source.Open(ctx, start)
	if err != nil || failpoint.On("ack-foreseen") {
		return r, err
	}
	return struct{ rowferry.Reader }{r}, nil
}

// unackedFetcher is one of which rows can be read beside it.
type unackedFetcher struct {
	unacked
	rowferry.Fetcher
}

// Open implements rowferry.Source.
func (u unackedFetcher) Open(ctx context.Context, start rowferry.Start) (rowferry.Reader, error) {
	return u.unacked.Open(ctx, start)
}

// withoutAcks returns a source that is told nothing.
func withoutAcks(s rowferry.Source) rowferry.Source {
	if f, ok := s.(rowferry.Fetcher); ok {
		return unackedFetcher{unacked{s}, f}
	}
	return unacked{s}
}

// How much of a table comes as one transaction.
const (
	dryRows  = 2000
	dryBytes = 1 << 20
)

// tableSource reads the tables that there are, in one snapshot, as a log of inserts
// that ends. It is opened once.
type tableSource struct {
	part   rowferry.PartReader
	tables []*rowferry.CopyTable // parents first
	opened bool
}

// Open implements rowferry.Source.
func (s *tableSource) Open(context.Context, rowferry.Start) (rowferry.Reader, error) {
	if s.opened {
		return nil, rowferry.Errorf(rowferry.CodeDryRun, "the tables are read in one snapshot, and cannot be read on in another")
	}
	s.opened = true
	return &tableReader{source: s}, nil
}

// tableReader is what reads them.
type tableReader struct {
	source *tableSource
	at     int // the table, from 1; 0: their shapes are not told yet
	number int // of the transaction
	next   func() (rowferry.Row, error, bool)
	stop   func()
	done   atomic.Int64 // rows
}

// noLog is the position of rows that are read of tables.
const noLog rowferry.Position = "tables"

// Begin implements rowferry.Reader.
func (r *tableReader) Begin() rowferry.Position { return noLog }

// Next implements rowferry.Reader.
func (r *tableReader) Next(ctx context.Context) (*rowferry.Tx, error) {
	if r.at == 0 {
		tx := r.tx("shapes")
		for _, t := range r.source.tables {
			tx.Changes = append(tx.Changes, rowferry.Change{Op: rowferry.Shape, Table: t.Shape})
		}
		r.at = 1
		return tx, nil
	}
	for ; r.at <= len(r.source.tables); r.at++ {
		t := r.source.tables[r.at-1]
		if r.next == nil {
			r.next, r.stop = iter.Pull2(r.rows(ctx, t))
		}
		tx, size := r.tx(t.Shape.Name.String()), 0
		for len(tx.Changes) < dryRows && size < dryBytes {
			row, err, more := r.next()
			if err != nil {
				return nil, err
			}
			if !more {
				break
			}
			tx.Changes = append(tx.Changes, rowferry.Change{Op: rowferry.Insert, Table: t.Shape, After: row})
			size += row.Size()
		}
		if len(tx.Changes) > 0 {
			r.done.Add(int64(len(tx.Changes)))
			return tx, nil
		}
		r.end()
	}
	return nil, io.EOF
}

func (r *tableReader) tx(what string) *rowferry.Tx {
	r.number++
	return &rowferry.Tx{ID: fmt.Sprintf("%s %d", what, r.number), Log: what, Last: true, Position: noLog, CommitTime: time.UnixMilli(0)}
}

var errEnded = errors.New("no more is asked for")

// rows are all rows of a table.
func (r *tableReader) rows(ctx context.Context, t *rowferry.CopyTable) iter.Seq2[rowferry.Row, error] {
	return func(yield func(rowferry.Row, error) bool) {
		err := r.source.part.Pick(ctx, t, rowferry.Pick{}, func(part []rowferry.Row) error {
			for _, row := range part {
				if !yield(ownRow(row), nil) {
					return errEnded
				}
			}
			return nil
		})
		if err != nil && !errors.Is(err, errEnded) {
			yield(nil, err)
		}
	}
}

// ownRow is a copy of a row that is valid during a call.
func ownRow(row rowferry.Row) rowferry.Row {
	row = slices.Clone(row)
	for i, v := range row {
		switch v.Kind() {
		case rowferry.Text:
			row[i] = rowferry.TextValue(strings.Clone(v.Str()))
		case rowferry.Bytes:
			row[i] = rowferry.BytesValue(strings.Clone(v.Str()))
		default: // holds no memory of others
		}
	}
	return row
}

func (r *tableReader) end() {
	if r.stop != nil {
		r.stop()
		r.next, r.stop = nil, nil
	}
}

// Progress implements rowferry.Reader: in rows, by the server's estimate.
func (r *tableReader) Progress() (done, total int64) {
	for _, t := range r.source.tables {
		total += t.Rows
	}
	done = r.done.Load()
	return done, max(done, total)
}

// Notices implements rowferry.Reader.
func (r *tableReader) Notices() []string { return nil }

// Close implements rowferry.Reader. The snapshot is its opener's.
func (r *tableReader) Close() error {
	r.end()
	return nil
}

// orderedTables are the tables of a copy in the order in which their rows would come.
// The handler and the resolver, which may be nil, are told of them.
func orderedTables(h rowferry.Handler, r rowferry.Resolver, tables []rowferry.CopyTable) ([]*rowferry.CopyTable, error) {
	var shapes []*schema.Table
	byName := map[schema.Name]*rowferry.CopyTable{}
	var ms []rowferry.Mutation
	var err error
	for i := range tables {
		t := &tables[i]
		shapes = append(shapes, t.Shape)
		byName[t.Shape.Name] = t
		if ms, err = h.Handle(ms, &rowferry.Change{Op: rowferry.Shape, Table: t.Shape}); err != nil {
			return nil, err
		}
	}
	if r == nil {
		shapes, _ = schema.ParentsFirst(shapes)
	} else {
		for i := range ms {
			if _, err := r.Resolve(nil, &ms[i], nil); err != nil {
				return nil, err
			}
		}
		if shapes, err = rowferry.CopyOrder(shapes, r); err != nil {
			return nil, err
		}
	}
	ordered := make([]*rowferry.CopyTable, len(shapes))
	for i, t := range shapes {
		ordered[i] = byName[t.Name]
	}
	return ordered, nil
}
