package types

import (
	"context"
	"database/sql"

	"github.com/rowferry/rowferry/internal/testdb"
)

// BigUnsigned are values no SQLite integer holds; such a row is to be refused.
func BigUnsigned() Case {
	return Case{Name: "big unsigned", Statements: []string{
		"CREATE TABLE big_unsigned (id INT NOT NULL PRIMARY KEY, u BIGINT UNSIGNED)",
		"INSERT INTO big_unsigned VALUES (1, 1)", "INSERT INTO big_unsigned VALUES (2, 9223372036854775808), (3, 18446744073709551615)",
	}}
}

// NegativeZero is what SQLite may not tell from zero.
func NegativeZero() Case {
	return Case{Name: "negative zero", Statements: []string{
		"CREATE TABLE negative_zero (id INT NOT NULL PRIMARY KEY, f FLOAT, d DOUBLE)",
		"INSERT INTO negative_zero VALUES (1, -0e0, -0e0)",
	}}
}

// Geometry is to be refused.
func Geometry() Case {
	return Case{Name: "geometry", Statements: []string{
		"CREATE TABLE geometry_all (id INT NOT NULL PRIMARY KEY, g GEOMETRY, p POINT, l LINESTRING, y POLYGON)",
		"INSERT INTO geometry_all VALUES (1, ST_GeomFromText('POINT(1 2)'), ST_GeomFromText('POINT(1 2)'), ST_GeomFromText('LINESTRING(0 0, 1 1)'), NULL)",
	}}
}

// Vector is to be refused. MySQL has it, MariaDB from 11.7.
func Vector(f testdb.Flavor) Case {
	value := "STRING_TO_VECTOR('[1,2,3]')"
	if f == testdb.MariaDB {
		value = "VEC_FromText('[1,2,3]')"
	}
	return Case{Name: "vector", Statements: []string{
		"CREATE TABLE vector_all (id INT NOT NULL PRIMARY KEY, v VECTOR(3))", "INSERT INTO vector_all VALUES (1, " + value + ")",
	}}
}

// Reordered changes the labels of ENUM and SET columns between writes, and adds
// some: the same number means another label after it.
func Reordered() Case {
	return Case{Name: "reordered", Statements: []string{
		"CREATE TABLE reordered (id INT NOT NULL PRIMARY KEY, e ENUM('a','b','c'), s SET('a','b','c'))",
		"INSERT INTO reordered VALUES (1, 'a', 'a,b'), (2, 'b', 'c'), (3, 'c', '')",
		"ALTER TABLE reordered MODIFY e ENUM('c','b','a'), MODIFY s SET('c','b','a')",
		"INSERT INTO reordered VALUES (4, 'a', 'a,b'), (5, 'c', 'c')", "UPDATE reordered SET e = 'b' WHERE id = 1",
		"ALTER TABLE reordered MODIFY e ENUM('n','c','b','a'), MODIFY s SET('c','b','a','n')",
		"INSERT INTO reordered VALUES (6, 'n', 'n,a')", "DELETE FROM reordered WHERE id = 2",
	}}
}

// Versioned are MariaDB's system-versioned tables: with hidden and with named
// period columns. The server's own SELECT shows current rows only.
func Versioned() Case {
	return Case{Name: "versioned", Flavor: testdb.MariaDB, Statements: []string{
		"CREATE TABLE versioned_hidden (id INT NOT NULL PRIMARY KEY, a INT) WITH SYSTEM VERSIONING",
		"CREATE TABLE versioned_named (id INT NOT NULL PRIMARY KEY, a INT, f TIMESTAMP(6) GENERATED ALWAYS AS ROW START, u TIMESTAMP(6) GENERATED ALWAYS AS ROW END, PERIOD FOR SYSTEM_TIME (f, u)) WITH SYSTEM VERSIONING",
		"INSERT INTO versioned_hidden VALUES (1, 1), (2, 2), (3, 3)", "UPDATE versioned_hidden SET a = 10 WHERE id = 1", "DELETE FROM versioned_hidden WHERE id = 2",
		"INSERT INTO versioned_named (id, a) VALUES (1, 1), (2, 2), (3, 3)", "UPDATE versioned_named SET a = 10 WHERE id = 1", "DELETE FROM versioned_named WHERE id = 2",
	}}
}

// CompressedColumns are MariaDB's, logged as types of their own.
func CompressedColumns() Case {
	var s script
	s.table("compressed_columns", "v VARCHAR(1000) COMPRESSED, t TEXT COMPRESSED, b BLOB COMPRESSED, vb VARBINARY(1000) COMPRESSED",
		"REPEAT('日本', 300), REPEAT('x', 60000), REPEAT(x'00', 60000), REPEAT(x'FF', 900)", "'a', 'b', x'00', x''", repeated("''", 4), repeated("NULL", 4))
	return Case{Name: "compressed columns", Flavor: testdb.MariaDB, Statements: s}
}

// Sequence is MariaDB's: not a table, but logged as rows of one.
func Sequence() Case {
	return Case{Name: "sequence", Flavor: testdb.MariaDB, Statements: []string{
		"CREATE SEQUENCE numbers START WITH 10", "CREATE TABLE numbered (id BIGINT NOT NULL PRIMARY KEY DEFAULT NEXTVAL(numbers), a INT)",
		"INSERT INTO numbered (a) VALUES (1), (2)", "SELECT NEXTVAL(numbers)",
	}}
}

// OldTemporal makes temporal columns in the format MariaDB had before 10.1, as a
// table that was never rebuilt still has. It sets a global variable, so db must
// be of a private server.
func OldTemporal(ctx context.Context, db *sql.DB) error {
	var s script
	s.add("SET GLOBAL mysql56_temporal_format = OFF")
	s.table("old_temporal", "t TIME, d DATETIME, ts TIMESTAMP NULL, t6 TIME(6), d6 DATETIME(6), ts3 TIMESTAMP(3) NULL",
		"'-838:59:59', '9999-12-31 23:59:59', '2038-01-19 03:14:07', '-00:00:00.000001', '2024-02-29 12:30:45.123456', '2024-02-29 12:30:45.123'",
		"'00:00:00', '0000-00-00 00:00:00', '1970-01-01 00:00:01', '838:59:59.999999', '1000-01-01 00:00:00', NULL")
	s.add("SET GLOBAL mysql56_temporal_format = ON")
	return Case{Name: "old temporal", Flavor: testdb.MariaDB, Statements: s}.Run(ctx, db)
}
