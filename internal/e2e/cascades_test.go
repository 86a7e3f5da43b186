package e2e

import (
	"bytes"
	"fmt"
	"os/exec"
	"syscall"
	"testing"
	"time"

	"github.com/rowferry/rowferry/internal/testdb"
)

// cascade is a schema whose foreign keys change rows by themselves, and
// transactions that make them. Each also counts the table mark.
type cascade struct {
	tables []string
	steps  [][]string
}

// levels: three of CASCADE and of SET NULL, keys of several columns, a child's
// own key that changes with its parent's, two children of one parent.
var levels = cascade{
	tables: []string{
		"CREATE TABLE mark (id INT PRIMARY KEY, n INT NOT NULL)", "INSERT INTO mark VALUES (1, 0)",
		"CREATE TABLE l1 (id INT PRIMARY KEY, v INT)",
		"CREATE TABLE l2 (id INT PRIMARY KEY, l1_id INT NOT NULL, v INT, FOREIGN KEY (l1_id) REFERENCES l1 (id) ON DELETE CASCADE ON UPDATE CASCADE)",
		"CREATE TABLE l3 (id INT PRIMARY KEY, l2_id INT NOT NULL, FOREIGN KEY (l2_id) REFERENCES l2 (id) ON DELETE CASCADE ON UPDATE CASCADE)",
		"CREATE TABLE s1 (id INT PRIMARY KEY, v INT)",
		"CREATE TABLE s2 (id INT PRIMARY KEY, r INT UNIQUE, FOREIGN KEY (r) REFERENCES s1 (id) ON DELETE SET NULL ON UPDATE SET NULL)",
		"CREATE TABLE s3 (id INT PRIMARY KEY, r INT, FOREIGN KEY (r) REFERENCES s2 (r) ON DELETE SET NULL ON UPDATE SET NULL)",
		"CREATE TABLE c1 (a INT, b INT, v INT, PRIMARY KEY (a, b))",
		"CREATE TABLE c2 (a INT, b INT, n INT, v INT, PRIMARY KEY (a, b, n), FOREIGN KEY (a, b) REFERENCES c1 (a, b) ON DELETE CASCADE ON UPDATE CASCADE)",
		"CREATE TABLE top (id INT PRIMARY KEY)",
		"CREATE TABLE lft (id INT PRIMARY KEY, t INT, FOREIGN KEY (t) REFERENCES top (id) ON DELETE CASCADE ON UPDATE CASCADE)",
		"CREATE TABLE rgt (id INT PRIMARY KEY, t INT, FOREIGN KEY (t) REFERENCES top (id) ON DELETE SET NULL ON UPDATE CASCADE)",
	},
	steps: [][]string{
		{
			"INSERT INTO l1 VALUES (1, 1), (2, 2), (3, 3), (4, 4), (5, 5), (6, 6)", "INSERT INTO l2 VALUES (1, 1, 1), (2, 1, 2), (3, 2, 3), (4, 3, 4), (5, 4, 5), (6, 5, 6), (7, 6, 7)",
			"INSERT INTO l3 VALUES (1, 1), (2, 1), (3, 2), (4, 3), (5, 4), (6, 5), (7, 6), (8, 7)",
			"INSERT INTO s1 VALUES (1, 1), (2, 2), (3, 3), (4, 4)", "INSERT INTO s2 VALUES (1, 1), (2, 2), (3, 3), (4, 4)", "INSERT INTO s3 VALUES (1, 1), (2, 1), (3, 2), (4, 3), (5, 4)",
			"INSERT INTO c1 VALUES (1, 1, 1), (1, 2, 1), (2, 1, 1)", "INSERT INTO c2 VALUES (1, 1, 1, 1), (1, 1, 2, 1), (1, 2, 1, 1), (2, 1, 1, 1)",
			"INSERT INTO top VALUES (1), (2), (3), (4)", "INSERT INTO lft VALUES (1, 1), (2, 2), (3, 3), (4, 4)", "INSERT INTO rgt VALUES (1, 1), (2, 2), (3, 3), (4, 4)",
		},
		// A parent deleted and inserted again, with its children in one transaction.
		{"DELETE FROM l1 WHERE id = 1", "INSERT INTO l1 VALUES (1, 10)", "INSERT INTO l2 VALUES (1, 1, 10)", "INSERT INTO l3 VALUES (1, 1)"},
		// And without: they stay gone.
		{"DELETE FROM l1 WHERE id = 2", "INSERT INTO l1 VALUES (2, 20)"},
		// In several transactions.
		{"DELETE FROM l1 WHERE id = 3"}, {"INSERT INTO l1 VALUES (3, 30)"}, {"INSERT INTO l2 VALUES (4, 3, 40), (40, 3, 41)"}, {"INSERT INTO l3 VALUES (5, 4)"},
		// Twice in one transaction, with children of another key between.
		{"DELETE FROM l1 WHERE id = 3", "INSERT INTO l1 VALUES (3, 31)", "INSERT INTO l2 VALUES (4, 3, 42)", "DELETE FROM l1 WHERE id = 3", "INSERT INTO l1 VALUES (3, 32)", "INSERT INTO l2 VALUES (41, 3, 43)"},
		// Keys that change, and what hangs below them.
		{"UPDATE l1 SET id = 104 WHERE id = 4"}, {"UPDATE l2 SET id = 105, v = 50 WHERE id = 5", "UPDATE l3 SET id = 106 WHERE id = 6"},
		{"UPDATE l1 SET id = 4 WHERE id = 104", "UPDATE l1 SET id = 204 WHERE id = 4", "UPDATE l2 SET v = 51 WHERE l1_id = 204"},
		{"DELETE FROM l1 WHERE id = 5", "UPDATE l1 SET id = 5 WHERE id = 6", "INSERT INTO l1 VALUES (6, 60)", "INSERT INTO l2 VALUES (6, 6, 60)"},
		{"UPDATE l1 SET id = id + 1000 ORDER BY id DESC"}, {"UPDATE l1 SET v = v + 1"},
		// A child that leaves its parent before that goes, and a child inserted under
		// a key that a cascade freed.
		{"UPDATE l2 SET l1_id = 1001 WHERE l1_id = 1003", "DELETE FROM l1 WHERE id = 1003", "INSERT INTO l1 VALUES (1003, 1)"},
		{"DELETE FROM l1 WHERE id = 1005", "INSERT INTO l2 VALUES (7, 1001, 70)", "INSERT INTO l3 VALUES (8, 7)"},
		// SET NULL down to the third level, by a delete and by a key change.
		{"DELETE FROM s1 WHERE id = 1"}, {"UPDATE s1 SET id = 20 WHERE id = 2"},
		{"DELETE FROM s1 WHERE id = 3", "INSERT INTO s1 VALUES (3, 30)", "UPDATE s2 SET r = 3 WHERE id = 3", "UPDATE s3 SET r = 3 WHERE id = 4"},
		{"UPDATE s2 SET r = NULL WHERE id = 4"}, {"DELETE FROM s2 WHERE id = 3"},
		// A child whose own key changes with its parent's.
		{"UPDATE c1 SET a = 11 WHERE a = 1 AND b = 1"}, {"UPDATE c1 SET a = 1, b = 3 WHERE a = 11", "UPDATE c2 SET v = 5 WHERE a = 1 AND b = 3", "UPDATE c1 SET b = 1 WHERE a = 1 AND b = 3"},
		{"UPDATE c2 SET n = n + 10 ORDER BY n DESC"}, {"DELETE FROM c1 WHERE a = 1 AND b = 2", "INSERT INTO c1 VALUES (1, 2, 9)", "INSERT INTO c2 VALUES (1, 2, 11, 9)"}, {"DELETE FROM c1 WHERE a = 1"},
		// Two children.
		{"DELETE FROM top WHERE id = 1"}, {"UPDATE top SET id = 20 WHERE id = 2"}, {"DELETE FROM top WHERE id = 3", "INSERT INTO top VALUES (3)", "UPDATE rgt SET t = 3 WHERE id = 3", "INSERT INTO lft VALUES (3, 3)"},
		{"DELETE FROM top"},
		// Statements that delete or change keys on the way.
		{"REPLACE INTO l1 VALUES (1001, 77)"}, {"INSERT INTO l1 VALUES (1002, 1) ON DUPLICATE KEY UPDATE id = 3002"}, {"INSERT INTO l2 VALUES (90, 3002, 1), (91, 1003, 1)", "INSERT INTO l3 VALUES (90, 90), (91, 91)"},
		{"SAVEPOINT a", "DELETE FROM l1", "ROLLBACK TO a", "UPDATE l1 SET v = 1"}, {"DELETE FROM l1"},
	},
}

// deep is what MySQL from 9.6 on cascades wrongly by itself: more levels,
// self-references, tables that are reached by two ways.
var deep = cascade{
	tables: []string{
		"CREATE TABLE mark (id INT PRIMARY KEY, n INT NOT NULL)", "INSERT INTO mark VALUES (1, 0)",
		"CREATE TABLE l1 (id INT PRIMARY KEY, v INT)",
		"CREATE TABLE l2 (id INT PRIMARY KEY, l1_id INT NOT NULL, FOREIGN KEY (l1_id) REFERENCES l1 (id) ON DELETE CASCADE ON UPDATE CASCADE)",
		"CREATE TABLE l3 (id INT PRIMARY KEY, l2_id INT NOT NULL, FOREIGN KEY (l2_id) REFERENCES l2 (id) ON DELETE CASCADE ON UPDATE CASCADE)",
		"CREATE TABLE l4 (id INT PRIMARY KEY, l3_id INT, FOREIGN KEY (l3_id) REFERENCES l3 (id) ON DELETE SET NULL ON UPDATE CASCADE)",
		"CREATE TABLE c1 (a INT, b INT, v INT, PRIMARY KEY (a, b))",
		"CREATE TABLE c2 (a INT, b INT, n INT, v INT, PRIMARY KEY (a, b, n), FOREIGN KEY (a, b) REFERENCES c1 (a, b) ON DELETE CASCADE ON UPDATE CASCADE)",
		"CREATE TABLE c3 (a INT, b INT, n INT, m INT, PRIMARY KEY (a, b, n, m), FOREIGN KEY (a, b, n) REFERENCES c2 (a, b, n) ON DELETE CASCADE ON UPDATE CASCADE)",
		"CREATE TABLE tree (id INT PRIMARY KEY, parent INT, FOREIGN KEY (parent) REFERENCES tree (id) ON DELETE CASCADE)",
		"CREATE TABLE emp (id INT PRIMARY KEY, boss INT, FOREIGN KEY (boss) REFERENCES emp (id) ON DELETE SET NULL)",
		"CREATE TABLE top (id INT PRIMARY KEY)",
		"CREATE TABLE lft (id INT PRIMARY KEY, t INT, FOREIGN KEY (t) REFERENCES top (id) ON DELETE CASCADE ON UPDATE CASCADE)",
		"CREATE TABLE rgt (id INT PRIMARY KEY, t INT, FOREIGN KEY (t) REFERENCES top (id) ON DELETE CASCADE ON UPDATE CASCADE)",
		"CREATE TABLE bottom (id INT PRIMARY KEY, l INT, r INT, FOREIGN KEY (l) REFERENCES lft (id) ON DELETE CASCADE, FOREIGN KEY (r) REFERENCES rgt (id) ON DELETE CASCADE)",
		"CREATE TABLE floor (id INT PRIMARY KEY, l INT, r INT, FOREIGN KEY (l) REFERENCES lft (id) ON DELETE SET NULL ON UPDATE CASCADE, FOREIGN KEY (r) REFERENCES rgt (id) ON DELETE SET NULL ON UPDATE SET NULL)",
	},
	steps: [][]string{
		{
			"INSERT INTO l1 VALUES (1, 1), (2, 2), (3, 3)", "INSERT INTO l2 VALUES (1, 1), (2, 1), (3, 2), (4, 3)", "INSERT INTO l3 VALUES (1, 1), (2, 1), (3, 2), (4, 3), (5, 4)", "INSERT INTO l4 VALUES (1, 1), (2, 2), (3, 3), (4, 4), (5, 5), (6, NULL)",
			"INSERT INTO c1 VALUES (1, 1, 1), (1, 2, 1), (2, 1, 1)", "INSERT INTO c2 VALUES (1, 1, 1, 1), (1, 1, 2, 1), (1, 2, 1, 1), (2, 1, 1, 1)", "INSERT INTO c3 VALUES (1, 1, 1, 1), (1, 1, 2, 1), (1, 2, 1, 1), (1, 2, 1, 2)",
			"INSERT INTO tree VALUES (1, NULL), (2, 1), (3, 2), (4, 3), (5, 1), (6, 6), (7, NULL), (8, 7)", "INSERT INTO emp VALUES (1, NULL), (2, 1), (3, 2), (4, 1), (5, 5)",
			"INSERT INTO top VALUES (1), (2), (3), (4)", "INSERT INTO lft VALUES (1, 1), (2, 2), (3, 3), (4, 4)", "INSERT INTO rgt VALUES (1, 1), (2, 2), (3, 3), (4, 4)",
			"INSERT INTO bottom VALUES (1, 1, 1), (2, 1, 2), (3, 2, 1), (4, 3, 3), (5, 4, NULL)", "INSERT INTO floor VALUES (1, 1, 1), (2, 1, 2), (3, 2, 1), (4, 3, 3), (5, 4, NULL)",
		},
		{"DELETE FROM l1 WHERE id = 1", "INSERT INTO l1 VALUES (1, 10)", "INSERT INTO l2 VALUES (1, 1)", "INSERT INTO l3 VALUES (1, 1)", "UPDATE l4 SET l3_id = 1 WHERE id = 1"},
		{"UPDATE l3 SET id = 50 WHERE id = 5"}, {"DELETE FROM l1 WHERE id = 3"}, {"INSERT INTO l1 VALUES (3, 1)", "INSERT INTO l2 VALUES (4, 3)"}, {"DELETE FROM l1"},
		{"UPDATE c1 SET a = 11 WHERE a = 1 AND b = 1"}, {"UPDATE c1 SET a = 1, b = 3 WHERE a = 11", "UPDATE c2 SET v = 5 WHERE a = 1 AND b = 3", "UPDATE c1 SET b = 1 WHERE a = 1 AND b = 3"}, {"DELETE FROM c1 WHERE a = 1"},
		{"DELETE FROM tree WHERE id = 2"}, {"DELETE FROM tree WHERE id = 1", "INSERT INTO tree VALUES (1, NULL), (2, 1)"}, {"DELETE FROM tree WHERE id = 6"}, {"DELETE FROM tree"},
		{"DELETE FROM emp WHERE id = 1", "INSERT INTO emp VALUES (1, NULL)", "UPDATE emp SET boss = 1 WHERE id = 2"}, {"DELETE FROM emp WHERE id = 5"}, {"DELETE FROM emp WHERE id IN (1, 2)"},
		{"DELETE FROM top WHERE id = 1"}, {"UPDATE top SET id = 20 WHERE id = 2"}, {"DELETE FROM bottom WHERE id = 5", "UPDATE lft SET id = 30 WHERE t = 4"},
		{"DELETE FROM lft WHERE id = 3", "DELETE FROM rgt WHERE id = 3", "INSERT INTO rgt VALUES (3, 3)", "INSERT INTO bottom VALUES (4, NULL, 3)"}, {"DELETE FROM top"},
	},
}

// apart keeps sources and targets of one kind on different servers.
func apart() testdb.Option { return testdb.RowMetadata("FULL") }

// TestCascades follows a source transaction by transaction into every target,
// so that each is a batch of its own, and then applies all of it in groups.
// MySQL as it comes logs what foreign keys change; MariaDB does not.
func TestCascades(t *testing.T) {
	besideOthers(t)
	for _, c := range []struct {
		name    string
		source  testdb.Kind
		what    cascade
		targets []testdb.Kind
	}{
		{"logged", testdb.MySQL97, levels, []testdb.Kind{testdb.Postgres15, testdb.MySQL97, testdb.MariaDB1011, sqliteKind}},
		{"not logged", testdb.MariaDB1011, levels, []testdb.Kind{testdb.Postgres15, testdb.MySQL97, testdb.MariaDB1011, sqliteKind}},
		{"deep", testdb.MariaDB1011, deep, []testdb.Kind{testdb.Postgres15, testdb.MariaDB1011, sqliteKind}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			c.what.run(t, c.source, c.targets)
		})
	}
}

func (c cascade) run(t *testing.T, source testdb.Kind, targets []testdb.Kind) {
	s := newStream(t, source, targets[0], apart())
	s.exec(t, c.tables...)
	streams := []*stream{s}
	for _, k := range targets[1:] {
		streams = append(streams, s.to(t, k))
	}
	var followers []*follower
	for _, one := range streams {
		f := one.follow(t)
		f.await(t, "the tables", "SELECT n FROM "+one.goal.table("mark"), 0)
		followers = append(followers, f)
	}
	begun := make([]int64, len(streams))
	for i, one := range streams {
		begun[i] = one.goal.committed(t)
	}
	for i, step := range c.steps {
		s.exec(t, append(append([]string{"BEGIN", "UPDATE mark SET n = n + 1"}, step...), "COMMIT")...)
		for _, f := range followers {
			f.await(t, step, "SELECT n FROM "+f.stream.goal.table("mark"), int64(i+1))
		}
	}
	for i, f := range followers {
		f.stop(t)
		f.stream.requireEqual(t)
		if n := f.stream.goal.committed(t) - begun[i]; n < int64(len(c.steps)) {
			t.Fatalf("%s: %d batches for %d transactions: some were grouped", f.stream.goal.kind, n, len(c.steps))
		}
	}
	for _, one := range streams {
		g := s.to(t, one.goal.kind)
		must(t, g.once()...)
		g.requireEqual(t)
		if n := g.goal.committed(t); n > int64(len(c.steps))/2 {
			t.Fatalf("%s: %d batches for %d transactions: too few were grouped", g.goal.kind, n, len(c.steps))
		}
	}
	t.Logf("figure: %s: %d transactions with cascades, one by one and grouped, into %d targets: Equal", source, len(c.steps), len(streams))
}

// follower is an engine that follows.
type follower struct {
	stream *stream
	cmd    *exec.Cmd
	output *bytes.Buffer
	done   chan struct{}
}

// follow starts an engine.
func (s *stream) follow(t *testing.T) *follower {
	t.Helper()
	f := &follower{stream: s, output: &bytes.Buffer{}, done: make(chan struct{})}
	f.cmd = command(t, "", s.command("run", "--from", s.from)...)
	f.cmd.Stdout, f.cmd.Stderr = f.output, f.output
	if err := f.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		_ = f.cmd.Wait() // the exit code tells
		close(f.done)
	}()
	t.Cleanup(func() {
		_ = f.cmd.Process.Kill() // it may have ended
		<-f.done
	})
	return f
}

// await waits until the target's number is n, for as long as the engine runs.
func (f *follower) await(t *testing.T, step any, query string, n int64) {
	t.Helper()
	for {
		now, err := f.stream.goal.number(query)
		if err == nil && now >= n {
			return
		}
		select {
		case <-f.done:
			t.Fatalf("%s: exit %d at %q:\n%s", f.stream.goal.kind, f.cmd.ProcessState.ExitCode(), fmt.Sprint(step), f.output)
		case <-time.After(5 * time.Millisecond):
		}
	}
}

// stop ends the engine in order.
func (f *follower) stop(t *testing.T) {
	t.Helper()
	if err := f.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	<-f.done
	if code := f.cmd.ProcessState.ExitCode(); code != 0 {
		t.Fatalf("%s: exit %d:\n%s", f.stream.goal.kind, code, f.output)
	}
}
