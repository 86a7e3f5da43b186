package e2e

import (
	"slices"
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
// wants the target to have the rows that they leave.
func TestGrouped(t *testing.T) {
	for _, kind := range []testdb.Kind{testdb.Postgres15, testdb.MySQL97, testdb.MariaDB1011, sqliteKind} {
		for _, images := range []string{"full", "minimal"} {
			t.Run(string(kind)+"/"+images, func(t *testing.T) {
				t.Parallel()
				testGrouped(t, kind, images == "minimal")
			})
		}
	}
}

func testGrouped(t *testing.T, kind testdb.Kind, minimal bool) {
	many := scaled(1500, 100_000)
	if kind == sqliteKind {
		many = scaled(25_000, 5_000_000)
	}
	g := newGoal(t, kind, randomtx.Database)
	sink := g.open(t)
	state, err := checkpoint.Open(t.Context(), checkpoint.Options{Dir: t.TempDir() + "/state", Pipeline: "random"})
	if err != nil {
		t.Fatal(err)
	}
	rules, err := mapping.New(mapping.Options{Namespaces: kind.Flavor() == testdb.Postgres})
	if err != nil {
		t.Fatal(err)
	}
	w := randomtx.New(7)
	w.Minimal = minimal
	e, err := rowferry.Open(t.Context(), rowferry.Parts{
		Source:  &randomtx.Source{World: w, Transactions: many},
		Handler: mapping.NewHandler(rules, nil), Sink: sink, State: state,
	}, rowferry.Options{Pipeline: "random", BatchTxs: 50})
	if err == nil {
		err = e.Run(t.Context())
	}
	if err != nil {
		t.Fatal(err)
	}
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
	p := e.Progress()
	t.Logf("figure: %s: %d transactions in %d batches, %d of them not compacted, %d split: no difference", kind, p.Transactions, p.Batches, p.Fallbacks, p.Splits)
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
