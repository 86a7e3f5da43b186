package randomtx

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/rowferry/rowferry"
)

// Source is a rowferry.Source whose log is the world's next n transactions. It
// can be read once, from its beginning.
type Source struct {
	World        *World
	Transactions int
}

// Open returns the reader.
func (s *Source) Open(_ context.Context, start rowferry.Start) (rowferry.Reader, error) {
	if start.Position != "" {
		return nil, rowferry.Errorf(rowferry.CodePositionOutside, "random transactions are not made twice: %s", start.Position)
	}
	return &reader{source: s}, nil
}

type reader struct {
	source *Source
	n      int
}

func (r *reader) Begin() rowferry.Position { return "r0" }

func (r *reader) Next(ctx context.Context) (*rowferry.Tx, error) {
	if r.n == r.source.Transactions {
		return nil, io.EOF
	}
	tx := &rowferry.Tx{Last: true, CommitTime: time.Unix(int64(r.n), 0)}
	if r.n == 0 {
		for _, s := range r.source.World.Shapes() {
			tx.Changes = append(tx.Changes, rowferry.Change{Op: rowferry.Shape, Table: s})
		}
	}
	for _, m := range r.source.World.Transaction() {
		tx.Changes = append(tx.Changes, rowferry.Change{Op: m.Op, Table: m.Table, Before: m.Before, After: m.After})
	}
	r.n++
	tx.ID = fmt.Sprintf("t%d", r.n)
	tx.Log, tx.Position, tx.Lineage = "log:"+tx.ID, rowferry.Position(fmt.Sprintf("r%d", r.n)), "l"+tx.ID
	return tx, ctx.Err()
}

func (r *reader) Progress() (done, total int64) { return 0, 0 }
func (r *reader) Notices() []string             { return nil }
func (r *reader) Close() error                  { return nil }
