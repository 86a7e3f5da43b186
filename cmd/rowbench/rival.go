package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"

	"github.com/rowferry/rowferry/internal/testdb"
)

// rival is a program that copies a database, as its own manual recommends for a
// whole one that is only read meanwhile.
type rival struct {
	name string
	// jobs are how many are tried; one count where there is nothing to choose.
	jobs []int
	// script is what a shell runs, in an empty directory. Jobs and the servers'
	// names are in its environment (see command).
	script string
}

// The rivals there are. scripts/rivals brings them.
var (
	// Chunks of a table are what makes mydumper and myloader work in parallel on a
	// large one.
	mydumper = &rival{
		name: "mydumper", jobs: []int{2, 4, 8},
		script: `mydumper --host 127.0.0.1 --port "$SOURCE_PORT" --user root --database ` + database + ` --threads "$JOBS" --trx-consistency-only --rows 100000 --outputdir dump &&
			myloader --host 127.0.0.1 --port "$TARGET_PORT" --user root --database ` + database + ` --threads "$JOBS" --directory dump --overwrite-tables`,
	}
	mariadbDump = &rival{
		name: "mariadb-dump", jobs: []int{1},
		script: `set -o pipefail
			mariadb-dump --no-defaults --host=127.0.0.1 --port="$SOURCE_PORT" --user=root --single-transaction --quick ` + database + ` |
			mariadb --no-defaults --host=127.0.0.1 --port="$TARGET_PORT" --user=root ` + database,
	}
	pgcopydb = &rival{
		name: "pgcopydb", jobs: []int{2, 4, 8},
		script: `pgcopydb clone --source "$SOURCE_URL" --target "$TARGET_URL" --table-jobs "$JOBS" --index-jobs "$JOBS" --split-tables-larger-than 256MB --dir work`,
	}
	pgloader = &rival{
		name: "pgloader", jobs: []int{2, 4, 8},
		script: `cat >copy.load <<END
LOAD DATABASE FROM mysql://root@127.0.0.1:$SOURCE_PORT/` + database + ` INTO $TARGET_URL
WITH workers = $JOBS, concurrency = 1, multiple readers per thread, rows per range = 50000, prefetch rows = 10000
SET PostgreSQL PARAMETERS maintenance_work_mem TO '512MB', work_mem TO '64MB'
CAST TYPE datetime TO timestamp DROP DEFAULT USING zero-dates-to-null, TYPE tinyint TO smallint DROP TYPEMOD;
END
			pgloader --root-dir pgloader --client-min-messages warning copy.load`,
	}
)

// rivalsDirectory is where scripts/rivals has unpacked them.
func rivalsDirectory() (string, error) {
	base := os.Getenv("ROWFERRY_SERVERS")
	if base == "" {
		home, err := os.UserHomeDir()
		if err != nil {
			return "", err
		}
		base = filepath.Join(home, ".cache", "rowferry", "servers")
	}
	return filepath.Join(base, "rivals"), nil
}

// command is a run of the rival in an empty directory.
func (v *rival) command(ctx context.Context, source, target *testdb.Server, jobs int, dir string) (*exec.Cmd, error) {
	root, err := rivalsDirectory()
	if err != nil {
		return nil, err
	}
	path := filepath.Join(root, "usr/bin") + ":/usr/lib/postgresql/15/bin"
	cmd := exec.CommandContext(ctx, "bash", "-c", v.script)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "PATH="+path+":"+os.Getenv("PATH"), "LD_LIBRARY_PATH="+filepath.Join(root, "usr/lib/x86_64-linux-gnu"),
		"HOME="+dir, "XDG_RUNTIME_DIR="+dir, "TMPDIR="+dir, "LC_ALL=C.UTF-8",
		fmt.Sprintf("JOBS=%d", jobs), fmt.Sprintf("SOURCE_PORT=%d", source.Port), fmt.Sprintf("TARGET_PORT=%d", target.Port),
		"SOURCE_URL="+copyURL(source), "TARGET_URL="+copyURL(target))
	return cmd, nil
}

// copyURL is a server's database for programs other than Rowferry.
func copyURL(s *testdb.Server) string {
	if s.Kind.Flavor() == testdb.Postgres {
		return fmt.Sprintf("postgresql://postgres@127.0.0.1:%d/%s", s.Port, postgresDatabase)
	}
	return s.URL(database)
}

// by names the rival with so many jobs.
func (v *rival) by(jobs int) string {
	if len(v.jobs) == 1 {
		return v.name
	}
	return fmt.Sprintf("%s, %d jobs", v.name, jobs)
}
