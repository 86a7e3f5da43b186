// Package types makes tables with every column type of MySQL and MariaDB and its
// extremes, and writes, updates and deletes rows of them. What a target must
// refuse, or may, is made by functions of its own.
package types

import (
	"context"
	"database/sql"
	"fmt"
	"strings"

	"github.com/rowferry/rowferry/internal/testdb"
)

// Case is one family of types: statements to be run in order in one session.
type Case struct {
	Name       string
	Flavor     testdb.Flavor // the only one that has it; empty for both
	Statements []string
}

// session is what every case begins with. The empty sql_mode lets zero dates in.
var session = []string{
	"SET NAMES utf8mb4",
	"SET SESSION sql_mode = '', time_zone = '+00:00', foreign_key_checks = 1",
}

// Cases returns what Create makes, by family.
func Cases(f testdb.Flavor) []Case {
	all := []Case{
		{Name: "integers", Statements: integers()},
		{Name: "bits", Statements: bits()},
		{Name: "decimals", Statements: decimals()},
		{Name: "floats", Statements: floats()},
		{Name: "charsets", Statements: charsets(f)},
		{Name: "strings", Statements: texts(f)},
		{Name: "binary", Statements: binaries()},
		{Name: "enums", Statements: enums()},
		{Name: "temporal", Statements: temporal()},
		{Name: "zones", Statements: zones()},
		{Name: "json", Statements: jsons()},
		{Name: "generated", Statements: generated()},
		{Name: "names", Statements: names()},
		{Name: "keyless", Statements: keyless()},
		{Name: "wide", Statements: wide()},
		{Name: "invisible", Statements: invisible(f)},
		{Name: "json binary", Flavor: testdb.MySQL, Statements: mysqlJSON()},
		{Name: "generated key", Flavor: testdb.MySQL, Statements: mysqlGeneratedKey()},
		{Name: "generated invisible key", Flavor: testdb.MySQL, Statements: mysqlGIPK()},
		{Name: "uuid and inet", Flavor: testdb.MariaDB, Statements: mariadbTypes()},
	}
	var cases []Case
	for _, c := range all {
		if c.Flavor == "" || c.Flavor == f {
			cases = append(cases, c)
		}
	}
	return cases
}

// Create makes all tables a target must hold, in the database db is in.
func Create(ctx context.Context, db *sql.DB, f testdb.Flavor) error {
	for _, c := range Cases(f) {
		if err := c.Run(ctx, db); err != nil {
			return err
		}
	}
	return nil
}

// Run runs the case's statements in one session of the database db is in.
func (c Case) Run(ctx context.Context, db *sql.DB) error {
	conn, err := db.Conn(ctx)
	if err != nil {
		return fmt.Errorf("types: %s: %w", c.Name, err)
	}
	defer conn.Close()
	for _, q := range append(append([]string(nil), session...), c.Statements...) {
		if _, err := conn.ExecContext(ctx, q); err != nil {
			return fmt.Errorf("types: %s: %.300s: %w", c.Name, q, err)
		}
	}
	// The session goes back to the pool as it came.
	if _, err := conn.ExecContext(ctx, "SET SESSION sql_mode = DEFAULT, time_zone = '+00:00'"); err != nil {
		return fmt.Errorf("types: %s: %w", c.Name, err)
	}
	return nil
}

// script collects statements.
type script []string

func (s *script) add(statements ...string) { *s = append(*s, statements...) }

// table makes a table with the columns, an integer key before and a column ver
// after them, and gives every row three lives: inserted, inserted under another
// key and deleted, updated. A row is its values, comma separated.
func (s *script) table(name, columns string, rows ...string) {
	s.add(fmt.Sprintf("CREATE TABLE `%s` (id INT NOT NULL PRIMARY KEY, %s, ver INT NOT NULL)", name, columns))
	for i, row := range rows {
		s.add(fmt.Sprintf("INSERT INTO `%s` VALUES (%d, %s, 0), (%d, %s, 0)", name, i+1, row, 1000+i, row))
	}
	s.add(
		fmt.Sprintf("UPDATE `%s` SET ver = ver + 1 WHERE id %% 2 = 1", name),
		fmt.Sprintf("DELETE FROM `%s` WHERE id >= 1000", name))
}

// keyed makes a table whose key has the type, with one row per value, all
// updated by key, the first deleted by key and inserted again.
func (s *script) keyed(name, keyType string, values ...string) {
	s.add(fmt.Sprintf("CREATE TABLE `%s` (k %s NOT NULL PRIMARY KEY, ver INT NOT NULL)", name, keyType))
	for _, v := range values {
		s.add(fmt.Sprintf("INSERT INTO `%s` VALUES (%s, 0)", name, v))
	}
	first := fmt.Sprintf("INSERT INTO `%s` VALUES (%s, 10)", name, values[0])
	s.add(
		fmt.Sprintf("UPDATE `%s` SET ver = ver + 1", name),
		fmt.Sprintf("DELETE FROM `%s` WHERE k = %s", name, values[0]), first)
}

// columns lists numbered definitions: columns("b", 1, 3, "BIT(%d)") is
// "b1 BIT(1), b2 BIT(2), b3 BIT(3)".
func columns(prefix string, from, to int, definition string) string {
	var all []string
	for i := from; i <= to; i++ {
		all = append(all, fmt.Sprintf("%s%d %s", prefix, i, strings.ReplaceAll(definition, "%d", fmt.Sprint(i))))
	}
	return strings.Join(all, ", ")
}

// repeated lists the same value n times.
func repeated(value string, n int) string {
	return strings.TrimSuffix(strings.Repeat(value+", ", n), ", ")
}
