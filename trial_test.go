package rowferry_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/rowferry/rowferry"
	"github.com/rowferry/rowferry/mapping"
	"github.com/rowferry/rowferry/schema"
)

// nodes refer to each other, and in the target, which the source does not know, to
// the values that are allowed. SQLite looks at both at the commit.
var nodes = &schema.Table{
	Name: schema.Name{Schema: "db", Table: "nodes"},
	Columns: []schema.Column{
		{Name: "id", Type: schema.Type{Kind: schema.Int, Bits: 64}},
		{Name: "boss", Type: schema.Type{Kind: schema.Int, Bits: 64}, Nullable: true},
		{Name: "n", Type: schema.Type{Kind: schema.Int, Bits: 64}},
	},
	PrimaryKey: []int{0}, ConstraintsKnown: true,
	ForeignKeys: []schema.ForeignKey{{Columns: []int{1}, Parent: schema.Name{Schema: "db", Table: "nodes"}, Referenced: []string{"id"}}},
}

// nodeLog makes transactions of nodes, some before their boss, and returns the keys of
// those that can be in a target which allows no 99.
func nodeLog(rnd *rand.Rand, transactions, rows int) (*script, []int64) {
	s := &script{knows: nodes}
	bad, bosses := map[int64]bool{}, map[int64]int64{}
	id := int64(0)
	for n := range transactions {
		var changes []rowferry.Change
		if n == 0 {
			changes = append(changes, rowferry.Change{Op: rowferry.Shape, Table: nodes})
		}
		for i := range rows {
			id++
			row := rowferry.Row{rowferry.IntValue(id), rowferry.NullValue(), rowferry.IntValue(rnd.Int64N(10))}
			switch rnd.IntN(3) {
			case 0: // one that comes later in the transaction, or is there
				bosses[id] = max(1, id-int64(i)+rnd.Int64N(int64(rows)))
				row[1] = rowferry.IntValue(bosses[id])
			case 1:
				if rnd.IntN(10) == 0 {
					bad[id], row[2] = true, rowferry.IntValue(99)
				}
			}
			changes = append(changes, rowferry.Change{Op: rowferry.Insert, Table: nodes, After: row, ChecksLate: true})
		}
		name := fmt.Sprintf("t%d", n+1)
		s.txs = append(s.txs, &rowferry.Tx{
			ID: name, Log: "log:" + name, CommitTime: time.Unix(0, 0), Changes: changes, Last: true,
			Position: rowferry.Position(fmt.Sprintf("p%d", n+1)), Lineage: "l" + name,
		})
	}
	for range id {
		for k, boss := range bosses {
			bad[k] = bad[k] || bad[boss]
		}
	}
	var good []int64
	for k := range id {
		if !bad[k+1] {
			good = append(good, k+1)
		}
	}
	return s, good
}

// TestLateRefusals: rows that the target refuses at the commit alone, which does not
// say which of them it is about, are found and put aside, with those that depend on
// them and no others.
func TestLateRefusals(t *testing.T) {
	b := newBench(t)
	b.rejects, b.opts.BatchTxs = mapping.Quarantine, 20
	create(t, b.target, "CREATE TABLE allowed (n INTEGER PRIMARY KEY)",
		"INSERT INTO allowed VALUES (0), (1), (2), (3), (4), (5), (6), (7), (8), (9)",
		"CREATE TABLE nodes (id INTEGER PRIMARY KEY, boss INTEGER REFERENCES nodes (id), n INTEGER NOT NULL REFERENCES allowed (n))")
	source, good := nodeLog(rand.New(rand.NewPCG(7, 1)), 15, 30)
	b.must(source, rowferry.Fresh)
	if got := query(t, b.target, "SELECT id FROM nodes ORDER BY id"); !slices.Equal(got, good) {
		t.Errorf("%d rows are there, want %d", len(got), len(good))
		for id := range int64(450) {
			if here := slices.Contains(got, id+1); here != slices.Contains(good, id+1) {
				t.Errorf("%d: %v, boss %v", id+1, here, source.txs[id/30].Changes[id%30+max(0, 1-id/30)].After)
			}
		}
	}
	execute(t, b.target, "INSERT INTO allowed VALUES (99)")
	for n := range uint64(450) {
		b.opts.Wishes = append(b.opts.Wishes, rowferry.Wish{Number: n})
	}
	b.opts.Granted = func(err error) {
		if err != nil {
			t.Error(err)
		}
	}
	for range 10 { // rows that refer to later ones are refused until those are there
		b.must(source, rowferry.Resumed)
	}
	if got := query(t, b.target, "SELECT id FROM nodes ORDER BY id"); !slices.Equal(got, upTo(450)) {
		t.Errorf("then %d rows", len(got))
	}
}
