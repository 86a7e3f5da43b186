package mapping

import (
	"slices"

	"github.com/rowferry/rowferry"
)

// A row that was fetched is newer than the log, until that has passed the mark behind
// it. Each change of it on the way is merged over the row as it is: it says what the
// row is and not what it was, and whatever it takes back, a later one brings again. At
// the mark the row is what the source has there (docs/adr/0027).
//
// Of a table whose rows are fetched the target has those alone that came, or that
// somebody referred to. Changes of others are left out: who refers to one later brings
// it as it is by then.

// standing is how it is with a row of which a change comes.
type standing struct {
	there  bool // in the target, or waiting to come; not where it waits to go
	newer  bool // than the log
	number uint64
	// row has what others may have to wait for (see holds), as it is in the target.
	row rowferry.Row
}

func (s *step) standingOf(e *entity, key []rowferry.Value) (at standing, err error) {
	w, leaves, err := s.holder(e, key)
	if err != nil {
		return at, err
	}
	there, err := s.mapped(e, key)
	if err != nil {
		return at, err
	}
	if w == nil {
		at.there = there != nil
	} else {
		at.there = !leaves && w.change.Op != rowferry.Delete
	}
	data, err := s.notes.Get(s.list(newerNote, e, key))
	if data == nil || err != nil {
		return at, err
	}
	r := reader{rest: data}
	at.newer, at.number, at.row = true, r.number(), r.row()
	return at, r.err
}

// merge brings a change to a row of a table whose rows are fetched.
func (s *step) merge(e *entity, m *rowferry.Mutation) error {
	if s.moves(e, m) {
		return s.mergeMove(e, m)
	}
	at, err := s.standingOf(e, keyOf(either(m), e.identity))
	switch {
	case err != nil:
		return err
	case m.Op == rowferry.Insert && at.newer && at.there:
		return s.over(e, at, m, rowferry.Update, m.After)
	case m.Op == rowferry.Insert:
		s.asLogged(e, m)
		return s.change(e, m)
	case !at.there && (at.newer || !s.circles): // where all was copied, every row is there
		return nil
	case !at.newer:
		return s.change(e, m)
	case m.Op == rowferry.Delete:
		return s.over(e, at, m, rowferry.Delete, nil)
	}
	after := e.changed(m)
	if after == nil {
		return nil
	}
	return s.over(e, at, m, rowferry.Update, after)
}

// mergeMove brings an update that changes the key. A row of which it does not tell all
// columns is left out under the new key: what is there under the old one may be
// another row by now, whose columns they are not.
func (s *step) mergeMove(e *entity, m *rowferry.Mutation) error {
	whole := after(m, all(e.table))
	from, err := s.standingOf(e, keyOf(m.Before, e.identity))
	if err != nil {
		return err
	}
	to, err := s.standingOf(e, keyOf(whole, e.identity))
	if err != nil {
		return err
	}
	tells := !slices.ContainsFunc(whole, rowferry.Value.IsAbsent)
	switch {
	case !from.newer && !to.newer && (from.there || to.there || s.circles), !from.newer && from.there && !to.there:
		s.asLogged(e, m)
		return s.change(e, m)
	case from.there && !to.there && tells:
		return s.over(e, from, m, rowferry.Update, whole)
	}
	if from.there {
		if err := s.over(e, from, m, rowferry.Delete, nil); err != nil {
			return err
		}
	}
	if !to.there {
		return nil
	}
	n := *m
	if n.Before = whole; tells {
		return s.over(e, to, &n, rowferry.Update, whole)
	}
	return s.over(e, to, &n, rowferry.Update, m.After)
}

// over brings a change to the row that m.Before, or of an insert m.After, names by its
// key, as the target has it.
func (s *step) over(e *entity, at standing, m *rowferry.Mutation, op rowferry.Op, after rowferry.Row) error {
	n, names := *m, either(m)
	n.Op, n.Before, n.After = op, make(rowferry.Row, len(names)), after
	if at.newer {
		copy(n.Before, at.row)
	}
	for _, o := range e.identity {
		n.Before[o] = names[o]
	}
	switch {
	case op == rowferry.Delete:
	case !slices.ContainsFunc(after, rowferry.Value.IsAbsent):
		s.asLogged(e, &n)
	case at.newer:
		row := slices.Clone(at.row)
		for o, v := range e.holds(after) {
			if !v.IsAbsent() {
				row[o] = v
			}
		}
		s.putNewer(s.list(newerNote, e, keyOf(names, e.identity)), at.number, row)
	}
	return s.bring(e, &n, true)
}

// asLogged notes that the row which comes by m, or is all that m tells, is as the log
// has it, and no newer.
func (s *step) asLogged(e *entity, m *rowferry.Mutation) {
	s.notes.Put(s.list(newerNote, e, after(m, e.identity)), nil)
}

// holds returns what a row has for which others may have to wait: its parents, and its
// unique values.
func (e *entity) holds(row rowferry.Row) rowferry.Row {
	held := make(rowferry.Row, len(row))
	for _, columns := range append(e.together(), e.identity) {
		for _, o := range columns {
			held[o] = row[o]
		}
	}
	return held
}

// together are the columns that mean something together.
func (e *entity) together() [][]int {
	groups := slices.Concat(e.uniques, e.naturals)
	for i := range e.refs {
		f := &e.refs[i]
		columns := f.columns
		if f.kind >= 0 {
			columns = append([]int{f.kind}, columns...)
		}
		groups = append(groups, columns)
	}
	return groups
}

// changed returns what an update changes, with the columns that go with it, or nil
// where it changes nothing. The others may be newer in the target.
func (e *entity) changed(m *rowferry.Mutation) rowferry.Row {
	row := slices.Clone(m.After)
	some := false
	for o := range row {
		if row[o] == m.Before[o] && !slices.Contains(e.identity, o) {
			row[o] = rowferry.Value{}
		}
		some = some || !row[o].IsAbsent() && row[o] != m.Before[o]
	}
	if !some {
		return nil
	}
	for _, columns := range e.together() {
		if !changes(m, columns) {
			continue
		}
		for _, o := range columns {
			if row[o] = m.After[o]; row[o].IsAbsent() {
				row[o] = m.Before[o]
			}
		}
	}
	return row
}
