package rowferry_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strconv"
	"testing"

	driver "zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"

	"github.com/rowferry/rowferry"
	"github.com/rowferry/rowferry/internal/randomtx"
	"github.com/rowferry/rowferry/schema"
	"github.com/rowferry/rowferry/sink/sqlite"
)

// TestCompact: random transactions that are full of unique keys, foreign keys,
// key changes and circles, compacted in groups, leave a database as the
// transactions one by one would have.
func TestCompact(t *testing.T) {
	for seed := range uint64(4) {
		t.Run(strconv.FormatUint(seed, 10), func(t *testing.T) {
			t.Parallel()
			w := randomtx.New("", seed)
			w.Minimal = seed%2 == 1
			r := rand.New(rand.NewPCG(seed, 3))
			compact := rowferry.NewCompactor()
			path := filepath.Join(t.TempDir(), "compact.db")
			sink, err := sqlite.Open(t.Context(), path, sqlite.DefaultOptions())
			if err != nil {
				t.Fatal(err)
			}
			defer sink.Close()
			g := &grouper{t: t, sink: sink, cp: rowferry.Checkpoint{Pipeline: "p", Position: "x:1", StateID: "s", Format: rowferry.CheckpointFormat}}
			if err := sink.WriteCheckpoint(t.Context(), nil, g.cp); err != nil {
				t.Fatal(err)
			}
			var shapes []rowferry.Mutation
			for _, s := range w.Shapes() {
				shapes = append(shapes, rowferry.Mutation{Op: rowferry.Shape, Table: s})
			}
			if err := g.apply(shapes); err != nil {
				t.Fatal(err)
			}
			in, out := 0, 0
			for done := 0; done < 25_000; {
				var ms []rowferry.Mutation
				for range 1 + r.IntN(40) {
					ms = append(ms, w.Transaction()...)
					done++
				}
				fewer := compact(ms)
				in, out = in+len(ms), out+len(fewer)
				if err := g.apply(fewer); err != nil {
					t.Fatalf("after %d transactions: %v\n%s\nbecame\n%s", done, err, described(ms), described(fewer))
				}
				if r.IntN(20) == 0 {
					g.same(path, w, func() string { return described(ms) + "\nbecame\n" + described(fewer) })
				}
			}
			g.same(path, w, func() string { return "" })
			t.Logf("figure: %d changes became %d", in, out)
		})
	}
}

// TestCompactFamily: parents come first and children go first, in time, where
// more ways lead up than can be walked: every table refers to all before it.
func TestCompactFamily(t *testing.T) {
	const generations = 64
	var tables []*schema.Table
	for i := range generations {
		family := &schema.Table{Name: schema.Name{Table: fmt.Sprintf("t%d", i)}, PrimaryKey: []int{0}, ConstraintsKnown: true}
		family.Columns = append(family.Columns, schema.Column{Name: "id", Type: schema.Type{Kind: schema.Int, Bits: 64}})
		for k, parent := range tables {
			family.Columns = append(family.Columns, schema.Column{Name: fmt.Sprintf("p%d", k), Type: schema.Type{Kind: schema.Int, Bits: 64}, Nullable: true})
			family.ForeignKeys = append(family.ForeignKeys, schema.ForeignKey{Columns: []int{k + 1}, Parent: parent.Name, Referenced: []string{"id"}})
		}
		tables = append(tables, family)
	}
	compact := rowferry.NewCompactor()
	all := func(op rowferry.Op, id int64) (ms []rowferry.Mutation) {
		for _, table := range slices.Backward(tables) {
			m := rowferry.Mutation{Op: op, Table: table}
			row := make(rowferry.Row, len(table.Columns))
			for o := range row {
				row[o] = rowferry.NullValue()
			}
			row[0] = rowferry.IntValue(id)
			if m.After = row; op == rowferry.Delete {
				m.Before, m.After = row, nil
			}
			ms = append(ms, m)
		}
		return ms
	}
	compact(all(rowferry.Insert, 1)) // which are now known
	for i, m := range compact(all(rowferry.Insert, 2)) {
		if m.Table != tables[i] {
			t.Fatalf("insert %d is of %s", i, m.Table.Name)
		}
	}
	for i, m := range compact(all(rowferry.Delete, 2)) {
		if m.Table != tables[generations-1-i] {
			t.Fatalf("delete %d is of %s", i, m.Table.Name)
		}
	}
}

// TestCompactTree: a row leaves its parent in its own table before the parent
// goes, though it goes itself later.
func TestCompactTree(t *testing.T) {
	number := schema.Type{Kind: schema.Int, Bits: 64}
	tree := &schema.Table{
		Name: schema.Name{Table: "tree"}, Columns: []schema.Column{{Name: "id", Type: number}, {Name: "up", Type: number, Nullable: true}}, PrimaryKey: []int{0},
		ForeignKeys: []schema.ForeignKey{{Columns: []int{1}, Parent: schema.Name{Table: "tree"}, Referenced: []string{"id"}}}, ConstraintsKnown: true,
	}
	row := func(id, up int64) rowferry.Row { return rowferry.Row{rowferry.IntValue(id), rowferry.IntValue(up)} }
	ms := rowferry.NewCompactor()([]rowferry.Mutation{
		{Op: rowferry.Update, Table: tree, Before: row(1, 2), After: row(1, 3)},
		{Op: rowferry.Delete, Table: tree, Before: row(2, 3)},
		{Op: rowferry.Delete, Table: tree, Before: row(1, 3)},
	})
	if len(ms) == 0 || ms[0].Before[0] != rowferry.IntValue(1) {
		t.Errorf("the parent goes first:\n%s", described(ms))
	}
}

// TestCompactLate: changes of a source that looks at foreign keys late may come
// before what they refer to, and after it is gone. Net changes need no leave to
// break them, and those of tables that refer to themselves have it.
func TestCompactLate(t *testing.T) {
	number := schema.Type{Kind: schema.Int, Bits: 64}
	table := func(name, parent string) *schema.Table {
		return &schema.Table{
			Name: schema.Name{Table: name}, Columns: []schema.Column{{Name: "id", Type: number}, {Name: "up", Type: number, Nullable: true}}, PrimaryKey: []int{0},
			ForeignKeys: []schema.ForeignKey{{Columns: []int{1}, Parent: schema.Name{Table: parent}, Referenced: []string{"id"}}}, ConstraintsKnown: true,
		}
	}
	tree, child := table("tree", "tree"), table("child", "tree")
	row := func(id int64, up rowferry.Value) rowferry.Row { return rowferry.Row{rowferry.IntValue(id), up} }
	insert := func(t *schema.Table, id int64, up rowferry.Value) rowferry.Mutation {
		return rowferry.Mutation{Op: rowferry.Insert, Table: t, After: row(id, up), ChecksLate: true}
	}
	gone := func(t *schema.Table, id int64, up rowferry.Value) rowferry.Mutation {
		return rowferry.Mutation{Op: rowferry.Delete, Table: t, Before: row(id, up), ChecksLate: true}
	}
	one, two, none := rowferry.IntValue(1), rowferry.IntValue(2), rowferry.NullValue()
	sink, err := sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "late.db"), sqlite.DefaultOptions())
	if err != nil {
		t.Fatal(err)
	}
	defer sink.Close()
	g := &grouper{t: t, sink: sink, cp: rowferry.Checkpoint{Pipeline: "p", Position: "x:1", StateID: "s", Format: rowferry.CheckpointFormat}}
	if err := sink.WriteCheckpoint(t.Context(), nil, g.cp); err != nil {
		t.Fatal(err)
	}
	compact := rowferry.NewCompactor()
	for i, ms := range [][]rowferry.Mutation{
		{{Op: rowferry.Shape, Table: tree}, {Op: rowferry.Shape, Table: child}},
		{insert(child, 1, two), insert(tree, 2, one), insert(tree, 1, none)},
		{gone(tree, 1, none), gone(tree, 2, one), gone(child, 1, two)},
	} {
		fewer := compact(ms)
		for _, m := range fewer {
			if m.Op != rowferry.Shape && m.ChecksOff != (m.Table == tree) {
				t.Errorf("%d: checks off: %v\n%s", i, m.ChecksOff, described([]rowferry.Mutation{m}))
			}
		}
		if err := g.apply(fewer); err != nil {
			t.Fatalf("%d: %v\n%s", i, err, described(fewer))
		}
	}
}

// TestCompactKeyChange: a part that is free has one change of a row at most,
// under its old key and its new one.
func TestCompactKeyChange(t *testing.T) {
	number := schema.Type{Kind: schema.Int, Bits: 64}
	table := &schema.Table{
		Name: schema.Name{Table: "t"}, Columns: []schema.Column{{Name: "id", Type: number}, {Name: "n", Type: number}}, PrimaryKey: []int{0}, ConstraintsKnown: true,
	}
	row := func(id, n int64) rowferry.Row { return rowferry.Row{rowferry.IntValue(id), rowferry.IntValue(n)} }
	update := func(before, after rowferry.Row) rowferry.Mutation {
		return rowferry.Mutation{Op: rowferry.Update, Table: table, Before: before, After: after}
	}
	rowferry.CompactParts([]rowferry.Mutation{
		update(row(1, 1), row(1, 2)), update(row(1, 2), row(2, 2)), update(row(2, 2), row(2, 3)), update(row(2, 3), row(3, 3)), update(row(3, 3), row(3, 4)),
	}, func(part []rowferry.Mutation, free bool) {
		seen := map[rowferry.Value]bool{}
		for _, m := range part {
			if free && (seen[m.Before[0]] || seen[m.After[0]]) {
				t.Errorf("a row is changed twice:\n%s", described(part))
			}
			seen[m.Before[0]], seen[m.After[0]] = true, true
		}
	})
}

type grouper struct {
	t    *testing.T
	sink *sqlite.Sink
	cp   rowferry.Checkpoint
}

func (g *grouper) apply(ms []rowferry.Mutation) error {
	g.t.Helper()
	tx, err := g.sink.Begin(context.Background())
	if err != nil {
		g.t.Fatal(err)
	}
	if err := tx.Write(context.Background(), ms); err != nil {
		return err
	}
	cp := g.cp
	cp.Sequence++
	if err := tx.Commit(context.Background(), cp); err != nil {
		return err
	}
	g.cp = cp
	return nil
}

// same wants the database to have exactly the rows of the world.
func (g *grouper) same(path string, w *randomtx.World, what func() string) {
	g.t.Helper()
	onFile(g.t, path, func(conn *driver.Conn) error {
		for _, s := range w.Shapes() {
			got, want := rowsOf(g.t, conn, s), w.Rows(s.Name)
			slices.Sort(got)
			slices.Sort(want)
			if !slices.Equal(got, want) {
				g.t.Fatalf("table %s has\n%q\nwant\n%q\n%s", s.Name, got, want, what())
			}
		}
		return nil
	})
}

func rowsOf(t *testing.T, conn *driver.Conn, s *schema.Table) (all []string) {
	t.Helper()
	err := sqlitex.ExecuteTransient(conn, "SELECT * FROM "+s.Name.Table, &sqlitex.ExecOptions{ResultFunc: func(st *driver.Stmt) error {
		row := ""
		for i := range st.ColumnCount() {
			if st.ColumnType(i) == driver.TypeNull {
				row += "|NULL"
			} else {
				row += "|" + st.ColumnText(i)
			}
		}
		all = append(all, row)
		return nil
	}})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func described(ms []rowferry.Mutation) (all string) {
	for i := range ms {
		all += fmt.Sprintf("  %s %s %v -> %v\n", ms[i].Op, ms[i].Table.Name, ms[i].Before, ms[i].After)
	}
	return all
}
