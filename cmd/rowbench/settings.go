package main

import (
	"context"
	"slices"
	"strings"

	"github.com/rowferry/rowferry/internal/testdb"
)

// mysqlSettings are printed in full with a result, beside those of replication.
var mysqlSettings = []string{
	"version", "innodb_flush_log_at_trx_commit", "innodb_flush_method", "innodb_doublewrite", "innodb_buffer_pool_size",
	"innodb_log_file_size", "innodb_redo_log_capacity", "log_bin", "sync_binlog", "sync_relay_log", "sync_relay_log_info",
	"sync_source_info", "sync_master_info", "relay_log_purge", "performance_schema", "innodb_io_capacity", "innodb_adaptive_hash_index",
	"innodb_flush_neighbors", "innodb_change_buffering", "transaction_isolation", "tx_isolation", "max_allowed_packet",
	"innodb_io_capacity_max", "innodb_flush_log_at_timeout", "innodb_log_buffer_size", "innodb_page_size", "innodb_read_io_threads",
	"innodb_write_io_threads", "innodb_use_native_aio", "innodb_log_writer_threads", "innodb_log_write_ahead_size",
	"gtid_mode", "gtid_strict_mode", "relay_log_recovery", "foreign_key_checks", "unique_checks", "character_set_server",
}

// postgresSettings are PostgreSQL's.
var postgresSettings = []string{
	"server_version", "fsync", "full_page_writes", "wal_level", "wal_sync_method", "wal_buffers", "wal_compression", "wal_writer_delay",
	"wal_writer_flush_after", "wal_init_zero", "wal_recycle", "commit_delay", "max_wal_size", "min_wal_size", "checkpoint_timeout",
	"checkpoint_completion_target", "checkpoint_flush_after", "shared_buffers", "huge_pages", "work_mem", "maintenance_work_mem",
	"effective_cache_size", "effective_io_concurrency", "io_method", "bgwriter_delay", "bgwriter_lru_maxpages", "bgwriter_flush_after",
	"backend_flush_after", "autovacuum", "autovacuum_naptime", "jit", "random_page_cost", "default_transaction_isolation",
	"session_replication_role", "max_worker_processes", "max_logical_replication_workers", "max_parallel_apply_workers_per_subscription",
	"data_checksums", "server_encoding", "lc_collate", "track_counts",
}

// synchronousCommit is what new sessions have: the role's, which a session that
// was there before does not know.
const synchronousCommit = `SELECT 'synchronous_commit', COALESCE((SELECT substring(c from '=(.*)') FROM pg_roles, unnest(rolconfig) c
	WHERE rolname = current_user AND c LIKE 'synchronous\_commit=%'), current_setting('synchronous_commit'))`

// settings are a server's settings that matter here. Those that it does not
// know are left out.
func settings(ctx context.Context, s *testdb.Server) (map[string]string, error) {
	query, keep := "SHOW GLOBAL VARIABLES", shownByMySQL
	if s.Kind.Flavor() == testdb.Postgres {
		query = "SELECT name, current_setting(name) FROM pg_settings WHERE name IN ('" + strings.Join(postgresSettings, "', '") + "') UNION ALL " + synchronousCommit
		keep = func(string) bool { return true }
	}
	found, err := pairsOf(ctx, s.DB(), query)
	if err != nil {
		return nil, err
	}
	all := map[string]string{}
	for _, p := range found {
		if keep(p[0]) {
			all[p[0]] = p[1]
		}
	}
	return all, nil
}

// shownByMySQL tells whether a variable of MySQL or MariaDB is one that matters.
func shownByMySQL(name string) bool {
	for _, start := range []string{"slave_parallel", "replica_parallel", "replica_preserve"} {
		if strings.HasPrefix(name, start) {
			return true
		}
	}
	return slices.Contains(mysqlSettings, name) || strings.Contains(name, "binlog_transaction_dependency")
}
