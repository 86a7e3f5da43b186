package e2e

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rowferry/rowferry/internal/testdb"
)

// TestCopyUnderLoad copies each source to each target while 16 writers write as
// fast as they can, by an account with no more than the documented privileges:
// Equal. In soak it takes a minute and 100 chunks at least, and 20 % of the rows
// change meanwhile.
func TestCopyUnderLoad(t *testing.T) {
	besideOthers(t)
	pairs := copyPairs()
	if !soak() {
		pairs = []pair{{testdb.MariaDB1011, sqliteKind, ""}}
	}
	for _, p := range pairs {
		t.Run(p.String(), func(t *testing.T) {
			besideOthers(t)
			testCopyUnderLoad(t, p, nil)
		})
	}
}

// TestCopyHeldCommits is TestCopyUnderLoad with commits that stand between the
// log and their visibility for a third of a second, again and again.
func TestCopyHeldCommits(t *testing.T) {
	besideOthers(t)
	sources := []testdb.Kind{testdb.MySQL97, testdb.MariaDB1011, testdb.Postgres15}
	if !soak() {
		sources = sources[:1] // the tests of each source hold commits one by one
	}
	for _, k := range sources {
		t.Run(string(k), func(t *testing.T) {
			besideOthers(t)
			testCopyUnderLoad(t, pair{k, sqliteKind, ""}, holdCommits)
		})
	}
}

func testCopyUnderLoad(t *testing.T, p pair, hold func(context.Context, *copyCampaign) error) {
	c := newCopyCampaign(t, p)
	c.writers = scaled(8, 16)
	if hold != nil {
		c.writers = scaled(16, 64)
	}
	c.reader()
	before := c.shadow()
	var holds func()
	if hold != nil {
		holds = c.beside(hold)
	}
	stop := c.write()
	// The limit is what makes the copy of so few rows take so long.
	e := startEngine(t, "", c.args("--max-rows-per-second", fmt.Sprint(max(1000, before/scaled(5, 70)))), c.env...)
	took, chunks := c.watch(e)
	changed := c.changed()
	e.end(t)
	stats := stop()
	if hold != nil {
		holds()
	}
	call{tag: shipped(), env: c.env, args: c.args("--once")}.must(t)
	c.requireEqual()
	c.requireNoLocks()
	if soak() && (took < time.Minute || chunks < 100 || changed*5 < before) {
		t.Errorf("the copy took %s and %d chunks, and %d of %d rows changed", took, chunks, changed, before)
	}
	t.Logf("figure: %s: %d chunks in %s, %d of %d rows changed meanwhile by %d writers in %d transactions, peak resident size %d MiB, Equal",
		p, chunks, took.Round(time.Second), changed, before, c.writers, stats.Transactions, peakRSS(e.cmd.ProcessState)>>20)
}

// watch waits until the copy is complete, and returns how long it took from its
// first chunk on, and how many there were.
func (c *copyCampaign) watch(e *engine) (took time.Duration, chunks int64) {
	c.t.Helper()
	var first time.Time
	for {
		select {
		case <-e.ended:
			c.t.Fatalf("the engine ended by itself with %d", e.cmd.ProcessState.ExitCode())
		default:
		}
		n, err := c.goal.number("SELECT COUNT(*) FROM " + c.goal.chunks())
		switch {
		case err != nil: // the table is not there yet, or SQLite is busy
		case n == 0 && chunks > 0:
			return time.Since(first), chunks
		case n > 0 && chunks == 0:
			first = time.Now()
			fallthrough
		default:
			chunks = max(chunks, n)
		}
		time.Sleep(50 * time.Millisecond) // what is waited for has no other sign; a miss is no failure
	}
}

// tables are those of the source that are copied.
func (c *copyCampaign) tables() (all []string) {
	c.t.Helper()
	query := "SELECT table_name FROM information_schema.tables WHERE table_type = 'BASE TABLE' AND table_schema = '" + c.scope() + "' ORDER BY 1"
	for _, name := range testdb.Texts(c.t, c.db, query) {
		if c.pair.copiesKeyless() || !slices.Contains(strings.Split(keyless, ","), name) {
			all = append(all, name)
		}
	}
	return all
}

// digest selects a digest of each row of a table.
func (c *copyCampaign) digest(table string) string {
	if c.pair.fromPostgres() {
		return fmt.Sprintf("SELECT md5(t::text) h FROM public.%s t", table)
	}
	columns := testdb.Texts(c.t, c.db, "SELECT column_name FROM information_schema.columns WHERE table_schema = '"+c.database+"' AND table_name = '"+table+"' ORDER BY ordinal_position")
	for i, name := range columns {
		columns[i] = "COALESCE(HEX(CAST(`" + name + "` AS BINARY)), '-')"
	}
	return fmt.Sprintf("SELECT SHA2(CONCAT_WS(',', %s), 256) h FROM `%s`.`%s`", strings.Join(columns, ", "), c.database, table)
}

// shadow remembers what the rows are, out of scope, and returns how many.
func (c *copyCampaign) shadow() (rows int) {
	c.t.Helper()
	execAll(c.t, c.db, "CREATE SCHEMA before_"+c.database)
	for _, table := range c.tables() {
		shadow := "before_" + c.database + "." + table
		execAll(c.t, c.db, "CREATE TABLE "+shadow+" AS "+c.digest(table))
		rows += c.count("SELECT COUNT(*) FROM " + shadow)
	}
	return rows
}

// changed returns how many rows of the shadow are no more what they were, and
// drops it.
func (c *copyCampaign) changed() (rows int) {
	c.t.Helper()
	for _, table := range c.tables() {
		rows += c.count("SELECT COUNT(*) FROM (SELECT h FROM before_" + c.database + "." + table + " EXCEPT " + c.digest(table) + ") gone")
		execAll(c.t, c.db, "DROP TABLE before_"+c.database+"."+table)
	}
	execAll(c.t, c.db, "DROP SCHEMA before_"+c.database)
	return rows
}

func (c *copyCampaign) count(query string) (n int) {
	c.t.Helper()
	if err := c.db.QueryRowContext(c.t.Context(), query).Scan(&n); err != nil {
		c.t.Fatalf("%s: %v", query, err)
	}
	return n
}

// reader makes an account with what docs/privileges.md says that a copy needs,
// and reads by it from now on.
func (c *copyCampaign) reader() {
	c.t.Helper()
	statements := []string{"CREATE USER rowferry"}
	if c.pair.fromPostgres() {
		statements[0] += " PASSWORD 'water'"
		var tables []string
		for _, t := range c.tables() {
			tables = append(tables, "public."+t)
		}
		list := strings.Join(tables, ", ")
		statements = append(statements, "ALTER ROLE rowferry REPLICATION", "GRANT CONNECT ON DATABASE "+c.database+" TO rowferry",
			"CREATE PUBLICATION rowferry_copy FOR TABLE "+list+" WITH (publish_via_partition_root = true)",
			"GRANT USAGE ON SCHEMA public TO rowferry", "GRANT SELECT ON "+list+" TO rowferry")
		execAll(c.t, c.db, statements...)
		c.reads("rowferry:water")
		return
	}
	for _, b := range grantBlocks(c.t) {
		if b.role == "source" && b.flavor == c.pair.source.Flavor() {
			for _, s := range b.statements {
				statements = append(statements, strings.ReplaceAll(s, "`shop`", "`"+c.database+"`"))
			}
		}
	}
	execAll(c.t, c.db, append(statements, "SET GLOBAL log_output = 'TABLE'", "SET GLOBAL general_log = ON")...)
	c.reads("rowferry")
}

// reads has the source read by an account, with its password if it has one.
func (c *copyCampaign) reads(account string) {
	named := strings.NewReplacer("//root@", "//"+account+"@", "//postgres@", "//"+account+"@")
	c.env = []string{"ROWFERRY_SOURCE=" + named.Replace(c.pair.url(c.source.Port, c.database))}
}

// requireNoLocks wants that nothing locked or flushed in what the account said, by
// the general log, which PostgreSQL does not have.
func (c *copyCampaign) requireNoLocks() {
	c.t.Helper()
	if c.pair.fromPostgres() {
		return
	}
	const said = "FROM mysql.general_log WHERE user_host LIKE '%rowferry%' AND command_type IN ('Query', 'Prepare', 'Execute')"
	if c.count("SELECT COUNT(*) "+said+" AND argument LIKE '%SELECT%'") == 0 {
		c.t.Error("the general log has nothing of the account")
	}
	for _, q := range testdb.Texts(c.t, c.db, "SELECT LEFT(CONVERT(argument USING utf8mb4), 200) "+said+" AND UPPER(CONVERT(argument USING utf8mb4)) REGEXP '^ *(UN)?LOCK |^ *FLUSH |FOR UPDATE|LOCK IN SHARE' LIMIT 10") {
		c.t.Errorf("the source was told: %s", q)
	}
}

// beside runs something until the returned function is called.
func (c *copyCampaign) beside(do func(context.Context, *copyCampaign) error) (stop func()) {
	ctx, cancel := context.WithCancel(c.t.Context())
	done := make(chan error, 1)
	go func() { done <- do(ctx, c) }()
	return func() {
		c.t.Helper()
		cancel()
		if err := <-done; err != nil {
			c.t.Error(err)
		}
	}
}

// How long commits are held, and let go, by turns.
const (
	heldFor    = 300 * time.Millisecond
	releaseFor = 150 * time.Millisecond
)

// holdCommits has commits wait in the log, by turns, for a replica that there is
// not, before anybody sees them.
func holdCommits(ctx context.Context, c *copyCampaign) error {
	var setup, hold, release []string
	switch c.pair.source.Flavor() {
	case testdb.Postgres:
		hold = []string{"ALTER SYSTEM SET synchronous_standby_names = 'nobody'", "SELECT pg_reload_conf()"}
		release = []string{"ALTER SYSTEM RESET synchronous_standby_names", "SELECT pg_reload_conf()"}
	case testdb.MySQL:
		setup = []string{
			"INSTALL PLUGIN rpl_semi_sync_source SONAME 'semisync_source.so'", "SET GLOBAL rpl_semi_sync_source_timeout = 3600000",
			"SET GLOBAL rpl_semi_sync_source_wait_point = 'AFTER_SYNC'", "SET GLOBAL rpl_semi_sync_source_wait_no_replica = ON",
		}
		hold, release = []string{"SET GLOBAL rpl_semi_sync_source_enabled = ON"}, []string{"SET GLOBAL rpl_semi_sync_source_enabled = OFF"}
	case testdb.MariaDB:
		setup = []string{
			"SET GLOBAL rpl_semi_sync_master_timeout = 3600000", "SET GLOBAL rpl_semi_sync_master_wait_point = 'AFTER_SYNC'",
			"SET GLOBAL rpl_semi_sync_master_wait_no_slave = ON",
		}
		hold, release = []string{"SET GLOBAL rpl_semi_sync_master_enabled = ON"}, []string{"SET GLOBAL rpl_semi_sync_master_enabled = OFF"}
	default:
		return fmt.Errorf("commits of %s cannot be held", c.pair.source)
	}
	conn, err := c.source.DB().Conn(ctx)
	if err != nil {
		return err
	}
	defer conn.Close()
	all := func(statements []string) error {
		for _, q := range statements {
			if _, err := conn.ExecContext(context.WithoutCancel(ctx), q); err != nil {
				return fmt.Errorf("%s: %w", q, err)
			}
		}
		return nil
	}
	if err := all(setup); err != nil {
		return err
	}
	for ctx.Err() == nil {
		if err := all(hold); err != nil {
			return err
		}
		pause(ctx, heldFor)
		if err := all(release); err != nil {
			return err
		}
		pause(ctx, releaseFor)
	}
	return nil
}

// pause waits, as part of the load, not for anything to happen.
func pause(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}
