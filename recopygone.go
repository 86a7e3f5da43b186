package rowferry

import (
	"context"
	"fmt"

	"github.com/rowferry/rowferry/internal/failpoint"
	"github.com/rowferry/rowferry/schema"
)

// removeGone removes the rows that the source no longer has, children first. What is
// still referred to stays, unless it is the last time.
func (e *Engine) removeGone(ctx context.Context, r *renewal, last bool) error {
	if failpoint.On("keep-gone") {
		return nil
	}
	if !last {
		if err := e.loosenGone(ctx, r); err != nil {
			return err
		}
	}
	for _, t := range r.leaving {
		m := r.targets[t]
		list := r.gone(e, m)
		remove := func(keys []Row) error { return e.removeSome(ctx, m, list, keys) }
		err := e.eachOf(ctx, list, func(keys []Row) error {
			err := remove(keys)
			if !isReferred(err) {
				return err
			}
			for i := range keys {
				if err := remove(keys[i : i+1]); err != nil && (last || !isReferred(err)) {
					return referred(e.opts.Pipeline, m.Table.Name, err)
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
		if err := failpoint.Hit("recopy.removed"); err != nil {
			return err
		}
	}
	return nil
}

// loosenGone sets the columns NULL by which tables lead to each other, or to themselves, in
// all rows that go: in any order no other of them is in the way then.
func (e *Engine) loosenGone(ctx context.Context, r *renewal) error {
	if failpoint.On("keep-tied") {
		return nil
	}
	for _, t := range r.leaving {
		m := r.targets[t]
		columns := r.loose[m.Table.Name]
		if len(columns) == 0 {
			continue
		}
		err := e.eachOf(ctx, r.gone(e, m), func(keys []Row) error {
			return e.insistOn(ctx, func() error {
				_, ms, err := e.deletes(m, keys)
				if err != nil {
					return err
				}
				return e.single(ctx, nil, func(tx RemoveTx) error { return tx.Merge(ctx, loosening(ms, columns)) })
			})
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// gone is the list of the rows of a table that go.
func (r *renewal) gone(e *Engine, m *Mutation) *schema.Table {
	return listOf(e.shapes[m.Source], goneRows, len(m.Table.Identity()))
}

func isReferred(err error) bool {
	code := CodeOf(err)
	return code == CodeRowRefused || code == CodeCascades
}

// removeSome removes some rows in a batch of their own. It takes off their list those of
// the batch before: where the last batch is undone, as in a target that is put back, that
// looks as if it had never committed.
func (e *Engine) removeSome(ctx context.Context, m *Mutation, list *schema.Table, keys []Row) error {
	err := e.insistOn(ctx, func() error {
		notes, ms, err := e.deletes(m, keys)
		if err != nil {
			return err
		}
		return e.single(ctx, notes, func(tx RemoveTx) error { return tx.Remove(ctx, ms) })
	})
	if err != nil {
		return err
	}
	before := e.recopy.removed
	e.recopy.removed = removed{list: list, keys: make([]StagedRow, len(keys))}
	for i, key := range keys {
		e.recopy.removed.keys[i].Key = key
	}
	if failpoint.On("forget-removed") {
		before = e.recopy.removed
	}
	if before.list == nil {
		return nil
	}
	return e.recopy.stage().Put(before.list, before.keys)
}

// removed are rows that a batch has removed and that are on their list still.
type removed struct {
	list *schema.Table
	keys []StagedRow
}

// deletes returns the deletes of rows by their keys: the source's where they are noted,
// else the target's.
func (e *Engine) deletes(of *Mutation, keys []Row) (notes *delta, ms []Mutation, err error) {
	noted := e.notesRows(of.Source)
	if noted {
		notes = &delta{state: e.parts.State, base: e.at.Held.Notes}
		notes.clear()
		e.parts.Resolver.Begin(false)
	}
	for i, key := range keys {
		m := Mutation{Op: Delete, Table: of.Table, Source: of.Source, Before: make(Row, len(of.Table.Columns)), Merges: true}
		for k, o := range of.Table.Identity() {
			m.Before[o] = key[k]
			if v := key[k]; v.Kind() == Int && of.Table.Columns[o].Type.Unsigned { // as rows of the column carry it
				m.Before[o] = UintValue(uint64(v.Int()))
			}
		}
		if !noted {
			ms = append(ms, m)
			continue
		}
		m.Origin, m.Index = &Origin{Tx: fmt.Sprintf("removal from %s", of.Source)}, i
		notes.change(m.Origin.Tx, i)
		if ms, err = e.parts.Resolver.Resolve(ms, &m, notes); err != nil {
			return nil, nil, err
		}
	}
	return notes, ms, nil
}

// loosening returns the updates that set columns NULL in rows which are to go.
func loosening(deletes []Mutation, columns []int) (ms []Mutation) {
	for _, m := range deletes {
		m.Op, m.After = Update, make(Row, len(m.Before))
		for _, o := range columns {
			m.After[o] = NullValue()
		}
		ms = append(ms, m)
	}
	return ms
}
