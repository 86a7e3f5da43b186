package mysql

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"

	"github.com/go-mysql-org/go-mysql/replication"

	"github.com/rowferry/rowferry"
	"github.com/rowferry/rowferry/internal/dialect/mysql"
	"github.com/rowferry/rowferry/schema"
)

// tables knows the shapes in force, and which table a number means.
type tables struct {
	src     *Source
	head    *head
	catalog *mysql.Catalog // nil until the first file's head was read
	hints   map[schema.Name]*schema.Table

	byNumber map[uint64]*mapping      // within one file (M34)
	byName   map[schema.Name]*mapping // the latest of each table in scope
	emitted  map[schema.Name]*schema.Table
	plain    map[*schema.Table]*schema.Table // shapes without their cascades
	headers  map[replication.EventType]*replication.RowsEvent

	learned bool // the catalog holds what all the log before says
	untold  bool // the consumer was not told the shapes learned before the start

	usedHints map[schema.Name]bool
	unsure    map[schema.Name]bool // tables with rows and unknown constraints
}

// mapping is what a table map says, and the decoder for it.
type mapping struct {
	name    schema.Name
	scope   bool
	content []byte        // the table map without its number
	known   *schema.Table // what the catalog said when the decoder was made
	shape   *schema.Table
	decoder *rowDecoder
}

func newTables(s *Source) *tables {
	return &tables{
		src: s, hints: map[schema.Name]*schema.Table{},
		byNumber: map[uint64]*mapping{}, byName: map[schema.Name]*mapping{},
		emitted: map[schema.Name]*schema.Table{}, plain: map[*schema.Table]*schema.Table{},
		headers:   map[replication.EventType]*replication.RowsEvent{},
		usedHints: map[schema.Name]bool{}, unsure: map[schema.Name]bool{},
	}
}

// begin sets up what is known before the first event: the dump, which is from
// where the files begin, the statements before emit if learn is set, and the
// shapes that the consumer has recorded.
func (t *tables) begin(ctx context.Context, start rowferry.Start, emit place, learn bool) error {
	t.learned, t.untold = learn, learn
	for _, h := range start.Hints {
		t.hints[h.Name] = h
	}
	var err error
	if learn {
		t.catalog, err = t.src.learn(ctx, emit)
	} else {
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
	_, h, c, err := openHead(s.open, s.files[0], 0, s.maxEvent)
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
	if s.opt.Dump == "" {
		return catalog, ctx.Err()
	}
	f, err := os.Open(s.opt.Dump)
	if err != nil {
		return nil, rowferry.Errorf(rowferry.CodeBadDump, "the schema dump cannot be opened: %w", err)
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	return catalog, catalog.LoadDump(f, s.opt.DefaultDB)
}

// learn returns a catalog of what the dump and the statements before a place
// say. Statements that cannot be read leave tables unknown.
func (s *Source) learn(ctx context.Context, before place) (*mysql.Catalog, error) {
	catalog, err := s.dumped(ctx)
	first := place{0, s.files[0].name, magicSize}
	if err != nil || !first.before(before) {
		return catalog, err
	}
	err = s.scan(ctx, 0, newProgress(), func(x seen) (bool, error) {
		if !x.start.before(before) {
			return true, nil
		}
		switch {
		case x.typ == replication.FORMAT_DESCRIPTION_EVENT:
			begins(catalog, x.head)
		case x.typ == replication.TRANSACTION_PAYLOAD_EVENT && !x.group.name.named:
			catalog.MissedStatements() // with GTIDs no statement in it makes a temporary table
		}
		if x.query == nil || x.verb != verbOther || x.group.name.alterBegin || x.group.name.alterUndo {
			return false, nil
		}
		st, err := x.query.statement(x.head.srv, x.event)
		if err != nil {
			return false, err
		}
		_, err = catalog.Apply(st)
		if unread := (*mysql.StatementError)(nil); errors.As(err, &unread) {
			s.opt.Log.DebugContext(ctx, "a statement before the start cannot be read", "at", x.start.String(), "error", err)
			err = nil
		}
		return false, err
	})
	return catalog, err
}

// file begins a new file: numbers mean other tables. whole is set if it is read
// from its start.
func (t *tables) file(h *head, whole bool) {
	t.head = h
	t.byNumber = map[uint64]*mapping{}
	if whole {
		begins(t.catalog, h)
	} else {
		t.catalog.SetVersion(h.srv.version)
	}
}

// begins brings a catalog to the start of a file.
func begins(c *mysql.Catalog, h *head) {
	c.SetVersion(h.srv.version)
	if h.started {
		c.ServerStarted()
	}
}

// mapped takes a TABLE_MAP_EVENT. Only the name is read of tables out of
// scope, and nothing again of one that has not changed.
func (t *tables) mapped(e *event) error {
	id, db, table, content, err := parseMapHead(e, t.head)
	if err != nil {
		return err
	}
	name := schema.Name{Schema: db, Table: table}
	if m := t.byNumber[id]; m != nil && m.name == name && (!m.scope || bytes.Equal(m.content, content)) {
		return nil
	}
	m := t.byName[name]
	if m == nil || !bytes.Equal(m.content, content) {
		m = &mapping{name: name, scope: t.src.opt.Scope(name)}
		if m.scope {
			m.content = bytes.Clone(content)
			t.byName[name] = m
		}
	}
	t.byNumber[id] = m
	return nil
}

// ready makes a mapping's decoder, anew where the catalog has another shape by
// now.
func (t *tables) ready(ctx context.Context, m *mapping, at place) error {
	known := t.catalog.Table(m.name)
	if m.decoder != nil && m.known == known {
		return nil
	}
	tm, err := parseTableMap(slices.Concat(make([]byte, 6), m.content), 6)
	if err != nil {
		return err
	}
	if declaredSequence(known) || known == nil && isSequence(tm, t.head.srv) {
		return rowferry.Errorf(rowferry.CodeTypeRefused, "%s is a sequence, which is not carried", m.name).
			Remedy("leave it out", "exclude %s in 'tables'", m.name)
	}
	shape, err := shapeFromMap(tm, known, t.head.srv)
	if rowferry.CodeOf(err) == rowferry.CodeShapeUnknown {
		shape, err = t.elsewhere(ctx, at, m.name, tm, err)
	}
	if err != nil {
		return err
	}
	if m.decoder, err = newRowDecoder(tm, shape, t.head.srv); err != nil {
		return err
	}
	m.known = t.catalog.Table(m.name)
	m.shape = t.published(t.hinted(shape))
	return nil
}

// relearn builds the catalog anew from all of the log before a place, once, if
// that was not done when reading began: shapes recorded by a consumer lack what
// it has no use for, such as the defaults of databases. It reports whether the
// catalog is another one now.
func (t *tables) relearn(ctx context.Context, before place) (bool, error) {
	if t.learned {
		return false, nil
	}
	t.learned = true
	catalog, err := t.src.learn(ctx, before)
	if err != nil {
		return false, err
	}
	for _, x := range t.catalog.Tables() {
		if catalog.Table(x.Name) == nil {
			catalog.Put(x)
		}
	}
	t.catalog = catalog
	return true, nil
}

// elsewhere looks for the shape of a table that the log does not tell here: in
// all of the log before a place, then in the hints.
func (t *tables) elsewhere(ctx context.Context, at place, name schema.Name, tm *replication.TableMapEvent, unknown error) (*schema.Table, error) {
	if again, err := t.relearn(ctx, at); err != nil {
		return nil, err
	} else if again {
		shape, err := shapeFromMap(tm, t.catalog.Table(name), t.head.srv)
		if rowferry.CodeOf(err) != rowferry.CodeShapeUnknown {
			return shape, err
		}
	}
	hint := t.hints[name]
	if hint == nil || len(tm.ColumnType) != len(hint.Columns) || t.catalog.Table(name) != nil {
		return nil, unknown
	}
	named := *tm
	for _, c := range hint.Columns {
		named.ColumnName = append(named.ColumnName, []byte(c.Name))
	}
	for _, o := range hint.PrimaryKey {
		named.PrimaryKey = append(named.PrimaryKey, uint64(o))
		named.PrimaryKeyPrefix = append(named.PrimaryKeyPrefix, 0)
	}
	shape, err := shapeFromMap(&named, nil, t.head.srv)
	if err == nil {
		t.usedHints[name] = true
	}
	return shape, err
}

// hinted adds the keys of a hint to a shape whose constraints are not known.
func (t *tables) hinted(shape *schema.Table) *schema.Table {
	hint := t.hints[shape.Name]
	if hint == nil || shape.ConstraintsKnown || !hint.ConstraintsKnown ||
		!slices.EqualFunc(shape.Columns, hint.Columns, func(a, b schema.Column) bool { return a.Name == b.Name }) {
		return shape
	}
	full := *shape
	full.Uniques, full.ForeignKeys, full.ConstraintsKnown = hint.Uniques, hint.ForeignKeys, true
	t.usedHints[shape.Name] = true
	return &full
}

// published returns the shape as the consumer gets it: the one it has, if that
// says the same.
func (t *tables) published(shape *schema.Table) *schema.Table {
	p := t.withoutCascades(shape)
	if have := t.emitted[p.Name]; have != nil && have != p && sameShape(have, p) {
		p = have
	}
	return p
}

func sameShape(a, b *schema.Table) bool {
	x, err1 := json.Marshal(a)
	y, err2 := json.Marshal(b)
	return err1 == nil && err2 == nil && bytes.Equal(x, y)
}

// announce tells the consumer a table's shape unless it has it.
func (t *tables) announce(tx *assembly, shape *schema.Table) {
	if t.emitted[shape.Name] == shape {
		return
	}
	tx.shapes = append(tx.shapes, shaped{tx.count(), shape.Name, t.emitted[shape.Name]})
	t.emitted[shape.Name] = shape
	inScope := tx.inScope
	tx.add(rowferry.Change{Op: rowferry.Shape, Table: shape})
	tx.inScope = inScope // a shape is no change
}

// tell announces, in the first transaction, every table in scope that was
// learned before it: a consumer that begins here has them all, the ones that no
// row will touch included, and foreign keys find their parents.
func (t *tables) tell(tx *assembly) {
	if !t.untold {
		return
	}
	t.untold = false
	for _, x := range t.catalog.Tables() {
		if t.src.opt.Scope(x.Name) && !declaredSequence(x) {
			t.announce(tx, t.published(t.hinted(x)))
		}
	}
}

// restore takes back what the consumer was told of a table.
func (t *tables) restore(name schema.Name, was *schema.Table) {
	if was == nil {
		delete(t.emitted, name)
		return
	}
	t.emitted[name] = was
}

func (t *tables) notices() []string {
	var all []string
	list := func(what string, names map[schema.Name]bool) {
		if len(names) > 0 {
			text := make([]string, 0, len(names))
			for n := range maps.Keys(names) {
				text = append(text, n.String())
			}
			slices.Sort(text)
			all = append(all, fmt.Sprintf(what, strings.Join(text, ", ")))
		}
	}
	list("the log does not tell unique and foreign keys of %s; a --schema dump would", t.unsure)
	list("names or keys were taken from the existing target tables for %s", t.usedHints)
	return all
}
