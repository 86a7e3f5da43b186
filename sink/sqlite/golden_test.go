package sqlite

import (
	"context"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rowferry/rowferry"
	"github.com/rowferry/rowferry/internal/sqlsink"
	"github.com/rowferry/rowferry/schema"
)

var updateGolden = flag.Bool("update", false, "rewrite the golden files")

var (
	integer = schema.Type{Kind: schema.Int, Bits: 64}
	text    = schema.Type{Kind: schema.VarChar, Length: 50, Charset: "utf8mb4", Collation: "utf8mb4_0900_ai_ci"}
)

func shop() (customers, orders, notes *schema.Table) {
	customers = &schema.Table{Name: schema.Name{Table: "customers"}, PrimaryKey: []int{0}, ConstraintsKnown: true,
		Columns: []schema.Column{{Name: "id", Type: integer}, {Name: "email", Type: text}, {Name: "note", Type: text, Nullable: true}},
		Uniques: []schema.Index{{Name: "email", Columns: []int{1}}}}
	orders = &schema.Table{Name: schema.Name{Table: "orders"}, PrimaryKey: []int{0, 1}, ConstraintsKnown: true,
		Columns: []schema.Column{{Name: "shop", Type: text}, {Name: "n", Type: integer}, {Name: "customer", Type: integer, Nullable: true},
			{Name: "total", Type: schema.Type{Kind: schema.Decimal, Precision: 10, Scale: 2}, Nullable: true}},
		ForeignKeys: []schema.ForeignKey{{Columns: []int{2}, Parent: customers.Name, Referenced: []string{"id"}, OnDelete: schema.SetNull}}}
	notes = &schema.Table{Name: schema.Name{Table: "notes"}, ConstraintsKnown: true,
		Columns: []schema.Column{{Name: "rowid", Type: text, Nullable: true}, {Name: "at", Type: schema.Type{Kind: schema.DateTime}, Nullable: true}}}
	return customers, orders, notes
}

func i(n int64) rowferry.Value  { return rowferry.IntValue(n) }
func s(x string) rowferry.Value { return rowferry.TextValue(x) }

var (
	null = rowferry.NullValue()
	gone = rowferry.Value{}
)

// openTraced opens a sink on a new file with a checkpoint row for pipeline p,
// and returns what it traces.
func openTraced(t *testing.T, o Options) (*Sink, *[]string) {
	t.Helper()
	sink, err := Open(context.Background(), filepath.Join(t.TempDir(), "t.db"), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := sink.Close(); err != nil {
			t.Error(err)
		}
	})
	var trace []string
	sink.options.Trace = func(sql string, args []string) {
		line := sql + ";"
		if len(args) > 0 {
			line += "  -- " + strings.Join(args, " | ")
		}
		trace = append(trace, line)
	}
	if err := sink.WriteCheckpoint(context.Background(), nil, rowferry.Checkpoint{Pipeline: "p", Fence: 1, Format: rowferry.CheckpointFormat}); err != nil {
		t.Fatal(err)
	}
	return sink, &trace
}

// apply writes one batch with sequence n, committing it where nothing refuses.
func apply(sink *Sink, n uint64, ms ...rowferry.Mutation) error {
	tx, err := sink.Begin(context.Background())
	if err != nil {
		return err
	}
	err = tx.Write(context.Background(), ms)
	if err == nil {
		err = tx.Commit(context.Background(), rowferry.Checkpoint{
			Pipeline: "p", Fence: 1, Sequence: n, Position: rowferry.Position(fmt.Sprintf("0-1-%d", n)), Format: rowferry.CheckpointFormat})
	}
	if rerr := tx.Rollback(); err == nil {
		err = rerr
	}
	return err
}

func TestGoldenSQL(t *testing.T) {
	customers, orders, notes := shop()
	sink, trace := openTraced(t, DefaultOptions())
	row := func(v ...rowferry.Value) rowferry.Row { return v }
	script := []struct {
		title string
		ms    []rowferry.Mutation
	}{
		{"tables", []rowferry.Mutation{
			{Op: rowferry.Shape, Table: customers}, {Op: rowferry.Shape, Table: orders}, {Op: rowferry.Shape, Table: notes}, {Op: rowferry.Shape, Table: orders}}},
		{"insert, update what changed, delete", []rowferry.Mutation{
			{Op: rowferry.Insert, Table: customers, After: row(i(1), s("a@x"), null)},
			{Op: rowferry.Insert, Table: orders, After: row(s("b"), i(1), i(1), s("12.50"))},
			{Op: rowferry.Update, Table: orders, Before: row(s("b"), i(1), i(1), s("12.50")), After: row(s("b"), i(1), i(1), s("13.00"))},
			{Op: rowferry.Update, Table: orders, Before: row(s("b"), i(1), i(1), s("13.00")), After: row(s("b"), i(1), i(1), s("13.00"))},
			{Op: rowferry.Delete, Table: orders, Before: row(s("b"), i(1), i(1), s("13.00"))}}},
		{"partial images", []rowferry.Mutation{
			{Op: rowferry.Update, Table: customers, Before: row(i(1), gone, gone), After: row(gone, gone, s("hi"))}}},
		{"a key change and a unique value through a spare one", []rowferry.Mutation{
			{Op: rowferry.Insert, Table: customers, After: row(i(2), s("b@x"), null)},
			{Op: rowferry.Update, Table: customers, Before: row(i(1), s("a@x"), s("hi")), After: row(i(3), s("spare"), s("hi"))},
			{Op: rowferry.Update, Table: customers, Before: row(i(2), s("b@x"), null), After: row(i(2), s("a@x"), null)},
			{Op: rowferry.Update, Table: customers, Before: row(i(3), s("spare"), s("hi")), After: row(i(3), s("b@x"), s("hi"))}}},
		{"no key, and a column called rowid", []rowferry.Mutation{
			{Op: rowferry.Insert, Table: notes, After: row(s("x"), s("2026-01-01 00:00:00"))},
			{Op: rowferry.Insert, Table: notes, After: row(s("x"), s("2026-01-01 00:00:00"))},
			{Op: rowferry.Update, Table: notes, Before: row(s("x"), s("2026-01-01 00:00:00")), After: row(s("y"), null)},
			{Op: rowferry.Delete, Table: notes, Before: row(s("x"), s("2026-01-01 00:00:00"))}}},
		{"truncate", []rowferry.Mutation{{Op: rowferry.Truncate, Table: orders}}},
	}
	var out strings.Builder
	for n, part := range script {
		*trace = nil
		if err := apply(sink, uint64(n+1), part.ms...); err != nil {
			t.Fatalf("%s: %v", part.title, err)
		}
		out.WriteString("-- " + part.title + "\n" + strings.Join(*trace, "\n") + "\n\n")
	}
	path := filepath.Join("testdata", "shop.txt")
	if *updateGolden {
		if err := os.WriteFile(path, []byte(out.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if out.String() != string(want) {
		t.Errorf("got\n%s\nwant\n%s", out.String(), want)
	}
}

// TestStatementsAreBounded writes every combination of columns of a table.
func TestStatementsAreBounded(t *testing.T) {
	wide := &schema.Table{Name: schema.Name{Table: "wide"}, PrimaryKey: []int{0}, Columns: []schema.Column{{Name: "id", Type: integer}}}
	for c := range 11 {
		wide.Columns = append(wide.Columns, schema.Column{Name: fmt.Sprintf("c%d", c), Type: integer, Nullable: true})
	}
	sink, _ := openTraced(t, DefaultOptions())
	full := make(rowferry.Row, len(wide.Columns))
	for c := range full {
		full[c] = i(1)
	}
	ms := []rowferry.Mutation{{Op: rowferry.Shape, Table: wide}, {Op: rowferry.Insert, Table: wide, After: full}}
	for bits := range 1 << 11 {
		after := make(rowferry.Row, len(full))
		for c := range 11 {
			if bits>>c&1 == 1 {
				after[c+1] = i(int64(bits))
			}
		}
		before := make(rowferry.Row, len(full))
		before[0] = i(1)
		ms = append(ms, rowferry.Mutation{Op: rowferry.Update, Table: wide, Before: before, After: after})
	}
	if err := apply(sink, 1, ms...); err != nil {
		t.Fatal(err)
	}
	if n, _ := sink.stmts.Len(); n != sqlsink.MaxStatements {
		t.Errorf("%d statements are kept, want %d", n, sqlsink.MaxStatements)
	}
	sink.forget()
	if n, params := sink.stmts.Len(); n != 0 || params != 0 {
		t.Errorf("%d statements with %d parameters are left", n, params)
	}
}
