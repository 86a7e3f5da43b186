package postgres

import (
	"cmp"
	"context"
	"slices"

	"github.com/rowferry/rowferry"
	dialect "github.com/rowferry/rowferry/internal/dialect/postgres"
	"github.com/rowferry/rowferry/internal/sqlsink"
	"github.com/rowferry/rowferry/schema"
)

// Key makes the keys by which rows are found, of several tables at the same time.
func (s *Sink) Key(ctx context.Context, shapes []rowferry.Mutation, each func(what string)) error {
	if err := s.idle(ctx); err != nil {
		return err
	}
	if err := sqlsink.OnlyShapes(shapes); err != nil {
		return err
	}
	c := newCompletion(s)
	return c.build(ctx, shapes, c.finding, each)
}

// Complete makes the keys and indexes that tables made by Rowferry lack: first
// all but the foreign keys, then, once rows without a parent are dealt with, those,
// for which the server looks at every row. Several are made at the same time, those of the largest tables first. Each is a
// transaction of its own, so what was made stays where another one is refused.
func (s *Sink) Complete(ctx context.Context, shapes []rowferry.Mutation, o rowferry.Completion) error {
	if err := s.idle(ctx); err != nil {
		return err
	}
	if err := sqlsink.OnlyShapes(shapes); err != nil {
		return err
	}
	s.loading.begin(shapes) // also where they were completed before
	c := newCompletion(s)
	if err := c.build(ctx, shapes, c.keys, o.Each); err != nil {
		return err
	}
	if err := c.orphans(ctx, shapes, o); err != nil {
		return err
	}
	if err := c.build(ctx, shapes, c.foreignKeys, o.Each); err != nil {
		return err
	}
	s.forget()
	err := s.within(ctx, func() error {
		for i := range shapes {
			s.shapes[normal(shapes[i].Table.Name)] = shapes[i].Table
		}
		for i := range shapes { // of tables that were made meanwhile, for these have theirs
			if err := s.addAwaited(ctx, shapes[i].Table); err != nil {
				return sqlsink.Blame(err, &shapes[i])
			}
		}
		return nil
	})
	if err == nil {
		s.loading.end(shapes)
	}
	return err
}

// build makes what plan finds to be made for each table.
func (c *completion) build(ctx context.Context, shapes []rowferry.Mutation, plan func(context.Context, *rowferry.Mutation) error, each func(what string)) error {
	c.jobs = nil
	for i := range shapes {
		if err := plan(ctx, &shapes[i]); err != nil {
			return sqlsink.Blame(err, &shapes[i])
		}
	}
	slices.SortStableFunc(c.jobs, func(a, b *job) int { return cmp.Compare(b.bytes, a.bytes) })
	for i, j := range c.jobs {
		j.number = i
	}
	return c.sink.build(ctx, c.jobs, each)
}

// completion finds what is to be made.
type completion struct {
	sink    *Sink
	jobs    []*job
	named   map[schema.Name]bool // by those before
	made    map[schema.Name]*made
	parents map[schema.Name]*dialect.Existing // with their keys; nil where there is none
}

func newCompletion(s *Sink) *completion {
	return &completion{sink: s, named: map[schema.Name]bool{}, made: map[schema.Name]*made{}, parents: map[schema.Name]*dialect.Existing{}}
}

// made is a table that Rowferry made, as it was before it was given keys.
type made struct {
	*dialect.Existing
	bytes int64 // that have to be read
}

// keys finds the keys and indexes of a table that are not there.
func (c *completion) keys(ctx context.Context, m *rowferry.Mutation) error {
	return c.lacking(ctx, m, dialect.Keys(m.Table))
}

// finding finds, of those, the key by which rows are found, or the index.
func (c *completion) finding(ctx context.Context, m *rowferry.Mutation) error {
	return c.lacking(ctx, m, dialect.Keys(m.Table.Bare()))
}

func (c *completion) lacking(ctx context.Context, m *rowferry.Mutation, all []dialect.Key) error {
	x, err := c.look(ctx, m.Table)
	if err != nil || x == nil {
		return err
	}
	there, err := c.sink.indexNames(ctx, x.Existing)
	if err != nil {
		return err
	}
	for _, k := range all {
		if there[k.Name] || k.Spare != nil && there[k.Spare.Name] {
			continue
		}
		if k, err = c.sink.free(ctx, m.Table, k); err != nil {
			return err
		}
		if k.Spare != nil && c.named[keyName(m.Table, k)] {
			k = *k.Spare
		}
		c.named[keyName(m.Table, k)] = true
		c.jobs = append(c.jobs, &job{of: m, what: k.What(), sql: k.SQL, tables: []schema.Name{normal(m.Table.Name)}, shares: k.Reads, bytes: x.bytes})
	}
	return nil
}

func keyName(t *schema.Table, k dialect.Key) schema.Name {
	return schema.Name{Schema: dialect.Namespace(t.Name), Table: k.Name}
}

// foreignKeys finds the foreign keys of a table that are not there. While one is
// made, neither its table nor the parent is written to, or given another.
func (c *completion) foreignKeys(ctx context.Context, m *rowferry.Mutation) error {
	t := m.Table
	missing, err := c.lackingForeign(ctx, t)
	for _, f := range missing {
		c.jobs = append(c.jobs, &job{
			of: m, what: "foreign key " + sqlsink.DescribeKey(t, f), sql: dialect.AddForeignKey(t, f, true),
			tables: []schema.Name{normal(t.Name), normal(f.Parent)}, bytes: c.made[normal(t.Name)].bytes,
		})
	}
	return err
}

// lackingForeign returns the foreign keys that a table which Rowferry made lacks and
// that it can have.
func (c *completion) lackingForeign(ctx context.Context, t *schema.Table) (missing []schema.ForeignKey, err error) {
	x := c.made[normal(t.Name)]
	if x == nil {
		return nil, nil
	}
	for _, f := range t.ForeignKeys {
		if has(t, f, x.Existing) {
			continue
		}
		parent, err := c.parent(ctx, f.Parent)
		if err != nil {
			return nil, err
		}
		if parent == nil && c.sink.inScope(f.Parent) {
			continue
		}
		ok, err := c.sink.bears(ctx, t, f, parent)
		if err != nil {
			return nil, err
		}
		if ok {
			missing = append(missing, f)
		}
	}
	return missing, nil
}

// parent returns the table of that name, or nil.
func (c *completion) parent(ctx context.Context, n schema.Name) (*dialect.Existing, error) {
	n = normal(n)
	if x, known := c.parents[n]; known {
		return x, nil
	}
	x, err := c.sink.look(ctx, n)
	c.parents[n] = x
	return x, err
}

// look returns a table as it exists, or nil where somebody else made it.
func (c *completion) look(ctx context.Context, t *schema.Table) (*made, error) {
	x, err := c.sink.inspect(ctx, t)
	switch {
	case err != nil:
		return nil, err
	case x == nil:
		return nil, rowferry.Errorf(rowferry.CodeTableDiffers, "a table whose keys are to be made does not exist in the target").
			Fact("table", "%s", t.Name)
	case !x.Made:
		return nil, nil
	}
	found := &made{Existing: x}
	c.made[normal(t.Name)] = found
	err = c.sink.query(ctx, "SELECT coalesce(pg_relation_size($1::oid::regclass), 0)", func(r dialect.Row) (err error) {
		found.bytes, err = r.Int(0)
		return err
	}, x.OID)
	return found, err
}

// indexNames returns the names of a table's indexes.
func (s *Sink) indexNames(ctx context.Context, x *dialect.Existing) (map[string]bool, error) {
	there := map[string]bool{}
	err := s.query(ctx, "SELECT c.relname FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid WHERE i.indrelid = $1", func(r dialect.Row) error {
		there[r.Text(0)] = true
		return nil
	}, x.OID)
	return there, err
}
