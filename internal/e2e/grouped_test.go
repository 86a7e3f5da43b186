package e2e

import (
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/rowferry/rowferry"
	"github.com/rowferry/rowferry/checkpoint"
	"github.com/rowferry/rowferry/internal/connect"
	"github.com/rowferry/rowferry/internal/randomtx"
	"github.com/rowferry/rowferry/internal/testdb"
	"github.com/rowferry/rowferry/mapping"
	"github.com/rowferry/rowferry/sink/mysql"
	"github.com/rowferry/rowferry/sink/postgres"
	"github.com/rowferry/rowferry/sink/sqlite"
)

// TestGrouped applies random transactions that are heavy in unique keys, foreign
// keys, key changes, self-references and circles, grouped and compacted, and
// wants the target to have the rows that they leave one by one. SEED makes the
// transactions of a run again.
func TestGrouped(t *testing.T) {
	besideOthers(t)
	for _, kind := range []testdb.Kind{testdb.Postgres15, testdb.MySQL97, testdb.MariaDB1011, sqliteKind} {
		for _, images := range []string{"full", "minimal"} {
			t.Run(string(kind)+"/"+images, func(t *testing.T) {
				t.Parallel()
				testGrouped(t, kind, images == "minimal", randomSeed(t))
			})
		}
	}
}

// TestLanes applies random transactions in small batches on many connections.
func TestLanes(t *testing.T) {
	besideOthers(t)
	for _, kind := range []testdb.Kind{testdb.Postgres15, testdb.MySQL97, testdb.MariaDB1011} {
		t.Run(string(kind), func(t *testing.T) {
			t.Parallel()
			const database = "random"
			g, seed := newGoal(t, kind, database), randomSeed(t)
			w := randomtx.New(database, seed)
			w.Plain = true
			p, err := g.grouped(t, &randomtx.Source{World: w, Transactions: scaled(2000, 100_000)}, nil, t.TempDir()+"/state", 5)
			if err != nil {
				t.Fatal(err)
			}
			g.requireRows(t, w)
			if p.Overlaps < p.Batches/10 {
				t.Errorf("%d of %d batches overlapped", p.Overlaps, p.Batches)
			}
			t.Logf("figure: %s: %d transactions in %d batches, %d of them overlapping, %d applied again: no difference", kind, p.Transactions, p.Batches, p.Overlaps, p.Reruns)
		})
	}
}

// randomSeed returns what SEED says, or any.
func randomSeed(t *testing.T) uint64 {
	t.Helper()
	seed := rand.Uint64()
	if s := os.Getenv("SEED"); s != "" {
		var err error
		if seed, err = strconv.ParseUint(s, 10, 64); err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("SEED=%d", seed)
	return seed
}

func testGrouped(t *testing.T, kind testdb.Kind, minimal bool, seed uint64) {
	many := scaled(2500, 100_000)
	if kind == sqliteKind {
		many = scaled(50_000, 5_000_000)
	}
	const database = "random"
	g := newGoal(t, kind, database)
	w := randomtx.New(database, seed)
	w.Minimal = minimal
	r := rand.New(rand.NewPCG(seed, 1))
	var sum rowferry.Progress
	balk := balk{random: r}
	stretches := []int{1, 7, 50, 1000}
	dir := t.TempDir() + "/state"
	for n, left := 0, many; left > 0; n++ {
		if n%len(stretches) == 0 {
			r.Shuffle(len(stretches), func(i, k int) { stretches[i], stretches[k] = stretches[k], stretches[i] })
		}
		size := stretches[n%len(stretches)]
		count := min(left, 20*size, max(size, many/5)) // so that each size has its turn
		left -= count
		p, err := g.grouped(t, &randomtx.Source{World: w, Transactions: count}, &balk, dir, size)
		sum.Transactions, sum.Batches, sum.Fallbacks, sum.Splits = sum.Transactions+p.Transactions, sum.Batches+p.Batches, sum.Fallbacks+p.Fallbacks, sum.Splits+p.Splits
		sum.Overlaps, sum.Reruns = sum.Overlaps+p.Overlaps, sum.Reruns+p.Reruns
		if err != nil {
			t.Fatalf("after %d of %d transactions, %d in a batch: %v", many-left-count, many, size, err)
		}
		g.requireRows(t, w)
		if t.Failed() {
			t.Fatalf("after %d of %d transactions, %d in a batch", many-left, many, size)
		}
	}
	t.Logf("figure: %s: %d transactions in %d batches, %d of them overlapping, %d applied again, %d not compacted, %d split: no difference",
		kind, sum.Transactions, sum.Batches, sum.Overlaps, sum.Reruns, sum.Fallbacks, sum.Splits)
	if missed := sum.Fallbacks - balk.refused; missed > sum.Transactions/20_000 {
		t.Errorf("the target refused %d batches compacted: their order broke something", missed)
	}
}

// balk is a SQLite target that now and then refuses a change for no reason, but
// not when it is tried again: what was compacted is then written as it was, and
// nothing of it may be left for the next batch.
type balk struct {
	*sqlite.Sink
	random  *rand.Rand
	refused uint64
	just    bool
}

type balking struct {
	rowferry.SinkTx
	balk  *balk
	after int // writes
}

func (b *balk) Begin(ctx context.Context) (rowferry.SinkTx, error) {
	tx, err := b.Sink.Begin(ctx)
	if b.just || b.random.IntN(6) > 0 {
		b.just = false
		return tx, err
	}
	return &balking{SinkTx: tx, balk: b, after: b.random.IntN(20)}, err
}

func (b *balking) Write(ctx context.Context, ms []rowferry.Mutation) error {
	if b.after--; b.after >= 0 || ms[0].Op == rowferry.Shape {
		return b.SinkTx.Write(ctx, ms)
	}
	b.balk.refused, b.balk.just = b.balk.refused+1, true
	refused := ms[len(ms)-1]
	return &rowferry.Error{Code: rowferry.CodeRowRefused, What: "for no reason", Mutation: &refused}
}

// groupedLanes is more than the default, so that batches overlap as they can.
const groupedLanes = 4

// grouped applies the source's transactions, so many in a batch.
func (g *goal) grouped(t *testing.T, source rowferry.Source, balk *balk, dir string, size int) (p rowferry.Progress, err error) {
	t.Helper()
	sink := g.open(t)
	if s, ok := sink.(*sqlite.Sink); ok {
		balk.Sink, sink = s, balk
	}
	state, err := checkpoint.Open(t.Context(), checkpoint.Options{Dir: dir, Pipeline: "random"})
	if err != nil {
		t.Fatal(err)
	}
	rules, err := mapping.New(mapping.Options{Namespaces: g.kind.Flavor() == testdb.Postgres})
	if err != nil {
		t.Fatal(err)
	}
	e, err := rowferry.Open(t.Context(), rowferry.Parts{Source: source, Handler: mapping.NewHandler(rules, nil), Sink: sink, State: state},
		rowferry.Options{Pipeline: "random", BatchTxs: size, Lanes: groupedLanes, Log: slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelDebug}))})
	if err != nil {
		return p, errors.Join(err, sink.Close(), state.Close())
	}
	err = e.Run(t.Context())
	return e.Progress(), errors.Join(err, e.Close(), sink.Close(), state.Close())
}

// requireRows wants the target to have the world's rows.
func (g *goal) requireRows(t *testing.T, w *randomtx.World) {
	t.Helper()
	for _, s := range w.Shapes() {
		var got []string
		for _, row := range g.rows(t, "SELECT * FROM "+g.table(s.Name.Table)) {
			got = append(got, "|"+strings.Join(row, "|"))
		}
		want := w.Rows(s.Name)
		slices.Sort(got)
		slices.Sort(want)
		if !slices.Equal(got, want) {
			t.Errorf("table %s has\n%q\nwant\n%q", s.Name, got, want)
		}
	}
}

// open opens the target for writing.
func (g *goal) open(t *testing.T) rowferry.Sink {
	t.Helper()
	if g.db == nil {
		s, err := sqlite.Open(t.Context(), g.path, sqlite.DefaultOptions())
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	at, err := connect.Parse(g.url)
	if err != nil {
		t.Fatal(err)
	}
	var s rowferry.Sink
	if g.kind.Flavor() == testdb.Postgres {
		s, err = postgres.Open(t.Context(), postgres.Options{Endpoint: at, CreateTables: true})
	} else {
		s, err = mysql.Open(t.Context(), mysql.Options{Endpoint: at, CreateTables: true})
	}
	if err != nil {
		t.Fatal(err)
	}
	return s
}
