package mapping

import (
	"github.com/rowferry/rowferry"
)

// note notes the key of a row that comes.
func (s *step) note(e *entity, key, to []rowferry.Value, flags byte) error {
	if !e.noted {
		return nil
	}
	if e.tracked() {
		if err := s.replaced(e, key); err != nil { // see fresh
			return err
		}
		s.notes.Put(s.mapKey(e, key), appendNoted(nil, to, flags))
		s.notes.Count(rowferry.Kept{Mapped: 1})
		return nil
	}
	known, err := s.mapped(e, key)
	if err != nil {
		return err
	}
	if known != nil && !e.cascaded { // what a cascade deletes is not in every log
		return keyMapped(e, key)
	}
	if known == nil {
		s.notes.Count(rowferry.Kept{Mapped: 1})
	} else if e.naturals != nil {
		s.notes.Put(s.backKey(e, known), nil)
	}
	s.notes.Put(s.mapKey(e, key), appendNoted(nil, to, flags))
	if e.naturals != nil {
		s.notes.Put(s.backKey(e, to), appendKey(nil, key))
	}
	return nil
}

func (s *step) forget(e *entity, key, was []rowferry.Value) {
	if !e.noted {
		return
	}
	s.notes.Put(s.mapKey(e, key), nil)
	if e.naturals != nil {
		s.notes.Put(s.backKey(e, was), nil)
	}
	s.notes.Count(rowferry.Kept{Mapped: -1})
}

func keyMapped(e *entity, key []rowferry.Value) error {
	return rowferry.Errorf(rowferry.CodeKeyMapped, "a row comes into %s with a key that is known as another's", e.source).Fact("key", "%v", key)
}

func parentMissing(e *entity, f *reference, key []rowferry.Value) error {
	return rowferry.Errorf(rowferry.CodeParentMissing, "a row of %s refers to a row that is not there", e.source).
		Fact("reference", "%v to %s", e.table.ColumnNames(f.columns), f.parent.name).
		Fact("key", "%v", key)
}
