package e2e

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rowferry/rowferry/internal/testdb"
)

// heavyTables are three levels of references deep, and one refers to itself.
var heavyTables = []string{
	"CREATE TABLE region (id BIGINT NOT NULL PRIMARY KEY, name VARCHAR(40) NOT NULL)",
	"CREATE TABLE product (id BIGINT NOT NULL PRIMARY KEY, sku VARCHAR(40) NOT NULL UNIQUE, price DECIMAL(10, 2) NOT NULL)",
	"CREATE TABLE client (id BIGINT NOT NULL PRIMARY KEY, region_id BIGINT NOT NULL, boss BIGINT, name VARCHAR(40) NOT NULL, FOREIGN KEY (region_id) REFERENCES region (id), FOREIGN KEY (boss) REFERENCES client (id))",
	"CREATE TABLE address (id BIGINT NOT NULL PRIMARY KEY, client_id BIGINT NOT NULL, line VARCHAR(80) NOT NULL, FOREIGN KEY (client_id) REFERENCES client (id))",
	"CREATE TABLE buy (id BIGINT NOT NULL PRIMARY KEY, client_id BIGINT NOT NULL, amount INT NOT NULL, FOREIGN KEY (client_id) REFERENCES client (id))",
	"CREATE TABLE line (buy_id BIGINT NOT NULL, n INT NOT NULL, product_id BIGINT NOT NULL, PRIMARY KEY (buy_id, n), FOREIGN KEY (buy_id) REFERENCES buy (id), FOREIGN KEY (product_id) REFERENCES product (id))",
	"CREATE TABLE payment (id BIGINT NOT NULL PRIMARY KEY, buy_id BIGINT NOT NULL, FOREIGN KEY (buy_id) REFERENCES buy (id))",
	"CREATE TABLE shipment (id BIGINT NOT NULL PRIMARY KEY, buy_id BIGINT NOT NULL, FOREIGN KEY (buy_id) REFERENCES buy (id))",
	"CREATE TABLE remark (id BIGINT NOT NULL PRIMARY KEY, buy_id BIGINT NOT NULL, text VARCHAR(200) NOT NULL, FOREIGN KEY (buy_id) REFERENCES buy (id))",
}

const (
	heavyWriters = 4
	// heavyForeign is how many payments of the target's own are in the way.
	heavyForeign = 64
)

// heavyWriter makes transactions with keys of its own. Every thousandth has a row that
// the target refuses; none of those depends on another.
type heavyWriter struct {
	rnd     *rand.Rand
	number  int64
	n       int64 // transactions so far
	clients []int64
	refused int
	foreign int // payments that have met another
}

func (w *heavyWriter) transaction(every int64) []string {
	w.n++
	id := w.n*heavyWriters + w.number
	poison := -1
	if w.n%every == every-1 {
		poison = w.rnd.IntN(4)
		w.refused++
	}
	var all []string
	if len(w.clients) < 5 || w.n%20 == 0 || poison == 0 {
		name, boss := "client", "NULL"
		if n := len(w.clients); n > 0 && w.rnd.IntN(2) == 0 && poison != 0 {
			boss = fmt.Sprint(w.clients[n-1])
		}
		if poison == 0 {
			name = "poison"
		}
		all = append(all, fmt.Sprintf("INSERT INTO client VALUES (%d, %d, %s, '%s')", id, 1+id%7, boss, name),
			fmt.Sprintf("INSERT INTO address VALUES (%d, %[1]d, 'street')", id))
		if poison == 0 { // with an order that waits for it
			return append(all, fmt.Sprintf("INSERT INTO buy VALUES (%d, %[1]d, 1)", id))
		}
		w.clients = append(w.clients, id)
	}
	client := w.clients[w.rnd.IntN(len(w.clients))]
	amount, text, payment := w.rnd.IntN(600), "short", id
	switch poison {
	case 1:
		amount = 666
	case 2:
		text = strings.Repeat("long ", 30)
	case 3:
		if w.foreign == heavyForeign/heavyWriters {
			amount = 666
			break
		}
		payment = -int64(w.foreign*heavyWriters) - w.number - 1
		w.foreign++
	}
	all = append(all, fmt.Sprintf("INSERT INTO buy VALUES (%d, %d, %d)", id, client, amount),
		fmt.Sprintf("INSERT INTO line VALUES (%d, 1, %d), (%[1]d, 2, %d)", id, 1+w.rnd.IntN(50), 1+w.rnd.IntN(50)),
		fmt.Sprintf("INSERT INTO payment VALUES (%d, %d)", payment, id),
		fmt.Sprintf("INSERT INTO remark VALUES (%d, %[1]d, '%s')", id, text))
	switch w.n % 5 {
	case 0:
		all = append(all, fmt.Sprintf("INSERT INTO shipment VALUES (%d, %[1]d)", id))
	case 1:
		all = append(all, fmt.Sprintf("UPDATE line SET product_id = %d WHERE buy_id = %d", 1+w.rnd.IntN(50), id))
	case 2:
		all = append(all, fmt.Sprintf("DELETE FROM line WHERE buy_id = %d AND n = 2", id))
	}
	return all
}

// heavy is the load and the pipeline under it.
type heavy struct {
	*rejectPlace
	writers []*heavyWriter
}

func newHeavy(t *testing.T, p pair) *heavy {
	t.Helper()
	s := newStream(t, p.source, p.target)
	h := &heavy{rejectPlace: &rejectPlace{stream: s, t: t, config: filepath.Join(t.TempDir(), "heavy.yaml")}}
	text := fmt.Sprintf("name: heavy\nsource: {url: 'mysql://root@127.0.0.1:%d/%s'}\ntarget: {url: '%s'}\nstate: %s\non_reject: quarantine\nstop_after: 100000\n", s.source.Port, s.database, s.goal.url, s.state)
	if err := os.WriteFile(h.config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	s.exec(t, heavyTables...)
	for i := range 50 {
		s.exec(t, fmt.Sprintf("INSERT INTO product VALUES (%d, 'sku%[1]d', 1.5)", i+1))
	}
	for i := range 7 {
		s.exec(t, fmt.Sprintf("INSERT INTO region VALUES (%d, 'region')", i+1))
	}
	must(t, h.args("run", "--once")...) // copies that
	h.target([]string{
		"ALTER TABLE %[1]sclient ADD CONSTRAINT no_poison CHECK (name <> 'poison')", "ALTER TABLE %[1]sbuy ADD CONSTRAINT no_check CHECK (666 <> amount)",
		"ALTER TABLE %[1]sremark ADD CONSTRAINT no_length CHECK (char_length(text) < 100)",
		"INSERT INTO %[1]sclient VALUES (-1, 1, NULL, 'own')", "INSERT INTO %[1]sbuy VALUES (-1, -1, 1)",
	})
	for i := range heavyForeign {
		h.goal.exec(t, fmt.Sprintf("INSERT INTO %spayment VALUES (%d, -1)", h.goal.ns, -i-1))
	}
	for i := range heavyWriters {
		h.writers = append(h.writers, &heavyWriter{rnd: rand.New(rand.NewPCG(25, uint64(i))), number: int64(i)})
	}
	return h
}

// write has the writers write so many transactions, at the same time.
func (h *heavy) write(transactions int, every int64) {
	h.t.Helper()
	var wg sync.WaitGroup
	for _, w := range h.writers {
		wg.Go(func() {
			conn, err := h.db.Conn(context.Background())
			if err != nil {
				h.t.Error(err)
				return
			}
			defer conn.Close()
			for range transactions / heavyWriters {
				for _, q := range append(append([]string{"START TRANSACTION"}, w.transaction(every)...), "COMMIT") {
					if _, err := conn.ExecContext(context.Background(), q); err != nil {
						h.t.Errorf("%.300s: %v", q, err)
						return
					}
				}
			}
		})
	}
	wg.Wait()
	if h.t.Failed() {
		h.t.FailNow()
	}
}

// TestRejectsUnderLoad: one transaction in a thousand of a heavy load has a row that
// the target refuses, by a check, by its length, or for one of its own that is in the
// way. So many are put aside and everything else arrives, under kills; once the causes
// are mended and the rows tried again, nothing differs.
func TestRejectsUnderLoad(t *testing.T) {
	besideOthers(t)
	h := newHeavy(t, pair{testdb.MySQL97, testdb.Postgres15, ""})
	half, every := scaled(600, 100_000), int64(scaled(30, 1000))
	begun := time.Now()
	h.write(half, every)
	written := time.Since(begun)
	begun = time.Now()
	random := rand.New(rand.NewPCG(25, 9))
	strikes := []stage{{"recorded", 1, scaled(2, 20)}, {"commit.sent", 1, scaled(2, 20)}, {"apply", 2, scaled(9, 2000)}, {"confirm", 1, scaled(2, 20)}}
	for _, s := range strikes {
		if !killed(t, s, random, h.args("run", "--once")) {
			t.Fatalf("not killed at %s", s.name)
		}
	}
	e := startEngine(t, "", h.args("run"))
	h.write(half, every)
	e.end(t)
	if o := run(t, h.args("run", "--once")...); o.code != 4 || !strings.Contains(o.stderr, "RF-5023") {
		t.Fatalf("exit %d:\n%s%s", o.code, o.stdout, o.stderr)
	}
	applied := time.Since(begun)
	refused, codes := 0, map[string]int{}
	for _, w := range h.writers {
		refused += w.refused
	}
	for _, x := range h.rejects("list", "--limit", "0") {
		codes[x.Code]++
	}
	if codes["RF-3002"]+codes["RF-3006"] != refused || codes["RF-3006"] == 0 || codes["RF-3002"] == 0 {
		t.Errorf("%v are put aside, %d were refused", codes, refused)
	}
	waiting := len(h.results("map", "waiting", "--limit", "0"))
	h.requireBuys()
	h.goal.exec(t, "DELETE FROM "+h.goal.ns+"payment WHERE buy_id = -1", "DELETE FROM "+h.goal.ns+"buy WHERE id = -1", "DELETE FROM "+h.goal.ns+"client WHERE id = -1")
	h.target([]string{"ALTER TABLE %sclient DROP CONSTRAINT no_poison", "ALTER TABLE %sbuy DROP CONSTRAINT no_check", "ALTER TABLE %sremark DROP CONSTRAINT no_length"})
	h.rejects("retry", "--all")
	must(t, h.args("run", "--once")...)
	h.requireEqual(t)
	t.Logf("%d transactions over %d tables, %d rows refused %v, %d waited, %d kills; written in %s, applied in %s", 2*half, len(heavyTables), refused, codes, waiting, len(strikes), written.Round(time.Second), applied.Round(time.Second))
}

// requireBuys compares the orders, which is most of what arrives, with those that
// lead to no row that was refused.
func (h *heavy) requireBuys() {
	h.t.Helper()
	want := queryRows(h.t, h.db, "SELECT COUNT(*), SUM(b.id) FROM buy b JOIN client c ON c.id = b.client_id WHERE b.amount <> 666 AND c.name <> 'poison'")[0]
	got := h.goal.rows(h.t, "SELECT COUNT(*), SUM(id) FROM "+h.goal.ns+"buy WHERE id > 0")[0]
	if fmt.Sprint(want) != fmt.Sprint(got) {
		h.t.Errorf("the target has %v orders (and the sum of their keys), want %v", got, want)
	}
}
