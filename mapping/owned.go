package mapping

import (
	"bytes"
	"context"
	"math"

	"github.com/rowferry/rowferry"
	"github.com/rowferry/rowferry/schema"
)

var _ rowferry.Owner = (*Reader)(nil)

// Owned implements rowferry.Owner. Rows are the pipeline's where their key was given
// by it, or contains such a key.
func (r *Reader) Owned(ctx context.Context) ([]rowferry.Owned, error) {
	counts, err := r.Counts(ctx)
	if err != nil {
		return nil, err
	}
	var refused *rowferry.Error
	var owned []rowferry.Owned
	for _, c := range counts {
		e, err := r.named(c.Entity.String())
		if err != nil {
			return nil, err
		}
		if !e.owned() {
			if refused == nil {
				refused = rowferry.Errorf(rowferry.CodeNotOwned, "which rows are this pipeline's is not noted of all its tables")
			}
			refused.Fact("not noted", "%s", e.source)
			continue
		}
		owned = append(owned, rowferry.Owned{Source: e.source, Table: e.table, Rows: c.Mapped})
	}
	if refused != nil {
		return nil, refused
	}
	return owned, nil
}

// owned reports whether whoever has a key in the notes was brought by the pipeline,
// and not found in the target.
func (e *entity) owned() bool {
	return e.noted && !e.rule.looks() && (e.rule.Key == Allocate || e.rule.Key == Keep)
}

// Rows implements rowferry.Owner.
func (r *Reader) Rows(ctx context.Context, o *rowferry.Owned, fn func(rowferry.OwnedRow) error) error {
	e, err := r.named(o.Source.String())
	if err != nil {
		return err
	}
	prefix := append([]byte{mapNote}, e.id...)
	return r.scanPairs(ctx, e, func(key, to []byte) error {
		if isFiltered(to) {
			return nil
		}
		values := r.decode(e, to)
		if values == nil {
			return errNote
		}
		row := make(rowferry.Row, len(e.table.Columns))
		for i, at := range e.identity {
			row[at] = numbered(values[i], e.table.Columns[at].Type)
		}
		return fn(rowferry.OwnedRow{Note: append(bytes.Clone(prefix), key...), Key: row})
	})
}

// numbered returns a number of the notes, where only negative ones have a sign, as
// rows of the column carry it.
func numbered(v rowferry.Value, t schema.Type) rowferry.Value {
	if v.Kind() == rowferry.Uint && t.Kind == schema.Int && !t.Unsigned && v.Uint() <= math.MaxInt64 {
		return rowferry.IntValue(int64(v.Uint()))
	}
	return v
}
