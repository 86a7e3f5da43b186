package postgres_test

import (
	"fmt"
	"testing"

	"github.com/rowferry/rowferry"
	"github.com/rowferry/rowferry/internal/testdb"
	"github.com/rowferry/rowferry/schema"
	"github.com/rowferry/rowferry/sink/postgres"
)

// BenchmarkBatch writes batches of 1,000 mutations, two of three updates, with
// fifty tables known.
func BenchmarkBatch(b *testing.B) {
	server := testdb.Start(b, testdb.Postgres15)
	name, _ := testdb.NewDatabase(b, server)
	s := openBench(b, server.URL(name))
	defer s.Close()
	cp := rowferry.Checkpoint{Pipeline: "p", Fence: 1, Sequence: 1, Format: rowferry.CheckpointFormat}
	must(b, s.WriteCheckpoint(b.Context(), nil, cp))
	var shapes []rowferry.Mutation
	for n := range 50 {
		var columns []schema.Column
		for c := range 20 {
			columns = append(columns, col(fmt.Sprintf("c%d", c), integer, c > 0))
		}
		shapes = append(shapes, shaped(keyed(fmt.Sprintf("t%d", n), columns...)))
	}
	must(b, s.Prepare(b.Context(), shapes))
	row := func(id, v int64) rowferry.Row {
		r := make(rowferry.Row, 20)
		for c := range r {
			r[c] = i(v)
		}
		r[0] = i(id)
		return r
	}
	next := int64(0)
	b.ResetTimer()
	for b.Loop() {
		tx, err := s.Begin(b.Context())
		must(b, err)
		var ms []rowferry.Mutation
		for n := range 333 {
			t := shapes[n%50].Table
			next++
			ms = append(ms, inserted(t, row(next, 1)...), updated(t, row(next, 1), row(next, 2)), updated(t, row(next, 2), row(next, 3)))
		}
		for len(ms) > 0 {
			n := min(512, len(ms))
			must(b, tx.Write(b.Context(), ms[:n]))
			ms = ms[n:]
		}
		cp.Sequence++
		must(b, tx.Commit(b.Context(), cp))
	}
	b.ReportMetric(float64(999*b.N)/b.Elapsed().Seconds(), "mutations/s")
}

func openBench(b *testing.B, url string) *postgres.Sink {
	b.Helper()
	s, err := postgres.Open(b.Context(), postgres.Options{Endpoint: endpoint(b, url), CreateTables: true})
	must(b, err)
	return s
}

func must(b *testing.B, err error) {
	b.Helper()
	if err != nil {
		b.Fatal(err)
	}
}
