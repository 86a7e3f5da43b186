package e2e

import (
	"bytes"
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

// rulesTables have keys from 1 to ruleKeys, so that rows that were deleted come again.
var rulesTables = []string{
	"CREATE TABLE customer (id INT NOT NULL PRIMARY KEY, iban VARCHAR(40) NOT NULL, first VARCHAR(20) NOT NULL, last VARCHAR(20) NOT NULL, credit DECIMAL(20,2) NOT NULL, note VARCHAR(20), UNIQUE KEY by_iban (iban)) CHARACTER SET utf8mb4",
	"CREATE TABLE visit (id INT NOT NULL PRIMARY KEY, country CHAR(2) NOT NULL, n BIGINT UNSIGNED NOT NULL, day DATE NOT NULL) CHARACTER SET utf8mb4",
	"CREATE TABLE purchase (id INT NOT NULL PRIMARY KEY, customer INT NOT NULL, amount DECIMAL(10,2), FOREIGN KEY (customer) REFERENCES customer (id)) CHARACTER SET utf8mb4",
}

const ruleKeys = 30

const rulesConfig = `name: rules
source: {url: '%[1]s'}
target: {url: '%[2]s'}
tables: ['%[3]s.*']
state: %[4]s
copy: {chunk_rows: 5}
entities:
  %[3]s.customer:
    drop: [iban]
    rename: {id: customer_id, first: given}
    columns:
      full_name: 'first + " " + last'
      twice: credit * 2
      origin: '"shop"'
      note: '(note ?? "none") + "!"'
    provenance: {source: src, key: src_key, time: src_time}
    deletes: soft
    deleted_at: gone_at
  %[3]s.visit:
    where: 'country in ["DE", "FR"] and n >= 10 and day < "2026-06-01"'
    columns: {twice: n * 2}
  %[3]s.purchase:
    rename: {customer: bought_by}
`

// rulesCampaign is a pipeline with rules from a MariaDB.
type rulesCampaign struct {
	t        *testing.T
	db       *sql.DB
	goal     *goal
	config   string
	random   *rand.Rand
	inserted map[int]bool // customers that ever were
}

func newRules(t *testing.T, target testdb.Kind, name string) *rulesCampaign {
	t.Helper()
	source := testdb.Start(t, testdb.MariaDB1011)
	database, db := testdb.NewDatabase(t, source)
	c := &rulesCampaign{t: t, db: db, random: rand.New(rand.NewPCG(3, 5)), inserted: map[int]bool{}}
	c.goal = newGoal(t, target, database)
	c.config = filepath.Join(t.TempDir(), name+".yaml")
	url := fmt.Sprintf("mariadb://root@127.0.0.1:%d/%s", source.Port, database)
	text := fmt.Sprintf(rulesConfig, url, c.goal.url, database, filepath.Join(t.TempDir(), "state"))
	if err := os.WriteFile(c.config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, q := range rulesTables {
		if _, err := db.Exec(q); err != nil {
			t.Fatal(err)
		}
	}
	return c
}

// write makes n transactions of up to six changes.
func (c *rulesCampaign) write(n int) error {
	for range n {
		tx, err := c.db.Begin()
		if err != nil {
			return err
		}
		for range 1 + c.random.IntN(6) {
			if err := c.change(tx); err != nil {
				return err
			}
		}
		if err := tx.Commit(); err != nil {
			return err
		}
	}
	return nil
}

// change inserts, changes or deletes a row.
func (c *rulesCampaign) change(tx *sql.Tx) error {
	id, n := 1+c.random.IntN(ruleKeys), c.random.IntN(1000)
	country, visit := []string{"DE", "FR", "IT"}[n%3], 1+c.random.IntN(3*ruleKeys)
	var statements []string
	switch c.random.IntN(9) {
	case 0, 1:
		c.inserted[id] = true
		statements = []string{fmt.Sprintf("INSERT INTO customer VALUES (%[1]d, 'iban %[1]d', 'f%[2]d', 'l%[2]d', 12345678901234567.%02[3]d, NULL) ON DUPLICATE KEY UPDATE credit = credit + 0.01, note = '%[2]d'", id, n, n%100)}
	case 2:
		statements = []string{fmt.Sprintf("UPDATE customer SET last = 'l%d' WHERE id = %d", n, id)}
	case 3:
		statements = []string{fmt.Sprintf("UPDATE customer SET iban = CONCAT(iban, '.') WHERE id = %d AND LENGTH(iban) < 30", id)}
	case 4:
		statements = []string{fmt.Sprintf("DELETE FROM purchase WHERE customer = %d", id), fmt.Sprintf("DELETE FROM customer WHERE id = %d", id)}
	case 5:
		statements = []string{fmt.Sprintf("INSERT INTO visit VALUES (%d, '%s', %d, '2026-0%d-01') ON DUPLICATE KEY UPDATE country = VALUES(country)", visit, country, n%40, 1+n%9)}
	case 6:
		statements = []string{fmt.Sprintf("UPDATE visit SET country = '%s', n = %d WHERE id = %d", country, n%40, visit)}
	case 7:
		statements = []string{fmt.Sprintf("DELETE FROM visit WHERE id = %d", visit), fmt.Sprintf("UPDATE IGNORE visit SET id = %d WHERE id = %d", visit, 1+n%(3*ruleKeys))}
	default:
		statements = []string{fmt.Sprintf("INSERT IGNORE INTO purchase SELECT %d, id, %d.5 FROM customer WHERE id = %d", n, n, id)}
	}
	for _, q := range statements {
		if _, err := tx.Exec(q); err != nil {
			return fmt.Errorf("%s: %w", q, err)
		}
	}
	return nil
}

// rows are what a query yields, as text.
func rowsOf(t *testing.T, db *sql.DB, query string) []string {
	t.Helper()
	rows, err := db.Query(query)
	if err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	defer rows.Close()
	columns, err := rows.Columns()
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for rows.Next() {
		values, into := make([]sql.NullString, len(columns)), make([]any, len(columns))
		for i := range values {
			into[i] = &values[i]
		}
		if err := rows.Scan(into...); err != nil {
			t.Fatal(err)
		}
		var b strings.Builder
		for _, v := range values {
			fmt.Fprintf(&b, "%q %t|", v.String, v.Valid)
		}
		all = append(all, b.String())
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return all
}

// compare asks both sides for what has to be the same.
func (c *rulesCampaign) compare() {
	c.t.Helper()
	for _, q := range [][2]string{
		{
			"SELECT id, first, last, credit, CONCAT(first, ' ', last), credit * 2, 'shop', CONCAT(COALESCE(note, 'none'), '!'), 'rules', id FROM customer ORDER BY id",
			"SELECT customer_id, given, last, credit, full_name, twice, origin, note, src, src_key FROM %scustomer WHERE gone_at IS NULL ORDER BY customer_id",
		},
		{
			"SELECT id, country, n, CAST(day AS CHAR), n * 2 FROM visit WHERE country IN ('DE', 'FR') AND n >= 10 AND day < '2026-06-01' ORDER BY id",
			"SELECT id, country, n, CAST(day AS CHAR(10)), twice FROM %svisit ORDER BY id",
		},
		{"SELECT id, customer, amount FROM purchase ORDER BY id", "SELECT id, bought_by, amount FROM %spurchase ORDER BY id"},
	} {
		want, got := rowsOf(c.t, c.db, q[0]), rowsOf(c.t, c.goal.db, fmt.Sprintf(q[1], c.goal.ns))
		if !slices.Equal(want, got) {
			c.t.Errorf("%s\nsource %v\ntarget %v", q[1], want, got)
		}
		if len(want) < 5 {
			c.t.Errorf("only %d rows to compare: %s", len(want), q[0])
		}
	}
	if _, err := c.goal.db.Exec("SELECT iban FROM " + c.goal.ns + "customer"); err == nil {
		c.t.Error("the target has a column that was dropped")
	}
}

// TestRules follows a small load with a filter, computed, dropped, renamed and
// replaced columns, provenance and soft deletes, in runs that begin anew.
func TestRules(t *testing.T) {
	besideOthers(t)
	for _, kind := range []testdb.Kind{testdb.Postgres15, testdb.MySQL97} {
		t.Run(string(kind), func(t *testing.T) {
			besideOthers(t)
			c := newRules(t, kind, "follow")
			must(t, "-c", c.config, "run", "--once", "--from", "latest")
			for range 4 {
				if err := c.write(scaled(150, 2000)); err != nil {
					t.Fatal(err)
				}
				must(t, "-c", c.config, "run", "--once")
				c.compare()
			}
			if got := c.goal.intOf(t, "SELECT COUNT(*) FROM "+c.goal.ns+"customer"); got != int64(len(c.inserted)) {
				t.Errorf("%d customers of %d, with those that were deleted", got, len(c.inserted))
			}
			if got := c.goal.intOf(t, "SELECT COUNT(*) FROM "+c.goal.ns+"customer WHERE src_time IS NULL OR gone_at > src_time"); got != 0 {
				t.Errorf("%d customers without a time, or deleted after their last change", got)
			}
		})
	}
}

// TestRulesCopy copies by the same rules under load, with kills, and follows.
func TestRulesCopy(t *testing.T) {
	besideOthers(t)
	c := newRules(t, testdb.Postgres15, "copy")
	if err := c.write(200); err != nil {
		t.Fatal(err)
	}
	for _, at := range []string{"copy.committed:kill@2", "copy.chunk:kill@6", "recorded:kill@1", "decode:kill@40", "none:kill@1"} {
		done := make(chan error, 1)
		go func() { done <- c.write(100) }()
		var output bytes.Buffer
		cmd := command(t, "failpoint", "-c", c.config, "run", "--once")
		cmd.Env = append(os.Environ(), "ROWFERRY_FAILPOINT="+at)
		cmd.Stdout, cmd.Stderr = &output, &output
		_ = cmd.Run() // the exit code is what counts
		if code := cmd.ProcessState.ExitCode(); code > 0 {
			t.Fatalf("exit %d with %s:\n%s", code, at, output.String())
		}
		if err := <-done; err != nil {
			t.Fatal(err)
		}
	}
	must(t, "-c", c.config, "run", "--once")
	c.compare()
	if got := c.goal.intOf(t, "SELECT COUNT(*) FROM "+c.goal.ns+"customer WHERE src_time IS NULL"); got > ruleKeys {
		t.Errorf("%d customers without a time", got)
	}
}
