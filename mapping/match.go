package mapping

import (
	"slices"

	"github.com/rowferry/rowferry"
	"github.com/rowferry/rowferry/schema"
)

// Duplicates says what an insert becomes that meets a row of the target.
type Duplicates string

// The policies.
const (
	RefuseDuplicates Duplicates = "error"  // it stops the pipeline
	UpdateDuplicates Duplicates = "update" // the row gets all its values
	MergeDuplicates  Duplicates = "merge"  // the row gets those that are not NULL nor empty
	SkipDuplicates   Duplicates = "skip"   // the row stays as it is, whatever comes later
)

// nothing is the operation of a mutation that is not to be written.
const nothing rowferry.Op = 0

func (k KeyRule) duplicates() Duplicates {
	switch {
	case k.Duplicates != "":
		return k.Duplicates
	case k.Key == Match:
		return UpdateDuplicates
	default:
		return RefuseDuplicates
	}
}

// looks reports whether new rows are looked up in the target.
func (k KeyRule) looks() bool { return k.Key == Match || k.duplicates() != RefuseDuplicates }

// keeps reports whether the keys of rows are the source's, and none of them is noted.
func (k KeyRule) keeps() bool {
	return k.Key == Keep && k.Missing == "" && !k.looks() && !k.follows()
}

// fresh reports whether rows may get keys of the target's counter.
func (k KeyRule) fresh() bool { return k.Key == Allocate || k.Key == Match }

// lookups finds out by which columns new rows are looked up.
func (r *resolver) lookups(e *entity) error {
	e.naturals = nil
	switch {
	case !e.rule.looks():
		return nil
	case e.identity == nil:
		return rowferry.Errorf(rowferry.CodeKeyRefused, "rows of %s cannot be looked up: the table has no key", e.source)
	case e.rule.Key != Match:
		e.naturals = [][]int{e.identity}
		return nil
	}
	for _, names := range e.rule.Match {
		var columns []int
		for _, name := range names {
			o := e.table.Column(r.renamed(e.source, name))
			if o < 0 {
				return rowferry.Errorf(rowferry.CodeKeyRefused, "rows of %s are matched by a column that the table does not have", e.source).
					Fact("column", "%s", name).Fact("columns", "%v", e.table.ColumnNames(all(e.table)))
			}
			switch e.table.Columns[o].Type.Kind {
			case schema.JSON, schema.Float32, schema.Float64:
				return rowferry.Errorf(rowferry.CodeKeyRefused, "rows of %s cannot be matched by values that have no exact equality", e.source).
					Fact("column", "%s", name).Fact("type", "%s", e.table.Columns[o].Type)
			default: // has an equality
			}
			columns = append(columns, o)
		}
		e.naturals = append(e.naturals, columns)
	}
	return nil
}

// meet gives a new row its key: that of the row of the target which it meets, and
// then it becomes what the policy says, or its own.
func (s *step) meet(e *entity, m *rowferry.Mutation, now rowferry.Row) error {
	key := keyOf(now, e.identity)
	var to []rowferry.Value
	if !e.rule.fresh() {
		var err error
		if to, err = s.next(e, m, key, nil); err != nil {
			return err
		}
		for i, o := range e.identity {
			m.After[o] = like(to[i], key[i])
		}
	}
	to, met, err := s.decide(e, m, to)
	if err != nil {
		return err
	}
	for i, o := range e.identity {
		m.After[o] = like(to[i], key[i])
	}
	flags := byte(0)
	if met {
		flags = e.adopt(m)
		e.meets(flags)
	}
	if err := s.note(e, key, to, flags); err != nil {
		return err
	}
	if flags&skipped == 0 {
		s.changed(e, m, nil, to)
	}
	return nil
}

// decide returns the key that a new row gets, and whether it is that of a row of the
// target: the same as before, where the batch is resolved again. own is its key where
// that is not the target's to give.
func (s *step) decide(e *entity, m *rowferry.Mutation, own []rowferry.Value) (to []rowferry.Value, met bool, err error) {
	id := rowferry.ChangeID{Tx: s.origin.Tx, Index: s.index, Mutation: s.nth, Nth: s.given}
	found := id
	found.Nth = ^id.Nth
	if key, ok := s.notes.Assigned(found); ok {
		s.given++
		if own == nil {
			own = []rowferry.Value{rowferry.IntValue(key)}
		}
		return own, true, nil
	}
	if _, before := s.notes.Assigned(id); !before {
		if to, err = s.look(e, m.After); err != nil {
			return nil, false, err
		}
	}
	switch {
	case to != nil:
		if err := s.adoptable(e, m, to, own); err != nil {
			return nil, false, err
		}
		s.given++
		key := int64(0)
		if own == nil {
			key = like(to[0], rowferry.IntValue(0)).Int()
			own = []rowferry.Value{rowferry.IntValue(key)}
		}
		s.assign(found, key)
		return own, true, nil
	case own == nil:
		to, err = s.allocate(e)
		return to, false, err
	default:
		s.given++
		s.assign(id, 0)
		return own, false, nil
	}
}

// assign notes the key that a row was given, unless the batch is only looked at.
func (s *step) assign(id rowferry.ChangeID, key int64) {
	if !s.sight.looking {
		s.notes.Assign(id, key)
	}
}

// adoptable reports what speaks against a new row's taking the place of that of the
// target with the given key.
func (s *step) adoptable(e *entity, m *rowferry.Mutation, key, own []rowferry.Value) error {
	owner, err := s.notes.Get(s.backKey(e, key))
	if err != nil {
		return err
	}
	if owner != nil {
		of := make([]rowferry.Value, len(e.identity))
		if _, err := parseNoted(owner, of); err != nil {
			return err
		}
		return taken(e, m).Fact("the other", "%v", of).Fact("in the target", "%v", key)
	}
	refused := rowferry.Errorf(rowferry.CodeForeignRow, "a new row of %s meets one of the target", e.source).
		Fact("key in the target", "%v", key)
	if e.rule.duplicates() == RefuseDuplicates {
		return refused.Remedy("write it over the other", "on_duplicate: update, in a new pipeline")
	}
	for i, v := range own {
		if e.table.Columns[e.identity[i]].Type.Kind.Textual() && v.Kind() == rowferry.Text && v != key[i] {
			return refused.Fact("key", "%v", own).Fact("because", "the target takes the two keys for the same, and they are not")
		}
	}
	if own == nil && key[0].Kind() == rowferry.Uint && int64(key[0].Uint()) < 0 {
		return refused.Fact("because", "its key is beyond 63 bits")
	}
	return nil
}

func taken(e *entity, m *rowferry.Mutation) *rowferry.Error {
	err := rowferry.Errorf(rowferry.CodeMatchTaken, "a new row of %s is in the target the one that another row of the source is", e.source)
	for _, columns := range e.naturals {
		err.Fact("matched by", "%v: %v", e.table.ColumnNames(columns), keyOf(m.After, columns))
	}
	return err
}

// adopt makes of an insert what the policy says of a row that is there, and returns
// what is to be noted of that.
func (e *entity) adopt(m *rowferry.Mutation) (flags byte) {
	m.Op, m.Revives = rowferry.Update, 0
	m.Before = make(rowferry.Row, len(m.After))
	for _, o := range e.identity {
		m.Before[o] = m.After[o]
	}
	switch e.rule.duplicates() {
	case MergeDuplicates:
		for o, v := range m.After {
			if empty(v) && e.leaves(o) {
				m.After[o] = rowferry.Value{}
			}
		}
		return adopted | merged
	case SkipDuplicates:
		m.Op = nothing
		return adopted | skipped
	default: // RefuseDuplicates has met none
		return adopted
	}
}

// keepOwn leaves a row of somebody else's what the policy leaves it: all of it, or what
// the source's row had no values for, as long as it has none.
func (e *entity) keepOwn(m *rowferry.Mutation, flags byte) {
	if flags&skipped != 0 {
		m.Op = nothing
	}
	if flags&merged == 0 {
		return
	}
	for o, old := range m.Before {
		if !empty(old) || !e.leaves(o) {
			continue
		}
		m.Before[o] = rowferry.Value{}
		if m.After != nil && m.After[o] == old {
			m.After[o] = rowferry.Value{}
		}
	}
}

// leaves reports whether a column may be left out of a change.
func (e *entity) leaves(o int) bool {
	return !slices.Contains(e.identity, o) && e.table.Columns[o].Generated == schema.NotGenerated
}

// empty reports whether a value is none to merge.
func empty(v rowferry.Value) bool {
	return v.IsNull() || (v.Kind() == rowferry.Text || v.Kind() == rowferry.Bytes) && v.Str() == ""
}
