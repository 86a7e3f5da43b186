package types

import (
	"fmt"
	"strings"

	"github.com/rowferry/rowferry/internal/testdb"
)

func generated() []string {
	var s script
	s.add("CREATE TABLE gen_all (id INT NOT NULL PRIMARY KEY, v INT AS (a * 2) VIRTUAL, a INT UNSIGNED, st VARCHAR(40) AS (CONCAT('n', a)) STORED, b TINYINT UNSIGNED, v2 VARCHAR(40) AS (UPPER(name)) VIRTUAL, name VARCHAR(20), KEY (v))",
		"INSERT INTO gen_all (id, a, b, name) VALUES (1, 5, 255, 'straße'), (2, NULL, 0, NULL), (3, 1000000000, 128, 'x'), (4, 7, 7, 'gone')",
		"UPDATE gen_all SET a = a + 1, name = CONCAT(name, 'é')", "DELETE FROM gen_all WHERE id = 4",
		"CREATE TABLE gen_unique (id INT NOT NULL PRIMARY KEY, mail VARCHAR(40), low VARCHAR(40) AS (LOWER(mail)) VIRTUAL, UNIQUE KEY (low))",
		"INSERT INTO gen_unique (id, mail) VALUES (1, 'A@x'), (2, 'B@x')",
		"UPDATE gen_unique SET mail = 'C@X' WHERE id = 1", "DELETE FROM gen_unique WHERE id = 2", "INSERT INTO gen_unique (id, mail) VALUES (3, 'b@x')",
		// The sign of a column behind others, one of them virtual.
		"CREATE TABLE gen_before (id INT NOT NULL PRIMARY KEY, v INT AS (id * 2) VIRTUAL, u TINYINT UNSIGNED, s TINYINT, m MEDIUMINT UNSIGNED)",
		"INSERT INTO gen_before (id, u, s, m) VALUES (1, 255, -1, 16777215), (2, 128, -128, 8388608)",
		"UPDATE gen_before SET u = u - 1, m = m - 1")
	return s
}

// mysqlGeneratedKey: MariaDB takes no primary key on a generated column.
func mysqlGeneratedKey() []string {
	return []string{
		"CREATE TABLE gen_pk (a INT NOT NULL, k INT AS (a * 10) STORED, b INT, PRIMARY KEY (k))",
		"INSERT INTO gen_pk (a, b) VALUES (1, 1), (2, 2), (3, 3), (4, 4)",
		"UPDATE gen_pk SET b = b + 1 WHERE k = 10", "UPDATE gen_pk SET a = 20 WHERE k = 20", "DELETE FROM gen_pk WHERE k = 30",
	}
}

// names are hostile to quoting on either side.
func names() []string {
	var s script
	name := func(n string) string { return "`" + strings.ReplaceAll(n, "`", "``") + "`" }
	for _, n := range []string{
		"select", "with space", `do"uble`, "sing'le", "back`tick", `back\slash`, "semi;colon", "per%cent", "do.t", "über", "日本語", "-dash", "123", "a$b",
		"UPPER", "comment --", "/* c */", "new\nline", "?", ":p", "@v", "#h", "(x)", "[y]", strings.Repeat("n", 64), strings.Repeat("é", 64),
	} {
		t, c := name(n), name(n)
		s.add(fmt.Sprintf("CREATE TABLE %s (%s INT NOT NULL PRIMARY KEY, %s INT, `rowid` INT, `order` INT)", t, c, name(cut("x "+n))),
			fmt.Sprintf("INSERT INTO %s VALUES (1, 1, 1, 1), (2, 2, 2, 2), (3, 3, 3, 3)", t),
			fmt.Sprintf("UPDATE %s SET %s = 10 WHERE %s = 1", t, c, c), fmt.Sprintf("DELETE FROM %s WHERE %s = 3", t, c))
	}
	s.add("SET SESSION sql_mode = 'ANSI_QUOTES,NO_BACKSLASH_ESCAPES'",
		`CREATE TABLE "ansi ""t""" ("col ""c""" INT NOT NULL PRIMARY KEY, "b\" VARCHAR(10) DEFAULT '\' COMMENT 'it''s "so"')`,
		`INSERT INTO "ansi ""t""" ("col ""c""") VALUES (1), (2)`, `UPDATE "ansi ""t""" SET "b\" = 'x\' WHERE "col ""c""" = 2`,
		"SET SESSION sql_mode = ''")
	return s
}

// cut shortens a name to the 64 characters the servers take.
func cut(n string) string {
	r := []rune(n)
	return string(r[:min(len(r), 64)])
}

// keyless are rows only their whole image tells apart, or not even that.
func keyless() []string {
	var s script
	s.add("CREATE TABLE keyless (a INT, f FLOAT, d DOUBLE, t VARCHAR(10), b BINARY(4), j DECIMAL(5,2))",
		"INSERT INTO keyless VALUES "+repeated("(1, 1.1, 0.30000000000000004, 'x ', x'01', 1.50)", 5)+", "+repeated("(NULL, NULL, NULL, NULL, NULL, NULL)", 3)+", (2, 1.1, 0.3, '', x'', 0)",
		"UPDATE keyless SET a = 9 WHERE a = 1 LIMIT 2", "DELETE FROM keyless WHERE a = 1 LIMIT 1",
		"UPDATE keyless SET t = 'was null' WHERE a IS NULL LIMIT 1", "DELETE FROM keyless WHERE a IS NULL AND t IS NULL LIMIT 1",
		// A unique key that may be NULL identifies nothing.
		"CREATE TABLE keyless_unique (u INT, v INT, UNIQUE KEY (u))",
		"INSERT INTO keyless_unique VALUES (NULL, 1), (NULL, 1), (1, 1)", "UPDATE keyless_unique SET v = 2 WHERE u IS NULL LIMIT 1",
		"CREATE TABLE keyless_notnull (u INT NOT NULL, v INT, UNIQUE KEY (u))",
		"INSERT INTO keyless_notnull VALUES (1, 1), (2, 2)", "UPDATE keyless_notnull SET v = 3 WHERE u = 1", "DELETE FROM keyless_notnull WHERE u = 2")
	return s
}

// wide has more columns than fit a small bitmap, every third of them NULL.
func wide() []string {
	var s script
	row := strings.TrimSuffix(strings.Repeat("1, NULL, 3, ", 100), ", ")
	s.table("wide_300", columns("c", 1, 300, "SMALLINT"), row, repeated("NULL", 300), repeated("7", 300))
	s.add("UPDATE wide_300 SET c1 = NULL, c150 = 5, c299 = 6, c300 = NULL")
	return s
}

func invisible(f testdb.Flavor) []string {
	// MariaDB wants a default where MySQL wants none.
	var s script
	s.add("CREATE TABLE invisible_all (id INT NOT NULL PRIMARY KEY, a INT, hidden INT DEFAULT 7 INVISIBLE, b INT)",
		"INSERT INTO invisible_all VALUES (1, 2, 3), (2, 3, 4), (3, 4, 5)", "INSERT INTO invisible_all (id, hidden) VALUES (4, 40)",
		"UPDATE invisible_all SET hidden = 70 WHERE id = 1", "DELETE FROM invisible_all WHERE id = 3")
	pk := "k INT NOT NULL AUTO_INCREMENT INVISIBLE PRIMARY KEY"
	if f == testdb.MariaDB {
		pk = "k INT NOT NULL AUTO_INCREMENT PRIMARY KEY INVISIBLE"
	}
	s.add("CREATE TABLE invisible_pk ("+pk+", a INT)",
		"INSERT INTO invisible_pk (a) VALUES (1), (1), (1)", "UPDATE invisible_pk SET a = 2 WHERE k = 2", "DELETE FROM invisible_pk WHERE k = 3")
	return s
}

// mysqlGIPK: the server adds a key nobody asked for.
func mysqlGIPK() []string {
	return []string{
		"SET SESSION sql_generate_invisible_primary_key = ON",
		"CREATE TABLE gipk_on (a INT, b VARCHAR(10))",
		"SET SESSION sql_generate_invisible_primary_key = OFF",
		"INSERT INTO gipk_on VALUES (1, 'x'), (1, 'x'), (2, 'y')", "UPDATE gipk_on SET b = 'z' WHERE my_row_id = 2", "DELETE FROM gipk_on WHERE a = 2",
	}
}

// mariadbTypes are those MySQL lacks.
func mariadbTypes() []string {
	var s script
	v1, v4, v7 := "'c8e6f3a0-9f1b-11ee-8c90-0242ac120002'", "'9b2e0d3e-6f3f-4d0e-a2f1-0c5a7d9e8b1f'", "'018cd9f4-5a3b-7cde-8f01-23456789abcd'"
	s.table("uuid_all", "u UUID, i4 INET4, i6 INET6",
		v1+", '192.168.0.1', '2001:db8::ff00:42:8329'", v4+", '255.255.255.255', '::'", v7+", '0.0.0.0', '::ffff:192.168.0.1'",
		"'00000000-0000-0000-0000-000000000000', '127.0.0.1', 'ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff'",
		"'FFFFFFFF-FFFF-FFFF-FFFF-FFFFFFFFFFFF', '10.0.0.0', 'fe80::1'", "'00000000-0000-0000-0000-000000000001', '1.2.3.4', '::1.2.3.4'", "NULL, NULL, NULL")
	s.keyed("uuid_pk", "UUID", v1, v4, v7, "'00000000-0000-0000-0000-000000000000'", "'11223344-5566-7788-9900-112233440000'")
	s.add("UPDATE uuid_pk SET k = 'c8e6f3a0-9f1b-11ee-8c90-000000000000' WHERE k = " + v1)
	s.keyed("inet4_pk", "INET4", "'10.0.0.0'", "'0.0.0.0'", "'255.255.255.255'")
	s.keyed("inet6_pk", "INET6", "'fe80::'", "'::'", "'::ffff:1.2.3.4'", "'2001:db8::1'")
	return s
}
