package mapping

import (
	"bytes"

	"github.com/rowferry/rowferry"
)

// Restoring makes notes of keys that were told by Reader.Pairs elsewhere. It writes
// nothing itself.
type Restoring struct {
	reader *Reader
	notes  []rowferry.Note
	put    map[string][]byte // what is in notes
	fresh  rowferry.Kept
}

// NewRestoring returns one that compares with what r reads.
func NewRestoring(r *Reader) *Restoring { return &Restoring{reader: r, put: map[string][]byte{}} }

// Add notes the keys of a row of the source table, as KeyTexts has them, or with no target
// that it is left out. CodeMapConflict
// where they contradict what is noted, CodeMapFile where they are no keys of the table.
func (x *Restoring) Add(source string, key, target []string, met Duplicates, left bool) error {
	r := x.reader
	e, err := r.named(source)
	if err != nil {
		return err
	}
	from, ok := e.values(key)
	to, okTo := e.values(target)
	flags, okMet := flagsOf(met)
	if left {
		to, okTo, okMet = make([]rowferry.Value, len(e.identity)), target == nil && e.tracked(), met == ""
		flags = filtered
	}
	switch {
	case !e.noted:
		return rowferry.Errorf(rowferry.CodeMapConflict, "the keys of %s are not noted by this pipeline: they are the source's, or follow from them", e.source)
	case !ok || !okTo || !okMet:
		return rowferry.Errorf(rowferry.CodeMapFile, "these are no keys of %s", e.source).
			Fact("source", "%q", key).Fact("target", "%q", target).Fact("met", "%s", met)
	}
	known, err := x.note(append([]byte{}, r.mapKey(e, from)...), appendNoted(nil, to, flags))
	if err != nil {
		return conflict(e, err, key, target)
	}
	switch {
	case known:
	case left:
		x.fresh.Filtered++
	default:
		x.fresh.Mapped++
	}
	if e.naturals == nil {
		return nil
	}
	if _, err = x.note(r.backKey(e, to), appendKey(nil, from)); err != nil {
		return conflict(e, err, key, target)
	}
	return nil
}

func conflict(e *entity, err error, key, target []string) error {
	if rowferry.CodeOf(err) != rowferry.CodeMapConflict {
		return err
	}
	return rowferry.Errorf(rowferry.CodeMapConflict, "a row of %s is noted with another key", e.source).
		Fact("source", "%s", JoinKey(key)).Fact("target", "%s", JoinKey(target))
}

// note adds a note, and reports whether it was there. CodeMapConflict where another is.
func (x *Restoring) note(at, value []byte) (known bool, err error) {
	was, there := x.put[string(at)]
	if !there {
		if was, err = x.reader.from.Get(at); err != nil {
			return false, err
		}
	}
	switch {
	case was == nil:
		x.put[string(at)] = value
		x.notes = append(x.notes, rowferry.Note{Key: bytes.Clone(at), Value: value})
		return false, nil
	case !bytes.Equal(was, value):
		return true, rowferry.Errorf(rowferry.CodeMapConflict, "another key is noted")
	default:
		return true, nil
	}
}

// Len is how many notes there are to take.
func (x *Restoring) Len() int { return len(x.notes) }

// Take returns the notes since it was called last, and how many rows they are of. They
// are recorded before Add is called again.
func (x *Restoring) Take() (notes []rowferry.Note, rows rowferry.Kept) {
	notes, rows = x.notes, x.fresh
	x.notes, x.fresh = nil, rowferry.Kept{}
	clear(x.put)
	return notes, rows
}

// values reads a key of the entity.
func (e *entity) values(texts []string) ([]rowferry.Value, bool) {
	if len(texts) != len(e.identity) || e.table == nil {
		return nil, false
	}
	key := make([]rowferry.Value, len(texts))
	for i, o := range e.identity {
		v, ok := parseValue(e.table.Columns[o].Type, texts[i])
		if !ok {
			return nil, false
		}
		key[i] = v
	}
	return key, true
}
