package mapping

import (
	"context"

	"github.com/rowferry/rowferry"
	"github.com/rowferry/rowferry/schema"
)

// lenient returns what a change of a table that is copied again is to a row of which
// something else may be noted than the log had before: a new row that is known is one
// that changes, under its key. A change of one that is not known is left to the copy, and
// so is a row that waits with all it is: nil.
func (s *step) lenient(e *entity, m *rowferry.Mutation) (*rowferry.Mutation, error) {
	if e.identity == nil {
		return m, nil
	}
	row := m.Before
	switch m.Op {
	case rowferry.Insert:
		row = m.After
	case rowferry.Update, rowferry.Delete:
	default: // of the table as a whole
		return m, nil
	}
	key := keyOf(row, e.identity)
	w, _, err := s.holder(e, key)
	switch {
	case err != nil:
		return nil, err
	case w != nil && m.Op == rowferry.Insert:
		return nil, nil
	case w != nil || !e.noted:
		return m, nil
	}
	there, err := s.mapped(e, key)
	switch {
	case err != nil:
		return nil, err
	case there == nil && m.Op != rowferry.Insert:
		return nil, nil
	case there == nil || m.Op != rowferry.Insert:
		return m, nil
	}
	known := *m
	known.Op, known.Before, known.Revives = rowferry.Update, make(rowferry.Row, len(m.After)), 0
	for i, o := range e.identity {
		known.Before[o] = key[i]
	}
	return &known, nil
}

// Notes implements rowferry.Resolver.
func (r *resolver) Notes(source schema.Name) bool {
	e := r.of(source)
	return e != nil && e.owned()
}

// of returns the entity of a source table that was seen, or nil.
func (r *resolver) of(source schema.Name) *entity {
	for _, e := range r.entities {
		if e.table != nil && e.source == source {
			return e
		}
	}
	return nil
}

// EachNoted implements rowferry.Resolver.
func (r *resolver) EachNoted(ctx context.Context, source schema.Name, from rowferry.State, fn func(key []rowferry.Value) error) error {
	e := r.of(source)
	if e == nil {
		return rowferry.Errorf(rowferry.CodeInternal, "the notes of %s are gone through, which is not known", source)
	}
	reads := &Reader{step: step{resolver: r}, from: from}
	return reads.scanPairs(ctx, e, func(key, to []byte) error {
		if isFiltered(to) {
			return nil
		}
		values := reads.decode(e, key)
		if values == nil {
			return errNote
		}
		for i, at := range e.identity {
			values[i] = numbered(values[i], e.table.Columns[at].Type)
		}
		return fn(values)
	})
}
