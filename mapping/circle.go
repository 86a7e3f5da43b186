package mapping

import (
	"encoding/binary"
	"slices"

	"github.com/rowferry/rowferry"
)

// circle returns the rows by way of which a row waits for itself, nil where it does
// not.
func (s *step) circle(w *waiting) ([]*waiting, error) {
	wanted, err := s.wanted(w)
	if !wanted || err != nil {
		return nil, err
	}
	rows, met := []*waiting{w}, map[uint64]bool{}
	for at := w; ; {
		next, err := s.awaited(at)
		if next == nil || err != nil {
			return nil, err
		}
		if next.number == w.number {
			return rows, nil
		}
		if met[next.number] {
			return nil, nil // one that w leads to: it was opened when it closed, or refused
		}
		met[next.number] = true
		rows, at = append(rows, next), next
	}
}

// wanted reports whether any row waits for w: most of a long chain is never gone along.
func (s *step) wanted(w *waiting) (bool, error) {
	lists := [][]byte{releaseOf(w.number)}
	if w.change.Before != nil {
		lists = append(lists, s.list(arrivalList, w.e, keyOf(w.change.Before, w.e.identity)))
	}
	if w.change.After != nil {
		lists = append(lists, s.list(arrivalList, w.e, after(&w.change, w.e.identity)))
	}
	for _, l := range lists {
		if n, err := s.length(l); n > 0 || err != nil {
			return n > 0, err
		}
	}
	return false, nil
}

// open writes a row of a circle in two steps: first without what refers to those that
// wait, and once that is there, with it.
func (s *step) open(circle []*waiting) error {
	for _, w := range circle {
		e, m := w.e, w.change
		first, opens, err := s.without(w)
		if err != nil {
			return err
		}
		if !opens {
			continue
		}
		lacked := w.lacks.list
		if err := s.remove(w); err != nil {
			return err
		}
		if number, err := s.pinned(e, &first, true); err != nil {
			return err
		} else if number != 0 {
			if err := s.place(w, lacked); err != nil {
				return err
			}
			continue
		}
		s.notes.Count(rowferry.Kept{Waiting: -1})
		lacks, err := s.write(e, &first, true)
		if err != nil {
			return err
		}
		if lacks == nil {
			then := m
			then.Op, then.Before = rowferry.Update, whole(&first)
			if err := s.change(e, &then); err != nil { // which keeps what the row has still
				return err
			}
			return s.wake(releaseOf(w.number))
		}
		s.notes.Count(rowferry.Kept{Waiting: 1}) // for something else first
		if err := s.place(w, lacks); err != nil {
			return err
		}
		again, err := s.circle(w)
		if again == nil || err != nil {
			return err
		}
		if !slices.Equal(lacks, lacked) { // by a row that came meanwhile
			return s.open(again)
		}
	}
	return s.giveWay(circle)
}

// without returns the change of a row but for what refers to rows that wait too, and
// whether anything is left of it: there is NULL instead, or what an update finds.
func (s *step) without(w *waiting) (m rowferry.Mutation, opens bool, err error) {
	m = w.change
	if m.Op == rowferry.Delete || w.lacks.list[0] != arrivalList {
		return m, false, nil
	}
	m.After = slices.Clone(m.After)
	for i := range w.e.refs {
		f := &w.e.refs[i]
		key, refers := f.values(w.change.After)
		if !refers || !f.active(w.change.After) || m.Op == rowferry.Insert && !f.nullable {
			continue
		}
		comes, err := s.comes(f.parent, key)
		switch {
		case err != nil:
			return m, false, err
		case !comes:
		case f.nullable:
			opens = true
			place(m.After, m.After, f.columns, nil)
		case !f.stays(m.Before, w.change.After): // else it could not be told from the parent it had
			opens = true
			blank(m.After, f.columns)
			if f.kind >= 0 {
				blank(m.After, []int{f.kind})
			}
		}
	}
	if !opens || m.Op == rowferry.Update && !changes(&m, all(w.e.table)) {
		return m, false, nil
	}
	return m, true, nil
}

func inCircle(rows []*waiting) *rowferry.Error {
	err := rowferry.Errorf(rowferry.CodeWaitCycle, "%d rows wait for each other in a circle", len(rows))
	for _, w := range rows[:min(len(rows), 5)] {
		err.Fact("row", "%s %v", w.e.source, keyOf(either(&w.change), w.e.identity))
	}
	return err
}

func either(m *rowferry.Mutation) rowferry.Row {
	if m.Before != nil {
		return m.Before
	}
	return m.After
}

// awaited returns the waiting row that a row waits for, nil where it waits for one
// that did not come yet.
func (s *step) awaited(w *waiting) (*waiting, error) {
	list := w.lacks.list
	if isAside(list) {
		return nil, nil
	}
	if list[0] == releaseList {
		return s.load(binary.BigEndian.Uint64(list[1:]))
	}
	data, err := s.notes.Get(append([]byte{holderNote}, list[1:]...))
	if len(data) != 8 || err != nil {
		return nil, err
	}
	x, err := s.load(binary.BigEndian.Uint64(data))
	if x == nil || err != nil || x.change.Op == rowferry.Insert || s.moves(x.e, &x.change) {
		return x, err
	}
	return nil, nil // a deletion does not bring the row; another update finds it there
}
