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
	sqlSide
	target    string // whose types are asserted
	databases []string
}

// sqlSide is a session of a server.
type sqlSide struct {
	db   *sql.DB
	conn *sql.Conn
}

// mysqlSession makes the session print what the target must hold: instants in
// UTC, CHAR without its padding. Long keys are sorted whole.
var mysqlSession = []string{
	"SET SESSION time_zone = '+00:00', sql_mode = '', max_sort_length = 1048576, sort_buffer_size = 67108864",
	"SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ",
	"START TRANSACTION WITH CONSISTENT SNAPSHOT",
}

func openMySQL(ctx context.Context, raw, target string) (*mysqlSide, error) {
	u, err := url.Parse(raw)
	if err != nil {
		return nil, err
	}
	c := mysql.NewConfig()
	c.User = u.User.Username()
	c.Passwd, _ = u.User.Password()
	c.Net, c.Addr = "tcp", u.Host
	c.Collation, c.MaxAllowedPacket = "utf8mb4_bin", 1<<30
	connector, err := mysql.NewConnector(c)
	if err != nil {
		return nil, err
	}
	s := &mysqlSide{target: target, databases: u.Query()["database"]}
	if name := strings.TrimPrefix(u.Path, "/"); name != "" {
		s.databases = append(s.databases, name)
	}
	if s.databases == nil {
		return nil, fmt.Errorf("%s names no database", u.Redacted())
	}
	s.sqlSide, err = openSQL(ctx, sql.OpenDB(connector), mysqlSession)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", u.Host, err)
	}
	return s, nil
}

// openSQL begins a session.
func openSQL(ctx context.Context, db *sql.DB, session []string) (sqlSide, error) {
	s := sqlSide{db: db}
	var err error
	if s.conn, err = db.Conn(ctx); err != nil {
		return s, errors.Join(err, db.Close())
	}
	for _, q := range session {
		if _, err := s.conn.ExecContext(ctx, q); err != nil {
			return s, errors.Join(fmt.Errorf("%s: %w", q, err), s.close())
		}
	}
	return s, nil
}

func (s sqlSide) close() error { return errors.Join(s.conn.Close(), s.db.Close()) }

// tables reads the catalog; views and sequences are no tables.
func (s *mysqlSide) tables(ctx context.Context, want func(string) bool) ([]table, error) {
	var tables []table
	for _, database := range s.databases {
		names, err := s.strings(ctx, `SELECT TABLE_NAME FROM information_schema.TABLES
			WHERE TABLE_SCHEMA = `+mysqlString(database)+` AND TABLE_TYPE IN ('BASE TABLE', 'SYSTEM VERSIONED')`)
		if err != nil {
			return nil, err
		}
		for _, name := range names {
			if !want(name) {
				continue
			}
			t, err := s.table(ctx, database, name)
			if err != nil {
				return nil, fmt.Errorf("table %q: %w", name, err)
			}
			if len(s.databases) > 1 {
				t.name = database + "." + name
			}
			tables = append(tables, t)
		}
	}
	return tables, nil
}

func (s *mysqlSide) table(ctx context.Context, database, name string) (table, error) {
	t := table{name: name, from: mysqlName(database) + "." + mysqlName(name)}
	where := " WHERE TABLE_SCHEMA = " + mysqlString(database) + " AND TABLE_NAME = " + mysqlString(name)
	json, err := s.jsonColumns(ctx, database, name)
	if err != nil {
		return t, err
	}
	rows, err := s.conn.QueryContext(ctx, `SELECT COLUMN_NAME, DATA_TYPE, COLUMN_TYPE FROM information_schema.COLUMNS`+where)
	if err != nil {
		return t, err
	}
	defer rows.Close()
	for rows.Next() {
		var m mysqlType
		if err := rows.Scan(&m.column, &m.data, &m.full); err != nil {
			return t, err
		}
		m.data, m.json = strings.ToLower(m.data), json[m.column]
		c, err := m.on(s.target)
		if err != nil {
			return t, err
		}
		t.columns = append(t.columns, c)
	}
	if err := rows.Err(); err != nil {
		return t, err
	}
	key, err := s.strings(ctx, `SELECT COLUMN_NAME FROM information_schema.STATISTICS`+where+`
		AND INDEX_NAME = 'PRIMARY' ORDER BY SEQ_IN_INDEX`)
	t.key = positions(byName(t.columns), key)
	return t, err
}

// jsonColumns are those MariaDB was told to make JSON: LONGTEXT that is checked.
func (s *mysqlSide) jsonColumns(ctx context.Context, database, name string) (map[string]bool, error) {
	version, err := s.strings(ctx, "SELECT VERSION()")
	if err != nil || !strings.Contains(version[0], "MariaDB") {
		return nil, err
	}
	checks, err := s.strings(ctx, `SELECT CHECK_CLAUSE FROM information_schema.CHECK_CONSTRAINTS
		WHERE CONSTRAINT_SCHEMA = `+mysqlString(database)+` AND TABLE_NAME = `+mysqlString(name))
	json := map[string]bool{}
	for _, c := range checks {
		if rest, ok := strings.CutPrefix(c, "json_valid(`"); ok {
			json[strings.ReplaceAll(strings.TrimSuffix(rest, "`)"), "``", "`")] = true
		}
	}
	return json, err
}

func (s sqlSide) rows(ctx context.Context, t table, each func([]string) error) error {
	values := make([]string, len(t.columns))
	return s.query(ctx, selectRows(t), func(raw [][]byte) error {
		for i, c := range t.columns {
			var err error
			if values[i], err = canonical(c.form, raw[i]); err != nil {
				return fmt.Errorf("column %q: %w", c.name, err)
			}
		}
		return each(values)
	})
}

// query calls each with every row's values as the server's own text.
func (s sqlSide) query(ctx context.Context, query string, each func([][]byte) error) error {
	rows, err := s.conn.QueryContext(ctx, query)
	if err != nil {
		return err
	}
	defer rows.Close()
	columns, err := rows.Columns()
	if err != nil {
		return err
	}
	raw := make([][]byte, len(columns))
	into := make([]any, len(raw))
	for i := range raw {
		into[i] = &raw[i]
	}
	for rows.Next() {
		if err := rows.Scan(into...); err != nil {
			return err
		}
		if err := each(raw); err != nil {
			return err
		}
	}
	return rows.Err()
}

// strings returns the first column of a query.
func (s sqlSide) strings(ctx context.Context, query string) ([]string, error) {
	var all []string
	err := s.query(ctx, query, func(raw [][]byte) error {
		all = append(all, string(raw[0]))
		return nil
	})
	return all, err
}

func mysqlName(s string) string { return "`" + strings.ReplaceAll(s, "`", "``") + "`" }

// mysqlString quotes a string for a session whose sql_mode is empty.
func mysqlString(s string) string {
	return "'" + strings.NewReplacer(`\`, `\\`, `'`, `\'`, "\x00", `\0`).Replace(s) + "'"
}
