package mapping

import (
	"encoding/binary"
	"slices"

	"github.com/rowferry/rowferry"
	"github.com/rowferry/rowferry/schema"
)

// waiting is a row that waits, with all its changes since as one mutation, under
// the source's keys.
type waiting struct {
	number uint64
	e      *entity
	change rowferry.Mutation
	since  int64  // the commit of the first change, Unix milliseconds
	tx     string // and its transaction
	// lacks is its place in the list that it waits in.
	lacks slot
	// pins are the lists of what the row still has in the target, for which others
	// have to wait.
	pins []slot
	// keeps names them while the row is out of the room, nil where they are not
	// known yet.
	keeps [][]byte
	// rejection is why the target refused it; nil where it did not.
	rejection *rejection
}

// slot is a place in a list.
type slot struct {
	list []byte
	at   uint64
}

func waitingKey(number uint64) []byte {
	return binary.BigEndian.AppendUint64([]byte{waitingNote}, number)
}

func (s *step) save(w *waiting) {
	b := appendText(appendText(nil, w.e.name.Schema), w.e.name.Table)
	b = append(b, byte(w.change.Op), flags(&w.change))
	b = appendRow(appendRow(b, w.change.Before), w.change.After)
	b = appendText(binary.AppendUvarint(b, uint64(w.since)), w.tx)
	b = binary.AppendUvarint(b, uint64(len(w.pins)+1))
	for _, p := range append([]slot{w.lacks}, w.pins...) {
		b = binary.AppendUvarint(appendText(b, string(p.list)), p.at)
	}
	b = binary.AppendUvarint(b, uint64(w.change.Revives))
	b = w.rejection.appendTo(b)
	s.notes.Put(waitingKey(w.number), b)
}

func flags(m *rowferry.Mutation) (f byte) {
	if m.ChecksOff {
		f |= 1
	}
	if m.ChecksLate {
		f |= 2
	}
	if m.Filtered {
		f |= 4
	}
	return f
}

// load returns a row that waits, nil where it does not any more.
func (s *step) load(number uint64) (*waiting, error) {
	data, err := s.notes.Get(waitingKey(number))
	if data == nil || err != nil {
		return nil, err
	}
	return s.parsed(number, data)
}

// parsed reads a row that waits, and finds its table.
func (s *step) parsed(number uint64, data []byte) (*waiting, error) {
	w, err := parseWaiting(number, data)
	if err != nil {
		return nil, err
	}
	w.e = s.entity(w.change.Source)
	if w.e.table == nil {
		return nil, rowferry.Errorf(rowferry.CodeInternal, "a row of %s waits, and its table is not known", w.change.Source)
	}
	w.change.Table, w.change.Source = w.e.table, w.e.source
	return w, nil
}

// parseWaiting reads what save wrote. The change's Source is the target's name.
func parseWaiting(number uint64, data []byte) (*waiting, error) {
	r := reader{rest: data}
	w := &waiting{number: number}
	m := &w.change
	m.Source = schema.Name{Schema: r.text(), Table: r.text()}
	m.Op = rowferry.Op(r.bytes(1)[0])
	f := r.bytes(1)[0]
	m.ChecksOff, m.ChecksLate, m.Filtered = f&1 != 0, f&2 != 0, f&4 != 0
	m.Before, m.After = r.row(), r.row()
	w.since, w.tx = int64(r.uvarint()), r.text()
	for range r.uvarint() {
		p := slot{list: []byte(r.text()), at: r.uvarint()}
		if r.err != nil {
			return nil, r.err
		}
		if w.lacks.list == nil {
			w.lacks = p
			continue
		}
		w.pins = append(w.pins, p)
	}
	if len(r.rest) > 0 { // which were not written always
		m.Revives = int(r.uvarint())
	}
	if len(r.rest) > 0 {
		w.rejection = r.rejection()
	}
	return w, r.err
}

// goes reports whether a row leaves the key that it has in the target. Where it
// follows a parent whose key there stays, its own does too.
func (s *step) goes(e *entity, m *rowferry.Mutation) (bool, error) {
	if m.Op == rowferry.Delete || !s.moves(e, m) || e.rule.Key != Keep || !e.noted {
		return m.Op == rowferry.Delete || s.moves(e, m) && !e.rule.fresh(), nil
	}
	was, err := s.mapped(e, keyOf(m.Before, e.identity))
	if was == nil || err != nil {
		return true, err
	}
	now := whole(m)
	to := slices.Clone(now)
	for i := range e.refs {
		f := &e.refs[i]
		key, refers := f.values(now)
		if !f.own || !refers || !f.active(now) {
			continue
		}
		there, err := s.parent(f.parent, key)
		if there == nil || err != nil {
			return false, err // for which the row waits first
		}
		place(to, now, f.columns, there)
	}
	return !sameKey(was, keyOf(to, e.identity)), nil
}
