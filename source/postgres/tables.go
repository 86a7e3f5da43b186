package postgres

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"

	"github.com/rowferry/rowferry"
	dialect "github.com/rowferry/rowferry/internal/dialect/postgres"
	"github.com/rowferry/rowferry/schema"
)

// known is what the consumer knows of a table.
type known struct {
	name  schema.Name
	shape *schema.Table // as told, or to be told with the first transaction; nil: not yet
	oid   uint32        // of the table whose rows came under the name; 0: none came yet
}

// shaper says how tables look now.
type shaper interface {
	// table returns a table, or nil where there is none of that oid.
	table(ctx context.Context, oid uint32) (*dialect.SourceTable, error)
	// typeOf returns the type of a column that the table need not have any more.
	typeOf(ctx context.Context, c describedColumn) (schema.Type, error)
}

// tables are the tables that the log describes, and what is known of them.
type tables struct {
	opened  *opened
	catalog shaper
	byOID   map[uint32]*table
	known   map[schema.Name]*known
	fresh   map[uint32]*dialect.SourceTable // as of Open; each is looked at once
	pending []*schema.Table                 // to be told with the first transaction
	bare    map[schema.Name]bool            // those of which only the log's description is known
	// unlisted is set where a table has foreign keys that no shape tells of: then
	// nothing is known of which others they lead to.
	unlisted bool
}

// newTables begins with the shapes recorded at the start, or those that the
// catalog has.
func newTables(o *opened, c shaper) *tables {
	t := &tables{opened: o, catalog: c, byOID: map[uint32]*table{}, known: map[schema.Name]*known{},
		fresh: map[uint32]*dialect.SourceTable{}, bare: map[schema.Name]bool{}}
	for _, s := range o.start.Tables {
		t.known[s.Name] = &known{name: s.Name, shape: s}
	}
	for _, s := range o.tables {
		t.fresh[s.OID] = s
		t.unlisted = t.unlisted || s.Unlisted
		if t.known[s.Table.Name] == nil {
			t.known[s.Table.Name] = &known{name: s.Table.Name, shape: s.Table}
			t.pending = append(t.pending, s.Table)
		}
	}
	return t
}

// describe takes a Relation message. It returns the shape of a table that has
// lost its name by it, or nil.
func (t *tables) describe(d *described) (gone *schema.Table) {
	name := schema.Name{Schema: d.schema, Table: d.name}
	was := t.byOID[d.oid]
	if was != nil && was.scope && was.name != name && was.known != nil {
		gone = was.known.shape
		was.known.shape, was.known.oid = nil, 0
	}
	t.byOID[d.oid] = &table{said: d, name: name, scope: t.opened.options.Scope(name)}
	return gone
}

// unchanged reports whether a table is described as it was before, and returns
// it then.
func (t *tables) unchanged(d *described) bool {
	was := t.byOID[d.oid]
	return was != nil && was.said.equal(d)
}

// of returns a table whose rows follow, or nil where it is out of scope. gone is
// the shape of another table that had the name before.
func (t *tables) of(ctx context.Context, oid uint32) (found *table, gone *schema.Table, err error) {
	found = t.byOID[oid]
	switch {
	case found == nil:
		return nil, nil, rowferry.Errorf(rowferry.CodeCorruptLog, "the log has a row of a table that it did not describe").Fact("oid", "%d", oid)
	case !found.scope:
		return nil, nil, nil
	case found.shape != nil:
		return found, nil, nil
	}
	k := t.known[found.name]
	if k == nil {
		k = &known{name: found.name}
		t.known[found.name] = k
	}
	if k.oid != 0 && k.oid != oid {
		gone, k.shape = k.shape, nil
	}
	if err := t.settle(ctx, found, k.shape); err != nil {
		return nil, nil, err
	}
	found.known, k.oid = k, oid
	return found, gone, nil
}

// settle finds the shape of a table that was described, and how its rows are
// read: the catalog's, where that says the same, or else the one that was known,
// or one made of the description.
func (t *tables) settle(ctx context.Context, x *table, was *schema.Table) error {
	now := t.fresh[x.said.oid]
	delete(t.fresh, x.said.oid)
	if now == nil || !agrees(x.said, now) {
		var err error
		if now, err = t.catalog.table(ctx, x.said.oid); err != nil {
			return err
		}
	}
	delete(t.bare, x.name)
	if now != nil && agrees(x.said, now) {
		x.shape = now.Table
	} else {
		made, err := t.make(ctx, x)
		if err != nil {
			return err
		}
		if x.shape = made; was != nil && sameRows(was, made) {
			x.shape = was
		} else {
			t.bare[x.name] = true
		}
	}
	if was != nil && same(was, x.shape) {
		x.shape = was
	}
	t.unlisted = t.unlisted || now != nil && now.Unlisted
	x.late = t.related(x.shape)
	for _, other := range t.byOID { // which may be known longer than this foreign key
		other.late = other.late || t.unlisted || slices.ContainsFunc(x.shape.ForeignKeys, func(f schema.ForeignKey) bool { return f.Parent == other.name })
	}
	if err := x.shape.Validate(); err != nil {
		return rowferry.Errorf(rowferry.CodeShapeUnknown, "the source describes a table that cannot be: %w", err)
	}
	if c := textOnly(x.shape); c != nil && t.opened.binary {
		return t.opened.needsText(x.shape, c)
	}
	return x.settle()
}

// related reports whether the table has a foreign key, or one leads to it, or
// neither is known.
func (t *tables) related(s *schema.Table) bool {
	if t.unlisted || len(s.ForeignKeys) > 0 || !s.ConstraintsKnown {
		return true
	}
	for _, k := range t.known {
		if k.shape != nil && slices.ContainsFunc(k.shape.ForeignKeys, func(f schema.ForeignKey) bool { return f.Parent == s.Name }) {
			return true
		}
	}
	return false
}

// settle makes ready to read rows.
func (t *table) settle() error {
	t.columns = make([]column, len(t.said.columns))
	for i, c := range t.said.columns {
		t.columns[i] = columnOf(&t.shape.Columns[i].Type, c.key)
		if c.key {
			t.key = append(t.key, i)
		}
	}
	if pk := t.shape.PrimaryKey; t.said.identity == 'i' && pk != nil && !slices.Equal(t.key, slices.Sorted(slices.Values(pk))) {
		return rowferry.Errorf(rowferry.CodeReplicaIdentity, "a table has a primary key, and an index over other columns as its replica identity: its changes do not tell the key").
			Fact("table", "%s", t.name).Remedy("mend it", "%s", identifyBy(t.name, "DEFAULT"))
	}
	return nil
}

// agrees reports whether the catalog says of a table what the log says.
func agrees(d *described, s *dialect.SourceTable) bool {
	if s.Table.Name != (schema.Name{Schema: d.schema, Table: d.name}) || len(s.Columns) != len(d.columns) || s.Identity != d.identity {
		return false
	}
	for i, c := range d.columns {
		k := s.Columns[i]
		if c.name != s.Table.Columns[i].Name || c.oid != k.TypeOID || int(c.mod) != k.Mod || c.key != slices.Contains(s.IdentityColumns, i) {
			return false
		}
	}
	return true
}

// make makes a shape of what the log says: names, types and the columns of the
// replica identity.
func (t *tables) make(ctx context.Context, x *table) (*schema.Table, error) {
	s := &schema.Table{Name: x.name, Columns: make([]schema.Column, len(x.said.columns))}
	var key []int
	for i, c := range x.said.columns {
		typ, err := t.catalog.typeOf(ctx, c)
		if err != nil {
			return nil, err
		}
		s.Columns[i] = schema.Column{Name: c.name, Type: typ, Nullable: !c.key || x.said.identity == 'f'}
		if c.key {
			key = append(key, i)
		}
	}
	switch {
	case key == nil, x.said.identity == 'f':
	case x.said.identity == 'i':
		s.Uniques = []schema.Index{{Columns: key}}
	default:
		s.PrimaryKey = key
	}
	return s, nil
}

// sameRows reports whether rows of the shape that was made of a description are
// rows of the one that was known: what a description does not say is not
// compared.
func sameRows(was, made *schema.Table) bool {
	if len(was.Columns) != len(made.Columns) {
		return false
	}
	for i := range was.Columns {
		a, b := was.Columns[i].Type, made.Columns[i].Type
		a.Labels, b.Labels, a.User, b.User, a.Collation, b.Collation = nil, nil, nil, nil, "", ""
		if was.Columns[i].Name != made.Columns[i].Name || !reflect.DeepEqual(a, b) {
			return false
		}
	}
	return made.PrimaryKey == nil || slices.Equal(made.PrimaryKey, slices.Sorted(slices.Values(was.PrimaryKey)))
}

// same reports whether two shapes are recorded alike, but for indexes, which mean
// nothing to rows.
func same(a, b *schema.Table) bool {
	if a == b {
		return true
	}
	x, xerr := json.Marshal(a.WithoutIndexes())
	y, yerr := json.Marshal(b.WithoutIndexes())
	return xerr == nil && yerr == nil && string(x) == string(y)
}

// notices names the tables that were read without knowing their constraints.
func (t *tables) notices() (all []string) {
	for _, n := range slices.SortedFunc(maps.Keys(t.bare), schema.Name.Compare) {
		all = append(all, fmt.Sprintf("%s: the catalog has another shape than the log at this place, so its unique and foreign keys are not known", n))
	}
	return all
}
