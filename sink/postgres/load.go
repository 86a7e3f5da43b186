package postgres

import (
	"context"
	"maps"
	"slices"
	"sync"

	"github.com/rowferry/rowferry"
	dialect "github.com/rowferry/rowferry/internal/dialect/postgres"
	"github.com/rowferry/rowferry/internal/sqlsink"
	"github.com/rowferry/rowferry/schema"
)

var _ rowferry.LateKeyer = (*Sink)(nil)

// loading is what a sink, its lanes and its loads know of a copy. The zero value
// is that of none. Safe for concurrent use.
type loading struct {
	mu     sync.Mutex
	tables map[schema.Name]bool // not completed yet, under normal names
	loads  int                  // open
}

// bare reports whether the table may lack keys of its shape.
func (l *loading) bare(n schema.Name) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.tables[normal(n)]
}

// begin notes tables that may lack keys, and returns a function that undoes it.
func (l *loading) begin(shapes []rowferry.Mutation) (undo func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	was := maps.Clone(l.tables)
	if l.tables == nil {
		l.tables = map[schema.Name]bool{}
	}
	for i := range shapes {
		l.tables[normal(shapes[i].Table.Name)] = true
	}
	return func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.tables = was
	}
}

// end notes tables that lack no key any more.
func (l *loading) end(shapes []rowferry.Mutation) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for i := range shapes {
		delete(l.tables, normal(shapes[i].Table.Name))
	}
}

// PrepareLoad makes the tables that are missing without any key, and checks those
// that are there, in a transaction of its own. A table
// that Rowferry made and that is empty loses the keys which Complete will make
// again: it is left over from another pipeline. One with rows keeps what it has,
// for Complete was at it.
func (s *Sink) PrepareLoad(ctx context.Context, shapes []rowferry.Mutation) error {
	if err := s.idle(ctx); err != nil {
		return err
	}
	if err := sqlsink.OnlyShapes(shapes); err != nil {
		return err
	}
	s.forget()
	undo := s.loading.begin(shapes)
	err := s.within(ctx, func() error {
		for i := range shapes {
			s.shapes[normal(shapes[i].Table.Name)] = shapes[i].Table
		}
		if err := s.ensureSchema(ctx, chunkName.Schema); err != nil {
			return err
		}
		if err := s.run(ctx, createChunks); err != nil {
			return err
		}
		if err := s.strip(ctx, shapes); err != nil {
			return err
		}
		for i := range shapes {
			if err := s.prepareLoad(ctx, shapes[i].Table); err != nil {
				return sqlsink.Blame(err, &shapes[i])
			}
		}
		return nil
	})
	if err != nil {
		undo()
		s.forget()
	}
	return err
}

// prepareLoad makes or checks one table.
func (s *Sink) prepareLoad(ctx context.Context, t *schema.Table) error {
	existing, err := s.inspect(ctx, t)
	if err != nil {
		return err
	}
	if existing == nil {
		if err := s.mayCreate(t); err != nil {
			return err
		}
		if err := s.make(ctx, t, dialect.CreateBare); err != nil {
			return err
		}
		if existing, err = s.lookMade(ctx, t); err != nil {
			return err
		}
	}
	// First what the table is: its keys may be in the way of a table that does not
	// fit anyway.
	if _, err := s.adopt(ctx, t, existing); err != nil {
		return err
	}
	return s.checkLoadable(ctx, t, existing)
}

// checkLoadable refuses a table in which rows could not come in any order, or
// would change others.
func (s *Sink) checkLoadable(ctx context.Context, t *schema.Table, x *dialect.Existing) error {
	refuse := func(why string, args ...any) error {
		return rowferry.Errorf(rowferry.CodeCopyRefused, "the target's table cannot take a copy's rows in the order in which they come").
			Fact("table", "%s", t.Name).Fact("why", why, args...).
			Remedy("let Rowferry make it", "DROP TABLE %s, or rename it", dialect.QuoteTable(t.Name)).
			Remedy("without the key", "drop it, and make it again after the copy")
	}
	identity := t.ColumnNames(t.Identity())
	if len(identity) > 0 && !x.Made && !x.References(identity) { // else Key makes it
		return refuse("it has no unique key over exactly the columns by which rows are found: %q", identity)
	}
	hindrances, err := s.hindrances(ctx, t, x)
	if err != nil {
		return err
	}
	own := ownKeys(t)
	for _, h := range hindrances {
		if !x.Made || !own[h.name] {
			return refuse("it has the %s %s", h.kind, h.name)
		}
	}
	for _, r := range x.Children {
		if (r.OnDelete.Acts() || r.OnUpdate.Acts()) && !s.loading.bare(r.Child) {
			return refuse("a foreign key of %s, which is not copied, acts when rows of it change", r.Child)
		}
	}
	return nil
}

// ownKeys are the names of the keys that Rowferry gives the table.
func ownKeys(t *schema.Table) map[string]bool {
	own := map[string]bool{}
	for _, k := range dialect.Keys(t) {
		own[k.Name] = true
	}
	for _, f := range t.ForeignKeys {
		own[dialect.ForeignKeyName(t, f)] = true
	}
	return own
}

// hindrance is a constraint or an index that may refuse rows for what other rows
// there are.
type hindrance struct {
	kind, name, drop string
}

const (
	uniqueKey  = "unique key"
	foreignKey = "foreign key"
)

// hindranceQuery returns, of one table, foreign keys, and unique and exclusion
// indexes with the names of their columns, NULL where there is an expression.
const hindranceQuery = `SELECT '` + foreignKey + `', k.conname, true, false, NULL, 0 FROM pg_constraint k WHERE k.conrelid = $1 AND k.contype = 'f'
  UNION ALL SELECT CASE WHEN i.indisexclusion THEN 'exclusion constraint' ELSE '` + uniqueKey + `' END, c.relname,
    EXISTS (SELECT FROM pg_constraint k WHERE k.conindid = i.indexrelid AND k.conrelid = i.indrelid), i.indisprimary,
    CASE WHEN NOT i.indisexclusion AND i.indexprs IS NULL THEN (SELECT json_agg(a.attname) FROM pg_attribute a
      WHERE a.attrelid = i.indrelid AND a.attnum = ANY ((i.indkey::int2[])[0:i.indnkeyatts - 1])) END, 1
  FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid WHERE i.indrelid = $1 AND (i.indisunique OR i.indisexclusion) ORDER BY 6, 2`

// hindrances returns the table's keys beside that by which rows are found, the
// foreign keys first.
func (s *Sink) hindrances(ctx context.Context, t *schema.Table, x *dialect.Existing) (all []hindrance, err error) {
	identity := t.ColumnNames(t.Identity())
	err = s.query(ctx, hindranceQuery, func(r dialect.Row) error {
		h := hindrance{kind: r.Text(0), name: r.Text(1), drop: "DROP INDEX " + dialect.QuoteTable(schema.Name{Schema: dialect.Namespace(t.Name), Table: r.Text(1)})}
		if r.Bool(2) {
			h.drop = "ALTER TABLE " + dialect.QuoteTable(t.Name) + " DROP CONSTRAINT " + dialect.Quote(h.name)
		}
		columns, err := r.Names(4)
		if err != nil {
			return err
		}
		// What has all columns of the identity refuses no row but that which the
		// identity's own key refuses. A key of the target's own numbers is met by none.
		covers := len(identity) > 0 && !slices.ContainsFunc(identity, func(n string) bool { return !slices.Contains(columns, n) })
		numbered := r.Bool(3) && x.Fills() >= 0 && t.Column(x.Shape.Columns[x.Fills()].Name) < 0
		if !covers && !numbered {
			all = append(all, h)
		}
		return nil
	}, x.OID)
	return all, err
}

// strip takes the keys that Complete makes from empty tables that Rowferry made:
// foreign keys of all first, since they need unique ones.
func (s *Sink) strip(ctx context.Context, shapes []rowferry.Mutation) error {
	drops := map[string][]string{}
	for i := range shapes {
		t := shapes[i].Table
		x, err := s.inspect(ctx, t)
		if err != nil {
			return sqlsink.Blame(err, &shapes[i])
		}
		if x == nil || !x.Made {
			continue
		}
		empty, err := s.isEmpty(ctx, t.Name)
		if err != nil || !empty {
			if err != nil {
				return err
			}
			continue
		}
		hindrances, err := s.hindrances(ctx, t, x)
		if err != nil {
			return err
		}
		own := ownKeys(t)
		for _, h := range hindrances {
			if own[h.name] {
				drops[h.kind] = append(drops[h.kind], h.drop)
			}
		}
	}
	for _, sql := range slices.Concat(drops[foreignKey], drops[uniqueKey]) {
		if err := s.run(ctx, sql); err != nil {
			return err
		}
	}
	return nil
}

// unfinished returns the shape with those of its keys that the table has.
func unfinished(t *schema.Table, x *dialect.Existing) *schema.Table {
	c := *t
	if !x.References(t.ColumnNames(t.PrimaryKey)) {
		c.PrimaryKey = nil
	}
	c.ForeignKeys = slices.DeleteFunc(slices.Clone(t.ForeignKeys), func(f schema.ForeignKey) bool { return !has(t, f, x) })
	return &c
}
