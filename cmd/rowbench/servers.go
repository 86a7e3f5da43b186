package main

import (
	"context"
	"fmt"

	"github.com/rowferry/rowferry/internal/testdb"
)

// durability says when a commit is on the disk.
type durability string

// The durabilities.
const (
	durable durability = "durable" // when it is answered
	relaxed durability = "relaxed" // within about a second
)

// sourceOptions are those of a source: nothing waits for the disk while a log
// is written, and what is dirty after that is written fast.
func sourceOptions(k testdb.Kind, redo string) []testdb.Option {
	if k.Flavor() == testdb.Postgres {
		return append(arguments([]string{
			"shared_buffers=1GB", "synchronous_commit=off", "max_wal_size=64GB", "checkpoint_timeout=1h",
		}), testdb.Logical())
	}
	return arguments([]string{
		"innodb_buffer_pool_size=1G", "innodb_flush_log_at_trx_commit=0", "max_binlog_size=1G",
		"innodb_io_capacity=20000", "innodb_io_capacity_max=40000", redoSize(k, redo),
	})
}

func arguments(args []string) []testdb.Option {
	opts := []testdb.Option{testdb.Private()}
	for _, a := range args {
		opts = append(opts, testdb.Arg(a))
	}
	return opts
}

func redoSize(k testdb.Kind, size string) string {
	if k.Flavor() == testdb.MySQL {
		return "innodb_redo_log_capacity=" + size
	}
	return "innodb_log_file_size=" + size
}

// redo is the size of servers' redo logs. It is copied at every turn, so it is
// small where a turn is short.
func (o *options) redo() string {
	switch {
	case o.seconds >= 30:
		return "1G"
	case o.seconds >= 5:
		return "256M"
	default:
		return "64M"
	}
}

// targetOptions are those of a native replica and of Rowferry's target alike:
// really on the disk, without a log of its own.
func targetOptions(k testdb.Kind, id int, redo string) []testdb.Option {
	args := []string{
		"skip_log_bin", "innodb_buffer_pool_size=2G", "innodb_doublewrite=ON", "innodb_flush_method=O_DIRECT",
		fmt.Sprintf("server_id=%d", id), redoSize(k, redo),
	}
	switch k.Flavor() {
	case testdb.MySQL:
		args = append(args, "skip_replica_start=ON", "relay_log={dir}/data/relay")
	case testdb.MariaDB:
		args = append(args, "skip_slave_start", "relay_log={dir}/data/relay")
	case testdb.Postgres:
		args = []string{"fsync=on", "full_page_writes=on", "shared_buffers=1GB", "max_wal_size=4GB"}
	}
	return arguments(args)
}

// setDurability makes a running server's new sessions durable, or relaxed.
func setDurability(ctx context.Context, s *testdb.Server, d durability) error {
	switch {
	case s.Kind.Flavor() == testdb.Postgres && d == durable:
		return s.Exec(ctx, "ALTER ROLE postgres SET synchronous_commit = on")
	case s.Kind.Flavor() == testdb.Postgres:
		return s.Exec(ctx, "ALTER ROLE postgres SET synchronous_commit = off")
	case d == durable:
		return s.Exec(ctx, "SET GLOBAL innodb_flush_log_at_trx_commit = 1")
	default:
		return s.Exec(ctx, "SET GLOBAL innodb_flush_log_at_trx_commit = 2")
	}
}

// judged is a server's tables for the equal program, dialectOf its name for the
// kind.
func judged(s *testdb.Server) string {
	if s.Kind.Flavor() == testdb.Postgres {
		return s.URL(postgresDatabase) + "?schema=" + database
	}
	return s.URL(database)
}

func dialectOf(s *testdb.Server) string {
	if s.Kind.Flavor() == testdb.Postgres {
		return "postgres"
	}
	return "mysql"
}

// save stops a target or a replica and keeps it as it is. PostgreSQL's is as
// autovacuum would leave it, which has a time of its own.
func save(ctx context.Context, s *testdb.Server) error {
	if s.Kind.Flavor() == testdb.Postgres {
		if err := s.Exec(ctx, "VACUUM (ANALYZE)"); err != nil {
			return err
		}
	}
	return s.Save(ctx)
}

// warm reads all indexes of the bench's tables, so that they are in memory.
func warm(ctx context.Context, s *testdb.Server) (err error) {
	if s.Kind.Flavor() == testdb.Postgres {
		return warmPostgres(ctx, s)
	}
	indexes, err := pairsOf(ctx, s.DB(), "SELECT DISTINCT table_name, index_name FROM information_schema.statistics WHERE table_schema = '"+database+"'")
	if err != nil {
		return err
	}
	for _, i := range indexes {
		var n int
		query := fmt.Sprintf("SELECT COUNT(*) FROM %s.`%s` FORCE INDEX (`%s`)", database, i[0], i[1])
		if err := s.DB().QueryRowContext(ctx, query).Scan(&n); err != nil {
			return fmt.Errorf("warm %v: %w", i, err)
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
