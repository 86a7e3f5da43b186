package e2e

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/rowferry/rowferry"
	"github.com/rowferry/rowferry/internal/testdb"
)

// recopyTables are two that are only followed, of which one has the parents and one
// refers to rows that are copied again, and in between what is copied again: a parent
// with its children, references within a table, and a key of texts.
func recopyTables(f testdb.Flavor) []string {
	end := " CHARACTER SET utf8mb4 COLLATE utf8mb4_bin"
	if f == testdb.Postgres {
		end = ""
	}
	return []string{
		"CREATE TABLE region (id BIGINT PRIMARY KEY, n INT NOT NULL)" + end,
		"CREATE TABLE orders (id BIGINT PRIMARY KEY, region_id BIGINT NOT NULL, code VARCHAR(20) UNIQUE, note VARCHAR(40) NOT NULL, FOREIGN KEY (region_id) REFERENCES region (id))" + end,
		"CREATE TABLE item (order_id BIGINT NOT NULL, line INT NOT NULL, qty INT NOT NULL, PRIMARY KEY (order_id, line), FOREIGN KEY (order_id) REFERENCES orders (id))" + end,
		"CREATE TABLE tree (id BIGINT PRIMARY KEY, parent_id BIGINT, name VARCHAR(40) NOT NULL, FOREIGN KEY (parent_id) REFERENCES tree (id))" + end,
		"CREATE TABLE word (lang VARCHAR(8) NOT NULL, word VARCHAR(40) NOT NULL, uses INT NOT NULL, PRIMARY KEY (lang, word))" + end,
		"CREATE TABLE visit (id BIGINT PRIMARY KEY, order_id BIGINT NOT NULL, n INT NOT NULL, FOREIGN KEY (order_id) REFERENCES orders (id))" + end,
	}
}

// recopyRig is a pipeline whose target is damaged.
type recopyRig struct {
	t       *testing.T
	pair    pair
	rnd     *rand.Rand
	goal    *goal
	config  string
	scope   string
	state   string
	execute func(statements ...string)
	query   func(sql string) [][]string
	orders  []int // the first of them stay, and some are lost in the target
	trees   []int
	next    int
	phases  map[rowferry.CopyPhase]int
}

const (
	recopyOrders = 150
	recopyVisits = 40 // to so many of the first orders
)

func newRecopyRig(t *testing.T, p pair, seed uint64) *recopyRig {
	t.Helper()
	r := &recopyRig{t: t, pair: p, rnd: rand.New(rand.NewPCG(26, seed)), phases: map[rowferry.CopyPhase]int{}}
	source := testdb.Start(t, p.source, p.options()...)
	database, db := testdb.NewDatabase(t, source)
	r.goal, r.config, r.scope = newGoal(t, p.target, p.namespace(database)), filepath.Join(t.TempDir(), "recopy.yaml"), p.namespace(database)
	r.state = filepath.Join(t.TempDir(), "state")
	r.execute = func(statements ...string) { t.Helper(); execAll(t, db, statements...) }
	r.query = func(sql string) [][]string { t.Helper(); return queryRows(t, db, sql) }
	r.execute(recopyTables(p.source.Flavor())...)
	slot := ""
	if p.fromPostgres() {
		slot = fmt.Sprintf("slot: %[1]s, publication: %[1]s, ", database)
		r.execute("ALTER TABLE orders REPLICA IDENTITY FULL", "ALTER TABLE visit REPLICA IDENTITY FULL")
	}
	text := fmt.Sprintf("name: again\nsource: {%surl: '%s'}\ntarget: {url: '%s'}\ntables: ['%s.*']\nstate: %s\n", slot, p.url(source.Port, database), r.goal.url, r.scope, r.state)
	if err := os.WriteFile(r.config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	r.fill()
	must(t, r.args()...)
	return r
}

func (r *recopyRig) args(more ...string) []string {
	return append([]string{"-c", r.config, "run", "--once", "--chunk-rows", "40"}, more...)
}

// again are the flags by which the tables are copied again.
func (r *recopyRig) again() []string {
	return r.args("--resnapshot", r.scope+".orders", "--resnapshot", r.scope+".item", "--resnapshot", r.scope+".tree", "--resnapshot", r.scope+".w?rd")
}

func (r *recopyRig) id() int {
	r.next++
	return r.next
}

func (r *recopyRig) some(ids []int) int { return ids[r.rnd.IntN(len(ids))] }

func (r *recopyRig) fill() {
	all := []string{"BEGIN"}
	for n := range 10 {
		all = append(all, fmt.Sprintf("INSERT INTO region VALUES (%d, 0)", n))
	}
	for range recopyOrders {
		all = append(all, r.order()...)
	}
	for n := range 120 {
		r.trees = append(r.trees, n)
		all = append(all, fmt.Sprintf("INSERT INTO tree VALUES (%d, NULL, 't%[1]d')", n), fmt.Sprintf("INSERT INTO word VALUES ('l%d', 'w%d', 0)", n%3, n))
	}
	for n := range 120 {
		all = append(all, fmt.Sprintf("UPDATE tree SET parent_id = %d WHERE id = %d", r.some(r.trees), n))
	}
	for n := range recopyVisits {
		all = append(all, fmt.Sprintf("INSERT INTO visit VALUES (%d, %d, 0)", n, r.visited()))
	}
	r.execute(append(all, "COMMIT")...)
}

func (r *recopyRig) order() []string {
	id := r.id()
	r.orders = append(r.orders, id)
	return []string{
		fmt.Sprintf("INSERT INTO orders VALUES (%d, %d, 'c%[1]d', 'as made')", id, r.rnd.IntN(10)),
		fmt.Sprintf("INSERT INTO item VALUES (%d, 1, 1)", id), fmt.Sprintf("INSERT INTO item VALUES (%d, 2, 1)", id),
	}
}

// visited is an order that stays, and that the target does not lose.
func (r *recopyRig) visited() int {
	for {
		if id := 1 + r.rnd.IntN(recopyVisits); id%5 != 0 {
			return id
		}
	}
}

// transaction writes one: of rows that the target has lost, too.
func (r *recopyRig) transaction() {
	all := []string{"BEGIN"}
	for range 1 + r.rnd.IntN(2) {
		id := r.some(r.orders)
		switch n := r.rnd.IntN(12); {
		case n < 2:
			all = append(all, r.order()...)
		case n < 4:
			all = append(all, fmt.Sprintf("UPDATE orders SET note = 'n%d', region_id = %d WHERE id = %d", r.id(), r.rnd.IntN(10), id), fmt.Sprintf("UPDATE item SET qty = qty + 1 WHERE order_id = %d", id))
		case n < 5:
			all = append(all, fmt.Sprintf("INSERT INTO item VALUES (%d, %d, 7)", id, 2+r.id()))
		case n < 6 && len(r.orders) > recopyVisits:
			at := recopyVisits + r.rnd.IntN(len(r.orders)-recopyVisits)
			gone := r.orders[at]
			r.orders = append(r.orders[:at], r.orders[at+1:]...)
			all = append(all, fmt.Sprintf("DELETE FROM item WHERE order_id = %d", gone), fmt.Sprintf("DELETE FROM orders WHERE id = %d", gone))
			if r.rnd.IntN(3) == 0 { // another one comes under its key
				r.orders = append(r.orders, gone)
				all = append(all, fmt.Sprintf("INSERT INTO orders VALUES (%d, 3, NULL, 'again')", gone))
			}
		case n < 7:
			all = append(all, fmt.Sprintf("UPDATE item SET line = line + %d WHERE order_id = %d AND line = 2", 1000+r.id(), id))
		case n < 8:
			all = append(all, fmt.Sprintf("UPDATE tree SET parent_id = %d, name = 'n%d' WHERE id = %d", r.some(r.trees), r.id(), r.some(r.trees)))
		case n < 9:
			all = append(all, fmt.Sprintf("UPDATE word SET word = 'moved%d' WHERE word = 'w%d'", r.id(), r.rnd.IntN(120)), fmt.Sprintf("UPDATE word SET uses = uses + 1 WHERE word = 'w%d'", r.rnd.IntN(120)))
		case n < 10:
			all = append(all, fmt.Sprintf("INSERT INTO word VALUES ('l%d', 'new%d', 0)", r.rnd.IntN(3), r.id()), fmt.Sprintf("DELETE FROM word WHERE word = 'w%d'", r.rnd.IntN(120)))
		default:
			all = append(all, fmt.Sprintf("INSERT INTO visit VALUES (%d, %d, 1)", 1000+r.id(), r.visited()), fmt.Sprintf("UPDATE region SET n = n + 1 WHERE id = %d", r.rnd.IntN(10)))
		}
	}
	r.execute(append(all, "COMMIT")...)
}

// damage takes rows out of the target's tables, changes some, and adds some.
func (r *recopyRig) damage(tables ...string) {
	for _, q := range []string{
		"DELETE FROM %[1]sitem WHERE order_id %% 5 = 0", "DELETE FROM %[1]sorders WHERE id %% 5 = 0", "UPDATE %[1]sorders SET note = 'spoiled'",
		"UPDATE %[1]sitem SET qty = 99 WHERE line = 1", "DELETE FROM %[1]sitem WHERE order_id %% 5 = 1 AND line = 2",
		"INSERT INTO %[1]sorders VALUES (900001, 1, NULL, 'ours')", "INSERT INTO %[1]sitem VALUES (900001, 1, 1)", "INSERT INTO %[1]sitem VALUES (1, 900001, 1)",
		"UPDATE %[1]stree SET parent_id = NULL", "DELETE FROM %[1]stree WHERE id %% 2 = 0",
		"INSERT INTO %[1]stree VALUES (900001, NULL, 'ours')", "INSERT INTO %[1]stree VALUES (900002, 900001, 'ours')", "UPDATE %[1]stree SET parent_id = 900002 WHERE id = 7",
		"UPDATE %[1]sword SET uses = 77", "DELETE FROM %[1]sword WHERE lang = 'l1'", "INSERT INTO %[1]sword VALUES ('zz', 'nowhere', 1)",
	} {
		if slices.ContainsFunc(tables, func(table string) bool { return strings.Contains(q, "%[1]s"+table+" ") }) {
			r.goal.exec(r.t, fmt.Sprintf(q, r.goal.ns))
		}
	}
}

// struck has an engine killed while the source is written to.
func (r *recopyRig) struck(failpoint string, args []string) {
	r.t.Helper()
	ended := make(chan outcome)
	go func() {
		ended <- call{tag: "failpoint", env: []string{"ROWFERRY_FAILPOINT=" + failpoint}, args: args}.run(r.t)
	}()
	for range 40 {
		r.transaction()
	}
	o := <-ended
	if o.code > 0 {
		r.t.Fatalf("%s: exit %d\n%s", failpoint, o.code, o.stderr)
	}
	if o.code == -1 {
		r.phases[r.goal.held(r.t).Copy.Phase]++
	}
}

func (r *recopyRig) requireEqual(tables ...string) {
	r.t.Helper()
	for _, table := range tables {
		order := map[string]string{"item": "1, 2", "word": "1, 2"}[table]
		if order == "" {
			order = "1"
		}
		want, got := r.query("SELECT * FROM "+table+" ORDER BY "+order), r.goal.rows(r.t, "SELECT * FROM "+r.goal.ns+table+" ORDER BY "+order)
		if only, lacks := lacking(got, want), lacking(want, got); only != "" || lacks != "" {
			r.t.Errorf("%s: only in the target\n%.2000s\nwhere the source has\n%.2000s", table, only, lacks)
		}
	}
}

// TestResnapshot damages tables in the target by hand, and copies them again while the
// source is written to, with Kills in each part: they are what the source has, and the
// others never stop being that.
func TestResnapshot(t *testing.T) {
	besideOthers(t)
	for i, p := range []pair{{testdb.MariaDB1011, testdb.Postgres15, ""}, {testdb.Postgres15, testdb.MySQL97, ""}, {testdb.MySQL97, sqliteKind, ""}} {
		t.Run(p.String(), func(t *testing.T) {
			besideOthers(t)
			for round := range scaled(1, 10) {
				resnapshotted(t, p, i+round)
			}
		})
	}
}

func resnapshotted(t *testing.T, p pair, seed int) {
	t.Helper()
	r := newRecopyRig(t, p, uint64(seed))
	r.damage("orders", "item", "tree", "word")
	n := 1 + seed%3
	for i, at := range []string{
		fmt.Sprintf("copy.chunk:kill@%d", 2*n), fmt.Sprintf("recorded:kill@%d", n), fmt.Sprintf("copy.committed:kill@%d", 3*n),
		fmt.Sprintf("recopy.removed:kill@%d", n), fmt.Sprintf("recorded:kill@%d/carry", n), fmt.Sprintf("confirm:kill@%d/carry", n), fmt.Sprintf("carry:kill@%d", 1+n),
	} {
		args := r.again()
		if i > 0 && i%2 == 0 {
			args = r.args() // it goes on by itself
		}
		r.struck(at, args)
	}
	t.Log(r.phases)
	if r.phases[rowferry.Reloading] == 0 || r.phases[rowferry.Renewing] == 0 {
		t.Errorf("kills found it %v", r.phases)
	}
	must(t, r.args()...)
	for range 40 {
		r.transaction()
	}
	must(t, r.args()...) // strictly
	r.requireEqual("region", "orders", "item", "tree", "word", "visit")
	if held := r.goal.held(t); held.Copy.Phase != rowferry.Copied {
		t.Errorf("%+v", held)
	}
}
