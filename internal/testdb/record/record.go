// Package record makes recorded logs for replay tests: it starts a fresh server,
// puts the load on it, and keeps the binlog files and what the server then held.
package record

import (
	"context"
	"database/sql"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/rowferry/rowferry/internal/testdb"
	"github.com/rowferry/rowferry/internal/testdb/load"
)

// Database is the name of the one database in a recording.
const Database = "shop"

// Options say what is recorded and how the server logs it.
type Options struct {
	Transactions int    // of the load; 2000 if zero
	Writers      int    // 4 if zero
	Metadata     string // binlog_row_metadata: FULL or MINIMAL; the server's default if empty
	Compress     bool
	Seed         uint64
	FileSize     int                 // max_binlog_size; 256 KiB if zero
	Server       []testdb.Option     // further options of the server
	Fill         func(*sql.DB) error // instead of the load: what to record
	DumpFlags    []string            // of the equal program, for Expected
}

// Recording is a log and what it leads to.
type Recording struct {
	Files    []string // the binlog files in order; the first begins with the CREATE statements
	Expected string   // a file: the canonical dump of the source at the end
	Database string
	Kind     testdb.Kind
	Version  string     // of the server
	Stats    load.Stats // of the load
	Server   *testdb.Server
}

// Load records the load into a directory of the test. The server keeps running
// until the test ends.
func Load(t testing.TB, k testdb.Kind, o Options) Recording {
	t.Helper()
	s := testdb.Start(t, k, o.server()...)
	dir := t.TempDir()
	r, err := Record(context.Background(), s, dir, o)
	if err != nil {
		t.Fatal(err)
	}
	r.Expected = filepath.Join(dir, "expected.txt")
	testdb.Dump(t, s.URL(Database), r.Expected, o.DumpFlags...)
	t.Logf("recorded %d files from %s: %v", len(r.Files), k, r.Stats)
	return r
}

// server returns the options of the server that records.
func (o Options) server() []testdb.Option {
	size := o.FileSize
	if size == 0 {
		size = 256 << 10
	}
	opts := []testdb.Option{testdb.Private(), testdb.MaxBinlogSize(size)}
	if o.Metadata != "" {
		opts = append(opts, testdb.RowMetadata(o.Metadata))
	}
	if o.Compress {
		opts = append(opts, testdb.Compressed())
	}
	return append(opts, o.Server...)
}

// Record does the work of Load on a running server whose log is not needed any
// more, for programs that are no tests; it writes no dump.
func Record(ctx context.Context, s *testdb.Server, dir string, o Options) (Recording, error) {
	r := Recording{Database: Database, Kind: s.Kind, Version: s.Version, Server: s}
	// The log begins with the CREATE DATABASE: it tells the character set that
	// tables inherit.
	if err := s.ResetBinlog(ctx); err != nil {
		return r, err
	}
	if err := s.Exec(ctx, "CREATE DATABASE "+Database); err != nil {
		return r, err
	}
	db, err := s.Open(Database)
	if err != nil {
		return r, err
	}
	defer db.Close()
	if o.Fill != nil {
		err = o.Fill(db)
	} else {
		r.Stats, err = fillLoad(ctx, db, s.Kind, o)
	}
	if err != nil {
		return r, fmt.Errorf("record: %w", err)
	}
	// The last file is left behind, empty, so the copies are whole.
	if err := s.Rotate(ctx); err != nil {
		return r, err
	}
	files, err := s.BinlogFiles()
	if err != nil {
		return r, err
	}
	for _, from := range files[:len(files)-1] {
		to := filepath.Join(dir, filepath.Base(from))
		if err := copyFile(from, to); err != nil {
			return r, fmt.Errorf("record: %w", err)
		}
		r.Files = append(r.Files, to)
	}
	return r, nil
}

func fillLoad(ctx context.Context, db *sql.DB, k testdb.Kind, o Options) (load.Stats, error) {
	if o.Transactions == 0 {
		o.Transactions = 2000
	}
	return load.Run(ctx, db, load.Options{
		Seed: o.Seed, Writers: o.Writers, Transactions: o.Transactions, Flavor: k.Flavor(),
	})
}

func copyFile(from, to string) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.Create(to)
	if err != nil {
		return err
	}
	if _, err := io.Copy(out, in); err != nil {
		out.Close()
		return err
	}
	return out.Close()
}
