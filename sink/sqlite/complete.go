package sqlite

import (
	"context"
	"slices"

	"zombiezen.com/go/sqlite"

	"github.com/rowferry/rowferry"
	dialect "github.com/rowferry/rowferry/internal/dialect/sqlite"
	"github.com/rowferry/rowferry/internal/sqlsink"
	"github.com/rowferry/rowferry/schema"
)

// Complete makes the unique keys and indexes that tables made by Rowferry lack,
// each in a transaction of its own, and then has SQLite look at every row's
// foreign keys. From then on they are looked at with each batch.
func (s *Sink) Complete(ctx context.Context, shapes []rowferry.Mutation, c rowferry.Completion) error {
	if err := s.idle(ctx); err != nil {
		return err
	}
	if err := sqlsink.OnlyShapes(shapes); err != nil {
		return err
	}
	if ctx.Done() != nil {
		s.conn.SetInterrupt(ctx.Done())
		defer s.conn.SetInterrupt(nil)
	}
	err := s.complete(ctx, shapes, c)
	if cause := ctx.Err(); err != nil && cause != nil {
		return cause
	}
	return err
}

func (s *Sink) complete(ctx context.Context, shapes []rowferry.Mutation, c rowferry.Completion) error {
	s.forget()
	for i := range shapes {
		if err := s.makeKeys(ctx, &shapes[i], c.Each); err != nil {
			return sqlsink.Blame(err, &shapes[i])
		}
	}
	if err := s.settleOrphans(ctx, shapes, c); err != nil {
		return err
	}
	for i := range shapes {
		t := shapes[i].Table
		if s.loading.complete(t.Name) {
			continue
		}
		if err := s.lookAtForeignKeys(t, c.Each); err != nil {
			return sqlsink.Blame(err, &shapes[i])
		}
	}
	if err := s.lookAtOthers(shapes); err != nil {
		return err
	}
	s.loading.set(shapes, true)
	s.forget()
	return s.enforce()
}

// makeKeys makes the indexes of a table that are not there.
func (s *Sink) makeKeys(ctx context.Context, m *rowferry.Mutation, each func(what string)) error {
	t := m.Table
	x, err := s.inspect(t)
	switch {
	case err != nil:
		return err
	case x == nil:
		return rowferry.Errorf(rowferry.CodeTableDiffers, "a table whose keys are to be made does not exist in the target").
			Fact("table", "%s", t.Name)
	case !dialect.Made(t, x):
		return nil
	}
	there, err := s.indexNames(t)
	if err != nil {
		return err
	}
	for _, k := range dialect.Keys(t, x.Shape.ForeignKeys) {
		if there[k.Name] {
			continue
		}
		if k.What() != "" {
			each(t.Name.String() + ": " + k.What())
		}
		if err := s.makeKey(ctx, t, k); err != nil {
			return err
		}
	}
	return nil
}

// indexNames returns the names of a table's indexes, none where there is no table.
func (s *Sink) indexNames(t *schema.Table) (map[string]bool, error) {
	there := map[string]bool{}
	err := dialect.Query(s.conn, "SELECT name FROM pragma_index_list(?1, 'main')", func(r row) error {
		there[r.ColumnText(0)] = true
		return nil
	}, t.Name.Table)
	return there, s.translate(err)
}

func (s *Sink) makeKey(ctx context.Context, t *schema.Table, k dialect.Key) error {
	return s.within(ctx, func() error {
		if s.options.Trace != nil {
			s.options.Trace(k.SQL, nil)
		}
		err := dialect.Exec(s.conn, k.SQL)
		if sqlite.ErrCode(err).ToPrimary() != sqlite.ResultConstraint {
			return s.translate(err)
		}
		return broken(t, k.Unique, err).Fact("constraint", "%s", constraintOf(err))
	})
}

func broken(t *schema.Table, key string, cause error) *rowferry.Error {
	e := rowferry.Errorf(rowferry.CodeRowRefused, "rows of the target's table break a key that the source has")
	e.Err = cause
	return e.Fact("table", "%s", t.Name).Fact("key", "%s", key)
}

// lookAtForeignKeys tells of the foreign keys of a table and has SQLite look at
// its rows.
func (s *Sink) lookAtForeignKeys(t *schema.Table, each func(what string)) error {
	x, err := dialect.Inspect(s.conn, t.Name.Table)
	if err != nil || x == nil || !dialect.Made(t, x) {
		return s.translate(err)
	}
	for _, f := range x.Shape.ForeignKeys {
		each(t.Name.String() + ": foreign key " + sqlsink.DescribeKey(x.Shape, f))
	}
	if len(x.Shape.ForeignKeys) == 0 {
		return nil
	}
	return s.lookAtRows(x)
}

// lookAtRows refuses the table where a row of it points to no parent.
func (s *Sink) lookAtRows(x *dialect.Existing) error {
	parent := ""
	err := dialect.Query(s.conn, `SELECT "parent" FROM pragma_foreign_key_check(?1, 'main') LIMIT 1`, func(r row) error {
		parent = r.ColumnText(0)
		return nil
	}, x.Shape.Name.Table)
	if err != nil || parent == "" {
		return s.translate(err)
	}
	g, err := s.references()
	if err != nil {
		return err
	}
	e := rowferry.Errorf(rowferry.CodeRowRefused, "rows of the target's table are without their parent").Fact("table", "%s", x.Shape.Name)
	for _, f := range x.Shape.ForeignKeys {
		if dialect.Fold(f.Parent.Table) == dialect.Fold(parent) {
			e.Fact("foreign key", "%s", sqlsink.DescribeKey(x.Shape, f))
		}
	}
	for _, r := range g.from[dialect.Fold(x.Shape.Name.Table)] {
		if dialect.Fold(r.parent) == dialect.Fold(parent) {
			e.Facts = append(e.Facts, s.orphans(r)...)
		}
	}
	return e
}

// lookAtOthers looks at tables that are not of the copy, but were written to while
// foreign keys were not looked at, or refer to tables that were.
func (s *Sink) lookAtOthers(shapes []rowferry.Mutation) error {
	g, err := s.references()
	if err != nil {
		return err
	}
	of := func(name string) bool {
		return slices.ContainsFunc(shapes, func(m rowferry.Mutation) bool { return dialect.Fold(m.Table.Name.Table) == name })
	}
	for child, references := range g.from {
		touched := s.loading.written(child) || slices.ContainsFunc(references, func(r *reference) bool {
			return of(dialect.Fold(r.parent)) || s.loading.written(dialect.Fold(r.parent))
		})
		if of(child) || !touched {
			continue
		}
		x, err := dialect.Inspect(s.conn, references[0].child)
		if err != nil {
			return s.translate(err)
		}
		if x != nil {
			if err := s.lookAtRows(x); err != nil {
				return err
			}
		}
	}
	return nil
}
