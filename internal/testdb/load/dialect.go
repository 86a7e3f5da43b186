package load

import (
	"context"
	"database/sql"
	"fmt"

	"github.com/rowferry/rowferry/internal/testdb"
)

// dialect is what the load does in another way on another engine. What all
// engines understand is in the operations themselves.
type dialect struct {
	books  []string // the load's own tables; see the package comment
	before []string // what the tables are made of
	tables []definition
	after  []string // what the tables cannot say of themselves
	// triggers makes those that keep a table's digest.
	triggers func(ctx context.Context, db *sql.DB, table string) error
	// cover records which columns the digests cover.
	cover func(ctx context.Context, db *sql.DB, table string) error
	ops   []op
	first []func(*writer, context.Context) error // lay first rows, beside those of every load

	there     string // counts the ledgers in the database
	session   func(id int, o Options) []string
	now       string                     // the time in UTC, with microseconds
	share     string                     // of a number, as a format: that part of it rounded
	savepoint string                     // a name
	bits      func(value, width int) any // a value of a type BIT
	// some restricts a statement to those of a table's rows that a condition
	// selects, which may end with ORDER BY and LIMIT.
	some func(statement, table, which string) string
	// bind returns a statement and its arguments as the driver takes them.
	bind func(query string, args []any) (string, []any)
	// subtransactions: a statement that is refused spoils its transaction, unless
	// it is rolled back to a savepoint.
	subtransactions bool
	returning       bool // an INSERT returns the id it gave, by RETURNING
	refused         func(error) bool
	again           func(error) bool
	lost            func(error) bool
}

// definition is a table.
type definition struct{ name, ddl string }

func dialectOf(f testdb.Flavor) *dialect {
	if f == testdb.Postgres {
		return &postgres
	}
	return &mySQL
}

// Tables returns the names of all tables the load makes on a server, books
// first.
func Tables(f testdb.Flavor) []string {
	names := []string{"ledger", "digests", "digest_columns"}
	for _, t := range dialectOf(f).tables {
		names = append(names, t.name)
	}
	return names
}

// Create makes the load's tables and triggers, without rows, in the database db
// is in.
func Create(ctx context.Context, db *sql.DB, f testdb.Flavor) error {
	d := dialectOf(f)
	statements := append(append([]string(nil), d.books...), d.before...)
	for _, t := range d.tables {
		statements = append(statements, "CREATE TABLE "+t.name+" "+t.ddl)
	}
	for _, q := range append(statements, d.after...) {
		if _, err := db.ExecContext(ctx, q); err != nil {
			return fmt.Errorf("load: %.60s: %w", q, err)
		}
	}
	for _, t := range d.tables {
		if err := d.triggers(ctx, db, t.name); err != nil {
			return fmt.Errorf("load: triggers of %s: %w", t.name, err)
		}
	}
	return nil
}
