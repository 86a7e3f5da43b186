package postgres

import (
	"context"
	"slices"

	"github.com/rowferry/rowferry"
	dialect "github.com/rowferry/rowferry/internal/dialect/postgres"
	"github.com/rowferry/rowferry/internal/sqlsink"
)

var _ rowferry.RemoveTx = (*batch)(nil)

// Remove implements rowferry.RemoveTx.
func (b *batch) Remove(ctx context.Context, deletes []rowferry.Mutation) error {
	err := b.attempt(ctx, func() error {
		for i := range deletes {
			if err := b.spare(ctx, &deletes[i]); err != nil {
				return sqlsink.Blame(err, &deletes[i])
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	return b.Merge(ctx, deletes)
}

// spare refuses to delete a row if a foreign key would act. The row is locked before
// it is asked who refers to it, so that nobody does afterwards.
func (b *batch) spare(ctx context.Context, m *rowferry.Mutation) error {
	t, err := b.targetOf(ctx, m)
	if err != nil || !slices.ContainsFunc(t.existing.Children, func(r dialect.Reference) bool { return r.OnDelete.Acts() }) {
		return err
	}
	if err := b.flush(ctx); err != nil {
		return err
	}
	st := &statement{}
	where := t.where(st, m, "")
	if _, err := b.found(ctx, "SELECT FROM "+t.quoted+" WHERE "+where+" FOR UPDATE", t, st, m); err != nil {
		return err
	}
	return b.checkCascade(ctx, t, m)
}
