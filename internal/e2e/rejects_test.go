package e2e

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rowferry/rowferry"
	"github.com/rowferry/rowferry/internal/testdb"
)

// rejectTables refer to each other; the target refuses rows of all but the last.
var rejectTables = []string{
	"CREATE TABLE client (id INT NOT NULL AUTO_INCREMENT PRIMARY KEY, name VARCHAR(40) NOT NULL, code VARCHAR(40) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin UNIQUE, boss INT, FOREIGN KEY (boss) REFERENCES client (id))",
	"CREATE TABLE buy (id INT NOT NULL AUTO_INCREMENT PRIMARY KEY, client_id INT NOT NULL, amount INT NOT NULL, FOREIGN KEY (client_id) REFERENCES client (id))",
	"CREATE TABLE line (buy_id INT NOT NULL, n INT NOT NULL, note VARCHAR(40), PRIMARY KEY (buy_id, n), FOREIGN KEY (buy_id) REFERENCES buy (id))",
}

// poisoned are the target's checks, which the source does not have. PostgreSQL makes
// that of amounts at the commit alone.
var poisoned = []string{"ALTER TABLE %sclient ADD CONSTRAINT no_poison CHECK (name <> 'poison')", "ALTER TABLE %sbuy ADD CONSTRAINT no_amount CHECK (amount <> 666)"}

var mended = []string{"ALTER TABLE %sclient DROP CONSTRAINT no_poison", "ALTER TABLE %sbuy DROP CONSTRAINT no_amount"}

// rejectLoad makes random transactions, and knows which rows the target refuses, and
// which it cannot have without those.
type rejectLoad struct {
	rnd     *rand.Rand
	clients []bool // by id - 1: not in the target, since it, or a boss that it came with, was refused
	poison  []bool // of clients: it was refused itself
	bosses  []int  // of clients, by id; 0 is none
	buys    []bool // by id - 1: not in the target
	of      []int  // of buys: the client's id
	amounts []int  // and the amount
	refused int    // rows that were tried and refused
	copied  bool   // what is made now is copied, and not followed
}

// copy says which rows a copy leaves out: those that are refused, and those that lead
// to them by what they are now.
func (l *rejectLoad) copy() {
	l.copied, l.refused = false, 0
	copy(l.clients, l.poison)
	for range l.clients {
		for i, boss := range l.bosses {
			l.clients[i] = l.clients[i] || boss > 0 && l.clients[boss-1]
		}
	}
	for _, poison := range l.poison {
		if poison {
			l.refused++
		}
	}
	for i := range l.buys {
		if l.buys[i] = l.clients[l.of[i]-1]; !l.buys[i] && l.amounts[i] == 666 {
			l.buys[i] = true
			l.refused++
		}
	}
}

// transaction returns one; now and then it is to be refused.
func (l *rejectLoad) transaction(poison bool) []string {
	all := []string{"START TRANSACTION"}
	switch what := l.rnd.IntN(10); {
	case len(l.clients) < 10 || what < 3:
		id, boss, absent, name := len(l.clients)+1, "NULL", false, "client"
		l.bosses = append(l.bosses, 0)
		if len(l.clients) > 0 && !poison && l.rnd.IntN(2) == 0 {
			b := l.rnd.IntN(len(l.clients))
			boss, absent, l.bosses[id-1] = fmt.Sprint(b+1), l.clients[b], b+1
		}
		if poison {
			name, absent = "poison", true
			l.refused++
		}
		l.clients, l.poison = append(l.clients, absent), append(l.poison, poison)
		all = append(all, fmt.Sprintf("INSERT INTO client VALUES (%d, '%s', 'c%[1]d', %[3]s)", id, name, boss))
	case what < 7:
		id, c, amount := len(l.buys)+1, l.rnd.IntN(len(l.clients)), l.rnd.IntN(600)
		absent := l.clients[c]
		if poison {
			if !absent {
				l.refused++
			}
			amount, absent = 666, true
		}
		l.buys, l.of, l.amounts = append(l.buys, absent), append(l.of, c+1), append(l.amounts, amount)
		all = append(all, fmt.Sprintf("INSERT INTO buy VALUES (%d, %d, %d)", id, c+1, amount))
		for n := range l.rnd.IntN(4) {
			all = append(all, fmt.Sprintf("INSERT INTO line VALUES (%d, %d, 'line')", id, n))
		}
	case what < 8:
		a, b := l.rnd.IntN(len(l.clients)), l.rnd.IntN(len(l.clients))
		if l.copied && l.poison[b] || !l.copied && l.clients[b] && !l.poison[b] {
			return nil // another boss might bring it, and all that wait for it
		}
		l.bosses[b] = a + 1
		all = append(all, fmt.Sprintf("UPDATE client SET boss = %d WHERE id = %d", a+1, b+1))
	case len(l.buys) > 0:
		b := l.rnd.IntN(len(l.buys)) + 1
		all = append(all, fmt.Sprintf("UPDATE line SET note = 'changed %d' WHERE buy_id = %d", l.rnd.IntN(1000), b), fmt.Sprintf("DELETE FROM line WHERE buy_id = %d AND n = 2", b))
	}
	return append(all, "COMMIT")
}

func (l *rejectLoad) run(t *testing.T, s *stream, transactions, every int) {
	t.Helper()
	var all []string
	for n := range transactions {
		all = append(all, l.transaction(n%every == every-1)...)
	}
	s.exec(t, all...)
}

// TestRejects: one row in hundreds is refused by the target. It is put aside with what
// depends on it and the rest arrives, whenever the engine is killed; once the
// cause is mended and the rows are tried again, source and target are equal.
func TestRejects(t *testing.T) {
	for _, tt := range []struct {
		pair
		given bool
	}{{pair{testdb.MariaDB1011, testdb.Postgres15, ""}, false}, {pair{testdb.MySQL97, testdb.MariaDB1011, ""}, false}, {pair{testdb.MySQL97, testdb.Postgres15, ""}, true}} {
		t.Run(tt.String(), func(t *testing.T) {
			t.Parallel()
			testRejects(t, tt.pair, tt.given)
		})
	}
}

// rejectPlace is a pipeline that puts rows aside.
type rejectPlace struct {
	*stream
	t      *testing.T
	config string
	load   *rejectLoad
}

// newRejects begins with a copy where keys are kept, and in the log where they are
// given.
func newRejects(t *testing.T, p pair, given bool) *rejectPlace {
	t.Helper()
	s := newStream(t, p.source, p.target)
	r := &rejectPlace{stream: s, t: t, config: filepath.Join(t.TempDir(), "rejects.yaml"), load: &rejectLoad{rnd: rand.New(rand.NewPCG(24, 1))}}
	text := fmt.Sprintf("name: rejects\nsource: {url: 'mysql://root@127.0.0.1:%d/%s'}\ntarget: {url: '%s'}\nstate: %s\non_reject: quarantine\n", s.source.Port, s.database, s.goal.url, s.state)
	begin := r.args("run", "--once")
	if given {
		text += fmt.Sprintf("entities: {%[1]s.client: {key: allocate}, %[1]s.buy: {key: allocate}}\n", s.database)
		begin = append(begin, "--from", s.from)
	}
	r.write(text)
	s.exec(t, rejectTables...)
	must(t, begin...)
	r.target(poisoned)
	if !given {
		must(t, r.args("destroy", "--yes")...) // its tables stay, and are copied again
		r.load.copied = true
		r.load.run(t, s, scaled(1500, 40_000), 97)
		r.load.copy()
		for _, failpoint := range []string{"apply:kill@5/carry", "recorded:kill@1/carry", "confirm:kill@1/carry"} {
			struck(t, failpoint, r.args("run", "--once"))
		}
		r.write(strings.Replace(text, "quarantine", "stop", 1))
		if o := run(t, r.args("run", "--once")...); o.code != 1 || !strings.Contains(o.stderr, "RF-5024") {
			t.Fatalf("without the policy: exit %d:\n%s%s", o.code, o.stdout, o.stderr)
		}
		r.write(text)
		if o := run(t, r.args("run", "--once")...); o.code != 4 || !strings.Contains(o.stderr, "RF-5023") {
			t.Fatalf("exit %d:\n%s%s", o.code, o.stdout, o.stderr)
		}
		r.requireRest()
	}
	return r
}

func (r *rejectPlace) write(config string) {
	r.t.Helper()
	if err := os.WriteFile(r.config, []byte(config), 0o600); err != nil {
		r.t.Fatal(err)
	}
}

func (r *rejectPlace) args(words ...string) []string {
	return append([]string{"-c", r.config}, words...)
}

func (r *rejectPlace) target(statements []string) {
	r.t.Helper()
	for _, q := range statements {
		if strings.Contains(q, "CHECK (amount") && r.goal.kind.Flavor() == testdb.Postgres {
			r.goal.exec(r.t, fmt.Sprintf("CREATE TABLE %samounts AS SELECT n AS amount FROM generate_series(0, 599) n", r.goal.ns))
			r.goal.exec(r.t, fmt.Sprintf("ALTER TABLE %samounts ADD PRIMARY KEY (amount)", r.goal.ns))
			q = strings.Replace(q, "CHECK (amount <> 666)", "FOREIGN KEY (amount) REFERENCES "+r.goal.ns+"amounts DEFERRABLE INITIALLY DEFERRED", 1)
		}
		if r.goal.kind.Flavor() == testdb.MySQL {
			q = strings.Replace(q, "DROP CONSTRAINT", "DROP CHECK", 1)
		}
		r.goal.exec(r.t, fmt.Sprintf(q, r.goal.ns))
		if strings.Contains(q, "DROP") && strings.Contains(q, "no_amount") && r.goal.kind.Flavor() == testdb.Postgres {
			r.goal.exec(r.t, "DROP TABLE "+r.goal.ns+"amounts")
		}
	}
}

// rejects runs a command of that name, and returns the rows of its result.
func (r *rejectPlace) rejects(words ...string) []rejectResult {
	r.t.Helper()
	return r.results("rejects", words...)
}

func (r *rejectPlace) results(command string, words ...string) []rejectResult {
	r.t.Helper()
	o := must(r.t, append([]string{command, words[0], "-o", "json", "-c", r.config}, words[1:]...)...)
	var e struct{ Result []rejectResult }
	if err := json.Unmarshal([]byte(o.stdout), &e); err != nil {
		r.t.Fatalf("%v: %s", err, o.stdout)
	}
	return e.Result
}

type rejectResult struct {
	Number                            uint64
	Table, Status, Outcome, Why, Code string
	Tries, Behind                     int
}

// requireRest compares what is in the target with what can be.
func (r *rejectPlace) requireRest() {
	r.t.Helper()
	clients, buys := 0, []string{"0"}
	for _, absent := range r.load.clients {
		if !absent {
			clients++
		}
	}
	for i, absent := range r.load.buys {
		if absent {
			buys = append(buys, fmt.Sprint(i+1))
		}
	}
	for table, want := range map[string]string{
		"client": fmt.Sprint(clients), "buy": fmt.Sprint(len(r.load.buys) - len(buys) + 1),
		"line": queryRows(r.t, r.db, "SELECT COUNT(*) FROM line WHERE buy_id NOT IN ("+strings.Join(buys, ",")+")")[0][0],
	} {
		if got := r.goal.rows(r.t, "SELECT COUNT(*) FROM "+r.goal.ns+table)[0][0]; got != want {
			r.t.Errorf("the target has %s of %s, want %s", got, table, want)
		}
	}
	list, waiting := r.rejects("list", "--limit", "0"), r.results("map", "waiting", "--limit", "0")
	var held rowferry.Held
	text := r.goal.rows(r.t, strings.Replace(r.goal.sequenceQuery(), "sequence", "held", 1))[0][0]
	if err := json.Unmarshal([]byte(text), &held); err != nil {
		r.t.Fatal(err)
	}
	if held.Notes.Rejected != int64(len(list)) || held.Notes.Waiting != int64(len(waiting)) {
		r.t.Errorf("%d rows are put aside and %d wait, and the checkpoint counts %+v", len(list), len(waiting), held.Notes)
	}
	if len(list) != r.load.refused {
		r.t.Errorf("%d rows are put aside, %d were refused", len(list), r.load.refused)
	}
	for _, x := range list {
		if x.Status != "rejected" || x.Code != "RF-3002" || !strings.Contains(x.Why, "no_") || x.Tries < 1 || !strings.HasPrefix(x.Table, r.database+".") {
			r.t.Errorf("%+v", x)
		}
	}
}

// requireReferences compares every row by what it leads to.
func (r *rejectPlace) requireReferences() {
	r.t.Helper()
	for _, q := range []string{
		"SELECT c.code, c.name, b.code FROM %[1]sclient c LEFT JOIN %[1]sclient b ON b.id = c.boss",
		"SELECT c.code, b.amount, l.n, l.note FROM %[1]sbuy b JOIN %[1]sclient c ON c.id = b.client_id LEFT JOIN %[1]sline l ON l.buy_id = b.id",
	} {
		var want, got sum
		here, there := queryRows(r.t, r.db, fmt.Sprintf(q, "")), r.goal.rows(r.t, fmt.Sprintf(q, r.goal.ns))
		for _, row := range here {
			want.add(strings.Join(row, "\x00"))
		}
		for _, row := range there {
			got.add(strings.Join(row, "\x00"))
		}
		if want != got || want.rows == 0 {
			r.t.Errorf("%d rows here, %d there; only here\n%s\nonly there\n%s", want.rows, got.rows, lacking(here, there), lacking(there, here))
		}
	}
}

// answers waits until the engine answers a command.
func (e *engine) answers(t *testing.T, args []string) {
	t.Helper()
	for begun := time.Now(); !strings.Contains(e.output.String(), "resume") || run(t, args...).code != 0; {
		select {
		case <-e.ended:
			t.Fatalf("the engine ended by itself with %d", e.cmd.ProcessState.ExitCode())
		case <-time.After(20 * time.Millisecond):
		}
		if time.Since(begun) > hung {
			t.Fatal("the engine does not answer")
		}
	}
}

func testRejects(t *testing.T, p pair, given bool) {
	r := newRejects(t, p, given)
	r.load.run(t, r.stream, scaled(1000, 10_000), 97)
	r.load.run(t, r.stream, scaled(2000, 40_000), 499) // so that whole batches are without
	random := rand.New(rand.NewPCG(3, 3))
	for _, s := range []stage{{"recorded", 2, 9}, {"commit.sent", 2, 9}} {
		if !killed(t, s, random, r.args("run", "--once")) {
			t.Fatalf("not killed at %s", s.name)
		}
	}
	if o := run(t, r.args("run", "--once")...); o.code != 4 || !strings.Contains(o.stderr, "RF-5023") {
		t.Fatalf("exit %d:\n%s%s", o.code, o.stdout, o.stderr)
	}
	r.requireRest()
	e := startEngine(t, "", r.args("run"))
	e.answers(t, r.args("rejects", "list"))
	for _, x := range r.rejects("retry", "--all") {
		if x.Outcome != "rejected" && x.Outcome != "waiting" { // for another one of them
			t.Errorf("tried again and refused: %+v", x)
		}
	}
	r.load.run(t, r.stream, scaled(500, 4000), 97)
	r.target(mended)
	for _, x := range r.rejects("retry", "--all") {
		if x.Outcome != "written" {
			t.Errorf("tried again: %+v", x)
		}
	}
	e.end(t)
	r.rejects("retry", "--all") // what was refused before it was mended, and listed after
	must(t, r.args("run", "--once")...)
	if !given {
		r.requireEqual(t)
	}
	r.requireReferences()
	if list := r.rejects("list"); len(list) != 0 {
		t.Errorf("%+v", list)
	}
}
