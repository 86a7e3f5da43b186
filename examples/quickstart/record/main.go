// Command record makes the binlog that the quickstart replays: it starts a
// private MariaDB, runs a small shop on it for some two thousand transactions,
// and copies the server's log and the server's own account of its rows into
// examples/quickstart. Run it from the root of the repository:
//
//	scripts/servers mariadb && go run ./examples/quickstart/record
//
// The shop is seeded, so the rows are the same at every recording; times of
// day and ids of the server are not.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/rowferry/rowferry/internal/testdb"
)

const (
	directory    = "examples/quickstart"
	database     = "shop"
	transactions = 2000
)

func main() {
	if err := record(context.Background()); err != nil {
		fmt.Fprintln(os.Stderr, "record:", err)
		os.Exit(1)
	}
}

func record(ctx context.Context) (err error) {
	server, err := testdb.Launch(ctx, testdb.MariaDB1011, testdb.RowMetadata("FULL"))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, server.Close()) }()
	if err := server.ResetBinlog(ctx); err != nil {
		return err
	}
	if err := server.Exec(ctx, "CREATE DATABASE "+database+" CHARACTER SET utf8mb4"); err != nil {
		return err
	}
	if err := runShop(ctx, server); err != nil {
		return err
	}
	if err := copyLog(server); err != nil {
		return err
	}
	return writeExpected(ctx, server)
}

// copyLog replaces examples/quickstart/binlog by the server's files. The
// server writes whole transactions only, so copying its last file is safe.
func copyLog(server *testdb.Server) error {
	files, err := server.BinlogFiles()
	if err != nil {
		return err
	}
	to := filepath.Join(directory, "binlog")
	if err := errors.Join(os.RemoveAll(to), os.MkdirAll(to, 0o755)); err != nil {
		return err
	}
	for _, f := range files {
		data, err := os.ReadFile(f)
		if err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(to, filepath.Base(f)), data, 0o644); err != nil {
			return err
		}
		fmt.Printf("%s  %d bytes\n", filepath.Base(f), len(data))
	}
	return nil
}

// writeExpected asks the server for its rows, by the program that judges
// equality in the tests.
func writeExpected(ctx context.Context, server *testdb.Server) error {
	out, err := os.Create(filepath.Join(directory, "expected.txt"))
	if err != nil {
		return err
	}
	cmd := exec.CommandContext(ctx, "go", "run", "./internal/equal", "dump", server.URL(database))
	cmd.Stdout, cmd.Stderr = out, os.Stderr
	return errors.Join(cmd.Run(), out.Close())
}

// statements splits schema.sql, which has no semicolon inside a statement.
func statements(sql string) []string {
	var all []string
	for s := range strings.SplitSeq(sql, ";") {
		if s = strings.TrimSpace(s); s != "" {
			all = append(all, s)
		}
	}
	return all
}
