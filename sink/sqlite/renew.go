package sqlite

import (
	"context"
	"slices"
	"strings"

	"github.com/rowferry/rowferry"
	dialect "github.com/rowferry/rowferry/internal/dialect/sqlite"
	"github.com/rowferry/rowferry/internal/sqlsink"
	"github.com/rowferry/rowferry/schema"
)

var _ rowferry.Renewer = (*Sink)(nil)

// CheckRenew refuses what Renew would refuse. See rowferry.Renewer.
func (s *Sink) CheckRenew(ctx context.Context, shapes, all []rowferry.Mutation) error {
	if err := s.idle(ctx); err != nil {
		return err
	}
	s.forget()
	_, err := s.renewal(shapes, all)
	return err
}

// Renew empties the tables in one transaction. Foreign keys stay, and are not
// looked at until Complete. See rowferry.Renewer.
func (s *Sink) Renew(ctx context.Context, cp rowferry.Checkpoint, shapes, all []rowferry.Mutation) error {
	s.forget()
	was := s.loading.copied()
	s.loading.set(shapes, false)
	err := s.enforce()
	if err == nil {
		err = s.within(ctx, func() error {
			if err := s.hold(cp); err != nil {
				return err
			}
			statements, err := s.renewal(shapes, all)
			if err != nil {
				return err
			}
			for _, sql := range statements {
				if err := s.run(sql); err != nil {
					return err
				}
			}
			return nil
		})
	}
	if err != nil {
		s.loading.restore(was)
		s.forget()
	}
	return err
}

// renewal returns the statements that empty the tables.
func (s *Sink) renewal(shapes, all []rowferry.Mutation) (statements []string, err error) {
	if err := sqlsink.OnlyShapes(shapes); err != nil {
		return nil, err
	}
	for i := range shapes {
		t := shapes[i].Table
		x, err := s.inspect(t)
		if err != nil {
			return nil, sqlsink.Blame(err, &shapes[i])
		}
		if x == nil {
			continue
		}
		if err := s.renewable(t, x, all); err != nil {
			return nil, sqlsink.Blame(err, &shapes[i])
		}
		statements = append(statements, "DELETE FROM "+dialect.Quote(t.Name.Table))
	}
	return statements, s.noneActs()
}

func (s *Sink) renewable(t *schema.Table, x *dialect.Existing, all []rowferry.Mutation) error {
	if !dialect.Made(t, x) {
		empty, err := s.isEmpty(dialect.Quote(t.Name.Table))
		if err != nil || empty {
			return err
		}
		return sqlsink.NotMade(t)
	}
	g, err := s.references()
	if err != nil {
		return err
	}
	for _, r := range g.to[dialect.Fold(t.Name.Table)] {
		if !slices.ContainsFunc(all, func(m rowferry.Mutation) bool { return dialect.Fold(m.Table.Name.Table) == dialect.Fold(r.child) }) {
			return sqlsink.HeldBy(t, schema.Name{Table: r.child}, strings.Join(r.columns, ", "))
		}
	}
	return s.checkLoadable(t, x)
}

// noneActs refuses foreign keys of any table that act: none does while those of
// these tables are not looked at, though the other tables are written to.
func (s *Sink) noneActs() error {
	g, err := s.references()
	if err != nil {
		return err
	}
	acts := func(action string) bool { return action != "NO ACTION" && action != "RESTRICT" }
	for _, references := range g.from {
		for _, r := range references {
			if acts(r.onDelete) || acts(r.onUpdate) {
				return rowferry.Errorf(rowferry.CodeAgainRefused, "a foreign key of the target acts, and would not while tables are copied: SQLite looks at all of them or at none").
					Fact("table", "%s", r.child).Fact("columns", "%s", strings.Join(r.columns, ", ")).
					Remedy("start over", "rowferry destroy, then run again into empty tables")
			}
		}
	}
	return nil
}
