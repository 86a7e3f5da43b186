package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
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
	// port is the server's, 0 for a file.
	port() int
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
		return &postgresGoal{s}, nil
	}
	if err := s.Exec(ctx, "CREATE DATABASE "+database); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return &mysqlGoal{s}, nil
}

// mysqlGoal is a MySQL or MariaDB server.
type mysqlGoal struct{ server *testdb.Server }

func (g *mysqlGoal) url(port int) string {
	if port == 0 {
		port = g.server.Port
	}
	return fmt.Sprintf("%s://root@127.0.0.1:%d/%s", g.server.Kind.Flavor(), port, database)
}

func (g *mysqlGoal) port() int                      { return g.server.Port }
func (g *mysqlGoal) judge() string                  { return g.server.URL(database) }
func (g *mysqlGoal) dialect() string                { return "mysql" }
func (g *mysqlGoal) save(ctx context.Context) error { return g.server.Save(ctx) }
func (g *mysqlGoal) stop() error                    { return g.server.Kill() }
func (g *mysqlGoal) close() error                   { return g.server.Close() }
func (g *mysqlGoal) warm(ctx context.Context) error { return warm(ctx, g.server) }

func (g *mysqlGoal) reset(ctx context.Context, d durability) error {
	if err := g.server.Reset(ctx); err != nil {
		return err
	}
	return setDurability(ctx, g.server, d)
}

func (g *mysqlGoal) marker(n int64) func(context.Context) (bool, error) {
	return sqlMarker(g.server.DB(), markerQuery, n)
}

// indexesOf is a query of a bench's indexes: table, then columns and whether
// unique.
const indexesOf = `SELECT DISTINCT table_name, columns FROM (
	SELECT table_name, CONCAT(GROUP_CONCAT(column_name ORDER BY seq_in_index), IF(MAX(non_unique) = 0, ' unique', '')) AS columns
	FROM information_schema.statistics WHERE table_schema = '` + database + `' AND table_name <> 'rowferry_checkpoint'
	GROUP BY table_name, index_name) i ORDER BY 1, 2`

// foreignKeysOf is a query of a bench's foreign keys: table, then columns and
// what they refer to.
const foreignKeysOf = `SELECT table_name, CONCAT(GROUP_CONCAT(column_name ORDER BY ordinal_position), ' to ', referenced_table_name, ' ',
		GROUP_CONCAT(referenced_column_name ORDER BY ordinal_position))
	FROM information_schema.key_column_usage WHERE table_schema = '` + database + `' AND referenced_table_name IS NOT NULL
	GROUP BY table_name, constraint_name, referenced_table_name ORDER BY 1, 2`

// keysOf are a server's indexes and foreign keys.
func keysOf(ctx context.Context, s *testdb.Server) ([][2]string, error) {
	keys, err := pairsOf(ctx, s.DB(), indexesOf)
	if err != nil {
		return nil, err
	}
	foreign, err := pairsOf(ctx, s.DB(), foreignKeysOf)
	return append(keys, foreign...), err
}

// addIndexes leaves out those that are there, as a foreign key makes them.
func (g *mysqlGoal) addIndexes(ctx context.Context, all []index) error {
	there, err := pairsOf(ctx, g.server.DB(), indexesOf)
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

// pairsOf returns a query's lines of two columns.
func pairsOf(ctx context.Context, db *sql.DB, query string) (all [][2]string, err error) {
	rows, err := db.QueryContext(ctx, query)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		var p [2]string
		if err := rows.Scan(&p[0], &p[1]); err != nil {
			return nil, err
		}
		all = append(all, p)
	}
	return all, rows.Err()
}

// postgresGoal is a PostgreSQL server. The source's database becomes a schema.
type postgresGoal struct{ server *testdb.Server }

func (g *postgresGoal) url(port int) string {
	u := g.server.URL("postgres")
	if port == 0 {
		return u
	}
	return strings.Replace(u, ":"+strconv.Itoa(g.server.Port), ":"+strconv.Itoa(port), 1)
}

func (g *postgresGoal) port() int { return g.server.Port }
func (g *postgresGoal) judge() string {
	return g.server.URL("postgres") + "?schema=" + url.QueryEscape(database)
}
func (g *postgresGoal) dialect() string                { return "postgres" }
func (g *postgresGoal) save(ctx context.Context) error { return g.server.Save(ctx) }
func (g *postgresGoal) stop() error                    { return g.server.Kill() }
func (g *postgresGoal) close() error                   { return g.server.Close() }
func (g *postgresGoal) warm(ctx context.Context) error { return warmPostgres(ctx, g.server) }

func (g *postgresGoal) reset(ctx context.Context, d durability) error {
	if err := g.server.Reset(ctx); err != nil {
		return err
	}
	return setDurability(ctx, g.server, d)
}

func (g *postgresGoal) marker(n int64) func(context.Context) (bool, error) {
	return sqlMarker(g.server.DB(), markerQuery, n)
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

// warmPostgres reads all tables and indexes.
func warmPostgres(ctx context.Context, s *testdb.Server) error {
	if err := s.Exec(ctx, "CREATE EXTENSION IF NOT EXISTS pg_prewarm"); err != nil {
		return err
	}
	_, err := pairsOf(ctx, s.DB(), "SELECT c.relname, pg_prewarm(c.oid)::text FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace "+
		"WHERE n.nspname = '"+database+"' AND c.relkind IN ('r', 'i')")
	return err
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
