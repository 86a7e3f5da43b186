package main

import (
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rowferry/rowferry/internal/testdb"
)

// pgDump stands for a rival, since those that are measured are installed for the
// bench alone; after is what it does then.
func pgDump(after string) *rival {
	return &rival{name: "pg_dump", jobs: []int{1, 2}, script: `set -o pipefail
		pg_dump --schema ` + database + ` "$SOURCE_URL" | psql -q -v ON_ERROR_STOP=1 "$TARGET_URL" && psql -q -c "` + after + `" "$TARGET_URL"`}
}

// A copy is measured on both sides, and one that is not the source's does not
// count.
func TestCopyIsMeasured(t *testing.T) {
	dir := t.TempDir()
	bin := filepath.Join(dir, "rowferry")
	if out, err := exec.Command("go", "build", "-o", bin, "github.com/rowferry/rowferry/cmd/rowferry").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	ctx := t.Context()
	said := &progress{}
	judge, err := openJudge(ctx, dir, dir)
	if err != nil {
		t.Fatal(err)
	}
	b := &bench{opts: &options{turns: 1, scale: tinyScale}, errOut: said, begun: time.Now(), dir: dir, bin: bin, judge: judge}
	s, err := openStage(ctx, b, testdb.Postgres15, postgresCopies())
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := s.close(); err != nil {
			t.Error(err)
		}
	}()
	if err := s.prepareCopy(ctx, map[testdb.Kind]bool{testdb.Postgres15: true}); err != nil {
		t.Fatal(err)
	}
	r := &row{source: testdb.Postgres15, target: testdb.Postgres15, workload: "copy pg_dump", durability: durable}
	entries, err := pgDump("SELECT 1").measure(ctx, s, r)
	if err != nil {
		t.Fatalf("%v\n%s", err, said.text.String())
	}
	e := entries[0]
	if *e.RatioMedian <= 0 || e.Log.Rows < 1000 || e.Rowferry.PeakAnonymous == 0 || e.Settings["synchronous_commit"] != "on" || !strings.HasPrefix(e.Native.Options, "pg_dump, ") {
		t.Errorf("%+v", e)
	}
	for name, f := range e.Figures {
		if f <= 0 && !strings.Contains(name, "processor") { // whose clock ticks in hundredths
			t.Errorf("%s is %g", name, f)
		}
	}
	if f := e.Figures["rowferry, the target's processor seconds, a GB"]; f <= 0 {
		t.Errorf("the target took %g seconds of a processor", f)
	}
	for _, wrong := range []string{
		"DELETE FROM bench.events WHERE id = 1", "UPDATE bench.events SET body = body || 'x' WHERE id = 1",
		"ALTER TABLE bench.orders DROP CONSTRAINT orders_number_key", "ALTER TABLE bench.items DROP CONSTRAINT items_order_id",
	} {
		if _, err := pgDump(wrong).measure(ctx, s, r); err == nil || !strings.Contains(err.Error(), "the source has") {
			t.Errorf("of the rival: %s: %v", wrong, err)
		}
	}
}

// The rows to copy are seeded, no part has another's keys, and parents have the
// rows that their children name.
func TestCopiesAreSeeded(t *testing.T) {
	for _, w := range []*workload{mysqlCopies(), postgresCopies()} {
		of := map[string]int{}
		for part := range writers {
			first, _, _ := statements(t, w.newWriter(part, tinyScale), 0)
			again, _, _ := statements(t, w.newWriter(part, tinyScale), 0)
			if !slices.Equal(first, again) {
				t.Error("the same part writes something else")
			}
			for _, m := range keyed.FindAllStringSubmatch(strings.Join(first, "\n"), -1) {
				if was, there := of[m[1]]; there && was != part {
					t.Fatalf("key %s is of parts %d and %d", m[1], was, part)
				}
				of[m[1]] = part
			}
		}
	}
}

// Every rival has its rows, and a figure to reach.
func TestCopyRows(t *testing.T) {
	var names []string
	for _, g := range copyGroups(&options{scale: 1}) {
		for _, r := range g.rows {
			names = append(names, r.name())
			if r.figure.reach < 1 || r.figure.aim <= r.figure.reach {
				t.Errorf("%s: %+v", r.name(), r.figure)
			}
		}
	}
	for _, want := range []string{
		"mariadb10.11-mariadb10.11/copy-mydumper/durable", "mariadb10.11-mariadb10.11/copy-mariadb-dump/relaxed",
		"postgres15-postgres15/copy-pgcopydb/durable", "mariadb10.11-postgres15/copy-pgloader/durable",
	} {
		if !slices.Contains(names, want) {
			t.Errorf("no row %s in %q", want, names)
		}
	}
}
