package rowferry_test

import (
	"context"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/rowferry/rowferry"
	"github.com/rowferry/rowferry/sink/sqlite"
)

// flaky is a source that breaks off after so many transactions of each reader,
// and is away for so many tries after that.
type flaky struct {
	*script
	every, away int
	left        int // tries until it is back
	opened      int
}

func (f *flaky) Open(ctx context.Context, start rowferry.Start) (rowferry.Reader, error) {
	if f.left > 0 {
		f.left--
		return nil, away()
	}
	f.opened++
	r, err := f.script.Open(ctx, start)
	if err != nil {
		return nil, err
	}
	return &flakyReader{Reader: r, source: f, until: f.every}, nil
}

func away() error { return rowferry.Errorf(rowferry.CodeSourceAway, "no answer") }

type flakyReader struct {
	rowferry.Reader
	source *flaky
	until  int
}

func (r *flakyReader) Next(ctx context.Context) (*rowferry.Tx, error) {
	if r.until == 0 {
		r.source.left = r.source.away
		return nil, away()
	}
	r.until--
	return r.Reader.Next(ctx)
}

// faultySink fails as told: the n-th call of an operation, counted from 1 over
// all batches.
type faultySink struct {
	*sqlite.Sink
	fail  func(op string, n int) error // before the operation
	after func(op string, n int) error // after it succeeded
	calls map[string]int
	log   []string // of Prepare
}

func (f *faultySink) op(name string, do func() error) error {
	f.calls[name]++
	n := f.calls[name]
	if f.fail != nil {
		if err := f.fail(name, n); err != nil {
			return err
		}
	}
	if err := do(); err != nil || f.after == nil {
		return err
	}
	return f.after(name, n)
}

func (f *faultySink) Begin(ctx context.Context) (tx rowferry.SinkTx, err error) {
	err = f.op("begin", func() error { tx, err = f.Sink.Begin(ctx); return err })
	return &faultyTx{tx, f}, err
}

func (f *faultySink) ReadCheckpoint(ctx context.Context, pipeline string) (cp *rowferry.Checkpoint, err error) {
	err = f.op("read", func() error { cp, err = f.Sink.ReadCheckpoint(ctx, pipeline); return err })
	return cp, err
}

// Prepare implements rowferry.Preparer.
func (f *faultySink) Prepare(_ context.Context, shapes []rowferry.Mutation) error {
	for _, m := range shapes {
		f.log = append(f.log, fmt.Sprintf("%s %s before batch %d", m.Op, m.Table.Name, f.calls["begin"]+1))
	}
	return nil
}

type faultyTx struct {
	rowferry.SinkTx
	sink *faultySink
}

func (t *faultyTx) Write(ctx context.Context, ms []rowferry.Mutation) error {
	return t.sink.op("write", func() error { return t.SinkTx.Write(ctx, ms) })
}

func (t *faultyTx) Commit(ctx context.Context, cp rowferry.Checkpoint) error {
	return t.sink.op("commit", func() error { return t.SinkTx.Commit(ctx, cp) })
}

func (b *bench) faulty(fail, after func(op string, n int) error) *faultySink {
	f := &faultySink{fail: fail, after: after, calls: map[string]int{}}
	b.wrap = func(s *sqlite.Sink) rowferry.Sink {
		f.Sink = s
		return f
	}
	return f
}

func patient(b *bench) *bench {
	b.opts.Patience, b.opts.LongestPause = time.Hour, time.Millisecond
	return b
}

// TestEngineOpensALostSourceAgain: where the target is, as often as it takes.
func TestEngineOpensALostSourceAgain(t *testing.T) {
	b := patient(newBench(t))
	source := &flaky{script: counting(20), every: 3, away: 2}
	b.must(source, rowferry.Fresh)
	b.rows(upTo(20)...)
	if source.opened < 7 {
		t.Errorf("the source was opened %d times: it was not lost", source.opened)
	}
}

// TestEngineLosesPatience: without patience, and with it when the reason does
// not pass by itself, the error ends the run, with everything before it kept.
func TestEngineLosesPatience(t *testing.T) {
	b := newBench(t)
	b.fails(&flaky{script: counting(9), every: 4}, rowferry.CodeSourceAway)
	b.rows(upTo(4)...)
	patient(b)
	purged := counting(9)
	b.fails(&purging{flaky{script: purged, every: 2}}, rowferry.CodePositionOutside)
	b.rows(upTo(6)...)
}

// purging loses its log while it is away.
type purging struct{ flaky }

func (p *purging) Open(ctx context.Context, start rowferry.Start) (rowferry.Reader, error) {
	if p.opened > 0 {
		p.first = len(p.txs)
	}
	return p.flaky.Open(ctx, start)
}

// TestEngineAppliesAgain breaks every operation of a target in every way that
// passes by itself: each transaction is applied once.
func TestEngineAppliesAgain(t *testing.T) {
	passes := []rowferry.Code{rowferry.CodeTargetAway, rowferry.CodeTargetConflict, rowferry.CodeTargetReadOnly, rowferry.CodeTargetBusy, rowferry.CodeTargetFull}
	for _, op := range []string{"begin", "write", "commit"} {
		for _, code := range passes {
			t.Run(op+" "+string(code), func(t *testing.T) {
				b := patient(newBench(t))
				b.opts.BatchTxs = 3
				f := b.faulty(func(name string, n int) error {
					if name == op && n%4 < 2 { // a batch may take two writes
						return rowferry.Errorf(code, "not now")
					}
					return nil
				}, nil)
				b.must(counting(10), rowferry.Fresh)
				b.rows(upTo(10)...)
				if f.calls[op] < 6 {
					t.Errorf("%s was called %d times: nothing was broken", op, f.calls[op])
				}
			})
		}
	}
}

// TestEngineSettlesACommit: the answer of every second COMMIT is lost, and so
// is that of the question what became of it, more than once.
func TestEngineSettlesACommit(t *testing.T) {
	b := patient(newBench(t))
	lost := func(string, int) error { return rowferry.Errorf(rowferry.CodeTargetAway, "the answer was lost") }
	unknown := 0 // reads that still fail
	f := b.faulty(func(op string, n int) error {
		if op == "read" && unknown > 0 {
			unknown--
			return lost(op, n)
		}
		return nil
	}, func(op string, n int) error {
		if op == "commit" && n%2 == 0 {
			unknown = n % 3
			return lost(op, n)
		}
		return nil
	})
	b.must(counting(12), rowferry.Fresh)
	b.rows(upTo(12)...)
	if f.calls["commit"] != 12 {
		t.Errorf("%d commits for 12 transactions", f.calls["commit"])
	}
}

// TestEngineLeavesAnUnknownCommitToTheNextStart: patience ends while it is not
// known whether a batch was committed; it was, and is not applied again.
func TestEngineLeavesAnUnknownCommitToTheNextStart(t *testing.T) {
	b := newBench(t)
	lost := false
	b.faulty(func(op string, _ int) error {
		if op == "read" && lost {
			return rowferry.Errorf(rowferry.CodeTargetAway, "gone")
		}
		return nil
	}, func(op string, n int) error {
		if op == "commit" && n == 3 {
			lost = true
			return rowferry.Errorf(rowferry.CodeTargetAway, "gone")
		}
		return nil
	})
	err := b.fails(counting(5), rowferry.CodeTargetAway)
	if !strings.Contains(err.Error(), "not known") {
		t.Errorf("the error does not say that it is not known: %v", err)
	}
	b.wrap = nil
	b.must(counting(5), rowferry.Resumed)
	b.rows(upTo(5)...)
}

// TestEngineStopsWaitingWhenCancelled: a cancelled run ends while it waits for
// a source or a target that never comes back.
func TestEngineStopsWaitingWhenCancelled(t *testing.T) {
	for _, c := range []struct {
		name   string
		source func(cancel func()) rowferry.Source
		fail   func(cancel func()) func(string, int) error
	}{
		{"source", func(cancel func()) rowferry.Source {
			return &cancelling{flaky{script: counting(3), every: 1, away: 1 << 30}, cancel}
		}, nil},
		{"target", func(func()) rowferry.Source { return counting(3) }, func(cancel func()) func(string, int) error {
			return func(op string, n int) error {
				if op != "begin" || n < 2 {
					return nil
				}
				if n == 4 {
					cancel()
				}
				return rowferry.Errorf(rowferry.CodeTargetAway, "gone")
			}
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := patient(newBench(t))
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			if c.fail != nil {
				b.faulty(c.fail(cancel), nil)
			}
			e, done, err := b.open(c.source(cancel))
			defer done()
			if err != nil {
				t.Fatal(err)
			}
			if err := e.Run(ctx); rowferry.CodeOf(err) != rowferry.CodeInterrupted {
				t.Errorf("run: %v, want %s", err, rowferry.CodeInterrupted)
			}
			b.rows(1)
		})
	}
}

// cancelling cancels the run at its third try to come back.
type cancelling struct {
	flaky
	cancel func()
}

func (c *cancelling) Open(ctx context.Context, start rowferry.Start) (rowferry.Reader, error) {
	if c.left == 1<<30-3 {
		c.cancel()
	}
	return c.flaky.Open(ctx, start)
}

// TestEnginePrepares: tables are made before the batch that needs them, those
// that changed are not, and after a restart all are told again.
func TestEnginePrepares(t *testing.T) {
	b := newBench(t)
	f := b.faulty(nil, nil)
	other := *items
	other.Columns = items.Columns[:1]
	all := log([]rowferry.Change{put(1, 0)}, []rowferry.Change{put(2, 0)}, []rowferry.Change{{Op: rowferry.Shape, Table: &other}})
	b.fails(all, rowferry.CodeShapeChanged)
	b.fails(all, rowferry.CodeShapeChanged)
	want := []string{"shape items before batch 1", "shape items before batch 4"}
	if got := fmt.Sprint(f.log); got != fmt.Sprint(want) {
		t.Errorf("prepared %v, want %v", got, want)
	}
}

// waiting is a source that goes on: when its transactions are over it says that
// it has caught up, and waits.
type waiting struct{ *script }

func (w waiting) Open(ctx context.Context, start rowferry.Start) (rowferry.Reader, error) {
	r, err := w.script.Open(ctx, start)
	return &waitingReader{Reader: r, idle: make(chan struct{})}, err
}

type waitingReader struct {
	rowferry.Reader
	idle chan struct{}
}

func (r *waitingReader) CaughtUp() time.Time {
	select {
	case <-r.idle:
		return time.Now()
	default:
		return time.Time{}
	}
}

func (r *waitingReader) Next(ctx context.Context) (*rowferry.Tx, error) {
	tx, err := r.Reader.Next(ctx)
	if err != io.EOF {
		return tx, err
	}
	close(r.idle)
	<-ctx.Done()
	return nil, ctx.Err()
}

// TestEngineFollows: a source that goes on keeps the run going until it is
// cancelled, and the progress says that it has caught up.
func TestEngineFollows(t *testing.T) {
	b := newBench(t)
	e, done, err := b.open(waiting{counting(5)})
	defer done()
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	ended := make(chan error, 1)
	go func() { ended <- e.Run(ctx) }()
	for !e.Progress().CaughtUp {
		select {
		case err := <-ended:
			t.Fatalf("the run ended: %v", err)
		default:
		}
	}
	if p := e.Progress(); p.Lag != 0 || p.Transactions != 5 || p.QueueBytes != 0 {
		t.Errorf("caught up with %+v", p)
	}
	cancel()
	if err := <-ended; rowferry.CodeOf(err) != rowferry.CodeInterrupted {
		t.Errorf("the run ended with %v", err)
	}
	b.rows(upTo(5)...)
}

// TestEngineNoticesATargetThatWentBack: the target loses confirmed batches
// while the engine runs. It says so, and the next run follows the target.
func TestEngineNoticesATargetThatWentBack(t *testing.T) {
	b := newBench(t)
	b.faulty(func(op string, n int) error {
		if op == "begin" && n == 5 {
			execute(t, b.target, "UPDATE rowferry_checkpoint SET sequence = 3, position = 'p2', lineage = 'lt2'")
			execute(t, b.target, "DELETE FROM items WHERE id > 2")
		}
		return nil
	}, nil)
	err := b.fails(counting(9), rowferry.CodeTargetLost)
	if !strings.Contains(err.Error(), "had confirmed") {
		t.Errorf("the error does not say that the target lost something: %v", err)
	}
	b.wrap = nil
	b.must(counting(9), rowferry.Rewound)
	b.rows(upTo(9)...)
}
