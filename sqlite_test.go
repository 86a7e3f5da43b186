package rowferry_test

import (
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

func execute(t *testing.T, path, sql string) {
	t.Helper()
	onFile(t, path, func(conn *sqlite.Conn) error { return sqlitex.ExecuteTransient(conn, sql, nil) })
}
