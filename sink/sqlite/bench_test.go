package sqlite

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rowferry/rowferry"
	"github.com/rowferry/rowferry/schema"
)

// TestHugeBatch writes far more than the page cache and the WAL limit in one
// batch, and wants the disk back.
func TestHugeBatch(t *testing.T) {
	sink, _ := openTraced(t, DefaultOptions())
	sink.options.Trace = nil
	want := keyed("t", col("id", integer, false), col("b", schema.Type{Kind: schema.Blob}, true))
	ms := []rowferry.Mutation{shaped(want)}
	big := rowferry.BytesValue(strings.Repeat("x", 1<<20))
	const rows = 2 * walLimit >> 20
	for n := range int64(rows) {
		ms = append(ms, inserted(want, i(n), big))
	}
	if err := apply(sink, 1, ms...); err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(sink.path + "-wal")
	if err != nil || info.Size() > walLimit {
		t.Errorf("the WAL is %d bytes large (%v)", info.Size(), err)
	}
	if got := one(t, sink, "SELECT sum(length(b)) = 134217728 FROM t"); got != "1" {
		t.Error("the rows did not arrive whole")
	}
}

func benchmark(b *testing.B, table *schema.Table, first []rowferry.Mutation, fill func(n int64, j int) rowferry.Mutation) {
	sink, err := Open(context.Background(), filepath.Join(b.TempDir(), "b.db"), DefaultOptions())
	if err != nil {
		b.Fatal(err)
	}
	defer sink.Close()
	if err := sink.WriteCheckpoint(context.Background(), nil, rowferry.Checkpoint{Pipeline: "p", Fence: 1, Format: rowferry.CheckpointFormat}); err != nil {
		b.Fatal(err)
	}
	if err := apply(sink, 1, append([]rowferry.Mutation{shaped(table)}, first...)...); err != nil {
		b.Fatal(err)
	}
	ms := make([]rowferry.Mutation, 1000)
	n := int64(0)
	for b.Loop() {
		for j := range ms {
			ms[j] = fill(n, j)
		}
		n++
		if err := apply(sink, uint64(n+1), ms...); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(n*1000)/b.Elapsed().Seconds(), "rows/s")
}

func benchTable() *schema.Table {
	return keyed("t", col("id", integer, false), col("a", text, true), col("b", text, true), col("c", integer, true),
		col("d", schema.Type{Kind: schema.Float64}, true), col("e", schema.Type{Kind: schema.DateTime}, true))
}

func benchRow(id, c int64) rowferry.Row {
	return rowferry.Row{i(id), s("name of somebody"), s("somebody@example.org"), i(c), rowferry.FloatValue(float64(id) / 3), s("2026-01-01 00:00:00")}
}

func BenchmarkInsert(b *testing.B) {
	t := benchTable()
	benchmark(b, t, nil, func(n int64, j int) rowferry.Mutation {
		return rowferry.Mutation{Op: rowferry.Insert, Table: t, After: benchRow(n*1000+int64(j), 0)}
	})
}

func BenchmarkUpdate(b *testing.B) {
	t := benchTable()
	var first []rowferry.Mutation
	for j := range int64(1000) {
		first = append(first, rowferry.Mutation{Op: rowferry.Insert, Table: t, After: benchRow(j, 0)})
	}
	benchmark(b, t, first, func(n int64, j int) rowferry.Mutation {
		return rowferry.Mutation{Op: rowferry.Update, Table: t, Before: benchRow(int64(j), n), After: benchRow(int64(j), n+1)}
	})
}
