package mapping

import (
	"encoding/binary"
	"slices"

	"github.com/rowferry/rowferry"
	"github.com/rowferry/rowferry/internal/failpoint"
)

// fetches reports whether a parent that is not there is fetched: for rows of a table
// that says so, and for those of its parents, and theirs, unless they say otherwise.
func (e *entity) fetches() bool {
	return e.rule.Missing == Fetch || e.fetched && e.rule.Missing == ""
}

// Fetches reports whether rows are fetched from the source, which has to be one that
// can be asked.
func (r *Rules) Fetches() bool {
	for _, x := range r.entities {
		if x.Keys.Missing == Fetch {
			return true
		}
	}
	return false
}

// connectFetched finds the tables of which rows are fetched, once references are known.
func (r *resolver) connectFetched(e *entity) error {
	for i := range e.refs {
		p := e.refs[i].parent
		if !e.fetches() || !p.noted {
			continue
		}
		p.fetched = true
		switch {
		case p.table != nil && r.rules.custom[p.source] != nil:
			return rowferry.Errorf(rowferry.CodeKeyRefused, "rows of %s cannot be fetched: a custom handler makes others of them", p.source).
				Remedy("wait for them", "missing_parent: wait, of %s", e.source)
		case p.rule.looks() && p.rule.duplicates() == MergeDuplicates:
			return rowferry.Errorf(rowferry.CodeKeyRefused, "rows of %s cannot be fetched: with 'on_duplicate: merge', what later changes come to depends on what they were before", p.source).
				Remedy("write them over", "on_duplicate: update")
		}
	}
	return nil
}

// fetch brings a parent that is not there from the source, and its own parents first,
// ahead of the row that is being written, and returns its key in the target. Nil where
// the source does not have it either, the rules leave it out, or it waits: then what
// becomes of it is in the log.
func (s *step) fetch(e *entity, key []rowferry.Value) ([]rowferry.Value, error) {
	name := string(s.list(newerNote, e, key))
	if e.table == nil || slices.Contains(s.coming, name) {
		return nil, nil
	}
	if w, leaves, err := s.holder(e, key); err != nil || w != nil && !leaves && w.change.Op != rowferry.Delete {
		return nil, err // it waits
	}
	f := s.notes.Fetched(e.source, key)
	switch {
	case f == nil && s.sight.looking:
		return nil, nil
	case f == nil:
		return nil, rowferry.ErrKeysShort
	}
	for i := range f.Rows {
		m := f.Rows[i]
		m.Table, m.Source = e.table, e.source
		if m.Op != rowferry.Insert || !sameKey(keyOf(m.After, e.identity), key) {
			return nil, rowferry.Errorf(rowferry.CodeKeyRefused, "rows of %s cannot be fetched: the rules make another key of theirs", e.source).Fact("key", "%v", key)
		}
		if err := s.noteNewer(e, name, f.Mark, m.After); err != nil {
			return nil, err
		}
		if err := s.change(e, &m); err != nil {
			return nil, err
		}
	}
	return s.parent(e, key)
}

// within calls do while the row of m is on its way, so that it is not fetched for a
// parent of its own.
func (s *step) within(e *entity, m *rowferry.Mutation, do func() ([]byte, error)) ([]byte, error) {
	if e.fetched && (m.Op == rowferry.Insert || s.moves(e, m)) {
		s.coming = append(s.coming, string(s.list(newerNote, e, after(m, e.identity))))
		defer func() { s.coming = s.coming[:len(s.coming)-1] }()
	}
	return do()
}

// noteNewer notes that a row is newer than the log, up to a mark. name is its note.
func (s *step) noteNewer(e *entity, name string, mark rowferry.Mark, row rowferry.Row) error {
	first, next, err := newerRange(s.notes)
	if err != nil {
		return err
	}
	s.putNewer([]byte(name), next, e.holds(row))
	s.notes.Put(newerAt(next), appendText(appendText(nil, string(mark)), name))
	putNewerRange(s.notes, first, next+1)
	s.notes.Count(rowferry.Kept{Fetched: 1})
	return nil
}

func (s *step) putNewer(name []byte, number uint64, row rowferry.Row) {
	s.notes.Put(name, appendRow(binary.BigEndian.AppendUint64(nil, number), row))
}

// newerRange returns the first of the rows that are newer than the log, in the order
// in which they were fetched, and the number of the next one.
func newerRange(n rowferry.Notes) (first, next uint64, err error) {
	data, err := n.Get([]byte{newerRangeNote})
	if data == nil || err != nil {
		return 0, 0, err
	}
	r := reader{rest: data}
	first = r.number()
	next = r.number()
	return first, next, r.err
}

func putNewerRange(n rowferry.Notes, first, next uint64) {
	if first == next {
		n.Put([]byte{newerRangeNote}, nil)
		return
	}
	n.Put([]byte{newerRangeNote}, binary.BigEndian.AppendUint64(binary.BigEndian.AppendUint64(nil, first), next))
}

func newerAt(number uint64) []byte {
	return binary.BigEndian.AppendUint64([]byte{newerOrderNote}, number)
}

// Passed implements rowferry.Resolver.
func (r *resolver) Passed(n rowferry.Notes, passed func(rowferry.Mark) (bool, error)) error {
	first, next, err := newerRange(n)
	if err != nil {
		return err
	}
	begun, last := first, rowferry.Mark("")
	for ; first < next; first++ {
		data, err := n.Get(newerAt(first))
		if err != nil {
			return err
		}
		rd := reader{rest: data}
		mark, name := rowferry.Mark(rd.text()), []byte(rd.text())
		if rd.err != nil {
			return rd.err
		}
		if mark != last {
			if is, err := passed(mark); err != nil {
				return err
			} else if !is && !failpoint.On("forget-marks") {
				break
			}
			last = mark
		}
		n.Put(newerAt(first), nil)
		n.Count(rowferry.Kept{Fetched: -1})
		if at, err := n.Get(name); err != nil {
			return err
		} else if at != nil && binary.BigEndian.Uint64(at) == first { // else it was fetched again
			n.Put(name, nil)
		}
	}
	if first != begun {
		putNewerRange(n, first, next)
	}
	return nil
}
