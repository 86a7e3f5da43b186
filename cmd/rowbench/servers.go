package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

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

// shownSettings are printed in full with a result, beside those of replication.
var shownSettings = []string{
	"version", "innodb_flush_log_at_trx_commit", "innodb_flush_method", "innodb_doublewrite", "innodb_buffer_pool_size",
	"innodb_log_file_size", "innodb_redo_log_capacity", "log_bin", "sync_binlog", "sync_relay_log", "sync_relay_log_info",
	"sync_source_info", "sync_master_info", "relay_log_purge", "performance_schema", "innodb_io_capacity", "innodb_adaptive_hash_index",
	"innodb_flush_neighbors", "innodb_change_buffering", "transaction_isolation", "tx_isolation", "max_allowed_packet",
	"innodb_io_capacity_max", "innodb_flush_log_at_timeout", "innodb_log_buffer_size", "innodb_page_size", "innodb_read_io_threads",
	"innodb_write_io_threads", "innodb_use_native_aio", "innodb_log_writer_threads", "innodb_log_write_ahead_size",
	"gtid_mode", "gtid_strict_mode", "relay_log_recovery", "foreign_key_checks", "unique_checks", "character_set_server",
}

// settings are a MySQL or MariaDB server's settings that matter here.
func settings(ctx context.Context, s *testdb.Server) (all map[string]string, err error) {
	rows, err := s.DB().QueryContext(ctx, "SHOW GLOBAL VARIABLES")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	wanted := map[string]bool{}
	for _, name := range shownSettings {
		wanted[name] = true
	}
	all = map[string]string{}
	for rows.Next() {
		var name, value string
		if err := rows.Scan(&name, &value); err != nil {
			return nil, err
		}
		parallel := strings.HasPrefix(name, "slave_parallel") || strings.HasPrefix(name, "replica_parallel") || strings.HasPrefix(name, "replica_preserve")
		if wanted[name] || parallel || strings.Contains(name, "binlog_transaction_dependency") {
			all[name] = value
		}
	}
	return all, rows.Err()
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
