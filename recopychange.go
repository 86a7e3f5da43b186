package rowferry

import (
	"context"
	"slices"
)

// While a table is copied again the target's rows of it may be any. So what the log
// tells of them says what a row is, not what it was: see MergeTx. Updates that tell
// less than the row, or another key than it had, are written as far as there is one;
// what is left is brought by the copy.

// merges reports whether any of the mutations is merged.
func merges(ms []Mutation) bool {
	return slices.ContainsFunc(ms, func(m Mutation) bool { return m.Merges })
}

// putMerges writes a part of which some mutations are merged, in its order.
func putMerges(ctx context.Context, tx SinkTx, p part) error {
	merging, ok := tx.(MergeTx)
	if !ok {
		return Errorf(CodeInternal, "a target that can be copied into cannot be merged into")
	}
	for ms := p.ms; len(ms) > 0; {
		n := 1
		for n < len(ms) && together(&ms[0], &ms[n], p.free) {
			n++
		}
		var err error
		if mergeable(&ms[0]) {
			err = merging.Merge(ctx, merged(ms[:n]))
		} else {
			err = put(ctx, tx, []part{{strictly(ms[:n]), p.free}}, nil)
		}
		if err != nil {
			return err
		}
		ms = ms[n:]
	}
	return nil
}

// mergeable reports whether a mutation is merged, and not written as any: the
// foreign keys to a row that gets another key may act.
func mergeable(m *Mutation) bool {
	switch m.Op {
	case Insert, Delete:
		return m.Merges
	case Update:
		return m.Merges && !m.changes(m.Table.Identity())
	default:
		return false
	}
}

// together reports whether b is written with a, which is before it. In a part that is
// not free a row may come twice.
func together(a, b *Mutation, free bool) bool {
	if !mergeable(a) || !mergeable(b) {
		return mergeable(a) == mergeable(b)
	}
	return free && a.Table == b.Table && a.Op == b.Op
}

// merged returns mutations as merges: an update that tells the whole row makes it
// where there is none.
func merged(ms []Mutation) []Mutation {
	ms = slices.Clone(ms)
	for i := range ms {
		m := &ms[i]
		if m.Op != Update {
			continue
		}
		m.After = m.completed(m.Table.Identity())
		if !slices.ContainsFunc(m.After, Value.IsAbsent) {
			m.Op, m.Before = Insert, nil
		}
	}
	return ms
}

// strictly returns mutations as they are written that are not merged. A row that gets
// another key may have any other values.
func strictly(ms []Mutation) []Mutation {
	ms = slices.Clone(ms)
	for i := range ms {
		m := &ms[i]
		if m.Merges && m.Op == Update {
			before := make(Row, len(m.Before))
			for _, o := range m.Table.Identity() {
				before[o] = m.Before[o]
			}
			m.Before = before
		}
		m.Merges = false
	}
	return ms
}

// markMerges marks those of the mutations that are to be merged: what comes of rows that
// waited, too.
func (e *Engine) markMerges(ms []Mutation) {
	if e.recopy == nil {
		return
	}
	for i := range ms {
		ms[i].Merges = ms[i].Op != Shape && e.recopy.concerns(ms[i].Source)
	}
}

// leavesOut reports whether a transaction that the target refused is to be tried
// without the rows of the tables that are copied again: they may refer to others that
// are not there, or meet some that should not be. They are listed, and come later.
func (e *Engine) leavesOut(b *batch, err error) bool {
	if e.recopy == nil || e.at.Held.Copy.Phase == Renewing || b.lacks {
		return false
	}
	switch CodeOf(err) {
	case CodeRowRefused, CodeRowMissing, CodeRowDiffers, CodeForeignRow:
		b.lacks = true
	default:
	}
	return b.lacks
}
