package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"
)

// sqliteSide reads a SQLite file inside one read transaction.
type sqliteSide struct{ conn *sqlite.Conn }

// sqlitePatience is how long a writer may keep a reader waiting.
const sqlitePatience = 30 * time.Second

func openSQLite(path string) (*sqliteSide, error) {
	conn, err := sqlite.OpenConn(path, sqlite.OpenReadOnly)
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", path, err)
	}
	conn.SetBusyTimeout(sqlitePatience)
	s := &sqliteSide{conn: conn}
	// BEGIN alone takes no snapshot; the first read does.
	for _, q := range []string{"BEGIN", "SELECT COUNT(*) FROM sqlite_schema"} {
		if err := sqlitex.ExecuteTransient(conn, q, nil); err != nil {
			conn.Close()
			return nil, fmt.Errorf("read %s: %w", path, err)
		}
	}
	return s, nil
}

func (s *sqliteSide) close() error { return s.conn.Close() }

func (s *sqliteSide) tables(_ context.Context, want func(string) bool) ([]table, error) {
	var tables []table
	err := s.query(`SELECT name, strict FROM pragma_table_list
		WHERE schema = 'main' AND type = 'table' AND name NOT LIKE 'sqlite\_%' ESCAPE '\'`, func(stmt *sqlite.Stmt) error {
		name := stmt.ColumnText(0)
		if !want(name) {
			return nil
		}
		t, err := s.table(name, stmt.ColumnBool(1))
		tables = append(tables, t)
		return err
	})
	return tables, err
}

// table reads a table's columns, generated ones too. The declared type of a
// table that is not STRICT binds nothing, so it is marked.
func (s *sqliteSide) table(name string, strict bool) (table, error) {
	t := table{name: name, from: sqliteName(name)}
	keyAt := map[int]string{}
	err := s.query(`SELECT name, type, pk FROM pragma_table_xinfo(`+sqliteString(name)+`)`, func(stmt *sqlite.Stmt) error {
		c := column{name: stmt.ColumnText(0), family: family(stmt.ColumnText(1))}
		if c.family == "INT" {
			c.family = integerFamily
		}
		if !strict {
			c.family += " (not STRICT)"
		}
		quoted := sqliteName(c.name)
		// Real values are read as they are: their text would round.
		c.expr = "typeof(" + quoted + "), " + quoted
		c.order = quoted + " COLLATE BINARY"
		t.columns = append(t.columns, c)
		if at := stmt.ColumnInt(2); at > 0 {
			keyAt[at] = c.name
		}
		return nil
	})
	var key []string
	for at := 1; keyAt[at] != ""; at++ {
		key = append(key, keyAt[at])
	}
	t.key = positions(byName(t.columns), key)
	return t, err
}

func (s *sqliteSide) rows(_ context.Context, t table, each func([]string) error) error {
	values := make([]string, len(t.columns))
	return s.query(selectRows(t), func(stmt *sqlite.Stmt) error {
		for i := range values {
			var err error
			if values[i], err = sqliteValue(stmt, 2*i); err != nil {
				return fmt.Errorf("column %q: %w", t.columns[i].name, err)
			}
		}
		return each(values)
	})
}

// sqliteValue reads the typeof in column i and the value after it. The value's
// own type decides how it is written, whatever the column says.
func sqliteValue(stmt *sqlite.Stmt, i int) (string, error) {
	switch kind := stmt.ColumnText(i); kind {
	case "null":
		return null, nil
	case "integer":
		return fmt.Sprint(stmt.ColumnInt64(i + 1)), nil
	case "real":
		return canonicalReal(stmt.ColumnFloat(i + 1)), nil
	case "text":
		return canonicalText(sqliteBytes(stmt, i+1)), nil
	case "blob":
		return canonicalBlob(sqliteBytes(stmt, i+1)), nil
	default:
		return "", fmt.Errorf("typeof says %q", kind)
	}
}

func sqliteBytes(stmt *sqlite.Stmt, i int) []byte {
	raw := make([]byte, stmt.ColumnLen(i))
	return raw[:stmt.ColumnBytes(i, raw)]
}

func (s *sqliteSide) query(q string, each func(*sqlite.Stmt) error) error {
	return sqlitex.ExecuteTransient(s.conn, q, &sqlitex.ExecOptions{ResultFunc: each})
}

func sqliteName(s string) string   { return `"` + strings.ReplaceAll(s, `"`, `""`) + `"` }
func sqliteString(s string) string { return `'` + strings.ReplaceAll(s, `'`, `''`) + `'` }
