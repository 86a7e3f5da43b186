package postgres

import (
	"context"

	"github.com/rowferry/rowferry"
	dialect "github.com/rowferry/rowferry/internal/dialect/postgres"
	"github.com/rowferry/rowferry/internal/sqlsink"
	"github.com/rowferry/rowferry/schema"
)

var _ rowferry.Planner = (*Sink)(nil)

// Plan says what PrepareLoad, Key and Complete would do. It only asks.
func (s *Sink) Plan(ctx context.Context, shapes []rowferry.Mutation) ([]rowferry.TablePlan, error) {
	if err := s.idle(ctx); err != nil {
		return nil, err
	}
	undo, notice := s.loading.begin(shapes), s.options.Notice
	defer func() {
		undo()
		s.forget()
		s.options.Notice = notice
	}()
	all := map[schema.Name]*schema.Table{}
	for i := range shapes {
		all[normal(shapes[i].Table.Name)] = shapes[i].Table
	}
	made := map[string]bool{} // types and schemas that statements before make
	hear := func(notice func(string)) { s.options.Notice = notice }
	return sqlsink.PlanEach(shapes, hear, func(m *rowferry.Mutation, p *rowferry.TablePlan) error {
		x, err := s.inspect(ctx, m.Table)
		if err != nil {
			return err
		}
		if p.Exists = x != nil; p.Exists {
			if _, err = s.adopt(ctx, m.Table, x); err == nil {
				err = s.checkLoadable(ctx, m.Table, x)
			}
		} else {
			err = s.planMake(ctx, m.Table, p, made)
		}
		if err == nil && (x == nil || x.Made) {
			err = s.planKeys(ctx, m.Table, x, all, p)
		}
		return err
	})
}

// planMake adds what makes a table.
func (s *Sink) planMake(ctx context.Context, t *schema.Table, p *rowferry.TablePlan, made map[string]bool) error {
	if err := s.mayCreate(t); err != nil {
		return err
	}
	if err := checkLimits(t); err != nil {
		return err
	}
	statements, notices, err := dialect.CreateBare(t)
	if err != nil {
		return s.translate(ctx, err)
	}
	plan := func(sql string) {
		if !made[sql] {
			made[sql], p.Make = true, append(p.Make, sql)
		}
	}
	plan(dialect.CreateSchema(dialect.Namespace(t.Name)))
	err = s.eachType(ctx, t, nil, func(u schema.UserType) error {
		create := dialect.CreateType(u)
		if create == "" {
			return unfit(t, u, "does not exist in the target, and cannot be made from what the source tells")
		}
		plan(dialect.CreateSchema(dialect.TypeSchema(u.Name)))
		plan(create)
		return nil
	})
	p.Make, p.Notices, p.Declared = append(p.Make, statements...), append(p.Notices, notices...), map[string]string{}
	for _, c := range t.Columns {
		p.Declared[c.Name], _ = schema.PostgresType(c.Type) // or there were no statements
	}
	return err
}

// planKeys adds the keys and indexes that a table gets behind its last row.
func (s *Sink) planKeys(ctx context.Context, t *schema.Table, x *dialect.Existing, all map[schema.Name]*schema.Table, p *rowferry.TablePlan) error {
	var there map[string]bool
	if x != nil {
		var err error
		if there, err = s.indexNames(ctx, x); err != nil {
			return err
		}
	}
	for _, k := range dialect.Keys(t) {
		if there[k.Name] || k.Spare != nil && there[k.Spare.Name] {
			continue
		}
		k, err := s.free(ctx, t, k)
		if err != nil {
			return err
		}
		p.Complete = append(p.Complete, k.SQL)
	}
	for _, f := range t.ForeignKeys {
		if x != nil && has(t, f, x) {
			continue
		}
		parent, err := s.look(ctx, f.Parent)
		if err != nil {
			return err
		}
		if shape := all[normal(f.Parent)]; shape != nil && (parent == nil || parent.Made) {
			parent = &dialect.Existing{Kind: "table", Shape: shape}
		}
		if parent == nil && s.inScope(f.Parent) {
			continue
		}
		ok, err := s.bears(ctx, t, f, parent)
		if err != nil {
			return err
		}
		if ok {
			p.Complete = append(p.Complete, dialect.AddForeignKey(t, f, true))
		}
	}
	return nil
}
