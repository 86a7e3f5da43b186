package postgres_test

import (
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/rowferry/rowferry"
	"github.com/rowferry/rowferry/internal/testdb"
	"github.com/rowferry/rowferry/schema"
)

// BenchmarkLoad loads rows of twelve columns and about 800 bytes, in chunks of
// 20,000, on one connection and on two.
func BenchmarkLoad(b *testing.B) {
	for _, loads := range []int{1, 2} {
		b.Run(fmt.Sprint(loads), func(b *testing.B) { benchmarkLoad(b, loads) })
	}
}

const (
	benchChunk = 20_000
	benchWrite = 1000 // rows that come at once
)

func benchmarkLoad(b *testing.B, loads int) {
	server := testdb.Start(b, testdb.Postgres15)
	name, _ := testdb.NewDatabase(b, server)
	s := openBench(b, server.URL(name))
	defer s.Close()
	cp := rowferry.Checkpoint{Pipeline: "p", Fence: 1, Sequence: 1, Format: rowferry.CheckpointFormat}
	must(b, s.WriteCheckpoint(b.Context(), nil, cp))
	table := benchTable()
	must(b, s.PrepareLoad(b.Context(), []rowferry.Mutation{shaped(table)}))
	written := make([][]rowferry.Mutation, loads)
	var open []rowferry.Load
	for n := range loads {
		l, err := s.Load(b.Context())
		must(b, err)
		defer l.Close()
		open = append(open, l)
		written[n] = make([]rowferry.Mutation, benchWrite)
	}
	chunk := int64(0)
	for b.Loop() {
		var group sync.WaitGroup
		for n, l := range open {
			from := (chunk + int64(n)) * benchChunk
			group.Go(func() {
				m := shaped(table)
				c, err := claim(b.Context(), l, cp, table)
				must(b, err)
				must(b, l.Begin(b.Context(), &m, false))
				for at := from; at < from+benchChunk; at += benchWrite {
					for k := range written[n] {
						written[n][k] = inserted(table, benchRow(at+int64(k))...)
					}
					must(b, l.Write(b.Context(), written[n]))
				}
				must(b, l.Commit(b.Context(), cp, c))
			})
		}
		group.Wait()
		chunk += int64(loads)
	}
	rows := float64(chunk) * benchChunk
	b.ReportMetric(rows/b.Elapsed().Seconds(), "rows/s")
	b.ReportMetric(rows*800/1e6/b.Elapsed().Seconds(), "MB/s")
}

func benchTable() *schema.Table {
	long := schema.Type{Kind: schema.Text, Charset: "utf8mb4", Collation: "utf8mb4_0900_bin"}
	return keyed("wide", col("id", schema.Type{Kind: schema.Int, Bits: 64}, false), col("customer", integer, false), col("state", text, false),
		col("price", schema.Type{Kind: schema.Decimal, Precision: 12, Scale: 2}, false), col("made", schema.Type{Kind: schema.DateTime, Fsp: 6}, false),
		col("seen", schema.Type{Kind: schema.Timestamp}, true), col("mail", text, true), col("weight", schema.Type{Kind: schema.Float64}, true),
		col("photo", schema.Type{Kind: schema.Blob}, true), col("note", long, true), col("body", long, true), col("more", integer, true))
}

var (
	benchNote = strings.Repeat("a note of some length, ", 8)
	benchBody = strings.Repeat("what was written about it; ", 16)
	benchBlob = strings.Repeat("\x00\xff12", 16)
)

func benchRow(id int64) []rowferry.Value {
	return []rowferry.Value{
		i(id), i(id % 1000), txt("ordered"), txt(fmt.Sprintf("%d.%02d", id%100_000, id%100)), txt("2026-01-02 03:04:05.000006"),
		txt("2026-01-02 03:04:05"), txt("somebody@example.org"), rowferry.FloatValue(float64(id) / 3),
		rowferry.BytesValue(benchBlob), txt(benchNote), txt(benchBody), null,
	}
}
