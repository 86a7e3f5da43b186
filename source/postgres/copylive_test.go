package postgres

import (
	"context"
	"slices"
	"testing"

	"github.com/rowferry/rowferry"
	"github.com/rowferry/rowferry/internal/testdb"
	"github.com/rowferry/rowferry/internal/testdb/load"
	"github.com/rowferry/rowferry/schema"
)

// keyless are the load's tables without a key.
var keyless = []string{"journal", "metric"}

// Rows that were read while they were written, and then merged with the log from
// From to the mark, are those of the table.
func TestCopyUnderLoad(t *testing.T) {
	eachServer(t, func(t *testing.T, k testdb.Kind) {
		t.Parallel()
		p := newPlace(t, k, streaming)
		written, err := load.Start(t.Context(), p.db, load.Options{Seed: 7, Writers: 4, Flavor: testdb.Postgres, Prepared: true})
		if err != nil {
			t.Fatal(err)
		}
		stop := func() load.Stats {
			stats, err := written.Stop()
			if err != nil {
				t.Fatal(err)
			}
			return stats
		}
		defer stop()
		p.await("SELECT count(*) > 100 FROM ledger")
		c := p.copies(func(o *Options) { o.Scope = func(n schema.Name) bool { return !slices.Contains(keyless, n.Table) } })
		m := newMerger(c)
		before := written.Committed()
		chunks := 0
		for round := 0; round < 3 || written.Committed() < before+400; round++ { // each reads everything again
			for _, table := range c.copy.Tables() {
				clear(m.tables[table.Shape.Name])
				var after []rowferry.Value
				for again := true; again; chunks++ {
					upto, err := c.reader.Split(t.Context(), &table, after, 20)
					if err != nil {
						t.Fatal(err)
					}
					m.load(table.Shape, c.read(&table, after, upto))
					after, again = upto, upto != nil
				}
			}
		}
		end, err := c.copy.End(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		p.finishLog(c, m, end, func() { t.Log(chunks, "chunks,", stop()) })
		for _, table := range c.copy.Tables() {
			wantSame(t, table.Shape.Name.Table, m.rows(table.Shape.Name), c.read(&table, nil, nil))
		}
		if m.moved == 0 {
			t.Error("no key was changed without all columns")
		}
	})
}

// finishLog merges the log until it has passed the mark, stops the writers, and
// merges the rest.
func (p *place) finishLog(c *copied, m *merger, end rowferry.Mark, stop func()) {
	p.t.Helper()
	from, lineage := c.copy.From()
	ctx, cancel := context.WithCancel(p.t.Context())
	defer cancel()
	r, err := c.source.Open(ctx, rowferry.Start{Position: from, Lineage: lineage, Spool: spools(p.t)})
	if err != nil {
		p.t.Fatal(err)
	}
	defer func() { _ = r.Close() }()
	stopped := false
	for {
		tx, err := r.Next(ctx)
		if err != nil {
			p.t.Fatal(err)
		}
		for _, change := range tx.Changes {
			m.merge(change)
		}
		if !tx.Last {
			continue
		}
		passed, err := c.source.Passed(tx.Position, tx.Log, end)
		switch {
		case err != nil:
			p.t.Fatal(err)
		case passed && stopped:
			return
		case passed:
			stopped = true
			stop()
			if end, err = c.copy.End(p.t.Context()); err != nil {
				p.t.Fatal(err)
			}
		}
	}
}
