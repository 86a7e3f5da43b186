package e2e

import (
	"bytes"
	"context"
	"database/sql"
	"fmt"
	"math/rand/v2"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/rowferry/rowferry/internal/testdb"
	"github.com/rowferry/rowferry/internal/testdb/load"
)

// livePairs are what TestLiveKills runs: six in make test, in make soak all of
// the main servers, and those of postgresPairs.
func livePairs() []pair { return append(binlogPairs(), postgresPairs()...) }

func binlogPairs() []pair {
	pairs := []pair{
		{testdb.MySQL97, testdb.Postgres15, "FULL"},
		{testdb.MariaDB1011, testdb.MySQL97, ""},
		{testdb.MySQL97, testdb.MariaDB1011, ""},
		{testdb.MariaDB1011, sqliteKind, "FULL"},
	}
	if !soak() {
		return pairs
	}
	return append(pairs,
		pair{testdb.MariaDB1011, testdb.Postgres15, ""}, pair{testdb.MySQL97, testdb.MySQL97, "FULL"},
		pair{testdb.MariaDB1011, testdb.MariaDB1011, "FULL"}, pair{testdb.MySQL97, sqliteKind, ""},
	)
}

// leastStruck is how many kills that count each stage has at least, in soak.
const leastStruck = 5

// liveCampaign is one test of Kills while writers write.
type liveCampaign struct {
	t        *testing.T
	pair     pair
	random   *rand.Rand
	source   *testdb.Server
	db       *sql.DB
	database string
	goal     *goal
	state    string
	ledger   int64 // rows in the target's ledger when its trigger was made
	counted  int
	struck   map[string]int
	rebuilt  int
	bounced  int
	moments  int
	sequence int64
}

// TestLiveKills follows a server under Load with Kills and Prefix, as
// TESTING.md defines them.
func TestLiveKills(t *testing.T) {
	besideOthers(t)
	for _, p := range livePairs() {
		t.Run(p.String(), func(t *testing.T) {
			besideOthers(t)
			testLiveKills(t, p)
		})
	}
}

// newLiveCampaign starts the servers of a pair.
func newLiveCampaign(t *testing.T, p pair) *liveCampaign {
	t.Helper()
	opts := append(p.options(), testdb.Private())
	if !p.fromPostgres() {
		// A start reads its file from the beginning, so kills would take longer and
		// longer with one large file.
		opts = append(opts, testdb.MaxBinlogSize(16<<20))
	}
	c := &liveCampaign{
		t: t, pair: p, random: rand.New(rand.NewPCG(2, uint64(len(p.String())))), struck: map[string]int{}, state: t.TempDir() + "/state",
		source: testdb.Start(t, p.source, opts...),
	}
	c.database, c.db = testdb.NewDatabase(t, c.source)
	c.goal = newGoal(t, p.target, p.namespace(c.database), testdb.Private())
	if p.fromPostgres() { // which keeps its log from when a slot is made
		createLoad(t, c.source, c.database)
		must(t, c.args("--once", "--from", "latest")...)
	}
	return c
}

func testLiveKills(t *testing.T, p pair) {
	c := newLiveCampaign(t, p)
	wantKills, wantMoments := scaled(5, 100), scaled(10, 130)
	stop := c.write()
	c.begin()
	for c.counted < wantKills || c.moments < wantMoments {
		c.strike(p.stages()[c.random.IntN(len(p.stages()))])
	}
	for _, s := range p.stages() {
		for soak() && c.struck[s.name] < leastStruck {
			c.strike(s)
		}
	}
	stats := stop()
	c.finish()
	t.Logf("figure: %s: %d kills (%v), %d with the state directory deleted, %d with the target restarted, prefix at %d moments over %d transactions, Equal",
		p, c.counted, c.struck, c.rebuilt, c.bounced, c.moments, stats.Transactions)
}

// lead is how many transactions the source may be ahead before the writers
// pause: a target far behind would be compared for hours. A run is killed after
// some hundred of them, so that few are enough to be ahead at the next kill.
func lead() int64 { return int64(scaled(400, 2000)) }

// write puts load on the source, at full speed while it is not too far ahead,
// until the returned function is called.
func (c *liveCampaign) write() func() load.Stats {
	c.t.Helper()
	ctx, cancel := context.WithCancel(c.t.Context())
	work := func(seed uint64, transactions int) (load.Stats, error) {
		o := c.pair.load(seed, 3)
		o.Transactions = transactions
		return load.Run(ctx, c.db, o)
	}
	// The tables and the first rows are there when the engine begins.
	total, err := work(5, 30)
	if err != nil {
		cancel()
		c.t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() {
		for seed := uint64(6); ctx.Err() == nil; seed++ {
			if ahead, err := c.ahead(); err != nil || ahead > lead() {
				time.Sleep(300 * time.Millisecond) // the engine sets the pace, and counting has its price; the target may be down
				continue
			}
			stats, err := work(seed, scaled(200, 600))
			if err != nil && ctx.Err() == nil { // else it was stopped before it wrote
				done <- err
				return
			}
			total.Transactions += stats.Transactions
		}
		done <- nil
	}()
	stop := sync.OnceValue(func() load.Stats {
		cancel()
		if err := <-done; err != nil {
			c.t.Errorf("load: %v", err)
		}
		return total
	})
	c.t.Cleanup(func() { stop() })
	return stop
}

// args are those of an engine that follows.
func (c *liveCampaign) args(more ...string) []string {
	args := []string{
		"run", "--name", "live", "--source", c.pair.url(c.source.Port, c.database), "--target", c.goal.url,
		"--state", c.state, "--triggers", "fire",
	}
	if c.pair.fromPostgres() {
		args = append(args, "--tables", "public.*") // of one schema, as the target has one database
	} else {
		args = append(args, "--from", "earliest")
	}
	return append(args, more...)
}

// begin runs the engine until the target's ledger exists, and watches it.
func (c *liveCampaign) begin() {
	c.t.Helper()
	for made := false; !made; made = c.goal.has(c.t) {
		c.run("confirm:kill@2")
	}
	c.goal.count(c.t)
	c.ledger = c.goal.intOf(c.t, "SELECT COUNT(*) FROM "+c.goal.ns+"ledger")
	c.sequence = c.goal.committed(c.t)
}

// strike kills one run at a stage.
func (c *liveCampaign) strike(s stage) {
	c.t.Helper()
	if c.random.IntN(5) == 0 {
		if err := os.RemoveAll(c.state); err != nil {
			c.t.Fatal(err)
		}
		c.rebuilt++
	}
	if c.goal.server != nil && c.random.IntN(10) == 0 {
		c.goal.bounce(c.t)
		c.bounced++
	}
	c.run(fmt.Sprintf("%s:kill@%d/confirm", s.name, s.least+c.random.IntN(s.most-s.least+1)))
	c.prefix()
	now := c.goal.committed(c.t)
	ahead, err := c.ahead()
	if err != nil {
		c.t.Fatal(err)
	}
	if now > c.sequence && ahead > 0 {
		c.counted++
		c.struck[s.name]++
	}
	c.sequence = now
}

// ahead returns how many transactions the source is ahead of the target.
func (c *liveCampaign) ahead() (int64, error) {
	var there int64
	if err := c.db.QueryRow("SELECT COUNT(*) FROM ledger").Scan(&there); err != nil {
		return 0, err
	}
	here, err := c.goal.number("SELECT COUNT(*) FROM " + c.goal.ns + "ledger")
	return there - here, err
}

func (c *liveCampaign) prefix() {
	c.t.Helper()
	testdb.RequirePrefix(c.t, c.goal.judge)
	c.moments++
}

// mostAsked is how often Prefix is asked for while one run works. It is asked
// for after each run too, and each time all rows are read.
const mostAsked = 2

// run runs the engine until its failpoint kills it, and asks for Prefix at
// random moments while it works.
func (c *liveCampaign) run(failpoint string) {
	c.t.Helper()
	var output bytes.Buffer
	cmd := command(c.t, "failpoint", c.args()...)
	cmd.Env = append(os.Environ(), "ROWFERRY_FAILPOINT="+failpoint)
	cmd.Stdout, cmd.Stderr = &output, &output
	if err := cmd.Start(); err != nil {
		c.t.Fatal(err)
	}
	done := make(chan struct{})
	var asker sync.WaitGroup
	if c.goal.watch {
		asker.Go(func() { c.askWhile(done) })
	}
	_ = cmd.Wait() // the exit code is what counts
	close(done)
	asker.Wait()
	if code := cmd.ProcessState.ExitCode(); code != -1 || c.pair.complaints(output.String()) != nil {
		c.t.Fatalf("exit %d with failpoint %q:\n%s", code, failpoint, output.String())
	}
}

func (c *liveCampaign) askWhile(done <-chan struct{}) {
	for range mostAsked {
		select {
		case <-done:
			return
		case <-time.After(time.Duration(rand.IntN(1000)) * time.Millisecond):
		}
		if out, err := testdb.CheckPrefix(c.t, c.goal.judge); err != nil {
			c.t.Errorf("not a prefix while running: %v\n%s", err, out)
			return
		}
		c.moments++
	}
}

// finish lets an engine catch up, and compares.
func (c *liveCampaign) finish() {
	c.t.Helper()
	must(c.t, c.args("--once")...)
	testdb.RequireEqual(c.t, c.source.URL(c.database), c.goal.judge)
	rows := c.goal.intOf(c.t, "SELECT COUNT(*) FROM "+c.goal.ns+"ledger")
	inserts := c.goal.intOf(c.t, "SELECT n FROM "+c.goal.ns+"_test_inserts")
	if inserts != rows-c.ledger {
		c.t.Fatalf("the ledger's trigger counted %d inserts, the ledger grew by %d", inserts, rows-c.ledger)
	}
}
