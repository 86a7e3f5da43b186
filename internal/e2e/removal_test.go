package e2e

import (
	"bytes"
	"database/sql"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/rowferry/rowferry"
	"github.com/rowferry/rowferry/internal/testdb"
)

// sharedTables are tables into which several sources are brought: a circle of two, two
// that refer to themselves, keys with a parent's in them, and a reference that only the
// configuration knows.
var sharedTables = []*entTable{
	entNamed("team"), entNamed("person"), entNamed("category"), entNamed("visit"),
	{name: "orders", key: "allocate", own: "id", refs: []entRef{{cols: []string{"buyer_id"}, parents: []string{"person"}}}},
	{name: "item", own: "line", refs: []entRef{{cols: []string{"order_id"}, parents: []string{"orders"}, inKey: true}}},
	entNamed("shipment"),
}

// sharedSchema makes the tables; f is "" for SQLite.
func sharedSchema(f testdb.Flavor, prefix string, target bool) (all []string) {
	for _, t := range sharedTables {
		all = append(all, t.create(f, prefix, target))
	}
	for _, t := range sharedTables {
		for i := range t.refs {
			if f != "" && !t.refs[i].virtual {
				all = append(all, fmt.Sprintf("ALTER TABLE %s%s ADD %s", prefix, t.name, t.refs[i].clause(prefix)))
			}
		}
	}
	return all
}

// sharedRows fills the tables with n rows each, whose keys are those of every source.
func sharedRows(name string, from, n int) (all []string) {
	insert := func(table string, values func(i int) string) {
		for at := from; at < from+n; at += 500 {
			var rows []string
			for i := at; i < min(at+500, from+n); i++ {
				rows = append(rows, fmt.Sprintf("(%s, '%s %d', %d, '%s %d')", values(i), name, i, i%7, name, i))
			}
			all = append(all, "INSERT INTO "+table+" VALUES "+strings.Join(rows, ", "))
		}
	}
	one := func(i int) string { return fmt.Sprint(i) }
	two := func(i int) string { return fmt.Sprintf("%d, %[1]d", i) }
	before := func(i int) string {
		if i%50 == 1 || i == from {
			return "NULL"
		}
		return one(i - 1)
	}
	insert("team", func(i int) string { return one(i) + ", NULL" })
	insert("person", func(i int) string { return one(i) + ", " + before(i) + ", " + one(i) })
	insert("category", func(i int) string { return one(i) + ", " + before(i) })
	insert("visit", two)
	insert("orders", two)
	insert("item", func(i int) string { return "1, " + one(i) })
	insert("shipment", func(i int) string { return two(i) + ", 1" })
	return append(all, fmt.Sprintf("UPDATE team SET lead_id = id WHERE id >= %d", from))
}

// feeder is one of several sources of a target, with a pipeline of its own.
type feeder struct {
	name   string
	pair   pair
	db     *sql.DB
	config string
}

// newFeeder makes a source with the tables, and begins its pipeline.
func newFeeder(t *testing.T, name string, p pair, g *goal) *feeder {
	t.Helper()
	s := testdb.Start(t, p.source, p.options()...)
	f := &feeder{name: name, pair: p, config: filepath.Join(t.TempDir(), name+".yaml")}
	var database string
	database, f.db = testdb.NewDatabase(t, s)
	execAll(t, f.db, sharedSchema(p.source.Flavor(), "", false)...)
	slot, from := "", "latest"
	if p.fromPostgres() {
		slot = fmt.Sprintf("slot: %[1]s, publication: %[1]s, ", database)
		for _, table := range sharedTables {
			execAll(t, f.db, "ALTER TABLE "+table.name+" REPLICA IDENTITY FULL")
		}
	} else {
		from = logEnd(t, s)
	}
	namespace := p.namespace(database)
	var text strings.Builder
	fmt.Fprintf(&text, "name: %s\nsource: {%surl: '%s'}\ntarget: {url: '%s'}\ntables: ['%s.*']\nstate: %s\nentities:\n",
		name, slot, p.url(s.Port, database), g.url, namespace, filepath.Join(t.TempDir(), "state"))
	for _, table := range sharedTables {
		fmt.Fprintf(&text, "  %s.%s:\n    provenance: {source: origin}\n", namespace, table.name)
		if g.ns != "" {
			fmt.Fprintf(&text, "    to: %s%s\n", g.ns, table.name)
		}
		if table.key != "" {
			fmt.Fprintf(&text, "    key: %s\n", table.key)
		}
		for _, r := range table.refs {
			if r.virtual {
				fmt.Fprintf(&text, "    references: {%s: %s.%s.id}\n", r.cols[0], namespace, r.parents[0])
			}
		}
	}
	if err := os.WriteFile(f.config, []byte(text.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	must(t, f.args("run", "--once", "--from", from)...)
	return f
}

func (f *feeder) args(more ...string) []string { return append([]string{"-c", f.config}, more...) }

// requireShared requires that the target has what these sources have, and nothing else.
func requireShared(t *testing.T, g *goal, feeders ...*feeder) {
	t.Helper()
	for _, table := range sharedTables {
		var here [][]string
		var want, got sum
		for _, f := range feeders {
			here = append(here, queryRows(t, f.db, table.natural(""))...)
		}
		for _, row := range here {
			want.add(strings.Join(row, "\x00"))
		}
		there := g.rows(t, table.natural(g.ns))
		for _, row := range there {
			got.add(strings.Join(row, "\x00"))
		}
		if want != got {
			t.Errorf("%s: %d rows at the sources, %d in the target; only there\n%s\nonly here\n%s", table.name, want.rows, got.rows, lacking(here, there), lacking(there, here))
		}
		for _, f := range feeders {
			if n := g.intOf(t, fmt.Sprintf("SELECT COUNT(*) FROM %s%s WHERE uid LIKE '%s %%' AND origin <> '%[3]s'", g.ns, table.name, f.name)); n != 0 {
				t.Errorf("%s: %d rows of %s are said to be another's", table.name, n, f.name)
			}
		}
	}
}

// TestTakeOut: of two sources with the same keys in the same tables one is taken out
// again, while the other goes on and the removal is killed. What is left is the other
// source alone, and the target's own rows.
func TestTakeOut(t *testing.T) {
	for _, tt := range []struct {
		away   pair // the one that is taken out
		stays  testdb.Kind
		target testdb.Kind
	}{
		{pair{testdb.MariaDB1011, testdb.Postgres15, ""}, testdb.MariaDB1011, testdb.Postgres15},
		{pair{testdb.Postgres15, testdb.MariaDB1011, ""}, testdb.MariaDB1011, testdb.MariaDB1011},
		{pair{testdb.MariaDB1011, sqliteKind, ""}, testdb.MariaDB1011, sqliteKind},
	} {
		t.Run(fmt.Sprintf("%s and %s in %s", tt.away.source, tt.stays, tt.target), func(t *testing.T) {
			testTakeOut(t, tt.away, pair{tt.stays, tt.target, ""})
		})
	}
}

func testTakeOut(t *testing.T, away, stays pair) {
	g := newGoal(t, away.target, "crm")
	if g.path != "" {
		execNewSQLite(t, g.path, "")
	}
	if g.ns != "" {
		g.exec(t, "CREATE SCHEMA crm")
	}
	g.exec(t, sharedSchema(g.kind.Flavor(), g.ns, true)...)
	text := "TEXT"
	if g.kind.Flavor() == testdb.MariaDB {
		text = "LONGTEXT CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin"
	}
	for _, table := range sharedTables {
		g.exec(t, "ALTER TABLE "+g.ns+table.name+" ADD COLUMN origin "+text)
		for i := range 30 {
			g.exec(t, fmt.Sprintf("INSERT INTO %s%s (%s) VALUES %s", g.ns, table.name, strings.Join(table.columns(), ", "), table.foreignRow(i+1)))
		}
	}
	own := ownShared(t, g)
	rows := scaled(1200, 50_000)
	a, b := newFeeder(t, "away", away, g), newFeeder(t, "stays", stays, g)
	for _, f := range []*feeder{a, b} {
		execAll(t, f.db, sharedRows(f.name, 1, rows)...)
		must(t, f.args("run", "--once")...)
	}
	requireShared(t, g, a, b)
	preview := must(t, a.args("destroy", "--rows", "--dry-run")...).stdout
	if !strings.Contains(preview, "1,200 rows of ") && !soak() || !strings.Contains(preview, "nothing was removed") {
		t.Error(preview)
	}
	requireShared(t, g, a, b)

	other := startFollowing(t, b)
	requireReferredRefused(t, g, a)
	if left := must(t, a.args("destroy", "--rows", "--dry-run")...).stdout; !strings.Contains(left, " 0 rows of ") {
		t.Errorf("what is gone is still noted:\n%s", left)
	}
	for i, at := range []string{"recorded:kill@2", "commit.sent:kill@5", "recorded:kill@4"} {
		o := call{tag: "failpoint", env: []string{"ROWFERRY_FAILPOINT=" + at}, args: a.args("destroy", "--rows", "--yes")}.run(t)
		if o.code != -1 {
			t.Fatalf("%s: exit %d\n%s%s", at, o.code, o.stdout, o.stderr)
		}
		requireRefusal(t, run(t, a.args("run", "--once")...), rowferry.CodeRemoving)
		execAll(t, b.db, append(sharedRows(b.name, rows+1+10*i, 10), fmt.Sprintf("UPDATE orders SET buyer_id = %d WHERE id = %d", i+1, 100+i),
			fmt.Sprintf("DELETE FROM shipment WHERE id = %d", i+1))...)
	}
	if out := must(t, a.args("destroy", "--rows", "--yes")...).stdout; !strings.Contains(out, "with its rows") {
		t.Error(out)
	}
	if out := must(t, a.args("destroy", "--rows", "--yes")...).stdout; !strings.Contains(out, "nothing to remove") {
		t.Error(out)
	}
	other()
	must(t, b.args("run", "--once")...)
	requireShared(t, g, b)
	if now := ownShared(t, g); now != own {
		t.Errorf("the target's own rows were %s and are %s", own, now)
	}
}

func ownShared(t *testing.T, g *goal) string {
	t.Helper()
	var s sum
	for _, table := range sharedTables {
		for _, row := range g.rows(t, fmt.Sprintf("SELECT * FROM %s%s WHERE uid LIKE 'own %%'", g.ns, table.name)) {
			s.add(table.name + "\x00" + strings.Join(row, "\x00"))
		}
	}
	return fmt.Sprint(s)
}

// startFollowing starts an engine, and returns what ends it.
func startFollowing(t *testing.T, f *feeder) (stop func()) {
	t.Helper()
	var output bytes.Buffer
	cmd := command(t, shipped(), f.args("run")...)
	cmd.Stdout, cmd.Stderr = &output, &output
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill() }) // it may have ended
	return func() {
		t.Helper()
		if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
			t.Fatal(err)
		}
		if err := cmd.Wait(); err != nil {
			t.Fatalf("%v\n%s", err, output.String())
		}
	}
}

// requireReferredRefused requires that a row of another which refers to one that is to
// be removed stops that, whatever its foreign key would do, and stays as it is.
func requireReferredRefused(t *testing.T, g *goal, f *feeder) {
	t.Helper()
	for i, action := range []string{"NO ACTION", "CASCADE", "SET NULL"} {
		name := fmt.Sprintf("%sguest_%d", g.ns, i)
		g.exec(t, fmt.Sprintf("CREATE TABLE %s (id INTEGER PRIMARY KEY, order_id BIGINT, FOREIGN KEY (order_id) REFERENCES %sorders (id) ON DELETE %s)", name, g.ns, action),
			fmt.Sprintf("INSERT INTO %s SELECT 1, id FROM %sorders WHERE uid = '%s 700'", name, g.ns, f.name),
			fmt.Sprintf("INSERT INTO %s SELECT 2, id FROM %sorders WHERE uid = 'own 7'", name, g.ns))
		referred := g.rows(t, "SELECT id, order_id FROM "+name+" ORDER BY id")
		o := run(t, f.args("destroy", "--rows", "--yes")...)
		requireRefusal(t, o, rowferry.CodeRowReferred)
		for _, part := range []string{"orders", "id=" + referred[0][1], fmt.Sprintf("guest_%d", i)} {
			if !strings.Contains(o.stderr, part) && (g.path == "" || action != "NO ACTION") {
				t.Errorf("%s: the message lacks %q:\n%s", action, part, o.stderr)
			}
		}
		if now := g.rows(t, "SELECT id, order_id FROM "+name+" ORDER BY id"); described(now) != described(referred) {
			t.Errorf("%s: the rows of others were\n%sand are\n%s", action, described(referred), described(now))
		}
		g.exec(t, "DELETE FROM "+name+" WHERE id = 1")
	}
}
