package randomtx

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/rowferry/rowferry"
)

// Source is a rowferry.Source whose log is the world's next n transactions. It
// can be read once, from where the world is.
type Source struct {
	World        *World
	Transactions int
}

// Open returns the reader.
func (s *Source) Open(_ context.Context, start rowferry.Start) (rowferry.Reader, error) {
	if p := start.Position; p != "" && p != s.World.position() {
		return nil, rowferry.Errorf(rowferry.CodePositionOutside, "random transactions are not made twice: %s", p)
	}
	return &reader{source: s, known: len(start.Tables) > 0}, nil
}

func (w *World) position() rowferry.Position { return rowferry.Position(fmt.Sprintf("r%d", w.made)) }

type reader struct {
	source *Source
	n      int
	known  bool // the tables
}

func (r *reader) Begin() rowferry.Position { return "r0" }

func (r *reader) Next(ctx context.Context) (*rowferry.Tx, error) {
	if r.n == r.source.Transactions {
		return nil, io.EOF
	}
	w := r.source.World
	tx := &rowferry.Tx{Last: true, CommitTime: time.UnixMilli(int64(w.made))}
	if !r.known {
		for _, s := range w.Shapes() {
			tx.Changes = append(tx.Changes, rowferry.Change{Op: rowferry.Shape, Table: s})
		}
		r.known = true
	}
	for _, m := range w.Transaction() {
		tx.Changes = append(tx.Changes, rowferry.Change{Op: m.Op, Table: m.Table, Before: m.Before, After: m.After, ChecksOff: m.ChecksOff})
	}
	r.n++
	tx.ID = fmt.Sprintf("t%d", w.made)
	tx.Log, tx.Position, tx.Lineage = "log:"+tx.ID, w.position(), "l"+tx.ID
	return tx, ctx.Err()
}

func (r *reader) Progress() (done, total int64) { return 0, 0 }
func (r *reader) Notices() []string             { return nil }
func (r *reader) Close() error                  { return nil }
