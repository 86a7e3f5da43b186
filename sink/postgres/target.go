package postgres

import (
	"context"
	"slices"

	"github.com/rowferry/rowferry"
	dialect "github.com/rowferry/rowferry/internal/dialect/postgres"
	"github.com/rowferry/rowferry/internal/sqlsink"
	"github.com/rowferry/rowferry/schema"
)

// target is a table that mutations are written to: the shape they come with,
// and what the database says of it.
type target struct {
	sqlsink.Table
	name     schema.Name // normal
	quoted   string
	columns  []column
	existing *dialect.Existing
	muted    bool // its triggers are disabled in the open batch
}

// target returns what is known of the mutation's table, looking at the
// database when this version of its shape is new.
func (s *Sink) target(ctx context.Context, m *rowferry.Mutation) (*target, error) {
	if t := s.known(m.Table); t != nil {
		return t, nil
	}
	existing, err := s.inspect(ctx, m.Table)
	if err != nil {
		return nil, err
	}
	if existing == nil {
		return nil, rowferry.Errorf(rowferry.CodeTableDiffers, "a table that rows are to be written to does not exist in the target").
			Fact("table", "%s", m.Table.Name)
	}
	return s.adopt(ctx, m.Table, existing)
}

// known returns the target of this version of a shape, or nil.
func (s *Sink) known(t *schema.Table) *target {
	if x := s.targets[normal(t.Name)]; x != nil && x.Of(t) {
		return x
	}
	return nil
}

// inspect returns the table as it exists, or nil.
func (s *Sink) inspect(ctx context.Context, t *schema.Table) (*dialect.Existing, error) {
	if err := dialect.CheckTable(t); err != nil {
		return nil, s.translate(ctx, err)
	}
	if n := normal(t.Name); n == checkpointName || n == chunkName {
		return nil, rowferry.Errorf(rowferry.CodeNameCollision, "the name is that of one of Rowferry's own tables").
			Fact("table", "%s", t.Name).Remedy("another name", "entities: {db.table: {to: other}}")
	}
	return s.look(ctx, t.Name)
}

// look asks the database for a table.
func (s *Sink) look(ctx context.Context, n schema.Name) (*dialect.Existing, error) {
	conn, err := s.session(ctx)
	if err != nil {
		return nil, err
	}
	x, err := dialect.Inspect(ctx, conn, n)
	return x, s.translate(ctx, err)
}

// adopt checks the existing table against the shape and makes it known.
func (s *Sink) adopt(ctx context.Context, t *schema.Table, x *dialect.Existing) (*target, error) {
	if err := s.check(ctx, t, x); err != nil {
		return nil, err
	}
	n := &target{
		Table: sqlsink.Table{Shape: t, Identity: t.Identity(), Columns: make([]sqlsink.Column, len(t.Columns))},
		name:  normal(t.Name), quoted: dialect.QuoteTable(t.Name), existing: x, columns: make([]column, len(t.Columns)),
	}
	for i, c := range t.Columns {
		o := x.Shape.Column(c.Name)
		n.Columns[i] = sqlsink.Column{
			Quoted:   dialect.Quote(c.Name),
			Key:      slices.Contains(x.Shape.PrimaryKey, o),
			Computed: x.Shape.Columns[o].Generated != schema.NotGenerated,
		}
		n.columns[i] = newColumn(c.Type, &x.Columns[o])
	}
	if !s.options.ByKey && (len(x.Triggers) == 0 || s.options.Triggers == triggersSuppress) { // others may give columns other values than the source's
		n.Guard(func(o int) bool { return n.columns[o].plain() })
	}
	s.lose(n.name)
	s.targets[n.name] = n
	s.shapes[n.name] = t
	return n, nil
}

// lose forgets a table, of which the database says something else by now.
func (s *Sink) lose(n schema.Name) {
	if t := s.targets[n]; t != nil {
		s.statements.Drop(&t.Table)
		delete(s.targets, n)
	}
}

// refresh forgets each table that was changed since it was looked at.
func (s *Sink) refresh(ctx context.Context) error {
	if len(s.targets) == 0 {
		return nil
	}
	oids := make([]uint32, 0, len(s.targets))
	for _, t := range s.targets {
		oids = append(oids, t.existing.OID)
	}
	conn, err := s.session(ctx)
	if err != nil {
		return err
	}
	versions, err := dialect.Versions(ctx, conn, oids)
	if err != nil {
		return s.translate(ctx, err)
	}
	for name, t := range s.targets {
		t.muted = false
		if versions[t.existing.OID] != t.existing.Version {
			s.lose(name)
		}
	}
	return nil
}
