package cli

import (
	"encoding/json"
	"os"
	"strings"
	"testing"

	"zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"

	"github.com/rowferry/rowferry/internal/testdb"
)

// planIn reads the plan in an envelope.
func planIn(t *testing.T, out string) *planResult {
	t.Helper()
	var e struct {
		Schema int
		Result *planResult
	}
	if err := json.Unmarshal([]byte(out), &e); err != nil || e.Schema != 1 || e.Result == nil {
		t.Fatalf("%v: %s", err, out)
	}
	return e.Result
}

// TestPlanText is what a person reads.
func TestPlanText(t *testing.T) {
	r := &planResult{
		Source: "mysql://u@h:3306", Target: "sqlite:x", Rows: 1234567, Bytes: 7 << 20,
		Tables: []planTable{
			{Table: "shop.customers", Becomes: "customers", Rows: 1200, Bytes: 65536, Key: []string{"id"}, Notices: []string{"the DEFAULT of state", "without the index words, which is a FULLTEXT index"},
				Make: []string{"CREATE TABLE \"customers\" (\n  \"id\" INTEGER PRIMARY KEY\n) STRICT"}, Complete: []string{"CREATE INDEX i ON customers (state)"}},
			{Table: "shop.orders", Becomes: "orders", Exists: true, Rows: 1e6, Key: []string{"shop", "n"}},
		},
		Circles: [][]string{{"shop.a", "shop.b"}, {"shop.orders"}},
		Others:  []planObject{{Kind: "trigger", Name: "shop.audit", On: "orders"}, {Kind: "view", Name: "shop.v\x1b"}},
	}
	want, err := os.ReadFile("testdata/plan.golden")
	if got := r.text(false, true); err != nil || got != string(want) {
		if *update {
			if err := os.WriteFile("testdata/plan.golden", []byte(got), 0o644); err != nil {
				t.Fatal(err)
			}
			return
		}
		t.Errorf("%v, got\n%s", err, got)
	}
}

// TestPlan: what is said beforehand is what a copy then does, and nothing is made
// until then.
func TestPlan(t *testing.T) {
	for _, k := range []testdb.Kind{testdb.MariaDB1011, testdb.MySQL97} {
		t.Run(string(k), func(t *testing.T) {
			o := newOrigin(t, k, "sqlite:shop.db")
			o.exec(t, "CREATE TABLE a_child (id INT PRIMARY KEY, item BIGINT, up INT, n DECIMAL(10,2) DEFAULT 1.5, words TEXT, g INT AS (id + 1), CHECK (n > 0), FULLTEXT KEY w (words), KEY by_n (n, id), FOREIGN KEY (item) REFERENCES item (id), FOREIGN KEY (up) REFERENCES a_child (id))",
				"CREATE VIEW seen AS SELECT * FROM item", "CREATE TRIGGER audit BEFORE INSERT ON item FOR EACH ROW SET NEW.label = NEW.label",
				"CREATE PROCEDURE work() SELECT 1", "CREATE EVENT daily ON SCHEDULE EVERY 1 DAY DO SELECT 1")
			o.insert(t, 3)
			r := planIn(t, ok(t, "plan", "-o", "json", "-c", "shop.yaml", "--tables", o.name+".*"))
			if _, err := os.Stat("shop.db"); err == nil {
				t.Error("a plan made the target")
			}
			if len(r.Tables) != 2 || r.Tables[0].Table != o.name+".item" || len(r.Circles) != 1 || len(r.Others) != 4 {
				t.Fatalf("planned %+v", r)
			}
			child := r.Tables[1]
			notices := strings.Join(child.Notices, "\n")
			for _, part := range []string{"the DEFAULT of n", "the expression of g", "the CHECK ", "index w, which is a FULLTEXT index", "n (decimal(10,2) as TEXT)"} {
				if !strings.Contains(notices, part) {
					t.Errorf("%q is not among\n%s", part, notices)
				}
			}
			ok(t, "run", "-c", "shop.yaml", "--tables", o.name+".*", "--once")
			made := sqliteSchema(t, "shop.db")
			for _, p := range r.Tables {
				for _, sql := range append(p.Make, p.Complete...) {
					if !made[sql] {
						t.Errorf("the copy did not run %s", sql)
					}
					delete(made, sql)
				}
			}
			for sql := range made {
				if !strings.Contains(sql, "rowferry_") {
					t.Errorf("the plan did not say %s", sql)
				}
			}
			if after := planIn(t, ok(t, "plan", "-o", "json", "-c", "shop.yaml", "--tables", o.name+".*")); !after.Begun || !after.Tables[0].Exists {
				t.Errorf("afterwards: %+v", after)
			}
		})
	}
}

// TestPlanRefusals: each table that cannot be copied is named with its own code,
// and the exit code is that of the first.
func TestPlanRefusals(t *testing.T) {
	o := newOrigin(t, testdb.MariaDB1011, "sqlite:shop.db")
	o.exec(t, "CREATE TABLE keyless (a INT)", "CREATE TABLE old (id INT PRIMARY KEY) ENGINE=MyISAM")
	got := run(t, []string{"plan", "-c", "shop.yaml", "--tables", o.name + ".*"})
	if got.code != 2 || got.err != "" {
		t.Errorf("%+v", got)
	}
	for _, part := range []string{"✓  " + o.name + ".item", "✗  " + o.name + ".keyless", "✗  " + o.name + ".old", "engine  MyISAM", "RF-2034", "unknown until measured"} {
		if !strings.Contains(got.out, part) {
			t.Errorf("%q is not in\n%s", part, got.out)
		}
	}
	if got := run(t, []string{"plan", "-c", "shop.yaml", "--target", "jsonl:x.jsonl"}); got.code != 2 || !strings.Contains(got.out, "RF-1015") {
		t.Errorf("%+v", got)
	}
	away := run(t, []string{"plan", "-c", "shop.yaml", "--target", "postgres://u@127.0.0.1:1/x", "--tables", o.name + ".item"})
	if away.code != 3 || !strings.Contains(away.out, o.name+".item") || !strings.Contains(away.out, "RF-3014") {
		t.Errorf("%+v", away)
	}
	if _, err := os.Stat("shop.db"); err == nil {
		t.Error("a plan made the target")
	}
}

// TestPlanPostgres: neither publication nor slot is made.
func TestPlanPostgres(t *testing.T) {
	o := newSlotted(t, testdb.Postgres15, "sqlite:shop.db")
	o.exec(t, "CREATE TABLE child (id int PRIMARY KEY, item bigint REFERENCES item, at timestamptz DEFAULT now(), tags text[], CHECK (id > 0))",
		"CREATE INDEX by_item ON child (item, at)", "CREATE INDEX by_tags ON child USING gin (tags)", "CREATE VIEW seen AS SELECT 1 AS a", "CREATE SEQUENCE free",
		"CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'", "CREATE TRIGGER tr BEFORE INSERT ON child FOR EACH ROW EXECUTE FUNCTION f()",
		"CREATE DOMAIN positive AS int CHECK (VALUE > 0)", "ALTER TABLE child OWNER TO ferry")
	before := o.ask(t, theirThings)
	r := planIn(t, ok(t, "plan", "-o", "json", "-c", "shop.yaml"))
	if after := o.ask(t, theirThings); after != before {
		t.Errorf("slots and publications were %s and are %s", before, after)
	}
	if len(r.Tables) != 2 || r.Tables[1].Table != "public.child" || len(r.Others) != 5 {
		t.Fatalf("planned %+v", r)
	}
	notices := strings.Join(r.Tables[1].Notices, "\n")
	for _, part := range []string{"the DEFAULT of at", "the CHECK child_id_check", "index by_tags, which is a gin index", "at (timestamp with time zone as TEXT)"} {
		if !strings.Contains(notices, part) {
			t.Errorf("%q is not among\n%s", part, notices)
		}
	}
	o.exec(t, "CREATE TABLE keyless (a int)")
	if got := run(t, []string{"plan", "-c", "shop.yaml"}); got.code != 2 || !strings.Contains(got.out, "RF-2033") {
		t.Errorf("%+v", got)
	}
}

// sqliteSchema returns the statements that made a file's tables and indexes.
func sqliteSchema(t *testing.T, path string) map[string]bool {
	t.Helper()
	conn, err := sqlite.OpenConn(path, sqlite.OpenReadWrite)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	made := map[string]bool{}
	err = sqlitex.ExecuteTransient(conn, "SELECT sql FROM sqlite_master WHERE sql IS NOT NULL AND tbl_name <> 'sqlite_sequence'", &sqlitex.ExecOptions{ResultFunc: func(s *sqlite.Stmt) error {
		made[s.ColumnText(0)] = true
		return nil
	}})
	if err != nil {
		t.Fatal(err)
	}
	return made
}
