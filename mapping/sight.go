package mapping

import (
	"context"
	"encoding/binary"
	"math"
	"slices"
	"strings"

	"github.com/rowferry/rowferry"
	"github.com/rowferry/rowferry/schema"
)

// Finder looks rows up; see rowferry.Finder.
type Finder interface {
	Find(ctx context.Context, table *schema.Table, columns []int, values [][]rowferry.Value, key []int) ([]rowferry.Found, error)
}

const (
	// mostAsked bounds what is known of the rows that one batch may meet, in bytes.
	mostAsked = 64 << 20
	// findRows is how many values are looked up at once.
	findRows = 500
)

// sight is what is known of the rows of the target that new ones may meet: what was
// found before the batch that is being resolved, and what this one has changed since.
type sight struct {
	finder  Finder
	looking bool // the batch is gone through for what it will ask alone
	fresh   bool // the answers are for the batch that is begun next
	answers map[string][][]rowferry.Value
	asked   []question
	names   map[string]bool // of what was asked
	bytes   int             // of all that was asked for the batch
	lent    int64           // keys, while looking

	values map[string][]string // of the rows that the batch has changed, by question; see changed
	taken  map[string]holder   // by question, folded
	blind  map[string]bool     // entity and natural key: some row's values are not known
}

// holder is a row that the batch has given values.
type holder struct{ row, exact, tx string }

// question is which rows have the values of a natural key.
type question struct {
	e      *entity
	nth    int
	values []rowferry.Value
}

func (q *question) kind() string {
	return string(binary.AppendUvarint(slices.Clone(q.e.id), uint64(q.nth)))
}

func (q *question) name() string { return q.kind() + string(appendKey(nil, q.values)) }

// folded is the same for questions that a target may take for the same. A target may
// go further than that, in accents for example.
func (q *question) folded() string {
	values := slices.Clone(q.values)
	for i, v := range values {
		if v.Kind() == rowferry.Text {
			values[i] = rowferry.TextValue(strings.TrimRight(strings.ToLower(v.Str()), " "))
		}
	}
	return q.kind() + string(appendKey(nil, values))
}

// asks returns the question for the nth natural key of a row, and whether the row has
// one: a value that is empty tells no rows apart, but in a key.
func (e *entity) asks(nth int, row rowferry.Row) (*question, bool) {
	q := &question{e, nth, keyOf(row, e.naturals[nth])}
	return q, !slices.ContainsFunc(q.values, func(v rowferry.Value) bool {
		return v.IsAbsent() || v.IsNull() || e.rule.Key == Match && empty(v)
	})
}

// Begin implements rowferry.Resolver.
func (r *resolver) Begin(look bool) {
	v := &r.sight
	for _, e := range r.entities {
		e.came = e.came || e.table != nil && !r.begun // before this engine
		e.usual, e.now = max(e.now, e.usual-e.usual/8), 0
	}
	if !look {
		if !v.fresh {
			v.answers, v.asked, v.names, v.bytes = nil, nil, nil, 0
		}
		v.fresh = false
	}
	for _, e := range r.entities {
		e.met = Met{}
	}
	r.begun = true
	v.looking = look
	v.values, v.taken, v.blind = map[string][]string{}, map[string]holder{}, map[string]bool{}
}

// Looks implements rowferry.Resolver.
func (r *resolver) Looks() bool {
	return slices.ContainsFunc(r.all(), func(e *entity) bool { return e.rule.looks() })
}

// made returns a key that no row has, for a batch that is only looked at.
func (v *sight) made() int64 {
	v.lent++
	return math.MinInt64 + v.lent
}

func (v *sight) ask(q *question) {
	name := q.name()
	if v.names[name] || v.bytes > mostAsked {
		return
	}
	if v.names == nil {
		v.names = map[string]bool{}
	}
	v.names[name] = true
	v.bytes += 512 + 4*len(name) // with what is noted of the row later
	v.asked = append(v.asked, *q)
}

// find looks up what was asked, and reports whether anything was.
func (r *resolver) find(ctx context.Context) (bool, error) {
	v := &r.sight
	v.fresh = true
	if v.bytes > mostAsked {
		return false, rowferry.Errorf(rowferry.CodeNotesLarge, "one transaction has more new rows to look up in the target than fit into memory").
			Fact("rows", "%d", len(v.asked))
	}
	looked := len(v.asked) > 0
	for len(v.asked) > 0 {
		q := v.asked[0]
		n := slices.IndexFunc(v.asked, func(x question) bool { return x.e != q.e || x.nth != q.nth })
		if n < 0 {
			n = len(v.asked)
		}
		if err := v.findAll(ctx, v.asked[:min(n, findRows)]); err != nil {
			return false, err
		}
		v.asked = v.asked[min(n, findRows):]
	}
	v.asked, v.names = nil, nil
	return looked, nil
}

func (v *sight) findAll(ctx context.Context, asked []question) error {
	if v.answers == nil {
		v.answers = map[string][][]rowferry.Value{}
	}
	values := make([][]rowferry.Value, len(asked))
	for i := range asked {
		values[i] = asked[i].values
	}
	e := asked[0].e
	found, err := v.finder.Find(ctx, e.table, e.naturals[asked[0].nth], values, e.identity)
	if err != nil {
		return err
	}
	for i := range asked {
		v.answers[asked[i].name()] = nil
	}
	for _, f := range found {
		name := asked[f.Value].name()
		v.answers[name] = append(v.answers[name], f.Key)
	}
	return nil
}

// look returns the key of the row of the target that a new one meets, nil where there
// is none: the one that has its first natural key by which there is any.
func (s *step) look(e *entity, row rowferry.Row) ([]rowferry.Value, error) {
	short := false
	for nth := range e.naturals {
		q, has := e.asks(nth, row)
		if !has {
			continue
		}
		found, known := s.sight.answers[q.name()]
		if !known || short {
			if !known {
				s.sight.ask(q)
			}
			short = true
			continue
		}
		met, err := s.standing(q, found)
		if met != nil || err != nil {
			return met, err
		}
	}
	if short && !s.sight.looking {
		return nil, rowferry.ErrKeysShort
	}
	return nil, nil
}

// standing returns the one row that answers a question as the batch has left the
// rows so far, nil where there is none.
func (s *step) standing(q *question, found [][]rowferry.Value) ([]rowferry.Value, error) {
	v, e := &s.sight, q.e
	if v.blind[q.kind()] {
		return nil, rowferry.Errorf(rowferry.CodeMatchUnknown, "what a new row of %s matches cannot be told: another one has changed, and the log does not tell in what", e.source).
			Fact("columns", "%v", e.table.ColumnNames(e.naturals[q.nth]))
	}
	folded := q.folded()
	var left [][]rowferry.Value
	for _, key := range found {
		if now := v.values[string(s.backKey(e, key))]; now == nil || now[q.nth] == "" || now[q.nth] == folded {
			left = append(left, key)
		}
	}
	// Other transactions of the batch may be applied before, and then the target tells.
	if h, held := v.taken[folded]; held && (h.exact == q.name() || h.tx != s.origin.Tx) {
		return nil, rowferry.Errorf(rowferry.CodeMatchTaken, "two rows of %s, which come together, are one in the target", e.source).
			Fact("matched by", "%v: %v", e.table.ColumnNames(e.naturals[q.nth]), q.values)
	}
	switch len(left) {
	case 0:
		return nil, nil
	case 1:
		return left[0], nil
	default:
		err := rowferry.Errorf(rowferry.CodeMatchAmbiguous, "a new row of %s matches several of the target", e.source).
			Fact("matched by", "%v: %v", e.table.ColumnNames(e.naturals[q.nth]), q.values)
		for _, key := range left {
			err.Fact("key in the target", "%v", key)
		}
		return nil, err
	}
}

// gone stands for the values of a row that has none to be found by.
const gone = "-"

// changed notes which values a row is found by after a mutation, under the target's
// keys: those of a row that leaves the target, or comes, or is left with others.
func (s *step) changed(e *entity, m *rowferry.Mutation, was, to []rowferry.Value) {
	if was != nil && (to == nil || !sameKey(was, to)) {
		for nth := range e.naturals {
			s.sight.set(string(s.backKey(e, was)), e, nth, gone)
		}
	}
	if to == nil {
		return
	}
	row, now := string(s.backKey(e, to)), m.After
	if was != nil {
		now = whole(m)
	}
	for nth, columns := range e.naturals {
		if m.Op == rowferry.Update && !changes(m, columns) {
			continue
		}
		q, has := e.asks(nth, now)
		if !has {
			s.sight.set(row, e, nth, gone)
			if slices.ContainsFunc(q.values, rowferry.Value.IsAbsent) {
				s.sight.blind[q.kind()] = true
			}
			continue
		}
		s.sight.set(row, e, nth, q.folded())
		s.sight.taken[q.folded()] = holder{row, q.name(), s.origin.Tx}
	}
}

func (v *sight) set(row string, e *entity, nth int, folded string) {
	now := v.values[row]
	if now == nil {
		now = make([]string, len(e.naturals))
		v.values[row] = now
	}
	if h, held := v.taken[now[nth]]; held && h.row == row {
		delete(v.taken, now[nth])
	}
	now[nth] = folded
}

// backKey is the note that has the source's key of a row, by the target's.
func (s *step) backKey(e *entity, key []rowferry.Value) []byte {
	s.key = appendKey(append(append(s.key[:0], backNote), e.id...), key)
	return s.key
}
