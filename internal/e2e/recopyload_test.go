package e2e

import (
	"fmt"
	"testing"

	"github.com/rowferry/rowferry"
	"github.com/rowferry/rowferry/internal/testdb"
)

// recopied are the tables that are damaged and copied again: with a parent and a child,
// with references to itself, with a key of texts, and by itself. Others refer to them,
// and are referred to.
var recopied = []string{"orders", "item", "tree", "wide", "word"}

// TestResnapshotLoad damages tables in the target by hand, and copies them again under
// Load, with Kills in each part: Equal.
func TestResnapshotLoad(t *testing.T) {
	if !soak() {
		t.Skip("see TestResnapshot")
	}
	besideOthers(t)
	for _, p := range []pair{
		{testdb.MariaDB1011, testdb.Postgres15, ""}, {testdb.Postgres15, testdb.MySQL97, ""}, {testdb.MySQL97, sqliteKind, ""},
	} {
		t.Run(p.String(), func(t *testing.T) {
			besideOthers(t)
			c := newCopyCampaignOf(t, p, 20_000)
			must(t, c.args("--once")...)
			damage(t, c)
			for _, table := range recopied {
				c.more = append(c.more, "--resnapshot", c.scope()+"."+table)
			}
			stop := c.write()
			phases := map[rowferry.CopyPhase]int{}
			for _, s := range []stage{
				{"copy.chunk", 2, 4}, {"copy.committed", 2, 4}, {"recorded", 1, 2}, {"confirm", 2, 2}, {"recopy.removed", 1, 1},
				{"recorded", 2, 4}, {"carry", 2, 2}, {"confirm", 5, 9}, {"carry", 1, 2},
			} {
				if c.strike(s) {
					phases[c.goal.held(t).Copy.Phase]++
				}
			}
			t.Log(phases)
			must(t, c.args("--once")...)
			stop()
			c.more = nil
			must(t, c.args("--once")...)
			c.requireEqual()
		})
	}
}

// damage takes rows out of the target's tables, changes some, and adds some.
func damage(t *testing.T, c *copyCampaign) {
	t.Helper()
	for _, q := range []string{
		"DELETE FROM %[1]sitem WHERE line = 2", "UPDATE %[1]sitem SET qty = qty + 1 WHERE line = 1",
		"UPDATE %[1]sorders SET note = 'spoiled', ver = ver + 7", "DELETE FROM %[1]swide WHERE id %% 3 = 0", "UPDATE %[1]swide SET i1 = 4711 WHERE id %% 3 = 1",
		"UPDATE %[1]sword SET uses = uses + 1",
		"UPDATE %[1]stree SET parent_id = NULL", "DELETE FROM %[1]stree WHERE id %% 2 = 0",
		"INSERT INTO %[1]stree (id, parent_id, name, ver) VALUES (900001, NULL, 'ours', 1)", "INSERT INTO %[1]stree (id, parent_id, name, ver) VALUES (900002, 900001, 'ours', 1)",
		"INSERT INTO %[1]sword (lang, word, uses, freq, ver) VALUES ('zz', 'nowhere', 1, 1, 1)",
	} {
		c.goal.exec(t, fmt.Sprintf(q, c.goal.ns))
	}
}
