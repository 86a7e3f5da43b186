package mysql

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/rowferry/rowferry"
	"github.com/rowferry/rowferry/internal/sqlsink"
	"github.com/rowferry/rowferry/schema"
)

var _ rowferry.Renewer = (*Sink)(nil)

// renewRows is how many rows are deleted in one transaction.
const renewRows = 20_000

// CheckRenew refuses what Renew would refuse. See rowferry.Renewer.
func (s *Sink) CheckRenew(ctx context.Context, shapes, all []rowferry.Mutation) error {
	return s.preparing(ctx, shapes, func(p *preparation) error {
		_, err := p.renewals(shapes, all)
		return err
	})
}

// renewal is a table that is to be emptied.
type renewal struct {
	table *schema.Table // placed
	own   []string      // names of its foreign keys
	from  []*reference  // foreign keys of tables that stay
}

// Renew drops the foreign keys and then deletes the rows, so many in a transaction.
// TRUNCATE cannot be part of one, and so could come after another engine has
// taken the pipeline and loaded the table. See rowferry.Renewer.
func (s *Sink) Renew(ctx context.Context, cp rowferry.Checkpoint, shapes, all []rowferry.Mutation) error {
	var todo []*renewal
	err := s.preparing(ctx, shapes, func(p *preparation) (err error) {
		if todo, err = p.renewals(shapes, all); err != nil {
			return err
		}
		return s.holding(ctx, cp, func() error { return p.dropKeys(todo) })
	})
	if err != nil {
		return err
	}
	for _, r := range todo {
		for more := true; more; {
			err := s.holding(ctx, cp, func() error {
				n, err := s.change(ctx, fmt.Sprintf("DELETE FROM %s LIMIT %d", quoteName(r.table.Name), renewRows))
				more = n > 0
				return err
			})
			if err != nil {
				return err
			}
		}
	}
	return nil
}

// holding runs fn in a transaction that keeps the pipeline's checkpoint row.
func (s *Sink) holding(ctx context.Context, cp rowferry.Checkpoint, fn func() error) error {
	if err := s.start(ctx); err != nil {
		return err
	}
	err := s.hold(ctx, cp)
	if err == nil {
		err = fn()
	}
	if err == nil {
		err = s.translate(s.session.exec(ctx, "COMMIT"))
	}
	if err != nil {
		s.abandon()
	}
	return err
}

// renewals looks at the tables that exist, and refuses those that may not be
// emptied.
func (p *preparation) renewals(shapes, all []rowferry.Mutation) (todo []*renewal, err error) {
	s := p.sink
	fold := func(n schema.Name) schema.Name { return s.server.foldName(s.place(n)) }
	renewed := map[schema.Name]bool{}
	for i := range shapes {
		renewed[fold(shapes[i].Table.Name)] = true
	}
	err = p.each(shapes, func(m *rowferry.Mutation) error {
		if err := s.checkNames(m.Table); err != nil {
			return err
		}
		t := s.placed(m.Table)
		x, err := s.inspect(p.ctx, p.session, t.Name)
		if err != nil || x == nil {
			return err
		}
		if !x.made {
			occupied, err := p.session.strings(p.ctx, "SELECT 1 FROM "+quoteName(x.shape.Name)+" LIMIT 1")
			if err == nil && len(occupied) > 0 {
				err = sqlsink.NotMade(m.Table)
			}
			return err
		}
		over, err := p.surplusOf(t, x)
		if err != nil {
			return err
		}
		r := &renewal{table: t.WithName(x.shape.Name), own: over.foreign}
		incoming, err := p.incoming(x)
		if err != nil {
			return err
		}
		for _, k := range incoming {
			if renewed[s.server.foldName(k.child)] {
				continue
			}
			if err := p.remakes(m.Table, k, all); err != nil {
				return err
			}
			r.from = append(r.from, k)
		}
		todo = append(todo, r)
		return nil
	})
	return todo, err
}

// remakes refuses a foreign key to t that Complete would not make again.
func (p *preparation) remakes(t *schema.Table, k *reference, all []rowferry.Mutation) error {
	s := p.sink
	for i := range all {
		child := s.placed(all[i].Table)
		if s.server.foldName(child.Name) != s.server.foldName(k.child) {
			continue
		}
		x, err := s.inspect(p.ctx, p.session, child.Name)
		if err != nil {
			return err
		}
		if x == nil || !x.made {
			break
		}
		at := slices.IndexFunc(x.shape.ForeignKeys, func(g schema.ForeignKey) bool { return g.Name == k.name })
		if at >= 0 && slices.ContainsFunc(child.ForeignKeys, func(f schema.ForeignKey) bool {
			return s.server.folding().SamePath(child, f, x.shape, x.shape.ForeignKeys[at])
		}) {
			return nil
		}
	}
	return sqlsink.HeldBy(t, k.child, strings.Join(k.columns, ", "))
}

// dropKeys drops the foreign keys to and of the tables.
func (p *preparation) dropKeys(todo []*renewal) error {
	for _, r := range todo {
		for _, k := range r.from {
			child := &schema.Table{Name: k.child}
			if err := p.altered(p.alter(child, "DROP FOREIGN KEY "+quote(k.name)), child); err != nil {
				return p.sink.translate(err)
			}
		}
		if err := p.drop(r.table, "DROP FOREIGN KEY ", r.own); err != nil {
			return p.sink.translate(err)
		}
	}
	return nil
}
