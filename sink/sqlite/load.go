package sqlite

import (
	"context"
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/rowferry/rowferry"
	dialect "github.com/rowferry/rowferry/internal/dialect/sqlite"
	"github.com/rowferry/rowferry/internal/sqlsink"
	"github.com/rowferry/rowferry/schema"
)

var _ rowferry.Loader = (*Sink)(nil)

// loading is what a sink and its load know of a copy. The zero value is that of
// none. Safe for concurrent use.
type loading struct {
	mu     sync.Mutex
	tables map[string]bool // of a copy, by folded name: whether they are complete
	wrote  map[string]bool // tables written to while foreign keys were not looked at, by folded name
	loads  bool            // one is open
}

// bare reports whether the table may lack keys of its shape.
func (l *loading) bare(n schema.Name) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	complete, known := l.tables[dialect.Fold(n.Table)]
	return known && !complete
}

// complete reports whether the table's foreign keys have been looked at.
func (l *loading) complete(n schema.Name) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.tables[dialect.Fold(n.Table)]
}

// any reports whether any table may lack keys.
func (l *loading) any() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, complete := range l.tables {
		if !complete {
			return true
		}
	}
	return false
}

// write notes that a table is written to.
func (l *loading) write(n schema.Name) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.wrote == nil {
		l.wrote = map[string]bool{}
	}
	l.wrote[dialect.Fold(n.Table)] = true
}

// written reports whether the table of the folded name was written to since the
// copy's tables were prepared.
func (l *loading) written(fold string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.wrote[fold]
}

// copied returns what is noted of tables, for restore.
func (l *loading) copied() map[string]bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return maps.Clone(l.tables)
}

func (l *loading) restore(tables map[string]bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.tables = tables
}

// set notes whether tables are complete.
func (l *loading) set(shapes []rowferry.Mutation, complete bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.tables == nil {
		l.tables = map[string]bool{}
	}
	for i := range shapes {
		l.tables[dialect.Fold(shapes[i].Table.Name.Table)] = complete
	}
}

// enforce has the connection look at foreign keys with each batch, or not while
// tables of a copy are not complete. See docs/adr/0017.
func (s *Sink) enforce() error {
	setting := "ON"
	if s.loading.any() {
		setting = "OFF"
	}
	return s.translate(dialect.Exec(s.conn, "PRAGMA foreign_keys = "+setting))
}

// PrepareLoad makes the tables that are missing with the key of their identity,
// and their foreign keys, which are not looked at until Complete; and checks those
// that are there, all in one transaction. A table that Rowferry made and that is
// empty loses the keys which Complete will make again.
func (s *Sink) PrepareLoad(ctx context.Context, shapes []rowferry.Mutation) error {
	if err := sqlsink.OnlyShapes(shapes); err != nil {
		return err
	}
	s.forget()
	was := s.loading.copied()
	s.loading.set(shapes, false)
	err := s.within(ctx, func() error {
		s.remember()
		if err := s.translate(dialect.Exec(s.conn, createChunks)); err != nil {
			return err
		}
		for i := range shapes {
			if err := s.prepareLoad(shapes[i].Table, shapes); err != nil {
				return sqlsink.Blame(err, &shapes[i])
			}
		}
		return nil
	})
	if err != nil {
		s.loading.restore(was)
		s.forget()
		return err
	}
	return s.enforce()
}

// prepareLoad makes or checks one of the tables.
func (s *Sink) prepareLoad(t *schema.Table, all []rowferry.Mutation) error {
	existing, err := s.inspect(t)
	if err != nil {
		return err
	}
	if existing == nil {
		existing, err = s.create(t, s.parentAmong(all), dialect.CreateBare)
	} else if dialect.Made(t, existing) {
		existing, err = s.strip(t, existing)
	}
	if err != nil {
		return err
	}
	if _, err := s.adopt(t, existing); err != nil {
		return err
	}
	return s.checkLoadable(t, existing)
}

// parentAmong answers for a foreign key's parent when the tables of a copy are
// made: what is neither one of them nor there now will not be there before rows.
func (s *Sink) parentAmong(all []rowferry.Mutation) dialect.Parents {
	return func(name schema.Name) (dialect.Parent, error) {
		for i := range all {
			if t := all[i].Table; dialect.Fold(t.Name.Table) == dialect.Fold(name.Table) {
				return dialect.Parent{Shape: t, InScope: true}, nil
			}
		}
		p, err := s.parent(name)
		p.Late = p.Shape == nil
		return p, err
	}
}

// strip takes from a table that Rowferry made, if it is empty, the keys that
// Complete makes: it is left over from another pipeline.
func (s *Sink) strip(t *schema.Table, x *dialect.Existing) (*dialect.Existing, error) {
	empty, err := s.isEmpty(dialect.Quote(t.Name.Table))
	if err != nil || !empty {
		return x, err
	}
	own := ownKeys(t, x)
	for _, u := range x.Uniques {
		if own[u.Name] && !covers(t, x, u) {
			if err := s.run("DROP INDEX " + dialect.Quote(u.Name)); err != nil {
				return nil, err
			}
		}
	}
	s.changedSchema()
	stripped, err := dialect.Inspect(s.conn, t.Name.Table)
	return stripped, s.translate(err)
}

// ownKeys are the names of the indexes that Rowferry gives the table.
func ownKeys(t *schema.Table, x *dialect.Existing) map[string]bool {
	own := map[string]bool{}
	for _, k := range dialect.Keys(t, x.Shape.ForeignKeys) {
		own[k.Name] = true
	}
	return own
}

// covers reports whether the index has all columns of the table's identity: it
// then refuses no row but that which the identity's own key refuses.
func covers(t *schema.Table, x *dialect.Existing, u dialect.UniqueIndex) bool {
	identity := t.Identity()
	return len(identity) > 0 && !u.Expression && !slices.ContainsFunc(identity, func(o int) bool {
		return !slices.Contains(u.Columns, folding.Ordinal(x.Shape, t.Columns[o].Name))
	})
}

// checkLoadable refuses a table in which rows could not come in any order, or
// would change others.
func (s *Sink) checkLoadable(t *schema.Table, x *dialect.Existing) error {
	refuse := func(why string, args ...any) error {
		return rowferry.Errorf(rowferry.CodeCopyRefused, "the target's table cannot take a copy's rows in the order in which they come").
			Fact("table", "%s", t.Name).Fact("why", why, args...).
			Remedy("let Rowferry make it", "DROP TABLE %s, or rename it", dialect.Quote(t.Name.Table)).
			Remedy("without the key", "drop it, and make it again after the copy")
	}
	identity := t.ColumnNames(t.Identity())
	if len(identity) > 0 && !dialect.References(x.Shape, identity) {
		return refuse("it has no unique key over exactly the columns by which rows are found: %q", identity)
	}
	made := dialect.Made(t, x)
	own := ownKeys(t, x)
	for _, u := range x.Uniques {
		// The target's own numbers, which no row brings, are met by none.
		numbered := u.Primary && x.RowidAlias >= 0 && folding.Ordinal(t, x.Shape.Columns[x.RowidAlias].Name) < 0
		if !covers(t, x, u) && !numbered && !(made && own[u.Name]) {
			return refuse("it has the unique index %s", u.Name)
		}
	}
	if len(x.Shape.ForeignKeys) > 0 && !made {
		return refuse("it has the foreign key %s", sqlsink.DescribeKey(x.Shape, x.Shape.ForeignKeys[0]))
	}
	g, err := s.references()
	if err != nil {
		return err
	}
	for _, r := range g.to[dialect.Fold(t.Name.Table)] {
		acts := func(action string) bool { return action != "NO ACTION" && action != "RESTRICT" }
		if (acts(r.onDelete) || acts(r.onUpdate)) && !s.loading.bare(schema.Name{Table: r.child}) {
			return refuse("a foreign key of %s (%s), which is not copied, acts when rows of it change", r.child, strings.Join(r.columns, ", "))
		}
	}
	return nil
}

// unfinished returns the shape with a primary key only where the table has it.
func unfinished(t *schema.Table, x *dialect.Existing) *schema.Table {
	c := *t
	if !dialect.References(x.Shape, t.ColumnNames(t.PrimaryKey)) {
		c.PrimaryKey = t.Bare().PrimaryKey
	}
	return &c
}
