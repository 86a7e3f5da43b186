package mysql_test

import (
	"fmt"
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

// TestMingled: updates of ever other columns that are written together leave
// alone what a row has of its own in a column that only others change.
func TestMingled(t *testing.T) {
	onEach(t, func(t *testing.T, server *testdb.Server) {
		name, db := testdb.NewDatabase(t, server)
		var statements []string
		sink := open(t, server, name, func(o *mysql.Options) {
			o.Trace = func(sql string, _ []string) { statements = append(statements, sql) }
		})
		defer sink.Close()
		const wide = 20
		columns := []schema.Column{col("id", integer)}
		for c := range wide {
			columns = append(columns, col(fmt.Sprintf("c%d", c), integer))
		}
		table := keyed("t", columns...)
		row := func(id int64, changed ...int) rowferry.Row {
			r := rowferry.Row{i(id)}
			for c := range int64(wide) {
				r = append(r, i(100*c))
			}
			for _, c := range changed {
				r[1+c] = i(7)
			}
			return r
		}
		p := begin(t, sink)
		p.must(shaped(table))
		var inserts, first, second []rowferry.Mutation
		for id := range int64(wide * wide) {
			a, b := int(id)/wide, int(id)%wide
			inserts = append(inserts, inserted(table, row(id)...))
			first = append(first, updated(table, row(id), row(id, a, b)))
			second = append(second, updated(table, row(id, a, b), row(id)))
		}
		p.bulk(inserts)
		p.bulk(first)
		statements = nil
		p.bulk(second)
		if n := len(statements); n > len(second)/4 {
			t.Errorf("%d updates were %d statements", len(second), n)
		}
		p.bulk(first)
		mustExec(t, db, "UPDATE t SET c19 = 5 WHERE id = 377") // (18, 17): others of its statement change c19
		err := p.bulkFails(second[360:])
		if code := rowferry.CodeOf(err); code != rowferry.CodeRowMissing && code != rowferry.CodeRowDiffers {
			t.Errorf("written over: %v", err)
		}
		if got := one(t, db, "SELECT CONCAT_WS(' ', c19, c18, c17) FROM t WHERE id = 377"); got != "5 7 7" {
			t.Errorf("the row has %s", got)
		}
	})
}
