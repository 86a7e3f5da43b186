package e2e

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/rowferry/rowferry/internal/testdb"
)

var slotFence = regexp.MustCompile("(?s)```sql pgsource (given|made)\n(.*?)```")

// TestSlotPrivileges makes accounts with what docs/privileges.md says of a
// PostgreSQL source. They pass the doctor and carry rows; without any one
// statement the doctor names what is missing, and what it says mends it.
func TestSlotPrivileges(t *testing.T) {
	besideOthers(t)
	page, err := os.ReadFile("../../docs/privileges.md")
	if err != nil {
		t.Fatal(err)
	}
	blocks := slotFence.FindAllStringSubmatch(string(page), -1)
	if len(blocks) != 2 {
		t.Fatalf("%d blocks in the page", len(blocks))
	}
	for _, k := range []testdb.Kind{testdb.Postgres15, testdb.PostgresNew} {
		for _, block := range blocks {
			var statements []string
			for line := range strings.Lines(block[2]) {
				statements = append(statements, strings.TrimSuffix(strings.TrimSpace(line), ";"))
			}
			t.Run(fmt.Sprintf("%s/%s", k, block[1]), func(t *testing.T) {
				newSlotClerk(t, k, statements).carry("all privileges")
				for i, left := range statements {
					newSlotClerk(t, k, slices.Delete(slices.Clone(statements), i, i+1)).mend(left)
				}
			})
		}
	}
}

// slotClerk is a pipeline whose account at a PostgreSQL source is tried.
type slotClerk struct {
	t      *testing.T
	config string
	exec   func(statements ...string)
	goal   *goal
}

func newSlotClerk(t *testing.T, k testdb.Kind, statements []string) *slotClerk {
	t.Helper()
	server := testdb.Start(t, k, testdb.Arg("wal_level=logical"), testdb.Arg("max_slot_wal_keep_size=4GB"), testdb.Arg("max_replication_slots=40"))
	name, db := testdb.NewDatabase(t, server)
	c := &slotClerk{t: t, goal: newGoal(t, sqliteKind, "public")}
	c.exec = func(statements ...string) {
		t.Helper()
		for _, q := range statements {
			if _, err := db.ExecContext(t.Context(), q); err != nil {
				t.Fatalf("%s: %v", q, err)
			}
		}
	}
	account := testdb.Account{User: "clerk_" + name, Password: "p", Plugin: testdb.SCRAM}
	if err := server.CreateAccount(t.Context(), account); err != nil {
		t.Fatal(err)
	}
	c.exec("REVOKE ALL ON DATABASE "+server.Quote(name)+" FROM PUBLIC",
		"CREATE TABLE parent (id int PRIMARY KEY)", "CREATE TABLE child (id int PRIMARY KEY, parent int NOT NULL REFERENCES parent)")
	for _, q := range statements {
		q = regexp.MustCompile(`\browferry\b`).ReplaceAllString(q, server.Quote(account.User))
		c.exec(strings.ReplaceAll(q, "DATABASE shop", "DATABASE "+server.Quote(name)))
	}
	text, err := json.Marshal(map[string]any{
		"name": "shop", "state": "state", "source": map[string]any{"url": server.AccountURL(account, "", name)}, "target": map[string]any{"url": c.goal.url},
	})
	if err != nil {
		t.Fatal(err)
	}
	c.config = filepath.Join(t.TempDir(), "clerk.yaml")
	if err := os.WriteFile(c.config, text, 0o600); err != nil {
		t.Fatal(err)
	}
	return c
}

// carry runs the pipeline from its beginning, and gives it up.
func (c *slotClerk) carry(what string) {
	c.t.Helper()
	for i, more := range [][]string{{"run", "--from", "latest", "--once"}, {"run", "--once"}, {"destroy", "--yes"}} {
		if i == 1 {
			c.exec("INSERT INTO parent VALUES (1)", "INSERT INTO child VALUES (1, 1)", "UPDATE child SET id = 2")
		}
		if o := run(c.t, append(more, "-c", c.config)...); o.code != 0 {
			c.t.Fatalf("%s: %v: exit %d\n%s", what, more, o.code, o.stdout+o.stderr)
		}
	}
	if n := c.goal.intOf(c.t, "SELECT MAX(id) FROM child"); n != 2 {
		c.t.Errorf("%s: id %d", what, n)
	}
}

// mend asks the doctor until it has nothing to say, and does what it says.
func (c *slotClerk) mend(left string) {
	c.t.Helper()
	var said []string
	for range 3 { // who could not log in sees the rest only then
		o := run(c.t, "doctor", "-o", "json", "-c", c.config)
		if o.code == 0 {
			break
		}
		var answer struct {
			Result struct{ Source struct{ Findings []finding } }
		}
		if err := json.Unmarshal([]byte(o.stdout), &answer); err != nil {
			c.t.Fatalf("%v\n%s%s", err, o.stdout, o.stderr)
		}
		for _, f := range answer.Result.Source.Findings {
			if f.Level == "failed" && len(f.Remedies) > 0 {
				said = append(said, f.Remedies[0].Do)
				c.exec(f.Remedies[0].Do)
			}
		}
	}
	if said == nil {
		c.t.Errorf("without %s: the doctor has nothing to say", left)
	}
	c.carry("without " + left + ", mended")
	c.t.Logf("without %s: %s", left, strings.Join(said, "; "))
}
