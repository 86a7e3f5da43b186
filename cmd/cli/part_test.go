package cli

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"

	"github.com/rowferry/rowferry"
	"github.com/rowferry/rowferry/internal/testdb"
)

// partShop is a shop whose lines refer to orders and items, orders to customers, and
// customers to each other.
func partShop(postgres bool) []string {
	stamp := "DATETIME"
	if postgres {
		stamp = "timestamptz"
	}
	list := []string{
		"CREATE TABLE customer (id INT PRIMARY KEY, code VARCHAR(9) UNIQUE, host INT, FOREIGN KEY (host) REFERENCES customer (id))",
		"CREATE TABLE thing (a INT, b INT, note TEXT, PRIMARY KEY (a, b))",
		"CREATE TABLE purchase (id BIGINT PRIMARY KEY, code VARCHAR(9), at " + stamp + " NOT NULL, FOREIGN KEY (code) REFERENCES customer (code))",
		"CREATE TABLE line (id INT PRIMARY KEY, purchase BIGINT NOT NULL, a INT, b INT, FOREIGN KEY (purchase) REFERENCES purchase (id), FOREIGN KEY (a, b) REFERENCES thing (a, b))",
		"CREATE TABLE audit (what TEXT)",
		"INSERT INTO customer VALUES (1, 'c1', NULL), (2, 'c2', 1), (3, 'c3', 2), (4, 'c4', 4), (5, NULL, NULL)",
		"INSERT INTO thing VALUES (1, 1, 'x'), (1, 2, 'y'), (2, 1, 'z')",
		"INSERT INTO purchase VALUES (10, 'c3', '2026-01-01 10:00:00'), (20, 'c4', '2026-02-01 10:00:00'), (30, NULL, '2026-03-01 10:00:00')",
		"INSERT INTO line VALUES (100, 10, 1, 2), (101, 10, NULL, 1), (200, 20, 2, 1), (300, 30, 1, 1)",
		"INSERT INTO audit VALUES ('p'), ('p')",
	}
	return list
}

// partCase is what is asked of the shop, and what comes: the tables' keys.
type partCase struct {
	name string
	args []string
	want string
}

var partCases = []partCase{
	{"ids", []string{"--ids", "DB.line=100,999"}, "audit: customer:1,2,3 line:100 purchase:10 thing:1.2"},
	{"since", []string{"--since", "DB.purchase.at=2026-02-01T10:00:00ZONE"}, "audit: customer:4 line: purchase:20,30 thing:"},
	{"limit", []string{"--limit", "1"}, "audit:p customer:1,2,3 line:100 purchase:10 thing:1.1,1.2"},
	{"since and limit", []string{"--since", "DB.purchase.id=10", "--limit", "2", "--ids", "DB.customer=5,2"}, "audit: customer:1,2,3,4,5 line: purchase:10,20 thing:"},
}

// selectOnly returns the URL for an account that can read the database and nothing else.
func selectOnly(t *testing.T, server *testdb.Server, k testdb.Kind, database string) string {
	t.Helper()
	a := testdb.Account{User: "reader", Password: canary, Plugin: testdb.NativePassword, Grants: []string{"SELECT ON " + database + ".*"}}
	switch {
	case k == testdb.Postgres15:
		return server.URL(database)
	case k.Flavor() == testdb.MySQL:
		a.Plugin = testdb.CachingSHA2
	}
	if err := server.CreateAccount(t.Context(), a); err != nil {
		t.Fatal(err)
	}
	return server.AccountURL(a, "127.0.0.1", database)
}

// TestPart copies parts of each kind of source with the parents that they need, with
// no privilege but to read, and from a PostgreSQL without a logical log.
func TestPart(t *testing.T) {
	for _, k := range []testdb.Kind{testdb.MariaDB1011, testdb.MySQL97, testdb.Postgres15} {
		t.Run(string(k), func(t *testing.T) {
			server := testdb.Start(t, k)
			name, db := testdb.NewDatabase(t, server)
			url, space, zone := selectOnly(t, server, k, name), name, ""
			postgres := k == testdb.Postgres15
			if postgres {
				space, zone = "public", "Z"
			}
			for _, q := range partShop(postgres) {
				if _, err := db.ExecContext(t.Context(), q); err != nil {
					t.Fatal(err)
				}
			}
			t.Chdir(t.TempDir())
			for i, c := range partCases {
				args := []string{"run", "--target", fmt.Sprintf("sqlite:%d.db", i), "--state", fmt.Sprintf("state%d", i), "--name", "part"}
				for _, a := range c.args {
					args = append(args, strings.NewReplacer("DB", space, "ZONE", zone).Replace(a))
				}
				got := run(t, args, withEnv(map[string]string{"ROWFERRY_SOURCE": url}))
				if got.code != 0 || !strings.Contains(got.out, "the partial copy is complete") {
					t.Fatalf("%s: %+v", c.name, got)
				}
				if have := partKeys(t, fmt.Sprintf("%d.db", i)); have != c.want {
					t.Errorf("%s:\n%s, want\n%s", c.name, have, c.want)
				}
			}
			refusedParts(t, url, server.URL(name), space)
			if !postgres {
				return
			}
			var slots int
			if err := db.QueryRowContext(t.Context(), "SELECT (SELECT count(*) FROM pg_replication_slots WHERE database = current_database()) + (SELECT count(*) FROM pg_publication)").Scan(&slots); err != nil || slots != 0 {
				t.Errorf("%d slots and publications were made, %v", slots, err)
			}
		})
	}
}

// refusedParts asks for what there is not, and goes on from a part.
func refusedParts(t *testing.T, url, follows, space string) {
	t.Helper()
	env := withEnv(map[string]string{"ROWFERRY_SOURCE": url})
	for _, c := range []struct{ arg, value, want string }{
		{"--ids", "SPACE.lines=1", "not in scope"}, {"--ids", "line=1", "SPACE.line"}, {"--ids", "SPACE.thing=1", "one column"},
		{"--ids", "SPACE.line=x", "no whole number"}, {"--ids", "SPACE.line=99999999999", "of this size"}, {"--ids", "SPACE.line", "takes a table"},
		{"--since", "SPACE.line.x=1", "does not have"}, {"--since", "SPACE.purchase.at=yesterday", "2026-01-31"}, {"--since", "SPACE.line=1", "not in scope"},
		{"--limit", "0", "1 or more"}, {"--limit", "many", "1 or more"},
	} {
		value := strings.ReplaceAll(c.value, "SPACE", space)
		got := run(t, []string{"run", "--target", "sqlite:never.db", "--state", "never", c.arg, value}, env)
		if got.code != 2 || !strings.Contains(got.err, string(rowferry.CodeBadValue)) || !strings.Contains(got.err, strings.ReplaceAll(c.want, "SPACE", space)) {
			t.Errorf("%s %s: %+v", c.arg, value, got)
		}
	}
	if got := run(t, []string{"run", "--target", "sqlite:never.db", "--state", "never", "--limit", "1", "--once"}, env); got.code != 2 || !strings.Contains(got.err, "--once is about the log") {
		t.Errorf("--once: %+v", got)
	}
	env = withEnv(map[string]string{"ROWFERRY_SOURCE": follows})
	for _, more := range [][]string{{"--once"}, {"--limit", "1"}} {
		if more[0] == "--once" && space == "public" {
			continue // the server, which has no logical log, is refused before
		}
		again := append([]string{"run", "--target", "sqlite:0.db", "--state", "state0", "--name", "part"}, more...)
		if got := run(t, again, env); got.code != 2 || !strings.Contains(got.err, string(rowferry.CodePartial)) {
			t.Errorf("going on with %v: %+v", more, got)
		}
		if err := os.Rename("state0", "state0 away"); err != nil { // the target knows as well
			t.Fatal(err)
		}
		if got := run(t, again, env); got.code != 2 || !strings.Contains(got.err, string(rowferry.CodePartial)) {
			t.Errorf("going on with %v, without the state: %+v", more, got)
		}
		if err := os.RemoveAll("state0"); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename("state0 away", "state0"); err != nil {
			t.Fatal(err)
		}
	}
}

// partKeys returns the first column of each row, by table.
func partKeys(t *testing.T, path string) string {
	t.Helper()
	conn, err := sqlite.OpenConn(path, sqlite.OpenReadOnly)
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for _, table := range []string{"audit what", "customer id", "line id", "purchase id", "thing a||'.'||b"} {
		name, key, _ := strings.Cut(table, " ")
		err := sqlitex.ExecuteTransient(conn, "SELECT group_concat(k, ',') FROM (SELECT "+key+" AS k FROM "+name+" ORDER BY 1)", &sqlitex.ExecOptions{ResultFunc: func(s *sqlite.Stmt) error {
			all = append(all, name+":"+s.ColumnText(0))
			return nil
		}})
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := conn.Close(); err != nil {
		t.Fatal(err)
	}
	return strings.Join(all, " ")
}

// TestPartCutOff: a partial copy that stopped is not gone on with, and one that is
// started over leaves out what has no parent where it is told so.
func TestPartCutOff(t *testing.T) {
	o := newOrigin(t, testdb.MariaDB1011, "sqlite:shop.db")
	o.exec(t, "CREATE TABLE part (id INT PRIMARY KEY, item BIGINT, FOREIGN KEY (item) REFERENCES item (id))", "INSERT INTO item VALUES (1, 'x'), (2, 'y')", "INSERT INTO part VALUES (1, 2)",
		"SET STATEMENT foreign_key_checks = 0 FOR INSERT INTO part VALUES (2, 77)")
	args := []string{"run", "-c", "shop.yaml", "--since", o.name + ".part.id=1"}
	if got := run(t, args); got.code != 1 || !strings.Contains(got.err, string(rowferry.CodeRowRefused)) {
		t.Fatalf("a row without a parent: %+v", got)
	}
	if got := run(t, args); got.code != 2 || !strings.Contains(got.err, "was cut off") {
		t.Errorf("going on: %+v", got)
	}
	ok(t, "destroy", "-c", "shop.yaml", "--yes")
	if err := os.Remove("shop.db"); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile("shop.yaml", []byte(o.file+"orphans: skip\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if got := run(t, args); got.code != 0 || rows(t, "shop.db", "item") != "1" || rows(t, "shop.db", "part") != "1" || !strings.Contains(got.out, "id=2") {
		t.Errorf("started over: %+v", got)
	}
}
