package sqlite

import (
	"slices"
	"strings"

	"github.com/rowferry/rowferry"
	dialect "github.com/rowferry/rowferry/internal/dialect/sqlite"
	"github.com/rowferry/rowferry/internal/sqlsink"
	"github.com/rowferry/rowferry/schema"
)

// carrier is how a column's values are bound.
type carrier uint8

const (
	carryInteger carrier = iota + 1
	carryReal
	carryText
	carryBlob
	carryBits // more than 63 bits: eight bytes, big-endian
)

// target is a table that mutations are written to: the shape they come with,
// and what the database says of it.
type target struct {
	sqlsink.Table
	quoted   string
	carry    []carrier // one for each column
	coarse   bool      // its columns may compare by a collation that takes different texts for equal
	rowid    string    // how the rowid is called, where Identity is nil
	settled  bool      // its foreign keys, and those to it, were found sound
	written  bool      // in the open batch
	last     rowferry.Mutation
	existing *dialect.Existing
}

// target returns what is known of the mutation's table, looking at the
// database when this version of its shape is new.
func (s *Sink) target(m *rowferry.Mutation) (*target, error) {
	t := s.targets[m.Table.Name.Table]
	if t != nil && t.Of(m.Table) {
		return t, nil
	}
	existing, err := s.inspect(m.Table)
	if err != nil {
		return nil, err
	}
	if existing == nil {
		return nil, rowferry.Errorf(rowferry.CodeTableDiffers, "a table that rows are to be written to does not exist in the target").
			Fact("table", "%s", m.Table.Name)
	}
	return s.adopt(m.Table, existing)
}

// inspect returns the table as it exists, or nil. A table or view whose name
// differs only in case is the same one to SQLite, but not to the source.
func (s *Sink) inspect(t *schema.Table) (*dialect.Existing, error) {
	if err := dialect.CheckTable(t); err != nil {
		return nil, s.translate(err)
	}
	if sqlsink.Own(t.Name.Table) {
		return nil, rowferry.Errorf(rowferry.CodeNameCollision, "the name is that of one of Rowferry's own tables").
			Fact("table", "%s", t.Name).Remedy("another name", "entities: {db.table: {to: other}}")
	}
	x, err := dialect.Inspect(s.conn, t.Name.Table)
	if err != nil {
		return nil, s.translate(err)
	}
	if x != nil && x.Shape.Name != t.Name {
		return nil, rowferry.Errorf(rowferry.CodeNameCollision, "two tables have names that differ only in case, which SQLite ignores").
			Fact("table", "%s", t.Name).Fact("exists", "%s", x.Shape.Name).
			Remedy("another name", "entities: {db.%s: {to: other}}", t.Name)
	}
	return x, nil
}

// adopt checks the existing table against the shape and makes it known.
func (s *Sink) adopt(t *schema.Table, x *dialect.Existing) (*target, error) {
	if err := s.check(t, x); err != nil {
		return nil, err
	}
	n := &target{
		Table:    sqlsink.Table{Shape: t, Identity: t.Identity(), Columns: make([]sqlsink.Column, len(t.Columns))},
		quoted:   dialect.Quote(t.Name.Table),
		carry:    make([]carrier, len(t.Columns)),
		existing: x,
		coarse:   strings.Contains(strings.ToUpper(x.SQL), "COLLATE"),
	}
	for i, c := range t.Columns {
		carry, err := carrierOf(c.Type)
		if err != nil {
			return nil, rowferry.Errorf(rowferry.CodeTypeRefused, "a column's type cannot be carried to SQLite: %w", err).
				Fact("table", "%s", t.Name).Fact("column", "%s", c.Name)
		}
		o := folding.Ordinal(x.Shape, c.Name)
		n.carry[i] = carry
		n.Columns[i] = sqlsink.Column{
			Quoted:   dialect.Quote(c.Name),
			Key:      slices.Contains(x.Shape.PrimaryKey, o),
			Computed: x.Shape.Columns[o].Generated != schema.NotGenerated,
		}
	}
	if !s.options.ByKey && len(x.Triggers) == 0 { // which may give columns other values than the source's
		n.Guard(func(int) bool { return true })
	}
	if n.Identity == nil {
		if n.rowid = rowidName(x); n.rowid == "" {
			return nil, rowferry.Errorf(rowferry.CodeTableDiffers, "a table without a key needs SQLite's rowid, and the target's cannot be named").
				Fact("table", "%s", t.Name)
		}
	}
	if old := s.targets[t.Name.Table]; old != nil {
		s.stmts.Drop(&old.Table)
		n.written, n.last = old.written, old.last
	}
	s.targets[t.Name.Table] = n
	return n, nil
}

func carrierOf(t schema.Type) (carrier, error) {
	declared, err := schema.SQLiteType(t)
	if err != nil {
		return 0, err
	}
	switch declared {
	case "INTEGER":
		return carryInteger, nil
	case "REAL":
		return carryReal, nil
	case "TEXT":
		return carryText, nil
	default: // "BLOB"
		if t.Kind == schema.Bit {
			return carryBits, nil
		}
		return carryBlob, nil
	}
}

// rowidName returns a name by which the table's rowid can be had, or "". A
// column of the same name hides it.
func rowidName(x *dialect.Existing) string {
	if x.WithoutRowid {
		return ""
	}
	for _, name := range []string{"rowid", "_rowid_", "oid"} {
		if folding.Ordinal(x.Shape, name) < 0 {
			return name
		}
	}
	return ""
}
