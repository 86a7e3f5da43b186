package mysql

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/rowferry/rowferry"
	"github.com/rowferry/rowferry/internal/mysqlwire"
	"github.com/rowferry/rowferry/internal/sqlsink"
	"github.com/rowferry/rowferry/schema"
)

// Prepare makes the tables of the shapes that are missing, with their
// databases, gives tables that Rowferry made the foreign keys whose parents
// exist by now, and checks every table. It works on a connection of its own.
func (s *Sink) Prepare(ctx context.Context, shapes []rowferry.Mutation) error {
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
	if err := p.run(shapes); err != nil {
		s.shapes = known
		return err
	}
	return nil
}

func (p *preparation) run(shapes []rowferry.Mutation) error {
	s := p.sink
	for i := range shapes {
		if shapes[i].Op != rowferry.Shape {
			return rowferry.Errorf(rowferry.CodeInternal, "tables are not made for the operation %s", shapes[i].Op)
		}
		if err := p.table(&shapes[i]); err != nil {
			return sqlsink.Blame(s.translate(err), &shapes[i])
		}
	}
	for _, name := range slices.SortedFunc(maps.Keys(s.shapes), schema.Name.Compare) {
		if m, err := p.keys(s.shapes[name]); err != nil {
			return sqlsink.Blame(s.translate(err), m)
		}
	}
	chains, err := s.readChains(p.ctx, p.session)
	if err != nil {
		return s.translate(err)
	}
	for i := range shapes {
		err := p.check(&shapes[i])
		if err == nil {
			err = chains.check(s.server.foldName(s.place(shapes[i].Table.Name)))
		}
		if err != nil {
			return sqlsink.Blame(s.translate(err), &shapes[i])
		}
	}
	return nil
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
}

// placed returns the shape with the types that it has in MySQL, under the names
// that its table and its parents have on the server.
func (s *Sink) placed(t *schema.Table) *schema.Table {
	p := schema.ForMySQL(t).WithName(s.place(t.Name))
	p.ForeignKeys = slices.Clone(t.ForeignKeys)
	for i := range p.ForeignKeys {
		p.ForeignKeys[i].Parent = s.place(p.ForeignKeys[i].Parent)
	}
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
	if !s.options.CreateTables {
		return rowferry.Errorf(rowferry.CodeTableDiffers, "a table does not exist in the target, and tables are not to be made").
			Fact("table", "%s", t.Name).Remedy("let Rowferry make it", "create_tables: true")
	}
	sql, notices, err := s.createTable(t)
	if err != nil {
		return err
	}
	if err := s.createDatabase(p.ctx, p.session, t.Name.Schema); err != nil {
		return err
	}
	s.trace(sql, nil)
	if err := p.session.exec(p.ctx, sql); err != nil && !alreadyThere(err) {
		return s.differs(err, t)
	}
	for _, n := range notices {
		s.notice(n)
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
	if name == "" || nameProblem(name) != "" {
		return rowferry.Errorf(rowferry.CodeNameRefused, "the target cannot have a database of this name").Fact("database", "%q", name)
	}
	names, err := se.strings(ctx, "SELECT SCHEMA_NAME FROM information_schema.SCHEMATA WHERE SCHEMA_NAME = ?", name)
	fold := func(n string) string { return s.server.foldName(schema.Name{Schema: n}).Schema }
	if err != nil || slices.ContainsFunc(names, func(n string) bool { return fold(n) == fold(name) }) {
		return s.translate(err)
	}
	sql := "CREATE DATABASE IF NOT EXISTS " + quote(name) + " DEFAULT CHARACTER SET utf8mb4"
	s.trace(sql, nil)
	return s.translate(se.exec(ctx, sql))
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
	if len(t.ForeignKeys) == 0 || about == nil {
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
		if err := p.key(t, f); err != nil {
			return about, err
		}
	}
	return about, nil
}

// key adds one foreign key, or says why the table is without it. One that acts
// is carried, waits for its parent, or is an error.
func (p *preparation) key(t *schema.Table, f schema.ForeignKey) error {
	s := p.sink
	if f.OnDelete == schema.SetDefault || f.OnUpdate == schema.SetDefault {
		return sqlsink.ActionError(t, f, "a foreign key sets a default, which InnoDB does not do")
	}
	parent, err := s.inspect(p.ctx, p.session, f.Parent)
	if err != nil {
		return err
	}
	switch {
	case parent == nil && (s.options.InScope == nil || s.options.InScope(f.Parent)):
		return nil // it waits
	case parent == nil:
		return s.without(t, f, fmt.Sprintf("%s is not part of the pipeline", f.Parent))
	case parent.kind != "BASE TABLE" || !s.references(parent.shape, f.Referenced):
		return s.without(t, f, fmt.Sprintf("%s has no primary or unique key over exactly its columns", f.Parent))
	}
	if finer := s.finerKey(t, f); finer != "" {
		if !f.Acts() {
			return s.without(t, f, finer)
		}
		s.notice(fmt.Sprintf("table %s: the foreign key %s is kept for its action, but %s: "+
			"a row whose value equals its parent's only by the source's collation will be refused", t.Name, sqlsink.DescribeKey(t, f), finer))
	}
	sql := addKey(t, f)
	s.trace(sql, nil)
	err = p.session.exec(p.ctx, sql)
	var refused *mysqlwire.ServerError
	if errors.As(err, &refused) {
		switch refused.Number {
		case 1005, 1215, 1452, 1822, 1825, 3780, 6125, 150:
			return s.without(t, f, "the target refuses it: "+refused.Message)
		case 1826, 1061, 1022, 121: // another engine was faster
			return nil
		}
		return s.differs(err, t)
	}
	return err
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
