package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"strings"

	"github.com/go-sql-driver/mysql"
)

// mysqlSide reads MySQL and MariaDB. Statements have no arguments, so the text
// protocol is used and every value arrives as the server's own text.
type mysqlSide struct {
	db     *sql.DB
	conn   *sql.Conn
	schema string
}

// mysqlSession makes the session print what the target must hold: instants in
// UTC, CHAR without its padding. Long keys are sorted whole.
var mysqlSession = []string{
	"SET SESSION time_zone = '+00:00', sql_mode = '', max_sort_length = 1048576, sort_buffer_size = 67108864",
	"SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ",
	"START TRANSACTION WITH CONSISTENT SNAPSHOT",
}

func openMySQL(ctx context.Context, raw string) (database, error) {
	u, err := url.Parse(raw)
	if err != nil {
		return nil, err
	}
	c := mysql.NewConfig()
	c.User = u.User.Username()
	c.Passwd, _ = u.User.Password()
	c.Net, c.Addr, c.DBName = "tcp", u.Host, strings.TrimPrefix(u.Path, "/")
	c.Collation, c.MaxAllowedPacket = "utf8mb4_bin", 1<<30
	connector, err := mysql.NewConnector(c)
	if err != nil {
		return nil, err
	}
	s := &mysqlSide{db: sql.OpenDB(connector), schema: c.DBName}
	if s.conn, err = s.db.Conn(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("connect to %s: %w", u.Host, err), s.db.Close())
	}
	for _, q := range mysqlSession {
		if _, err := s.conn.ExecContext(ctx, q); err != nil {
			return nil, errors.Join(fmt.Errorf("%s: %w", q, err), s.close())
		}
	}
	return s, nil
}

func (s *mysqlSide) close() error { return errors.Join(s.conn.Close(), s.db.Close()) }

// tables reads the catalog; views and sequences are no tables.
func (s *mysqlSide) tables(ctx context.Context, want func(string) bool) ([]table, error) {
	names, err := s.strings(ctx, `SELECT TABLE_NAME FROM information_schema.TABLES
		WHERE TABLE_SCHEMA = DATABASE() AND TABLE_TYPE IN ('BASE TABLE', 'SYSTEM VERSIONED')`)
	if err != nil {
		return nil, err
	}
	var tables []table
	for _, name := range names {
		if !want(name) {
			continue
		}
		t, err := s.table(ctx, name)
		if err != nil {
			return nil, fmt.Errorf("table %q: %w", name, err)
		}
		tables = append(tables, t)
	}
	return tables, nil
}

func (s *mysqlSide) table(ctx context.Context, name string) (table, error) {
	t := table{name: name}
	rows, err := s.conn.QueryContext(ctx, `SELECT COLUMN_NAME, DATA_TYPE, COLUMN_TYPE
		FROM information_schema.COLUMNS WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME = `+mysqlString(name))
	if err != nil {
		return t, err
	}
	defer rows.Close()
	for rows.Next() {
		var column, dataType, columnType string
		if err := rows.Scan(&column, &dataType, &columnType); err != nil {
			return t, err
		}
		c, err := mysqlColumn(column, dataType, columnType)
		if err != nil {
			return t, err
		}
		t.columns = append(t.columns, c)
	}
	if err := rows.Err(); err != nil {
		return t, err
	}
	key, err := s.strings(ctx, `SELECT COLUMN_NAME FROM information_schema.STATISTICS
		WHERE TABLE_SCHEMA = DATABASE() AND INDEX_NAME = 'PRIMARY' AND TABLE_NAME = `+mysqlString(name)+`
		ORDER BY SEQ_IN_INDEX`)
	t.key = positions(byName(t.columns), key)
	return t, err
}

func (s *mysqlSide) rows(ctx context.Context, t table, each func([]string) error) error {
	rows, err := s.conn.QueryContext(ctx, selectRows(t, mysqlName(s.schema)+"."+mysqlName(t.name)))
	if err != nil {
		return err
	}
	defer rows.Close()
	raw := make([]sql.RawBytes, len(t.columns))
	into := make([]any, len(raw))
	for i := range raw {
		into[i] = &raw[i]
	}
	values := make([]string, len(raw))
	for rows.Next() {
		if err := rows.Scan(into...); err != nil {
			return err
		}
		for i, c := range t.columns {
			if values[i], err = canonical(c.family, raw[i]); err != nil {
				return fmt.Errorf("column %q: %w", c.name, err)
			}
		}
		if err := each(values); err != nil {
			return err
		}
	}
	return rows.Err()
}

// strings returns the first column of a query.
func (s *mysqlSide) strings(ctx context.Context, query string) ([]string, error) {
	rows, err := s.conn.QueryContext(ctx, query)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var all []string
	for rows.Next() {
		var one string
		if err := rows.Scan(&one); err != nil {
			return nil, err
		}
		all = append(all, one)
	}
	return all, rows.Err()
}

func mysqlName(s string) string { return "`" + strings.ReplaceAll(s, "`", "``") + "`" }

// mysqlString quotes a string for a session whose sql_mode is empty.
func mysqlString(s string) string {
	return "'" + strings.NewReplacer(`\`, `\\`, `'`, `\'`, "\x00", `\0`).Replace(s) + "'"
}
