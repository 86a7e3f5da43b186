package main

import (
	"errors"
	"strings"
	"testing"
)

// The digests add up to CRC32("=1|=a|") + CRC32("=2|~|"), as MySQL computes them.
const loaded = `
CREATE TABLE digest_columns (tbl TEXT, pos INTEGER, col TEXT, PRIMARY KEY (tbl, pos)) STRICT;
CREATE TABLE digests (writer INTEGER, tbl TEXT, cnt INTEGER, digest INTEGER, PRIMARY KEY (writer, tbl)) STRICT;
CREATE TABLE ledger (writer INTEGER, n INTEGER, PRIMARY KEY (writer, n)) STRICT;
CREATE TABLE t (id INTEGER PRIMARY KEY, v TEXT, other REAL) STRICT;
INSERT INTO digest_columns VALUES ('t', 1, 'id'), ('t', 2, 'v');
INSERT INTO t VALUES (1, 'a', 0.5), (2, NULL, 1.5);
INSERT INTO digests VALUES (1, 't', 3, 5062356655), (2, 't', -1, -100);
INSERT INTO ledger VALUES (1, 1), (1, 2), (2, 1);`

func TestPrefix(t *testing.T) {
	for name, change := range map[string]string{
		"a dropped row":         `DELETE FROM t WHERE id = 2`,
		"a row too many":        `INSERT INTO t VALUES (3, 'x', 0)`,
		"a changed value":       `UPDATE t SET v = 'A' WHERE id = 1`,
		"null became empty":     `UPDATE t SET v = '' WHERE id = 2`,
		"a digest not applied":  `UPDATE digests SET cnt = cnt - 1 WHERE writer = 1`,
		"a hole":                `DELETE FROM ledger WHERE writer = 1 AND n = 1`,
		"a hole in the middle":  `INSERT INTO ledger VALUES (2, 3)`,
		"rows of no digest":     `CREATE TABLE u (a INTEGER) STRICT; INSERT INTO u VALUES (1)`,
		"a table that vanished": `DROP TABLE t`,
	} {
		t.Run(name, func(t *testing.T) {
			out, err := runEqual(t, "prefix", newSQLite(t, loaded, change))
			if !errors.Is(err, errDifferent) {
				t.Errorf("error %v, output:\n%s", err, out)
			}
		})
	}
}

func TestPrefixHolds(t *testing.T) {
	out, err := runEqual(t, "prefix", newSQLite(t, loaded))
	if err != nil || !strings.HasPrefix(out, "3 transactions, 2 rows, 1 tables") {
		t.Errorf("error %v, output:\n%s", err, out)
	}
	// Nothing has arrived yet, or only the shape of it.
	for _, script := range []string{`SELECT 1`, `CREATE TABLE t (a INTEGER) STRICT`} {
		if out, err := runEqual(t, "prefix", newSQLite(t, script)); err != nil {
			t.Errorf("%s: %v, output:\n%s", script, err, out)
		}
	}
}
