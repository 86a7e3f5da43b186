package mysql

import (
	"context"
	"maps"
	"slices"
	"strings"

	"github.com/rowferry/rowferry"
	"github.com/rowferry/rowferry/internal/sqlsink"
	"github.com/rowferry/rowferry/schema"
)

var _ rowferry.Planner = (*Sink)(nil)

// Plan says what PrepareLoad and Complete would do. It only asks, on a connection of
// its own.
func (s *Sink) Plan(ctx context.Context, shapes []rowferry.Mutation) (plans []rowferry.TablePlan, err error) {
	if err := s.connect(ctx); err != nil {
		return nil, err
	}
	se, err := s.dialer.session(ctx)
	if err != nil {
		return nil, s.translate(err)
	}
	defer se.close()
	news, known, notice := s.loading.set(s.places(shapes), true), maps.Clone(s.shapes), s.options.Notice
	s.forget()
	defer func() {
		s.loading.set(news, false)
		s.shapes, s.options.Notice = known, notice
		s.forget()
	}()
	p := &planning{preparation: &preparation{sink: s, ctx: ctx, session: se, told: map[schema.Name]*rowferry.Mutation{}},
		all: map[schema.Name]*schema.Table{}, databases: map[string]bool{}}
	for i := range shapes {
		t := s.placed(shapes[i].Table)
		p.all[s.server.foldName(t.Name)], s.shapes[t.Name] = t, t
	}
	hear := func(notice func(string)) {
		clear(s.noticed)
		s.options.Notice = notice
	}
	return sqlsink.PlanEach(shapes, hear, func(m *rowferry.Mutation, plan *rowferry.TablePlan) error {
		return s.translate(p.table(m, plan))
	})
}

// planning is one Plan on its way.
type planning struct {
	*preparation
	all       map[schema.Name]*schema.Table // those that are planned, by place as the server compares it
	databases map[string]bool               // that statements before make
}

func (p *planning) table(m *rowferry.Mutation, plan *rowferry.TablePlan) error {
	s := p.sink
	if err := s.checkNames(m.Table); err != nil {
		return err
	}
	t := s.shapes[s.place(m.Table.Name)]
	x, err := s.inspect(p.ctx, p.session, t.Name)
	if err != nil {
		return err
	}
	if plan.Exists = x != nil; plan.Exists {
		if err := s.check(p.ctx, p.session, t, x); err != nil {
			return err
		}
		if _, err := p.surplus(t, x); err != nil || !x.made {
			return err
		}
	} else if err := p.make(t, plan); err != nil {
		return err
	}
	return p.keys(t, x, plan)
}

// make adds what makes a table.
func (p *planning) make(t *schema.Table, plan *rowferry.TablePlan) error {
	s := p.sink
	if err := s.mayCreate(t); err != nil {
		return err
	}
	sql, notices, err := s.createTable(t, true)
	if err != nil {
		return err
	}
	database, err := s.missingDatabase(p.ctx, p.session, t.Name.Schema)
	if err != nil {
		return err
	}
	if database != "" && !p.databases[database] {
		p.databases[database], plan.Make = true, append(plan.Make, database)
	}
	plan.Make, plan.Notices, plan.Declared = append(plan.Make, sql), append(plan.Notices, notices...), map[string]string{}
	for _, c := range t.Columns {
		plan.Declared[c.Name], _, _ = schema.MySQLType(c.Type, s.server.MySQLServer) // or there was no statement
	}
	return nil
}

// keys adds the keys and indexes that a table gets behind its last row. x is nil
// where it is made.
func (p *planning) keys(t *schema.Table, x *existing, plan *rowferry.TablePlan) error {
	alter := func(clauses []string) {
		if len(clauses) > 0 {
			plan.Complete = append(plan.Complete, alterTable(t, clauses...))
		}
	}
	var there []string
	if x != nil {
		there = x.indexes
	} else {
		for _, k := range tableKeys(t, true) {
			there = append(there, k.name)
		}
	}
	_, clauses, _ := missingKeys(t, there)
	alter(clauses)
	var foreign []string
	for _, f := range t.ForeignKeys {
		if x != nil && p.sink.hasKey(t, f, x) {
			continue
		}
		parent, err := p.sink.inspect(p.ctx, p.session, f.Parent)
		if err != nil {
			return err
		}
		if shape := p.all[p.sink.server.foldName(f.Parent)]; shape != nil && (parent == nil || parent.made) {
			parent = &existing{kind: "BASE TABLE", shape: shape}
		}
		ok, err := p.bears(t, f, parent)
		if err != nil {
			return err
		}
		if ok {
			foreign = append(foreign, addKey(t, f))
		}
	}
	alter(foreign)
	return nil
}

// missingKeys returns the keys, foreign ones aside, that a table with indexes of
// these names lacks; the clauses that add them and drop what served instead; and
// those of them that add no plain index.
func missingKeys(t *schema.Table, there []string) (missing []tableKey, clauses, strict []string) {
	has := func(name string) bool {
		return slices.ContainsFunc(there, func(other string) bool { return strings.EqualFold(name, other) })
	}
	full := tableKeys(t, false)
	for _, k := range full {
		if has(k.name) {
			continue
		}
		missing, clauses = append(missing, k), append(clauses, "ADD "+k.clause)
		if !k.plain {
			strict = append(strict, "ADD "+k.clause)
		}
	}
	for _, k := range tableKeys(t, true) { // what a counting column has by now
		if has(k.name) && !slices.ContainsFunc(full, func(f tableKey) bool { return f.name == k.name }) {
			clauses = append(clauses, "DROP KEY "+quote(k.name))
		}
	}
	return missing, clauses, strict
}
