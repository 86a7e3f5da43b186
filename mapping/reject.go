package mapping

import (
	"context"
	"encoding/binary"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/rowferry/rowferry"
	"github.com/rowferry/rowferry/schema"
)

// OnReject says what becomes of a row that the target refuses for what it holds.
type OnReject string

// The policies. Without one, Stop.
const (
	Stop OnReject = "stop" // the pipeline stops
	// Quarantine puts the row aside, with its later changes and with all that
	// depends on it, until somebody has mended what it was refused for.
	Quarantine OnReject = "quarantine"
)

// DefaultStopAfter is how many rows may be put aside at the same time.
const DefaultStopAfter = 1000

// Limits bound how many rows may wait, and how many of them may be such that the
// target refused. 0 means DefaultWaiting and DefaultStopAfter.
type Limits struct{ Waiting, Rejects int }

// setsAside reports whether rows of a source table are put aside where the target
// refuses them.
func (r *Rules) setsAside(source schema.Name) bool {
	policy, told := r.rejects[source]
	if !told {
		policy = r.onReject
	}
	return policy == Quarantine
}

// rejecting reports whether rows of any table are put aside.
func (r *Rules) rejecting() bool {
	if r.onReject == Quarantine {
		return true
	}
	for _, policy := range r.rejects {
		if policy == Quarantine {
			return true
		}
	}
	return false
}

// A row that the target refused waits like one that lacks its parent, in a list of
// its own: so its later changes join it, its children wait for it, and what would
// take from the target what it still has there waits behind it. A row that was
// given up stays in the room for the same reasons, in another list.

func isAside(list []byte) bool { return list[0] == rejectList || list[0] == droppedList }

// rejection is why and how often the target refused a row. Times are Unix
// milliseconds.
type rejection struct {
	code        rowferry.Code
	why         string
	tries       uint64
	first, last int64
	dropped     bool // it was given up
}

// longestWhy bounds what is kept of the target's words.
const longestWhy = 1000

func (j *rejection) appendTo(b []byte) []byte {
	if j == nil {
		return b
	}
	b = binary.AppendUvarint(appendText(appendText(b, string(j.code)), j.why), j.tries)
	b = binary.AppendUvarint(binary.AppendUvarint(b, uint64(j.first)), uint64(j.last))
	if j.dropped {
		return append(b, 1)
	}
	return append(b, 0)
}

func (r *reader) rejection() *rejection {
	return &rejection{code: rowferry.Code(r.text()), why: r.text(), tries: r.uvarint(), first: int64(r.uvarint()), last: int64(r.uvarint()), dropped: r.bytes(1)[0] != 0}
}

// reject notes that a row is put aside, and why where it was refused just now.
func (s *step) reject(w *waiting) error {
	s.notes.Count(rowferry.Kept{Rejected: 1})
	why := s.refused
	if why == nil {
		return nil
	}
	s.refused = nil
	j := rejection{code: why.Code, why: strings.ToValidUTF8(why.Why[:min(len(why.Why), longestWhy)], ""), tries: 1, first: why.At, last: why.At}
	if w.rejection != nil {
		j.tries, j.first = w.rejection.tries+1, w.rejection.first
	}
	w.rejection = &j
	if n := s.notes.Held().Rejected; n > s.rejects && !why.Trial {
		return rowferry.Errorf(rowferry.CodeRejectsFull, "the target has refused %d rows, and no more than %d are put aside", n, s.rejects).
			Fact("table", "%s", w.e.source).Fact("key", "%s", JoinKey(KeyTexts(keyOf(either(&w.change), w.e.identity)))).
			Fact("refused", "%s: %s", j.code, j.why)
	}
	return nil
}

// giveWay ends a circle that cannot be opened: a row of it is put aside, as if the
// target had refused it, one that was before by choice. Without such a row the
// pipeline stops.
func (s *step) giveWay(circle []*waiting) error {
	var gives *waiting
	for _, w := range circle {
		if w.e.rejects && (gives == nil || gives.rejection == nil) {
			gives = w
		}
	}
	if gives == nil {
		return inCircle(circle)
	}
	w, err := s.load(gives.number)
	if w == nil || err != nil {
		return err
	}
	if err := s.remove(w); err != nil {
		return err
	}
	why := inCircle(circle)
	s.refused = &rowferry.Refusal{Code: why.Code, Why: why.Reason(), At: s.origin.Commit}
	return s.place(w, []byte{rejectList})
}

// SetsAside implements rowferry.Resolver.
func (r *resolver) SetsAside(m *rowferry.Mutation) bool {
	e := r.entities[m.Table.Name]
	isRow := m.Op == rowferry.Insert || m.Op == rowferry.Update || m.Op == rowferry.Delete
	return isRow && e != nil && e.setsAside()
}

func (e *entity) setsAside() bool { return e.rejects && e.identity != nil }

// Keeps implements rowferry.Resolver.
func (r *resolver) Keeps() bool {
	return !slices.ContainsFunc(r.all(), func(e *entity) bool { return !e.rule.keeps() })
}

// Reconsider implements rowferry.Resolver.
func (r *resolver) Reconsider(dst []rowferry.Mutation, wish rowferry.Wish, o *rowferry.Origin, n rowferry.Notes) ([]rowferry.Mutation, error) {
	s := step{resolver: r, notes: n, dst: dst, origin: o}
	w, err := s.load(wish.Number)
	if w == nil || err != nil || !isAside(w.lacks.list) {
		return dst, err
	}
	if err := s.remove(w); err != nil {
		return dst, err
	}
	if w.rejection != nil {
		w.rejection.dropped = wish.Drop
	}
	err = s.retry(w)
	return s.dst, err
}

// joinAside has a row that was put aside stay there after another change, until
// somebody has mended what it was refused for. To delete it may be possible. One that
// comes under a key which another row still has waits for that one first.
func (s *step) joinAside(w *waiting, deleted bool, list []byte) error {
	if deleted {
		w.rejection.dropped = false
		return s.retry(w)
	}
	number, err := s.pinned(w.e, &w.change, true)
	if err != nil {
		return err
	}
	if number != 0 {
		list = releaseOf(number)
	}
	return s.settle(w, list)
}

// RejectedRow is a row that the target refused, or did before it waited for
// something else.
type RejectedRow struct {
	WaitingRow
	Dropped     bool          // it was given up
	Code        rowferry.Code // "" where the target did not refuse it
	Why         string        // in the target's words
	Tries       int
	First, Last time.Time // when it was refused
}

// Rejected calls fn with the rows that are put aside, in the order in which they
// began to wait.
func (r *Reader) Rejected(ctx context.Context, fn func(*RejectedRow) error) error {
	var numbers []uint64
	for _, list := range []byte{rejectList, droppedList} {
		more, err := r.members([]byte{list})
		if err != nil {
			return err
		}
		numbers = append(numbers, more...)
	}
	slices.Sort(numbers)
	for _, number := range numbers {
		row, err := r.InRoom(number)
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case err != nil:
			return err
		case row == nil || !row.For.Aside:
			continue // it has left meanwhile
		}
		if err := fn(row); errors.Is(err, ErrEnough) {
			return nil
		} else if err != nil {
			return err
		}
	}
	return nil
}

// InRoom returns the row that waits under a number, nil where there is none.
func (r *Reader) InRoom(number uint64) (*RejectedRow, error) {
	w, err := r.load(number)
	if w == nil || err != nil {
		return nil, err
	}
	row, err := r.tell(w)
	if err != nil {
		return nil, err
	}
	x := &RejectedRow{WaitingRow: *row, Dropped: w.lacks.list[0] == droppedList}
	if j := w.rejection; j != nil {
		x.Code, x.Why, x.Tries = j.code, j.why, int(j.tries)
		x.First, x.Last = time.UnixMilli(j.first).UTC(), time.UnixMilli(j.last).UTC()
	}
	return x, nil
}
