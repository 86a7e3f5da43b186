package e2e

import (
	"context"
	"fmt"
	"math"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rowferry/rowferry/internal/faultproxy"
	"github.com/rowferry/rowferry/internal/testdb"
)

// stepper is a pipeline that takes one transaction after the other, each a batch
// of which any statement can be held on its way to the target.
type stepper struct {
	*rig
	engine     *engine
	n          int // transactions at the source
	statements int // of a batch
	account    testdb.Account
}

// The step tables hold, at every transaction's end: counter 1, counter 2, the
// number of parents and the last child are n, and the sum of the parents' values
// is one less. The first statement locks counter 1, the last one counter 2.
var stepTables = []string{
	"CREATE TABLE counter (id INT PRIMARY KEY, n INT NOT NULL)",
	"CREATE TABLE parent (id INT PRIMARY KEY, v INT NOT NULL)",
	"CREATE TABLE child (id INT PRIMARY KEY, parent_id INT NOT NULL, body LONGBLOB NOT NULL, FOREIGN KEY (parent_id) REFERENCES parent (id))",
	"CREATE TABLE trail (n INT NOT NULL)",
	"INSERT INTO counter VALUES (1, 0), (2, 0)",
}

// newStepper starts an engine that writes as an account without privileges
// beyond its database.
func newStepper(t *testing.T, p pair) *stepper {
	t.Helper()
	r := newRig(t, p, 3*time.Second, testdb.SmallDisk(500<<20), testdb.Arg("max_connections=20"))
	s := &stepper{rig: r, account: testdb.Account{User: "ferry", Password: "boat", Plugin: p.target.Plugins()[0]}}
	s.account.Grants = []string{"ALL ON " + r.goal.server.Quote(r.goal.name) + ".*"}
	if p.target.Flavor() == testdb.Postgres {
		s.account.Grants = []string{"CREATE ON DATABASE " + r.goal.server.Quote(r.goal.name)}
	}
	if err := r.goal.server.CreateAccount(t.Context(), s.account); err != nil {
		t.Fatal(err)
	}
	r.login = s.account.User + ":" + s.account.Password
	state := r.state()
	r.begin(state)
	for _, q := range stepTables {
		if _, err := r.db.Exec(q); err != nil {
			t.Fatal(err)
		}
	}
	s.engine = r.start(state)
	s.statements = math.MaxInt
	for range 8 { // more than a child lives; the fewest statements are those of the batch alone
		before := r.down.Statements()
		s.step(10)
		s.await()
		s.statements = min(s.statements, r.down.Statements()-before)
	}
	if _, err := r.goal.db.Exec("CREATE TABLE " + r.goal.ns + "_test_scratch (id INT)"); err != nil {
		t.Fatal(err)
	}
	return s
}

// step commits one transaction at the source.
func (s *stepper) step(size int) {
	s.t.Helper()
	s.n++
	tx, err := s.db.Begin()
	if err != nil {
		s.t.Fatal(err)
	}
	for _, q := range []string{
		"UPDATE counter SET n = n + 1 WHERE id = 1",
		fmt.Sprintf("INSERT INTO parent VALUES (%d, 0)", s.n),
		fmt.Sprintf("INSERT INTO child VALUES (%d, %d, '%s')", s.n, s.n, strings.Repeat("x", size)),
		fmt.Sprintf("INSERT INTO trail VALUES (%d)", s.n),
		fmt.Sprintf("UPDATE parent SET v = v + 1 WHERE id = %d", s.n-1),
		fmt.Sprintf("DELETE FROM child WHERE id = %d", s.n-5),
		"UPDATE counter SET n = n + 1 WHERE id = 2",
	} {
		if _, err := tx.Exec(q); err != nil {
			s.t.Fatal(err)
		}
	}
	if err := tx.Commit(); err != nil {
		s.t.Fatal(err)
	}
}

// arrived reports whether the target has every transaction.
func (s *stepper) arrived() bool {
	n, err := s.goal.number("SELECT n FROM " + s.goal.ns + "counter WHERE id = 2")
	return err == nil && n == int64(s.n)
}

func (s *stepper) await() {
	s.t.Helper()
	s.until("the target has the transaction", func() bool { s.lives(); return s.arrived() })
}

// lives fails the test if the engine has ended.
func (s *stepper) lives() {
	s.t.Helper()
	select {
	case <-s.engine.ended:
		s.t.Fatalf("the engine ended by itself with %d", s.engine.cmd.ProcessState.ExitCode())
	default:
	}
}

// observe looks at the target again and again, in one snapshot each, until the
// returned function is called: every state is that of a transaction's end. That
// function returns how many states were seen.
func (s *stepper) observe() func() int {
	db, err := s.goal.server.Open(s.goal.name)
	if err != nil {
		s.t.Fatal(err)
	}
	query := strings.ReplaceAll(`SELECT (SELECT n FROM NS.counter WHERE id = 1), (SELECT n FROM NS.counter WHERE id = 2),
		(SELECT COUNT(*) FROM NS.parent), (SELECT MAX(id) FROM NS.child), (SELECT SUM(v) + 1 FROM NS.parent),
		(SELECT MIN(id) + 4 FROM NS.child), (SELECT COUNT(*) FROM NS.trail)`, "NS.", s.goal.ns)
	seen := map[int]bool{}
	ctx, stop := context.WithCancel(context.Background())
	var work sync.WaitGroup
	work.Go(func() {
		for {
			select {
			case <-ctx.Done():
				return
			case <-time.After(3 * time.Millisecond):
			}
			var v [7]int
			if db.QueryRowContext(ctx, query).Scan(&v[0], &v[1], &v[2], &v[3], &v[4], &v[5], &v[6]) != nil {
				continue // the target is away
			}
			for _, n := range v {
				if n != v[0] {
					s.t.Errorf("a part of a batch is in the target: %v", v)
					return
				}
			}
			seen[v[0]] = true
		}
	})
	end := sync.OnceValue(func() int {
		stop()
		work.Wait()
		db.Close()
		return len(seen)
	})
	s.t.Cleanup(func() { end() })
	return end
}

// hit has a fault befall the target while a statement of a batch is on its way,
// and reports whether the engine says that it met it.
func (s *stepper) hit(f targetFault, statement int) bool {
	s.t.Helper()
	said := len(s.engine.output.String())
	news := func() string { return s.engine.output.String()[said:] }
	hold := s.down.HoldStatement(statement)
	s.step(f.size)
	if !s.reached(hold) {
		hold.Release()
		return false
	}
	s.until("the server has run what came before", func() bool {
		return s.pair.target.Flavor() != testdb.Postgres || s.goal.intOf(s.t, "SELECT COUNT(*) FROM pg_stat_activity WHERE usename = 'ferry' AND wait_event = 'ClientRead'") > 0
	})
	mend := f.strike(s)
	hold.Release()
	s.until("the engine has met the fault", func() bool {
		s.lives()
		return strings.Contains(news(), `"msg":"waiting"`) && !f.hides || f.met(news()) || s.arrived()
	})
	mend()
	s.await()
	return f.met(news())
}

// reached waits for a statement to be held. It reports false if the batch came
// to its end without.
func (s *stepper) reached(hold *faultproxy.Hold) (held bool) {
	s.t.Helper()
	s.until("a statement is held", func() bool {
		s.lives()
		select {
		case <-hold.Reached():
			held = true
		default:
		}
		return held || s.arrived()
	})
	return held
}

// met reports whether the engine says one of the fault's signs.
func (f *targetFault) met(said string) bool {
	for _, sign := range f.signs {
		if strings.Contains(said, sign) {
			return true
		}
	}
	return false
}

// TestTargetErrors has everything that can befall a target happen at the
// statements of a batch: at every one in make soak.
func TestTargetErrors(t *testing.T) {
	besideOthers(t)
	for _, p := range serverTargets() {
		t.Run(p.String(), func(t *testing.T) {
			t.Parallel()
			s := newStepper(t, p)
			end := s.observe()
			for _, f := range targetFaults(p.target.Flavor()) {
				met, places := 0, s.places(f)
				for _, place := range places {
					if s.hit(f, place) {
						met++
					}
				}
				// Not every fault can meet the engine at every statement: a deadlock
				// needs a lock that the batch does not have yet.
				for place := 1; met == 0 && place <= s.statements; place++ {
					places = append(places, place)
					if s.hit(f, place) {
						met++
					}
				}
				t.Logf("figure: %s: %s at %d statements of a batch of %d: the engine met it %d times", p, f.name, len(places), s.statements, met)
				if met == 0 {
					t.Errorf("the engine never met: %s", f.name)
				}
			}
			states := end()
			s.engine.end(t)
			testdb.RequireEqual(t, s.source.URL(s.database), s.goal.judge)
			t.Logf("figure: %s: no part of a batch in %d states seen over %d transactions, Equal", p, states, s.n)
		})
	}
}

// places are the statements of a batch to have a fault at.
func (s *stepper) places(f targetFault) []int {
	last := s.statements
	if !soak() { // among the rows, and the checkpoint; the others in make soak
		switch f.few {
		case before:
			return []int{2}
		case among:
			return []int{last / 2}
		default:
			return []int{last / 2, last - 1}
		}
	}
	var all []int
	for range 2 {
		for i := range last {
			all = append(all, i+1)
		}
	}
	return all
}
