package rowferry

import (
	"context"
	"errors"
	"slices"

	"github.com/rowferry/rowferry/internal/failpoint"
)

// What a commit refuses has no name: it is known that the transaction breaks a
// constraint, and not by which row. Which one it is to be put aside for is found by
// halving: a transaction of which the first so many changes are put aside, with all
// that depends on them, is written, checked and rolled back. The last of the fewest
// changes without which the rest is taken is to blame. To check each change where it
// is written would be quicker, but would blame the children that come before their
// parents, for whose sake such checks wait.

const (
	// mostTrials bounds the attempts to find what the commit of one transaction refuses.
	mostTrials = 400
	// mostTried is how many changes a transaction may have that is looked into.
	mostTried = 20_000
)

// searches reports whether err is a refusal that does not surely name its row, where
// rows are put aside.
func (e *Engine) searches(a *attempt, err error) bool {
	return a.plan == nil && e.copying == nil && e.parts.Resolver != nil && (a.late || !aboutRow(err)) && refuses(err)
}

// refuses reports whether err is a refusal for what rows hold.
func refuses(err error) bool {
	switch CodeOf(err) {
	case CodeRowRefused, CodeOutOfRange, CodeForeignRow:
		return true
	default:
		return false
	}
}

// search finds which rows of a transaction that is refused as a whole are to be put
// aside, no more of them than are needed, and has them put aside. It reports false
// where there are none that can be, or they are not looked for.
func (e *Engine) search(ctx context.Context, a *attempt, err error) bool {
	b := a.batch
	if !e.searches(a, err) || b.spilled() || b.rows() > mostTried {
		return false
	}
	e.opts.Log.Debug("what is refused is looked for", "because", err)
	t := &trial{engine: e, batch: b}
	found := t.find(ctx)
	b.notes.tried = 0
	for _, r := range found {
		e.putAside(r)
	}
	return len(found) > 0
}

// trial looks for the rows that the target refuses of one transaction.
type trial struct {
	engine *Engine
	batch  *batch
	made   int // attempts
}

// find returns the refusals of rows that were marked, nil where that is not enough.
func (t *trial) find(ctx context.Context) (found []*Error) {
	notes := t.batch.notes
	for {
		all, why := t.try(ctx, 0)
		if why == nil {
			break
		}
		r := t.blame(ctx, all, why)
		if r == nil {
			for _, r := range found {
				notes.mark(r.Mutation.id(), nil)
			}
			return nil
		}
		notes.mark(r.Mutation.id(), r.refusal())
		found = append(found, r)
	}
	// One may stand for another that was found later: they are taken back while any can be.
	for before := 0; before != len(found) && !failpoint.On("keep-blamed"); {
		before = len(found)
		found = slices.DeleteFunc(found, func(r *Error) bool {
			notes.mark(r.Mutation.id(), nil)
			_, why := t.try(ctx, 0)
			if why != nil {
				notes.mark(r.Mutation.id(), r.refusal())
			}
			return why == nil
		})
	}
	return found
}

// blame returns the refusal of one of the mutations, with the last reason that was
// given for it, nil where none can be put aside.
func (t *trial) blame(ctx context.Context, all []Mutation, why error) *Error {
	count := max(1, t.batch.rows())
	_, rest := t.try(ctx, count)
	if taken := rest == nil; !taken || !refuses(why) {
		return nil
	}
	least, most := 0, count // that is refused without so many, and that is taken
	for most-least > 1 {
		middle := (least + most) / 2
		switch _, err := t.try(ctx, middle); {
		case err == nil:
			most = middle
		case refuses(err):
			least, why = middle, err
		default:
			return nil // which is met again
		}
	}
	at := slices.IndexFunc(all, func(m Mutation) bool {
		return m.Index == least && t.batch.notes.refused[m.id()] == nil && t.engine.parts.Resolver.SetsAside(&m)
	})
	var r *Error
	if at < 0 || !errors.As(why, &r) {
		return nil
	}
	found := *r
	found.Mutation = &all[at]
	return &found
}

// try writes a transaction without its first n changes, has it checked and rolls it
// back. It returns what was to be written, without the rows, and why it was refused.
func (t *trial) try(ctx context.Context, n int) (all []Mutation, err error) {
	e, b := t.engine, t.batch
	if t.made++; t.made > mostTrials {
		return nil, Errorf(CodeInternal, "more rows are refused than are looked for")
	}
	b.notes.tried = n
	clear(b.notes.given)
	err = e.insistOn(ctx, func() error {
		for {
			var err error
			if all, err = t.rehearse(ctx); !errors.Is(err, ErrKeysShort) {
				return err
			}
			if err := e.reserve(ctx, b); err != nil {
				return err
			}
		}
	})
	return all, err
}

func (t *trial) rehearse(ctx context.Context) (all []Mutation, err error) {
	tx, err := t.engine.parts.Sink.Begin(ctx)
	if err != nil {
		return nil, err
	}
	var refused error
	err = newMapper(t.engine, t.batch).run(ctx, t.batch, writeChunk, func(ms []Mutation) error {
		for i := range ms {
			m := &ms[i]
			all = append(all, Mutation{Op: m.Op, Table: m.Table, Source: m.Source, Origin: m.Origin, Index: m.Index, Turn: m.Turn})
		}
		if refused == nil {
			inOrder(ms)
			refused = put(ctx, tx, []part{{ms: ms}}, nil)
		}
		return nil
	})
	err = errors.Join(err, refused)
	if late, ok := tx.(LateTx); ok && err == nil {
		err = late.Check(ctx)
	}
	return all, errors.Join(err, tx.Rollback())
}
