package e2e

import (
	"bytes"
	"context"
	"database/sql"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"sync"
	"testing"

	"github.com/rowferry/rowferry/internal/testdb"
	"github.com/rowferry/rowferry/internal/testdb/load"
)

// copyPairs are each target from one source in make test, and each source to each
// target in make soak.
func copyPairs() []pair {
	pairs := []pair{
		{testdb.MariaDB1011, testdb.Postgres15, ""}, {testdb.MySQL97, sqliteKind, ""}, {testdb.Postgres15, testdb.MySQL97, ""},
	}
	if !soak() {
		return pairs
	}
	for _, source := range []testdb.Kind{testdb.MariaDB1011, testdb.MySQL97, testdb.Postgres15} {
		for _, target := range []testdb.Kind{testdb.Postgres15, testdb.MySQL97, testdb.MariaDB1011, sqliteKind} {
			if p := (pair{source, target, ""}); p != pairs[0] && p != pairs[1] && p != pairs[2] {
				pairs = append(pairs, p)
			}
		}
	}
	return pairs
}

// keyless are the load's tables without a key, which are not copied.
const keyless = "journal,metric"

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
}

// copyStages are where a copy can be struck, and how many times it is passed.
var copyStages = []stage{
	{"copy.chunk", 1, 30}, {"copy.committed", 1, 30}, {"recorded", 1, 3}, {"apply", 1, 6}, {"decode", 1, 200}, {"confirm", 1, 4},
}

// TestCopy copies a server under Load, with Kills, and follows it: Equal.
func TestCopy(t *testing.T) {
	for _, p := range copyPairs() {
		t.Run(p.String(), func(t *testing.T) {
			c := newCopyCampaign(t, p)
			stop := c.write()
			kills := 0
			for range scaled(8, 50) {
				if c.strike(copyStages[c.random.IntN(len(copyStages))]) {
					kills++
				}
			}
			stats := stop()
			must(t, c.args("--once")...)
			testdb.RequireEqual(t, c.source.URL(c.database), c.goal.judge, "-exclude", keyless)
			c.compareIndexes()
			if left := c.goal.intOf(t, "SELECT COUNT(*) FROM "+c.goal.chunks()); left != 0 {
				t.Errorf("%d chunks are still noted", left)
			}
			t.Logf("figure: %s: copied with %d kills under %d transactions, Equal", p, kills, stats.Transactions)
		})
	}
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

func newCopyCampaign(t *testing.T, p pair) *copyCampaign {
	t.Helper()
	c := &copyCampaign{
		t: t, pair: p, random: rand.New(rand.NewPCG(7, uint64(len(p.String())))), state: t.TempDir() + "/state",
		source: testdb.Start(t, p.source, append(p.options(), testdb.Private())...),
	}
	c.database, c.db = testdb.NewDatabase(t, c.source)
	c.goal = newGoal(t, p.target, p.namespace(c.database), testdb.Private())
	o := p.load(11, 8)
	o.Transactions = scaled(3000, 60_000)
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
		o := c.pair.load(12, scaled(4, 16))
		if !soak() {
			o.Rate = 200
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

func (c *copyCampaign) args(more ...string) []string {
	args := []string{
		"run", "--name", "copy", "--source", c.pair.url(c.source.Port, c.database), "--target", c.goal.url, "--state", c.state,
		"--copy-workers", "3", "--chunk-rows", fmt.Sprint(scaled(40, 2000)),
	}
	scope := c.database
	if c.pair.fromPostgres() {
		scope = "public"
	}
	args = append(args, "--tables", scope+".*", "--tables", "!"+scope+".journal", "--tables", "!"+scope+".metric")
	return append(args, more...)
}

// strike kills one run at a stage, and reports whether it came there before it had
// caught up.
func (c *copyCampaign) strike(s stage) bool {
	c.t.Helper()
	var output bytes.Buffer
	cmd := exec.CommandContext(c.t.Context(), program(c.t, "failpoint"), c.args("--once")...)
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
