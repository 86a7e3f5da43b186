package types

import (
	"fmt"
	"strings"

	"github.com/rowferry/rowferry/internal/testdb"
)

// quote makes a literal for a session whose sql_mode is empty.
func quote(s string) string {
	return "'" + strings.NewReplacer(`\`, `\\`, `'`, `\'`, "\x00", `\0`, "\n", `\n`).Replace(s) + "'"
}

// texts are lengths, spaces and collations.
func texts(f testdb.Flavor) []string {
	var s script
	// Around the lengths where the log changes how it writes them.
	s.table("string_lengths", "c1 CHAR(1), c63 CHAR(63), c64 CHAR(64), c255 CHAR(255), v63 VARCHAR(63), v64 VARCHAR(64), v255 VARCHAR(255), v256 VARCHAR(256), l1 VARCHAR(255) CHARACTER SET latin1, l2 VARCHAR(256) CHARACTER SET latin1, c0 CHAR(0), v0 VARCHAR(0)",
		fmt.Sprintf("'😀', REPEAT('é', 63), REPEAT('日', 64), REPEAT('😀', 255), %s, REPEAT('x', 255), REPEAT('x', 256), '', ''",
			"REPEAT('日', 63), REPEAT('😀', 64), REPEAT('😀', 255), REPEAT('日', 256)"),
		repeated("''", 12), repeated("NULL", 12))
	s.table("string_spaces", "c CHAR(10), v VARCHAR(10), t TEXT", "'a  ', 'a  ', 'a  '", "'  a', '  a', '  a'", "'   ', '   ', '   '", `'a\0', 'a\0', 'a\0'`, `'\t', '\n', '\r\n'`, `'\\', '\'', '"'`)
	s.table("string_long", "t TEXT, m MEDIUMTEXT, l LONGTEXT",
		"REPEAT('x', 65535), REPEAT('日本', 20000), REPEAT('😀', 300000)", "REPEAT('é', 32767), '', REPEAT('a', 70000)", repeated("NULL", 3))
	s.add("CREATE TABLE string_max (id INT NOT NULL PRIMARY KEY, v VARCHAR(16000)) CHARACTER SET utf8mb4",
		"INSERT INTO string_max VALUES (1, REPEAT('😀', 16000)), (2, 'x')", "UPDATE string_max SET v = CONCAT(LEFT(v, 15999), 'y')")
	s.keyed("string_pk_ci", "VARCHAR(20) COLLATE utf8mb4_general_ci", "'Straße'", "'a'", "'b '", "'é1'")
	s.keyed("string_pk_bin", "VARCHAR(20) COLLATE utf8mb4_bin", "'a'", "'A'", "'á'", "'ß'", "'ss'")
	s.keyed("string_pk_char", "CHAR(8) CHARACTER SET latin1", "'ab '", "'c'", "''")
	noPad := "utf8mb4_0900_bin"
	if f == testdb.MariaDB {
		noPad = "utf8mb4_nopad_bin"
	}
	s.keyed("string_pk_nopad", "VARCHAR(20) COLLATE "+noPad, "'a'", "'a '", "'A'", "'a  '")
	s.add("CREATE TABLE string_pk_change (k VARCHAR(20) COLLATE utf8mb4_general_ci NOT NULL, l VARCHAR(10) CHARACTER SET latin1 NOT NULL, n INT, PRIMARY KEY (k, l))",
		"INSERT INTO string_pk_change VALUES ('a', 'é', 1), ('b', 'é', 2)",
		"UPDATE string_pk_change SET k = 'A' WHERE k = 'a'", "UPDATE string_pk_change SET l = 'ê' WHERE k = 'b'")
	return s
}

func binaries() []string {
	var s script
	s.table("binary_all", "b1 BINARY(1), b16 BINARY(16), b255 BINARY(255), v VARBINARY(20), v300 VARBINARY(300), t TINYBLOB, b BLOB, m MEDIUMBLOB, l LONGBLOB, b0 BINARY(0)",
		"x'00', x'0102', x'FF', x'0100', x'00', x'00', x'00FF00', x'', x'DEADBEEF', ''",
		"x'20', x'61620000', x'2020', x'202020', REPEAT(x'FF', 300), REPEAT('x', 255), REPEAT(x'00', 65535), REPEAT(x'0A', 70000), REPEAT(x'80', 1000000), ''",
		repeated("''", 10), repeated("NULL", 10))
	s.keyed("binary_pk", "BINARY(16)", "x'11223344556677889900112233440000'", "x'01'", "x''", "x'FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF'", "x'2000'")
	s.add("UPDATE binary_pk SET k = x'AB00' WHERE k = x'01000000000000000000000000000000'")
	s.keyed("binary_pk_var", "VARBINARY(16)", "x'00'", "x'0000'", "x''", "x'FF'", "x'20'")
	s.add("CREATE TABLE binary_charset (id INT NOT NULL PRIMARY KEY, c CHAR(8), v VARCHAR(8), t TEXT) CHARACTER SET binary",
		`INSERT INTO binary_charset VALUES (1, 'ab', 'ab', 'ab'), (2, x'FF00', x'FF00', x'FF00'), (3, NULL, NULL, NULL)`,
		"UPDATE binary_charset SET v = c", "DELETE FROM binary_charset WHERE id = 3")
	return s
}

// labels returns n quoted labels.
func labels(n int) string {
	var all []string
	for i := range n {
		all = append(all, fmt.Sprintf("'label %d'", i))
	}
	return strings.Join(all, ", ")
}

func enums() []string {
	var s script
	odd := `'', ' x', 'it''s', 'back\\slash', '"', '0', '1', 'ß', '日本', 'a;b'`
	s.table("enum_all", "e ENUM('a','b','c'), e300 ENUM("+labels(300)+"), odd ENUM("+odd+"), s SET('a','b','c'), s9 SET("+labels(9)+"), s64 SET("+labels(64)+")",
		"'a', 1, 1, '', 0, 0", "'c', 300, 10, 'a,b,c', 511, 18446744073709551615", "'b', 256, 4, 'c,a', 256, 9223372036854775808",
		"'B', 255, '1', 'b', 1, 1", repeated("NULL", 6))
	s.add("INSERT IGNORE INTO enum_all VALUES (20, 'bad', 'bad', 'bad', 'bad,a', 'bad', 'bad', 0)",
		"UPDATE enum_all SET e = 3 WHERE id = 20", "INSERT IGNORE INTO enum_all (id, e, ver) VALUES (21, 'bad', 0)")
	s.keyed("enum_pk", "ENUM('z','y','x')", "'x'", "'y'", "'z'")
	s.keyed("set_pk", "SET('z','y','x')", "'z,x'", "'y'", "''")
	return s
}
