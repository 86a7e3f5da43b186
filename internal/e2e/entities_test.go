package e2e

import (
	"bytes"
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/binary"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rowferry/rowferry"
	"github.com/rowferry/rowferry/internal/testdb"
)

// entPair is a pair, with how much of it in make test.
type entPair struct {
	pair
	references int // that lead somewhere at the end, at least
	kills      int
}

func entPairs() []entPair {
	pairs := []entPair{
		{pair{testdb.MariaDB1011, testdb.Postgres15, ""}, 100_000, 10},
		{pair{testdb.Postgres15, testdb.MySQL97, ""}, 4_000, 4},
		{pair{testdb.MySQL97, testdb.MariaDB1011, ""}, 4_000, 4},
		{pair{testdb.MariaDB1011, sqliteKind, "FULL"}, 4_000, 4},
	}
	if soak() {
		for i := range pairs {
			pairs[i].references, pairs[i].kills = 1_000_000, 200
		}
		pairs[0].references = 10_000_000
	}
	return pairs
}

// entCampaign is a pipeline that gives keys, under a load and Kills.
type entCampaign struct {
	t        *testing.T
	pair     entPair
	rnd      *rand.Rand
	source   *testdb.Server
	db       *sql.DB
	database string
	goal     *goal
	config   string
	writers  []*entWriter
	applied  atomic.Int64 // transactions in the target
	written  atomic.Int64
	failed   atomic.Pointer[error] // of a writer
	kills    [][]int               // of each kill, the transactions of each writer that were in the target
	waiting  []int64               // of each kill
	stages   map[string]int
	free     int64 // transactions that are written without waiting for the target
}

// TestEntities: a copy, and then the log, into a target with rows of its own under the
// same keys, with keys that are given anew, while children come before their parents,
// keys change and the engine is killed. In the end every reference leads to the same row on both sides,
// none of the target's own rows has changed, and no row waits.
func TestEntities(t *testing.T) {
	besideOthers(t)
	for _, p := range entPairs() {
		t.Run(p.String(), func(t *testing.T) {
			besideOthers(t)
			testEntities(t, p)
		})
	}
}

const entWriters = 4

// entDelays hold batches up at random, beside others.
const entDelays = "apply:delay@~0.2"

// entTransactions is how many transactions bring about so many references.
func entTransactions(references int) int { return references * 10 / 85 }

func testEntities(t *testing.T, p entPair) {
	total := entTransactions(p.references)
	c := newEntities(t, p, fmt.Sprintf("copy: {chunk_rows: %d}\n", max(20, total/60)), scaled(3_000, 100_000))
	own := c.own()
	c.free = int64(total / 4)
	c.applied.Store(c.free)
	done := c.write(total, total/(2*p.kills+2)) // not further ahead, so that each kill finds what is new
	c.copied(total / 8)
	for i := range p.kills {
		begun := int(c.free)
		c.kill(begun+(total-begun)*(i+1)/(p.kills+1), i%2 == 1)
	}
	c.finish(done)
	if now := c.own(); now != own {
		t.Errorf("the target's own rows were %s and are %s", own, now)
	}
	references := c.compare()
	if references < int64(p.references) {
		t.Errorf("%d references to compare, want %d", references, p.references)
	}
	c.report(references)
}

// entBuffers gives a server enough memory for millions of rows.
func entBuffers(kind testdb.Kind) []testdb.Option {
	switch {
	case !soak() || kind == sqliteKind:
		return nil
	case kind.Flavor() == testdb.Postgres:
		return []testdb.Option{testdb.Arg("shared_buffers=1GB")}
	default:
		return []testdb.Option{testdb.Arg("innodb-buffer-pool-size=1G")}
	}
}

// newEntities makes a source, and a target with rows of its own.
func newEntities(t *testing.T, p entPair, more string, own int) *entCampaign {
	t.Helper()
	opts := append(p.options(), entBuffers(p.source)...)
	if !p.fromPostgres() {
		opts = append(opts, testdb.MaxBinlogSize(16<<20)) // a start reads its file from the beginning
	}
	c := &entCampaign{t: t, pair: p, rnd: rand.New(rand.NewPCG(6, uint64(len(p.String())))), source: testdb.Start(t, p.source, opts...), stages: map[string]int{}}
	c.database, c.db = testdb.NewDatabase(t, c.source)
	c.goal = newGoal(t, p.target, p.namespace(c.database), entBuffers(p.target)...)
	if c.goal.path != "" {
		execNewSQLite(t, c.goal.path, "")
	}
	var setup []string
	if c.goal.ns != "" && !p.fromPostgres() {
		setup = append(setup, "CREATE SCHEMA "+c.goal.schemaName())
	}
	c.goal.exec(t, append(append(setup, entSchema(c.goal.kind.Flavor(), c.goal.ns, true)...), entForeign(c.goal.ns, own)...)...)
	execAll(t, c.db, entSchema(p.source.Flavor(), "", false)...)
	c.config = filepath.Join(t.TempDir(), "entities.yaml")
	namespace := p.namespace(c.database)
	text := fmt.Sprintf("name: entities\nsource: {url: '%s'}\ntarget: {url: '%s'}\ntables: ['%s.*']\nstate: %s\n%s%s", p.url(c.source.Port, c.database), c.goal.url, namespace,
		filepath.Join(t.TempDir(), "state"), more, entRules(namespace))
	if p.fromPostgres() {
		for _, table := range entTables {
			execAll(t, c.db, "ALTER TABLE "+table.name+" REPLICA IDENTITY FULL")
		}
		text = strings.Replace(text, "source: {", fmt.Sprintf("source: {slot: %[1]s, publication: %[1]s, ", c.database), 1)
	}
	if err := os.WriteFile(c.config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return c
}

func (c *entCampaign) args(more ...string) []string {
	return append([]string{"-c", c.config, "run"}, more...)
}

// write has writers write so many transactions in all, not too far ahead of the
// target.
func (c *entCampaign) write(transactions, ahead int) (done chan error) {
	c.t.Helper()
	execAll(c.t, c.db, "INSERT INTO country VALUES ('k1', 'country 1', 0, 'one'), ('k2', 'country 2', 0, 'two'), ('k3', 'country 3', 0, 'three')")
	ctx, cancel := context.WithCancel(c.t.Context())
	each := transactions / entWriters
	var all sync.WaitGroup
	errs := make(chan error, entWriters)
	for id := range entWriters {
		w, err := newEntWriter(ctx, c.db, id+1, c.pair.source.Flavor(), 3*each/(c.pair.kills+1))
		if err != nil {
			c.t.Fatal(err)
		}
		for i := range 3 {
			w.rows["country"] = append(w.rows["country"], &entRow{table: entNamed("country"), own: int64(i + 1), there: true})
		}
		c.writers = append(c.writers, w)
		all.Go(func() {
			for range each {
				for c.written.Load()-c.applied.Load() > int64(ahead) && ctx.Err() == nil {
					time.Sleep(5 * time.Millisecond) // the target sets the pace
				}
				c.written.Add(1)
				if err := w.transact(ctx); err != nil {
					c.failed.Store(&err)
					errs <- err
					return
				}
			}
			err := w.settle(ctx)
			if err != nil {
				c.failed.Store(&err)
			}
			errs <- err
		})
	}
	c.t.Cleanup(func() {
		cancel()
		all.Wait()
		for _, w := range c.writers {
			_ = w.conn.Close() // what it began keeps the database from being dropped
		}
	})
	return errs
}

// kill lets an engine go on until the target has so many transactions, and then
// kills it; where staged, at some stage of a batch before.
func (c *entCampaign) kill(at int, staged bool) {
	c.t.Helper()
	var output bytes.Buffer
	cmd := command(c.t, "failpoint", c.args()...)
	how, faults := "at once", entDelays
	if staged {
		s := c.pair.stages()[c.rnd.IntN(len(c.pair.stages()))]
		how = s.name
		faults = fmt.Sprintf("%s:kill@%d/confirm,%s", s.name, s.least+c.rnd.IntN(s.most-s.least+1), entDelays)
	}
	cmd.Env = append(os.Environ(), "ROWFERRY_FAILPOINT="+faults, fmt.Sprintf("ROWFERRY_FAILPOINT_SEED=%d", at))
	cmd.Stdout, cmd.Stderr = &output, &output
	if err := cmd.Start(); err != nil {
		c.t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() { _ = cmd.Wait(); close(ended) }() // the exit code is what counts
	for stuck := c.stuck(); ; {
		select {
		case <-ended:
		case <-time.After(20 * time.Millisecond):
			if c.arrived() < int64(at) {
				if stuck() {
					_ = cmd.Process.Kill() // it may have ended
					c.t.Fatalf("%d of %d transactions arrived, of %d; %d rows wait:\n%s", c.arrived(), at, c.written.Load(), c.held().Notes.Waiting, output.String())
				}
				continue
			}
			how = "at once"
			_ = cmd.Process.Kill() // it may have ended
		}
		break
	}
	<-ended
	if code := cmd.ProcessState.ExitCode(); code != -1 || c.pair.complaints(output.String()) != nil {
		c.t.Fatalf("exit %d, killed %s:\n%s", code, how, output.String())
	}
	c.stages[how]++
	c.arrived()
	var counts []int
	for id := range entWriters {
		counts = append(counts, int(c.of(id+1)))
	}
	c.kills = append(c.kills, counts)
	c.waiting = append(c.waiting, c.held().Notes.Waiting)
}

// arrived returns how many transactions are in the target. It ends the test where a
// writer failed, whose transactions would be waited for.
func (c *entCampaign) arrived() int64 {
	c.t.Helper()
	if err := c.failed.Load(); err != nil {
		c.t.Fatal(*err)
	}
	n := int64(0)
	for id := range entWriters {
		n += c.of(id + 1)
	}
	c.applied.Store(max(n, c.free))
	return n
}

// of returns how many transactions of a writer are in the target, once the copy is
// complete: each has its number in the ledger.
func (c *entCampaign) of(writer int) int64 {
	c.t.Helper()
	return c.goal.intOf(c.t, fmt.Sprintf("SELECT COALESCE(MAX(n), 0) FROM %sledger WHERE code = '%d'", c.goal.ns, writer))
}

// held is what the target's checkpoint says of the state directory.
func (c *entCampaign) held() rowferry.Held {
	c.t.Helper()
	return c.goal.held(c.t)
}

// finish waits for the writers, and has an engine catch up.
func (c *entCampaign) finish(done chan error) {
	c.t.Helper()
	c.applied.Store(1 << 60)
	for range entWriters {
		if err := <-done; err != nil {
			c.t.Fatal(err)
		}
	}
	must(c.t, c.args("--once")...)
	if n := c.held().Notes.Waiting; n != 0 {
		c.t.Errorf("%d rows still wait", n)
	}
}

// sum is a digest of rows in any order.
type sum struct {
	rows int64
	a, b uint64
}

func (s *sum) add(row string) {
	h := sha256.Sum256([]byte(row))
	s.rows++
	s.a += binary.BigEndian.Uint64(h[:])
	s.b += binary.BigEndian.Uint64(h[8:])
}

// own is a digest of the target's own rows.
func (c *entCampaign) own() string {
	c.t.Helper()
	var s sum
	for _, t := range entTables {
		for _, row := range c.goal.rows(c.t, fmt.Sprintf("SELECT * FROM %s%s WHERE uid LIKE 'own %%'", c.goal.ns, t.name)) {
			s.add(t.name + "\x00" + strings.Join(row, "\x00"))
		}
	}
	return fmt.Sprint(s)
}

// compare compares all rows with what they refer to, and returns how many
// references there are.
func (c *entCampaign) compare() (references int64) {
	c.t.Helper()
	for _, t := range entTables {
		var want, got sum
		here, there := queryRows(c.t, c.db, t.natural("")), c.goal.rows(c.t, t.natural(c.goal.ns))
		for _, row := range here {
			want.add(strings.Join(row, "\x00"))
		}
		for _, row := range there {
			got.add(strings.Join(row, "\x00"))
		}
		if want != got {
			c.t.Errorf("%s: %d rows here, %d there; only here\n%s\nonly there\n%s", t.name, want.rows, got.rows, lacking(here, there), lacking(there, here))
		}
		for i := range t.refs {
			references += c.goal.intOf(c.t, fmt.Sprintf("SELECT COUNT(%s) FROM %s%s WHERE uid NOT LIKE 'own %%'", t.refs[i].cols[0], c.goal.ns, t.name))
		}
	}
	return references
}

// lacking describes some of the rows of a that b does not have.
func lacking(a, b [][]string) string {
	has := map[string]int{}
	for _, r := range b {
		has[strings.Join(r, "\x00")]++
	}
	var lacks [][]string
	for _, r := range a {
		if has[strings.Join(r, "\x00")]--; has[strings.Join(r, "\x00")] < 0 && len(lacks) < 10 {
			lacks = append(lacks, r)
		}
	}
	return described(lacks)
}

// report says what the load was, and whether it was as hard as it has to be.
func (c *entCampaign) report(references int64) {
	c.t.Helper()
	inserts, rows, changed := 0, 0, map[string]int{}
	early, across := map[*entRow]bool{}, map[*entRow]bool{}
	for i, w := range c.writers {
		inserts += w.inserts
		rows += w.all
		for name, n := range w.changed {
			changed[name] += n
		}
		for _, s := range w.spans {
			early[s.child] = true
			if slices.ContainsFunc(c.kills, func(at []int) bool { return s.from <= at[i] && at[i] < s.to }) {
				across[s.child] = true
			}
		}
	}
	var lines []string
	for _, name := range slices.Sorted(maps.Keys(changed)) {
		lines = append(lines, fmt.Sprintf("%d %s", changed[name], name))
	}
	if 10*len(early) < inserts || 20*len(across) < inserts {
		c.t.Errorf("of %d rows %d came before a parent, and %d of them waited over a kill: want 10 and 5 in a hundred", inserts, len(early), len(across))
	}
	if 2*changed["keys changed"] < rows {
		c.t.Errorf("of %d rows %d changed their keys: want 50 in a hundred", rows, changed["keys changed"])
	}
	c.t.Logf("figure: %s: %d references; of %d rows, %d of %d children came before a parent, %d waited over one of %d kills (%v; at most %d at once); %s", c.pair, references,
		rows, len(early), inserts, len(across), len(c.kills), c.stages, slices.Max(c.waiting), strings.Join(lines, ", "))
}
