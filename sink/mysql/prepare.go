package mysql

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/rowferry/rowferry"
	"github.com/rowferry/rowferry/internal/mysqlwire"
	"github.com/rowferry/rowferry/internal/sqlsink"
	"github.com/rowferry/rowferry/schema"
)

// Prepare makes the tables of the shapes that are missing, with their
// databases, gives tables that Rowferry made the foreign keys whose parents
// exist by now, and checks every table. It works on a connection of its own.
func (s *Sink) Prepare(ctx context.Context, shapes []rowferry.Mutation) error {
	return s.preparing(ctx, shapes, func(p *preparation) error { return p.run(shapes) })
}

// preparing runs what makes tables and keys on a connection of its own. An error
// leaves the Sink with the shapes that it knew.
func (s *Sink) preparing(ctx context.Context, shapes []rowferry.Mutation, run func(*preparation) error) error {
	switch {
	case s.open != nil:
		return rowferry.Errorf(rowferry.CodeInternal, "tables are to be made while a batch is open")
	case s.options.ReadOnly:
		return rowferry.Errorf(rowferry.CodeInternal, "the MySQL target was opened for reading only")
	case len(shapes) == 0:
		return nil
	}
	if err := s.connect(ctx); err != nil {
		return err
	}
	se, err := s.dialer.session(ctx)
	if err != nil {
		return s.translate(err)
	}
	defer se.close()
	if err := strictTables(ctx, se); err != nil {
		return s.translate(err)
	}
	p := &preparation{sink: s, ctx: ctx, session: se, told: map[schema.Name]*rowferry.Mutation{}}
	known := maps.Clone(s.shapes)
	s.forget() // what a new table or key changes for others
	if err := run(p); err != nil {
		s.shapes = known
		return err
	}
	return nil
}

// each runs fn for each of the shapes.
func (p *preparation) each(shapes []rowferry.Mutation, fn func(*rowferry.Mutation) error) error {
	for i := range shapes {
		if shapes[i].Op != rowferry.Shape {
			return rowferry.Errorf(rowferry.CodeInternal, "tables are not made for the operation %s", shapes[i].Op)
		}
		if err := fn(&shapes[i]); err != nil {
			return sqlsink.Blame(p.sink.translate(err), &shapes[i])
		}
	}
	return nil
}

func (p *preparation) run(shapes []rowferry.Mutation) error {
	s := p.sink
	if err := p.each(shapes, p.table); err != nil {
		return err
	}
	for _, name := range slices.SortedFunc(maps.Keys(s.shapes), schema.Name.Compare) {
		if m, err := p.keys(s.shapes[name]); err != nil {
			return sqlsink.Blame(s.translate(err), m)
		}
	}
	return p.checkAll(shapes)
}

// checkAll looks at the shapes' tables as they are now.
func (p *preparation) checkAll(shapes []rowferry.Mutation) error {
	s := p.sink
	chains, err := s.readChains(p.ctx, p.session)
	if err != nil {
		return s.translate(err)
	}
	return p.each(shapes, func(m *rowferry.Mutation) error {
		if err := p.check(m); err != nil {
			return err
		}
		return chains.check(s.server.foldName(s.place(m.Table.Name)))
	})
}

// strictTables makes the server refuse tables whose rows cannot be stored,
// where the user may say so; else the first such row is refused.
func strictTables(ctx context.Context, se *session) error {
	err := se.exec(ctx, "SET SESSION innodb_strict_mode = 1")
	var refused *mysqlwire.ServerError
	if errors.As(err, &refused) && refused.Number == 1227 {
		return nil
	}
	return err
}

// preparation is one Prepare on its way.
type preparation struct {
	sink    *Sink
	ctx     context.Context
	session *session
	told    map[schema.Name]*rowferry.Mutation // the shapes of this call, by place
	patient bool                               // an ALTER TABLE has many rows to look at
}

// placed returns the shape with the types that it has in MySQL, under the names
// that its table and its parents have on the server.
func (s *Sink) placed(t *schema.Table) *schema.Table {
	p := schema.ForMySQL(t).WithName(s.place(t.Name))
	p.ForeignKeys = slices.Clone(t.ForeignKeys)
	for i := range p.ForeignKeys {
		p.ForeignKeys[i].Parent = s.place(p.ForeignKeys[i].Parent)
	}
	p.Indexes, p.OtherIndexes = s.fitIndexes(p)
	return p
}

// table makes the mutation's table where it is missing.
func (p *preparation) table(m *rowferry.Mutation) error {
	s := p.sink
	if err := s.checkNames(m.Table); err != nil {
		return err
	}
	t := s.placed(m.Table)
	s.shapes[t.Name] = t
	p.told[t.Name] = m
	x, err := s.inspectHead(p.ctx, p.session, t.Name)
	if err != nil || x != nil {
		return err
	}
	if err := s.mayCreate(t); err != nil {
		return err
	}
	sql, notices, err := s.createTable(t, s.loads(t.Name))
	if err != nil {
		return err
	}
	if err := s.createDatabase(p.ctx, p.session, t.Name.Schema); err != nil {
		return err
	}
	if err := p.create(t, sql); err != nil {
		return err
	}
	for _, n := range notices {
		s.notice(n)
	}
	return nil
}

func (s *Sink) mayCreate(t *schema.Table) error {
	if s.options.CreateTables {
		return nil
	}
	return rowferry.Errorf(rowferry.CodeTableDiffers, "a table does not exist in the target, and tables are not to be made").
		Fact("table", "%s", t.Name).Remedy("let Rowferry make it", "create_tables: true")
}

// create makes a table by the statement. One with an index that the server does not
// take is made without it.
func (p *preparation) create(t *schema.Table, sql string) error {
	s := p.sink
	s.trace(sql, nil)
	err := p.session.exec(p.ctx, sql)
	if refusedIndex(err) != "" && len(t.Indexes) > 0 && !s.loads(t.Name) {
		if sql, _, err = s.createTable(t.WithoutIndexes(), false); err != nil {
			return err
		}
		s.trace(sql, nil)
		if err = p.session.exec(p.ctx, sql); err == nil {
			return p.indexes(t, tableKeys(t, false))
		}
	}
	if err != nil && !alreadyThere(err) {
		return s.differs(err, t)
	}
	return nil
}

// alreadyThere reports whether a table exists that was to be made: another
// engine was faster, and what it made is checked.
func alreadyThere(err error) bool {
	var refused *mysqlwire.ServerError
	return errors.As(err, &refused) && refused.Number == 1050
}

// createDatabase makes a database that is missing.
func (s *Sink) createDatabase(ctx context.Context, se *session, name string) error {
	sql, err := s.missingDatabase(ctx, se, name)
	if err != nil || sql == "" {
		return err
	}
	s.trace(sql, nil)
	return s.translate(se.exec(ctx, sql))
}

// missingDatabase returns the statement that makes a database, or "" where it is
// there.
func (s *Sink) missingDatabase(ctx context.Context, se *session, name string) (string, error) {
	if name == "" || nameProblem(name) != "" {
		return "", rowferry.Errorf(rowferry.CodeNameRefused, "the target cannot have a database of this name").Fact("database", "%q", name)
	}
	names, err := se.strings(ctx, "SELECT SCHEMA_NAME FROM information_schema.SCHEMATA WHERE SCHEMA_NAME = ?", name)
	fold := func(n string) string { return s.server.foldName(schema.Name{Schema: n}).Schema }
	if err != nil || slices.ContainsFunc(names, func(n string) bool { return fold(n) == fold(name) }) {
		return "", s.translate(err)
	}
	return "CREATE DATABASE IF NOT EXISTS " + quote(name) + " DEFAULT CHARACTER SET utf8mb4", nil
}

// keys adds the foreign keys that t's table lacks although their parents exist.
// It returns the mutation that an error is about: that of the table, or of the
// parent that has just come.
func (p *preparation) keys(t *schema.Table) (*rowferry.Mutation, error) {
	s := p.sink
	about := p.told[t.Name]
	for _, f := range t.ForeignKeys {
		about = cmp.Or(about, p.told[f.Parent])
	}
	if len(t.ForeignKeys) == 0 || about == nil || s.loads(t.Name) {
		return nil, nil
	}
	x, err := s.inspect(p.ctx, p.session, t.Name)
	if err != nil || x == nil || !x.made {
		return about, err
	}
	for _, f := range t.ForeignKeys {
		if s.hasKey(t, f, x) {
			continue
		}
		addable, err := p.addable(t, f)
		if err == nil && addable {
			err = p.key(t, f)
		}
		if err != nil {
			return about, err
		}
	}
	return about, nil
}

// addable reports whether a foreign key can be added now, or says why the table
// is without it. One that acts is carried, waits for its parent, or is an error.
func (p *preparation) addable(t *schema.Table, f schema.ForeignKey) (bool, error) {
	if p.sink.loads(f.Parent) {
		return false, noDefault(t, f) // it waits
	}
	parent, err := p.sink.inspect(p.ctx, p.session, f.Parent)
	if err != nil {
		return false, err
	}
	return p.bears(t, f, parent)
}

func noDefault(t *schema.Table, f schema.ForeignKey) error {
	if f.OnDelete == schema.SetDefault || f.OnUpdate == schema.SetDefault {
		return sqlsink.ActionError(t, f, "a foreign key sets a default, which InnoDB does not do")
	}
	return nil
}

// bears is addable of a foreign key to a parent as it is, or will be.
func (p *preparation) bears(t *schema.Table, f schema.ForeignKey, parent *existing) (bool, error) {
	s := p.sink
	if err := noDefault(t, f); err != nil {
		return false, err
	}
	switch {
	case parent == nil && (s.options.InScope == nil || s.options.InScope(f.Parent)):
		return false, nil // it waits
	case parent == nil:
		return false, s.without(t, f, fmt.Sprintf("%s is not part of the pipeline", f.Parent))
	case parent.kind != "BASE TABLE" || !s.references(parent.shape, f.Referenced):
		return false, s.without(t, f, fmt.Sprintf("%s has no primary or unique key over exactly its columns", f.Parent))
	}
	if finer := s.finerKey(t, f); finer != "" {
		if !f.Acts() {
			return false, s.without(t, f, finer)
		}
		s.notice(fmt.Sprintf("table %s: the foreign key %s is kept for its action, but %s: "+
			"a row whose value equals its parent's only by the source's collation will be refused", t.Name, sqlsink.DescribeKey(t, f), finer))
	}
	return true, nil
}

// key adds one foreign key.
func (p *preparation) key(t *schema.Table, f schema.ForeignKey) error {
	err := p.alter(t, addKey(t, f))
	if refused := refusedKey(err); refused != "" {
		return p.sink.without(t, f, "the target refuses it: "+refused)
	}
	return p.altered(err, t)
}

func alterTable(t *schema.Table, clauses ...string) string {
	return "ALTER TABLE " + quoteName(t.Name) + " " + strings.Join(clauses, ", ")
}

// alter runs an ALTER TABLE.
func (p *preparation) alter(t *schema.Table, clauses ...string) error {
	sql := alterTable(t, clauses...)
	p.sink.trace(sql, nil)
	if p.patient {
		return p.sink.patiently(p.ctx, p.session, sql)
	}
	return p.session.exec(p.ctx, sql)
}

// refusedKey returns what the server says of a foreign key that it does not
// take, or "".
func refusedKey(err error) string {
	return refusal(err, 1005, 1215, 1452, 1822, 1825, 3780, 6125, 150)
}

// refusal returns what the server says where it is one of the errors, or "".
func refusal(err error, numbers ...uint16) string {
	var refused *mysqlwire.ServerError
	if errors.As(err, &refused) && slices.Contains(numbers, refused.Number) {
		return refused.Message
	}
	return ""
}

// altered returns the error of an ALTER TABLE, or nil where another engine was
// faster.
func (p *preparation) altered(err error, t *schema.Table) error {
	var refused *mysqlwire.ServerError
	if !errors.As(err, &refused) {
		return err
	}
	switch refused.Number {
	case 1826, 1061, 1022, 121:
		return nil
	default:
		return p.sink.differs(err, t)
	}
}

// references reports whether a foreign key may refer to the named columns.
func (s *Sink) references(parent *schema.Table, names []string) bool {
	ordinals := make([]int, len(names))
	for i, n := range names {
		ordinals[i] = s.server.folding().Ordinal(parent, n)
	}
	return parent.UniqueOver(ordinals)
}

// finerKey returns what is finer about the columns of a foreign key than at the
// source, or "".
func (s *Sink) finerKey(t *schema.Table, f schema.ForeignKey) string {
	for _, o := range f.Columns {
		if c := t.Columns[o]; c.Type.Kind.Textual() {
			if _, finer := s.server.Collation(c.Type); finer != "" {
				return "for column " + c.Name + ", " + finer
			}
		}
	}
	return ""
}

// without leaves a foreign key out with a notice, unless it acts: child rows
// that the source changes without logging it would stay as they are.
func (s *Sink) without(t *schema.Table, f schema.ForeignKey, why string) error {
	if f.Acts() {
		return sqlsink.ActionError(t, f, "a foreign key that changes rows by itself cannot be carried: "+why)
	}
	s.notice(fmt.Sprintf("table %s is without the foreign key %s: %s", t.Name, sqlsink.DescribeKey(t, f), why))
	return nil
}

// check looks at the mutation's table as it is now.
func (p *preparation) check(m *rowferry.Mutation) error {
	t := p.sink.shapes[p.sink.place(m.Table.Name)]
	x, err := p.sink.inspect(p.ctx, p.session, t.Name)
	switch {
	case err != nil:
		return err
	case x == nil:
		return rowferry.Errorf(rowferry.CodeTableDiffers, "a table that was just made does not exist").Fact("table", "%s", t.Name)
	default:
		return p.sink.check(p.ctx, p.session, t, x)
	}
}
