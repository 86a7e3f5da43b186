package main

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/go-sql-driver/mysql"
	"zombiezen.com/go/sqlite"
)

// The text of a digest is as the source's triggers write it: integers, BIT and
// YEAR in decimal, true and false as 1 and 0, bytes in upper-case hexadecimal, all
// else as the source prints it.

// MySQL's errors for a table made after the snapshot was taken, and for one being
// made, whose maker waits for a parent table that was read already.
const (
	errTooNew   = 1412
	errDeadlock = 1213
)

// tableIsTooNew reports whether the target's tables were being made meanwhile, so
// that they are to be read again in a snapshot of a later moment.
func tableIsTooNew(err error) bool {
	var e *mysql.MySQLError
	return errors.As(err, &e) && (e.Number == errTooNew || e.Number == errDeadlock)
}

func (s *mysqlSide) names(ctx context.Context) (map[string]bool, error) {
	if len(s.databases) != 1 {
		return nil, errors.New("a load is in one database")
	}
	all, err := s.strings(ctx, `SELECT TABLE_NAME FROM information_schema.TABLES
		WHERE TABLE_TYPE = 'BASE TABLE' AND TABLE_SCHEMA = `+mysqlString(s.databases[0]))
	return wantedNames(all), err
}

func wantedNames(all []string) map[string]bool {
	names := map[string]bool{}
	for _, name := range all {
		if (options{}).wants(name) {
			names[name] = true
		}
	}
	return names
}

func (s *mysqlSide) values(ctx context.Context, name string, columns []string, each func([][]byte) error) error {
	t, err := s.table(ctx, s.databases[0], name)
	if err != nil {
		return err
	}
	return s.digestTexts(ctx, t, columns, each, func(c column) string {
		switch {
		case c.form == integerForm:
			return c.expr
		case c.form == blobForm:
			return "HEX(" + c.expr + ")"
		case strings.HasPrefix(string(c.family), "float") || strings.HasPrefix(string(c.family), "double"):
			return ""
		default:
			return c.expr
		}
	})
}

func (s *postgresSide) names(ctx context.Context) (map[string]bool, error) {
	tables, err := s.loadTables(ctx)
	names := map[string]bool{}
	for _, t := range tables {
		names[t.name] = true
	}
	return names, err
}

func (s *postgresSide) loadTables(ctx context.Context) ([]table, error) {
	if s.known == nil {
		tables, err := s.tables(ctx, (options{}).wants)
		if err != nil {
			return nil, err
		}
		s.known = tables
	}
	return s.known, nil
}

func (s *postgresSide) values(ctx context.Context, name string, columns []string, each func([][]byte) error) error {
	tables, err := s.loadTables(ctx)
	if err != nil {
		return err
	}
	for _, t := range tables {
		if t.name == name {
			return s.digestTexts(ctx, t, columns, each, postgresDigest)
		}
	}
	return fmt.Errorf("there is no table %s", name)
}

// postgresDigest is the SQL of a column's text; a bit string becomes its number.
func postgresDigest(c column) string {
	switch {
	case c.form == hexForm:
		return "upper(" + c.expr + ")"
	case strings.HasPrefix(string(c.family), "bit("):
		return postgresName(c.name) + "::bigint::text"
	case c.family == "boolean":
		return postgresName(c.name) + "::int::text"
	case c.form == realForm || c.form == singleForm:
		return ""
	default:
		return c.expr
	}
}

// optionalColumns are missing from loads recorded before they were there, or of
// engines that have none.
var optionalColumns = []string{"fsp", "hash"}

// digestTexts selects columns by name as text says.
func (s sqlSide) digestTexts(ctx context.Context, t table, columns []string, each func([][]byte) error, text func(column) string) error {
	exprs := []string{"1"}
	for _, name := range columns {
		c, err := t.column(name)
		if err != nil {
			return err
		}
		expr := "NULL"
		if c.name != "" {
			if expr = text(c); expr == "" {
				return fmt.Errorf("a digest has no %s", c.family)
			}
		}
		exprs = append(exprs, expr)
	}
	return s.query(ctx, "SELECT "+strings.Join(exprs, ", ")+" FROM "+t.from, func(row [][]byte) error {
		return each(row[1:])
	})
}

// column returns a column by name, none if it is missing and may be.
func (t table) column(name string) (column, error) {
	for _, c := range t.columns {
		if c.name == name {
			return c, nil
		}
	}
	if slices.Contains(optionalColumns, name) {
		return column{}, nil
	}
	return column{}, fmt.Errorf("there is no column %s", name)
}

func (s *sqliteSide) names(context.Context) (map[string]bool, error) {
	var all []string
	err := s.query(`SELECT name FROM sqlite_schema WHERE type = 'table'
		AND name NOT LIKE 'sqlite\_%' ESCAPE '\'`, func(stmt *sqlite.Stmt) error {
		all = append(all, stmt.ColumnText(0))
		return nil
	})
	return wantedNames(all), err
}

func (s *sqliteSide) values(_ context.Context, name string, columns []string, each func([][]byte) error) error {
	t, err := s.table(name, true)
	if err != nil {
		return err
	}
	exprs := []string{"1"}
	for _, name := range columns {
		c, err := t.column(name)
		if err != nil {
			return err
		}
		quoted := "NULL"
		if c.name != "" {
			quoted = sqliteName(name)
		}
		exprs = append(exprs, "typeof("+quoted+")", quoted)
	}
	row := make([][]byte, len(columns))
	return s.query("SELECT "+strings.Join(exprs, ", ")+" FROM "+t.from, func(stmt *sqlite.Stmt) error {
		for i := range row {
			var err error
			if row[i], err = sqliteDigest(stmt, 1+2*i); err != nil {
				return fmt.Errorf("column %q: %w", columns[i], err)
			}
		}
		return each(row)
	})
}

func sqliteDigest(stmt *sqlite.Stmt, i int) ([]byte, error) {
	switch kind := stmt.ColumnText(i); kind {
	case "null":
		return nil, nil
	case "integer":
		return fmt.Appendf(nil, "%d", stmt.ColumnInt64(i+1)), nil
	case "text":
		return sqliteBytes(stmt, i+1), nil
	case "blob":
		return []byte(strings.ToUpper(hex.EncodeToString(sqliteBytes(stmt, i+1)))), nil
	default:
		return nil, fmt.Errorf("a digest has no %s", kind)
	}
}
