package postgres

import (
	"testing"

	"github.com/rowferry/rowferry"
	"github.com/rowferry/rowferry/internal/testdb"
	"github.com/rowferry/rowferry/source/sourcetest"
)

// Each replica identity, with and without a change of the key, with a value
// that is stored apart and does not change (P1, P2), and a table whose rows have
// no identity but all of their values, NULL among them (P4).
func TestImages(t *testing.T) {
	eachServer(t, func(t *testing.T, k testdb.Kind) {
		t.Parallel()
		p := newPlace(t, k)
		p.run(`
CREATE TABLE d (id int PRIMARY KEY, n text, big text); ALTER TABLE d ALTER big SET STORAGE EXTERNAL
CREATE TABLE f (id int, n text, big text); ALTER TABLE f ALTER big SET STORAGE EXTERNAL; ALTER TABLE f REPLICA IDENTITY FULL
CREATE TABLE g (id int PRIMARY KEY, n text, big text); ALTER TABLE g ALTER big SET STORAGE EXTERNAL; ALTER TABLE g REPLICA IDENTITY FULL
CREATE TABLE i (a int, id int NOT NULL, big text, UNIQUE (a)); ALTER TABLE i ALTER big SET STORAGE EXTERNAL; CREATE UNIQUE INDEX ii ON i (id); ALTER TABLE i REPLICA IDENTITY USING INDEX ii
CREATE TABLE k (big text PRIMARY KEY, n int); ALTER TABLE k ALTER big SET STORAGE EXTERNAL
CREATE TABLE e (id int PRIMARY KEY, up int REFERENCES e DEFERRABLE)`)
		p.begun(p.pipe())
		p.run(`
INSERT INTO d VALUES (1, NULL, repeat('x', 9000)), (2, 'n', NULL)
UPDATE d SET n = 'a' WHERE id = 1
UPDATE d SET id = 3 WHERE id = 1
UPDATE d SET big = repeat('y', 9000) WHERE id = 3
DELETE FROM d
INSERT INTO f VALUES (NULL, 'a', repeat('x', 9000)), (NULL, 'a', NULL), (NULL, 'a', NULL)
UPDATE f SET n = 'b' WHERE big IS NOT NULL
DELETE FROM f WHERE ctid = (SELECT min(ctid) FROM f WHERE big IS NULL)
INSERT INTO g VALUES (1, NULL, repeat('x', 9000))
UPDATE g SET n = 'b'
UPDATE g SET id = 2
DELETE FROM g
INSERT INTO i VALUES (7, 1, repeat('x', 9000))
UPDATE i SET a = 8
UPDATE i SET id = 2
DELETE FROM i
INSERT INTO k VALUES (repeat('k', 2600), 1)
UPDATE k SET n = 2
DELETE FROM k
INSERT INTO e VALUES (1, NULL)`)
		txs := p.log()
		wantRows(t, txs, `
insert d [1 NULL x×9000]
insert d [2 n NULL]
update d [1 (absent) (absent)] [1 a (absent)]
update d [1 (absent) (absent)] [3 a (absent)]
update d [3 (absent) (absent)] [3 a y×9000]
delete d [2 (absent) (absent)]
delete d [3 (absent) (absent)]
insert f [NULL a x×9000]
insert f [NULL a NULL]
insert f [NULL a NULL]
update f [NULL a x×9000] [NULL b x×9000]
delete f [NULL a NULL]
insert g [1 NULL x×9000]
update g [1 NULL x×9000] [1 b x×9000]
update g [1 b x×9000] [2 b x×9000]
delete g [2 b x×9000]
insert i [7 1 x×9000]
update i [(absent) 1 (absent)] [8 1 (absent)]
update i [(absent) 1 (absent)] [8 2 (absent)]
delete i [(absent) 2 (absent)]
insert k [k×2600 1]
update k [k×2600 (absent)] [k×2600 2]
delete k [k×2600 (absent)]
insert e [1 NULL] checks late`)
		for _, tx := range txs {
			for i := range tx.Changes {
				c := &tx.Changes[i]
				if key := c.Table.Identity(); c.Op == rowferry.Update && len(key) == 1 && c.Before[key[0]].IsAbsent() {
					t.Errorf("the old row of an update of %s does not tell its key", c.Table.Name)
				}
			}
		}
	})
}

// What a transaction leaves out of an update after its own insert is in the
// insert, which comes before it (P3).
func TestPartialUpdateAfterInsert(t *testing.T) {
	eachServer(t, func(t *testing.T, k testdb.Kind) {
		t.Parallel()
		p := newPlace(t, k)
		p.run(`CREATE TABLE d (id int PRIMARY KEY, n text, big text); ALTER TABLE d ALTER big SET STORAGE EXTERNAL`)
		p.begun(p.pipe())
		p.run(`BEGIN; INSERT INTO d VALUES (1, 'a', repeat('x', 9000)); UPDATE d SET n = 'b'; UPDATE d SET id = 2; COMMIT`)
		txs := p.log()
		wantRows(t, txs, `
insert d [1 a x×9000]
update d [1 (absent) (absent)] [1 b (absent)]
update d [1 (absent) (absent)] [2 b (absent)]`)
		if len(txs) != 1 {
			t.Errorf("read %d transactions", len(txs))
		}
	})
}

// Tables that are emptied together are told children first, and one that is not
// in scope not at all (P26).
func TestTruncate(t *testing.T) {
	eachServer(t, func(t *testing.T, k testdb.Kind) {
		t.Parallel()
		p := newPlace(t, k)
		p.run(`
CREATE TABLE a (id int PRIMARY KEY)
CREATE TABLE b (id int PRIMARY KEY, a int REFERENCES a)
CREATE TABLE c (id serial PRIMARY KEY, b int REFERENCES b)
CREATE TABLE s (id int PRIMARY KEY, s int REFERENCES s, o int)
CREATE TABLE o (id int PRIMARY KEY, s int REFERENCES s)
ALTER TABLE s ADD FOREIGN KEY (o) REFERENCES o`)
		p.begun(p.pipe())
		p.run(`
TRUNCATE a CASCADE
TRUNCATE c RESTART IDENTITY
TRUNCATE s, o, c
BEGIN; INSERT INTO a VALUES (1); TRUNCATE a, b, c; INSERT INTO a VALUES (2); COMMIT`)
		wantRows(t, p.log(func(o *Options) { o.Scope = only("a", "b", "c", "s") }), `
truncate c
truncate b
truncate a
truncate c
truncate c
truncate s
insert a [1] checks late
truncate c
truncate b
truncate a
insert a [2] checks late`)
	})
}

// A foreign key that is made later has the rows of its parent told for it too.
func TestLaterForeignKey(t *testing.T) {
	eachServer(t, func(t *testing.T, k testdb.Kind) {
		t.Parallel()
		p := newPlace(t, k)
		p.run("CREATE TABLE a (id int PRIMARY KEY)\nCREATE TABLE b (id int PRIMARY KEY)")
		p.begun(p.pipe())
		r := p.following(rowferry.Start{})
		p.run("BEGIN; INSERT INTO a VALUES (1); INSERT INTO b VALUES (1); COMMIT")
		before := take(t, r, 1)
		p.run("ALTER TABLE b ADD FOREIGN KEY (id) REFERENCES a\nDELETE FROM b\nDELETE FROM a")
		wantRows(t, sourcetest.Join(before, nil), "insert a [1]\ninsert b [1]")
		for _, c := range sourcetest.Join(take(t, r, 2), nil)[1].Changes {
			if c.Op == rowferry.Delete && !c.ChecksLate {
				t.Errorf("the delete of %s is not told as one of a parent", c.Table.Name)
			}
		}
	})
}
