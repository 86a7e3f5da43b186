package mysql_test

import (
	"database/sql"
	"testing"
)

type execer interface {
	Exec(query string, args ...any) (sql.Result, error)
}

// one returns the single value of a query, as text.
func one(t *testing.T, db *sql.DB, query string) string {
	t.Helper()
	var v sql.NullString
	if err := db.QueryRow(query).Scan(&v); err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	return v.String
}
