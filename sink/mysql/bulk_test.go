package mysql_test

import (
	"testing"

	"github.com/rowferry/rowferry"
	"github.com/rowferry/rowferry/internal/testdb"
	"github.com/rowferry/rowferry/schema"
	"github.com/rowferry/rowferry/sink/mysql"
)

// TestBulkBesides: what is written in bulk fires a table's triggers once a row,
// has the target compute what it computes, and leaves alone what changes by
// itself.
func TestBulkBesides(t *testing.T) {
	onEach(t, func(t *testing.T, server *testdb.Server) {
		name, db := testdb.NewDatabase(t, server)
		mustExec(t, db,
			"CREATE TABLE t (id INT PRIMARY KEY, n INT, twice INT AS (n * 2) STORED, at TIMESTAMP NULL DEFAULT NULL ON UPDATE CURRENT_TIMESTAMP)",
			"CREATE TABLE fired (what VARCHAR(9))",
			"CREATE TRIGGER i AFTER INSERT ON t FOR EACH ROW INSERT INTO fired VALUES ('insert')",
			"CREATE TRIGGER u AFTER UPDATE ON t FOR EACH ROW INSERT INTO fired VALUES ('update')",
			"CREATE TRIGGER d AFTER DELETE ON t FOR EACH ROW INSERT INTO fired VALUES ('delete')")
		twice := col("twice", integer)
		twice.Generated = schema.Stored
		table := keyed("t", col("id", integer), col("n", integer), twice, col("at", stamp))
		sink := open(t, server, name, func(o *mysql.Options) { o.Triggers = "fire" })
		defer sink.Close()
		p := begin(t, sink)
		p.must(shaped(table))
		const rows = 43
		row := func(id, n int64) rowferry.Row { return rowferry.Row{i(id), i(n), i(2 * n), s("2001-02-03 04:05:06")} }
		var inserts, updates, deletes []rowferry.Mutation
		for id := range int64(rows) {
			inserts = append(inserts, inserted(table, row(id, id)...))
			updates = append(updates, updated(table, row(id, id), row(id, id+7)))
			deletes = append(deletes, deleted(table, row(id, id+7)...))
		}
		p.bulk(inserts)
		p.bulk(updates)
		const all = "SELECT CONCAT_WS(' ', COUNT(*), SUM(n - id), SUM(twice = 2 * n), SUM(at = '2001-02-03 04:05:06')) FROM t"
		if got := one(t, db, all); got != "43 301 43 43" {
			t.Errorf("the rows come to %q", got)
		}
		p.bulk(deletes[:40])
		if got := one(t, db, "SELECT GROUP_CONCAT(what, ' ', n ORDER BY what) FROM (SELECT what, COUNT(*) n FROM fired GROUP BY what) x"); got != "delete 40,insert 43,update 43" {
			t.Errorf("fired: %s", got)
		}
	})
}
