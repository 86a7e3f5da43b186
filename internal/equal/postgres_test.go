package main

import (
	"cmp"
	"errors"
	"fmt"
	"strings"
	"testing"

	"zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"

	"github.com/rowferry/rowferry/internal/testdb"
	"github.com/rowferry/rowferry/internal/testdb/load"
)

// native has types of PostgreSQL's own, with values whose text differs between
// servers.
const native = `
SET TimeZone = 'Asia/Kolkata';
CREATE TYPE mood AS ENUM ('sad', 'it''s', 'été'); CREATE TYPE spot AS (x int, label text); CREATE DOMAIN cents AS numeric(12,2); CREATE DOMAIN price AS cents;
CREATE TABLE n (id int PRIMARY KEY, bo boolean, s smallint, b bigint, f real, d double precision, c numeric(30,10), p price, u numeric, o numeric(5,-2), x bit(12), x64 bit(64), vb varbit(9));
INSERT INTO n VALUES (1, true, -32768, -9223372036854775808, 1.1, 0.1::float8 + 0.2::float8, -0.5, 12.3, 1234567890123456789012345678901234567890.0123456789, 12345, b'100000000001', ~0::bigint::bit(64), b'0101'),
	(2, false, 0, 0, 0, -0.25, 0, 0, 0, 0, b'000000000000', 1::bigint::bit(64), '');
INSERT INTO n (id) VALUES (3);
CREATE TABLE m (k text, v bytea, w varchar(20), c char(6), tx text, bl bytea, j json, jb jsonb, da date, t3 time(3), t6 time, dt timestamp, d0 timestamp(0), ts timestamptz(3), iv interval, g uuid, ip inet, ne cidr,
	e mood, sp spot, a int[], r int4range, PRIMARY KEY (k, v));
INSERT INTO m VALUES (E'it''s \\ 😀', '\x00FF', 'x ', 'ab', E'\t', '', '{"b":1, "a": [null]}', '{"b":1, "a": [null]}', '0001-02-03', '12:30:45.1', '24:00:00', '2024-02-29 12:30:45.1', '9999-12-31 23:59:59',
	'2038-01-19 03:14:07.12+00', '-1 year 2 days 03:04:05.6', '123E4567-e89b-12d3-a456-426655440000', '192.0.2.1', '10.0.0.0/8', 'it''s', '(1,"a,b")', '{1,NULL}', '[1,5)'),
	('B', '', '', '', ' ', NULL, '1', '1', NULL, '00:00', '23:59:59.999999', '2024-02-29', NULL, NULL, '0', NULL, '2001:db8::/32', NULL, 'été', '(,)', '{}', 'empty');
INSERT INTO m (k, v) VALUES ('a', '');
CREATE TABLE keyless (a int, b varchar(9));
INSERT INTO keyless VALUES (1, 'x'), (1, 'x'), (2, NULL);`

// nativeOn is what native becomes.
var nativeOn = map[string][]string{
	"mysql": {
		`CREATE TABLE n (id INT PRIMARY KEY, bo TINYINT(1), s SMALLINT, b BIGINT, f FLOAT, d DOUBLE, c DECIMAL(30,10), p DECIMAL(12,2), u LONGTEXT, o LONGTEXT, x BIT(12), x64 BIT(64), vb LONGTEXT)`,
		`INSERT INTO n VALUES (1, 1, -32768, -9223372036854775808, 1.1, 0.1e0 + 0.2e0, -0.5, 12.3, '1234567890123456789012345678901234567890.0123456789', '12300', b'100000000001', 18446744073709551615, '0101'),
		(2, 0, 0, 0, 0, -0.25, 0, 0, '0', '0', 0, 1, ''), (3, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL)`,
		`CREATE TABLE m (k VARCHAR(300) COLLATE utf8mb4_bin, v VARBINARY(99), w VARCHAR(20), c VARCHAR(6), tx LONGTEXT, bl LONGBLOB, j LONGTEXT, jb LONGTEXT, da DATE, t3 TIME(3), t6 TIME(6), dt DATETIME(6), d0 DATETIME, ts DATETIME(3),
		iv LONGTEXT, g VARCHAR(36), ip LONGTEXT, ne LONGTEXT, e ENUM('sad','it''s','été'), sp LONGTEXT, a LONGTEXT, r LONGTEXT, PRIMARY KEY (k, v))`,
		`INSERT INTO m VALUES ('it''s \\ 😀', x'00FF', 'x ', 'ab    ', '\t', '', '{"b":1, "a": [null]}', '{"a": [null], "b": 1}', '0001-02-03', '12:30:45.1', '24:00:00', '2024-02-29 12:30:45.1', '9999-12-31 23:59:59',
		'2038-01-19 03:14:07.12', '-1 years +2 days 03:04:05.6', '123e4567-e89b-12d3-a456-426655440000', '192.0.2.1', '10.0.0.0/8', 'it''s', '(1,"a,b")', '{1,NULL}', '[1,5)'),
		('B', '', '', '      ', ' ', NULL, '1', '1', NULL, '00:00', '23:59:59.999999', '2024-02-29', NULL, NULL, '00:00:00', NULL, '2001:db8::/32', NULL, 'été', '(,)', '{}', 'empty'),
		('a', '', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL)`,
		`CREATE TABLE keyless (a INT, b VARCHAR(9))`, `INSERT INTO keyless VALUES (1, 'x'), (1, 'x'), (2, NULL)`,
	},
	"sqlite": {
		`CREATE TABLE n (id INTEGER PRIMARY KEY, bo INTEGER, s INTEGER, b INTEGER, f REAL, d REAL, c TEXT, p TEXT, u TEXT, o TEXT, x INTEGER, x64 BLOB, vb TEXT) STRICT`,
		`INSERT INTO n VALUES (1, 1, -32768, -9223372036854775808, 1.10000002384185791015625, 0.1 + 0.2, '-0.5000000000', '12.30', '1234567890123456789012345678901234567890.0123456789', '12300', 2049, x'FFFFFFFFFFFFFFFF', '0101'),
		(2, 0, 0, 0, 0, -0.25, '0.0000000000', '0.00', '0', '0', 0, x'0000000000000001', ''), (3, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL)`,
		`CREATE TABLE m (k TEXT, v BLOB, w TEXT, c TEXT, tx TEXT, bl BLOB, j TEXT, jb TEXT, da TEXT, t3 TEXT, t6 TEXT, dt TEXT, d0 TEXT, ts TEXT,
		iv TEXT, g TEXT, ip TEXT, ne TEXT, e TEXT, sp TEXT, a TEXT, r TEXT, PRIMARY KEY (k, v)) STRICT`,
		`INSERT INTO m VALUES ('it''s \ 😀', x'00FF', 'x ', 'ab    ', char(9), x'', '{"b":1, "a": [null]}', '{"a": [null], "b": 1}', '0001-02-03', '12:30:45.1', '24:00:00', '2024-02-29 12:30:45.1', '9999-12-31 23:59:59',
		'2038-01-19 03:14:07.12', '-1 years +2 days 03:04:05.6', '123e4567-e89b-12d3-a456-426655440000', '192.0.2.1', '10.0.0.0/8', 'it''s', '(1,"a,b")', '{1,NULL}', '[1,5)'),
		('B', x'', '', '      ', ' ', NULL, '1', '1', NULL, '00:00:00', '23:59:59.999999', '2024-02-29 00:00:00', NULL, NULL, '00:00:00', NULL, '2001:db8::/32', NULL, 'été', '(,)', '{}', 'empty'),
		('a', x'', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL)`,
		`CREATE TABLE keyless (a INTEGER, b TEXT) STRICT`, `INSERT INTO keyless VALUES (1, 'x'), (1, 'x'), (2, NULL)`,
	},
	"postgres": {native, "ALTER TABLE n ALTER p TYPE numeric(12,2)"},
}

// nativeChanges must be seen: in the words of all targets, and of each.
var nativeChanges = map[string][]string{
	"": {
		"DELETE FROM n WHERE id = 3", "UPDATE n SET f = 1.1000001 WHERE id = 1", "UPDATE n SET d = 0.3 WHERE id = 1", "UPDATE n SET s = 1 WHERE id = 2", "UPDATE m SET w = 'x' WHERE tx = ' '",
		"UPDATE m SET c = 'ab' WHERE tx = ' '", "UPDATE m SET bl = v WHERE k = 'B'", "UPDATE m SET t6 = '23:59:59.999998' WHERE k = 'B'", "UPDATE m SET ts = '2038-01-19 03:14:08.12' WHERE ts IS NOT NULL",
		"UPDATE m SET dt = '2024-02-29 12:30:45.2' WHERE da IS NOT NULL", "INSERT INTO keyless VALUES (1, 'x')", "UPDATE m SET e = 'sad' WHERE k = 'B'", "UPDATE m SET a = '{1}' WHERE k = 'B'",
	},
	"mysql": {
		"UPDATE n SET bo = 2 WHERE id = 1", "UPDATE n SET x64 = x64 - 1 WHERE id = 1", "UPDATE m SET jb = j", "UPDATE n SET u = '1' WHERE id = 2", "ALTER TABLE n MODIFY bo SMALLINT", "ALTER TABLE m MODIFY d0 DATETIME(1)",
		"ALTER TABLE m MODIFY e VARCHAR(9)", "ALTER TABLE n MODIFY p DECIMAL(13,2)", "ALTER TABLE m MODIFY tx VARCHAR(99)", "ALTER TABLE m MODIFY ts TIMESTAMP(3) NULL",
	},
	"sqlite": {"UPDATE n SET bo = 2 WHERE id = 1", "UPDATE n SET x64 = x'00' WHERE id = 1", "UPDATE n SET p = '12.3' WHERE id = 1", "UPDATE m SET jb = j", "UPDATE m SET g = upper(g)"},
	"postgres": {
		"UPDATE n SET bo = NULL WHERE id = 1", "UPDATE n SET u = u * 1.0", "UPDATE m SET jb = '2'", "UPDATE m SET iv = '-1 year 2 days 03:04:05.7'", "UPDATE m SET ip = '192.0.2.1/24'", "UPDATE m SET sp = '(1,a)'",
		"ALTER TYPE mood ADD VALUE 'glad'", "ALTER TYPE mood RENAME VALUE 'sad' TO 'bad'", "ALTER TYPE spot ADD ATTRIBUTE z int", "ALTER TABLE m ALTER c TYPE char(7)", "ALTER TABLE n ALTER u TYPE numeric(60,10)", "ALTER TABLE m ALTER a TYPE bigint[]",
	},
}

// nativeGoal makes a target of statements.
func nativeGoal(t *testing.T, k testdb.Kind, statements ...string) string {
	t.Helper()
	switch {
	case k == "":
		return newSQLite(t, strings.Join(statements, ";\n"))
	case k.Flavor() == testdb.Postgres:
		return fill(t, testdb.Start(t, k), statements...)
	}
	return fill(t, testdb.Start(t, k), append([]string{"SET NAMES utf8mb4"}, statements...)...)
}

func nativeDialect(k testdb.Kind) string {
	switch {
	case k == "":
		return sqliteDialect
	case k.Flavor() == testdb.Postgres:
		return postgresDialect
	}
	return mysqlDialect
}

// From PostgreSQL to every kind of target.
func TestFromPostgres(t *testing.T) {
	for _, source := range testdb.Sources() {
		a := fill(t, testdb.Start(t, source), native)
		for _, k := range prefixKinds() {
			d := nativeDialect(k)
			t.Run(string(source)+" to "+cmp.Or(string(k), d), func(t *testing.T) {
				out, err := runEqual(t, "compare", a, nativeGoal(t, k, nativeOn[d]...))
				if err != nil || !strings.Contains(out, "3 tables, 9 rows") {
					t.Fatalf("error %v, output:\n%s", err, out)
				}
				if source != testdb.Postgres15 || k.Flavor() == testdb.MariaDB {
					return // the differences are the same
				}
				changes := nativeChanges[d]
				if d != postgresDialect { // whose databases take long to make
					changes = append(changes, nativeChanges[""]...)
				}
				for _, change := range changes {
					b := nativeGoal(t, k, append(append([]string(nil), nativeOn[d]...), change)...)
					if out, err := runEqual(t, "compare", a, b); !errors.Is(err, errDifferent) {
						t.Errorf("%s: error %v, output:\n%s", change, err, out)
					}
				}
			})
		}
	}
}

// What only PostgreSQL can hold.
func TestFromPostgresSpecial(t *testing.T) {
	const special = `CREATE TABLE s (id int PRIMARY KEY, f real, d double precision, n numeric, c numeric(9,2), da date, ts timestamptz, dt timestamp, mr nummultirange);
		INSERT INTO s VALUES (1, 'NaN', 'Infinity', '-Infinity', 'NaN', 'infinity', '-infinity', '0044-03-15 12:00:00 BC', '{[1,2),(3,)}'), (2, '-Infinity', 'NaN', 'NaN', 0, '0044-03-15 BC', '0044-03-15 12:00:00+00 BC', '20000-01-01', '{}')`
	s := testdb.Start(t, testdb.Postgres15)
	a := fill(t, s, special)
	if out, err := runEqual(t, "compare", a, fill(t, s, special)); err != nil {
		t.Errorf("error %v, output:\n%s", err, out)
	}
	for _, change := range []string{
		"UPDATE s SET f = 'Infinity' WHERE id = 1", "UPDATE s SET n = 'Infinity' WHERE id = 1", "UPDATE s SET ts = ts + '1 us' WHERE id = 2", "UPDATE s SET da = '0044-03-15' WHERE id = 2",
	} {
		if out, err := runEqual(t, "compare", a, fill(t, s, special, change)); !errors.Is(err, errDifferent) {
			t.Errorf("%s: error %v, output:\n%s", change, err, out)
		}
	}
	on := newSQLite(t, `CREATE TABLE s (id INTEGER PRIMARY KEY, n TEXT, c TEXT, da TEXT, ts TEXT, dt TEXT, mr TEXT) STRICT;
		INSERT INTO s VALUES (1, '-Infinity', 'NaN', 'infinity', '-infinity', '0044-03-15 12:00:00 BC', '{[1,2),(3,)}'), (2, 'NaN', '0.00', '0044-03-15 BC', '0044-03-15 12:00:00 BC', '20000-01-01 00:00:00', '{}')`)
	a = fill(t, s, special, "ALTER TABLE s DROP f, DROP d")
	if out, err := runEqual(t, "compare", a, on); err != nil {
		t.Errorf("error %v, output:\n%s", err, out)
	}
}

// A Load's digests are those of its rows on every kind of target, where types
// have texts of their own.
func TestPrefixOfPostgresLoad(t *testing.T) {
	for _, k := range testdb.Sources() {
		s := testdb.Start(t, k)
		name, db := testdb.NewDatabase(t, s)
		if _, err := load.Run(t.Context(), db, load.Options{Seed: 5, Transactions: 120, Flavor: testdb.Postgres}); err != nil {
			t.Fatal(err)
		}
		a := s.URL(name)
		db.Close()
		urls := []string{a}
		for _, target := range prefixKinds() {
			if target == k {
				urls = append(urls, duplicate(t, s, name))
			} else if target == "" || target.Flavor() != testdb.Postgres {
				urls = append(urls, carry(t, a, target))
			}
		}
		for _, url := range urls {
			if out, err := runEqual(t, "prefix", url); err != nil || !strings.Contains(out, "22 tables with digests") {
				t.Errorf("%s: %v, output:\n%s", url, err, out)
			}
			if out, err := runEqual(t, "compare", a, url); err != nil {
				t.Errorf("%s: %v, output:\n%s", url, err, out)
			}
		}
	}
}

// duplicate makes a database as another one is.
func duplicate(t *testing.T, s *testdb.Server, name string) (url string) {
	t.Helper()
	copied, db := testdb.NewDatabase(t, s)
	db.Close()
	if err := s.Exec(t.Context(), "DROP DATABASE "+s.Quote(copied)+" WITH (FORCE)", "CREATE DATABASE "+s.Quote(copied)+" TEMPLATE "+s.Quote(name)); err != nil {
		t.Fatal(err)
	}
	return s.URL(copied)
}

// carry copies a database of PostgreSQL as the judge says it must look on MySQL,
// MariaDB or, of no kind, SQLite.
func carry(t *testing.T, url string, k testdb.Kind) string {
	t.Helper()
	side, err := openPostgres(t.Context(), url, nativeDialect(k))
	if err != nil {
		t.Fatal(err)
	}
	defer side.close()
	tables, err := side.tables(t.Context(), options{}.wants)
	if err != nil {
		t.Fatal(err)
	}
	var statements []string
	strict := ""
	if k == "" {
		strict = " STRICT"
	}
	for _, table := range tables {
		statements = append(statements, "CREATE TABLE "+table.name+" ("+strings.Join(declarations(table, k), ", ")+")"+strict)
		err := side.query(t.Context(), selectRows(table), func(raw [][]byte) error {
			statements = append(statements, "INSERT INTO "+table.name+" VALUES ("+strings.Join(literals(table, raw), ", ")+")")
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if k != "" {
		return nativeGoal(t, k, append([]string{"SET sql_mode = 'NO_BACKSLASH_ESCAPES'", "START TRANSACTION"}, append(statements, "COMMIT")...)...)
	}
	on := newSQLite(t)
	conn, err := sqlite.OpenConn(strings.TrimPrefix(on, "sqlite://"), sqlite.OpenReadWrite)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	for _, q := range append([]string{"BEGIN"}, append(statements, "COMMIT")...) {
		if err := sqlitex.ExecuteTransient(conn, q, nil); err != nil {
			t.Fatalf("%.200s: %v", q, err)
		}
	}
	return on
}

// declarations are the columns and the key of a table.
func declarations(of table, k testdb.Kind) (all []string) {
	for _, c := range of.columns {
		alternatives := strings.Split(string(c.family), "|")
		declared := strings.ReplaceAll(alternatives[len(alternatives)-1], "(*)", "(90)")
		if declared == "text" || declared == "blob" {
			declared = "long" + declared
		}
		if k == "" {
			declared = string(c.family)
		} else if strings.HasPrefix(declared, "varchar") {
			declared += " COLLATE utf8mb4_bin"
		}
		all = append(all, c.name+" "+declared)
	}
	var key []string
	for _, i := range of.key {
		key = append(key, of.columns[i].name)
	}
	if key != nil {
		all = append(all, "PRIMARY KEY ("+strings.Join(key, ", ")+")")
	}
	return all
}

// literals are the values of a row.
func literals(of table, raw [][]byte) (all []string) {
	for i, v := range raw {
		switch {
		case v == nil:
			all = append(all, "NULL")
		case of.columns[i].form == hexForm:
			all = append(all, fmt.Sprintf("x'%s'", v))
		case of.columns[i].form == textForm || of.columns[i].form == momentForm:
			all = append(all, "'"+strings.ReplaceAll(string(v), "'", "''")+"'")
		default:
			all = append(all, string(v))
		}
	}
	return all
}
