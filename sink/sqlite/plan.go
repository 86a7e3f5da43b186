package sqlite

import (
	"context"
	"slices"

	"github.com/rowferry/rowferry"
	dialect "github.com/rowferry/rowferry/internal/dialect/sqlite"
	"github.com/rowferry/rowferry/internal/sqlsink"
	"github.com/rowferry/rowferry/schema"
)

var _ rowferry.Planner = (*Sink)(nil)

// Plan says what PrepareLoad and Complete would do. It only asks.
func (s *Sink) Plan(ctx context.Context, shapes []rowferry.Mutation) ([]rowferry.TablePlan, error) {
	if err := s.idle(ctx); err != nil {
		return nil, err
	}
	s.forget()
	was, notice := s.loading.copied(), s.options.Notice
	s.loading.set(shapes, false)
	defer func() {
		s.loading.restore(was)
		s.forget()
		s.options.Notice = notice
	}()
	hear := func(notice func(string)) { s.options.Notice = notice }
	return sqlsink.PlanEach(shapes, hear, func(m *rowferry.Mutation, p *rowferry.TablePlan) error {
		return s.plan(m.Table, shapes, p)
	})
}

func (s *Sink) plan(t *schema.Table, all []rowferry.Mutation, p *rowferry.TablePlan) error {
	x, err := s.inspect(t)
	if err != nil {
		return err
	}
	if p.Exists = x != nil; p.Exists {
		if _, err = s.adopt(t, x); err == nil {
			err = s.checkLoadable(t, x)
		}
		if err != nil || !dialect.Made(t, x) {
			return err
		}
		return s.planKeys(t, x.Shape.ForeignKeys, p)
	}
	if err := s.mayCreate(t); err != nil {
		return err
	}
	var carried []schema.ForeignKey
	if p.Make, carried, p.Notices, err = dialect.PlanBare(t, s.parentAmong(all)); err != nil {
		return s.translate(err)
	}
	p.Declared = map[string]string{}
	for _, c := range t.Columns {
		p.Declared[c.Name], _ = schema.SQLiteType(c.Type) // or there were no statements
	}
	return s.planKeys(t, carried, p)
}

// planKeys adds the indexes that a table gets behind its last row.
func (s *Sink) planKeys(t *schema.Table, carried []schema.ForeignKey, p *rowferry.TablePlan) error {
	there, err := s.indexNames(t)
	if err != nil {
		return err
	}
	for _, k := range dialect.Keys(t, carried) {
		if !there[k.Name] && !slices.Contains(p.Make, k.SQL) {
			p.Complete = append(p.Complete, k.SQL)
		}
	}
	return nil
}
