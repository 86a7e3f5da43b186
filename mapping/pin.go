package mapping

import (
	"slices"

	"github.com/rowferry/rowferry"
)

// pin notes what a row that waits still has in the target, which stays the same for
// as long as it waits.
func (s *step) pin(w *waiting) error {
	if w.keeps == nil {
		var err error
		if w.keeps, err = s.keeps(w); err != nil {
			return err
		}
	}
	for _, l := range w.keeps {
		p, err := s.enter(l, w.number)
		if err != nil {
			return err
		}
		w.pins = append(w.pins, p)
	}
	return nil
}

func (s *step) keeps(w *waiting) ([][]byte, error) {
	m, e := &w.change, w.e
	lists := [][]byte{}
	if e.tracked() {
		if is, err := s.standsAs(e, keyOf(m.Before, e.identity)); is == leftOut || err != nil {
			return lists, err
		}
	}
	for i := range e.refs {
		f := &e.refs[i]
		if f.unknown(m.Before) { // any of them may be its parent
			lists = append(lists, s.list(parentList, f.parent, nil))
			continue
		}
		key, refers := f.values(m.Before)
		if !refers || !f.active(m.Before) {
			continue
		}
		l, err := s.parentList(f.parent, key)
		if err != nil {
			return nil, err
		}
		if l != nil {
			lists = append(lists, l)
		}
	}
	for i, u := range e.uniques {
		values := keyOf(m.Before, u)
		if slices.ContainsFunc(values, rowferry.Value.IsAbsent) {
			values = nil
		}
		lists = append(lists, s.uniqueList(e, i, values))
	}
	return lists, nil
}

// unknown reports whether an image does not tell where a row refers to.
func (f *reference) unknown(row rowferry.Row) bool {
	return f.kind >= 0 && row[f.kind].IsAbsent() || slices.ContainsFunc(f.columns, func(o int) bool { return row[o].IsAbsent() })
}
