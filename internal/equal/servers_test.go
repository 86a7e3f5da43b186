package main

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/rowferry/rowferry/internal/testdb"
)

func TestMain(m *testing.M) { testdb.Main(m) }

// source has every type of MySQL with values whose text differs between
// servers. MariaDB's own are added.
var source = []string{
	`CREATE TABLE n (id INT UNSIGNED PRIMARY KEY, t TINYINT, tu TINYINT UNSIGNED, s SMALLINT, su SMALLINT UNSIGNED, m MEDIUMINT,
		mu MEDIUMINT UNSIGNED, i INT, b BIGINT, bu BIGINT UNSIGNED, y YEAR, x BIT(12), z INT(7) ZEROFILL, f FLOAT, d DOUBLE, c DECIMAL(30,10))`,
	`INSERT INTO n VALUES (1, -128, 255, -32768, 65535, -8388608, 16777215, -2147483648, -9223372036854775808, 18446744073709551615,
		2155, b'100000000001', 42, 1.1, 0.1e0 + 0.2e0, -0.5),
		(2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0), (3, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, 3.402823466e38, 5e-324, NULL)`,
	`CREATE TABLE m (k VARCHAR(20) COLLATE utf8mb4_bin, v VARBINARY(9), c CHAR(6), e ENUM('a','é'), s SET('x','y'), tx LONGTEXT, bl LONGBLOB, j JSON,
		da DATE, dt DATETIME(6), d0 DATETIME, ts TIMESTAMP(3) NULL, ti TIME(6), t0 TIME, PRIMARY KEY (k, v))`,
	`INSERT INTO m VALUES ('it''s \\ 😀', x'00FF', 'ab ', 'é', 'x,y', '\t', x'', '{"a": [null], "b": 1}',
		'0001-02-03', '2024-02-29 12:30:45.100000', '9999-12-31 23:59:59', '2038-01-19 03:14:07.120', '-838:59:58.000001', '838:59:59'),
		('B', x'', '', 'a', '', ' ', NULL, '1', NULL, '2024-02-29 00:00:00.000000', NULL, NULL, '-00:00:00.000001', '-100:00:00'),
		('a', x'', '', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, '00:00:00', '25:00:00')`,
	`CREATE TABLE keyless (a INT, b VARCHAR(9))`,
	`INSERT INTO keyless VALUES (1, 'x'), (1, 'x'), (2, NULL)`,
}

// carried is what source becomes on PostgreSQL.
const carried = `
CREATE SCHEMA shop; SET search_path = shop; SET TimeZone = 'Asia/Kolkata';
CREATE TABLE n (id bigint PRIMARY KEY, t smallint, tu smallint, s smallint, su integer, m integer, mu integer, i integer, b bigint, bu numeric(20,0),
	y smallint, x bit(12), z bigint, f real, d double precision, c numeric(30,10));
INSERT INTO n VALUES (1, -128, 255, -32768, 65535, -8388608, 16777215, -2147483648, -9223372036854775808, 18446744073709551615,
	2155, b'100000000001', 42, 1.1, 0.1::float8 + 0.2::float8, -0.5), (2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, b'000000000000', 0, 0, 0, 0),
	(3, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, 3.402823466e38, 5e-324, NULL);
CREATE TABLE m (k varchar(20), v bytea, c varchar(6), e text, s text, tx text, bl bytea, j json, da date, dt timestamp(6), d0 timestamp(0), ts timestamptz(3),
	ti interval(6), t0 interval(0), PRIMARY KEY (k, v));
INSERT INTO m VALUES (E'it''s \\ 😀', '\x00FF', 'ab', 'é', 'x,y', E'\t', '', '{"a": [null], "b": 1}',
	'0001-02-03', '2024-02-29 12:30:45.1', '9999-12-31 23:59:59', '2038-01-19 03:14:07.12+00', '-838:59:58.000001', '838:59:59'),
	('B', '', '', 'a', '', ' ', NULL, '1', NULL, '2024-02-29', NULL, NULL, '-00:00:00.000001', '-100:00:00'),
	('a', '', '', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, '0', '25:00:00');
CREATE TABLE keyless (b varchar(9), a integer);
INSERT INTO keyless VALUES ('x', 1), (NULL, 2), ('x', 1);
CREATE TABLE rowferry_checkpoint (x int);`

func TestPostgres(t *testing.T) {
	for _, k := range testdb.Targets() {
		if k.Flavor() != testdb.Postgres {
			continue
		}
		pg := testdb.Start(t, k)
		for i, k := range testdb.Kinds() {
			a := fill(t, testdb.Start(t, k), source...)
			b := fill(t, pg, carried)
			out, err := runEqual(t, "compare", a, b)
			if err != nil || !strings.Contains(out, "3 tables, 9 rows") {
				t.Errorf("%s: error %v, output:\n%s", k, err, out)
			}
			if out, err := runEqual(t, "compare", b, b); err != nil {
				t.Errorf("PostgreSQL with itself: error %v, output:\n%s", err, out)
			}
			if i > 0 {
				continue // the differences are the target's
			}
			for name, change := range map[string]string{
				"a type":                "ALTER TABLE n ALTER bu TYPE numeric",
				"a longer text":         "ALTER TABLE m ALTER k TYPE varchar(21)",
				"fewer digits":          "ALTER TABLE m ALTER d0 TYPE timestamp(1)",
				"a wider integer":       "ALTER TABLE n ALTER t TYPE integer",
				"a time without zone":   "ALTER TABLE m ALTER ts TYPE timestamp",
				"text for json":         "ALTER TABLE m ALTER e TYPE json USING NULL",
				"a key":                 "ALTER TABLE m DROP CONSTRAINT m_pkey",
				"the key's order":       "ALTER TABLE m DROP CONSTRAINT m_pkey, ADD PRIMARY KEY (v, k)",
				"one bit of a single":   "UPDATE n SET f = 1.1000001 WHERE id = 1",
				"one bit of a double":   "UPDATE n SET d = 0.3 WHERE id = 1",
				"a sign of zero":        "UPDATE n SET f = '-0' WHERE id = 2",
				"a microsecond":         "UPDATE m SET dt = dt + '1 us' WHERE k = 'B'",
				"an hour":               "UPDATE m SET ts = ts + '1 hour'",
				"days for hours":        "UPDATE m SET t0 = justify_hours(t0) WHERE k = 'a'",
				"spaces in json":        `UPDATE m SET j = '{"a":[null], "b": 1}' WHERE c = 'ab'`,
				"a bit":                 "UPDATE n SET x = b'100000000000' WHERE id = 1",
				"a large number":        "UPDATE n SET bu = bu - 1 WHERE id = 1",
				"a small number":        "UPDATE n SET c = c + 0.0000000001 WHERE id = 1",
				"empty for null":        "UPDATE m SET bl = '' WHERE k = 'B'",
				"a row twice":           "INSERT INTO keyless VALUES ('x', 1)",
				"a table in a schema":   "CREATE SCHEMA other; CREATE TABLE other.more (a int)",
				"a table beside others": "CREATE TABLE more (a int)",
			} {
				b := fill(t, pg, carried, "SET search_path = shop; "+change)
				if out, err := runEqual(t, "compare", a, b); !errors.Is(err, errDifferent) {
					t.Errorf("%s, %s: error %v, output:\n%s", k, name, err, out)
				}
			}
		}
	}
}

// A name qualifies tables only where there are several databases.
func TestSeveralDatabases(t *testing.T) {
	my, pg := testdb.Start(t, testdb.MySQL97), testdb.Start(t, testdb.Postgres15)
	one := fill(t, my, "CREATE TABLE t (a INT PRIMARY KEY)", "INSERT INTO t VALUES (1)")
	two := fill(t, my, "CREATE TABLE t (a INT PRIMARY KEY)", "INSERT INTO t VALUES (2)")
	base := one[:strings.LastIndex(one, "/")]
	first, second := one[len(base)+1:], two[len(base)+1:]
	b := fill(t, pg, "CREATE SCHEMA "+first+"; CREATE SCHEMA "+second+"; CREATE TABLE "+first+".t (a integer PRIMARY KEY); CREATE TABLE "+second+
		".t (a integer PRIMARY KEY); INSERT INTO "+first+".t VALUES (1); INSERT INTO "+second+".t VALUES (2)")
	both := base + "/?database=" + first + "&database=" + second
	for _, c := range []struct {
		a, b  string
		equal bool
	}{
		{both, b, true}, {one, b + "?schema=" + first, true}, {one, b + "?schema=" + second, false}, {one, b, false}, {both, both, true},
	} {
		out, err := runEqual(t, "compare", c.a, c.b)
		if (err == nil) != c.equal {
			t.Errorf("%s with %s: error %v, output:\n%s", c.a, c.b, err, out)
		}
	}
}

// Between MySQL and MariaDB, in each direction, and what only one of them has.
func TestMySQLTarget(t *testing.T) {
	my, maria := testdb.Start(t, testdb.MySQL97), testdb.Start(t, testdb.MariaDB1011)
	own := []string{"CREATE TABLE o (id INT PRIMARY KEY, u UUID, i4 INET4, i6 INET6)",
		"INSERT INTO o VALUES (1, '123e4567-e89b-12d3-a456-426655440000', '192.0.2.1', '2001:db8::1')"}
	carriedOwn := []string{"CREATE TABLE o (id INT PRIMARY KEY, u VARCHAR(36), i4 VARCHAR(15), i6 VARCHAR(45))", own[1]}
	onMaria := fill(t, maria, append(own, source...)...)
	asText := fill(t, my, append(carriedOwn, source...)...)
	onMySQL := fill(t, my, source...)
	again := fill(t, maria, source...)
	for _, c := range []struct {
		a, b  string
		equal bool
	}{{onMySQL, again, true}, {again, onMySQL, true}, {onMaria, asText, true}, {again, onMaria, false}} {
		if out, err := runEqual(t, "compare", c.a, c.b); (err == nil) != c.equal {
			t.Errorf("%s with %s: error %v, output:\n%s", c.a, c.b, err, out)
		}
	}
	for name, change := range map[string]string{
		"a sign":     "ALTER TABLE n MODIFY t TINYINT UNSIGNED",
		"a label":    "ALTER TABLE m MODIFY e ENUM('a','é','ü')",
		"a fraction": "ALTER TABLE m MODIFY d0 DATETIME(1)",
		"a width":    "ALTER TABLE n MODIFY m INT",
		"a single":   "UPDATE n SET f = 1.1000001 WHERE id = 1",
		"a bit":      "UPDATE n SET x = 1 WHERE id = 1",
	} {
		statements := append(append([]string(nil), source...), strings.Replace(change, "TABLE n MODIFY t", "IGNORE TABLE n MODIFY t", 1))
		b := fill(t, maria, statements...)
		if out, err := runEqual(t, "compare", onMySQL, b); !errors.Is(err, errDifferent) {
			t.Errorf("%s: error %v, output:\n%s", name, err, out)
		}
	}
}

// fill makes a database of statements, run in one session.
func fill(t *testing.T, s *testdb.Server, statements ...string) (url string) {
	t.Helper()
	name, pool := testdb.NewDatabase(t, s)
	conn, err := pool.Conn(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if s.Kind.Flavor() != testdb.Postgres {
		statements = append([]string{"SET sql_mode = ''"}, statements...)
	}
	for _, q := range statements {
		if _, err := conn.ExecContext(t.Context(), q); err != nil {
			t.Fatalf("%.100s: %v", q, err)
		}
	}
	return s.URL(name)
}
