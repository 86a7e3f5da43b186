package postgres_test

import (
	"context"
	"database/sql"
	"path/filepath"
	"slices"
	"testing"

	"github.com/rowferry/rowferry"
	"github.com/rowferry/rowferry/checkpoint"
	"github.com/rowferry/rowferry/internal/testdb"
	"github.com/rowferry/rowferry/internal/testdb/record"
	"github.com/rowferry/rowferry/internal/testdb/types"
	"github.com/rowferry/rowferry/mapping"
	"github.com/rowferry/rowferry/schema"
	"github.com/rowferry/rowferry/sink/postgres"
	"github.com/rowferry/rowferry/source/mysql"
)

// TestBulkTypes brings every column type with its extremes from a log into
// PostgreSQL. Then it removes all rows of each table, inserts them, gives each
// the values of the next, and puts them right, all in bulk: the judge finds what
// the source has.
func TestBulkTypes(t *testing.T) {
	defer postgres.JoinFewer()()
	for _, k := range []testdb.Kind{testdb.MariaDB1011, testdb.MySQL97} {
		t.Run(string(k), func(t *testing.T) {
			rec := record.Load(t, k, record.Options{Metadata: "FULL", DumpFlags: []string{"-target", "postgres"}, Fill: func(db *sql.DB) error {
				for _, c := range types.Cases(k.Flavor()) {
					for i, q := range c.Statements {
						c.Statements[i] = fits.Replace(q)
					}
					if err := c.Run(context.Background(), db); err != nil {
						return err
					}
				}
				return nil
			}})
			x := newTarget(t, nil)
			rules, err := mapping.New(mapping.Options{Namespaces: true})
			x.must(err)
			state, err := checkpoint.Open(t.Context(), checkpoint.Options{Dir: filepath.Join(t.TempDir(), "state"), Pipeline: "replay"})
			x.must(err)
			defer state.Close()
			seen := &keeper{Handler: mapping.NewHandler(rules, nil), tables: map[schema.Name]*kept{}}
			engine, err := rowferry.Open(t.Context(), rowferry.Parts{
				Source: mysql.Files(mysql.Options{Paths: rec.Files, Scope: rules.InScope}), Handler: seen, Sink: x.sink, State: state,
			}, rowferry.Options{Pipeline: "replay", Config: rules.Hash(), Rules: rules.Canonical()})
			x.must(err)
			x.must(engine.Run(t.Context()))
			x.must(engine.Close())
			rows := 0
			for _, table := range seen.tables {
				rows += len(table.rows)
				x.turn(table)
			}
			testdb.RequireEqual(t, rec.Expected, x.server.URL(x.name)+"?schema="+record.Database)
			t.Logf("%s: %d rows of %d tables", rec.Version, rows, len(seen.tables))
		})
	}
}

// keeper keeps the rows that its handler's mutations leave.
type keeper struct {
	rowferry.Handler
	tables map[schema.Name]*kept
}

type kept struct {
	shape *schema.Table
	rows  []rowferry.Row
}

func (k *keeper) Handle(dst []rowferry.Mutation, c *rowferry.Change) ([]rowferry.Mutation, error) {
	from := len(dst)
	dst, err := k.Handler.Handle(dst, c)
	for _, m := range dst[from:] {
		t := k.tables[m.Table.Name]
		if t == nil {
			t = &kept{}
			k.tables[m.Table.Name] = t
		}
		t.shape = m.Table
		if at := slices.IndexFunc(t.rows, func(r rowferry.Row) bool { return slices.Equal(r, m.Before) }); at >= 0 {
			t.rows = slices.Delete(t.rows, at, at+1)
		}
		if m.After != nil {
			t.rows = append(t.rows, slices.Clone(m.After))
		}
	}
	return dst, err
}

// turn removes the rows of a table, inserts them again, gives each the values of
// the next but for keys, and puts them right again.
func (x *target) turn(k *kept) {
	x.t.Helper()
	if len(k.rows) == 0 || k.shape.Identity() == nil {
		return
	}
	own := slices.Clone(k.shape.PrimaryKey)
	for _, u := range k.shape.Uniques {
		own = append(own, u.Columns...)
	}
	var deletes, inserts, turns, back []rowferry.Mutation
	for i, r := range k.rows {
		next := slices.Clone(k.rows[(i+1)%len(k.rows)])
		for _, o := range own {
			next[o] = r[o]
		}
		deletes, inserts = append(deletes, deleted(k.shape, r...)), append(inserts, inserted(k.shape, r...))
		turns, back = append(turns, updated(k.shape, r, next)), append(back, updated(k.shape, next, r))
	}
	for _, ms := range [][]rowferry.Mutation{deletes, inserts, turns, back} {
		if err := x.bulk(ms...); err != nil {
			x.t.Errorf("%s of %s: %v", ms[0].Op, k.shape.Name, err)
		}
	}
}

// bulk commits the mutations, written in bulk, as one batch, or rolls them back
// and returns why.
func (x *target) bulk(ms ...rowferry.Mutation) error {
	x.t.Helper()
	tx, err := x.sink.Begin(x.t.Context())
	if err != nil {
		return err
	}
	cp := x.next()
	if err = tx.(rowferry.BulkTx).WriteBulk(x.t.Context(), ms); err == nil {
		err = tx.Commit(x.t.Context(), cp)
	}
	if err != nil {
		x.must(tx.Rollback())
		return err
	}
	x.cp = cp
	return nil
}

// TestBulkBesides: what is written in bulk fires a table's triggers once a row,
// and has the target compute what it computes.
func TestBulkBesides(t *testing.T) {
	x := newTarget(t, func(o *postgres.Options) { o.Triggers = "fire" })
	x.exec("CREATE SCHEMA shop", "CREATE TABLE shop.log (what text)",
		"CREATE FUNCTION shop.note() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN INSERT INTO shop.log VALUES (TG_OP); RETURN coalesce(NEW, OLD); END $$",
		"CREATE TABLE shop.t (id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY, n integer, twice integer GENERATED ALWAYS AS (n * 2) STORED)",
		"CREATE TRIGGER a AFTER INSERT OR UPDATE OR DELETE ON shop.t FOR EACH ROW EXECUTE FUNCTION shop.note()")
	table := keyed("t", col("id", integer, false), col("n", integer, true), schema.Column{Name: "twice", Type: integer, Nullable: true, Generated: schema.Stored})
	x.must(x.apply(shaped(table)))
	row := func(id, n int64) rowferry.Row { return rowferry.Row{i(id), i(n), i(2 * n)} }
	var inserts, updates, deletes []rowferry.Mutation
	for id := range int64(43) {
		inserts = append(inserts, inserted(table, row(id, id)...))
		updates = append(updates, updated(table, row(id, id), row(id, id+7)))
		deletes = append(deletes, deleted(table, row(id, id+7)...))
	}
	x.must(x.bulk(inserts...))
	x.must(x.bulk(updates...))
	x.is("43 301 43", "SELECT format('%s %s %s', count(*), sum(n - id), count(*) FILTER (WHERE twice = 2 * n)) FROM shop.t")
	x.must(x.bulk(deletes[:40]...))
	x.is("DELETE 40,INSERT 43,UPDATE 43", "SELECT string_agg(what || ' ' || n, ',' ORDER BY what) FROM (SELECT what, count(*) n FROM shop.log GROUP BY what) x")
}
