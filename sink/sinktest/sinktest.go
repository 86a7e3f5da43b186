// Package sinktest is the conformance suite of rowferry.Sink: every clause of
// its contract, against a real target.
package sinktest

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rowferry/rowferry"
	"github.com/rowferry/rowferry/schema"
)

// Options say how the suite looks at the target.
type Options struct {
	// Read returns all committed rows of the table, in any order, each value
	// carried as the sink was given it; nil where the table does not exist. It
	// must not read through the sink. Nil means that the target is an event
	// log and has no tables: Count is used instead.
	Read func(t *testing.T, s rowferry.Sink, table *schema.Table) []rowferry.Row
	// Count returns how many events a reader of the target finds.
	Count func(t *testing.T, s rowferry.Sink) int
	// Again opens the same target once more, for a CheckpointKeeper.
	Again func(t *testing.T, s rowferry.Sink) rowferry.Sink
	// Exec runs a statement of standard SQL on the target of a Loader or Reserver,
	// not through the sink.
	Exec func(t *testing.T, s rowferry.Sink, sql string)
	// Indexes returns the indexes of a table of a Loader that refuse no row, as the
	// target says: the columns of each, joined by commas, with " desc" behind one in
	// descending order; in any order.
	Indexes func(t *testing.T, s rowferry.Sink, table *schema.Table) []string
	// Refuses reports whether the target has no room for the value in a column
	// of that type, which the sink then refuses with CodeOutOfRange. Nil means
	// that it holds every value of the suite.
	Refuses func(typ schema.Type, v rowferry.Value) bool
	// BlobSize is the size of the large value in bytes; 0 means 8 MiB.
	BlobSize int
	// Beside has clauses run beside one another, as many as tests may.
	Beside bool
	// Columns is the width of the wide table; 0 means 1,000.
	Columns int
}

// Run tests the sinks that open returns, each on a fresh and empty target.
func Run(t *testing.T, open func(t *testing.T) rowferry.Sink, o Options) {
	if o.BlobSize == 0 {
		o.BlobSize = 8 << 20
	}
	if o.Columns == 0 {
		o.Columns = 1000
	}
	run := func(clauses []clause) {
		for _, c := range clauses {
			t.Run(c.name, func(t *testing.T) {
				if o.Beside {
					t.Parallel()
				}
				e := &env{t: t, sink: open(t), o: o}
				t.Cleanup(func() {
					if err := e.sink.Close(); err != nil {
						t.Errorf("close: %v", err)
					}
				})
				e.keeper, _ = e.sink.(rowferry.CheckpointKeeper)
				c.test(e)
			})
		}
	}
	run(commonClauses)
	if o.Read == nil {
		run(logClauses)
		return
	}
	run(tableClauses)
	run(valueClauses)
	run(constraintClauses)
	if e, ok := open(t).(rowferry.CheckpointKeeper); ok {
		if err := e.Close(); err != nil {
			t.Fatal(err)
		}
		run(keeperClauses)
	}
	s := open(t)
	_, lanes := s.(rowferry.Laner)
	if lanes {
		run(laneClauses)
	}
	if _, plans := s.(rowferry.Planner); plans {
		run(planClauses)
	}
	if _, reserves := s.(rowferry.Reserver); reserves {
		run(reserveClauses)
	}
	if _, finds := s.(rowferry.Finder); finds {
		run(findClauses)
	}
	if _, loads := s.(rowferry.Loader); loads {
		run(loaderClauses(s))
	}
	if inBulk(t, s) {
		run(bulkClauses)
		run(bulkValueClauses)
	}
}

// loaderClauses are those that a rowferry.Loader has to hold.
func loaderClauses(s rowferry.Sink) []clause {
	all := slices.Concat(loadClauses, chunkClauses, loadFenceClauses, completeClauses, orphanClauses, indexClauses, mergeClauses, removeClauses, reviveClauses)
	if _, late := s.(rowferry.LateKeyer); late {
		all = append(all, lateKeyClauses...)
	}
	return all
}

// inBulk reports whether batches of the sink, which it closes, are a
// rowferry.BulkTx.
func inBulk(t *testing.T, s rowferry.Sink) bool {
	e := &env{t: t, sink: s}
	e.keeper, _ = s.(rowferry.CheckpointKeeper)
	tx := e.begin()
	_, ok := tx.(rowferry.BulkTx)
	e.must(tx.Rollback())
	e.must(s.Close())
	return ok
}

type clause struct {
	name string
	test func(e *env)
}

// env is one clause on its way.
type env struct {
	t      *testing.T
	sink   rowferry.Sink
	keeper rowferry.CheckpointKeeper // nil where the sink is none
	o      Options
	cp     rowferry.Checkpoint
	n      int
	claims int // of chunks
}

// ready gives the pipeline its checkpoint row, as the engine does when it
// takes a pipeline.
func (e *env) ready() {
	if e.keeper == nil || e.cp.Pipeline != "" {
		return
	}
	e.cp = checkpoint("p")
	e.must(e.keeper.WriteCheckpoint(context.Background(), nil, e.cp))
}

func checkpoint(pipeline string) rowferry.Checkpoint {
	return rowferry.Checkpoint{
		Pipeline: pipeline, Position: "bin.000001:4", Lineage: "l0", Start: "bin.000001:4", Fence: 1, Config: "c", StateID: "s",
		Held: rowferry.Held{Shapes: 2, Oldest: "bin.000001:4"}, Log: "bin.000001:4",
		Commit:  time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC),
		Updated: time.Date(2026, 1, 2, 3, 4, 6, 789, time.UTC), Format: rowferry.CheckpointFormat,
	}
}

func (e *env) must(err error) {
	e.t.Helper()
	if err != nil {
		e.t.Fatal(err)
	}
}

func (e *env) begin() rowferry.SinkTx {
	e.t.Helper()
	e.ready()
	tx, err := e.sink.Begin(context.Background())
	e.must(err)
	return tx
}

// next returns the checkpoint of the next batch.
func (e *env) next() rowferry.Checkpoint {
	cp := e.cp
	cp.Sequence++
	cp.Position = rowferry.Position(fmt.Sprintf("bin.000001:%d", 100+cp.Sequence))
	return cp
}

// prepare does what the engine does before a batch with these mutations, where
// the sink makes no tables inside one.
func (e *env) prepare(ms []rowferry.Mutation) error {
	p, ok := e.sink.(rowferry.Preparer)
	if !ok {
		return nil
	}
	var shapes []rowferry.Mutation
	for _, m := range e.stamp(ms) {
		if m.Op == rowferry.Shape {
			shapes = append(shapes, m)
		}
	}
	if len(shapes) == 0 {
		return nil
	}
	return p.Prepare(context.Background(), shapes)
}

// open begins a batch and writes the mutations.
func (e *env) open(ms ...rowferry.Mutation) rowferry.SinkTx {
	e.t.Helper()
	e.must(e.prepare(ms))
	tx := e.begin()
	e.must(tx.Write(context.Background(), e.stamp(ms)))
	return tx
}

// apply commits the mutations as one batch.
func (e *env) apply(ms ...rowferry.Mutation) {
	e.t.Helper()
	tx := e.open(ms...)
	cp := e.next()
	e.must(tx.Commit(context.Background(), cp))
	e.cp = cp
}

// refused applies the mutations and wants them refused, by Prepare, Write or
// Commit, with the code and as being about a mutation. Then it rolls back.
func (e *env) refused(want rowferry.Code, ms ...rowferry.Mutation) *rowferry.Error {
	e.t.Helper()
	err := e.prepare(ms)
	tx := e.begin()
	if err == nil {
		err = tx.Write(context.Background(), e.stamp(ms))
	}
	if err == nil {
		err = tx.Commit(context.Background(), e.next())
	}
	if got := rowferry.CodeOf(err); got != want {
		e.t.Fatalf("got %q (%v), want %s", got, err, want)
	}
	r, _ := err.(*rowferry.Error)
	if r != nil && r.Mutation == nil {
		e.t.Errorf("%v does not say which mutation it is about", err)
	}
	if r != nil && len(r.Facts) == 0 {
		e.t.Errorf("%v has no facts", err)
	}
	e.must(tx.Rollback())
	return r
}

// refuses reports whether the target has no room for the value.
func (e *env) refuses(typ schema.Type, value any) bool {
	return e.o.Refuses != nil && e.o.Refuses(typ, row(vals(value))[0])
}

// nul returns the character U+0000, or another where the target's text does not
// hold it.
func (e *env) nul() string {
	if e.refuses(text, "\x00") {
		return "\x01"
	}
	return "\x00"
}

// stamp gives each mutation its place in a transaction.
func (e *env) stamp(ms []rowferry.Mutation) []rowferry.Mutation {
	e.n++
	origin := &rowferry.Origin{Tx: fmt.Sprintf("0-1-%d", e.n), Log: "bin.000001:100", Commit: 1767323045000}
	for i := range ms {
		ms[i].Origin, ms[i].Index = origin, i
		ms[i].Source = schema.Name{Schema: "shop", Table: ms[i].Table.Name.Table}
	}
	return ms
}

// rows wants exactly these rows in the table, in any order.
func (e *env) rows(table *schema.Table, want ...rowferry.Row) {
	e.t.Helper()
	got, wanted := e.texts(e.o.Read(e.t, e.sink, table)), e.texts(want)
	if !slices.Equal(got, wanted) {
		e.t.Fatalf("table %s has\n  %s\nwant\n  %s", table.Name, strings.Join(got, "\n  "), strings.Join(wanted, "\n  "))
	}
}

func (e *env) texts(rows []rowferry.Row) []string {
	var out []string
	for _, r := range rows {
		parts := make([]string, len(r))
		for i, v := range r {
			parts[i] = fmt.Sprintf("%d:%q", v.Kind(), v.String())
		}
		out = append(out, strings.Join(parts, " "))
	}
	slices.Sort(out)
	return out
}

func shape(table *schema.Table) rowferry.Mutation {
	return rowferry.Mutation{Op: rowferry.Shape, Table: table}
}

func insert(table *schema.Table, after ...any) rowferry.Mutation {
	return rowferry.Mutation{Op: rowferry.Insert, Table: table, After: row(after)}
}

func update(table *schema.Table, before, after []any) rowferry.Mutation {
	return rowferry.Mutation{Op: rowferry.Update, Table: table, Before: row(before), After: row(after)}
}

func remove(table *schema.Table, before ...any) rowferry.Mutation {
	return rowferry.Mutation{Op: rowferry.Delete, Table: table, Before: row(before)}
}

func truncate(table *schema.Table) rowferry.Mutation {
	return rowferry.Mutation{Op: rowferry.Truncate, Table: table}
}

// absent stands for a column that is not in an image.
type absent struct{}

func vals(v ...any) []any { return v }

// row makes a row image of plain Go values: int, uint64, float64, string for
// text, []byte for binary, nil for NULL, absent{} for an absent column.
func row(values []any) rowferry.Row {
	r := make(rowferry.Row, len(values))
	for i, v := range values {
		switch v := v.(type) {
		case nil:
			r[i] = rowferry.NullValue()
		case absent:
		case int:
			r[i] = rowferry.IntValue(int64(v))
		case uint64:
			r[i] = rowferry.UintValue(v)
		case float64:
			r[i] = rowferry.FloatValue(v)
		case string:
			r[i] = rowferry.TextValue(v)
		case []byte:
			r[i] = rowferry.BytesValue(string(v))
		default:
			panic(fmt.Sprintf("no value for %T", v))
		}
	}
	return r
}

var (
	integer = schema.Type{Kind: schema.Int, Bits: 64}
	text    = schema.Type{Kind: schema.VarChar, Length: 200, Charset: "utf8mb4", Collation: "utf8mb4_0900_bin"}
	double  = schema.Type{Kind: schema.Float64}
	blob    = schema.Type{Kind: schema.Blob}
)

func column(name string, t schema.Type) schema.Column { return schema.Column{Name: name, Type: t} }

func nullable(name string, t schema.Type) schema.Column {
	return schema.Column{Name: name, Type: t, Nullable: true}
}

// table returns a shape whose first n columns are its primary key.
func table(name string, n int, columns ...schema.Column) *schema.Table {
	t := &schema.Table{Name: schema.Name{Table: name}, Columns: columns, ConstraintsKnown: true}
	for i := range n {
		t.PrimaryKey = append(t.PrimaryKey, i)
	}
	return t
}
