package sqlite

import (
	"fmt"

	"zombiezen.com/go/sqlite"
)

// Exec runs one statement and drops its rows.
func Exec(conn *sqlite.Conn, sql string, args ...any) error {
	return Query(conn, sql, func(*sqlite.Stmt) error { return nil }, args...)
}

// Query runs one statement and calls fn for each of its rows; fn's error ends
// it and is returned. Arguments are int, int64, string or nil.
func Query(conn *sqlite.Conn, sql string, fn func(*sqlite.Stmt) error, args ...any) (err error) {
	stmt, trailing, err := conn.PrepareTransient(sql)
	if err != nil {
		return err
	}
	defer func() {
		// A failed step already returned its error, which finalizing repeats.
		if ferr := stmt.Finalize(); err == nil {
			err = ferr
		}
	}()
	if trailing != 0 {
		return fmt.Errorf("%d bytes after the statement %q", trailing, sql)
	}
	for i, a := range args {
		switch v := a.(type) {
		case nil:
			stmt.BindNull(i + 1)
		case int:
			stmt.BindInt64(i+1, int64(v))
		case int64:
			stmt.BindInt64(i+1, v)
		case string:
			stmt.BindText(i+1, v)
		default:
			return fmt.Errorf("argument %d of %q has type %T", i+1, sql, a)
		}
	}
	for {
		row, err := stmt.Step()
		if err != nil || !row {
			return err
		}
		if err := fn(stmt); err != nil {
			return err
		}
	}
}
