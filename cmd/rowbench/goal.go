package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/go-sql-driver/mysql"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/rowferry/rowferry/internal/testdb"
)

// sqliteKind stands for a SQLite file among the kinds of targets.
const sqliteKind testdb.Kind = "sqlite"

// goal is a target of Rowferry. It is fresh or saved when it does not run.
type goal interface {
	// url is Rowferry's name for it, by another port than its own unless 0.
	url(port int) string
	// host is the server, nil for a file.
	host() *testdb.Server
	// judge is the equal program's name for it, dialect the program's name for
	// its kind.
	judge() string
	dialect() string
	// addIndexes makes what Rowferry does not make and a native replica has.
	addIndexes(ctx context.Context, all []index) error
	// save stops it and keeps it as it is; reset makes it run as it was then;
	// stop ends it until its next turn, so that it does nothing while others
	// have theirs.
	stop() error
	save(ctx context.Context) error
	reset(ctx context.Context, d durability) error
	// warm reads it all.
	warm(ctx context.Context) error
	// marker returns what tells whether a marker is visible.
	marker(n int64) func(context.Context) (bool, error)
	close() error
}

// newGoal starts an empty target.
func newGoal(ctx context.Context, k testdb.Kind, b *bench) (goal, error) {
	if k == sqliteKind {
		return newFileGoal(b.dir)
	}
	s, err := testdb.Launch(ctx, k, targetOptions(k, 3, b.opts.redo())...)
	if err != nil {
		return nil, err
	}
	if k.Flavor() == testdb.Postgres {
		return &postgresGoal{serverGoal{s}}, nil
	}
	if err := s.Exec(ctx, "CREATE DATABASE "+database); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return &mysqlGoal{serverGoal{s}}, nil
}

// serverGoal is what targets that are servers have in common.
type serverGoal struct{ server *testdb.Server }

func (g *serverGoal) host() *testdb.Server           { return g.server }
func (g *serverGoal) judge() string                  { return judged(g.server) }
func (g *serverGoal) dialect() string                { return dialectOf(g.server) }
func (g *serverGoal) save(ctx context.Context) error { return save(ctx, g.server) }
func (g *serverGoal) stop() error                    { return g.server.Kill() }
func (g *serverGoal) close() error                   { return g.server.Close() }
func (g *serverGoal) warm(ctx context.Context) error { return warm(ctx, g.server) }

func (g *serverGoal) reset(ctx context.Context, d durability) error {
	if err := g.server.Reset(ctx); err != nil {
		return err
	}
	return setDurability(ctx, g.server, d)
}

func (g *serverGoal) marker(n int64) func(context.Context) (bool, error) {
	return sqlMarker(g.server.DB(), markerQuery, n)
}

// mysqlGoal is a MySQL or MariaDB server.
type mysqlGoal struct{ serverGoal }

func (g *mysqlGoal) url(port int) string {
	if port == 0 {
		port = g.server.Port
	}
	return fmt.Sprintf("%s://root@127.0.0.1:%d/%s", g.server.Kind.Flavor(), port, database)
}

// addIndexes leaves out those that are there, as a foreign key makes them.
func (g *mysqlGoal) addIndexes(ctx context.Context, all []index) error {
	there, err := pairsOf(ctx, g.server.DB(), mysqlIndexes)
	if err != nil {
		return err
	}
	for _, i := range all {
		if slices.Contains(there, [2]string{i.table, i.columns}) {
			continue
		}
		if err := g.server.Exec(ctx, fmt.Sprintf("ALTER TABLE %s.%s ADD INDEX (%s)", database, i.table, i.columns)); err != nil {
			return err
		}
	}
	return nil
}

// postgresGoal is a PostgreSQL server. A source's database becomes a schema, and
// one that is a schema stays one.
type postgresGoal struct{ serverGoal }

func (g *postgresGoal) url(port int) string {
	u := g.server.URL(postgresDatabase)
	if port == 0 {
		return u
	}
	return strings.Replace(u, ":"+strconv.Itoa(g.server.Port), ":"+strconv.Itoa(port), 1)
}

// addIndexes leaves out those that Rowferry makes for foreign keys.
func (g *postgresGoal) addIndexes(ctx context.Context, all []index) error {
	there, err := pairsOf(ctx, g.server.DB(), `SELECT tablename, COALESCE(substring(indexdef from '\(([^()]*)\)$'), '') FROM pg_indexes WHERE schemaname = '`+database+"'")
	if err != nil {
		return err
	}
	for _, i := range all {
		if slices.Contains(there, [2]string{i.table, i.columns}) {
			continue
		}
		if err := g.server.Exec(ctx, fmt.Sprintf("CREATE INDEX ON %s.%s (%s)", database, i.table, i.columns)); err != nil {
			return err
		}
	}
	return nil
}

// isNoTable reports whether an error says that a table is not there.
func isNoTable(err error) bool {
	var my *mysql.MySQLError
	if errors.As(err, &my) {
		return my.Number == 1146 || my.Number == 1049
	}
	var pg *pgconn.PgError
	return errors.As(err, &pg) && pg.Code == "42P01"
}
