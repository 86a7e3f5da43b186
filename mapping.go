package rowferry

import (
	"context"
	"errors"

	"github.com/rowferry/rowferry/schema"
)

// Resolver gives mutations the keys of the target: those of their own rows, and
// those of the rows that they refer to. Rows of which one is not there yet wait
// for it, in the Notes. It is deterministic but for the keys it takes from what
// was reserved. It is used by one goroutine.
type Resolver interface {
	// Resolve appends to dst what m comes to, and what it sets free, in the order to
	// write it; nothing where m has to wait. Mutations come in the source's order,
	// with the source's keys under the target's columns. What it remembers goes
	// through n alone. ErrKeysShort where no key is left of those that were
	// reserved: what was resolved of the batch is to be forgotten.
	Resolve(dst []Mutation, m *Mutation, n Notes) ([]Mutation, error)
	// Begin begins a batch, or begins one again: Resolve is then given its changes
	// from the first on. With look they are gone through for what rows of the target
	// they may meet alone, which Reserve then looks up: what comes of them is to be
	// forgotten.
	Begin(look bool)
	// Looks reports whether new rows may meet rows of the target, which have to be
	// looked up.
	Looks() bool
	// Short reports whether a batch like those before would meet ErrKeysShort for want
	// of keys: they had better be reserved before it is resolved. It is called between
	// batches.
	Short() bool
	// Reserve sets keys aside and looks rows up, after ErrKeysShort or Short. It is called
	// while no batch is open. What it found holds for the batch that is begun next,
	// and as long as that one is not resolved.
	Reserve(ctx context.Context) error
	// AwaitCircles has rows wait for their parents, whatever the rules say, where tables
	// refer to each other, or one to itself: in a copy they do not come parents first. It
	// is called before Resolve, for a copy, and where keys are given for every engine of
	// a pipeline that began with one.
	AwaitCircles()
	// Carry says that the rows of a copy are brought from here on, of which any number may
	// wait, and what tells, of the row of a source table with a key, whether it has been
	// by now: nil where keys are given, and notes tell that.
	Carry(been func(source schema.Name, key []Value) bool)
	// Carried says that no more are.
	Carried() error
	// Parents tells which tables the rows of one refer to, by the source's names, as
	// far as Resolve was given their shapes.
	Parents(source schema.Name) []Parent
	// SetsAside reports whether the row of m, which the target has refused, is put
	// aside by the rules, and can be.
	SetsAside(m *Mutation) bool
	// Reconsider carries out a Wish, as Resolve does a mutation. A row that is not
	// there, or was not put aside, is left as it is.
	Reconsider(dst []Mutation, w Wish, o *Origin, n Notes) ([]Mutation, error)
	// Keeps reports whether every key is the source's.
	Keeps() bool
	// Passed forgets of rows that were fetched that they are newer than the log, where
	// passed says of their mark that it is behind. It is called behind a batch while
	// Kept.Fetched is not 0.
	Passed(n Notes, passed func(Mark) (bool, error)) error
	// Notes reports whether the key of each row of a table that the pipeline brought is
	// noted, and no other's, as far as Resolve was given its shape.
	Notes(source schema.Name) bool
	// EachNoted calls fn with the source's key of each row of such a table, as the state
	// has them. It is called while no batch is open.
	EachNoted(ctx context.Context, source schema.Name, from State, fn func(key []Value) error) error
}

// Parent is a table that rows refer to. Where it is Awaited, they wait for its rows:
// not where they refer to something else than its key.
type Parent struct {
	Source  schema.Name
	Awaited bool
}

// Wish is what becomes of a row that the target has refused and that was put aside.
type Wish struct {
	Number uint64 // of the row, in the order of waiting
	// Drop gives it up: it stays where it is, with its later changes, for good. Else
	// it is tried again.
	Drop bool
}

// Refusal is why the target refused a row, and when, in Unix milliseconds.
type Refusal struct {
	Code Code
	Why  string
	At   int64
	// Trial tells that it was not refused: what comes of it is to be seen alone. Rows
	// that are not put aside by the rules stay, and no more than usual are counted.
	Trial bool
}

// ErrKeysShort tells that more keys have to be reserved, or rows looked up or fetched.
var ErrKeysShort = errors.New("no reserved keys are left")

// Notes is what a Resolver remembers as of one batch: what was recorded, with the
// batches on their way and what was put.
type Notes interface {
	// Get returns the value of a key, nil where there is none. It is valid until the
	// next call.
	Get(key []byte) ([]byte, error)
	// Put sets the value of a key; nil removes it. Both are copied.
	Put(key, value []byte)
	// Held is how many there are of what is counted, and Count adds to it.
	Held() Kept
	Count(k Kept)
	// Assigned returns the key that the nth row of a change was given when the same
	// batch was resolved before, and Assign notes one. Below 0 are keys that were
	// found: what a row met then it meets again.
	Assigned(c ChangeID) (int64, bool)
	Assign(c ChangeID, key int64)
	// Next counts what comes of the change that is being resolved, from 0, and tells
	// why the target has refused that: nil where it has not, or was not asked yet.
	Next() (nth int, refused *Refusal)
	// LeftOut counts a change to a row of a source table that is not in the target, by what
	// a filter says.
	LeftOut(source schema.Name)
	// Fetched returns what is in the source of a row, by the table's name there and
	// the key: the same whenever the batch is resolved. Nil where that was not asked
	// yet: it is read where ErrKeysShort is returned.
	Fetched(source schema.Name, key []Value) *Fetched
}

// ChangeID is the nth, from 0, of what the change with the given place in the
// transaction Tx brings: rows that get a key by one of its mutations, or all that
// comes of it.
type ChangeID struct {
	Tx       string
	Index    int
	Mutation int // Mutation.Nth
	Nth      int
}

// Kept counts what lives only in the notes of the state directory.
type Kept struct {
	Mapped  int64 `json:"mapped,omitempty"`  // rows whose key is noted
	Waiting int64 `json:"waiting,omitempty"` // rows that wait, those that were put aside among them
	// Rejected is rows that the target refused and that were put aside.
	Rejected int64 `json:"rejected,omitempty"`
	// Fetched is rows that were fetched and may be newer than the log.
	Fetched int64 `json:"fetched,omitempty"`
	// Filtered is rows of which it is noted that they are not in the target.
	Filtered int64 `json:"filtered,omitempty"`
}

func (k Kept) plus(o Kept) Kept {
	return Kept{k.Mapped + o.Mapped, k.Waiting + o.Waiting, k.Rejected + o.Rejected, k.Fetched + o.Fetched, k.Filtered + o.Filtered}
}

// Note is a key of the State's notes and its new value; nil removes it.
type Note struct{ Key, Value []byte }

// Packed reports whether a key is of one of very many small notes, which are stored
// together: it begins with a capital letter. No such key is the beginning of another
// one.
func Packed(key []byte) bool { return len(key) > 1 && 'A' <= key[0] && key[0] <= 'Z' }

// KeyRange is keys from First to Last, both included.
type KeyRange struct{ First, Last int64 }

// Reserver is a Sink whose tables count keys that can be set aside.
type Reserver interface {
	Sink
	// Reserve sets n keys of the table's counting column aside, in ascending ranges, or
	// fewer where not many are left for others, but one at least:
	// no other writer of the target gets one of them from the counter, none of them
	// is the key of a row, and they are never set aside again. It is called while no
	// batch of the sink or its lanes is open. Errors: CodeKeyReserve where the
	// column counts nothing, or not in a way that keys can be set aside.
	Reserve(ctx context.Context, table schema.Name, column string, n int) ([]KeyRange, error)
}

// Finder is a Sink whose rows can be looked up.
type Finder interface {
	Sink
	// Find returns the rows that have one of the values in the given columns, which
	// are compared as the columns of the target compare them; at most MostFound for
	// each of the values, in any order. No value is NULL. It is called while no batch
	// of the sink or its lanes is open, of tables that exist.
	Find(ctx context.Context, table *schema.Table, columns []int, values [][]Value, key []int) ([]Found, error)
}

// MostFound is how many rows are found by the same values.
const MostFound = 10

// Found is a row that was found.
type Found struct {
	Value int     // the values that it has
	Key   []Value // integers as such, and anything else as the target's text
}
