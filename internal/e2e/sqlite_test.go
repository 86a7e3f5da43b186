package e2e

import (
	"errors"
	"testing"
	"time"

	"zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"
)

// execSQLite runs a script in the existing file.
func execSQLite(t testing.TB, path, script string) {
	t.Helper()
	execIn(t, path, script, sqlite.OpenReadWrite)
}

// execNewSQLite runs a script in a new file.
func execNewSQLite(t testing.TB, path, script string) {
	t.Helper()
	execIn(t, path, script, sqlite.OpenReadWrite, sqlite.OpenCreate)
}

func execIn(t testing.TB, path, script string, flags ...sqlite.OpenFlags) {
	t.Helper()
	conn, err := sqlite.OpenConn(path, flags...)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	conn.SetBusyTimeout(time.Minute)
	if err := sqlitex.ExecuteScript(conn, script, nil); err != nil {
		t.Fatalf("%s: %v", script, err)
	}
}

// intOf returns the integer a query yields.
func intOf(t testing.TB, path, query string) int64 {
	t.Helper()
	n, err := numberOf(path, query)
	if err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	return n
}

func numberOf(path, query string) (n int64, err error) {
	conn, err := sqlite.OpenConn(path, sqlite.OpenReadWrite)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, conn.Close()) }()
	conn.SetBusyTimeout(time.Minute)
	stmt, _, err := conn.PrepareTransient(query)
	if err != nil {
		return 0, err
	}
	n, err = sqlitex.ResultInt64(stmt)
	return n, errors.Join(err, stmt.Finalize())
}
