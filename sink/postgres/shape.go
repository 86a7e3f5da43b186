package postgres

import (
	"context"

	"github.com/rowferry/rowferry"
	dialect "github.com/rowferry/rowferry/internal/dialect/postgres"
	"github.com/rowferry/rowferry/internal/sqlsink"
	"github.com/rowferry/rowferry/schema"
)

// Prepare makes or checks the tables of the given shapes in a transaction of
// its own. On start it is told all that are known, and so learns which foreign
// keys still wait for their parent.
func (s *Sink) Prepare(ctx context.Context, shapes []rowferry.Mutation) error {
	if err := s.idle(ctx); err != nil {
		return err
	}
	// What was looked at before may have been changed since.
	s.forget()
	err := s.within(ctx, func() error {
		for i := range shapes {
			if shapes[i].Op != rowferry.Shape {
				return rowferry.Errorf(rowferry.CodeInternal, "the PostgreSQL sink was to prepare for an operation %s", shapes[i].Op)
			}
			s.shapes[normal(shapes[i].Table.Name)] = shapes[i].Table
		}
		for i := range shapes {
			if _, err := s.shape(ctx, &shapes[i]); err != nil {
				return sqlsink.Blame(err, &shapes[i])
			}
		}
		return nil
	})
	if err != nil {
		s.forget()
	}
	return err
}

// shape makes the mutation's table when it is missing, or checks it.
func (b *batch) shape(ctx context.Context, m *rowferry.Mutation) error {
	if err := b.flush(ctx); err != nil {
		return err
	}
	made, err := b.sink.shape(ctx, m)
	b.altered = b.altered || made
	return err
}

// shape makes the mutation's table when it is missing, or checks it column by
// column. It is idempotent.
func (s *Sink) shape(ctx context.Context, m *rowferry.Mutation) (made bool, err error) {
	existing, err := s.inspect(ctx, m.Table)
	if err != nil {
		return false, err
	}
	if existing == nil {
		if err := s.mayCreate(m.Table); err != nil {
			return false, err
		}
		if existing, err = s.create(ctx, m.Table); err != nil {
			return true, err
		}
		made = true
	}
	_, err = s.adopt(ctx, m.Table, existing)
	return made, err
}

func (s *Sink) mayCreate(t *schema.Table) error {
	if s.options.CreateTables {
		return nil
	}
	return rowferry.Errorf(rowferry.CodeTableDiffers, "a table does not exist in the target, and tables are not to be made").
		Fact("table", "%s", t.Name).Remedy("let Rowferry make it", "create_tables: true")
}

// create makes the table, its foreign keys, and those of other tables that
// waited for it, and returns it as it now exists.
func (s *Sink) create(ctx context.Context, t *schema.Table) (*dialect.Existing, error) {
	if err := s.make(ctx, t, dialect.CreateTable); err != nil {
		return nil, err
	}
	for _, k := range dialect.Indexes(t) {
		k, err := s.free(ctx, t, k)
		if err == nil {
			err = s.run(ctx, k.SQL)
		}
		if err != nil {
			return nil, err
		}
	}
	if err := s.addForeignKeys(ctx, t); err != nil {
		return nil, err
	}
	if err := s.addAwaited(ctx, t); err != nil {
		return nil, err
	}
	return s.lookMade(ctx, t)
}

// make makes the table by the statements that compose returns, and what it needs
// before.
func (s *Sink) make(ctx context.Context, t *schema.Table, compose func(*schema.Table) (statements, notices []string, err error)) error {
	if err := checkLimits(t); err != nil {
		return err
	}
	statements, notices, err := compose(t)
	if err != nil {
		return s.translate(ctx, err)
	}
	if err := s.ensureSchema(ctx, dialect.Namespace(t.Name)); err != nil {
		return err
	}
	if err := s.makeTypes(ctx, t); err != nil {
		return err
	}
	for _, sql := range statements {
		if err := s.run(ctx, sql); err != nil {
			return err
		}
	}
	s.shapes[normal(t.Name)] = t
	for _, n := range notices {
		s.notice(n)
	}
	return nil
}

// free returns the key of a table under a name that is free.
func (s *Sink) free(ctx context.Context, t *schema.Table, k dialect.Key) (dialect.Key, error) {
	if k.Spare == nil {
		return k, nil
	}
	free := k
	err := s.query(ctx, "SELECT FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = $1 AND c.relname = $2", func(dialect.Row) error {
		free = *k.Spare
		return nil
	}, dialect.Namespace(t.Name), k.Name)
	return free, err
}

// lookMade returns a table that was just made as it now exists.
func (s *Sink) lookMade(ctx context.Context, t *schema.Table) (*dialect.Existing, error) {
	x, err := s.look(ctx, t.Name)
	if err == nil && x == nil {
		err = rowferry.Errorf(rowferry.CodeInternal, "a table that was just made does not exist").Fact("table", "%s", t.Name)
	}
	return x, err
}

// ensureSchema makes a schema where it is missing. It is looked for first: the
// statement needs a privilege even where it does nothing.
func (s *Sink) ensureSchema(ctx context.Context, name string) error {
	exists := false
	err := s.query(ctx, "SELECT FROM pg_namespace WHERE nspname = $1", func(dialect.Row) error {
		exists = true
		return nil
	}, name)
	if err != nil || exists {
		return err
	}
	return s.run(ctx, dialect.CreateSchema(name))
}
