package main

import (
	"context"
	"database/sql"

	"github.com/rowferry/rowferry/internal/testdb"
)

// origin is what a kind of source does in its own way.
type origin interface {
	// open makes the place of the tables, which is empty, and has all that is
	// written there logged. It returns sessions in it.
	open(ctx context.Context) (*sql.DB, error)
	// begin is called once, when the rows before the clock are there. It calls
	// mark, and notes where what comes after that begins.
	begin(ctx context.Context, mark func(context.Context) error) error
	// run runs statements sent at once, and returns how many rows they changed.
	run(ctx context.Context, conn *sql.Conn, statements string) (int64, error)
	// rest has the source write what is dirty now, so that it does not while
	// others are measured.
	rest(ctx context.Context) error
	// reading are Rowferry's arguments to read the log once, from its very
	// beginning where all is set and else from where the clock begins. What they
	// name is in dir, which is Rowferry's own.
	reading(ctx context.Context, dir string, all bool) ([]string, error)
}

func originOf(s *testdb.Server) origin {
	if s.Kind.Flavor() == testdb.Postgres {
		return &postgresOrigin{server: s}
	}
	return &mysqlOrigin{server: s}
}
