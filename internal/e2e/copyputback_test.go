package e2e

import (
	"context"
	"fmt"
	"testing"

	"github.com/rowferry/rowferry"
	"github.com/rowferry/rowferry/internal/testdb"
)

// TestCopyPutBack: what a chunk saw on a server that was put back afterwards is not
// taken for what the server has, however much log it has written since.
func TestCopyPutBack(t *testing.T) {
	besideOthers(t)
	for _, k := range testdb.Sources() {
		for _, merging := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, merging %t", k, merging), func(t *testing.T) {
				t.Parallel()
				f := newPGLine(t, k)
				execAll(t, f.db, "CREATE TABLE a (id int PRIMARY KEY)", "INSERT INTO a VALUES (1)", "CREATE TABLE b (id int PRIMARY KEY)", "INSERT INTO b VALUES (1)")
				f.struck("copy.chunk:kill@1") // the slot is there
				f.restarts(f.source.SaveCrashed(context.Background()))
				execAll(t, f.db, "INSERT INTO a VALUES (2)", "INSERT INTO b VALUES (2)")
				if merging {
					f.struck("recorded:kill@1")
				} else {
					f.struck("copy.committed:kill@1")
				}
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
			})
		}
	}
}

// struck has an engine killed.
func (f *pgLine) struck(failpoint string) {
	f.t.Helper()
	struck(f.t, failpoint, f.args("--once"))
}

// TestResnapshotPutBack: nor is what a chunk saw of a table that is copied again.
func TestResnapshotPutBack(t *testing.T) {
	besideOthers(t)
	f := newPGLine(t, testdb.Postgres15)
	execAll(t, f.db, "CREATE TABLE a (id int PRIMARY KEY)", "INSERT INTO a VALUES (1)", "CREATE TABLE b (id int PRIMARY KEY)")
	must(t, f.args("--once")...)
	f.restarts(f.source.SaveCrashed(context.Background()))
	execAll(t, f.db, "INSERT INTO a VALUES (2)")
	again := f.args("--once", "--resnapshot", "public.a")
	struck(t, "copy.committed:kill@1", again)
	if err := f.source.Reset(context.Background()); err != nil {
		t.Fatal(err)
	}
	f.reopen()
	for id := 5; id < 10; id++ {
		execAll(t, f.db, fmt.Sprintf("INSERT INTO a VALUES (%d)", id), "SELECT pg_logical_emit_message(false, '', repeat('x', 1000000))")
	}
	for range 2 {
		requireRefusal(t, run(t, f.args("--once")...), rowferry.CodeLineageBroken)
	}
}
