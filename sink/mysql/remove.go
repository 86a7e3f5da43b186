package mysql

import (
	"context"
	"slices"

	"github.com/rowferry/rowferry"
	"github.com/rowferry/rowferry/internal/sqlsink"
)

var _ rowferry.RemoveTx = (*batch)(nil)

// Remove implements rowferry.RemoveTx.
func (b *batch) Remove(ctx context.Context, deletes []rowferry.Mutation) error {
	err := b.whole(ctx, func() error {
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
	t, err := b.sink.target(ctx, m)
	if err != nil {
		return err
	}
	children, err := b.sink.incoming(ctx, t)
	if err != nil || !slices.ContainsFunc(children, func(r *reference) bool { return r.onDelete.Acts() }) {
		return err
	}
	where, match := t.where("")
	err = b.sink.session.queryWith(ctx, "SELECT 1 FROM "+t.quoted+" WHERE "+where+" FOR UPDATE", func(func(...any) error) error { return nil },
		func() error { return b.sink.bindOld(b.sink.session.conn, t, match, m) })
	if err != nil {
		return b.sink.translate(err)
	}
	return b.checkCascade(ctx, t, m)
}
