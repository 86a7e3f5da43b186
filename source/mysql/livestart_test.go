package mysql

import (
	"testing"

	"github.com/rowferry/rowferry"
	"github.com/rowferry/rowferry/internal/testdb"
	"github.com/rowferry/rowferry/schema"
)

// TestLiveStartIsTied: a start of which nothing was applied yet is not gone on
// with where the server was reset since and has logged others under the same
// names.
func TestLiveStartIsTied(t *testing.T) {
	servers := map[string][]testdb.Option{"named": nil, "by file": {testdb.WithoutGTIDs()}}
	for _, k := range liveKinds() {
		for what, opts := range servers {
			if opts != nil && k.Flavor() == testdb.MariaDB {
				continue // which always names them
			}
			t.Run(string(k)+" "+what, func(t *testing.T) {
				s := testdb.Start(t, k, append(opts, testdb.Private())...)
				must(t, s.Exec(t.Context(), "CREATE DATABASE IF NOT EXISTS test", markTable))
				must(t, s.ResetBinlog(t.Context()))
				src := Live(LiveOptions{Endpoint: endpoint(t, s, "root"), From: "latest", Once: true})
				start := func() rowferry.Start {
					r, err := src.Open(t.Context(), rowferry.Start{})
					must(t, err)
					defer r.Close()
					lineage, err := r.(rowferry.Rooted).Lineage(t.Context())
					must(t, err)
					return rowferry.Start{Position: r.Begin(), Lineage: lineage}
				}
				if at := start(); at.Lineage != "" {
					t.Errorf("the lineage of an empty log is %q", at.Lineage)
				}
				mark(t, s, "one")
				at := start()
				if at.Lineage == "" {
					t.Fatal("the start has no lineage")
				}
				must(t, s.Rotate(t.Context()))
				if again := start(); what == "named" && (again.Position != at.Position || again.Lineage != at.Lineage) {
					t.Errorf("after a rotation the start is %+v, want %+v", again, at)
				}
				if got := readFrom(src, at); got.err != nil {
					t.Errorf("going on says %v", got.err)
				}
				must(t, s.ResetBinlog(t.Context()))
				mark(t, s, "two")
				mark(t, s, "three")
				if got := readFrom(src, at); rowferry.CodeOf(got.err) != rowferry.CodeLineageBroken {
					t.Errorf("after a reset it says %v", got.err)
				}
			})
		}
	}
}

// TestLiveOrderIsNotGuessed: the target's table is no witness of the order that
// the columns of an altered table had.
func TestLiveOrderIsNotGuessed(t *testing.T) {
	integer := schema.Type{Kind: schema.Int, Bits: 64}
	name := schema.Name{Schema: "guessed", Table: "t"}
	hint := &schema.Table{Name: name, PrimaryKey: []int{0}, ConstraintsKnown: true,
		Columns: []schema.Column{{Name: "id", Type: integer}, {Name: "b", Type: integer}, {Name: "a", Type: integer}}}
	s := testdb.Start(t, testdb.MySQL97, testdb.Private(), testdb.RowMetadata("MINIMAL"))
	must(t, s.Exec(t.Context(), "CREATE DATABASE guessed", "CREATE TABLE guessed.t (id INT PRIMARY KEY, a INT, b INT)"))
	must(t, s.ResetBinlog(t.Context()))
	must(t, s.Exec(t.Context(), "INSERT INTO guessed.t VALUES (1, 10, 20)", "ALTER TABLE guessed.t MODIFY b INT AFTER id"))
	src := Live(LiveOptions{Endpoint: endpoint(t, s, "root"), From: "earliest", Once: true})
	if got := readFrom(src, rowferry.Start{Hint: hinting(hint)}); rowferry.CodeOf(got.err) != rowferry.CodeShapeUnknown {
		t.Errorf("got %v, want %s", got.err, rowferry.CodeShapeUnknown)
	}
}
