package mysql

import (
	"context"
	"slices"
	"strings"

	"github.com/rowferry/rowferry"
)

// checkCascade refuses a truncate, or a change that was made while the source's
// foreign-key checks were off, if it would set off an action here: the source's
// did not act.
func (b *batch) checkCascade(ctx context.Context, t *target, m *rowferry.Mutation) error {
	children, err := b.sink.incoming(ctx, t)
	if err != nil {
		return err
	}
	for _, r := range children {
		action := r.onDelete
		if m.Op == rowferry.Update {
			action = r.onUpdate
		}
		if !action.Acts() || m.Op == rowferry.Update && !t.Changes(m, t.ordinals(r.referenced)) {
			continue
		}
		hit, err := b.cascadeHits(ctx, t, m, r)
		if err != nil {
			return err
		}
		if hit {
			return t.SetOff(m, r.child.String(), action)
		}
	}
	return nil
}

func (t *target) ordinals(names []string) []int {
	var all []int
	for i, c := range t.Shape.Columns {
		if slices.ContainsFunc(names, func(n string) bool { return strings.EqualFold(n, c.Name) }) {
			all = append(all, i)
		}
	}
	return all
}

// cascadeHits reports whether the reference's child has rows that point to the
// row, or with a truncate to any row, that m removes or renames.
func (b *batch) cascadeHits(ctx context.Context, t *target, m *rowferry.Mutation, r *reference) (bool, error) {
	s := b.sink
	if m.Op == rowferry.Truncate {
		if r.child == r.parent {
			return false, nil
		}
		set := make([]string, len(r.columns))
		for i, c := range r.columns {
			set[i] = quote(c) + " IS NOT NULL"
		}
		found, err := s.session.strings(ctx, "SELECT 1 FROM "+quoteName(r.child)+" WHERE "+strings.Join(set, " AND ")+" LIMIT 1")
		return len(found) > 0, s.translate(err)
	}
	on := make([]string, len(r.columns))
	for i, c := range r.columns {
		on[i] = "c." + quote(c) + " = p." + quote(r.referenced[i])
	}
	where, match := t.where("p.")
	found := false
	err := s.session.queryWith(ctx, "SELECT 1 FROM "+quoteName(r.child)+" c JOIN "+t.quoted+" p ON "+strings.Join(on, " AND ")+" WHERE "+where+" LIMIT 1", func(func(...any) error) error {
		found = true
		return nil
	}, func() error { return s.bindOld(s.session.conn, t, match, m) })
	return found, s.translate(err)
}
