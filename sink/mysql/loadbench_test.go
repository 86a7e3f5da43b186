package mysql_test

import (
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/rowferry/rowferry"
	"github.com/rowferry/rowferry/internal/testdb"
	"github.com/rowferry/rowferry/schema"
	"github.com/rowferry/rowferry/sink/mysql"
)

// BenchmarkLoad loads chunks of 5,000 rows of 12 columns and about 800 bytes, on
// one and on two connections, and merges as many updates, on the distribution's
// server.
func BenchmarkLoad(b *testing.B) {
	const chunk = 5000
	wide := schema.Type{Kind: schema.VarChar, Length: 200, Charset: "utf8mb4", Collation: "utf8mb4_bin"}
	columns := []schema.Column{col("id", integer)}
	for n := range 11 {
		columns = append(columns, col(fmt.Sprintf("c%d", n), []schema.Type{integer, wide, wide, {Kind: schema.DateTime}}[n%4]))
	}
	table := keyed("t", columns...)
	rows := func(from int64, filler string) []rowferry.Mutation {
		ms := make([]rowferry.Mutation, chunk)
		for n := range ms {
			id := from + int64(n)
			values := rowferry.Row{i(id)}
			for c := range 11 {
				values = append(values, []rowferry.Value{i(id), s(filler), s(filler[1:]), s("2026-01-02 03:04:05")}[c%4])
			}
			ms[n] = inserted(table, values...)
		}
		return ms
	}
	opened := func(b *testing.B) (*mysql.Sink, rowferry.Checkpoint) {
		server := testdb.Start(b, testdb.MariaDB1011)
		name, _ := testdb.NewDatabase(b, server)
		o := mysql.DefaultOptions()
		o.Endpoint = endpoint(b, server, name)
		sink, err := mysql.Open(b.Context(), o)
		if err == nil {
			err = sink.PrepareLoad(b.Context(), []rowferry.Mutation{{Op: rowferry.Shape, Table: table}})
		}
		cp := rowferry.Checkpoint{Pipeline: "p", Position: "0", Fence: 1, Format: rowferry.CheckpointFormat}
		if err == nil {
			err = sink.WriteCheckpoint(b.Context(), nil, cp)
		}
		if err != nil {
			b.Fatal(err)
		}
		return sink, cp
	}
	for _, loads := range []int64{1, 2} {
		b.Run(fmt.Sprintf("loads=%d", loads), func(b *testing.B) {
			sink, cp := opened(b)
			defer sink.Close()
			var group sync.WaitGroup
			next := make(chan int64)
			for n := range loads {
				l, err := sink.Load(b.Context())
				if err != nil {
					b.Fatal(err)
				}
				group.Go(func() {
					defer l.Close()
					m := rowferry.Mutation{Op: rowferry.Shape, Table: table}
					ms := rows(n*1e8, strings.Repeat("x", 150))
					for range next {
						for r := range ms {
							ms[r].After[0] = i(ms[r].After[0].Int() + chunk)
						}
						c, err := claim(b.Context(), l, cp, table)
						if err == nil {
							err = l.Begin(b.Context(), &m, false)
						}
						if err == nil {
							err = l.Write(b.Context(), ms)
						}
						if err == nil {
							err = l.Commit(b.Context(), cp, c)
						}
						if err != nil {
							panic(err) // nobody would take the next number
						}
					}
				})
			}
			for b.Loop() {
				next <- 1
			}
			close(next)
			group.Wait()
			b.ReportMetric(float64(chunk*b.N)/b.Elapsed().Seconds(), "rows/s")
		})
	}
	b.Run("merge", func(b *testing.B) {
		sink, cp := opened(b)
		defer sink.Close()
		step := 0
		merge := func(ms []rowferry.Mutation) {
			tx, err := sink.Begin(b.Context())
			if err == nil {
				err = tx.(rowferry.MergeTx).Merge(b.Context(), ms)
			}
			cp.Sequence++
			if err == nil {
				err = tx.Commit(b.Context(), cp)
			}
			if err != nil {
				b.Fatal(err)
			}
		}
		merge(rows(0, strings.Repeat("x", 150)))
		for b.Loop() {
			step++
			ms := rows(0, strings.Repeat(string(rune('a'+step%20)), 150))
			for n := range ms {
				if n%2 == 0 {
					ms[n].Op, ms[n].Before = rowferry.Update, append(rowferry.Row{ms[n].After[0]}, make(rowferry.Row, 11)...)
				}
			}
			merge(ms)
		}
		b.ReportMetric(float64(chunk*b.N)/b.Elapsed().Seconds(), "changes/s")
	})
}
