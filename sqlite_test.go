package rowferry_test

import (
	"errors"
	"testing"

	"zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"
)

func onFile(t *testing.T, path string, do func(*sqlite.Conn) error) {
	t.Helper()
	conn, err := sqlite.OpenConn(path, sqlite.OpenReadWrite)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if err := do(conn); err != nil {
		t.Fatal(err)
	}
}

// query returns the first column of what a query yields.
func query(t *testing.T, path, sql string) (all []int64) {
	t.Helper()
	onFile(t, path, func(conn *sqlite.Conn) error {
		return sqlitex.ExecuteTransient(conn, sql, &sqlitex.ExecOptions{ResultFunc: func(s *sqlite.Stmt) error {
			all = append(all, s.ColumnInt64(0))
			return nil
		}})
	})
	return all
}

// create makes a file by statements.
func create(t *testing.T, path string, statements ...string) {
	t.Helper()
	conn, err := sqlite.OpenConn(path, sqlite.OpenReadWrite|sqlite.OpenCreate)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range statements {
		err = errors.Join(err, sqlitex.ExecuteTransient(conn, s, nil))
	}
	if err := errors.Join(err, conn.Close()); err != nil {
		t.Fatal(err)
	}
}

func execute(t *testing.T, path, sql string) {
	t.Helper()
	onFile(t, path, func(conn *sqlite.Conn) error { return sqlitex.ExecuteTransient(conn, sql, nil) })
}
