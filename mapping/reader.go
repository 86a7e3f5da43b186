package mapping

import (
	"bytes"
	"context"
	"errors"
	"maps"
	"slices"

	"github.com/rowferry/rowferry"
	"github.com/rowferry/rowferry/schema"
)

// Records are the notes as they are recorded; see rowferry.State.
type Records interface {
	Get(key []byte) ([]byte, error)
	Scan(prefix []byte, fn func(key, value []byte) error) error
}

// Reader tells what is recorded of rows: which key they have in the target, and what
// they wait for. It changes nothing, and may be used while an engine records. Used by
// one goroutine.
type Reader struct {
	step
	from Records
}

// Standing is how a row stands in the target, as far as the notes tell.
type Standing string

// How a row stands.
const (
	Applied  Standing = "applied"  // it is there, and its key is noted
	Waits    Standing = "waiting"  // a change of it waits
	Left     Standing = "filtered" // it is left out of the target by a filter, its own or its parent's
	Kept     Standing = "kept"     // nothing is noted of such rows: where it is, its key is the source's
	Computed Standing = "computed" // nothing is noted of such rows: where it is, its key follows from the source's
	Unknown  Standing = "unknown"  // it is not there
)

// Found is what is recorded of a row.
type Found struct {
	Entity schema.Name // of the source
	Key    []rowferry.Value
	Target []rowferry.Value // nil where the row is not in the target
	Status Standing
	Waits  *WaitingRow // nil where it does not wait
}

// Pair is a key in the source and the one in the target.
type Pair struct {
	Key, Target []rowferry.Value
	// Met is what was made of a row that was in the target before, and so is somebody
	// else's; "" of any other.
	Met Duplicates
	// Filtered tells that the row is left out of the target, where it has no key.
	Filtered bool
}

// NewReader reads the notes of a pipeline with the tables, by their source names, that
// began with a copy or did not. CodeNoKeys where every key is the source's.
func NewReader(rules *Rules, tables []*schema.Table, copied bool, from Records) (*Reader, error) {
	h := NewHandler(rules, nil)
	seen := map[schema.Name]*schema.Table{}
	for _, t := range tables {
		ms, err := h.Handle(nil, &rowferry.Change{Op: rowferry.Shape, Table: t})
		if err != nil {
			return nil, err
		}
		for i := range ms {
			seen[ms[i].Source] = ms[i].Table
		}
	}
	return newReader(rules, seen, copied, from)
}

// ReaderBeside reads the notes that r makes, while an engine uses it.
func ReaderBeside(r rowferry.Resolver, from Records) (*Reader, error) {
	own, ok := r.(*resolver)
	if !ok {
		return nil, noKeys()
	}
	own.mu.Lock()
	seen, copied := maps.Clone(own.seen), own.circles
	own.mu.Unlock()
	return newReader(own.rules, seen, copied, from)
}

func newReader(rules *Rules, seen map[schema.Name]*schema.Table, copied bool, from Records) (*Reader, error) {
	r := newResolver(rules)
	if !r.configured() {
		return nil, noKeys()
	}
	if copied && !r.Keeps() { // as the engine does
		r.AwaitCircles()
	}
	for _, source := range slices.SortedFunc(maps.Keys(seen), schema.Name.Compare) {
		if err := r.learn(source, seen[source]); err != nil {
			return nil, err
		}
	}
	return &Reader{step: step{resolver: r, notes: readOnly{Records: from}}, from: from}, nil
}

func noKeys() error {
	return rowferry.Errorf(rowferry.CodeNoKeys, "every key of this pipeline is the source's, and no row of it waits")
}

// readOnly are notes that nobody writes.
type readOnly struct {
	Records
	rowferry.Notes // which no reading calls
}

// Get implements rowferry.Notes.
func (r readOnly) Get(key []byte) ([]byte, error) { return r.Records.Get(key) }

// named returns the entity of a source table that was seen.
func (r *Reader) named(source string) (*entity, error) {
	var known []string
	for _, e := range r.all() {
		if e.table == nil {
			continue
		}
		if e.source.String() == source {
			return e, nil
		}
		known = append(known, e.source.String())
	}
	slices.Sort(known)
	err := rowferry.Errorf(rowferry.CodeEntityUnseen, "no table %q is known", source)
	for _, name := range known[:min(len(known), 10)] {
		err.Fact("known", "%s", name)
	}
	return nil, err
}

// parse returns the entity of a source table, and a key of it.
func (r *Reader) parse(source, key string) (*entity, []rowferry.Value, error) {
	e, err := r.named(source)
	if err != nil {
		return nil, nil, err
	}
	values, err := parseKey(e.source, e.table, key)
	return e, values, err
}

// Lookup tells of the row with a key in the source; see ParseKey for its form.
func (r *Reader) Lookup(source, key string) (*Found, error) {
	e, values, err := r.parse(source, key)
	if err != nil {
		return nil, err
	}
	return r.find(e, values, r.having)
}

// LookupTarget tells of the row with a key in the target. Where keys are noted, it
// goes through those of the entity.
func (r *Reader) LookupTarget(ctx context.Context, source, key string) (*Found, error) {
	e, values, err := r.parse(source, key)
	if err != nil {
		return nil, err
	}
	if !e.noted {
		back := values
		if e.rule.Key == Offset {
			v, ok := shifted(values[0], -e.rule.Offset)
			if !ok {
				return &Found{Entity: e.source, Target: values, Status: Unknown}, nil
			}
			back = []rowferry.Value{v}
		}
		return r.find(e, back, r.leaving)
	}
	var at []rowferry.Value
	wanted := appendKey(nil, values)
	err = r.scanPairs(ctx, e, func(key, to []byte) error {
		if flags := len(to) - len(wanted); !bytes.HasPrefix(to, wanted) || flags > 1 {
			return nil
		}
		at = r.decode(e, key)
		return ErrEnough
	})
	if err != nil {
		return nil, err
	}
	if at == nil {
		return &Found{Entity: e.source, Target: values, Status: Unknown}, nil
	}
	return r.find(e, at, r.leaving)
}

// having returns the row that has a key in the source and waits, or else the one that
// had it and still has it in the target.
func (r *Reader) having(e *entity, key []rowferry.Value) (*waiting, error) {
	w, _, err := r.holder(e, key)
	return w, err
}

// leaving returns the row that waits and whose key in the target goes with the given
// one. A row that has the key now waits for it.
func (r *Reader) leaving(e *entity, key []rowferry.Value) (*waiting, error) {
	w, _, err := r.holder(e, key)
	for w != nil && err == nil {
		if w.change.Op != rowferry.Insert && w.e == e && sameKey(keyOf(w.change.Before, e.identity), key) {
			return w, nil
		}
		if w.lacks.list[0] != releaseList {
			return nil, nil
		}
		w, err = r.awaited(w)
	}
	return nil, err
}

// find looks into the room first: a row that leaves it meanwhile is noted then. One
// that comes into it meanwhile is seen the second time.
func (r *Reader) find(e *entity, key []rowferry.Value, room func(*entity, []rowferry.Value) (*waiting, error)) (*Found, error) {
	for range 2 {
		f := &Found{Entity: e.source, Key: key, Status: Unknown}
		w, err := room(e, key)
		if err != nil {
			return nil, err
		}
		at := key
		if w != nil {
			f.Status = Waits
			if f.Waits, err = r.tell(w); err != nil {
				return nil, err
			}
			if w.change.Op == rowferry.Insert {
				return f, nil
			}
			at = keyOf(w.change.Before, e.identity)
		}
		if f.Target, err = r.there(e, at); err != nil {
			return nil, err
		}
		switch {
		case w != nil:
			return f, nil
		case f.Target == nil && e.noted && r.flags&filtered != 0:
			f.Status = Left
		case f.Target == nil:
			continue
		case e.noted:
			f.Status = Applied
		case e.rule.Key == Offset:
			f.Status = Computed
		default:
			f.Status = Kept
		}
		return f, nil
	}
	return &Found{Entity: e.source, Key: key, Status: Unknown}, nil
}

// Pairs calls fn with the noted keys of an entity, in the order of the source's:
// numbers by size, texts by length first. CodeNoKeys where its keys are not noted.
func (r *Reader) Pairs(ctx context.Context, source string, fn func(Pair) error) error {
	e, err := r.named(source)
	if err != nil {
		return err
	}
	if !e.noted {
		return rowferry.Errorf(rowferry.CodeNoKeys, "the keys of %s are not noted: they are the source's, or follow from them", e.source)
	}
	return r.scanPairs(ctx, e, func(key, to []byte) error {
		target := make([]rowferry.Value, len(e.identity))
		flags, err := parseNoted(to, target)
		p := Pair{Key: r.decode(e, key), Target: target, Met: metBy(flags), Filtered: flags&filtered != 0}
		if p.Filtered {
			p.Target = nil
		}
		if p.Key == nil || err != nil {
			return errNote
		}
		return fn(p)
	})
}

// ErrEnough ends a list, from what it is told to call, without being an error.
var ErrEnough = errors.New("enough")

// scan calls fn with the notes of a prefix, without it, until it has enough.
func (r *Reader) scan(ctx context.Context, prefix []byte, fn func(key, value []byte) error) error {
	err := r.from.Scan(prefix, func(key, value []byte) error {
		if err := ctx.Err(); err != nil {
			return err
		}
		return fn(key[len(prefix):], value)
	})
	if errors.Is(err, ErrEnough) {
		return nil
	}
	return err
}

func (r *Reader) scanPairs(ctx context.Context, e *entity, fn func(key, to []byte) error) error {
	return r.scan(ctx, append([]byte{mapNote}, e.id...), fn)
}

// decode reads a key of the entity, nil where it is none.
func (r *Reader) decode(e *entity, data []byte) []rowferry.Value {
	rd := reader{rest: data}
	key := make([]rowferry.Value, len(e.identity))
	for i := range key {
		key[i] = rd.value()
	}
	if rd.err != nil || len(rd.rest) > 0 {
		return nil
	}
	return key
}
