package mysql

import (
	"bytes"
	"context"
	"errors"
	"os"

	"github.com/go-mysql-org/go-mysql/replication"

	"github.com/rowferry/rowferry"
	"github.com/rowferry/rowferry/internal/dialect/mysql"
	"github.com/rowferry/rowferry/schema"
)

// begin sets up what is known before the first event: the dump, which is from
// where the files begin, all that the log before emit tells if learn is set,
// and the shapes that the consumer has recorded.
func (t *tables) begin(ctx context.Context, start rowferry.Start, emit place, learn bool) error {
	t.learned, t.untold = learn, learn
	t.hint = start.Hint
	if t.hint == nil {
		t.hint = func(schema.Name) *schema.Table { return nil }
	}
	var err error
	switch {
	case t.src.live != nil:
		err = t.beginLive(ctx, start, emit, learn)
	case learn:
		err = t.learn(ctx, emit)
	default:
		t.catalog, err = t.src.dumped(ctx)
	}
	if err != nil {
		return err
	}
	for _, x := range start.Tables {
		t.catalog.Put(x)
		t.emitted[x.Name] = x
	}
	return nil
}

// dumped returns a catalog with the dump in it, if there is one.
func (s *Source) dumped(ctx context.Context) (_ *mysql.Catalog, err error) {
	_, h, c, err := openHead(ctx, s.open, s.files[0], 0, s.maxEvent)
	if err != nil {
		return nil, wholeHead(err)
	}
	if err := c.Close(); err != nil {
		return nil, unreadable(s.files[0].path, err)
	}
	flavor := mysql.MySQL
	if h.srv.mariadb {
		flavor = mysql.MariaDB
	}
	catalog := mysql.NewCatalog(flavor)
	catalog.SetVersion(h.srv.version)
	return catalog, errors.Join(s.loadDump(catalog), ctx.Err())
}

// loadDump adds the dump to a catalog, if there is one.
func (s *Source) loadDump(catalog *mysql.Catalog) (err error) {
	if s.opt.Dump == "" {
		return nil
	}
	f, err := os.Open(s.opt.Dump)
	if err != nil {
		return rowferry.Errorf(rowferry.CodeBadDump, "the schema dump cannot be opened: %w", err)
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	return catalog.LoadDump(f, s.opt.DefaultDB)
}

// passedMap is the latest table map of a table in scope that learning passed.
type passedMap struct {
	content []byte
	known   *schema.Table // what the catalog said after it; nil: the shape is not known
	told    bool          // known is the map's own word
}

// learner learns shapes from all of the log before a place.
type learner struct {
	tables  *tables
	catalog *mysql.Catalog
	passed  map[schema.Name]*passedMap
}

// learn sets the catalog to what the dump and the log before a place say: its
// statements, and its table maps for tables that no statement made. What cannot
// be read leaves tables unknown.
func (t *tables) learn(ctx context.Context, before place) error {
	catalog, err := t.src.dumped(ctx)
	if err != nil {
		return err
	}
	return t.learnFrom(ctx, catalog, place{0, t.src.files[0].name, magicSize}, before)
}

// learnFrom is learn for the log from a place on, where catalog holds what is
// known there.
func (t *tables) learnFrom(ctx context.Context, catalog *mysql.Catalog, first, before place) (err error) {
	l := &learner{t, catalog, map[schema.Name]*passedMap{}}
	if first.before(before) {
		err = t.src.scanMaps(ctx, first.file, newProgress(), func(x seen) (bool, error) {
			if !x.start.before(before) {
				return true, nil
			}
			if x.start.before(first) && x.typ != replication.FORMAT_DESCRIPTION_EVENT {
				return false, nil
			}
			return false, l.visit(ctx, x)
		})
	}
	t.catalog, t.passed = catalog, l.passed
	return err
}

func (l *learner) visit(ctx context.Context, x seen) error {
	switch {
	case x.typ == replication.FORMAT_DESCRIPTION_EVENT:
		begins(l.catalog, x.head)
	case x.typ == replication.TABLE_MAP_EVENT:
		return l.mapped(ctx, x)
	case x.query != nil && x.verb == verbOther && !x.group.name.alterBegin && !x.group.name.alterUndo:
		return l.statement(ctx, x)
	}
	return nil
}

func (l *learner) statement(ctx context.Context, x seen) error {
	st, err := x.query.statement(x.head.srv, x.event)
	if err != nil {
		return err
	}
	effects, err := l.catalog.Apply(st)
	if unread := (*mysql.StatementError)(nil); errors.As(err, &unread) {
		l.tables.src.opt.Log.DebugContext(ctx, "a statement before the start cannot be read", "at", x.start.String(), "error", err)
		return nil
	}
	for i := range effects {
		l.forget(&effects[i])
	}
	return err
}

// forget gives up the table maps of tables that are gone.
func (l *learner) forget(f *mysql.Effect) {
	switch f.Kind {
	case mysql.Dropped:
		delete(l.passed, f.Table)
	case mysql.DatabaseDropped:
		for name := range l.passed {
			if name.Schema == f.Table.Schema {
				delete(l.passed, name)
			}
		}
	case mysql.Renamed:
		if m := l.passed[f.Table]; m != nil {
			l.passed[f.To] = m
			delete(l.passed, f.Table)
		}
	default: // the table is still there
	}
}

// mapped takes a table map: it tells the shape where the statements do not, or
// not all of it.
func (l *learner) mapped(ctx context.Context, x seen) error {
	_, db, table, content, err := parseMapHead(x.event, x.head)
	if err != nil {
		return err
	}
	name := schema.Name{Schema: db, Table: table}
	if !l.tables.src.opt.Scope(name) {
		return nil
	}
	known, last := l.catalog.Table(name), l.passed[name]
	if last != nil && last.known == known && bytes.Equal(last.content, content) {
		return nil
	}
	m := &passedMap{content: bytes.Clone(content), known: known}
	shape, err := l.shape(name, m.content, x.head.srv)
	switch {
	case err != nil:
		l.tables.src.opt.Log.DebugContext(ctx, "a table map before the start does not tell a shape", "at", x.start.String(), "table", name, "error", err)
	case shape == nil: // a sequence
		return nil
	case known == nil || unfinished(known) || last != nil && last.told && last.known == known:
		l.catalog.Put(shape)
		m.known, m.told = shape, true
	}
	l.passed[name] = m
	return nil
}

// shape returns what a table map says, on the ground of what is known before
// it. It is nil for a sequence.
func (l *learner) shape(name schema.Name, content []byte, srv server) (*schema.Table, error) {
	tm, err := parseContent(content)
	if err != nil {
		return nil, err
	}
	known := l.catalog.Table(name)
	if declaredSequence(known) || known == nil && isSequence(tm, srv) {
		return nil, nil
	}
	shape, err := shapeFromMap(tm, known, srv)
	if known == nil && rowferry.CodeOf(err) == rowferry.CodeShapeUnknown {
		shape, err = l.tables.named(name, tm, srv, err)
	}
	if err == nil {
		_, err = newRowDecoder(tm, shape, srv)
	}
	return shape, err
}

// relearn builds the catalog anew from all of the log before a place, once, if
// that was not done when reading began: shapes recorded by a consumer lack what
// it has no use for, such as the defaults of databases. was are the shapes in
// force there as far as they were known, which count for more than what the
// table maps say. It reports whether the catalog is another one now.
func (t *tables) relearn(ctx context.Context, before place, was []*schema.Table) (bool, error) {
	if t.learned {
		return false, nil
	}
	t.learned = true
	learn := t.learn
	if t.src.live != nil {
		learn = t.learnLive
	}
	if err := learn(ctx, before); err != nil {
		return false, err
	}
	for _, x := range was {
		if have := t.catalog.Table(x.Name); have == nil || !have.ConstraintsKnown {
			t.catalog.Put(x)
		}
	}
	return true, nil
}
