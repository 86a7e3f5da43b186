package postgres

import (
	"context"
	"slices"
	"strings"

	"github.com/rowferry/rowferry"
	dialect "github.com/rowferry/rowferry/internal/dialect/postgres"
	"github.com/rowferry/rowferry/internal/sqlsink"
	"github.com/rowferry/rowferry/schema"
)

var _ rowferry.Renewer = (*Sink)(nil)

// CheckRenew refuses what Renew would refuse. See rowferry.Renewer.
func (s *Sink) CheckRenew(ctx context.Context, shapes, all []rowferry.Mutation) error {
	if err := s.idle(ctx); err != nil {
		return err
	}
	_, err := s.renewal(ctx, shapes, all)
	return err
}

// Renew empties the tables with one TRUNCATE, in one transaction with what goes
// before it. See rowferry.Renewer.
func (s *Sink) Renew(ctx context.Context, cp rowferry.Checkpoint, shapes, all []rowferry.Mutation) error {
	s.forget()
	return s.within(ctx, func() error {
		if err := s.hold(ctx, cp); err != nil {
			return err
		}
		statements, err := s.renewal(ctx, shapes, all)
		if err != nil {
			return err
		}
		for _, sql := range statements {
			if err := s.run(ctx, sql); err != nil {
				return err
			}
		}
		return nil
	})
}

// renewal returns the statements that empty the tables.
func (s *Sink) renewal(ctx context.Context, shapes, all []rowferry.Mutation) (statements []string, err error) {
	if err := sqlsink.OnlyShapes(shapes); err != nil {
		return nil, err
	}
	renewed := map[schema.Name]bool{}
	for i := range shapes {
		renewed[normal(shapes[i].Table.Name)] = true
	}
	var tables []string
	for i := range shapes {
		t := shapes[i].Table
		x, err := s.inspect(ctx, t)
		if err != nil || x == nil {
			if err != nil {
				return nil, sqlsink.Blame(err, &shapes[i])
			}
			continue
		}
		drops, err := s.renewable(ctx, t, x, renewed, all)
		if err != nil {
			return nil, sqlsink.Blame(err, &shapes[i])
		}
		tables, statements = append(tables, dialect.QuoteTable(t.Name)), append(statements, drops...)
	}
	if len(tables) > 0 {
		statements = append(statements, "TRUNCATE TABLE "+strings.Join(tables, ", "))
	}
	return statements, nil
}

// renewable refuses a table that may not be emptied, and returns the statements
// that drop the foreign keys to it.
func (s *Sink) renewable(ctx context.Context, t *schema.Table, x *dialect.Existing, renewed map[schema.Name]bool, all []rowferry.Mutation) (drops []string, err error) {
	if !x.Made {
		empty, err := s.isEmpty(ctx, t.Name)
		if err != nil || empty {
			return nil, err
		}
		return nil, sqlsink.NotMade(t)
	}
	for _, r := range x.Children {
		if renewed[normal(r.Child)] {
			continue
		}
		drop, err := s.referring(ctx, t, r, all)
		if err != nil {
			return nil, err
		}
		drops = append(drops, drop)
	}
	return drops, s.checkLoadable(ctx, t, x)
}

// referring returns the statement that drops a foreign key to t that Rowferry made,
// and refuses any other.
func (s *Sink) referring(ctx context.Context, t *schema.Table, r dialect.Reference, all []rowferry.Mutation) (string, error) {
	i := slices.IndexFunc(all, func(m rowferry.Mutation) bool { return normal(m.Table.Name) == normal(r.Child) })
	if i < 0 {
		return "", sqlsink.HeldBy(t, r.Child, strings.Join(r.Columns, ", "))
	}
	child := all[i].Table
	x, err := s.inspect(ctx, child)
	if err != nil {
		return "", err
	}
	for _, f := range child.ForeignKeys {
		if x == nil || !x.Made || normal(f.Parent) != normal(t.Name) || !slices.Equal(child.ColumnNames(f.Columns), r.Columns) {
			continue
		}
		name, found := dialect.ForeignKeyName(child, f), false
		err := s.query(ctx, "SELECT FROM pg_constraint WHERE conrelid = $1 AND contype = 'f' AND conname = $2", func(dialect.Row) error {
			found = true
			return nil
		}, x.OID, name)
		if err != nil {
			return "", err
		}
		if found {
			return "ALTER TABLE " + dialect.QuoteTable(child.Name) + " DROP CONSTRAINT " + dialect.Quote(name), nil
		}
	}
	return "", sqlsink.HeldBy(t, r.Child, strings.Join(r.Columns, ", "))
}
