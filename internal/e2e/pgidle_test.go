package e2e

import (
	"fmt"
	"testing"

	"github.com/rowferry/rowferry/internal/testdb"
)

// mostRetained is how much of a server's log may be kept for a pipeline that has
// nothing to do.
const mostRetained = 64 << 20

// TestPostgresRetained: a pipeline whose tables nobody changes does not keep a
// busy server's log (P7, P9): with writes to tables of the same database that
// are not published, and to another database only.
func TestPostgresRetained(t *testing.T) {
	besideOthers(t)
	for _, k := range testdb.Sources() {
		for _, where := range []string{"unpublished tables", "idle database"} {
			t.Run(string(k)+" "+where, func(t *testing.T) {
				t.Parallel()
				testPostgresRetained(t, k, where == "idle database")
			})
		}
	}
}

func testPostgresRetained(t *testing.T, k testdb.Kind, elsewhere bool) {
	f := newPGLine(t, k)
	f.tables = "public.published"
	execAll(t, f.db, "CREATE TABLE published (id int PRIMARY KEY)")
	f.begin()
	db := f.db
	if elsewhere {
		_, db = testdb.NewDatabase(t, f.source)
	}
	execAll(t, db, "CREATE TABLE busy (id int PRIMARY KEY, n int NOT NULL)", "INSERT INTO busy VALUES (1, 0)")
	e := f.start()
	f.awaits(e, "the engine reads", func() bool { return f.slot().Active })
	segments := scaled(6, 210)
	var most int64
	for i := range segments {
		execAll(t, db, "UPDATE busy SET n = n + 1")
		if err := f.source.SwitchLog(t.Context()); err != nil {
			t.Fatal(err)
		}
		// Three segments at a time, so that what is kept cannot pass the limit
		// only since the server was faster than its reader.
		if i%3 != 2 {
			continue
		}
		// With a checkpoint the server notes from where its slots need the log,
		// which it does by itself every 15 seconds.
		f.awaits(e, "the server needs the log no more", func() bool {
			if err := f.source.Exec(t.Context(), "CHECKPOINT"); err != nil {
				t.Fatal(err)
			}
			retained := f.slot().Retained
			most = max(most, retained)
			return retained < mostRetained/4
		})
	}
	if most >= mostRetained {
		t.Errorf("the server kept %d MiB of log for a pipeline that had nothing to do", most>>20)
	}
	execAll(t, f.db, "INSERT INTO published VALUES (1)")
	f.awaits(e, "a row that is published arrives", func() bool { return f.arrived("SELECT COUNT(*) FROM published", 1) })
	e.end(t)
	where := "unpublished tables"
	if elsewhere {
		where = "another database"
	}
	testdb.RequireEqual(t, f.source.URL(f.database), f.goal.judge, "-tables=published")
	t.Logf("figure: %s: %d segments of log, written for %s: at most %d MiB kept, Equal", k, segments, where, most>>20)
}

// slot is the pipeline's.
func (f *pgLine) slot() testdb.Slot {
	f.t.Helper()
	s, err := f.source.Slot(f.t.Context(), "follow")
	if err != nil {
		f.t.Fatal(fmt.Errorf("slot: %w", err))
	}
	return s
}
