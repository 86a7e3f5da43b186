package rowferry

import (
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/rowferry/rowferry/schema"
)

// fetch reads rows of the source by their keys, and moves the mark behind them.
func (c *copying) fetch(ctx context.Context, table schema.Name, keys [][]Value) (*schema.Table, []Row, error) {
	tables := c.source.Tables()
	i := slices.IndexFunc(tables, func(t CopyTable) bool { return t.Shape.Name == table })
	if i < 0 {
		return nil, nil, shapeChanged(table, []string{"table dropped or renamed"})
	}
	r, err := c.source.Open(ctx)
	if err != nil {
		return nil, nil, err
	}
	var rows []Row
	err = r.Fetch(ctx, &tables[i], keys, func(part []Row) error {
		for _, row := range part {
			rows = append(rows, keep(row))
		}
		return nil
	})
	if err = errors.Join(err, r.Close()); err != nil {
		return nil, nil, err
	}
	mark, err := c.source.End(ctx)
	if err != nil {
		return nil, nil, err
	}
	c.setUntil(mark)
	return tables[i].Shape, rows, nil
}

// keep returns a copy of a row that is valid during a call.
func keep(r Row) Row {
	kept := slices.Clone(r)
	for i := range kept {
		kept[i].str = strings.Clone(kept[i].str)
	}
	return kept
}
