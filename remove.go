package rowferry

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/rowferry/rowferry/internal/failpoint"
	"github.com/rowferry/rowferry/schema"
)

// RemoveTx is a MergeTx that tells of others who refer to a row before it goes.
type RemoveTx interface {
	MergeTx
	// Remove deletes rows as Merge does. It refuses with CodeCascades, before it
	// deletes any, where a foreign key of the target would delete or change a row
	// that refers to one of them; nobody can add such a row until the batch ends.
	Remove(ctx context.Context, deletes []Mutation) error
}

// Owner tells which rows of the target a pipeline brought.
type Owner interface {
	// Owned returns the tables of the pipeline, with how many rows are noted of each.
	// CodeNotOwned, by name, where it is not noted of every row of one.
	Owned(ctx context.Context) ([]Owned, error)
	// Rows calls fn with each row of a table. Notes may be removed meanwhile.
	Rows(ctx context.Context, o *Owned, fn func(OwnedRow) error) error
}

// Owned is a table of the target with rows that a pipeline brought.
type Owned struct {
	Source schema.Name
	Table  *schema.Table // as the pipeline writes it
	Rows   int64
}

// OwnedRow is one of its rows.
type OwnedRow struct {
	Note []byte // the key of the note
	Key  Row    // the row, of which only the key is told
}

// Removal takes the rows of a pipeline out of its target, in batches like those that
// brought them: each is there or gone together with what is noted of it.
type Removal struct {
	Pipeline      string
	Config, Rules string // as in Options
	Sink          Sink
	State         State
	// Owner is given what the state knows.
	Owner func(*Remembered) (Owner, error)
	// Each is called with how many rows of a table are gone.
	Each func(o *Owned, gone int64)
}

// removeRows is how many rows go in one batch.
const removeRows = 1000

// Remove removes the rows, and returns the checkpoint that is left. What was cut off
// is gone on with by the same call; no engine can run the pipeline any more.
func Remove(ctx context.Context, r Removal) (Checkpoint, error) {
	x := &removing{Removal: r, engine: &Engine{parts: Parts{Sink: r.Sink, State: r.State}, opts: Options{Pipeline: r.Pipeline, Config: r.Config, Rules: r.Rules}}}
	err := x.run(ctx)
	return x.engine.at, err
}

// removal refuses to go on with a pipeline whose rows are being removed.
func removal(at Checkpoint) error {
	if !at.Held.Removing {
		return nil
	}
	return Errorf(CodeRemoving, "the rows of pipeline %q are being taken out of the target", at.Pipeline)
}

type removing struct {
	Removal
	engine *Engine // which knows the checkpoint
	owner  Owner
}

func (x *removing) run(ctx context.Context) error {
	at, err := x.open(ctx)
	if err != nil {
		return err
	}
	owned, err := x.owner.Owned(ctx)
	if err != nil {
		return err
	}
	tables, err := x.Sink.(CheckpointKeeper).Tables(ctx)
	if err != nil {
		return err
	}
	ordered, loose, err := childrenFirst(owned, tables)
	if err != nil {
		return err
	}
	if err := x.engine.takeOver(ctx, at); err != nil {
		return err
	}
	// Both sides know from here on that rows may be missing.
	if err := x.batch(ctx, nil, func(RemoveTx) error { return nil }); err != nil {
		return err
	}
	for i := range ordered {
		if columns := loose[ordered[i].Table.Name]; len(columns) > 0 {
			if err := x.loosen(ctx, &ordered[i], columns); err != nil {
				return err
			}
		}
	}
	for i := range ordered {
		if err := x.remove(ctx, &ordered[i]); err != nil {
			return err
		}
	}
	return nil
}

// open makes sure that the state is what belongs to the target's checkpoint, which it
// returns.
func (x *removing) open(ctx context.Context) (Checkpoint, error) {
	if _, ok := x.Sink.(CheckpointKeeper); !ok {
		return Checkpoint{}, Errorf(CodeRowsUntold, "this target keeps no checkpoint and no rows that could be removed")
	}
	f, err := x.engine.find(ctx)
	if err != nil {
		return Checkpoint{}, err
	}
	if f.row == nil {
		return Checkpoint{}, Errorf(CodeRowsUntold, "the target has no checkpoint of pipeline %q", x.Pipeline)
	}
	kind, err := reconcile(f)
	if err != nil {
		return Checkpoint{}, err
	}
	at := *f.row
	switch {
	case kind == Rebuilt:
		return at, stateNeeded(f, f.whyMissing(), nil)
	case at.Held.Copy.Going():
		return at, Errorf(CodeRowsUntold, "the copy of pipeline %q has not ended", x.Pipeline)
	}
	if err := x.engine.sameRules(at, f.at.Rules); err != nil {
		return at, err
	}
	if err := x.State.DiscardAfter(at.Sequence); err != nil {
		return at, err
	}
	x.owner, err = x.Owner(f.at)
	return at, err
}

// childrenFirst returns the tables so that none comes before one that refers to it by
// a foreign key of the target, and the columns that have to be NULL for that, by
// table: those of tables that lead to each other, or to themselves.
func childrenFirst(owned []Owned, target []*schema.Table) (ordered []Owned, loose map[schema.Name][]int, err error) {
	byName, own := map[schema.Name]*schema.Table{}, map[schema.Name]*Owned{}
	for _, t := range target {
		byName[t.Name] = t
	}
	var tables []*schema.Table
	for i := range owned {
		o := &owned[i]
		own[o.Table.Name] = o
		t := byName[o.Table.Name]
		if t == nil {
			t = o.Table // the target says so when it is written to
		}
		tables = append(tables, t)
	}
	loose = map[schema.Name][]int{}
	_, circles := schema.ParentsFirst(tables)
	for i, t := range tables {
		at := slices.IndexFunc(circles, func(c []schema.Name) bool { return slices.Contains(c, t.Name) })
		if at >= 0 {
			tables[i] = loosened(t, own[t.Name].Table, circles[at], loose)
		}
	}
	sorted, left := schema.ParentsFirst(tables)
	if len(left) > 0 {
		err := Errorf(CodeRowCircle, "rows of these tables cannot be removed, since they refer to each other by columns that take no NULL")
		for _, c := range left {
			err.Fact("tables", "%v", c)
		}
		return nil, nil, err
	}
	slices.Reverse(sorted)
	for _, t := range sorted {
		ordered = append(ordered, *own[t.Name])
	}
	return ordered, loose, nil
}

// loosened returns the target's table without the foreign keys within the circle that
// can be NULL, of which it adds a column to loose.
func loosened(t, own *schema.Table, circle []schema.Name, loose map[schema.Name][]int) *schema.Table {
	c := *t
	c.ForeignKeys = slices.DeleteFunc(slices.Clone(t.ForeignKeys), func(f schema.ForeignKey) bool {
		if !slices.Contains(circle, f.Parent) {
			return false
		}
		for _, o := range f.Columns {
			if o < 0 || !t.Columns[o].Nullable {
				continue
			}
			at := own.Column(t.Columns[o].Name)
			if at >= 0 && own.Columns[at].Nullable && !slices.Contains(own.Identity(), at) {
				loose[own.Name] = append(loose[own.Name], at)
				return true
			}
		}
		return false
	})
	return &c
}

// loosen sets the columns NULL in the rows of a table, so that they can go in any
// order.
func (x *removing) loosen(ctx context.Context, o *Owned, columns []int) error {
	return x.each(ctx, o, func(rows []OwnedRow) error {
		ms := mutationsOf(o, Update, rows)
		for i := range ms {
			ms[i].After = make(Row, len(o.Table.Columns))
			for _, c := range columns {
				ms[i].After[c] = NullValue()
			}
		}
		return x.batch(ctx, nil, func(tx RemoveTx) error { return tx.Merge(ctx, ms) })
	})
}

// remove removes the rows of a table, and what is noted of them.
func (x *removing) remove(ctx context.Context, o *Owned) error {
	var gone int64
	err := x.each(ctx, o, func(rows []OwnedRow) error {
		ms := mutationsOf(o, Delete, rows)
		notes := make([]Note, len(rows))
		for i := range rows {
			notes[i].Key = rows[i].Note
		}
		if err := x.batch(ctx, notes, func(tx RemoveTx) error { return tx.Remove(ctx, ms) }); err != nil {
			return x.explain(ctx, ms, err)
		}
		gone += int64(len(rows))
		x.Each(o, gone)
		return nil
	})
	if err == nil && gone == 0 {
		x.Each(o, 0)
	}
	return err
}

func mutationsOf(o *Owned, op Op, rows []OwnedRow) []Mutation {
	ms := make([]Mutation, len(rows))
	for i := range rows {
		ms[i] = Mutation{Op: op, Table: o.Table, Source: o.Source, Before: rows[i].Key}
	}
	return ms
}

// each calls fn with the rows of a table, some at a time.
func (x *removing) each(ctx context.Context, o *Owned, fn func([]OwnedRow) error) error {
	var some []OwnedRow
	err := x.owner.Rows(ctx, o, func(r OwnedRow) error {
		if some = append(some, r); len(some) < removeRows {
			return nil
		}
		err := fn(some)
		some = nil
		return err
	})
	if err != nil || len(some) == 0 {
		return err
	}
	return fn(some)
}

// batch is one transaction of the target, with the notes that go with it.
func (x *removing) batch(ctx context.Context, notes []Note, write func(RemoveTx) error) error {
	held := x.engine.at.Held
	held.Removing = true
	held.Notes.Mapped -= int64(len(notes))
	return x.engine.commitSingle(ctx, held, notes, write)
}

// single is one transaction of the target by itself, with the notes that go with it,
// which may be nil.
func (e *Engine) single(ctx context.Context, d *delta, write func(RemoveTx) error) error {
	held := e.at.Held
	if d != nil {
		held.Notes = d.kept
	}
	if err := e.commitSingle(ctx, held, d.list(), write); err != nil || d == nil {
		return err
	}
	d.settle()
	e.newest = d
	return nil
}

// commitSingle commits what write writes, as the batch that comes next.
func (e *Engine) commitSingle(ctx context.Context, held Held, notes []Note, write func(RemoveTx) error) error {
	next := e.at
	next.Sequence++
	next.Updated = time.Now().UTC()
	next.Held, next.Held.Fence = held, next.Fence
	tx, err := e.beginRemove(ctx)
	if err != nil {
		return err
	}
	if err := write(tx); err != nil {
		return errors.Join(err, tx.Rollback())
	}
	a := &attempt{engine: e, record: Record{Checkpoint: next, Notes: notes, Rules: e.opts.Rules}}
	if err := e.parts.State.Record(a.record); err != nil {
		return errors.Join(err, tx.Rollback(), e.parts.State.DiscardAfter(e.at.Sequence))
	}
	if err := failpoint.Hit("recorded"); err != nil {
		return errors.Join(err, tx.Rollback(), e.parts.State.DiscardAfter(e.at.Sequence))
	}
	if a.sent = tx.Commit(ctx, next); a.sent != nil {
		a.sent = errors.Join(a.sent, tx.Rollback())
		if err := a.settle(ctx); err != nil {
			return err
		}
	}
	e.at = next
	return nil
}

func (e *Engine) beginRemove(ctx context.Context) (RemoveTx, error) {
	tx, err := e.parts.Sink.Begin(ctx)
	if err != nil {
		return nil, err
	}
	r, ok := tx.(RemoveTx)
	if !ok {
		return nil, errors.Join(Errorf(CodeInternal, "a target with rows that are noted cannot remove them"), tx.Rollback())
	}
	return r, nil
}

// explain says of a refusal which row it is about: a batch travels as one statement.
func (x *removing) explain(ctx context.Context, ms []Mutation, err error) error {
	if code := CodeOf(err); code != CodeRowRefused && code != CodeCascades {
		return err
	}
	tx, failed := x.engine.beginRemove(ctx)
	if failed != nil {
		return errors.Join(err, failed)
	}
	for i := range ms {
		if alone := tx.Remove(ctx, ms[i:i+1]); alone != nil {
			err = alone
			break
		}
	}
	if failed := tx.Rollback(); failed != nil {
		return errors.Join(err, failed)
	}
	return referred(x.Pipeline, ms[0].Table.Name, err)
}

// referred says of a refusal that it is of a row which others refer to.
func referred(pipeline string, table schema.Name, err error) error {
	var about *Error
	if !isReferred(err) || !errors.As(err, &about) {
		return err
	}
	e := Errorf(CodeRowReferred, "a row of %s cannot be removed, since one that is not of pipeline %q refers to it", table, pipeline)
	e.Facts = about.Facts
	if about.Err != nil {
		e.Fact("target", "%s", about.Err)
	}
	return e
}
