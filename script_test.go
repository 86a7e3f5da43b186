package rowferry_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/rowferry/rowferry"
	"github.com/rowferry/rowferry/checkpoint"
	"github.com/rowferry/rowferry/mapping"
	"github.com/rowferry/rowferry/schema"
	"github.com/rowferry/rowferry/sink/sqlite"
)

// script is a Source over transactions in memory. Position n is "p<n>", after
// the n-th transaction.
type script struct {
	txs   []*rowferry.Tx
	first int // transactions before this one are purged
	broke string
	knows *schema.Table // what a reader without shapes tells; nil means items
}

func (s *script) Open(_ context.Context, start rowferry.Start) (rowferry.Reader, error) {
	from := start.Position
	if from == "" {
		from = rowferry.Position(fmt.Sprintf("p%d", s.first))
	}
	n := 0
	if _, err := fmt.Sscanf(string(from), "p%d", &n); err != nil || n < s.first || n > len(s.txs) {
		return nil, rowferry.Errorf(rowferry.CodePositionOutside, "no position %s", from)
	}
	if start.Lineage != "" && start.Lineage == s.broke {
		return nil, rowferry.Errorf(rowferry.CodeLineageBroken, "another log")
	}
	r := &scriptReader{begin: from, txs: s.txs[n:]}
	if from := start.ShapesFrom; from != "" {
		if from != "p0" || s.first > 0 {
			return nil, rowferry.Errorf(rowferry.CodeLogMissing, "no shapes from %s", from)
		}
	}
	if start.Tables == nil && n > 0 { // tell what is known already
		known := items
		if s.knows != nil {
			known = s.knows
		}
		r.tell = []rowferry.Change{{Op: rowferry.Shape, Table: known}}
	}
	return r, nil
}

type scriptReader struct {
	begin rowferry.Position
	txs   []*rowferry.Tx
	tell  []rowferry.Change
}

func (r *scriptReader) Begin() rowferry.Position { return r.begin }

// Lineage is that of the transaction before.
func (r *scriptReader) Lineage(context.Context) (string, error) {
	if r.begin == "p0" {
		return "", nil
	}
	return "lt" + string(r.begin[1:]), nil
}
func (r *scriptReader) Progress() (int64, int64) { return 0, 0 }
func (r *scriptReader) Notices() []string        { return nil }
func (r *scriptReader) Close() error             { return nil }
func (r *scriptReader) Next(ctx context.Context) (*rowferry.Tx, error) {
	if len(r.txs) == 0 {
		return nil, io.EOF
	}
	tx := *r.txs[0]
	tx.Changes = append(r.tell, tx.Changes...)
	r.txs, r.tell = r.txs[1:], nil
	return &tx, ctx.Err()
}

var items = &schema.Table{
	Name: schema.Name{Schema: "db", Table: "items"},
	Columns: []schema.Column{
		{Name: "id", Type: schema.Type{Kind: schema.Int, Bits: 64}},
		{Name: "n", Type: schema.Type{Kind: schema.Int, Bits: 64}, Nullable: true},
	},
	PrimaryKey: []int{0}, ConstraintsKnown: true,
}

func item(id, n int64) rowferry.Row { return rowferry.Row{rowferry.IntValue(id), rowferry.IntValue(n)} }

func put(id, n int64) rowferry.Change {
	return rowferry.Change{Op: rowferry.Insert, Table: items, After: item(id, n)}
}

func change(id, was, n int64) rowferry.Change {
	return rowferry.Change{Op: rowferry.Update, Table: items, Before: item(id, was), After: item(id, n)}
}

// log returns a source of one transaction per argument; the first also tells
// the shape.
func log(all ...[]rowferry.Change) *script {
	s := &script{}
	for i, changes := range all {
		if i == 0 {
			changes = append([]rowferry.Change{{Op: rowferry.Shape, Table: items}}, changes...)
		}
		name := fmt.Sprintf("t%d", i+1)
		s.txs = append(s.txs, &rowferry.Tx{
			ID: name, Log: "log:" + name, CommitTime: time.Unix(int64(i), 0), Changes: changes, Last: true,
			Position: rowferry.Position(fmt.Sprintf("p%d", i+1)), Lineage: "l" + name,
		})
	}
	return s
}

// counting returns a log whose n-th transaction inserts row n.
func counting(n int) *script {
	var all [][]rowferry.Change
	for i := range n {
		all = append(all, []rowferry.Change{put(int64(i+1), 0)})
	}
	return log(all...)
}

// bench is where one pipeline of a test lives.
type bench struct {
	t             *testing.T
	target, state string
	opts          rowferry.Options
	wrap          func(*sqlite.Sink) rowferry.Sink // nil: the sink as it is
	rejects       mapping.OnReject
}

func newBench(t *testing.T) *bench {
	dir := t.TempDir()
	return &bench{t: t, target: filepath.Join(dir, "target.db"), state: filepath.Join(dir, "state"),
		opts: rowferry.Options{Pipeline: "test", Config: "c1", Rules: "rules 1", BatchTxs: 1}}
}

// open opens target, state and engine; close closes them in order.
func (b *bench) open(s rowferry.Source) (*rowferry.Engine, func(), error) {
	b.t.Helper()
	ctx := b.t.Context()
	sink, err := sqlite.Open(ctx, b.target, sqlite.DefaultOptions())
	if err != nil {
		b.t.Fatal(err)
	}
	state, err := checkpoint.Open(ctx, checkpoint.Options{Dir: b.state, Pipeline: b.opts.Pipeline})
	if err != nil {
		b.t.Fatal(err)
	}
	rules, err := mapping.New(mapping.Options{OnReject: b.rejects})
	if err != nil {
		b.t.Fatal(err)
	}
	resolver, err := mapping.NewResolver(rules, nil, mapping.Limits{})
	if err != nil {
		b.t.Fatal(err)
	}
	parts := rowferry.Parts{Source: s, Handler: mapping.NewHandler(rules, nil), Sink: sink, State: state, Resolver: resolver}
	if b.wrap != nil {
		parts.Sink = b.wrap(sink)
	}
	e, err := rowferry.Open(ctx, parts, b.opts)
	return e, func() {
		var errs []error
		if e != nil {
			errs = append(errs, e.Close())
		}
		if err := errors.Join(append(errs, state.Close(), sink.Close())...); err != nil {
			b.t.Fatal(err)
		}
	}, err
}

// run opens, runs and closes, and returns how the pipeline was found.
func (b *bench) run(s rowferry.Source) (rowferry.ResumeKind, error) {
	b.t.Helper()
	e, done, err := b.open(s)
	defer done()
	if err != nil {
		return "", err
	}
	return e.Resume().Kind, e.Run(b.t.Context())
}

// must runs and requires success and the way it was found.
func (b *bench) must(s rowferry.Source, want rowferry.ResumeKind) {
	b.t.Helper()
	if kind, err := b.run(s); err != nil || kind != want {
		b.t.Fatalf("run: %q, %v; want %q", kind, err, want)
	}
}

func (b *bench) fails(s rowferry.Source, want rowferry.Code) error {
	b.t.Helper()
	_, err := b.run(s)
	if rowferry.CodeOf(err) != want {
		b.t.Fatalf("run: %v; want %s", err, want)
	}
	return err
}

// rows requires the ids in the target.
func (b *bench) rows(want ...int64) {
	b.t.Helper()
	if got := query(b.t, b.target, "SELECT id FROM items ORDER BY id"); !slices.Equal(got, want) {
		b.t.Fatalf("rows %v, want %v", got, want)
	}
}

func upTo(n int64) []int64 {
	var all []int64
	for i := int64(1); i <= n; i++ {
		all = append(all, i)
	}
	return all
}

func copyFile(t *testing.T, from, to string) {
	t.Helper()
	data, err := os.ReadFile(from)
	if err == nil {
		err = os.WriteFile(to, data, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
}
