package e2e

import (
	"os"
	"strings"
	"testing"

	"github.com/rowferry/rowferry/internal/testdb"
)

// againPairs are, in make test, one for each of the two tests.
func againPairs() (again, added []pair) {
	pairs := []pair{{testdb.MariaDB1011, testdb.Postgres15, ""}, {testdb.Postgres15, testdb.MySQL97, ""}}
	if !soak() {
		return pairs[:1], pairs[1:]
	}
	pairs = append(pairs, pair{testdb.MySQL97, sqliteKind, partial}, pair{testdb.Postgres15, testdb.Postgres15, streamed},
		pair{testdb.MariaDB1011, testdb.MariaDB1011, ""}, pair{testdb.Postgres15, sqliteKind, ""})
	return pairs, pairs
}

// againTables are copied again: a parent and a child of tables that are not, one
// that refers to itself, one whose unique values move, and where they are copied at
// all one without a key.
func (c *copyCampaign) againTables() (args []string) {
	tables := []string{"customer", "item", "tree", "sea?"}
	if c.pair.copiesKeyless() {
		tables = append(tables, "journal")
	}
	for _, t := range tables {
		args = append(args, "--resnapshot", c.scope()+"."+t)
	}
	return args
}

// damage makes rows of the target other than those of the source: changed, missing
// and too many.
func (c *copyCampaign) damage() {
	c.t.Helper()
	statements := []string{
		"UPDATE " + c.goal.ns + "customer SET name = 'wrong' WHERE id < 20",
		"DELETE FROM " + c.goal.ns + "item WHERE line > 1",
		"INSERT INTO " + c.goal.ns + "seat (id, holder, label, ver) VALUES (-7, -7, 'nobody', 1)",
	}
	if c.pair.copiesKeyless() {
		statements = append(statements, "DELETE FROM "+c.goal.ns+"journal")
	}
	if c.goal.db == nil {
		return // a file that is changed by nobody else
	}
	execAll(c.t, c.goal.db, statements...)
}

// constraints counts the keys of the target's tables.
func (c *copyCampaign) constraints() int64 {
	if c.goal.db == nil {
		return c.goal.intOf(c.t, "SELECT COUNT(*) FROM sqlite_schema WHERE type = 'index'")
	}
	return c.goal.intOf(c.t, "SELECT COUNT(*) FROM information_schema.table_constraints WHERE table_schema = "+c.goal.schema()+" AND constraint_type IN ('FOREIGN KEY', 'UNIQUE')")
}

// TestCopyAgain copies tables of a pipeline again whose rows are wrong in the target,
// under Load, with Kills in each part and the state directory lost: Equal, and the
// keys that were away are there again.
func TestCopyAgain(t *testing.T) {
	again, _ := againPairs()
	for _, p := range again {
		t.Run(p.String(), func(t *testing.T) {
			c := newCopyCampaign(t, p)
			must(t, c.args("--once")...)
			c.requireEqual()
			keys := c.constraints()
			stop := c.write()
			c.damage()
			again, plain, kills := c.againTables(), c.more, 0
			strike := func(s stage, lost bool) {
				c.more = again // which a copy that is going on goes on with
				if c.strike(s) {
					kills++
					c.requireInHand()
				}
				if lost && c.phase() != "" && c.phase() != "copied" {
					if err := os.RemoveAll(c.state); err != nil {
						t.Fatal(err)
					}
				}
				c.more = plain
			}
			strike(stage{"copy.emptied", 1, 1}, false)
			strike(stage{"copy.emptied", 1, 1}, true)
			for i := range scaled(3, 20) {
				strike(loadStages[i%len(loadStages)], i == 1)
			}
			for i := range scaled(2, 12) {
				strike(mergeStages[i%len(mergeStages)], i == 1)
			}
			if kills < scaled(4, 20) {
				t.Errorf("only %d kills", kills)
			}
			stop()
			must(t, c.args("--once")...)
			c.requireEqual()
			if now := c.constraints(); now != keys {
				t.Errorf("%d keys, before there were %d", now, keys)
			}
			if left := c.goal.intOf(t, "SELECT COUNT(*) FROM "+c.goal.chunks()); left != 0 {
				t.Errorf("%d chunks are still noted", left)
			}
			t.Logf("figure: %s: killed %d times, Equal", p, kills)
		})
	}
}

// phase is the part of a copy that the pipeline is in, as the target has it.
func (c *copyCampaign) phase() string {
	c.t.Helper()
	o := must(c.t, "status", "-o", "json", "--name", "copy", "--target", c.goal.url, "--state", c.t.TempDir()+"/none")
	for _, phase := range []string{"emptying", "loading", "merging", "completing", "copied"} {
		if strings.Contains(o.stdout, `"phase": "`+phase+`"`) || strings.Contains(o.stdout, `"phase":"`+phase+`"`) {
			return phase
		}
	}
	return ""
}

// TestCopyAdded takes tables into the scope of a pipeline that follows, which are
// copied while the source is written to, and out again.
func TestCopyAdded(t *testing.T) {
	_, added := againPairs()
	for _, p := range added {
		t.Run(p.String(), func(t *testing.T) {
			c := newCopyCampaign(t, p)
			all := c.more
			c.more = []string{"--tables", "!" + c.scope() + ".item", "--tables", "!" + c.scope() + ".customer", "--tables", "!" + c.scope() + ".seat"}
			must(t, c.args("--once")...)
			c.more = all
			stop := c.write()
			refused := func(code string, more ...string) {
				t.Helper()
				if o := run(t, c.args(append(more, "--once")...)...); o.code == 0 || !strings.Contains(o.stderr, code) {
					t.Fatalf("exit %d, want %s\n%s", o.code, code, o.stderr)
				}
			}
			item, customer, seat := c.scope()+".item", c.scope()+".customer", c.scope()+".seat"
			if p.fromPostgres() {
				refused("RF-2032")
			} else {
				refused("RF-1010")
			}
			refused("RF-1010", "--resnapshot", item, "--resnapshot", seat)
			refused("RF-2050", "--resnapshot", item, "--resnapshot", customer, "--resnapshot", seat, "--resnapshot", c.scope()+".none")
			must(t, c.args("--once", "--resnapshot", item, "--resnapshot", customer, "--resnapshot", seat)...)
			stop()
			must(t, c.args("--once")...)
			c.requireEqual()

			c.more = []string{"--tables", "!" + seat}
			rows := c.goal.intOf(t, "SELECT COUNT(*) FROM "+c.goal.ns+"seat")
			refused("RF-1010")
			must(t, c.args("--once", "--accept-config")...)
			execAll(t, c.db, "TRUNCATE TABLE seat")
			must(t, c.args("--once")...)
			if now := c.goal.intOf(t, "SELECT COUNT(*) FROM "+c.goal.ns+"seat"); now != rows {
				t.Errorf("%d rows of a table that was taken out, before there were %d", now, rows)
			}
			c.more = nil
			refused("RF-1010") // it is new again
			refused("RF-4007", "--resnapshot", seat)
		})
	}
}

// TestCopyAgainRefused leaves tables that Rowferry did not make as they are, and
// foreign keys of somebody else.
func TestCopyAgainRefused(t *testing.T) {
	c := newCopyCampaign(t, pair{testdb.MariaDB1011, testdb.Postgres15, ""})
	execAll(t, c.db, "CREATE TABLE mine (id INT PRIMARY KEY, v INT)", "INSERT INTO mine VALUES (1, 1)")
	execAll(t, c.goal.db, "CREATE SCHEMA "+c.scope(), "CREATE TABLE "+c.goal.ns+"mine (id int PRIMARY KEY, v int)")
	must(t, c.args("--once")...)
	sequence := c.goal.committed(t)
	execAll(t, c.goal.db, "CREATE TABLE "+c.goal.ns+"theirs (id bigint REFERENCES "+c.goal.ns+"orders)")
	for _, table := range []string{"mine", "orders"} {
		o := run(t, c.args("--once", "--resnapshot", c.scope()+"."+table)...)
		if o.code != 2 || !strings.Contains(o.stderr, "RF-2050") {
			t.Errorf("%s: exit %d, want 2 and RF-2050\n%s", table, o.code, o.stderr)
		}
	}
	if now := c.goal.committed(t); now != sequence || c.goal.intOf(t, "SELECT COUNT(*) FROM "+c.goal.ns+"mine") != 1 {
		t.Errorf("sequence %d, before it was %d", now, sequence)
	}
	execAll(t, c.goal.db, "DROP TABLE "+c.goal.ns+"theirs")
	must(t, c.args("--once")...)
	c.requireEqual()
}
