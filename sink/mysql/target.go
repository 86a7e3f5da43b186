package mysql

import (
	"context"
	"slices"

	"github.com/rowferry/rowferry"
	"github.com/rowferry/rowferry/internal/sqlsink"
	"github.com/rowferry/rowferry/schema"
)

// target is a table that mutations are written to: the shape they come with,
// and what the server says of it.
type target struct {
	sqlsink.Table
	quoted   string
	existing *existing
	columns  []column // one for each of Shape.Columns
	acted    []int    // columns outside the key that foreign keys of the target may change by themselves
	primary  bool     // rows are found by the target's primary key
	// overwrites: an INSERT ... ON DUPLICATE KEY UPDATE changes no row but that
	// with the key.
	overwrites bool

	children     []*reference // foreign keys that point here, once they were needed
	childrenRead bool
}

// column is what writing and finding values of a column needs.
type column struct {
	carry    carrier
	have     schema.Type // the target's type
	foreign  bool        // the source is no PostgreSQL
	onUpdate bool        // changes by itself with an update that leaves it out
	helps    bool        // may be part of a key that helps to find rows
	coarse   bool        // compares by a collation that takes different texts for equal
	room     int64       // a TEXT of the target: its bytes; else 0
	lenient  bool        // an ENUM without the label '', which then is its invalid one
}

// target returns what is known of the mutation's table, looking at the server
// when this version of its shape is new.
func (s *Sink) target(ctx context.Context, m *rowferry.Mutation) (*target, error) {
	place := s.place(m.Table.Name)
	if t := s.targets[place]; t != nil && t.Of(m.Table) {
		return t, nil
	}
	if err := s.checkNames(m.Table); err != nil {
		return nil, err
	}
	x, err := s.inspect(ctx, s.session, place)
	if err != nil {
		return nil, s.translate(err)
	}
	if x == nil {
		return nil, rowferry.Errorf(rowferry.CodeTableDiffers, "a table that rows are to be written to does not exist in the target").
			Fact("table", "%s", m.Table.Name)
	}
	if err := s.check(ctx, s.session, s.placed(m.Table), x); err != nil {
		return nil, s.translate(err)
	}
	return s.adopt(m.Table, place, x)
}

// adopt makes a table known that was found fit.
func (s *Sink) adopt(t *schema.Table, place schema.Name, x *existing) (*target, error) {
	n := &target{
		Table:  sqlsink.Table{Shape: t, Identity: t.Identity(), Columns: make([]sqlsink.Column, len(t.Columns))},
		quoted: quoteName(x.shape.Name), existing: x, columns: make([]column, len(t.Columns)),
	}
	mapped := schema.ForMySQL(t)
	for i, c := range mapped.Columns {
		carry, err := carrierOf(c.Type)
		if err != nil {
			return nil, rowferry.Errorf(rowferry.CodeTypeRefused, "a column's type cannot be carried to MySQL: %w", err).
				Fact("table", "%s", t.Name).Fact("column", "%s", c.Name)
		}
		o := s.server.folding().Ordinal(x.shape, c.Name)
		have := x.shape.Columns[o]
		n.Columns[i] = sqlsink.Column{
			Quoted:   quote(have.Name),
			Key:      slices.Contains(x.shape.PrimaryKey, o),
			Computed: have.Generated != schema.NotGenerated,
		}
		n.columns[i] = column{
			carry: carry, have: have.Type, onUpdate: x.columns[o].onUpdate, helps: x.made && helps(mapped, i),
			foreign: c.Type.Native == "",
			coarse:  s.coarse(have.Type),
			lenient: have.Type.Kind == schema.Enum && !slices.Contains(have.Type.Labels, ""),
		}
		if have.Type.Kind == schema.Text {
			n.columns[i].room = x.columns[o].bytes
		}
	}
	n.primary = len(n.Identity) > 0 && len(n.Identity) == len(x.shape.PrimaryKey) &&
		!slices.ContainsFunc(n.Identity, func(o int) bool { return !n.Columns[o].Key })
	n.overwrites = s.canOverwrite(mapped, x)
	if !s.options.ByKey && len(x.triggers) == 0 { // which may give columns other values than the source's
		n.Guard(func(o int) bool { return n.columns[o].have.Kind != schema.JSON })
	}
	for _, f := range x.shape.ForeignKeys {
		for _, name := range x.shape.ColumnNames(f.Columns) {
			o := s.server.folding().Ordinal(t, name)
			if f.Acts() && o >= 0 && !slices.Contains(n.Identity, o) && !slices.Contains(n.acted, o) && t.Columns[o].Generated == schema.NotGenerated {
				n.acted = append(n.acted, o)
			}
		}
	}
	if old := s.targets[place]; old != nil {
		s.stmts.Drop(&old.Table)
	}
	s.targets[place] = n
	return n, nil
}

// coarse reports whether a column may take different texts for equal. Those of
// ENUM and SET are labels, which a table cannot have twice.
func (s *Sink) coarse(have schema.Type) bool {
	switch have.Kind {
	case schema.Char, schema.VarChar, schema.Text:
		return have.Collation != s.server.Exact()
	default:
		return false
	}
}

// incoming returns the foreign keys that point to the table.
func (s *Sink) incoming(ctx context.Context, t *target) ([]*reference, error) {
	if !t.childrenRead {
		found, err := readReferences(ctx, s.session, "k.REFERENCED_TABLE_SCHEMA = ? AND k.REFERENCED_TABLE_NAME = ?", t.existing.shape.Name)
		if err != nil {
			return nil, s.translate(err)
		}
		for _, r := range found {
			if s.server.foldName(r.parent) == s.server.foldName(t.existing.shape.Name) {
				t.children = append(t.children, r)
			}
		}
		t.childrenRead = true
	}
	return t.children, nil
}
