package postgres_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/rowferry/rowferry"
	"github.com/rowferry/rowferry/internal/testdb"
	"github.com/rowferry/rowferry/schema"
	"github.com/rowferry/rowferry/sink/postgres"
)

var (
	integer = schema.Type{Kind: schema.Int, Bits: 32}
	text    = schema.Type{Kind: schema.VarChar, Length: 40, Collation: "utf8mb4_0900_bin"}
	null    = rowferry.NullValue()
	gone    rowferry.Value // absent
)

func i(n int64) rowferry.Value    { return rowferry.IntValue(n) }
func txt(s string) rowferry.Value { return rowferry.TextValue(s) }

func col(name string, typ schema.Type, nullable bool) schema.Column {
	return schema.Column{Name: name, Type: typ, Nullable: nullable}
}

// keyed returns a shape in schema shop whose first column is its key.
func keyed(name string, columns ...schema.Column) *schema.Table {
	return &schema.Table{Name: schema.Name{Schema: "shop", Table: name}, Columns: columns, PrimaryKey: []int{0}, ConstraintsKnown: true}
}

func keyless(name string, columns ...schema.Column) *schema.Table {
	t := keyed(name, columns...)
	t.PrimaryKey = nil
	return t
}

func shaped(t *schema.Table) rowferry.Mutation {
	return rowferry.Mutation{Op: rowferry.Shape, Table: t}
}

func inserted(t *schema.Table, values ...rowferry.Value) rowferry.Mutation {
	return rowferry.Mutation{Op: rowferry.Insert, Table: t, After: values}
}

func deleted(t *schema.Table, values ...rowferry.Value) rowferry.Mutation {
	return rowferry.Mutation{Op: rowferry.Delete, Table: t, Before: values}
}

func updated(t *schema.Table, before, after rowferry.Row) rowferry.Mutation {
	return rowferry.Mutation{Op: rowferry.Update, Table: t, Before: before, After: after}
}

func unchecked(ms ...rowferry.Mutation) []rowferry.Mutation {
	for k := range ms {
		ms[k].ChecksOff = true
	}
	return ms
}

// target is a sink on a database of its own.
type target struct {
	t       *testing.T
	server  *testdb.Server
	name    string
	db      *sql.DB
	sink    *postgres.Sink
	cp      rowferry.Checkpoint
	notices []string
	traced  []string
}

// newTarget opens a sink with a pipeline that has its checkpoint row.
func newTarget(t *testing.T, change func(*postgres.Options)) *target {
	t.Helper()
	return newTargetOn(t, testdb.Start(t, testdb.Postgres15), change)
}

func newTargetOn(t *testing.T, server *testdb.Server, change func(*postgres.Options)) *target {
	t.Helper()
	x := &target{t: t, server: server}
	x.name, x.db = testdb.NewDatabase(t, server)
	x.sink = x.open(change)
	x.cp = rowferry.Checkpoint{Pipeline: "p", Position: "bin.000001:4", Fence: 1, Sequence: 1, StateID: "s", Format: rowferry.CheckpointFormat}
	if err := x.sink.WriteCheckpoint(t.Context(), nil, x.cp); err != nil {
		t.Fatal(err)
	}
	return x
}

// open opens another sink on the same database. It is closed with the test.
func (x *target) open(change func(*postgres.Options)) *postgres.Sink {
	x.t.Helper()
	o := postgres.Options{
		Endpoint: endpoint(x.t, x.server.URL(x.name)), CreateTables: true,
		Notice: func(n string) { x.notices = append(x.notices, n) },
		Trace:  func(sql string, _ []string) { x.traced = append(x.traced, sql) },
	}
	if change != nil {
		change(&o)
	}
	s := open(x.t, o)
	x.t.Cleanup(func() {
		if err := s.Close(); err != nil {
			x.t.Errorf("close: %v", err)
		}
	})
	return s
}

func (x *target) next() rowferry.Checkpoint {
	cp := x.cp
	cp.Sequence++
	cp.Position = rowferry.Position(fmt.Sprintf("bin.000001:%d", cp.Sequence))
	return cp
}

// apply commits the mutations as one batch, or rolls them back and returns why.
func (x *target) apply(ms ...rowferry.Mutation) error {
	x.t.Helper()
	for k := range ms {
		ms[k].Origin, ms[k].Index = &rowferry.Origin{Tx: "0-1-7"}, k
	}
	tx, err := x.sink.Begin(x.t.Context())
	if err != nil {
		return err
	}
	cp := x.next()
	if err = tx.Write(x.t.Context(), ms); err == nil {
		err = tx.Commit(x.t.Context(), cp)
	}
	if err != nil {
		if rerr := tx.Rollback(); rerr != nil {
			x.t.Errorf("rollback: %v", rerr)
		}
		return err
	}
	x.cp = cp
	return nil
}

func (x *target) must(err error) {
	x.t.Helper()
	if err != nil {
		x.t.Fatal(err)
	}
}

// exec runs statements as somebody else.
func (x *target) exec(statements ...string) {
	x.t.Helper()
	for _, q := range statements {
		if _, err := x.db.ExecContext(x.t.Context(), q); err != nil {
			x.t.Fatalf("%s: %v", q, err)
		}
	}
}

// one returns the only value of a query, as text.
func (x *target) one(query string) string {
	x.t.Helper()
	var s sql.NullString
	if err := x.db.QueryRowContext(x.t.Context(), query).Scan(&s); err != nil {
		x.t.Fatalf("%s: %v", query, err)
	}
	return s.String
}

func (x *target) is(want, query string) {
	x.t.Helper()
	if got := x.one(query); got != want {
		x.t.Errorf("%s: got %s, want %s", query, got, want)
	}
}

// wants expects an error with the code whose text contains all the parts.
func wants(t *testing.T, err error, code rowferry.Code, parts ...string) {
	t.Helper()
	if rowferry.CodeOf(err) != code {
		t.Fatalf("got %v, want %s", err, code)
	}
	for _, p := range parts {
		if !strings.Contains(err.Error(), p) {
			t.Errorf("%v does not mention %q", err, p)
		}
	}
}

// refusal expects that err is about a mutation.
func refusal(t *testing.T, err error) {
	t.Helper()
	var e *rowferry.Error
	if !errors.As(err, &e) || e.Mutation == nil {
		t.Errorf("%v names no mutation", err)
	}
}

// eventually repeats try while it returns an error that passes by itself.
func eventually(t *testing.T, try func() error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	for {
		err := try()
		if err == nil {
			return
		}
		if !rowferry.CodeOf(err).Transient() || ctx.Err() != nil {
			t.Fatal(err)
		}
	}
}

// all returns the first column of a query in a database, as text.
func all(t *testing.T, server *testdb.Server, database, query string) []string {
	t.Helper()
	db, err := server.Open(database)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	return testdb.Texts(t, db, query)
}
