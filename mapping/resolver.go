package mapping

import (
	"context"
	"slices"
	"sync"

	"github.com/rowferry/rowferry"
	"github.com/rowferry/rowferry/schema"
)

// DefaultWaiting is how many rows may wait at the same time.
const DefaultWaiting = 100_000

// How many keys are set aside at a time: at least so many, and four times as many as
// were taken of the ones before, as long as those are no more than mostKeys.
const (
	blockKeys = 1000
	mostKeys  = 100_000
)

// roomValues is for how many values room is made at a time.
const roomValues = 512

// resolver gives rows the target's keys; see rowferry.Resolver. It belongs to one
// engine.
type resolver struct {
	rules    *Rules
	keys     Keys
	most     int64
	rejects  int64                   // that may be put aside at the same time
	entities map[schema.Name]*entity // by the target's name
	short    *entity                 // whose keys were short
	due      bool                    // keys were low, and none were set aside since
	circles  bool                    // rows wait for parents in circles
	carrying bool                    // the rows of a copy are brought
	begun    bool                    // a batch was
	been     func(source schema.Name, key []rowferry.Value) bool
	sight    sight
	room     []rowferry.Value // that is left for values; see values
	key      []byte           // of a note, until the next is looked up

	mu   sync.Mutex                    // of seen, which readers use as well
	seen map[schema.Name]*schema.Table // the target's shapes, by the source's name
}

var _ rowferry.Resolver = (*resolver)(nil)

// Keys sets keys aside; see rowferry.Reserver.
type Keys interface {
	Reserve(ctx context.Context, table schema.Name, column string, n int) ([]rowferry.KeyRange, error)
}

// NewResolver returns what gives rows the keys that the rules say, and puts aside
// what the target refuses, or nil where every key is the source's and no row is put
// aside. keys may be nil where the target can set none aside:
// CodeKeyRefused where they are needed.
func NewResolver(rules *Rules, keys Keys, limits Limits) (rowferry.Resolver, error) {
	r := newResolver(rules)
	r.keys, r.most, r.rejects = keys, DefaultWaiting, DefaultStopAfter
	r.sight.finder, _ = keys.(Finder)
	if limits.Waiting > 0 {
		r.most = int64(limits.Waiting)
	}
	if limits.Rejects > 0 {
		r.rejects = int64(limits.Rejects)
	}
	if !r.configured() {
		return nil, nil
	}
	if keys == nil && slices.ContainsFunc(r.all(), func(e *entity) bool { return e.rule.fresh() }) {
		return nil, rowferry.Errorf(rowferry.CodeKeyRefused, "this target sets no keys aside: 'key: allocate' is not for it")
	}
	if r.sight.finder == nil && r.Looks() {
		return nil, rowferry.Errorf(rowferry.CodeKeyRefused, "no rows are looked up in this target: 'key: match' and 'on_duplicate' are not for it")
	}
	return r, nil
}

func newResolver(rules *Rules) *resolver {
	return &resolver{rules: rules, entities: map[schema.Name]*entity{}, seen: map[schema.Name]*schema.Table{}}
}

// values returns room for n values.
func (r *resolver) values(n int) []rowferry.Value {
	if n > len(r.room) {
		r.room = make([]rowferry.Value, max(n, roomValues))
	}
	room := r.room[:n:n]
	r.room = r.room[n:]
	return room
}

// copied returns a row that can be changed, nil of nil.
func (r *resolver) copied(row rowferry.Row) rowferry.Row {
	if row == nil {
		return nil
	}
	made := r.values(len(row))
	copy(made, row)
	return made
}

func (r *resolver) all() (es []*entity) {
	for _, e := range r.entities {
		es = append(es, e)
	}
	return es
}

// Resolve implements rowferry.Resolver.
func (r *resolver) Resolve(dst []rowferry.Mutation, m *rowferry.Mutation, n rowferry.Notes) ([]rowferry.Mutation, error) {
	e := r.entity(m.Table.Name)
	if e.table != m.Table {
		if err := r.learn(m.Source, m.Table); err != nil {
			return dst, err
		}
	}
	switch m.Op {
	case rowferry.Insert, rowferry.Update, rowferry.Delete:
	case rowferry.Shape:
		return append(dst, *m), nil
	case rowferry.Truncate:
		if !e.plain || n.Held().Waiting > 0 {
			return dst, rowferry.Errorf(rowferry.CodeMappedTruncate, "%s was truncated, and its rows have keys of their own, or rows wait", m.Source)
		}
		return append(dst, *m), nil
	default:
		return dst, rowferry.Errorf(rowferry.CodeInternal, "an operation %s cannot be given keys", m.Op)
	}
	s := step{resolver: r, notes: n, dst: dst, origin: m.Origin, index: m.Index, nth: m.Nth}
	if !e.tracked() {
		e.came = true
		if m = settled(m); m == nil {
			n.LeftOut(e.source)
			return dst, nil
		}
	}
	if e.fetched && e.identity != nil {
		err := s.merge(e, m)
		return s.dst, err
	}
	err := s.change(e, m)
	return s.dst, err
}

// Reserve implements rowferry.Resolver.
func (r *resolver) Reserve(ctx context.Context) error {
	looked, err := r.find(ctx)
	if err != nil {
		return err
	}
	if r.short == nil && !r.due && !looked {
		return rowferry.Errorf(rowferry.CodeInternal, "no keys are short")
	}
	var soon []*entity
	for _, e := range r.all() {
		switch {
		case e == r.short || e.low(): // what was low may not be any more: Begin estimates anew
			if err := r.reserve(ctx, e); err != nil {
				return err
			}
			r.due = true
		case e.lowSoon():
			soon = append(soon, e)
		}
	}
	if r.due {
		r.ahead(ctx, soon)
		r.due = false
	}
	return nil
}

// ahead sets keys aside that are not short yet. What is wrong is met again once they are.
func (r *resolver) ahead(ctx context.Context, soon []*entity) {
	for _, e := range soon {
		if r.reserve(ctx, e) != nil {
			return
		}
	}
}

func (r *resolver) reserve(ctx context.Context, e *entity) error {
	ranges, err := r.keys.Reserve(ctx, e.name, e.table.Columns[e.identity[0]].Name, e.block())
	if err != nil {
		return err
	}
	e.stock, e.taken = append(e.stock, ranges...), 0
	if e == r.short {
		r.short = nil
	}
	return nil
}

// Short implements rowferry.Resolver.
func (r *resolver) Short() bool {
	r.due = r.due || slices.ContainsFunc(r.all(), (*entity).low)
	return r.due
}

// low reports whether there are fewer keys than a batch and a quarter may take.
func (e *entity) low() bool {
	usual := max(e.usual, e.now)
	return e.fewer(uint64(usual + usual/4))
}

// lowSoon reports whether keys are best set aside beside those of another table:
// nothing is written meanwhile.
func (e *entity) lowSoon() bool { return e.low() || e.usual > 0 && e.fewer(uint64(e.block()/4)) }

// block is how many keys are set aside next.
func (e *entity) block() int { return max(blockKeys, min(4*e.taken, mostKeys), 2*e.usual) }

// fewer reports whether fewer keys are left.
func (e *entity) fewer(left uint64) bool {
	for _, x := range e.stock {
		if has := uint64(x.Last-x.First) + 1; has < left {
			left -= has
		} else {
			return false
		}
	}
	return left > 0
}

// take returns the next key that was set aside.
func (r *resolver) take(e *entity) (int64, error) {
	if r.sight.looking {
		return r.sight.made(), nil
	}
	if len(e.stock) == 0 {
		r.short = e
		return 0, rowferry.ErrKeysShort
	}
	key := e.stock[0].First
	if e.stock[0].First == e.stock[0].Last {
		e.stock = e.stock[1:]
	} else {
		e.stock[0].First++
	}
	e.taken++
	e.now++
	return key, nil
}

// step resolves one change, and what it sets free.
type step struct {
	*resolver
	notes  rowferry.Notes
	dst    []rowferry.Mutation
	origin *rowferry.Origin
	index  int
	nth    int
	given  int  // keys
	flags  byte // of the note that was read last
	// depth is how many lists are being woken, each by a row of the one before, and later
	// those that are too deep.
	depth int
	later [][]byte
	// refused is why the row that is about to be parked is.
	refused *rowferry.Refusal
	// coming are rows on their way of tables whose rows are fetched.
	coming []string
}

// change brings a mutation to the target, or has it wait.
func (s *step) change(e *entity, m *rowferry.Mutation) error {
	if m.Merges {
		var err error
		if m, err = s.lenient(e, m); m == nil || err != nil {
			return err
		}
	}
	return s.bring(e, m, false)
}

// bring is change of a row that may lead elsewhere though it has the same values: see
// translate.
func (s *step) bring(e *entity, m *rowferry.Mutation, waited bool) error {
	if s.notes.Held().Waiting > 0 {
		held, err := s.held(e, m, waited)
		if held || err != nil {
			return err
		}
	}
	if m.Withheld {
		return nil
	}
	lacks, err := s.write(e, m, waited)
	if err != nil || lacks == nil {
		return err
	}
	return s.park(e, m, lacks)
}

// write appends what a mutation, which has waited or not, is in the target, and then
// what was waiting for it. Where a parent is not there it does nothing, and returns
// the list to wait in. That is of its own where the target has refused it.
func (s *step) write(e *entity, m *rowferry.Mutation, waited bool) (lacks []byte, err error) {
	var turn int
	if turn, s.refused = s.notes.Next(); s.refused != nil {
		if e.setsAside() || !s.refused.Trial {
			return []byte{rejectList}, nil
		}
		s.refused = nil
	}
	comes, lacks, err := s.passed(e, m, waited)
	if lacks != nil || err != nil {
		return lacks, err
	}
	if err := s.fresh(e, m); err != nil {
		return nil, err
	}
	out := *comes
	out.Origin, out.Index, out.Nth, out.Turn = s.origin, s.index, s.nth, turn
	if comes.Op != nothing && (!e.plain || len(e.refs) > 0 && s.notes.Held().Waiting > 0) {
		if lacks, err = s.within(e, comes, func() ([]byte, error) { return s.translate(e, &out, waited) }); lacks != nil || err != nil {
			return lacks, err
		}
	}
	if e.tracked() {
		if err := s.omitted(e, m, comes); err != nil {
			return nil, err
		}
	}
	if out.Op != nothing {
		s.dst = append(s.dst, out)
	}
	if s.notes.Held().Waiting == 0 || m.Op == rowferry.Delete || e.identity == nil {
		return nil, nil
	}
	if comes.Op == rowferry.Insert || m.Op == rowferry.Insert || s.moves(e, m) {
		return nil, s.wake(s.list(arrivalList, e, after(m, e.identity)))
	}
	return nil, nil
}

// after returns the values that a row has after a mutation. They may be the row's own,
// and must not be changed.
func after(m *rowferry.Mutation, columns []int) []rowferry.Value {
	key := keyOf(m.After, columns)
	if m.Before == nil || !slices.ContainsFunc(key, rowferry.Value.IsAbsent) {
		return key
	}
	key = slices.Clone(key)
	for i, v := range key {
		if v.IsAbsent() {
			key[i] = m.Before[columns[i]]
		}
	}
	return key
}

// whole returns the row that a mutation leaves, with what an update leaves out. It may
// be m.After, and must not be changed.
func whole(m *rowferry.Mutation) rowferry.Row {
	if m.Before == nil || !slices.ContainsFunc(m.After, rowferry.Value.IsAbsent) {
		return m.After
	}
	row := slices.Clone(m.After)
	for o, v := range row {
		if v.IsAbsent() {
			row[o] = m.Before[o]
		}
	}
	return row
}

// moves reports whether an update changes the row's key.
func (s *step) moves(e *entity, m *rowferry.Mutation) bool {
	return m.Op == rowferry.Update && changes(m, e.identity)
}

func changes(m *rowferry.Mutation, columns []int) bool {
	return slices.ContainsFunc(columns, func(o int) bool { return !m.After[o].IsAbsent() && m.After[o] != m.Before[o] })
}
