package e2e

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/rowferry/rowferry"
	"github.com/rowferry/rowferry/internal/testdb"
)

// recopyAll are the tables of the rig.
var recopyAll = []string{"region", "orders", "item", "tree", "word", "visit"}

// damaged is a rig whose target is damaged, and whose source has gone on.
func damaged(t *testing.T, p pair, seed uint64) *recopyRig {
	t.Helper()
	r := newRecopyRig(t, p, seed)
	r.damage("orders", "item", "tree", "word")
	for range 20 {
		r.transaction()
	}
	return r
}

// reaches has an engine killed, which is to find it in a phase.
func (r *recopyRig) reaches(failpoint string, phase rowferry.CopyPhase) {
	r.t.Helper()
	struck(r.t, failpoint, r.again())
	if got := r.goal.held(r.t).Copy.Phase; got != phase {
		r.t.Fatalf("%s: the copy is %q, want %q", failpoint, got, phase)
	}
}

// TestResnapshotMariaDB copies tables again into MariaDB, with Kills in each part.
func TestResnapshotMariaDB(t *testing.T) {
	besideOthers(t)
	for _, source := range []testdb.Kind{testdb.Postgres15, testdb.MariaDB1011} {
		t.Run(string(source), func(t *testing.T) {
			besideOthers(t)
			r := damaged(t, pair{source, testdb.MariaDB1011, ""}, 3)
			r.reaches("copy.committed:kill@2", rowferry.Reloading)
			r.reaches("recopy.drained:kill@1", rowferry.Remerging)
			r.reaches("recopy.removed:kill@2", rowferry.Renewing)
			r.reaches("recorded:kill@2/carry", rowferry.Renewing)
			for range 10 {
				r.transaction()
			}
			must(t, r.args()...)
			r.requireEqual(recopyAll...)
		})
	}
}

// TestResnapshotTargetPutBack: a target that was put back while tables are copied again,
// or after it, gets them all the same: what the stage has taken off is loaded anew.
func TestResnapshotTargetPutBack(t *testing.T) {
	besideOthers(t)
	for _, c := range []struct{ saved, then string }{
		{"", "recopy.removed:kill@1"},
		{"copy.committed:kill@1", "recorded:kill@1/carry"},
		{"recopy.drained:kill@1", ""},
		{"recopy.removed:kill@1", "recorded:kill@2/carry"},
		{"recopy.removed:kill@1/carry", "recopy.removed:kill@4/carry"},
	} {
		t.Run(fmt.Sprintf("%s, %s", c.saved, c.then), func(t *testing.T) {
			besideOthers(t)
			r := damaged(t, pair{testdb.MySQL97, sqliteKind, ""}, 7)
			if c.saved != "" {
				struck(t, c.saved, r.again())
			}
			putBack := saved(t, r.goal.path)
			if c.then != "" {
				struck(t, c.then, r.again())
			} else {
				must(t, r.again()...)
			}
			for range 10 {
				r.transaction()
			}
			putBack()
			if o := must(t, r.again()...); !strings.Contains(o.stderr, "went back") {
				t.Errorf("that the target went back is not told:\n%s", o.stderr)
			}
			r.requireEqual(recopyAll...)
		})
	}
}

// TestResnapshotPutBackByOne: the last batch that removes rows and is undone looks as if it
// had not committed: they are removed again.
func TestResnapshotPutBackByOne(t *testing.T) {
	besideOthers(t)
	s := newStream(t, testdb.MySQL97, sqliteKind)
	s.exec(t, "CREATE TABLE p (id INT PRIMARY KEY)", "CREATE TABLE c (id INT PRIMARY KEY, p_id INT, FOREIGN KEY (p_id) REFERENCES p (id))",
		"INSERT INTO p VALUES (1)", "INSERT INTO c VALUES (1, 1)")
	must(t, s.command("run", "--once")...)
	s.goal.exec(t, "INSERT INTO p VALUES (7)", "UPDATE c SET p_id = 7") // which stays until c is as it was
	requireRows := func(refers, parents int64) {
		t.Helper()
		if r, p := s.goal.intOf(t, "SELECT p_id FROM c"), s.goal.intOf(t, "SELECT COUNT(*) FROM p"); r != refers || p != parents {
			t.Fatalf("of %d parents number %d is referred to, want number %d of %d", p, r, refers, parents)
		}
	}
	again := s.command("run", "--once", "--resnapshot", s.database+".*")
	e := standing(t, "recorded:stop@1/recopy.carried,recopy.removed:kill@2/recopy.carried", again)
	putBack := saved(t, s.goal.path)
	e.resume(t)
	requireRows(1, 1)
	putBack()
	requireRows(1, 2)
	must(t, again...)
	requireRows(1, 1)
}

// saved saves a SQLite file, and returns what puts it back.
func saved(t *testing.T, path string) (putBack func()) {
	t.Helper()
	files := map[string][]byte{}
	each := func(fn func(string) error) {
		t.Helper()
		all, err := filepath.Glob(path + "*")
		for _, f := range all {
			if err == nil {
				err = fn(f)
			}
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	each(func(f string) (err error) { files[f], err = os.ReadFile(f); return err })
	return func() {
		t.Helper()
		each(os.Remove)
		for f, data := range files {
			if err := os.WriteFile(f, data, 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// TestResnapshotReferred: a row that the source no longer has and that one of another
// table refers to stops by name, and is removed once nothing refers to it.
func TestResnapshotReferred(t *testing.T) {
	besideOthers(t)
	r := damaged(t, pair{testdb.MySQL97, sqliteKind, ""}, 8)
	r.goal.exec(t, "INSERT INTO visit VALUES (900009, 900001, 1)")
	for range 2 {
		requireRefusal(t, run(t, r.again()...), rowferry.CodeRowReferred)
		for _, q := range []string{"orders WHERE id = 900001", "visit WHERE id = 900009"} {
			if n := r.goal.intOf(t, "SELECT COUNT(*) FROM "+q); n != 1 {
				t.Errorf("%s: %d rows, want 1", q, n)
			}
		}
	}
	r.goal.exec(t, "DELETE FROM visit WHERE id = 900009")
	r.transaction()
	must(t, r.args()...)
	r.requireEqual(recopyAll...)
}

// TestResnapshotCommands: what is asked of a pipeline that copies tables again is told
// as it is, and what would lose the copy is refused.
func TestResnapshotCommands(t *testing.T) {
	besideOthers(t)
	r := newRecopyRig(t, pair{testdb.MySQL97, sqliteKind, ""}, 9)
	of := func(words ...string) []string { return slices.Concat([]string{"-c", r.config}, words) }
	file := filepath.Join(t.TempDir(), "checkpoint.json")
	must(t, of("checkpoint", "export", file)...)
	r.damage("orders", "item", "tree", "word")
	requireRefusal(t, run(t, r.args("--resnapshot", r.scope+".nothing")...), rowferry.CodeRecopyRefused)
	for _, c := range []struct {
		failpoint string
		phase     rowferry.CopyPhase
	}{{"copy.committed:kill@1", rowferry.Reloading}, {"recopy.drained:kill@1", rowferry.Remerging}, {"recorded:kill@2/carry", rowferry.Renewing}} {
		r.reaches(c.failpoint, c.phase)
		for _, words := range [][]string{{"set", "--yes", "mysql-bin.000001:4"}, {"export"}, {"import", "--yes", file}} {
			requireRefusal(t, run(t, of(append([]string{"checkpoint"}, words...)...)...), rowferry.CodeUnsettled)
		}
		requireRefusal(t, run(t, r.args("--resnapshot", r.scope+".nothing")...), rowferry.CodeRecopyRefused)
		for _, words := range [][]string{{"status"}, {"checkpoint", "show"}} {
			if o := must(t, of(words...)...); !strings.Contains(o.stdout, fmt.Sprintf("copy       %s again %s.item, ", c.phase, r.scope)) {
				t.Errorf("%v does not tell of the copy:\n%s", words, o.stdout)
			}
		}
		must(t, of("explain", "row", r.scope+".region", "5")...)
	}
	must(t, r.args()...)
	r.requireEqual(recopyAll...)
	if o := must(t, of("status")...); strings.Contains(o.stdout, "again "+r.scope) {
		t.Errorf("a copy that has ended is told of:\n%s", o.stdout)
	}
}

// TestResnapshotShape: a table whose shape changes meanwhile stops a run by name. While
// tables are read the engine is killed for it: one that stands still may hold the lock
// that the ALTER waits for.
func TestResnapshotShape(t *testing.T) {
	besideOthers(t)
	for when, changed := range map[string]func(r *recopyRig, change func()){
		"while tables are read": func(r *recopyRig, change func()) {
			struck(r.t, "copy.committed:kill@2", r.again())
			change()
			requireRefusal(r.t, run(r.t, r.again()...), rowferry.CodeShapeChanged)
		},
		"once all is read": func(r *recopyRig, change func()) {
			e := standing(r.t, "recopy.drained:stop@1", r.again())
			change()
			e.goesOn(r.t, rowferry.CodeShapeChanged)
		},
	} {
		t.Run(when, func(t *testing.T) {
			besideOthers(t)
			r := damaged(t, pair{testdb.MySQL97, sqliteKind, ""}, 10)
			changed(r, func() {
				r.execute("ALTER TABLE item ADD COLUMN more INT", "INSERT INTO item VALUES (1, 77777, 1, 1)")
			})
			requireRefusal(t, run(t, r.args()...), rowferry.CodeShapeChanged)
		})
	}
}

// TestResnapshotSourceMeanwhile: a server that is put back, and a slot that is made anew,
// beneath an engine that copies tables again are found out.
func TestResnapshotSourceMeanwhile(t *testing.T) {
	besideOthers(t)
	for _, at := range []string{"copy.committed:stop@1", "recopy.drained:stop@1"} {
		t.Run(at, func(t *testing.T) {
			besideOthers(t)
			f := newPGLine(t, testdb.Postgres15)
			execAll(t, f.db, "CREATE TABLE a (id int PRIMARY KEY)", "INSERT INTO a VALUES (1)", "CREATE TABLE b (id int PRIMARY KEY)")
			must(t, f.args("--once")...)
			f.restarts(f.source.SaveCrashed(context.Background()))
			execAll(t, f.db, "INSERT INTO a VALUES (2)", "INSERT INTO b VALUES (2)")
			e := standing(t, at, f.args("--resnapshot", "public.a"))
			if err := f.source.Reset(context.Background()); err != nil {
				t.Fatal(err)
			}
			f.reopen()
			for id := 5; id < 10; id++ {
				execAll(t, f.db, fmt.Sprintf("INSERT INTO a VALUES (%d)", id), "SELECT pg_logical_emit_message(false, '', repeat('x', 1000000))")
			}
			e.goesOn(t, rowferry.CodeLineageBroken)
			requireRefusal(t, run(t, f.args("--once")...), rowferry.CodeLineageBroken)
		})
	}
}

// TestResnapshotSlotMadeAnew: nor is a slot gone on with that was made anew beneath the
// engine, past what it has read.
func TestResnapshotSlotMadeAnew(t *testing.T) {
	besideOthers(t)
	f := newPGLine(t, testdb.Postgres15)
	execAll(t, f.db, "CREATE TABLE a (id int PRIMARY KEY)", "INSERT INTO a VALUES (1)")
	must(t, f.args("--once")...)
	execAll(t, f.db, "INSERT INTO a VALUES (2)")
	e := standing(t, "copy.committed:stop@1", f.args("--resnapshot", "public.a"))
	f.restarts(f.source.Kill())
	execAll(t, f.db, "SELECT pg_drop_replication_slot('follow')", "INSERT INTO a VALUES (3)", "SELECT pg_create_logical_replication_slot('follow', 'pgoutput')")
	e.goesOn(t, rowferry.CodeSlotAhead)
	requireRefusal(t, run(t, f.args("--once")...), rowferry.CodeSlotAhead)
}

// TestResnapshotCase: a key that the target takes for another, since it differs in the
// case of its letters alone, comes as the source has it.
func TestResnapshotCase(t *testing.T) {
	besideOthers(t)
	for _, target := range []testdb.Kind{testdb.MariaDB1011, sqliteKind, testdb.Postgres15} {
		t.Run(string(target), func(t *testing.T) {
			besideOthers(t)
			s := newStream(t, testdb.MySQL97, target)
			s.exec(t, "CREATE TABLE w (k VARCHAR(20) COLLATE utf8mb4_general_ci PRIMARY KEY, n INT)", "INSERT INTO w VALUES ('A', 1), ('b', 2), ('C', 3), ('D', 4)",
				"CREATE TABLE u (id INT PRIMARY KEY, k VARCHAR(20) COLLATE utf8mb4_general_ci UNIQUE)", "INSERT INTO u VALUES (1, 'A'), (2, 'b')")
			must(t, s.command("run", "--once")...)
			for _, q := range []string{"UPDATE %sw SET n = 99", "DELETE FROM %sw WHERE k = 'b'", "UPDATE %sw SET k = 'a' WHERE k = 'A'", "UPDATE %su SET k = 'a' WHERE k = 'A'"} {
				s.goal.exec(t, fmt.Sprintf(q, s.goal.ns))
			}
			s.exec(t, "UPDATE w SET k = 'c' WHERE k = 'C'")
			must(t, s.command("run", "--once", "--resnapshot", s.database+".*")...)
			s.exec(t, "UPDATE w SET n = n + 1")
			must(t, s.command("run", "--once")...)
			for _, table := range []string{"w", "u"} {
				rows := table + " ORDER BY LOWER(k)"
				if want, got := described(queryRows(t, s.db, "SELECT * FROM "+rows)), described(s.goal.rows(t, "SELECT * FROM "+s.goal.ns+rows)); want != got {
					t.Errorf("%s: the source has\n%sand the target\n%s", table, want, got)
				}
			}
		})
	}
}

// TestResnapshotCircles: rows that the source no longer has go though they lead to each
// other, in two tables or over many batches of one.
func TestResnapshotCircles(t *testing.T) {
	besideOthers(t)
	s := newStream(t, testdb.MySQL97, sqliteKind)
	s.exec(t, "CREATE TABLE a (id INT PRIMARY KEY, b_id INT)", "CREATE TABLE b (id INT PRIMARY KEY, a_id INT, FOREIGN KEY (a_id) REFERENCES a (id))", "ALTER TABLE a ADD FOREIGN KEY (b_id) REFERENCES b (id)",
		"CREATE TABLE tree (id INT PRIMARY KEY, parent_id INT, FOREIGN KEY (parent_id) REFERENCES tree (id))",
		"INSERT INTO a VALUES (1, NULL), (2, NULL)", "INSERT INTO b VALUES (1, 1), (2, 2)", "UPDATE a SET b_id = id", "INSERT INTO tree VALUES (1, NULL), (2, 1)")
	must(t, s.command("run", "--once")...)
	s.goal.exec(t, "UPDATE a SET b_id = NULL", "DELETE FROM b", "DELETE FROM a WHERE id = 1", "INSERT INTO a VALUES (8, NULL)", "INSERT INTO b VALUES (9, 8)", "UPDATE a SET b_id = 9",
		"INSERT INTO tree WITH RECURSIVE n (id) AS (SELECT 11 UNION ALL SELECT id + 1 FROM n WHERE id < 1800) SELECT id, NULLIF(id - 1, 10) FROM n")
	must(t, s.command("run", "--once", "--resnapshot", s.database+".*")...)
	for _, table := range []string{"a", "b", "tree"} {
		if want, got := described(queryRows(t, s.db, "SELECT * FROM "+table+" ORDER BY id")), described(s.goal.rows(t, "SELECT * FROM "+table+" ORDER BY id")); want != got {
			t.Errorf("%s: the source has\n%sand the target\n%s", table, want, got)
		}
	}
}
