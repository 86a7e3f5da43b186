package postgres_test

import (
	"context"
	"database/sql"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rowferry/rowferry"
	"github.com/rowferry/rowferry/checkpoint"
	"github.com/rowferry/rowferry/internal/testdb"
	"github.com/rowferry/rowferry/internal/testdb/record"
	"github.com/rowferry/rowferry/internal/testdb/types"
	"github.com/rowferry/rowferry/mapping"
	"github.com/rowferry/rowferry/source/mysql"
)

// within63 and within the calendar: what PostgreSQL has no value for, and so
// refuses, is replaced in the corpus. TestValuesOutOfRange and TestNames have
// it refused.
var fits = strings.NewReplacer(
	"_latin1 x'00", "_latin1 x'",
	"0000-00-00", "1999-12-31", "2025-00-15", "2025-03-15", "2025-02-00", "2025-02-03", "0000-01-01", "0001-01-01",
	`\0`, `\t`, strings.Repeat("n", 64), strings.Repeat("n", 63), strings.Repeat("é", 64), strings.Repeat("é", 31), "x "+strings.Repeat("n", 62), "x "+strings.Repeat("n", 61),
	"x "+strings.Repeat("é", 62), "x "+strings.Repeat("é", 30),
)

// TestReplayTypes brings every column type with its extremes from a log into
// PostgreSQL, and has the judge compare values and column types.
func TestReplayTypes(t *testing.T) {
	for _, k := range []testdb.Kind{testdb.MariaDB1011, testdb.MySQL97} {
		t.Run(string(k), func(t *testing.T) {
			replay(t, k, record.Options{Metadata: "FULL", Fill: func(db *sql.DB) error {
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
		})
	}
}

// TestReplayLoad brings the load into PostgreSQL: foreign keys, values that
// move, savepoints. A trigger counts what arrives in the ledger.
func TestReplayLoad(t *testing.T) {
	for _, k := range []testdb.Kind{testdb.MariaDB1011, testdb.MySQL97} {
		t.Run(string(k), func(t *testing.T) { replay(t, k, record.Options{Transactions: 1000}) })
	}
}

func replay(t *testing.T, k testdb.Kind, o record.Options) {
	o.DumpFlags = []string{"-target", "postgres"}
	rec := record.Load(t, k, o)
	x := newTarget(t, nil)
	rules, err := mapping.New(mapping.Options{Namespaces: true})
	x.must(err)
	state, err := checkpoint.Open(t.Context(), checkpoint.Options{Dir: filepath.Join(t.TempDir(), "state"), Pipeline: "replay"})
	x.must(err)
	defer state.Close()
	engine, err := rowferry.Open(t.Context(), rowferry.Parts{
		Source: mysql.Files(mysql.Options{Paths: rec.Files, Scope: rules.InScope}), Handler: mapping.NewHandler(rules, nil), Sink: x.sink, State: state,
	}, rowferry.Options{Pipeline: "replay", Config: rules.Hash(), Rules: rules.Canonical()})
	x.must(err)
	x.must(engine.Run(t.Context()))
	x.must(engine.Close())
	testdb.RequireEqual(t, rec.Expected, x.server.URL(x.name)+"?schema="+record.Database)
	t.Logf("%s: equal, with %d notices", rec.Version, len(x.notices))
}
