package rowferry

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/rowferry/rowferry/internal/failpoint"
)

// refusal returns the refusal of one row which the rules put aside, nil where err is
// another error, or does not surely name the row: changes written in bulk, and
// what a commit finds, do not.
func (a *attempt) refusal(err error) *Error {
	e := a.engine
	var r *Error
	if a.plan != nil || e.copying != nil || e.parts.Resolver == nil || !errors.As(err, &r) || r.Mutation == nil || r.Mutation.Origin == nil {
		return nil
	}
	switch r.Code {
	case CodeRowRefused, CodeOutOfRange, CodeForeignRow:
	case CodeRowMissing, CodeRowDiffers:
		if a.batch.txs[0].wish == nil { // elsewhere it says that something is wrong with the target
			return nil
		}
	default:
		return nil
	}
	if r.Mutation.Merges && e.at.Held.Copy.Phase != Renewing || !e.parts.Resolver.SetsAside(r.Mutation) { // the copy brings it
		return nil
	}
	return r
}

// setAside notes that a row which the target refused is to be put aside, and returns
// what is left of the batch to apply: from the row's transaction on. What comes
// before it was not refused, and is applied first, so that a batch is written
// twice however many of its rows are refused.
func (e *Engine) setAside(ctx context.Context, b *batch, refused *Error) (*batch, error) {
	m := refused.Mutation
	if at := slices.IndexFunc(b.txs, func(t *txn) bool { return t.end.ID == m.Origin.Tx }); at > 0 {
		before, rest := b.cut(at)
		b.notes.apart([]*batch{before, rest})
		if err := e.apply(ctx, newAttempt(e, before)); err != nil {
			return nil, err
		}
		b = rest
	}
	if !b.notes.refuse(m.id(), refused.refusal()) {
		return nil, located(refused, b)
	}
	e.putAside(refused)
	return b, nil
}

// putAside says that a row was.
func (e *Engine) putAside(refused *Error) {
	e.aside++
	e.opts.Log.Warn("a row is put aside", "because", refused)
}

func (e *Error) refusal() *Refusal {
	return &Refusal{Code: e.Code, Why: e.Reason(), At: time.Now().UnixMilli()}
}

// outdate has what was planned behind a batch that put rows aside planned again:
// rows of it may have to wait, and keys to be others.
func (l *lanes) outdate() {
	if l.next != nil {
		l.again = append(l.again, l.next)
		l.next = nil
	}
	if l.short != nil { // its keys may be reserved on the way
		l.again = append(l.again, newAttempt(l.engine, l.short))
		l.short = nil
	}
	if failpoint.On("plan-nothing-again") {
		return
	}
	for _, a := range l.again {
		a.stale = a.plan != nil
		if a.batch.notes != nil {
			clear(a.batch.notes.given)
		}
	}
}

// rejectsLeft refuses to go on where rows are aside, or a copy is under way in which
// they may be, and nothing knows of them.
func (e *Engine) rejectsLeft(at Checkpoint) error {
	switch {
	case e.parts.Resolver != nil:
		return nil
	case at.Held.Copy.Staged:
		return Errorf(CodeCopyAside, "a copy is %s that was begun with 'on_reject: quarantine', and the rules put no rows aside any more", at.Held.Copy.Phase)
	case at.Held.Notes.Waiting == 0:
		return nil
	}
	return Errorf(CodeRejectsLeft, "%d rows are put aside, or wait for those, and the rules put no rows aside any more", at.Held.Notes.Waiting)
}
