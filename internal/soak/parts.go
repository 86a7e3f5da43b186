package main

import (
	"bytes"
	"context"
	"fmt"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"time"
)

// fuzzHour is shared by all fuzz targets, in equal shares.
const fuzzHour = time.Hour

// part is one entry of the page.
type part struct {
	group string // what PART= names
	name  string
	pkgs  []string // patterns whose packages, and what they import, the result depends on
	cmd   func(ctx context.Context) (*exec.Cmd, error)
	// maxRSS bounds the peak resident size of the largest process, in bytes;
	// 0 means no bound.
	maxRSS int64
	beside bool // may run beside others, one to a processor
}

// e2e returns a part that runs one end-to-end test at full scale.
func e2e(group, test string) part {
	return part{
		group: group, name: group + ":" + test, pkgs: []string{"./internal/e2e", "./cmd/rowferry", "./internal/equal"},
		cmd: func(ctx context.Context) (*exec.Cmd, error) {
			cmd := exec.CommandContext(ctx, "go", "test", "-count=1", "-timeout=4h", "-v", "-run", "^"+strings.ReplaceAll(test, "/", "$/^")+"$", "./internal/e2e")
			cmd.Env = append(cmd.Environ(), "SCALE=soak")
			return cmd, nil
		},
	}
}

// tests returns a part that runs whole packages at full scale.
func tests(group, what string, pkgs ...string) part {
	return part{
		group: group, name: group + ":" + what, pkgs: pkgs,
		cmd: func(ctx context.Context) (*exec.Cmd, error) {
			cmd := exec.CommandContext(ctx, "go", append([]string{"test", "-count=1", "-timeout=2h"}, pkgs...)...)
			cmd.Env = append(cmd.Environ(), "SCALE=soak")
			return cmd, nil
		},
	}
}

// parts lists everything, with a part per fuzz target found in the module.
func parts(ctx context.Context) ([]part, error) {
	all := []part{
		e2e("kills", "TestKills/mariadb10.11"), e2e("kills", "TestKills/mysql9.7"),
		e2e("types", "TestTypes/mariadb10.11"), e2e("types", "TestTypes/mysql9.7"), e2e("types", "TestTypes/mariadb11"),
		tests("newest", "source on MariaDB 11.8 too", "./source/mysql", "./internal/dialect/mysql"),
		tests("newest", "targets on MariaDB 11.8 and the newest PostgreSQL too", "./sink/mysql", "./sink/postgres"),
		e2e("huge", "TestHugeTransaction/mysql9.7/plain"), e2e("huge", "TestHugeTransaction/mysql9.7/compressed"),
		e2e("huge", "TestHugeTransaction/mariadb10.11/plain"), e2e("huge", "TestHugeTransaction/mariadb10.11/compressed"),
	}
	all = append(all, liveParts()...)
	all = append(all, postgresParts()...)
	all = append(all, copyParts()...)
	all = append(all, entityParts()...)
	for _, target := range []string{"sqlite", "postgres15", "mysql9.7", "mariadb10.11"} {
		all = append(all, e2e("grouped", "TestGrouped/"+target))
	}
	all = append(all, e2e("grouped", "TestLanes"))
	targets, err := fuzzTargets(ctx)
	if err != nil {
		return nil, err
	}
	for _, t := range targets {
		all = append(all, t.part(fuzzHour/time.Duration(len(targets))))
	}
	return all, nil
}

// liveParts are those about following servers.
func liveParts() (all []part) {
	for _, source := range []string{"mariadb10.11", "mysql9.7"} {
		for _, target := range []string{"postgres15", "mysql9.7", "mariadb10.11", "sqlite"} {
			all = append(all, e2e("live", "TestLiveKills/"+source+"_to_"+target))
		}
		for _, target := range []string{"postgres15", "mysql9.7", "mariadb10.11"} {
			all = append(all, e2e("faults", "TestNetworkFaults/"+source+"_to_"+target))
		}
	}
	for _, p := range []string{"mysql9.7_to_postgres15", "mariadb10.11_to_mysql9.7", "mysql9.7_to_mariadb10.11", "mariadb10.11_to_postgres-new", "mysql9.7_to_mariadb11"} {
		for _, test := range []string{"TestFence/", "TestCommitsCutOff/", "TestTargetErrors/"} {
			all = append(all, e2e("faults", test+p))
		}
	}
	for _, test := range []string{
		"TestCascades/logged", "TestCascades/not_logged", "TestCascades/deep", "TestCascadesRefused",
		"TestStaging", "TestStagingKeyless", "TestNames", "TestNamesRefused", "TestDatabaseNames", "TestOrder", "TestTouchedTarget",
	} {
		all = append(all, e2e("staging", test))
	}
	return append(all, e2e("connections", "TestConnections"), e2e("connections", "TestPrivileges"), e2e("long", "TestLongRun"))
}

// postgresParts are those about following PostgreSQL.
func postgresParts() (all []part) {
	for _, pair := range []string{
		"postgres15_to_mysql9.7", "postgres-new_to_postgres15", "postgres15_to_mariadb10.11", "postgres-new_to_sqlite",
		"postgres15_to_postgres15,_streamed", "postgres-new_to_mysql9.7,_streamed", "postgres-new_to_mariadb10.11,_streamed", "postgres15_to_sqlite,_streamed",
	} {
		all = append(all, e2e("pglive", "TestLiveKills/"+pair))
	}
	for _, pair := range []string{"postgres15_to_mysql9.7", "postgres-new_to_postgres15,_streamed"} {
		all = append(all, e2e("faults", "TestNetworkFaults/"+pair), e2e("faults", "TestCommitsCutOff/"+pair))
	}
	all = append(all, e2e("faults", "TestCommitsCutOff/postgres15_to_mariadb10.11"))
	for _, source := range []string{"postgres15", "postgres-new"} {
		all = append(all, e2e("pghuge", "TestPostgresHuge/"+source+"_as_it_is_made"), e2e("pghuge", "TestPostgresHuge/"+source+"_afterwards"))
		all = append(all, e2e("pgidle", "TestPostgresRetained/"+source+"_unpublished_tables"), e2e("pgidle", "TestPostgresRetained/"+source+"_idle_database"))
	}
	return all
}

// copyParts are those about copying.
func copyParts() (all []part) {
	for _, source := range []string{"mariadb10.11", "mysql9.7", "postgres15"} {
		for _, target := range []string{"postgres15", "mysql9.7", "mariadb10.11", "sqlite"} {
			pair := source + "_to_" + target
			if pair == "mysql9.7_to_sqlite" {
				pair += ",_partial_images"
			}
			all = append(all, e2e("copy", "TestCopy/"+pair), e2e("copy", "TestCopyUnderLoad/"+pair))
		}
		all = append(all, e2e("copy", "TestCopyHeldCommits/"+source))
	}
	all = append(all, e2e("copy", "TestPauseAndThrottle"))
	for _, pair := range []string{"mysql9.7_to_sqlite", "mariadb10.11_to_mysql9.7,_partial_images", "postgres15_to_postgres15,_streamed"} {
		all = append(all, e2e("copy", "TestCopy/"+pair), e2e("copy", "TestCopyUnderLoad/"+pair))
	}
	return all
}

// entityParts are those about keys of the target's own, and rows that wait.
func entityParts() (all []part) {
	for _, pair := range []string{"mariadb10.11_to_postgres15", "postgres15_to_mysql9.7", "mysql9.7_to_mariadb10.11", "mariadb10.11_to_sqlite"} {
		all = append(all, e2e("entities", "TestEntities/"+pair))
	}
	return append(all, e2e("entities", "TestEntityStops"), e2e("rejects", "TestRejects"), e2e("rejects", "TestRejectsUnderLoad"))
}

func groups(all []part) []string {
	var names []string
	for _, p := range all {
		names = append(names, p.group)
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// fuzzTarget is a func FuzzX of a package directory.
type fuzzTarget struct{ dir, name string }

var fuzzFunc = regexp.MustCompile(`^(\S+)/[^/\s]+_test\.go:func (Fuzz\w+)\(`)

func fuzzTargets(ctx context.Context) ([]fuzzTarget, error) {
	out, err := exec.CommandContext(ctx, "git", "grep", "--no-color", "-E", `^func Fuzz[A-Za-z0-9_]+\(`, "--", "*_test.go").Output()
	if err != nil {
		return nil, fmt.Errorf("list the fuzz targets: %w", err)
	}
	var all []fuzzTarget
	for line := range bytes.Lines(out) {
		if m := fuzzFunc.FindSubmatch(line); m != nil {
			all = append(all, fuzzTarget{string(m[1]), string(m[2])})
		}
	}
	if len(all) == 0 {
		return nil, fmt.Errorf("no fuzz targets found")
	}
	return all, nil
}

// part runs the target for a while, its new corpus kept in .cache/fuzz.
func (f fuzzTarget) part(d time.Duration) part {
	return part{
		group: "fuzz", name: "fuzz:" + f.dir + "." + f.name, pkgs: []string{"./" + f.dir}, maxRSS: 512 << 20, beside: true,
		cmd: func(ctx context.Context) (*exec.Cmd, error) {
			bin := ".cache/fuzz/" + strings.ReplaceAll(f.dir, "/", "_") + "." + f.name
			build := exec.CommandContext(ctx, "go", "test", "-c", "-fuzz="+f.name, "-o", bin, "./"+f.dir)
			if out, err := build.CombinedOutput(); err != nil {
				return nil, fmt.Errorf("build %s: %w\n%s", f.name, err, out)
			}
			path, err := exec.Command("realpath", bin, ".cache/fuzz").Output()
			if err != nil {
				return nil, err
			}
			abs := strings.Fields(string(path))
			cmd := exec.CommandContext(ctx, abs[0], "-test.run=^$", "-test.fuzz=^"+f.name+"$",
				"-test.fuzztime="+d.Round(time.Second).String(), "-test.fuzzcachedir="+abs[1]+"/corpus", "-test.parallel=1", "-test.fuzzminimizetime=5x")
			cmd.Dir = f.dir
			return cmd, nil
		},
	}
}
