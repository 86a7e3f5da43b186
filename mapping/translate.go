package mapping

import (
	"math"
	"slices"

	"github.com/rowferry/rowferry"
	"github.com/rowferry/rowferry/internal/failpoint"
	"github.com/rowferry/rowferry/schema"
)

// translate gives the row and its parents their keys in the target. A reference
// that an update leaves as it is is left out of it: the target has it already. That
// cannot be told by the values where a row has waited: another one may have the
// parent's key by now.
func (s *step) translate(e *entity, m *rowferry.Mutation, waited bool) (lacks []byte, err error) {
	old, now := m.Before, m.After
	full := whole(m)
	m.Before, m.After = s.copied(old), s.copied(now)
	var self []*reference
	for i := range e.refs {
		f := &e.refs[i]
		if !f.parent.moved() && !f.parent.carried && (s.notes.Held().Waiting == 0 || failpoint.On("forget-dependents")) {
			continue
		}
		if old != nil && f.parent.moved() {
			stays := now != nil && f.stays(old, now) && !(waited && f.present(now))
			if err := s.former(e, f, old, m); err != nil {
				return nil, err
			}
			if stays && !f.own {
				blank(m.After, f.columns)
				continue
			}
		}
		if now == nil {
			continue
		}
		if err := s.known(e, f, old, now, full, m.After); err != nil {
			return nil, err
		}
		if !f.active(full) {
			continue
		}
		key, refers := f.values(full)
		if !refers {
			continue
		}
		if f.parent == e && sameKey(key, keyOf(full, e.identity)) {
			self = append(self, f)
			continue
		}
		if lacks, err = s.refer(e, f, key, full, m.After); lacks != nil || err != nil {
			return lacks, err
		}
	}
	if err := s.own(e, m, old, now); err != nil {
		return nil, err
	}
	for _, f := range self {
		place(m.After, now, f.columns, after(m, e.identity))
	}
	return nil, nil
}

// known writes the columns of a reference that leads to different tables, where an
// update changes to which. It fails where the images do not have all of it.
func (s *step) known(e *entity, f *reference, old, now, whole, dst rowferry.Row) error {
	if f.kind < 0 || old != nil && f.stays(old, now) {
		return nil
	}
	for _, o := range append([]int{f.kind}, f.columns...) {
		if whole[o].IsAbsent() {
			return rowferry.Errorf(rowferry.CodeAbsentColumn, "an update of %s does not tell all of a reference", e.source).
				Fact("column", "%s", e.table.Columns[o].Name).
				Remedy("log", "whole rows: binlog_row_image=FULL, or REPLICA IDENTITY FULL")
		}
		if dst[o].IsAbsent() {
			dst[o] = whole[o]
		}
	}
	return nil
}

// refer writes the key of a parent into a row, or what the policy says of one that
// is not there.
func (s *step) refer(e *entity, f *reference, key []rowferry.Value, now, dst rowferry.Row) (lacks []byte, err error) {
	there, err := s.parent(f.parent, key)
	if there == nil && err == nil && e.fetches() {
		there, err = s.fetch(f.parent, key)
	}
	switch {
	case err != nil:
		return nil, err
	case there != nil:
		place(dst, now, f.columns, there)
	case e.rule.Missing == Null && f.nullable:
		place(dst, now, f.columns, nil)
	case e.rule.Missing == Null || e.rule.Missing == Reject:
		return nil, parentMissing(e, f, key)
	default:
		return s.list(arrivalList, f.parent, key), nil
	}
	return nil, nil
}

// stays reports whether an update leaves a reference as it is.
func (f *reference) stays(old, now rowferry.Row) bool {
	same := func(o int) bool { return now[o].IsAbsent() || now[o] == old[o] }
	return (f.kind < 0 || same(f.kind)) && !slices.ContainsFunc(f.columns, func(o int) bool { return !same(o) })
}

func (f *reference) present(row rowferry.Row) bool {
	return slices.ContainsFunc(f.columns, func(o int) bool { return !row[o].IsAbsent() })
}

func blank(row rowferry.Row, columns []int) {
	for _, o := range columns {
		row[o] = rowferry.Value{}
	}
}

func sameKey(a, b []rowferry.Value) bool {
	return slices.Equal(appendKey(nil, a), appendKey(nil, b))
}

// former gives the old image the key that the parent has in the target, where it
// is needed to tell which unique value a deleted row gives up. Elsewhere it is left
// out: a parent that the row has left may have another key by now.
func (s *step) former(e *entity, f *reference, old rowferry.Row, m *rowferry.Mutation) error {
	blank(m.Before, f.columns)
	if m.Op != rowferry.Delete || !f.unique || !f.active(old) || e.rule.Missing == Null {
		return nil
	}
	key, refers := f.values(old)
	if !refers {
		copy(m.Before, old)
		return nil
	}
	there, err := s.parent(f.parent, key)
	if there != nil {
		place(m.Before, old, f.columns, there)
	}
	return err
}

// place writes a key into the columns, each as the source's row carries numbers, or
// NULL. Columns that the source's row lacks stay.
func place(dst, source rowferry.Row, columns []int, key []rowferry.Value) {
	for i, o := range columns {
		switch {
		case source[o].IsAbsent():
		case key == nil:
			dst[o] = rowferry.NullValue()
		default:
			dst[o] = like(key[i], source[o])
		}
	}
}

// like returns v carried as the column's values are.
func like(v, as rowferry.Value) rowferry.Value {
	switch {
	case v.Kind() == rowferry.Int && as.Kind() == rowferry.Uint && v.Int() >= 0:
		return rowferry.UintValue(uint64(v.Int()))
	case v.Kind() == rowferry.Uint && as.Kind() == rowferry.Int && v.Uint() <= math.MaxInt64:
		return rowferry.IntValue(int64(v.Uint()))
	default:
		return v
	}
}

// parent returns the key in the target of the row with the given key in the source,
// nil where the row is not there.
func (s *step) parent(e *entity, key []rowferry.Value) ([]rowferry.Value, error) {
	if s.notes.Held().Waiting > 0 {
		waits, err := s.comes(e, key)
		if waits || err != nil {
			return nil, err
		}
	}
	return s.there(e, key)
}

// there returns the key in the target, nil where it is noted and there is none.
func (s *step) there(e *entity, key []rowferry.Value) ([]rowferry.Value, error) {
	switch {
	case e.noted:
		return s.mapped(e, key)
	case e.carried && s.been != nil && !failpoint.On("bring-early") && !s.been(e.source, e.asColumns(key)):
		return nil, nil
	default:
		return s.computed(e, key)
	}
}

// asColumns returns a key as the columns of the table carry numbers.
func (e *entity) asColumns(key []rowferry.Value) []rowferry.Value {
	key = slices.Clone(key)
	for i, o := range e.identity {
		switch t, v := e.table.Columns[o].Type, key[i]; {
		case t.Kind != schema.Int:
		case t.Unsigned:
			key[i] = like(v, rowferry.UintValue(0))
		default:
			key[i] = like(v, rowferry.IntValue(0))
		}
	}
	return key
}

// computed returns the key of a row whose key follows from the source's.
func (s *step) computed(e *entity, key []rowferry.Value) ([]rowferry.Value, error) {
	if e.rule.Key != Offset {
		return key, nil
	}
	v, ok := shifted(key[0], e.rule.Offset)
	if !ok {
		return nil, rowferry.Errorf(rowferry.CodeKeyRefused, "the key %s of %s and %d is no integer that a key can be", key[0], e.name, e.rule.Offset)
	}
	to := s.values(1)
	to[0] = v
	return to, nil
}

func shifted(v rowferry.Value, by int64) (rowferry.Value, bool) {
	switch v.Kind() {
	case rowferry.Int:
		sum := v.Int() + by
		return rowferry.IntValue(sum), (sum > v.Int()) == (by > 0)
	case rowferry.Uint:
		sum := v.Uint() + uint64(by)
		return rowferry.UintValue(sum), (sum > v.Uint()) == (by > 0)
	default:
		return v, false
	}
}

// mapped returns the noted key of a row, nil where there is none, and leaves the
// flags of its note in s.flags.
func (s *step) mapped(e *entity, key []rowferry.Value) ([]rowferry.Value, error) {
	data, err := s.notes.Get(s.mapKey(e, key))
	s.flags = 0
	if data == nil || err != nil {
		return nil, err
	}
	there := s.values(len(key))
	if s.flags, err = parseNoted(data, there); s.flags&filtered != 0 {
		return nil, err
	}
	return there, err
}

func (s *step) mapKey(e *entity, key []rowferry.Value) []byte {
	s.key = appendKey(append(append(s.key[:0], mapNote), e.id...), key)
	return s.key
}

// own gives the row its own key, and notes it.
func (s *step) own(e *entity, m *rowferry.Mutation, old, now rowferry.Row) error {
	if !e.moved() {
		return nil
	}
	if m.Op == rowferry.Insert && e.naturals != nil {
		return s.meet(e, m, now)
	}
	was, flags := []rowferry.Value(nil), byte(0)
	if old != nil {
		key, err := s.found(e, keyOf(old, e.identity))
		if err != nil {
			return err
		}
		was = key
		if e.noted {
			flags = s.flags
		}
		place(m.Before, old, e.identity, was)
	}
	to, err := s.become(e, m, old, now, was, flags)
	if err != nil || e.naturals == nil {
		return err
	}
	if flags&skipped == 0 {
		s.changed(e, m, was, to)
	}
	e.keepOwn(m, flags)
	return nil
}

// become gives a row the key that it has after m, and returns it.
func (s *step) become(e *entity, m *rowferry.Mutation, old, now rowferry.Row, was []rowferry.Value, flags byte) ([]rowferry.Value, error) {
	switch {
	case m.Op == rowferry.Delete:
		s.forget(e, keyOf(old, e.identity), was)
		return nil, nil
	case m.Op == rowferry.Update && !s.moves(e, &rowferry.Mutation{Op: m.Op, Before: old, After: now}):
		place(m.After, now, e.identity, was)
		return was, nil
	}
	key := after(&rowferry.Mutation{Before: old, After: now}, e.identity)
	to, err := s.next(e, m, key, was)
	if err != nil {
		return nil, err
	}
	if flags&skipped != 0 {
		to = was
	}
	if m.Op == rowferry.Update {
		s.forget(e, keyOf(old, e.identity), was)
	}
	if err := s.note(e, key, to, flags); err != nil {
		return nil, err
	}
	for i, o := range e.identity { // the whole key, where it moves
		m.After[o] = like(to[i], key[i])
	}
	return to, nil
}

// found returns the key of a row that is there.
func (s *step) found(e *entity, key []rowferry.Value) ([]rowferry.Value, error) {
	there, err := s.there(e, key)
	if there == nil && err == nil {
		err = rowferry.Errorf(rowferry.CodeKeyUnmapped, "a change is to a row of %s that this pipeline did not bring", e.source).
			Fact("key", "%v", key)
	}
	return there, err
}

// next returns the key that a row gets: the one it has already, where that is the
// target's own.
func (s *step) next(e *entity, m *rowferry.Mutation, key, was []rowferry.Value) ([]rowferry.Value, error) {
	switch e.rule.Key {
	case Allocate, Match:
		if was != nil {
			return was, nil
		}
		return s.allocate(e)
	case Offset:
		return s.computed(e, key)
	default: // of references, which have their keys by now
		return slices.Clone(after(m, e.identity)), nil // m changes
	}
}

// allocate returns a key of those that were set aside: the same as before, where
// the batch is resolved again.
func (s *step) allocate(e *entity) ([]rowferry.Value, error) {
	id := rowferry.ChangeID{Tx: s.origin.Tx, Index: s.index, Mutation: s.nth, Nth: s.given}
	s.given++
	key, ok := s.notes.Assigned(id)
	if !ok {
		var err error
		if key, err = s.take(e); err != nil {
			return nil, err
		}
		s.assign(id, key)
	}
	to := s.values(1)
	to[0] = rowferry.IntValue(key)
	return to, nil
}
