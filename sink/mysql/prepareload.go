package mysql

import (
	"context"
	"slices"
	"strings"

	"github.com/rowferry/rowferry"
	"github.com/rowferry/rowferry/internal/sqlsink"
	"github.com/rowferry/rowferry/schema"
)

// PrepareLoad makes the tables that are missing with the key by which rows are
// found, and with one that a counting column needs. Tables that Rowferry made and
// that are empty lose their other keys. Those that have rows as well are what a
// Complete left that was cut off, and stay as they are.
func (s *Sink) PrepareLoad(ctx context.Context, shapes []rowferry.Mutation) error {
	news := s.loading.set(s.places(shapes), true)
	err := s.preparing(ctx, shapes, func(p *preparation) error { return p.bare(shapes) })
	if err != nil {
		s.loading.set(news, false)
	}
	return err
}

// places returns where the shapes' tables are, as the server compares names.
func (s *Sink) places(shapes []rowferry.Mutation) []schema.Name {
	all := make([]schema.Name, len(shapes))
	for i := range shapes {
		all[i] = s.server.foldName(s.place(shapes[i].Table.Name))
	}
	return all
}

func (p *preparation) bare(shapes []rowferry.Mutation) error {
	if err := p.sink.createDatabase(p.ctx, p.session, p.sink.home()); err != nil {
		return err
	}
	if err := p.session.exec(p.ctx, p.sink.createChunks()); err != nil {
		return p.sink.translate(err)
	}
	if err := p.each(shapes, p.table); err != nil {
		return err
	}
	if err := p.each(shapes, p.check); err != nil {
		return err
	}
	// A key that others refer to goes after theirs.
	for _, drop := range []func(*schema.Table, *existing, surplus) error{p.dropForeign, p.dropUnique} {
		err := p.each(shapes, func(m *rowferry.Mutation) error {
			t := p.sink.shapes[p.sink.place(m.Table.Name)]
			x, err := p.sink.inspect(p.ctx, p.session, t.Name)
			if err != nil || x == nil {
				return err
			}
			over, err := p.surplus(t, x)
			if err != nil || over.none() {
				return err
			}
			occupied, err := p.session.strings(p.ctx, "SELECT 1 FROM "+quoteName(x.shape.Name)+" LIMIT 1")
			if err != nil || len(occupied) > 0 {
				return err
			}
			return drop(t, x, over)
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// surplus is what a table has that would keep rows from coming in any order.
type surplus struct {
	unique  []string // names
	foreign []string // names
}

func (u surplus) none() bool { return len(u.unique)+len(u.foreign) == 0 }

// surplus returns the keys of a table that Rowferry gave it beyond what loading
// needs, and refuses a table that has others, or is without what it needs.
func (p *preparation) surplus(t *schema.Table, x *existing) (over surplus, err error) {
	s := p.sink
	refuse := func(what, key string) error {
		return rowferry.Errorf(rowferry.CodeCopyRefused, "%s", what).Fact("table", "%s", t.Name).Fact("key", "%s", key).
			Remedy("for the time of the copy", "drop the key")
	}
	if id := t.ColumnNames(t.Identity()); len(id) > 0 && !s.references(x.shape, id) {
		return over, refuse("the target's table has no unique key over what rows are found by", strings.Join(id, ", "))
	}
	full := tableKeys(t, false)
	for _, name := range s.otherKeys(t, x) {
		if !x.made || !slices.ContainsFunc(full, func(k tableKey) bool { return strings.EqualFold(k.name, name) }) {
			return over, refuse("the target's table has a unique key that rows could break while they come in any order", name)
		}
		over.unique = append(over.unique, name)
	}
	for _, g := range x.shape.ForeignKeys {
		if !x.made || !slices.ContainsFunc(t.ForeignKeys, func(f schema.ForeignKey) bool { return s.server.folding().SamePath(t, f, x.shape, g) }) {
			return over, refuse("the target's table has a foreign key that rows could break while they come in any order", sqlsink.DescribeKey(x.shape, g))
		}
		over.foreign = append(over.foreign, g.Name)
	}
	incoming, err := readReferences(p.ctx, p.session, "k.REFERENCED_TABLE_SCHEMA = ? AND k.REFERENCED_TABLE_NAME = ?", x.shape.Name)
	for _, r := range incoming {
		if s.server.foldName(r.parent) == s.server.foldName(x.shape.Name) && !s.loads(r.child) {
			return over, refuse("a table that is not copied refers to the target's table", r.child.String()+" "+r.name)
		}
	}
	return over, err
}

// otherKeys returns the names of the unique keys of an existing table that are
// not the one by which rows of the shape are found. A primary key that the target
// fills by itself stands in nobody's way.
func (s *Sink) otherKeys(t *schema.Table, x *existing) []string {
	fold, identity := s.server.folding(), t.ColumnNames(t.Identity())
	if len(identity) == 0 {
		identity = t.ColumnNames(t.PrimaryKey)
	}
	var names []string
	for _, name := range x.unique {
		columns := x.shape.PrimaryKey
		if name != "PRIMARY" {
			at := slices.IndexFunc(x.shape.Uniques, func(u schema.Index) bool { return u.Name == name && u.Whole() })
			if at < 0 {
				names = append(names, name)
				continue
			}
			columns = x.shape.Uniques[at].Columns
		}
		fills := name == "PRIMARY" && len(columns) == 1 && x.shape.Columns[columns[0]].AutoIncrement &&
			fold.Ordinal(t, x.shape.Columns[columns[0]].Name) < 0
		if !fills && !fold.Same(x.shape.ColumnNames(columns), identity) {
			names = append(names, name)
		}
	}
	return names
}

func (p *preparation) dropForeign(t *schema.Table, x *existing, over surplus) error {
	return p.drop(t, "DROP FOREIGN KEY ", over.foreign)
}

// dropUnique leaves a counting column the key that it needs.
func (p *preparation) dropUnique(t *schema.Table, x *existing, over surplus) error {
	var missing []string
	for _, k := range tableKeys(t, true) {
		if !slices.ContainsFunc(x.indexes, func(name string) bool { return strings.EqualFold(name, k.name) }) {
			missing = append(missing, "ADD "+k.clause)
		}
	}
	return p.drop(t, "DROP KEY ", over.unique, missing...)
}

func (p *preparation) drop(t *schema.Table, how string, names []string, also ...string) error {
	if len(names) == 0 {
		return nil
	}
	clauses := slices.Clone(also)
	for _, n := range names {
		clauses = append(clauses, how+quote(n))
	}
	return p.altered(p.alter(t, clauses...), t)
}
