package mysql_test

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/rowferry/rowferry"
	"github.com/rowferry/rowferry/internal/testdb"
	"github.com/rowferry/rowferry/internal/testdb/types"
	"github.com/rowferry/rowferry/schema"
	"github.com/rowferry/rowferry/sink/mysql"
)

// pipeline writes batches with a checkpoint of its own.
type pipeline struct {
	t    testing.TB
	sink *mysql.Sink
	cp   rowferry.Checkpoint
}

func begin(t testing.TB, s *mysql.Sink) *pipeline {
	t.Helper()
	p := &pipeline{t: t, sink: s, cp: rowferry.Checkpoint{Pipeline: "p", Fence: 1, Format: rowferry.CheckpointFormat}}
	if err := s.WriteCheckpoint(context.Background(), nil, p.cp); err != nil {
		t.Fatal(err)
	}
	return p
}

// try prepares and applies one batch, and rolls it back where it is refused.
func (p *pipeline) try(ms ...rowferry.Mutation) error {
	p.t.Helper()
	return p.apply(ms, rowferry.SinkTx.Write)
}

// bulk applies changes of different rows in one batch.
func (p *pipeline) bulk(ms []rowferry.Mutation) {
	p.t.Helper()
	err := p.apply(ms, func(tx rowferry.SinkTx, ctx context.Context, ms []rowferry.Mutation) error {
		return tx.(rowferry.BulkTx).WriteBulk(ctx, ms)
	})
	if err != nil {
		p.t.Errorf("%s of %s: %v", ms[0].Op, ms[0].Table.Name, err)
	}
}

// inBulk removes the rows of a table, inserts them again, gives each the values
// of the next but for keys, and puts them right again.
func (p *pipeline) inBulk(table *schema.Table, rows []rowferry.Row) {
	p.t.Helper()
	if len(rows) < 2 || table.Identity() == nil {
		return
	}
	own := slices.Clone(table.PrimaryKey)
	for _, u := range table.Uniques {
		own = append(own, u.Columns...)
	}
	var deletes, inserts, turns, back []rowferry.Mutation
	for i, r := range rows {
		next := slices.Clone(rows[(i+1)%len(rows)])
		for _, o := range own {
			next[o] = r[o]
		}
		deletes, inserts = append(deletes, deleted(table, r...)), append(inserts, inserted(table, r...))
		turns, back = append(turns, updated(table, r, next)), append(back, updated(table, next, r))
	}
	for _, ms := range [][]rowferry.Mutation{deletes, inserts, turns, back} {
		p.bulk(ms)
	}
}

func (p *pipeline) apply(ms []rowferry.Mutation, write func(rowferry.SinkTx, context.Context, []rowferry.Mutation) error) error {
	p.t.Helper()
	ctx := context.Background()
	var shapes []rowferry.Mutation
	for _, m := range ms {
		if m.Op == rowferry.Shape {
			shapes = append(shapes, m)
		}
	}
	if err := p.sink.Prepare(ctx, shapes); err != nil {
		return err
	}
	tx, err := p.sink.Begin(ctx)
	if err != nil {
		return err
	}
	next := p.cp
	next.Sequence++
	err = write(tx, ctx, ms)
	if err == nil {
		err = tx.Commit(ctx, next)
	}
	if rerr := tx.Rollback(); rerr != nil {
		p.t.Fatal(rerr)
	}
	if err == nil {
		p.cp = next
	}
	return err
}

func (p *pipeline) must(ms ...rowferry.Mutation) {
	p.t.Helper()
	if err := p.try(ms...); err != nil {
		p.t.Fatal(err)
	}
}

func shaped(t *schema.Table) rowferry.Mutation {
	return rowferry.Mutation{Op: rowferry.Shape, Table: t}
}

func inserted(t *schema.Table, v ...rowferry.Value) rowferry.Mutation {
	return rowferry.Mutation{Op: rowferry.Insert, Table: t, After: v}
}

func updated(t *schema.Table, before, after rowferry.Row) rowferry.Mutation {
	return rowferry.Mutation{Op: rowferry.Update, Table: t, Before: before, After: after}
}

func deleted(t *schema.Table, v ...rowferry.Value) rowferry.Mutation {
	return rowferry.Mutation{Op: rowferry.Delete, Table: t, Before: v}
}

// TestTypes carries every column type and its extremes between all servers,
// finding every row again by its key, or without one by all it has.
func TestTypes(t *testing.T) {
	for _, from := range testdb.Kinds() {
		source := testdb.Start(t, from)
		name, db := testdb.NewDatabase(t, source)
		if err := types.Create(t.Context(), db, from.Flavor()); err != nil {
			t.Fatal(err)
		}
		reader := open(t, source, name, func(o *mysql.Options) { o.ReadOnly = true })
		shapes, err := reader.Tables(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if err := reader.Close(); err != nil {
			t.Fatal(err)
		}
		for _, shape := range shapes {
			readLabels(t, db, shape)
			shape.Name.Schema = "" // the target's own
		}
		for _, to := range testdb.Kinds() {
			if from == to && from.Flavor() == testdb.MariaDB && !testdb.Soak() {
				continue // the least to go wrong
			}
			t.Run(string(from)+" to "+string(to), func(t *testing.T) {
				server := testdb.Start(t, to)
				target, _ := testdb.NewDatabase(t, server)
				sink := open(t, server, target, func(o *mysql.Options) { o.Notice = func(n string) { t.Log(n) } })
				defer sink.Close()
				p := begin(t, sink)
				for _, shape := range shapes {
					ms := []rowferry.Mutation{shaped(shape)}
					rows := readTable(t, db, shape)
					for _, r := range rows {
						ms = append(ms, inserted(shape, r...))
					}
					for _, r := range rows {
						ms = append(ms, updated(shape, r, r), deleted(shape, r...), inserted(shape, r...))
					}
					if err := p.try(ms...); err != nil {
						t.Errorf("%s: %v", shape.Name, err)
					}
					p.inBulk(shape, rows)
				}
				testdb.RequireEqual(t, source.URL(name), server.URL(target))
			})
		}
	}
}

// readLabels reads labels that the server's catalog shows with question marks.
func readLabels(t *testing.T, db *sql.DB, table *schema.Table) {
	t.Helper()
	for _, c := range table.Columns {
		for i, l := range c.Type.Labels {
			if !strings.Contains(l, "?") {
				continue
			}
			number := i + 1
			if c.Type.Kind == schema.Set {
				number = 1 << i
			}
			row := db.QueryRow(fmt.Sprintf("SELECT %s FROM %s WHERE %s + 0 = %d LIMIT 1", quote(c.Name), quote(table.Name.Table), quote(c.Name), number))
			if err := row.Scan(&c.Type.Labels[i]); err != nil {
				t.Fatalf("%s.%s: %v", table.Name, c.Name, err)
			}
		}
	}
}
