package main

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/rowferry/rowferry/internal/testdb"
	"github.com/rowferry/rowferry/internal/testdb/load"
)

// The digests add up to CRC32("=1|=a|=10:00:00.50|") + CRC32("=2|~|~|"), as
// MySQL computes them.
var prefixScript = []string{
	"CREATE TABLE digest_columns (tbl VARCHAR(64), pos INTEGER, col VARCHAR(64), fsp INTEGER, PRIMARY KEY (tbl, pos))",
	"CREATE TABLE digests (writer INTEGER, tbl VARCHAR(64), cnt BIGINT, digest BIGINT, PRIMARY KEY (writer, tbl))",
	"CREATE TABLE ledger (writer INTEGER, n INTEGER, PRIMARY KEY (writer, n))",
	"CREATE TABLE t (id INTEGER PRIMARY KEY, v VARCHAR(9), at VARCHAR(20), other REAL)",
	"INSERT INTO digest_columns VALUES ('t', 1, 'id', NULL), ('t', 2, 'v', NULL), ('t', 3, 'at', 2)",
	"INSERT INTO t VALUES (1, 'a', '10:00:00.5', 0.5), (2, NULL, NULL, 1.5)",
	"INSERT INTO digests VALUES (1, 't', 3, 669677429), (2, 't', -1, -100)",
	"INSERT INTO ledger VALUES (1, 1), (1, 2), (2, 1)",
}

// target makes a place for the script, SQLite if the kind is "".
func prefixTarget(t *testing.T, k testdb.Kind, statements ...string) (url string) {
	t.Helper()
	if k == "" {
		return newSQLite(t, strings.Join(statements, ";"))
	}
	return fill(t, testdb.Start(t, k), statements...)
}

func prefixKinds() []testdb.Kind { return append(testdb.Targets(), "") }

func TestPrefix(t *testing.T) {
	for name, change := range map[string][]string{
		"a dropped row":         {`DELETE FROM t WHERE id = 2`},
		"a row too many":        {`INSERT INTO t VALUES (3, 'x', NULL, 0)`},
		"a changed value":       {`UPDATE t SET v = 'A' WHERE id = 1`},
		"a changed time":        {`UPDATE t SET at = '10:00:00.51' WHERE id = 1`},
		"null became empty":     {`UPDATE t SET v = '' WHERE id = 2`},
		"a digest not applied":  {`UPDATE digests SET cnt = cnt - 1 WHERE writer = 1`},
		"a hole":                {`DELETE FROM ledger WHERE writer = 1 AND n = 1`},
		"a hole in the middle":  {`INSERT INTO ledger VALUES (2, 3)`},
		"rows of no digest":     {`CREATE TABLE u (a INTEGER)`, `INSERT INTO u VALUES (1)`},
		"a table that vanished": {`DROP TABLE t`},
	} {
		for _, k := range prefixKinds() {
			out, err := runEqual(t, "prefix", prefixTarget(t, k, append(append([]string(nil), prefixScript...), change...)...))
			if !errors.Is(err, errDifferent) {
				t.Errorf("%s %s: error %v, output:\n%s", k, name, err, out)
			}
		}
	}
}

func TestPrefixHolds(t *testing.T) {
	for _, k := range prefixKinds() {
		out, err := runEqual(t, "prefix", prefixTarget(t, k, prefixScript...))
		if err != nil || !strings.HasPrefix(out, "3 transactions, 2 rows, 1 tables") {
			t.Errorf("%s: error %v, output:\n%s", k, err, out)
		}
		// Nothing has arrived yet, or only the shape of it.
		for _, script := range []string{`SELECT 1`, `CREATE TABLE t (a INTEGER)`} {
			if out, err := runEqual(t, "prefix", prefixTarget(t, k, script)); err != nil {
				t.Errorf("%s: %s: %v, output:\n%s", k, script, err, out)
			}
		}
	}
}

// A Load's digests are those of its rows, on its source itself and on
// PostgreSQL, where every type has a text of its own.
func TestPrefixOfLoad(t *testing.T) {
	for _, k := range testdb.Kinds() {
		s := testdb.Start(t, k)
		name, db := testdb.NewDatabase(t, s)
		if _, err := load.Run(t.Context(), db, load.Options{Seed: 5, Transactions: 400, Flavor: k.Flavor()}); err != nil {
			t.Fatal(err)
		}
		a := s.URL(name)
		b := carryToPostgres(t, a)
		for _, url := range []string{a, b} {
			if out, err := runEqual(t, "prefix", url); err != nil {
				t.Errorf("%s: %v, output:\n%s", url, err, out)
			}
		}
		if out, err := runEqual(t, "compare", a, b); err != nil {
			t.Errorf("%s: %v, output:\n%s", k, err, out)
		}
	}
}

// carryToPostgres copies a database as the judge says it must look.
func carryToPostgres(t *testing.T, url string) string {
	t.Helper()
	name, db := testdb.NewDatabase(t, testdb.Start(t, testdb.Postgres15))
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	side, err := openMySQL(t.Context(), url, postgresDialect)
	must(err)
	defer side.close()
	tables, err := side.tables(t.Context(), options{}.wants)
	must(err)
	for _, table := range tables {
		var columns, params []string
		for i, c := range table.columns {
			declared, _, _ := strings.Cut(string(c.family), "|")
			columns = append(columns, postgresName(c.name)+" "+declared)
			param := fmt.Sprintf("$%d::text::%s", i+1, declared)
			if declared == "bytea" {
				param = fmt.Sprintf("$%d::bytea", i+1)
			}
			params = append(params, param)
		}
		if len(table.key) > 0 {
			var key []string
			for _, i := range table.key {
				key = append(key, postgresName(table.columns[i].name))
			}
			columns = append(columns, "PRIMARY KEY ("+strings.Join(key, ", ")+")")
		}
		_, err := db.Exec("CREATE TABLE " + postgresName(table.name) + " (" + strings.Join(columns, ", ") + ")")
		must(err)
		tx, err := db.Begin()
		must(err)
		insert := "INSERT INTO " + postgresName(table.name) + " VALUES (" + strings.Join(params, ", ") + ")"
		must(side.query(t.Context(), selectRows(table), func(raw [][]byte) error {
			values := make([]any, len(raw))
			for i, v := range raw {
				switch {
				case v == nil:
				case table.columns[i].form == blobForm:
					values[i] = v
				default:
					values[i] = string(v)
				}
			}
			_, err := tx.Exec(insert, values...)
			return err
		}))
		must(tx.Commit())
	}
	return testdb.Start(t, testdb.Postgres15).URL(name)
}
