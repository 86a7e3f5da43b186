package mysql

import (
	"fmt"
	"strings"
	"testing"

	"github.com/rowferry/rowferry"
	"github.com/rowferry/rowferry/internal/testdb"
	"github.com/rowferry/rowferry/source/sourcetest"
)

// A log of everything that ends a transaction, begins one or undoes a part of
// one, in two files. ?M is only for MySQL, ?A only for MariaDB.
const everyKind = `
CREATE DATABASE d;
USE d;
CREATE TABLE p (id INT PRIMARY KEY, v VARCHAR(4000));
CREATE TABLE m (id INT PRIMARY KEY) ENGINE=MyISAM;
CREATE TABLE other.x (id INT PRIMARY KEY);
INSERT INTO p VALUES (1,'one'),(2,'two');
UPDATE p SET v='zwei' WHERE id=2;
INSERT INTO other.x VALUES (1);
BEGIN;
INSERT INTO p VALUES (10,REPEAT('x',900));
INSERT INTO p VALUES (11,REPEAT('y',900));
UPDATE p SET v='z' WHERE id=10;
COMMIT;
SET foreign_key_checks=0;
DELETE FROM p WHERE id=1;
SET foreign_key_checks=1;
INSERT INTO m VALUES (1);
CREATE TABLE ctas SELECT * FROM p;
TRUNCATE TABLE ctas;
FLUSH BINARY LOGS;
DROP TABLE ctas;
?MSET gtid_next='AUTOMATIC:tagged';
?MINSERT INTO p VALUES (20,'tagged');
?MSET gtid_next='AUTOMATIC';
?MSET gtid_next='11111111-2222-3333-4444-555555555555:7';
?MINSERT INTO p VALUES (21,'a gap');
?MSET gtid_next='11111111-2222-3333-4444-555555555555:5';
?MINSERT INTO p VALUES (22,'fills a part of it');
?MSET gtid_next='AUTOMATIC';
?ASET gtid_domain_id=3;
?AINSERT INTO p VALUES (20,'another domain');
?ASET gtid_domain_id=0;
?ABEGIN;
?AINSERT INTO p VALUES (30,'stays');
?AINSERT INTO m VALUES (2);
?ASAVEPOINT s;
?AINSERT INTO p VALUES (31,REPEAT('undone',200)),(32,REPEAT('undone',200));
?AINSERT INTO m VALUES (3);
?AROLLBACK TO s;
?AINSERT INTO p VALUES (33,'stays too');
?ACOMMIT;
?ABEGIN;
?AINSERT INTO p VALUES (40,'rolled back');
?ACREATE TEMPORARY TABLE t (a INT);
?ADROP TEMPORARY TABLE t;
?AROLLBACK;
XA START 'one';
INSERT INTO p VALUES (50,'one phase');
XA END 'one';
XA COMMIT 'one' ONE PHASE;
XA START 'two';
INSERT INTO other.x VALUES (2);
XA END 'two';
XA PREPARE 'two';
XA COMMIT 'two';
FLUSH BINARY LOGS;
INSERT INTO p VALUES (60,'last')`

func script(k testdb.Kind, text string) string {
	mine, others := "?M", "?A"
	if k.Flavor() == testdb.MariaDB {
		mine, others = others, mine
	}
	out := "CREATE DATABASE other;\n"
	for line := range strings.SplitSeq(text, "\n") {
		if rest, ok := strings.CutPrefix(line, mine); ok {
			line = rest
		} else if _, ok := strings.CutPrefix(line, others); ok {
			continue
		}
		out += line + "\n"
	}
	return out
}

func TestConformance(t *testing.T) {
	for name := range logKinds() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			files := recorded(t, name).write(t)
			for _, chunk := range []int{0, 1, 700} {
				t.Run(fmt.Sprintf("chunks of %d", chunk), func(t *testing.T) {
					sourcetest.Run(t, func(start rowferry.Start) (rowferry.Reader, error) {
						return Files(Options{Paths: files, Scope: notOther, ChunkBytes: chunk}).Open(t.Context(), start)
					})
				})
			}
		})
	}
}
