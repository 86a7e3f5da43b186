package mysql_test

import (
	"testing"

	"github.com/rowferry/rowferry"
	"github.com/rowferry/rowferry/internal/testdb"
	"github.com/rowferry/rowferry/sink/mysql"
)

// BenchmarkBulk writes batches of 1,000 changes in bulk, on the distribution's
// server.
func BenchmarkBulk(b *testing.B) {
	server := testdb.Start(b, testdb.MariaDB1011)
	name, _ := testdb.NewDatabase(b, server)
	o := mysql.DefaultOptions()
	o.Endpoint = endpoint(b, server, name)
	sink, err := mysql.Open(b.Context(), o)
	if err != nil {
		b.Fatal(err)
	}
	defer sink.Close()
	p := begin(b, sink)
	table := keyed("t", col("id", integer), col("n", integer), col("s", text))
	p.must(shaped(table))
	const rows = 1000
	var inserts, there, back []rowferry.Mutation
	for id := range int64(rows) {
		inserts = append(inserts, inserted(table, i(id), i(0), s("a")))
		there = append(there, updated(table, rowferry.Row{i(id), i(0), s("a")}, rowferry.Row{i(id), i(1), s("b")}))
		back = append(back, updated(table, rowferry.Row{i(id), i(1), s("b")}, rowferry.Row{i(id), i(0), s("a")}))
	}
	p.bulk(inserts)
	for b.Loop() {
		p.bulk(there)
		p.bulk(back)
	}
	b.ReportMetric(float64(2*rows*b.N)/b.Elapsed().Seconds(), "changes/s")
}

// BenchmarkWrite writes batches of 1,000 changes, on the distribution's server.
func BenchmarkWrite(b *testing.B) {
	server := testdb.Start(b, testdb.MariaDB1011)
	name, _ := testdb.NewDatabase(b, server)
	o := mysql.DefaultOptions()
	o.Endpoint = endpoint(b, server, name)
	sink, err := mysql.Open(b.Context(), o)
	if err != nil {
		b.Fatal(err)
	}
	defer sink.Close()
	p := begin(b, sink)
	table := keyed("t", col("id", integer), col("s", text))
	p.must(shaped(table))
	next := int64(0)
	run := func(name string, change func(id int64) []rowferry.Mutation) {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				var ms []rowferry.Mutation
				for range 1000 {
					next++
					ms = append(ms, change(next)...)
				}
				p.must(ms...)
			}
			b.ReportMetric(float64(1000*b.N)/b.Elapsed().Seconds(), "changes/s")
		})
	}
	run("insert", func(id int64) []rowferry.Mutation {
		return []rowferry.Mutation{inserted(table, i(id), s("a"))}
	})
	run("update", func(id int64) []rowferry.Mutation {
		return []rowferry.Mutation{inserted(table, i(id), s("a")), updated(table, rowferry.Row{i(id), s("a")}, rowferry.Row{i(id), s("b")})}
	})
}
