package mysql

import (
	"cmp"
	"context"
	"errors"
	"maps"
	"slices"

	"github.com/rowferry/rowferry"
	"github.com/rowferry/rowferry/internal/mysqlwire"
	"github.com/rowferry/rowferry/internal/sqlsink"
	"github.com/rowferry/rowferry/schema"
)

// Complete gives the tables that Rowferry made the keys that they are without:
// first all but foreign keys, of a table in one statement, and then its foreign
// keys in another. The server looks at every row. It may take as long as it
// likes, so long as it says on another connection that it is at it.
func (s *Sink) Complete(ctx context.Context, shapes []rowferry.Mutation, c rowferry.Completion) error {
	news := s.loading.set(s.places(shapes), false)
	err := s.preparing(ctx, shapes, func(p *preparation) error {
		p.patient = true
		return p.complete(shapes, c)
	})
	if err != nil {
		s.loading.set(news, true)
	}
	return err
}

func (p *preparation) complete(shapes []rowferry.Mutation, c rowferry.Completion) error {
	s := p.sink
	err := p.each(shapes, func(m *rowferry.Mutation) error {
		t := s.placed(m.Table)
		s.shapes[t.Name], p.told[t.Name] = t, m
		return s.checkNames(m.Table)
	})
	if err != nil {
		return err
	}
	ordered := p.parentsFirst()
	if err := p.eachMade(ordered, func(t *schema.Table, x *existing) error { return p.addKeys(t, x, c.Each) }); err != nil {
		return err
	}
	if err := p.orphans(ordered, c); err != nil {
		return err
	}
	if err := p.eachMade(ordered, func(t *schema.Table, x *existing) error { return p.addForeign(t, x, c.Each) }); err != nil {
		return err
	}
	// Those that others had to do without meanwhile.
	for _, name := range slices.SortedFunc(maps.Keys(s.shapes), schema.Name.Compare) {
		if m, err := p.keys(s.shapes[name]); err != nil {
			return sqlsink.Blame(s.translate(err), m)
		}
	}
	return p.checkAll(shapes)
}

// eachMade calls fn with each of the tables that Rowferry made.
func (p *preparation) eachMade(tables []*schema.Table, fn func(*schema.Table, *existing) error) error {
	s := p.sink
	for _, t := range tables {
		x, err := s.inspect(p.ctx, p.session, t.Name)
		if err == nil && x != nil && x.made {
			err = fn(t, x)
		}
		if err != nil {
			return sqlsink.Blame(s.translate(err), p.told[t.Name])
		}
	}
	return nil
}

// parentsFirst returns the tables that were told, each behind those that it
// refers to, as far as that can be.
func (p *preparation) parentsFirst() []*schema.Table {
	var ordered []*schema.Table
	seen := map[schema.Name]bool{}
	var visit func(name schema.Name)
	visit = func(name schema.Name) {
		if seen[name] || p.told[name] == nil {
			return
		}
		seen[name] = true
		t := p.sink.shapes[name]
		for _, f := range t.ForeignKeys {
			visit(f.Parent)
		}
		ordered = append(ordered, t)
	}
	for _, name := range slices.SortedFunc(maps.Keys(p.told), schema.Name.Compare) {
		visit(name)
	}
	return ordered
}

// addKeys adds the keys, foreign keys aside, that the table lacks.
func (p *preparation) addKeys(t *schema.Table, x *existing, each func(string)) error {
	missing, clauses, strict := missingKeys(t, x.indexes)
	for _, k := range missing {
		each("table " + t.Name.String() + ": " + k.what)
	}
	if len(clauses) == 0 {
		return nil
	}
	err := p.alter(t, clauses...)
	if refusedIndex(err) != "" && slices.ContainsFunc(missing, func(k tableKey) bool { return k.plain }) {
		if err = nil; len(strict) > 0 {
			err = p.alter(t, strict...)
		}
		if err == nil {
			err = p.indexes(t, missing)
		}
	}
	var refused *mysqlwire.ServerError
	if errors.As(err, &refused) && (refused.Number == 1062 || refused.Number == 1586) {
		return rowferry.Errorf(rowferry.CodeRowRefused, "rows of the target have the same values in a unique key: %w", err).
			Fact("table", "%s", t.Name).Fact("key", "%s", keyOf(refused.Message))
	}
	return p.altered(err, t)
}

// addForeign adds the foreign keys that the table lacks and that it can have.
// Each statement may read the whole table: so they are added together, and one by
// one only where the server takes one of them not.
func (p *preparation) addForeign(t *schema.Table, x *existing, each func(string)) error {
	missing, err := p.lackingForeign(t, x)
	if err != nil || len(missing) == 0 {
		return err
	}
	var clauses []string
	for _, f := range missing {
		clauses = append(clauses, addKey(t, f))
		each("table " + t.Name.String() + ": foreign key " + sqlsink.DescribeKey(t, f))
	}
	err = p.alter(t, clauses...)
	if len(missing) == 1 || refusedKey(err) == "" {
		return p.foreign(err, t, missing[0])
	}
	for i, f := range missing {
		if err := p.foreign(p.alter(t, clauses[i]), t, f); err != nil {
			return err
		}
	}
	return nil
}

// foreign returns what an error of adding a foreign key means.
func (p *preparation) foreign(err error, t *schema.Table, f schema.ForeignKey) error {
	var refused *mysqlwire.ServerError
	if errors.As(err, &refused) && (refused.Number == 1452 || refused.Number == 1216) {
		return rowferry.Errorf(rowferry.CodeRowRefused, "rows of the target have no parent: %w", err).
			Fact("table", "%s", t.Name).Fact("key", "%s", cmp.Or(f.Name, "foreign key")+" "+sqlsink.DescribeKey(t, f))
	}
	if why := refusedKey(err); why != "" {
		return p.sink.without(t, f, "the target refuses it: "+why)
	}
	return p.altered(err, t)
}

// lackingForeign returns the foreign keys that the table lacks and that it can have.
func (p *preparation) lackingForeign(t *schema.Table, x *existing) (missing []schema.ForeignKey, err error) {
	for _, f := range t.ForeignKeys {
		if p.sink.hasKey(t, f, x) {
			continue
		}
		addable, err := p.addable(t, f)
		if err != nil {
			return nil, err
		}
		if addable {
			missing = append(missing, f)
		}
	}
	return missing, nil
}
