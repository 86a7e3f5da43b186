package mapping

import (
	"encoding/binary"
	"slices"

	"github.com/rowferry/rowferry"
)

// list names a list; see the notes' keys.
func (s *step) list(kind byte, e *entity, key []rowferry.Value) []byte {
	return appendKey(append([]byte{kind}, e.id...), key)
}

func releaseOf(number uint64) []byte {
	return binary.BigEndian.AppendUint64([]byte{releaseList}, number)
}

// held has a mutation wait where its row does, or where it would take what a row
// that waits still has, or take away what it still needs.
func (s *step) held(e *entity, m *rowferry.Mutation, waited bool) (bool, error) {
	if e.identity == nil {
		return false, nil
	}
	row := m.Before
	if m.Op == rowferry.Insert {
		row = m.After
	}
	w, leaves, err := s.holder(e, keyOf(row, e.identity))
	switch {
	case err != nil:
		return false, err
	case w != nil && (leaves || m.Op == rowferry.Insert): // another row of that key, or a new one
		return true, s.park(e, m, releaseOf(w.number))
	case w != nil:
		return true, s.join(w, m)
	}
	number, err := s.pinned(e, m, waited)
	if number == 0 || err != nil {
		return false, err
	}
	return true, s.park(e, m, releaseOf(number))
}

// pinned returns the number of a row that waits for which m, which has waited or not,
// has to wait, 0 where there is none.
func (s *step) pinned(e *entity, m *rowferry.Mutation, waited bool) (uint64, error) {
	if m.Op == rowferry.Insert || s.moves(e, m) { // under a key that another one leaves
		w, _, err := s.holder(e, after(m, e.identity))
		if w != nil || err != nil {
			return numberOf(w), err
		}
	}
	out, lacks, err := s.passed(e, m, waited)
	if lacks != nil || err != nil {
		return 0, err // for which the row waits first
	}
	var lists [][]byte
	goes, err := s.goes(e, out)
	if err != nil {
		return 0, err
	}
	if goes {
		l, err := s.parentList(e, keyOf(m.Before, e.identity))
		if err != nil {
			return 0, err
		}
		if l != nil {
			lists = append(lists, l, s.list(parentList, e, nil))
		}
	}
	for i, u := range e.uniques {
		if out.Op == rowferry.Insert || out.Op == rowferry.Update && changes(out, u) {
			lists = append(lists, s.uniqueList(e, i, after(out, u)), s.uniqueList(e, i, nil))
		}
	}
	for _, l := range lists {
		number, err := s.first(l)
		if number != 0 || err != nil {
			return number, err
		}
	}
	return 0, nil
}

// parentList is of the rows that refer to a row in the target, which is named by its
// key there: the source's may change meanwhile. Nil where the row is not there.
func (s *step) parentList(e *entity, key []rowferry.Value) ([]byte, error) {
	there, err := s.there(e, key)
	if there == nil || err != nil {
		return nil, err
	}
	return s.list(parentList, e, there), nil
}

func numberOf(w *waiting) uint64 {
	if w == nil {
		return 0
	}
	return w.number
}

// uniqueList is of the rows that have the values of a unique key in the target; nil
// means that it is not known which.
func (s *step) uniqueList(e *entity, i int, values []rowferry.Value) []byte {
	return appendKey(binary.AppendUvarint(append([]byte{uniqueList}, e.id...), uint64(i)), values)
}

// holder returns the waiting row that has a key, or that leaves it and so still has
// it in the target.
func (s *step) holder(e *entity, key []rowferry.Value) (w *waiting, leaves bool, err error) {
	data, err := s.notes.Get(s.holderKey(e, key))
	if data == nil || err != nil {
		return nil, false, err
	}
	w, err = s.load(binary.BigEndian.Uint64(data))
	return w, len(data) > 8, err
}

func (s *step) holderKey(e *entity, key []rowferry.Value) []byte {
	return appendKey(append([]byte{holderNote}, e.id...), key)
}

func (s *step) hold(e *entity, key []rowferry.Value, number uint64, leaves bool) {
	data := binary.BigEndian.AppendUint64(nil, number)
	if leaves {
		data = append(data, 1)
	}
	s.notes.Put(s.holderKey(e, key), data)
}

// comes reports whether the row with the key is still to come: one that waits is not
// in the target, or not under this key, or what is there is only to be deleted.
func (s *step) comes(e *entity, key []rowferry.Value) (bool, error) {
	w, leaves, err := s.holder(e, key)
	if w == nil || err != nil {
		return false, err
	}
	return leaves || w.change.Op != rowferry.Update || s.moves(e, &w.change), nil
}

// park has a mutation wait in a list.
func (s *step) park(e *entity, m *rowferry.Mutation, lacks []byte) error {
	if e.identity == nil {
		return rowferry.Errorf(rowferry.CodeKeyRefused, "a row of %s would have to wait, and the table has no key", e.source)
	}
	if held := s.notes.Held().Waiting; held >= s.most && !s.carrying {
		return rowferry.Errorf(rowferry.CodeWaitFull, "%d rows wait, and no more may", held)
	}
	last, err := s.notes.Get([]byte{lastNote})
	if err != nil {
		return err
	}
	w := &waiting{number: 1, e: e, change: *m}
	if last != nil {
		w.number = binary.BigEndian.Uint64(last) + 1
	}
	if s.origin != nil {
		w.since, w.tx = s.origin.Commit, s.origin.Tx
	}
	s.notes.Put([]byte{lastNote}, binary.BigEndian.AppendUint64(nil, w.number))
	s.notes.Count(rowferry.Kept{Waiting: 1})
	return s.settle(w, lacks)
}

// settle puts a row into the room, to wait in a list.
func (s *step) settle(w *waiting, lacks []byte) error {
	if err := s.place(w, lacks); err != nil {
		return err
	}
	circle, err := s.circle(w)
	if circle == nil || err != nil {
		return err
	}
	return s.open(circle)
}

func (s *step) place(w *waiting, lacks []byte) error {
	m, e := &w.change, w.e
	if m.Op != rowferry.Insert {
		if err := s.pin(w); err != nil {
			return err
		}
		key := keyOf(m.Before, e.identity)
		if other, err := s.notes.Get(s.holderKey(e, key)); err != nil {
			return err
		} else if other == nil { // else a row has it that waits for this one
			s.hold(e, key, w.number, s.moves(e, m))
		}
	}
	if m.Op == rowferry.Insert || s.moves(e, m) {
		s.hold(e, after(m, e.identity), w.number, false)
	}
	if lacks[0] == rejectList {
		if err := s.reject(w); err != nil {
			return err
		}
	}
	var err error
	if w.lacks, err = s.enter(lacks, w.number); err != nil {
		return err
	}
	s.save(w)
	return nil
}

// join makes m a part of what its row waits with.
func (s *step) join(w *waiting, m *rowferry.Mutation) error {
	e, before := w.e, w.change
	if before.Op == rowferry.Delete {
		return rowferry.Errorf(rowferry.CodeInternal, "a row of %s that is deleted changes", e.source)
	}
	lacks := w.lacks.list
	if err := s.remove(w); err != nil {
		return err
	}
	w.change = joined(&before, m)
	switch {
	case before.Op == rowferry.Insert && m.Op == rowferry.Delete:
		s.notes.Count(rowferry.Kept{Waiting: -1})
		return s.wake(releaseOf(w.number))
	case isAside(lacks):
		return s.joinAside(w, m.Op == rowferry.Delete, lacks)
	case before.Op == rowferry.Insert, m.Op == rowferry.Delete || changes(m, all(e.table)):
		return s.retry(w)
	default:
		return s.settle(w, lacks)
	}
}

// joined returns two changes of one row as one.
func joined(a, b *rowferry.Mutation) rowferry.Mutation {
	m := *b
	m.Op, m.Before, m.Revives = a.Op, a.Before, a.Revives
	switch {
	case b.Op == rowferry.Delete:
		m.Op = rowferry.Delete
	default:
		m.After = slices.Clone(b.After)
		for o := range m.After {
			if m.After[o].IsAbsent() {
				m.After[o] = a.After[o]
			}
		}
	}
	return m
}

// retry brings a row that was taken out of the room to the target, or has it wait
// for what it lacks now.
func (s *step) retry(w *waiting) error {
	number, err := s.pinned(w.e, &w.change, true)
	if err != nil {
		return err
	}
	if number != 0 {
		return s.settle(w, releaseOf(number))
	}
	if w.rejection != nil && w.rejection.dropped {
		return s.settle(w, []byte{droppedList})
	}
	s.notes.Count(rowferry.Kept{Waiting: -1})
	lacks, err := s.write(w.e, &w.change, true)
	if err != nil {
		return err
	}
	if lacks != nil {
		s.notes.Count(rowferry.Kept{Waiting: 1})
		return s.settle(w, lacks)
	}
	return s.wake(releaseOf(w.number))
}

// deepest is how far rows set each other free at once: what one in so long a chain sets
// free comes behind the others.
var deepest = 500 // at least 1; tests alone change it

// wake has every row of a list try again, in the order in which they came.
func (s *step) wake(list []byte) error {
	if s.depth == deepest {
		s.later = append(s.later, list)
		return nil
	}
	s.depth++
	err := s.wakeAll(list)
	s.depth--
	for s.depth == 0 && len(s.later) > 0 && err == nil {
		list, s.later = s.later[0], s.later[1:]
		s.depth++
		err = s.wakeAll(list)
		s.depth--
	}
	return err
}

func (s *step) wakeAll(list []byte) error {
	numbers, err := s.members(list)
	if err != nil {
		return err
	}
	slices.Sort(numbers)
	for _, number := range numbers {
		w, err := s.load(number)
		if err != nil {
			return err
		}
		if w == nil || !slices.Equal(w.lacks.list, list) {
			continue // what was woken before has changed it
		}
		if err := s.remove(w); err != nil {
			return err
		}
		if err := s.retry(w); err != nil {
			return err
		}
	}
	return nil
}

// remove takes a row out of the room, with all that was noted of it but the count.
func (s *step) remove(w *waiting) error {
	m, e := &w.change, w.e
	if m.Op != rowferry.Insert {
		if err := s.unhold(e, keyOf(m.Before, e.identity), w.number); err != nil {
			return err
		}
	}
	if m.Op == rowferry.Insert || s.moves(e, m) {
		if err := s.unhold(e, after(m, e.identity), w.number); err != nil {
			return err
		}
	}
	for _, p := range append(w.pins, w.lacks) {
		if err := s.leave(p); err != nil {
			return err
		}
	}
	if err := s.giveBack(w); err != nil {
		return err
	}
	if w.lacks.list[0] == rejectList {
		s.notes.Count(rowferry.Kept{Rejected: -1})
	}
	w.keeps = nil
	for _, p := range w.pins {
		w.keeps = append(w.keeps, p.list)
	}
	w.pins, w.lacks = nil, slot{}
	s.notes.Put(waitingKey(w.number), nil)
	return nil
}

// giveBack gives a key back to the row that w waited for, where that still has it in
// the target.
func (s *step) giveBack(w *waiting) error {
	if w.lacks.list[0] != releaseList {
		return nil
	}
	x, err := s.awaited(w)
	if x == nil || err != nil || x.e != w.e || x.change.Op == rowferry.Insert {
		return err
	}
	if key := keyOf(x.change.Before, x.e.identity); sameKey(key, after(&w.change, w.e.identity)) {
		s.hold(x.e, key, x.number, s.moves(x.e, &x.change))
	}
	return nil
}

// unhold says that a row has a key no longer; another one may have it already.
func (s *step) unhold(e *entity, key []rowferry.Value, number uint64) error {
	data, err := s.notes.Get(s.holderKey(e, key))
	if err != nil || data == nil || binary.BigEndian.Uint64(data) != number {
		return err
	}
	s.notes.Put(s.holderKey(e, key), nil)
	return nil
}
