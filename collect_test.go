package rowferry

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"testing"

	"github.com/rowferry/rowferry/schema"
)

var testTable = &schema.Table{
	Name:       schema.Name{Schema: "db", Table: "t"},
	Columns:    []schema.Column{{Name: "id", Type: schema.Type{Kind: schema.Int, Bits: 64}}},
	PrimaryKey: []int{0},
}

func insert(id int64) Change {
	return Change{Op: Insert, Table: testTable, After: Row{IntValue(id)}}
}

func inserts(from, to int64) []Change {
	var cs []Change
	for id := from; id < to; id++ {
		cs = append(cs, insert(id))
	}
	return cs
}

// scriptReader replays chunks from memory, then fails with end.
type scriptReader struct {
	chunks []*Tx
	end    error
}

func (r *scriptReader) Begin() Position          { return "start" }
func (r *scriptReader) Progress() (int64, int64) { return 0, 0 }
func (r *scriptReader) Notices() []string        { return nil }
func (r *scriptReader) Close() error             { return nil }
func (r *scriptReader) Next(context.Context) (*Tx, error) {
	if len(r.chunks) == 0 {
		return nil, r.end
	}
	tx := r.chunks[0]
	r.chunks = r.chunks[1:]
	return tx, nil
}

// memorySpool keeps what a real spool keeps in files.
type memorySpool struct {
	changes []Change
	closed  *int
}

func (s *memorySpool) Append(cs []Change) error { s.changes = append(s.changes, cs...); return nil }
func (s *memorySpool) Len() int                 { return len(s.changes) }
func (s *memorySpool) Close() error             { *s.closed++; return nil }
func (s *memorySpool) Replay(fn func([]Change) error) error {
	for c := range slices.Chunk(s.changes, 3) {
		if err := fn(c); err != nil {
			return err
		}
	}
	return nil
}

// spoolState is a State of which only Spool is called.
type spoolState struct {
	State
	opened, closed int
}

func (s *spoolState) Spool() (Spool, error) {
	s.opened++
	return &memorySpool{closed: &s.closed}, nil
}

// ids lists the ids of the changes that count in a transaction.
func ids(t *testing.T, x *txn) []int64 {
	t.Helper()
	var got []int64
	if err := x.each(func(_ int, c *Change) error {
		if c.Op == Insert {
			got = append(got, c.After[0].Int())
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	return got
}

func TestCollectJoinsSpillsAndUndoes(t *testing.T) {
	back := 4
	state := &spoolState{}
	r := &scriptReader{end: io.EOF, chunks: []*Tx{
		{ID: "a", Changes: inserts(0, 5)},
		{ID: "a", Changes: inserts(5, 8)},
		{ID: "a", DropFrom: &back, Changes: inserts(8, 10), Last: true, Position: "p1"},
		{ID: "b", Changes: append(inserts(20, 22), Change{Op: Shape, Table: testTable}), Last: true, Discard: true, Position: "p2"},
		{ID: "c", Changes: inserts(30, 31), Last: true, Position: "p3"},
		{ID: "d", Changes: inserts(40, 60)}, // never ends
	}}
	q := newQueue(1 << 20)
	collect(t.Context(), r, state, 300, q)
	opts := Options{}
	opts.setDefaults()
	b1, err := q.take(&opts)
	if err != nil || len(b1.txs) != 1 || !b1.spilled() {
		t.Fatalf("first batch: %+v, %v; want the spilled transaction alone", b1, err)
	}
	if got := ids(t, b1.txs[0]); !slices.Equal(got, []int64{0, 1, 2, 3, 8, 9}) {
		t.Fatalf("after the rollback to a savepoint: %v", got)
	}
	b2, err := q.take(&opts)
	if err != nil || len(b2.txs) != 2 || b2.last().Position != "p3" {
		t.Fatalf("second batch: %+v, %v; want b and c", b2, err)
	}
	if got := ids(t, b2.txs[0]); got != nil {
		t.Fatalf("a rolled back transaction still counts %v", got)
	}
	shapes := 0
	if err := b2.txs[0].each(func(_ int, c *Change) error { shapes++; return nil }); err != nil || shapes != 1 {
		t.Fatalf("a rolled back transaction told %d shapes, %v; want 1", shapes, err)
	}
	if _, err := q.take(&opts); !errors.Is(err, io.EOF) {
		t.Fatalf("end = %v; want io.EOF", err)
	}
	if err := b1.close(); err != nil || state.closed != state.opened || state.opened != 2 {
		t.Fatalf("spools opened %d, closed %d, %v; want 2 and 2", state.opened, state.closed, err)
	}
}

// TestUndo: each rollback to a savepoint counts the changes that are left.
func TestUndo(t *testing.T) {
	x := &txn{}
	five, three, four := 5, 3, 4
	x.add(&Tx{Changes: inserts(0, 8)})
	x.add(&Tx{DropFrom: &five, Changes: inserts(10, 12)})  // 0 to 4, 10, 11
	x.add(&Tx{DropFrom: &three, Changes: inserts(20, 23)}) // 0 to 2, 20 to 22
	x.add(&Tx{DropFrom: &four, Changes: inserts(30, 31), Last: true})
	if got := ids(t, x); !slices.Equal(got, []int64{0, 1, 2, 20, 30}) {
		t.Fatalf("what is left: %v", got)
	}
	var indices []int
	if err := x.each(func(i int, _ *Change) error { indices = append(indices, i); return nil }); err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(indices, []int{0, 1, 2, 3, 4}) {
		t.Fatalf("indices: %v", indices)
	}
}

func TestQueueBounds(t *testing.T) {
	q := newQueue(1 << 20)
	for i := range 10 {
		x := &txn{}
		x.add(&Tx{ID: fmt.Sprint(i), Changes: inserts(0, 3), Last: true})
		q.put(x)
	}
	for _, c := range []struct {
		opts Options
		want int
	}{
		{Options{BatchTxs: 4, BatchRows: 100, BatchBytes: 1 << 20}, 4},
		{Options{BatchTxs: 100, BatchRows: 7, BatchBytes: 1 << 20}, 2},
		{Options{BatchTxs: 100, BatchRows: 100, BatchBytes: 1}, 1},
		{Options{BatchTxs: 100, BatchRows: 1, BatchBytes: 1 << 20}, 1},
		{Options{BatchTxs: 100, BatchRows: 100, BatchBytes: 1 << 20}, 2},
	} {
		b, err := q.take(&c.opts)
		if err != nil || len(b.txs) != c.want {
			t.Fatalf("take(%+v) = %d transactions, %v; want %d", c.opts, len(b.txs), err, c.want)
		}
	}
}

func TestQueueStopFreesBothSides(t *testing.T) {
	q := newQueue(1)
	full := &txn{}
	full.add(&Tx{Changes: inserts(0, 1), Last: true})
	if !q.put(full) {
		t.Fatal("put into an empty queue failed")
	}
	done := make(chan bool)
	go func() { done <- q.put(&txn{}) }()
	q.stop()
	if <-done {
		t.Fatal("put succeeded on a stopped queue")
	}
	if _, err := q.take(&Options{BatchTxs: 1}); !errors.Is(err, context.Canceled) {
		t.Fatalf("take = %v; want context.Canceled", err)
	}
}
