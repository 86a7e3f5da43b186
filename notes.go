package rowferry

import (
	"bytes"
	"maps"
	"slices"

	"github.com/rowferry/rowferry/schema"
)

// mostNotes bounds what one batch changes in the notes, in bytes, as they are held
// in memory until its commit.
const mostNotes = 64 << 20

// noteRoom is for how many bytes of notes room is made at a time.
const noteRoom = 16 << 10

// delta is what one batch changes in the notes, over those of the batches before
// it that are not committed yet. A batch that is resolved again fills it anew, and
// comes to the same: what was resolved after it stays right.
type delta struct {
	state  State
	before *delta // nil where all before it is recorded
	base   Kept   // before it
	kept   Kept
	places map[string]int32 // in notes
	notes  []Note           // one a key
	room   []byte           // that is left for keys and values
	bytes  int
	given  map[ChangeID]int64 // keys, by what they were given to; nil where they are not noted
	// refused are the mutations that the target refused, and that are put aside.
	refused map[ChangeID]*Refusal
	at      ChangeID // what is resolved next
	// tried is how many changes of a transaction, from its first on, are put aside as a
	// trial; see trial.go.
	tried   int
	fetches *fetches
	fetched uint64                 // rows that were brought from the source
	leftOut map[schema.Name]uint64 // changes, by source table; see LeftOut
}

var _ Notes = (*delta)(nil)

// notes returns the notes that a batch begins with, after those of the batch that
// was resolved before it.
func (e *Engine) notes(b *batch) *delta {
	if b.notes == nil {
		_, reads := e.parts.Source.(Fetcher)
		b.notes = &delta{
			state: e.parts.State, before: e.newest, base: e.at.Held.Notes,
			fetches: &fetches{found: map[string]*Fetched{}, ends: !reads || e.at.Held.Copy.carries()},
		}
		if !b.spilled() {
			b.notes.given = map[ChangeID]int64{}
		}
		e.newest = b.notes
	}
	b.notes.clear()
	return b.notes
}

// apart gives the batches that b was split into notes of their own, one after the
// other.
func (d *delta) apart(parts []*batch) {
	before := d.before
	for _, b := range parts {
		b.notes = &delta{state: d.state, before: before, given: d.given, refused: d.refused, base: d.base, fetches: d.fetches}
		before = b.notes
	}
}

// clear forgets what the batch changes.
func (d *delta) clear() {
	if d.before != nil {
		d.base = d.before.kept
	}
	d.places, d.notes, d.room, d.bytes, d.kept, d.fetched, d.leftOut = map[string]int32{}, nil, nil, 0, d.base, 0, nil
}

// settle says that the notes are recorded, and the batch committed.
func (d *delta) settle() {
	if d != nil {
		d.before, d.places, d.notes, d.room, d.given, d.fetches = nil, nil, nil, nil, nil, nil
	}
}

// Get implements Notes.
func (d *delta) Get(key []byte) ([]byte, error) {
	for at := d; at != nil; at = at.before {
		if i, ok := at.places[string(key)]; ok {
			return at.notes[i].Value, nil
		}
	}
	return d.state.Get(key)
}

// Put implements Notes.
func (d *delta) Put(key, value []byte) {
	d.bytes += len(key) + len(value)
	value = d.keep(value)
	if i, ok := d.places[string(key)]; ok {
		d.notes[i].Value = value
		return
	}
	d.places[string(key)] = int32(len(d.notes))
	d.notes = append(d.notes, Note{d.keep(key), value})
}

// keep returns a copy, nil of nil.
func (d *delta) keep(b []byte) []byte {
	if b == nil {
		return nil
	}
	if d.room == nil || len(b) > len(d.room) {
		d.room = make([]byte, max(len(b), noteRoom))
	}
	kept := d.room[:len(b):len(b)]
	d.room = d.room[len(b):]
	copy(kept, b)
	return kept
}

// Held implements Notes.
func (d *delta) Held() Kept { return d.kept }

// Count implements Notes.
func (d *delta) Count(k Kept) {
	d.kept = d.kept.plus(k)
	d.fetched += uint64(max(0, k.Fetched))
}

// LeftOut implements Notes.
func (d *delta) LeftOut(source schema.Name) {
	if d.leftOut == nil {
		d.leftOut = map[schema.Name]uint64{}
	}
	d.leftOut[source]++
}

// Fetched implements Notes.
func (d *delta) Fetched(source schema.Name, key []Value) *Fetched {
	return d.fetches.get(fetchKey{source, key})
}

// Assigned implements Notes.
func (d *delta) Assigned(c ChangeID) (int64, bool) {
	key, ok := d.given[c]
	return key, ok
}

// Assign implements Notes.
func (d *delta) Assign(c ChangeID, key int64) {
	if d.given != nil {
		d.given[c] = key
	}
}

// change says which change is resolved now.
func (d *delta) change(tx string, index int) { d.at = ChangeID{Tx: tx, Index: index} }

// Next implements Notes.
func (d *delta) Next() (nth int, refused *Refusal) {
	at := d.at
	d.at.Nth++
	if why := d.refused[at]; why != nil || at.Index >= d.tried {
		return at.Nth, why
	}
	return at.Nth, &Refusal{Code: CodeRowRefused, Trial: true}
}

// id names what comes of a change.
func (m *Mutation) id() ChangeID { return ChangeID{Tx: m.Origin.Tx, Index: m.Index, Nth: m.Turn} }

// refuse has a mutation put aside when the batch is resolved again. What comes
// after it is another then, and may be given other keys. It reports false where that
// did not help before.
func (d *delta) refuse(id ChangeID, why *Refusal) bool {
	if d.refused[id] != nil {
		return false
	}
	maps.DeleteFunc(d.refused, func(at ChangeID, _ *Refusal) bool {
		return at.Tx == id.Tx && (at.Index > id.Index || at.Index == id.Index && at.Nth > id.Nth)
	})
	d.mark(id, why)
	return true
}

// mark has a mutation put aside when the batch is resolved again, or no more where why
// is nil. What is put aside shifts what the rest is known by.
func (d *delta) mark(id ChangeID, why *Refusal) {
	if d.refused == nil {
		d.refused = map[ChangeID]*Refusal{}
	}
	if d.refused[id] = why; why == nil {
		delete(d.refused, id)
	}
	clear(d.given)
}

// list returns what is to be recorded, in order of key.
func (d *delta) list() []Note {
	if d == nil {
		return nil
	}
	all := slices.Clone(d.notes)
	slices.SortFunc(all, func(a, b Note) int { return bytes.Compare(a.Key, b.Key) })
	return all
}

// fits reports whether the notes of one batch can be held.
func (d *delta) fits() error {
	if d.bytes <= mostNotes {
		return nil
	}
	return Errorf(CodeNotesLarge, "one transaction changes more keys and waiting rows than fit into memory").
		Fact("notes", "%d MiB", d.bytes>>20).
		Remedy("keep", "the keys of its table: key: keep")
}
