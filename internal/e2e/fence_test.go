package e2e

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rowferry/rowferry"
	"github.com/rowferry/rowferry/internal/faultproxy"
	"github.com/rowferry/rowferry/internal/testdb"
)

// serverTargets are pairs with each kind of server as the target.
func serverTargets() []pair {
	pairs := []pair{{testdb.MySQL97, testdb.Postgres15, ""}, {testdb.MariaDB1011, testdb.MySQL97, ""}, {testdb.MySQL97, testdb.MariaDB1011, ""}}
	if soak() {
		pairs = append(pairs, pair{testdb.MariaDB1011, testdb.PostgresNew, ""}, pair{testdb.MySQL97, testdb.MariaDB11, ""})
	}
	return pairs
}

// frozenAt are the places where an engine can stand still while another takes
// its pipeline over. At "map" it has a transaction open, at "apply" and
// "recorded" with the locks of rows, and at the latter its own state says more
// than the target; at "commit.sent" and "confirm" the target knows more than the
// engine does. A COMMIT is held on its way, when the transaction has the lock on
// the checkpoint: no successor can raise the fence before the server gives it up.
// At "rows" a statement of a row is held: what PostgreSQL was sent is a part of a
// pipeline only, and it waits for the rest.
var frozenAt = []string{"recorded:stop@2", "COMMIT", "rows", "commit.sent:stop@2", "apply:stop@2", "decode:stop@20", "record.written:stop@2", "confirm:stop@2", "map:stop@40"}

// TestFence stops engines where they are and lets a successor with another
// state directory go on: afterwards the first one writes nothing and says why.
// From PostgreSQL it has lost the slot too, which says less.
func TestFence(t *testing.T) {
	besideOthers(t)
	pairs := append(serverTargets(), pair{testdb.Postgres15, testdb.MySQL97, impatient})
	if soak() {
		pairs = append(pairs, pair{testdb.PostgresNew, testdb.Postgres15, impatient})
	}
	for i, p := range pairs {
		t.Run(p.String(), func(t *testing.T) {
			t.Parallel()
			r := newRig(t, p, 2*time.Second)
			last := r.state()
			r.begin(last)
			r.write(30)
			e := r.start(last)
			r.watch()
			r.catchUp()
			e.end(t)
			earlyAt, lateAt := frozenAt, frozenAt
			if !soak() {
				earlyAt, lateAt = frozenAt[:1], []string{"COMMIT", frozenAt[i+2]}
			}
			for _, place := range earlyAt {
				if place != "COMMIT" { // which keeps the fence from being raised
					last = r.overtake(place, early, last)
				}
			}
			for _, place := range lateAt {
				last = r.overtake(place, late, last)
			}
			r.overtakeIdle(last)
			t.Logf("figure: %s: overtaken while idle and while stopped at %s: RF-4004, nothing written, Equal", p, strings.Join(slices.Concat(earlyAt, lateAt), ", "))
		})
	}
}

// moment is when an engine that was stopped goes on.
type moment int

const (
	early moment = iota // as soon as its successor has raised the fence
	late                // when its successor has caught up
)

// overtake stops the engine that goes on with state at a place, and lets another
// one take over. It returns the successor's state.
func (r *rig) overtake(place string, at moment, state string) string {
	r.t.Helper()
	// Late, the server has to give up the locks of the first before the second
	// gets anywhere; early, it must not.
	r.timeout = 2 * time.Second
	if at == early {
		r.timeout = 20 * time.Second
	}
	r.load.Resume()
	first, goOn := r.freeze(place, state)
	before := r.writer()
	successor := r.state()
	second := r.start(successor)
	r.until("the fence is raised", func() bool { return r.writer() != before })
	if at == late {
		r.commits(2)
		r.catchUp()
	}
	goOn()
	r.fenced(first)
	r.load.Resume()
	r.commits(2)
	r.catchUp()
	second.end(r.t)
	r.equal()
	return successor
}

// freeze starts an engine that goes on with state and stops at a place. What it
// returns is called before it goes on.
func (r *rig) freeze(place, state string) (e *engine, goOn func()) {
	r.t.Helper()
	var hold *faultproxy.Hold
	switch place {
	case "COMMIT":
		hold = r.down.HoldCommit(3) // the first raises the fence
		e = r.start(state)
	case "rows":
		e = r.start(state)
		r.commits(1)
		r.catchUp()
		hold = r.down.HoldStatement(5) // of a batch
		r.load.Resume()
	default:
		e = r.start(state, "ROWFERRY_FAILPOINT="+place)
		r.stands(e)
		return e, func() {}
	}
	r.struck(e, hold.Reached())
	r.stop(e)
	return e, hold.Release
}

// stop stops an engine with SIGSTOP.
func (r *rig) stop(e *engine) {
	r.t.Helper()
	if err := e.cmd.Process.Signal(syscall.SIGSTOP); err != nil {
		r.t.Fatal(err)
	}
	r.stands(e)
}

// overtakeIdle stops an engine that has nothing to do. Its successor only raises
// the fence: no row is in the way of the first when it goes on. From PostgreSQL
// the successor moves the slot, too, past where the first would go on.
func (r *rig) overtakeIdle(state string) {
	r.t.Helper()
	r.timeout = 20 * time.Second
	first := r.start(state)
	r.load.Resume()
	r.commits(1)
	r.catchUp()
	r.stop(first)
	before := r.writer()
	successor := r.state()
	second := r.start(successor)
	r.until("the fence is raised", func() bool { return r.writer() != before })
	if r.pair.fromPostgres() {
		r.load.Resume()
		r.commits(2)
		r.catchUp()
	}
	second.end(r.t)
	from := r.load.Committed()
	r.load.Resume()
	if err := r.load.Reach(r.t.Context(), from+10); err != nil {
		r.t.Fatal(err)
	}
	r.load.Pause()
	lacks := r.behind()
	r.fenced(first)
	if now := r.behind(); now != lacks || lacks == 0 {
		r.t.Fatalf("the target lacked %d transactions, and after the engine that was overtaken %d", lacks, now)
	}
	r.finish(r.start(successor))
}

// fenced lets an engine that was overtaken go on.
func (r *rig) fenced(first *engine) {
	r.t.Helper()
	before := r.writer()
	first.goesOn(r.t, rowferry.CodeFenced)
	if after := r.writer(); after != before {
		r.t.Fatalf("the engine that was overtaken wrote: the checkpoint is of %s, before it %s", after, before)
	}
}

// writer tells which engine the checkpoint is of.
func (r *rig) writer() string {
	r.t.Helper()
	var fence int64
	var id string
	q := strings.Replace(r.goal.sequenceQuery(), "sequence", "fence, state_id", 1)
	if err := r.goal.db.QueryRow(q).Scan(&fence, &id); err != nil {
		r.t.Fatal(err)
	}
	return fmt.Sprintf("fence %d, state %s", fence, id)
}

// TestCommitsCutOff breaks the connection to the target at COMMITs, most of them
// when the server has done them and before the engine is told.
func TestCommitsCutOff(t *testing.T) {
	besideOthers(t)
	pairs := append(serverTargets(), pair{testdb.Postgres15, testdb.MySQL97, ""})
	if soak() {
		pairs = append(pairs, pair{testdb.Postgres15, testdb.MariaDB1011, ""}, pair{testdb.PostgresNew, testdb.Postgres15, streamed})
	}
	for _, p := range pairs {
		t.Run(p.String(), func(t *testing.T) {
			t.Parallel()
			r := newRig(t, p, 3*time.Second)
			state := r.state()
			r.begin(state)
			r.write(100)
			e := r.start(state)
			r.watch()
			random, want := rand.New(rand.NewPCG(4, 2)), scaled(8, 100)
			for range want {
				r.struck(e, r.down.AtCommit(1+random.IntN(3), faultproxy.CutAnswer))
			}
			others := map[string]faultproxy.CommitFault{"before it arrived": faultproxy.CutBeforeCommit, "on its way": faultproxy.CutAfterCommit, "and its answer kept": faultproxy.StallAnswer}
			for name, f := range others {
				for range scaled(1, 20) {
					r.struck(e, r.down.AtCommit(1, f))
				}
				t.Logf("COMMITs were cut %s", name)
			}
			stats := r.finish(e)
			t.Logf("figure: %s: %d answers to COMMIT cut off, and %d cut before, on the way or left without answer, over %d transactions: each applied once, Equal",
				p, want, 3*scaled(1, 20), stats.Transactions)
		})
	}
}
