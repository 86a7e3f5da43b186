package rowferry

import (
	"context"
	"errors"
	"slices"

	"github.com/rowferry/rowferry/internal/failpoint"
	"github.com/rowferry/rowferry/schema"
)

// renewal is how rows come into the target again.
type renewal struct {
	tables  []*schema.Table           // the source's, parents first
	leaving []schema.Name             // the source's, children first by the target's foreign keys
	targets map[schema.Name]*Mutation // by source table
	// loose are columns of foreign keys by which tables lead to each other, by target
	// table: rows come without them first, and go without them.
	loose map[schema.Name][]int
}

// renewal finds an order of the tables in which no foreign key is broken.
func (e *Engine) renewal(ctx context.Context) (*renewal, error) {
	c := e.recopy
	r := &renewal{targets: map[schema.Name]*Mutation{}}
	var owned []Owned
	var shadows []*schema.Table
	sources := map[schema.Name]schema.Name{}
	for i := range c.staging().targets {
		m := &c.staging().targets[i]
		r.targets[m.Source], sources[m.Table.Name] = m, m.Source
		owned = append(owned, Owned{Source: m.Source, Table: m.Table})
	}
	there, err := e.parts.Sink.(RecopySink).Tables(ctx)
	if err != nil {
		return nil, err
	}
	for _, o := range owned {
		shadow := &schema.Table{Name: o.Source}
		if i := slices.IndexFunc(there, func(t *schema.Table) bool { return t.Name == o.Table.Name }); i >= 0 {
			for _, f := range there[i].ForeignKeys {
				shadow.ForeignKeys = append(shadow.ForeignKeys, schema.ForeignKey{Parent: sources[f.Parent]})
			}
		}
		if e.parts.Resolver != nil {
			for _, p := range e.parts.Resolver.Parents(o.Source) {
				shadow.ForeignKeys = append(shadow.ForeignKeys, schema.ForeignKey{Parent: p.Source})
			}
		}
		shadows = append(shadows, shadow)
	}
	ordered, circles := schema.ParentsFirst(shadows)
	for _, t := range ordered {
		r.tables = append(r.tables, e.shapes[t.Name])
	}
	if owned, r.loose, err = childrenFirst(owned, there); err != nil {
		return nil, err
	}
	for _, o := range owned {
		r.leaving = append(r.leaving, o.Source)
	}
	return r, e.checkCircles(circles)
}

// checkCircles refuses tables that lead to each other where rows have keys of their own
// and do not wait for their parents.
func (e *Engine) checkCircles(circles [][]schema.Name) error {
	for _, circle := range circles {
		for _, n := range circle {
			if e.parts.Resolver == nil || !e.notesRows(n) {
				continue
			}
			waits := e.at.Held.Copy.Began()
			for _, p := range e.parts.Resolver.Parents(n) {
				waits = waits && (p.Awaited || !slices.Contains(circle, p.Source))
			}
			if !waits {
				return Errorf(CodeRecopyRefused, "rows of %s may come before those that they refer to, and cannot wait for them", n).
					Fact("circle", "%v", circle).
					Remedy("start over", "rowferry destroy, then run again into empty tables")
			}
		}
	}
	return nil
}

// renew makes the target's rows those of the stage, while the log waits. What is
// removed first may still be referred to by rows that are written only then, and is
// tried again behind them; what stays first may have values that others get.
func (e *Engine) renew(ctx context.Context) error {
	r, err := e.renewal(ctx)
	if err != nil {
		return err
	}
	if err := e.closeReader(); err != nil {
		return err
	}
	if e.at.Held.Copy.Carried == "" {
		for _, t := range r.tables {
			if err := e.insistOn(ctx, func() error { return e.compare(ctx, r, t) }); err != nil {
				return err
			}
		}
		if err := e.removeGone(ctx, r, false); err != nil {
			return err
		}
		for _, t := range r.tables {
			if err := e.bringLoose(ctx, r, t); err != nil {
				return err
			}
		}
	}
	from := &stageReader{stage: e.recopy.stage(), tables: r.tables, begin: e.at.Position}
	if err := from.seek(e.at.Held.Copy.Carried); err != nil {
		return err
	}
	chunks, err := e.recopy.stage().Chunks()
	if err != nil {
		return err
	}
	e.stats.carrying(r.tables, chunks, len(from.tables))
	if err := e.carryAgain(ctx, from); err != nil {
		return err
	}
	if err := failpoint.Hit("recopy.carried"); err != nil {
		return err
	}
	return e.removeGone(ctx, r, true)
}

// carryAgain is carryFrom, in which any number of rows may wait.
func (e *Engine) carryAgain(ctx context.Context, from *stageReader) error {
	r := e.parts.Resolver
	if r == nil {
		return e.carryFrom(ctx, from)
	}
	r.Carry(nil)
	return errors.Join(e.carryFrom(ctx, from), r.Carried())
}

// The stage has three lists for each table: which of its rows the target has, by the
// target's keys, which the target has not, and which rows of the target are the
// pipeline's and no more in the source.
const (
	thereRows = "there"
	lackRows  = "lacks"
	goneRows  = "gone"
)

// listRows is how many keys are put into a list, or looked up, at a time.
const listRows = 500

// listOf returns the table that such a list is kept as, with the columns of a key.
func listOf(t *schema.Table, list string, columns int) *schema.Table {
	return &schema.Table{Name: schema.Name{Schema: t.Name.Schema, Table: t.Name.Table + "\x00" + list}, Columns: make([]schema.Column, columns)}
}

// lister puts keys into a list, some at a time.
type lister struct {
	stage Stage
	list  *schema.Table
	rows  []StagedRow
}

func (l *lister) add(key []Value) error {
	l.rows = append(l.rows, StagedRow{key, Row(key)})
	if len(l.rows) < listRows {
		return nil
	}
	return l.flush()
}

func (l *lister) flush() error {
	err := l.stage.Put(l.list, l.rows)
	l.rows = nil
	return err
}

// compare lists how the target's rows of a table differ from the stage's in their keys.
func (e *Engine) compare(ctx context.Context, r *renewal, t *schema.Table) error {
	stage, target := e.recopy.stage(), r.targets[t.Name].Table
	key := len(target.Identity())
	there, lacks := &lister{stage: stage, list: listOf(t, thereRows, key)}, &lister{stage: stage, list: listOf(t, lackRows, len(t.Identity()))}
	gone := &lister{stage: stage, list: listOf(t, goneRows, key)}
	for _, l := range []*lister{there, lacks, gone} {
		if err := stage.Clear(l.list); err != nil {
			return err
		}
	}
	if e.notesRows(t.Name) {
		err := e.parts.Resolver.EachNoted(ctx, t.Name, e.parts.State, func(key []Value) error {
			comes, err := e.comes(t, key)
			if err != nil || comes {
				return err
			}
			return gone.add(key)
		})
		if err != nil {
			return err
		}
		return gone.flush()
	}
	if err := e.findThere(ctx, t, target, there, lacks); err != nil {
		return err
	}
	err := e.parts.Sink.(RecopySink).Keys(ctx, target, target.Identity(), func(key []Value) error {
		row, err := stage.Get(there.list, key)
		if err != nil || row != nil {
			return err
		}
		return gone.add(key)
	})
	if err != nil {
		return err
	}
	return gone.flush()
}

// comes reports whether the stage has the row with the noted key, and the rules let it
// into the target. Which way a number is carried the notes do not tell.
func (e *Engine) comes(t *schema.Table, key []Value) (bool, error) {
	row, err := e.recopy.stage().Get(t, key)
	if err != nil {
		return false, err
	}
	if row == nil {
		other := slices.Clone(key)
		for i, v := range other {
			switch {
			case v.Kind() == Int && v.Int() >= 0:
				other[i] = UintValue(uint64(v.Int()))
			case v.Kind() == Uint && int64(v.Uint()) >= 0:
				other[i] = IntValue(int64(v.Uint()))
			}
		}
		if row, err = e.recopy.stage().Get(t, other); row == nil || err != nil {
			return false, err
		}
	}
	ms, err := copied(e.parts.Handler, nil, t, row, 0)
	return len(ms) > 0, err
}

// findThere looks the stage's rows up in the target.
func (e *Engine) findThere(ctx context.Context, t, target *schema.Table, there, lacks *lister) error {
	var sources, keys [][]Value
	look := func() error {
		if len(keys) == 0 {
			return nil
		}
		found, err := e.parts.Sink.(RecopySink).Find(ctx, target, target.Identity(), keys, target.Identity())
		if err != nil {
			return err
		}
		has := make([]bool, len(keys))
		for _, f := range found {
			has[f.Value] = true
			if err := there.add(f.Key); err != nil {
				return err
			}
		}
		for i := range keys {
			if !has[i] {
				if err := lacks.add(sources[i]); err != nil {
					return err
				}
			}
		}
		sources, keys = nil, nil
		return nil
	}
	err := e.recopy.stage().Each(t, "", func(_ string, row Row) error {
		ms, err := copied(e.parts.Handler, nil, t, row, 0)
		if err != nil || len(ms) == 0 {
			return err
		}
		sources, keys = append(sources, keyOf(row, t.Identity())), append(keys, keyOf(ms[0].After, target.Identity()))
		if len(keys) < listRows {
			return nil
		}
		return look()
	})
	if err == nil {
		err = look()
	}
	if err != nil {
		return err
	}
	if err := there.flush(); err != nil {
		return err
	}
	return lacks.flush()
}

// bringLoose inserts rows that the target lacks, of a table that leads to itself, without
// what they refer to: their parents may come later.
func (e *Engine) bringLoose(ctx context.Context, r *renewal, t *schema.Table) error {
	m := r.targets[t.Name]
	columns := r.loose[m.Table.Name]
	if len(columns) == 0 || e.notesRows(t.Name) {
		return nil
	}
	return e.eachOf(ctx, listOf(t, lackRows, len(t.Identity())), func(keys []Row) error {
		var ms []Mutation
		for _, key := range keys {
			row, err := e.recopy.stage().Get(t, key)
			if err != nil {
				return err
			}
			from := len(ms)
			if ms, err = copied(e.parts.Handler, ms, t, row, 0); err != nil {
				return err
			}
			for i := from; i < len(ms); i++ {
				ms[i].After = slices.Clone(ms[i].After)
				for _, o := range columns {
					ms[i].After[o] = NullValue()
				}
			}
		}
		return e.insistOn(ctx, func() error {
			return e.single(ctx, nil, func(tx RemoveTx) error { return tx.Merge(ctx, ms) })
		})
	})
}

// eachOf calls fn with what a list has, some at a time.
func (e *Engine) eachOf(ctx context.Context, list *schema.Table, fn func(keys []Row) error) error {
	after := ""
	for {
		var some []Row
		err := e.recopy.stage().Each(list, after, func(place string, key Row) error {
			if len(some) == listRows {
				return errFull
			}
			some, after = append(some, key), place
			return nil
		})
		switch {
		case err != nil && !errors.Is(err, errFull):
			return err
		case len(some) == 0:
			return ctx.Err()
		}
		if err := fn(some); err != nil {
			return err
		}
	}
}
