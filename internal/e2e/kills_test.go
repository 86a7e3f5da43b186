package e2e

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rowferry/rowferry/internal/testdb"
	"github.com/rowferry/rowferry/internal/testdb/record"
)

// stages are where an engine over files can be struck, and how many times a
// stage is passed before the kill: far enough for at least one commit, since a
// kill without progress does not count. There is no stage ack: files are not
// told what was applied.
var stages = []struct {
	name        string
	least, most int // in make test
	full        int // times as much in make soak
}{
	{"decode", 100, 500, 3},
	{"map", 1500, 7000, 3},
	{"apply", 3, 12, 3},
	{"record.written", 1, 3, 2},
	{"recorded", 1, 3, 2},
	{"commit.sent", 1, 3, 2},
	{"confirm", 1, 3, 2},
}

// campaign is one test of Kills on one recording.
type campaign struct {
	t        *testing.T
	random   *rand.Rand
	rec      record.Recording
	place    place
	ledger   int64 // rows in the ledger when its trigger was made
	counted  int   // kills that count
	struck   map[string]int
	rebuilt  int
	moments  int
	sequence int64 // of the checkpoint at the last kill
}

// TestKills replays a recorded Load with Kills and Prefix, as TESTING.md
// defines them.
func TestKills(t *testing.T) {
	besideOthers(t)
	for _, k := range []testdb.Kind{testdb.MariaDB1011, testdb.MySQL97} {
		t.Run(string(k), func(t *testing.T) {
			besideOthers(t)
			testKills(t, k)
		})
	}
}

func testKills(t *testing.T, k testdb.Kind) {
	wantKills, wantMoments := scaled(10, 100), scaled(20, 200)
	rec := record.Load(t, k, record.Options{
		Transactions: scaled(3_000, 60_000), Writers: 4, Metadata: "FULL", Seed: 7, FileSize: scaled(1, 16) << 20,
	})
	c := &campaign{t: t, random: rand.New(rand.NewPCG(1, uint64(len(k)))), rec: rec, struck: map[string]int{}}
	passes := 0
	for c.counted < wantKills || c.moments < wantMoments {
		c.pass(wantKills)
		passes++
	}
	t.Logf("figure: %s: %d kills (%v), %d with the state directory deleted and rebuilt, prefix at %d moments, %d passes over %v, Equal",
		rec.Version, c.counted, c.struck, c.rebuilt, c.moments, passes, rec.Stats)
	for _, s := range stages {
		if soak() && c.struck[s.name] < 5 {
			t.Errorf("stage %s was struck %d times, want at least 5", s.name, c.struck[s.name])
		}
	}
}

// pass replays the recording into a new target, killing on the way, and
// checks the end.
func (c *campaign) pass(wantKills int) {
	c.t.Helper()
	c.place = newPlace(c.t, c.rec.Files...)
	c.place.more = []string{"--triggers", "fire", "--memory", "256MiB"}
	c.sequence = 0
	c.watchLedger()
	for c.counted < wantKills {
		if !c.strike() {
			break
		}
	}
	if code := c.run(""); code != 0 {
		c.t.Fatalf("the last run ended with %d", code)
	}
	testdb.RequireEqual(c.t, c.rec.Expected, "sqlite://"+c.place.target)
	rows := intOf(c.t, c.place.target, "SELECT COUNT(*) FROM ledger")
	inserts := intOf(c.t, c.place.target, "SELECT n FROM _test_inserts")
	if inserts != rows-c.ledger {
		c.t.Fatalf("the ledger's trigger counted %d inserts, the ledger grew by %d", inserts, rows-c.ledger)
	}
}

// watchLedger makes the target's ledger with a first short run, then puts the
// counting trigger on it.
func (c *campaign) watchLedger() {
	c.t.Helper()
	made := false
	for !made {
		if code := c.run("confirm:kill@1"); code != -1 {
			c.t.Fatalf("a run to make the ledger ended with %d, not by the kill", code)
		}
		made = intOf(c.t, c.place.target, "SELECT COUNT(*) FROM sqlite_schema WHERE name = 'ledger'") > 0
	}
	execSQLite(c.t, c.place.target, `CREATE TABLE _test_inserts (n INTEGER NOT NULL);
		INSERT INTO _test_inserts VALUES (0);
		CREATE TRIGGER _test_count AFTER INSERT ON ledger BEGIN UPDATE _test_inserts SET n = n + 1; END;`)
	c.ledger = intOf(c.t, c.place.target, "SELECT COUNT(*) FROM ledger")
	c.sequence = c.committed()
}

// committed returns the sequence in the target.
func (c *campaign) committed() int64 {
	return intOf(c.t, c.place.target, "SELECT sequence FROM rowferry_checkpoint")
}

// strike kills one run at a random stage and reports whether the log still
// had more.
func (c *campaign) strike() bool {
	c.t.Helper()
	s := stages[c.random.IntN(len(stages))]
	if c.random.IntN(5) == 0 {
		c.place.removeState(c.t)
		c.rebuilt++
	}
	factor := scaled(1, s.full)
	code := c.run(fmt.Sprintf("%s:kill@%d", s.name, factor*s.least+c.random.IntN(factor*(s.most-s.least)+1)))
	if code == 0 {
		return false // the log ended first
	}
	c.prefix()
	if now := c.committed(); now > c.sequence {
		c.counted, c.sequence = c.counted+1, now
		c.struck[s.name]++
	}
	return true
}

// prefix asserts the Prefix property now.
func (c *campaign) prefix() {
	c.t.Helper()
	testdb.RequirePrefix(c.t, c.place.target)
	c.moments++
}

// run runs the engine with a failpoint and asks for Prefix at random moments
// while it works. It returns the exit code, -1 for a kill.
func (c *campaign) run(failpoint string) int {
	c.t.Helper()
	var output bytes.Buffer
	cmd := command(c.t, "failpoint", c.place.replay()...)
	cmd.Env = append(os.Environ(), "ROWFERRY_FAILPOINT="+failpoint)
	cmd.Stdout, cmd.Stderr = &output, &output
	if err := cmd.Start(); err != nil {
		c.t.Fatal(err)
	}
	done := make(chan struct{})
	var asker sync.WaitGroup
	if c.sequence > 0 { // the tables exist
		asker.Go(func() { c.askWhile(done) })
	}
	_ = cmd.Wait() // the exit code is what counts
	close(done)
	asker.Wait()
	if code := cmd.ProcessState.ExitCode(); code > 0 || strings.Contains(output.String(), "RF-") {
		c.t.Fatalf("exit %d with failpoint %q:\n%s", code, failpoint, output.String())
	}
	return cmd.ProcessState.ExitCode()
}

// askWhile asks for Prefix at random moments until done.
func (c *campaign) askWhile(done <-chan struct{}) {
	for {
		select {
		case <-done:
			return
		case <-time.After(time.Duration(rand.IntN(400)) * time.Millisecond):
		}
		out, err := exec.Command(testdb.BuildEqual(c.t), "prefix", "sqlite://"+c.place.target).CombinedOutput()
		if err != nil {
			c.t.Errorf("not a prefix while running: %v\n%s", err, out)
			return
		}
		c.moments++
	}
}

// TestSabotageIsNoticed holds the judges to account outside the engine: a row
// taken from a finished target breaks Equal and Prefix.
func TestSabotageIsNoticed(t *testing.T) {
	rec := record.Load(t, testdb.MariaDB1011, record.Options{Transactions: 500, Metadata: "FULL", Seed: 3})
	p := newPlace(t, rec.Files...)
	must(t, p.replay()...)
	testdb.RequireEqual(t, rec.Expected, "sqlite://"+p.target)
	testdb.RequirePrefix(t, p.target)
	execSQLite(t, p.target, "DELETE FROM ledger WHERE n = 5")
	if out, err := exec.Command(testdb.BuildEqual(t), "compare", rec.Expected, "sqlite://"+p.target).CombinedOutput(); err == nil {
		t.Fatalf("Equal did not notice a missing row: %s", out)
	}
	if out, err := exec.Command(testdb.BuildEqual(t), "prefix", "sqlite://"+p.target).CombinedOutput(); err == nil {
		t.Fatalf("Prefix did not notice a missing row: %s", out)
	}
}
