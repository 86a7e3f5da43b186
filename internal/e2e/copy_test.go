package e2e

import (
	"bytes"
	"context"
	"database/sql"
	"fmt"
	"math/rand/v2"
	"os"
	"strings"
	"sync"
	"testing"

	"github.com/rowferry/rowferry/internal/testdb"
	"github.com/rowferry/rowferry/internal/testdb/load"
)

// copyPairs are each target from one source in make test, and each source to each
// target in make soak.
func copyPairs() []pair {
	pairs := []pair{
		{testdb.MariaDB1011, testdb.Postgres15, ""}, {testdb.MySQL97, sqliteKind, partial}, {testdb.Postgres15, testdb.MySQL97, ""},
	}
	if !soak() {
		return pairs
	}
	for _, source := range []testdb.Kind{testdb.MariaDB1011, testdb.MySQL97, testdb.Postgres15} {
		for _, target := range []testdb.Kind{testdb.Postgres15, testdb.MySQL97, testdb.MariaDB1011, sqliteKind} {
			if p := (pair{source, target, ""}); p != pairs[0] && p != pairs[2] {
				pairs = append(pairs, p)
			}
		}
	}
	return append(pairs, pair{testdb.MariaDB1011, testdb.MySQL97, partial}, pair{testdb.Postgres15, testdb.Postgres15, streamed})
}

// keyless are the load's tables without a key, which are copied from PostgreSQL alone.
const keyless = "journal,metric"

func (p pair) copiesKeyless() bool { return p.fromPostgres() }

// copyCampaign is one copy under Load that is killed again and again.
type copyCampaign struct {
	t        *testing.T
	pair     pair
	source   *testdb.Server
	database string
	db       *sql.DB
	goal     *goal
	state    string
	random   *rand.Rand
	writers  int      // that write meanwhile
	env      []string // names the source, with an account of its own
	more     []string // more flags
	again    int      // the most chunks that a kill cost
}

// loadStages and mergeStages are where a copy can be struck while it loads, and
// while it merges, and how many times each is passed.
var (
	loadStages  = []stage{{"copy.chunk", 1, 4}, {"copy.committed", 1, 4}}
	mergeStages = []stage{{"copy.key", 1, 1}, {"recorded", 1, 3}, {"apply", 1, 3}, {"decode", 1, 200}, {"confirm", 1, 3}}
)

// copyWorkers is how many chunks can be in hand.
const copyWorkers = 3

// TestCopy copies a server under Load, with Kills, and follows it: Equal. No kill
// costs more than the chunks in hand, one a worker.
func TestCopy(t *testing.T) {
	besideOthers(t)
	for _, p := range copyPairs() {
		t.Run(p.String(), func(t *testing.T) {
			besideOthers(t)
			c := newCopyCampaign(t, p)
			stop := c.write()
			kills := [2]int{}
			for i, stages := range [][]stage{loadStages, mergeStages} {
				for range []int{scaled(5, 35), scaled(3, 20)}[i] {
					if c.strike(stages[c.random.IntN(len(stages))]) {
						kills[i]++
					}
					c.requireInHand()
				}
			}
			if kills[0] < scaled(4, 30) || kills[0]+kills[1] < scaled(5, 50) {
				t.Errorf("only %d kills while it was loaded, and %d later", kills[0], kills[1])
			}
			stats := stop()
			must(t, c.args("--once")...)
			c.requireEqual()
			c.compareIndexes()
			if left := c.goal.intOf(t, "SELECT COUNT(*) FROM "+c.goal.chunks()); left != 0 {
				t.Errorf("%d chunks are still noted", left)
			}
			t.Logf("figure: %s: killed %d times while it was loaded and %d later, under %d transactions, at most %d chunks again, Equal",
				p, kills[0], kills[1], stats.Transactions, c.again)
		})
	}
}

// requireInHand wants no more chunks to be loaded again than workers had in hand.
func (c *copyCampaign) requireInHand() {
	c.t.Helper()
	n, err := c.goal.number("SELECT COUNT(*) FROM " + c.goal.chunks() + " WHERE done = 0")
	if err != nil {
		return // nothing was claimed yet
	}
	if n > copyWorkers {
		c.t.Errorf("%d chunks are to be loaded again", n)
	}
	c.again = max(c.again, int(n))
}

// TestCopyStops changes what a copy cannot go on with, while it loads: it stops by
// name, with or without an engine that sees it happen.
func TestCopyStops(t *testing.T) {
	besideOthers(t)
	for name, c := range map[string]struct {
		pair    pair
		code    string
		changes []string
	}{
		"a changed table":     {pair{testdb.MariaDB1011, sqliteKind, ""}, "RF-3003", []string{"ALTER TABLE orders ADD added_later INT"}},
		"a changed table, PG": {pair{testdb.Postgres15, sqliteKind, ""}, "RF-3003", []string{"ALTER TABLE orders ADD added_later INT"}},
		"an XA transaction": {pair{testdb.MariaDB1011, sqliteKind, ""}, "RF-2009", []string{
			"XA START 'x'", "DELETE FROM queue", "XA END 'x'", "XA PREPARE 'x'", "XA COMMIT 'x'",
		}},
	} {
		t.Run(name, func(t *testing.T) {
			besideOthers(t)
			campaign := newCopyCampaignOf(t, c.pair, scaled(300, fullCopy)) // whose fifth chunk is soon reached
			if !campaign.strike(stage{"copy.chunk", 5, 5}) {
				t.Fatal("the copy was not struck while it was loaded")
			}
			conn, err := campaign.db.Conn(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			for _, q := range c.changes {
				if _, err := conn.ExecContext(t.Context(), q); err != nil {
					t.Fatalf("%s: %v", q, err)
				}
			}
			for range 2 { // it does not go on the second time either
				if o := run(t, campaign.args("--once")...); o.code == 0 || !strings.Contains(o.stderr, c.code) {
					t.Fatalf("exit %d, want %s\n%s", o.code, c.code, o.stderr)
				}
			}
		})
	}
}

func (c *copyCampaign) requireEqual() {
	c.t.Helper()
	var but []string
	if !c.pair.copiesKeyless() {
		but = []string{"-exclude", keyless}
	}
	testdb.RequireEqual(c.t, c.source.URL(c.database), c.goal.judge, but...)
}

// compareIndexes wants the target to have the source's indexes that refuse no row,
// by name and columns, where one pair of catalogs says it in the same words.
func (c *copyCampaign) compareIndexes() {
	c.t.Helper()
	if c.pair.source != testdb.Postgres15 || c.pair.target != testdb.MySQL97 {
		return
	}
	want := map[string]string{}
	rows, err := c.db.QueryContext(c.t.Context(), `SELECT i.indrelid::regclass::text || '.' || x.relname, string_agg(a.attname, ',' ORDER BY p.n)
		FROM pg_index i JOIN pg_class x ON x.oid = i.indexrelid JOIN pg_class r ON r.oid = i.indrelid CROSS JOIN generate_series(0, i.indnatts - 1) p(n)
		JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = i.indkey[p.n]
		WHERE r.relnamespace = 'public'::regnamespace AND r.relname NOT IN ('journal', 'metric') AND NOT i.indisunique GROUP BY 1`)
	if err != nil {
		c.t.Fatal(err)
	}
	defer rows.Close()
	for rows.Next() {
		var name, columns string
		if err := rows.Scan(&name, &columns); err != nil {
			c.t.Fatal(err)
		}
		want[name] = columns
	}
	if err := rows.Err(); err != nil || len(want) < 3 {
		c.t.Fatalf("the source has the indexes %v, %v", want, err)
	}
	for _, row := range c.goal.rows(c.t, `SELECT CONCAT(TABLE_NAME, '.', INDEX_NAME), GROUP_CONCAT(COLUMN_NAME ORDER BY SEQ_IN_INDEX) FROM information_schema.STATISTICS
		WHERE TABLE_SCHEMA = `+c.goal.schema()+` AND NON_UNIQUE = 1 GROUP BY TABLE_NAME, INDEX_NAME`) {
		if want[row[0]] == row[1] {
			delete(want, row[0])
		}
	}
	if len(want) > 0 {
		c.t.Errorf("the target lacks the indexes %v", want)
	}
}

// fullCopy is how many transactions a copy has to copy in soak.
const fullCopy = 60_000

func newCopyCampaign(t *testing.T, p pair) *copyCampaign {
	t.Helper()
	return newCopyCampaignOf(t, p, scaled(1500, fullCopy))
}

// newCopyCampaignOf starts the servers of a pair, the source with so many
// transactions of the load.
func newCopyCampaignOf(t *testing.T, p pair, transactions int) *copyCampaign {
	t.Helper()
	c := &copyCampaign{
		t: t, pair: p, writers: scaled(4, 16), random: rand.New(rand.NewPCG(7, uint64(len(p.String())))), state: t.TempDir() + "/state",
		source: testdb.Start(t, p.source, append(p.options(), testdb.Private())...),
	}
	c.database, c.db = testdb.NewDatabase(t, c.source)
	c.goal = newGoal(t, p.target, p.namespace(c.database), testdb.Private())
	o := p.load(11, 8)
	o.Transactions = transactions
	if _, err := load.Run(t.Context(), c.db, o); err != nil {
		t.Fatal(err)
	}
	return c
}

// write puts load on the source until the returned function is called.
func (c *copyCampaign) write() func() load.Stats {
	ctx, cancel := context.WithCancel(c.t.Context())
	type result struct {
		stats load.Stats
		err   error
	}
	done := make(chan result, 1)
	go func() {
		o := c.pair.load(12, c.writers)
		if !soak() {
			o.Rate = 100
		}
		stats, err := load.Run(ctx, c.db, o)
		done <- result{stats, err}
	}()
	stop := sync.OnceValue(func() load.Stats {
		cancel()
		r := <-done
		if r.err != nil {
			c.t.Errorf("load: %v", r.err)
		}
		return r.stats
	})
	c.t.Cleanup(func() { stop() })
	return stop
}

// scope is the source's database, or schema, that is copied.
func (c *copyCampaign) scope() string {
	if c.pair.fromPostgres() {
		return "public"
	}
	return c.database
}

func (c *copyCampaign) args(more ...string) []string {
	scope := c.scope()
	args := []string{
		"run", "--name", "copy", "--target", c.goal.url, "--state", c.state,
		"--copy-workers", fmt.Sprint(copyWorkers), "--chunk-rows", fmt.Sprint(scaled(40, 1000)),
	}
	args = append(args, "--tables", scope+".*")
	if c.env == nil {
		args = append(args, "--source", c.pair.url(c.source.Port, c.database))
	}
	if !c.pair.copiesKeyless() {
		args = append(args, "--tables", "!"+scope+".journal", "--tables", "!"+scope+".metric")
	}
	return append(append(args, c.more...), more...)
}

// strike kills one run at a stage, and reports whether it came there before it had
// caught up.
func (c *copyCampaign) strike(s stage) bool {
	c.t.Helper()
	var output bytes.Buffer
	cmd := command(c.t, "failpoint", c.args("--once")...)
	cmd.Env = append(os.Environ(), fmt.Sprintf("ROWFERRY_FAILPOINT=%s:kill@%d", s.name, s.least+c.random.IntN(s.most-s.least+1)))
	cmd.Stdout, cmd.Stderr = &output, &output
	_ = cmd.Run() // the exit code is what counts
	code := cmd.ProcessState.ExitCode()
	if code > 0 || c.pair.complaints(output.String()) != nil {
		c.t.Fatalf("exit %d with %s:\n%s", code, s.name, output.String())
	}
	return code == -1
}

// chunks is the name of the target's table of what is copied.
func (g *goal) chunks() string {
	if g.kind.Flavor() == testdb.Postgres {
		return "rowferry.rowferry_chunk"
	}
	return "rowferry_chunk"
}
