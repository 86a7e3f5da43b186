package sqlite

import (
	"context"

	"github.com/rowferry/rowferry"
)

var _ rowferry.RemoveTx = (*batch)(nil)

// Remove implements rowferry.RemoveTx. Nobody else writes while a batch is open.
func (b *batch) Remove(ctx context.Context, deletes []rowferry.Mutation) error {
	err := b.each(ctx, deletes, func(m *rowferry.Mutation) error {
		t, err := b.targetOf(m)
		if err != nil {
			return err
		}
		return b.checkCascade(t, m)
	})
	if err != nil {
		return err
	}
	return b.Merge(ctx, deletes)
}
