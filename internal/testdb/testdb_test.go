package testdb_test

import (
	"database/sql"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rowferry/rowferry/internal/testdb"
)

func TestMain(m *testing.M) { testdb.Main(m) }

func TestStart(t *testing.T) {
	for _, k := range testdb.Kinds() {
		t.Run(string(k), func(t *testing.T) {
			t.Parallel()
			s := testdb.Start(t, k)
			if again := testdb.Start(t, k); again != s {
				t.Error("the same server twice is not shared")
			}
			name, db := testdb.NewDatabase(t, s)
			other, _ := testdb.NewDatabase(t, s)
			if name == other {
				t.Errorf("two databases are called %s", name)
			}
			var format, zone, in string
			row := db.QueryRow("SELECT @@global.binlog_format, @@time_zone, DATABASE()")
			if err := row.Scan(&format, &zone, &in); err != nil {
				t.Fatal(err)
			}
			if format != "ROW" || zone != "+00:00" || in != name {
				t.Errorf("binlog_format %s, time_zone %s, database %s", format, zone, in)
			}
		})
	}
}

// A killed and a stopped server come back with what they had committed, and
// their log can be listed while they are down.
func TestRestart(t *testing.T) {
	for _, k := range testdb.Kinds() {
		t.Run(string(k), func(t *testing.T) {
			t.Parallel()
			ctx := t.Context()
			s := testdb.Start(t, k, testdb.Private(), testdb.Arg("innodb_flush_log_at_trx_commit=1"))
			must(t, s.ResetBinlog(ctx))
			must(t, s.Exec(ctx, "CREATE DATABASE d", "CREATE TABLE d.t (a INT PRIMARY KEY)", "INSERT INTO d.t VALUES (1)"))
			must(t, s.Rotate(ctx))
			must(t, s.Kill())
			files, err := s.BinlogFiles()
			must(t, err)
			if len(files) != 2 || filepath.Base(files[0]) != "mysql-bin.000001" {
				t.Errorf("binlog files: %v", files)
			}
			must(t, s.Restart(ctx))
			must(t, s.Exec(ctx, "INSERT INTO d.t VALUES (2)"))
			must(t, s.Stop())
			must(t, s.Restart(ctx))
			var n int
			must(t, s.DB().QueryRow("SELECT COUNT(*) FROM d.t").Scan(&n))
			if n != 2 {
				t.Errorf("%d rows after two restarts, want 2", n)
			}
		})
	}
}

func TestOptions(t *testing.T) {
	s := testdb.Start(t, testdb.MySQL97, testdb.Private(), testdb.RowMetadata("FULL"), testdb.Compressed(), testdb.MaxBinlogSize(8192))
	var metadata, compression, size, mode string
	must(t, s.DB().QueryRow("SELECT @@binlog_row_metadata, @@binlog_transaction_compression, @@max_binlog_size, @@gtid_mode").
		Scan(&metadata, &compression, &size, &mode))
	if metadata != "FULL" || compression != "1" || size != "8192" || mode != "ON" {
		t.Errorf("row metadata %s, compression %s, size %s, gtid_mode %s", metadata, compression, size, mode)
	}
}

// The server's own zone has the rule's summer time.
func TestZone(t *testing.T) {
	for _, k := range testdb.Kinds() {
		s := testdb.Start(t, k, testdb.Zone("CET-1CEST,M3.5.0,M10.5.0/3"))
		var winter, summer string
		row := s.DB().QueryRow(`SELECT CONVERT_TZ('2025-03-30 00:59:59', '+00:00', @@global.time_zone),
			CONVERT_TZ('2025-03-30 01:00:00', '+00:00', @@global.time_zone)`)
		must(t, row.Scan(&winter, &summer))
		if winter != "2025-03-30 01:59:59" || summer != "2025-03-30 03:00:00" {
			t.Errorf("%s: the clock goes from %s to %s", k, winter, summer)
		}
	}
}

// A server that is not installed is an error that says what to run.
func TestMissing(t *testing.T) {
	t.Setenv("ROWFERRY_SERVERS", t.TempDir())
	_, err := testdb.Launch(t.Context(), testdb.MySQL97)
	if err == nil || !strings.Contains(err.Error(), "scripts/servers mysql") {
		t.Errorf("error without the server: %v", err)
	}
}

// A server whose arguments are refused is an error that shows its log.
func TestRefused(t *testing.T) {
	_, err := testdb.Launch(t.Context(), testdb.MySQL97, testdb.Arg("no_such_variable=1"))
	if err == nil || !strings.Contains(err.Error(), "no_such_variable") {
		t.Errorf("error of a server that refuses its arguments: %v", err)
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func exec(t *testing.T, db *sql.DB, statements ...string) {
	t.Helper()
	for _, q := range statements {
		if _, err := db.Exec(q); err != nil {
			t.Fatalf("%s: %v", q, err)
		}
	}
}
