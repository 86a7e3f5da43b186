package e2e

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rowferry/rowferry"
	"github.com/rowferry/rowferry/checkpoint"
	"github.com/rowferry/rowferry/mapping"
	"github.com/rowferry/rowferry/sink/sqlite"
	"github.com/rowferry/rowferry/source/mysql"
)

var update = flag.Bool("update", false, "write the golden files anew")

// TestGoldenSQL shows what becomes of a log's bytes: the statements that the
// first transactions of the quickstart's log run in the target, with their
// values, and one of each rarer kind further on.
func TestGoldenSQL(t *testing.T) {
	besideOthers(t)
	for _, c := range []struct{ name, from, until string }{
		{"begin", "earliest", "0-1-52"},            // tables, the tree, products
		{"register and order", "0-1-52", "0-1-86"}, // customers, addresses, orders
		{"rollback and moves", "0-1-136", "0-1-150"},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := traced(t, c.from, c.until)
			path := filepath.Join("testdata", strings.ReplaceAll(c.name, " ", "_")+".sql")
			if *update {
				if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if got != string(want) {
				t.Errorf("the statements differ from %s; look at the difference, then run with -update", path)
			}
		})
	}
}

// traced replays a range of the quickstart's log and returns the statements.
// Tables that the range needs rows of are filled without a trace.
func traced(t *testing.T, from, until string) string {
	t.Helper()
	dir := t.TempDir()
	var b strings.Builder
	stage := func(until string, trace func(string, []string)) {
		rules, err := mapping.New(mapping.Options{})
		if err != nil {
			t.Fatal(err)
		}
		options := sqlite.DefaultOptions()
		options.Trace = trace
		sink, err := sqlite.Open(t.Context(), filepath.Join(dir, "target.db"), options)
		if err != nil {
			t.Fatal(err)
		}
		defer func() {
			if err := sink.Close(); err != nil {
				t.Error(err)
			}
		}()
		state, err := checkpoint.Open(t.Context(), checkpoint.Options{Dir: filepath.Join(dir, "state"), Pipeline: "golden"})
		if err != nil {
			t.Fatal(err)
		}
		defer func() {
			if err := state.Close(); err != nil {
				t.Error(err)
			}
		}()
		source := mysql.Files(mysql.Options{Paths: []string{filepath.Join(quickstart, "binlog", "mysql-bin.*")}, Until: until, Scope: rules.InScope})
		e, err := rowferry.Open(t.Context(), rowferry.Parts{Source: source, Handler: mapping.NewHandler(rules, nil), Sink: sink, State: state},
			rowferry.Options{Pipeline: "golden", BatchTxs: 1})
		if err != nil {
			t.Fatal(err)
		}
		defer func() {
			if err := e.Close(); err != nil {
				t.Error(err)
			}
		}()
		if err := e.Run(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if from != "earliest" {
		stage(from, nil)
	}
	stage(until, func(sql string, values []string) {
		fmt.Fprintln(&b, sql)
		if len(values) > 0 {
			fmt.Fprintf(&b, "    %q\n", values)
		}
	})
	return b.String()
}
