package e2e

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/rowferry/rowferry"
	"github.com/rowferry/rowferry/internal/testdb"
)

// TestPostgresPutBack: a server that crashes has forgotten what it was told of
// the target, and nothing is applied twice; one whose files were put back lacks
// what was applied, and is refused though its log is longer than it was then.
func TestPostgresPutBack(t *testing.T) {
	besideOthers(t)
	for _, k := range testdb.Sources() {
		t.Run(string(k), func(t *testing.T) {
			t.Parallel()
			f := newPGLine(t, k)
			execAll(t, f.db, "CREATE TABLE a (id int PRIMARY KEY)")
			f.begin()
			f.applies(1)
			f.restarts(f.source.Kill())
			f.applies(2)
			f.restarts(f.source.SaveCrashed(context.Background()))
			f.applies(3)
			f.applies(4)
			if err := f.source.Reset(context.Background()); err != nil {
				t.Fatal(err)
			}
			f.reopen()
			for id := 5; id < 20; id++ { // far more log than was lost
				execAll(t, f.db, fmt.Sprintf("INSERT INTO a VALUES (%d)", id), "SELECT pg_logical_emit_message(false, '', repeat('x', 1000000))")
			}
			for range 2 {
				requireRefusal(t, run(t, f.args("--once")...), rowferry.CodeLineageBroken)
			}
			if !f.arrived("SELECT count(*) FROM a WHERE id <= 4", 4) || !f.arrived("SELECT count(*) FROM a", 4) {
				t.Error("the target does not have what it had")
			}
		})
	}
}

// applies writes a row, which has to arrive.
func (f *pgLine) applies(id int64) {
	f.t.Helper()
	execAll(f.t, f.db, fmt.Sprintf("INSERT INTO a VALUES (%d)", id))
	must(f.t, f.args("--once")...)
	if !f.arrived("SELECT count(*) FROM a", id) || !f.arrived("SELECT max(id) FROM a", id) {
		f.t.Fatalf("row %d did not arrive as the only one", id)
	}
}

// restarts starts the source again, once it has ended.
func (f *pgLine) restarts(ended error) {
	f.t.Helper()
	if err := errors.Join(ended, f.source.Restart(context.Background())); err != nil {
		f.t.Fatal(err)
	}
	f.reopen()
}

func (f *pgLine) reopen() {
	f.t.Helper()
	db, err := f.source.Open(f.database)
	if err != nil {
		f.t.Fatal(err)
	}
	f.t.Cleanup(func() { _ = db.Close() })
	f.db = db
}
