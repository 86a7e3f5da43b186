package e2e

import (
	"database/sql"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/rowferry/rowferry/internal/testdb"
)

// wishRig is a pipeline of a few tables with rules, whose source is written to by a
// test, and whose target is asked for what a query of the source says.
type wishRig struct {
	t         *testing.T
	source    *sql.DB
	goal      *goal
	namespace string
	config    string
	rnd       *rand.Rand
}

// newWishRig makes the tables of the source, and the configuration: %[1]s in both is
// the source's namespace.
func newWishRig(t *testing.T, p pair, tables []string, entities string) *wishRig {
	t.Helper()
	r := &wishRig{t: t, rnd: rand.New(rand.NewPCG(7, uint64(len(p.String()))))}
	server := testdb.Start(t, p.source, p.options()...)
	database, db := testdb.NewDatabase(t, server)
	r.source, r.namespace = db, p.namespace(database)
	r.goal, r.config = newGoal(t, p.target, r.namespace), filepath.Join(t.TempDir(), "wish.yaml")
	execAll(t, db, tables...)
	text := fmt.Sprintf("name: wish\nsource: {url: '%s'}\ntarget: {url: '%s'}\ntables: ['%s.*']\nstate: %s\ncopy: {chunk_rows: 20}\nentities:\n",
		p.url(server.Port, database), r.goal.url, r.namespace, filepath.Join(t.TempDir(), "state"))
	if p.fromPostgres() {
		text = strings.Replace(text, "source: {", fmt.Sprintf("source: {slot: %[1]s, publication: %[1]s, ", database), 1)
	}
	if err := os.WriteFile(r.config, []byte(text+strings.ReplaceAll(entities, "%[1]s", r.namespace)), 0o600); err != nil {
		t.Fatal(err)
	}
	return r
}

func (r *wishRig) args(more ...string) []string {
	return append([]string{"-c", r.config, "run", "--once"}, more...)
}

// write makes transactions of what change returns, while an engine is killed, if it
// comes so far; with "", none runs.
func (r *wishRig) write(transactions int, change func() []string, failpoint string) {
	r.t.Helper()
	done := make(chan error, 1)
	go func() {
		done <- func() error {
			for range transactions {
				tx, err := r.source.Begin()
				if err != nil {
					return err
				}
				for _, q := range change() {
					if _, err := tx.Exec(q); err != nil {
						return fmt.Errorf("%s: %w", q, err)
					}
				}
				if err := tx.Commit(); err != nil {
					return err
				}
			}
			return nil
		}()
	}()
	if failpoint != "" {
		struck(r.t, failpoint, r.args())
	}
	if err := <-done; err != nil {
		r.t.Fatal(err)
	}
}

// same requires that a query of the source has the rows of one of the target, and some.
// %s there is the tables' namespace.
func (r *wishRig) same(source, target string) {
	r.t.Helper()
	want, got := rowsOf(r.t, r.source, source), rowsOf(r.t, r.goal.db, fmt.Sprintf(target, r.goal.ns))
	if !slices.Equal(want, got) {
		r.t.Errorf("%s\nsource %v\ntarget %v", target, want, got)
	}
	if len(want) < 5 {
		r.t.Errorf("only %d rows to compare: %s", len(want), source)
	}
}

// defaultsTables are the source's table and the one that the target has: it lacks two
// columns, and has one more.
var defaultsTables = []string{
	"CREATE TABLE item (id INT NOT NULL PRIMARY KEY, name VARCHAR(20), price DECIMAL(10,2), day DATE, secret VARCHAR(20), tag VARCHAR(20))",
	"CREATE TABLE %sitem (id INT NOT NULL PRIMARY KEY, name VARCHAR(20) NOT NULL, price DECIMAL(10,2) NOT NULL, day DATE NOT NULL, origin %s NOT NULL)",
}

const defaultsEntities = `  %[1]s.item:
    defaults: {name: '"nameless"', price: '9.5', day: '"2026-01-31"', origin: '"shop"'}
    missing_columns: drop
`

// TestDefaults: a copy under load and the log after it, with kills, into a table of
// which columns are NOT NULL, missing and unknown to the source.
func TestDefaults(t *testing.T) {
	besideOthers(t)
	for _, p := range []pair{{testdb.MariaDB1011, testdb.Postgres15, ""}, {testdb.Postgres15, testdb.MySQL97, ""}} {
		t.Run(p.String(), func(t *testing.T) {
			besideOthers(t)
			r := newWishRig(t, p, defaultsTables[:1], defaultsEntities)
			text := "TEXT"
			if p.fromPostgres() {
				execAll(t, r.source, "ALTER TABLE item REPLICA IDENTITY FULL")
				text = "LONGTEXT"
			} else {
				execAll(t, r.goal.db, "CREATE SCHEMA "+r.namespace)
			}
			execAll(t, r.goal.db, fmt.Sprintf(defaultsTables[1], r.goal.ns, text))
			id := 0
			change := func() []string {
				one := func() string {
					if r.rnd.IntN(3) == 0 {
						return "NULL"
					}
					return fmt.Sprintf("'%d'", 1000+r.rnd.IntN(1000))
				}
				switch at := 1 + r.rnd.IntN(id+1); r.rnd.IntN(4) {
				case 0:
					return []string{fmt.Sprintf("UPDATE item SET name = %s, price = %s, secret = %s WHERE id = %d", one(), one(), one(), at)}
				case 1:
					return []string{fmt.Sprintf("DELETE FROM item WHERE id = %d", at)}
				default:
					id++
					return []string{fmt.Sprintf("INSERT INTO item VALUES (%d, %s, %s, NULL, %s, %s)", id, one(), one(), one(), one())}
				}
			}
			compare := func() {
				t.Helper()
				r.same("SELECT id, COALESCE(name, 'nameless'), COALESCE(price, 9.50), COALESCE(CAST(day AS CHAR(10)), '2026-01-31'), 'shop' FROM item ORDER BY id",
					"SELECT id, name, price, CAST(day AS CHAR(10)), origin FROM %sitem ORDER BY id")
			}
			r.write(150, change, "")
			for _, at := range []string{"copy.committed:kill@2", "recorded:kill@1", "apply:kill@1"} {
				r.write(60, change, at)
			}
			must(t, r.args()...)
			compare()
			r.write(60, change, "")
			must(t, r.args()...)
			compare()

			execAll(t, r.source, "INSERT INTO item VALUES (-1, NULL, 1, '2026-02-01', NULL, NULL), (-2, 'a', NULL, NULL, 's', NULL), (-3, 'a', 1, '2026-02-01', 's', 't')", "UPDATE item SET name = NULL, tag = 'u' WHERE id = -3")
			o := must(t, r.args("-o", "json")...)
			for _, part := range []string{`"defaulted": 4, "left_out": 3`, "has no column secret: its values are left out", "has no column tag"} { // each of three has its origin by default
				if said := strings.Join(strings.Fields(o.stdout), " "); !strings.Contains(said, part) {
					t.Errorf("no %s in %s", part, said)
				}
			}
			execAll(t, r.goal.db, fmt.Sprintf("ALTER TABLE %sitem ADD COLUMN tag VARCHAR(20)", r.goal.ns))
			requireRefusal(t, run(t, r.args()...), "RF-1010")
		})
	}
}

// TestDefaultsOfNewKeys: the same rules where rows get keys of the target's, by way of
// the stage, and what the commands say of them beforehand and afterwards.
func TestDefaultsOfNewKeys(t *testing.T) {
	besideOthers(t)
	r := newWishRig(t, pair{testdb.MariaDB1011, testdb.Postgres15, ""}, defaultsTables[:1], defaultsEntities+"    key: allocate\n")
	execAll(t, r.goal.db, "CREATE SCHEMA "+r.namespace, fmt.Sprintf(strings.Replace(defaultsTables[1], "id INT NOT NULL", "id INT GENERATED BY DEFAULT AS IDENTITY", 1), r.goal.ns, "TEXT"),
		"INSERT INTO "+r.goal.ns+"item (name, price, day, origin) VALUES ('own', 1, '2026-03-01', 'staging')")
	execAll(t, r.source, "INSERT INTO item VALUES (1, NULL, NULL, NULL, 's', NULL), (2, 'b', 2, '2026-02-01', NULL, NULL), (3, NULL, 3, NULL, NULL, 't'), (4, 'd', 4, NULL, NULL, NULL), (5, NULL, NULL, NULL, NULL, NULL)")
	const left = "has no column secret: its values are left out"
	tells := func(part string, args ...string) {
		t.Helper()
		if o := must(t, append([]string{"-c", r.config}, args...)...); !strings.Contains(strings.Join(strings.Fields(o.stdout), " "), part) {
			t.Errorf("rowferry %v: no %q in\n%s", args, part, o.stdout)
		}
	}
	compare := func() {
		t.Helper()
		r.same("SELECT id, COALESCE(name, 'nameless'), COALESCE(price, 9.50), COALESCE(CAST(day AS CHAR(10)), '2026-01-31') FROM item ORDER BY id",
			"SELECT id - 1, name, price, CAST(day AS CHAR(10)) FROM %sitem WHERE origin = 'shop' ORDER BY id")
	}
	tells(left, "plan")
	tells("item 5 0", "run", "--once", "--dry-run")
	tells("item: 5 rows with a default in a value's place, 2 rows with a value for which the target has no column", "run", "--once")
	compare()
	tells(`missing_columns="drop"`, "explain", "row", r.namespace+".item", "1")
	tells("applied", "map", "lookup", r.namespace+".item", "1")
	execAll(t, r.source, "UPDATE item SET name = NULL, secret = 'x' WHERE id = 2", "UPDATE item SET name = 'a', price = NULL WHERE id = 1", "DELETE FROM item WHERE id = 3", "INSERT INTO item (id) VALUES (3), (7)")
	tells("item: 3 rows with a default in a value's place, 1 row with a value for which the target has no column", "run", "--once")
	if got := r.goal.intOf(t, "SELECT COUNT(*) FROM "+r.goal.ns+"item WHERE origin = 'shop' AND name = 'nameless' AND price = 9.5"); got != 3 {
		t.Errorf("%d rows by default", got)
	}
}
