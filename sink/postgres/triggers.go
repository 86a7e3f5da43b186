package postgres

import (
	"context"
	"maps"
	"slices"

	dialect "github.com/rowferry/rowferry/internal/dialect/postgres"
)

// mute disables the enabled triggers of a table until the batch ends, and of
// the tables that its foreign keys change by themselves. Nothing but triggers
// is switched off: session_replication_role would take foreign keys with them.
func (s *Sink) mute(ctx context.Context, t *target) error {
	t.muted = true
	if err := s.alterTriggers(ctx, t.existing, false); err != nil {
		return err
	}
	seen := map[string]bool{t.quoted: true}
	queue := slices.Clone(t.existing.Children)
	for len(queue) > 0 {
		r := queue[0]
		queue = queue[1:]
		if seen[dialect.QuoteTable(r.Child)] || !r.OnDelete.Acts() && !r.OnUpdate.Acts() {
			continue
		}
		seen[dialect.QuoteTable(r.Child)] = true
		child, err := s.look(ctx, r.Child)
		if err != nil {
			return err
		}
		if child == nil {
			continue
		}
		if err := s.alterTriggers(ctx, child, false); err != nil {
			return err
		}
		queue = append(queue, child.Children...)
	}
	return nil
}

// unmute enables what mute disabled, as it was. It comes after the last check
// of a foreign key: PostgreSQL alters no table that has one waiting.
func (s *Sink) unmute(ctx context.Context) error {
	for _, name := range slices.Sorted(maps.Keys(s.silent)) {
		if err := s.alterTriggers(ctx, s.silent[name], true); err != nil {
			return err
		}
	}
	return nil
}

// alterTriggers enables or disables the triggers of a table that were enabled
// before the batch.
func (s *Sink) alterTriggers(ctx context.Context, x *dialect.Existing, enable bool) error {
	name := dialect.QuoteTable(x.Shape.Name)
	if _, done := s.silent[name]; done != enable || len(x.Triggers) == 0 {
		return nil
	}
	for _, t := range x.Triggers {
		verb := " DISABLE TRIGGER "
		switch {
		case enable && t.Always:
			verb = " ENABLE ALWAYS TRIGGER "
		case enable:
			verb = " ENABLE TRIGGER "
		}
		if err := s.run(ctx, "ALTER TABLE "+name+verb+dialect.Quote(t.Name)); err != nil {
			return err
		}
	}
	if enable {
		delete(s.silent, name)
	} else {
		s.silent[name] = x
	}
	return nil
}
