package postgres

import (
	"context"

	"github.com/rowferry/rowferry"
	dialect "github.com/rowferry/rowferry/internal/dialect/postgres"
)

var _ rowferry.Recopier = (*Source)(nil)

// Recopy is Copy for a pipeline that follows. Tables in scope that the publication
// lacks are added to it, where Rowferry made it for this pipeline, and every
// transaction that was open by then is waited for: what it changed in such a table
// may not be published, and is seen by every snapshot. See rowferry.Recopier.
func (s *Source) Recopy(ctx context.Context, from rowferry.Position, lineage string) (rowferry.Copy, error) {
	return s.copy(ctx, rowferry.Start{Position: from, Lineage: lineage}, true)
}

// publish adds to the publication the tables in scope that it lacks.
func (o *opening) publish(ctx context.Context) error {
	pub, err := o.session.readPublication(ctx, o.options.Publication)
	if err != nil || pub == nil || pub.made != o.options.Pipeline {
		return err // and what is missing is refused, with the statement that adds it
	}
	sc, err := o.session.readScope(ctx, &o.options, o.server, pub)
	if err != nil {
		return err
	}
	missing := sc.missing(pub)
	if len(missing) == 0 {
		return nil
	}
	sql := "ALTER PUBLICATION " + dialect.Quote(pub.name) + " ADD TABLE " + sc.list(missing)
	err = o.session.exec(ctx, sql)
	if rowferry.CodeOf(err) != rowferry.CodeSourceDenied {
		return err
	}
	return rowferry.Errorf(rowferry.CodePublication, "the publication leaves out tables in scope, and %s may not add them: %w", o.server.user, err).
		Fact("publication", "%s", pub.name).Fact("tables", "%s", names(missing)).
		Remedy("as its and the tables' owner", "%s", sql).
		Remedy("or let it", "make %s the owner of the publication and of the tables", dialect.Quote(o.server.user))
}
