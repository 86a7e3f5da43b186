package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/rowferry/rowferry"
	"github.com/rowferry/rowferry/internal/testdb"
)

const recopyKeysConfig = `name: keys
source: {url: 'mysql://root@127.0.0.1:%[1]d/%[2]s'}
target: {url: 'sqlite:%[3]s/target.db'}
tables: ['%[2]s.*']
state: %[3]s/state
entities:
  %[2]s.person: {key: allocate}
  %[2]s.visit: {key: allocate}
`

// TestResnapshotKeys copies tables again whose rows got keys of the target's: with Kills
// in each part every row that was there keeps its key, one that was lost gets it again,
// and rows of others stay.
func TestResnapshotKeys(t *testing.T) {
	besideOthers(t)
	s := newStream(t, testdb.MariaDB1011, sqliteKind)
	s.exec(t, "CREATE TABLE person (id INT AUTO_INCREMENT PRIMARY KEY, chief INT, name VARCHAR(20) NOT NULL UNIQUE, FOREIGN KEY (chief) REFERENCES person (id))",
		"CREATE TABLE visit (id INT AUTO_INCREMENT PRIMARY KEY, person_id INT NOT NULL, what VARCHAR(20) NOT NULL, FOREIGN KEY (person_id) REFERENCES person (id))",
		"INSERT INTO person SELECT seq, NULL, CONCAT('p', seq) FROM seq_1_to_300 ORDER BY seq", "UPDATE person SET chief = 1 + id % 7 WHERE id > 7", "INSERT INTO visit SELECT seq, 1 + seq % 300, CONCAT('v', seq) FROM seq_1_to_600 ORDER BY seq")
	dir := t.TempDir()
	file := filepath.Join(dir, "c.yaml")
	if err := os.WriteFile(file, fmt.Appendf(nil, recopyKeysConfig, s.source.Port, s.database, dir), 0o600); err != nil {
		t.Fatal(err)
	}
	g := &goal{kind: sqliteKind, path: filepath.Join(dir, "target.db")}
	execNewSQLite(t, g.path, "")
	must(t, "-c", file, "run", "--once")
	keys := "SELECT name, id FROM person WHERE name LIKE 'p%' ORDER BY 1"
	given := described(g.rows(t, keys))
	g.exec(t, "INSERT INTO person (chief, name) VALUES (NULL, 'other')", "INSERT INTO visit (person_id, what) SELECT id, 'other' FROM person WHERE name = 'other'",
		"DELETE FROM visit WHERE id % 3 = 0", "UPDATE visit SET what = 'spoiled' WHERE id % 3 = 1", "UPDATE person SET chief = NULL",
		"DELETE FROM visit WHERE person_id IN (SELECT id FROM person WHERE name LIKE 'p_0')", "DELETE FROM person WHERE name LIKE 'p_0'")
	s.exec(t, "UPDATE visit SET what = CONCAT(what, '!') WHERE id % 5 = 0", "DELETE FROM visit WHERE id = 4", "INSERT INTO visit (person_id, what) VALUES (20, 'new')")
	phases := map[rowferry.CopyPhase]int{}
	for _, at := range []string{"copy.chunk:kill@1", "copy.committed:kill@2", "recorded:kill@1", "confirm:kill@2", "carry:kill@1", "confirm:kill@1/carry", "recorded:kill@2/carry", "recopy.removed:kill@1"} {
		o := call{tag: "failpoint", env: []string{"ROWFERRY_FAILPOINT=" + at}, args: []string{"-c", file, "run", "--once", "--chunk-rows", "100", "--resnapshot", s.database + ".*"}}.run(t)
		if o.code > 0 {
			t.Fatalf("%s: exit %d\n%s", at, o.code, o.stderr)
		}
		if o.code == -1 {
			phases[g.held(t).Copy.Phase]++
		}
	}
	for _, p := range []rowferry.CopyPhase{rowferry.Reloading, rowferry.Renewing} {
		if phases[p] == 0 {
			t.Errorf("no kill found it %s: %v", p, phases)
		}
	}
	must(t, "-c", file, "run", "--once", "--resnapshot", s.database+".*")
	s.exec(t, "UPDATE person SET chief = 9 WHERE id = 10", "DELETE FROM visit WHERE id = 6")
	must(t, "-c", file, "run", "--once") // strictly
	if now := described(g.rows(t, keys)); now != given {
		t.Errorf("keys were\n%sand are\n%s", given, now)
	}
	rows := "SELECT v.what, p.name, COALESCE(c.name, '-') FROM visit v JOIN person p ON p.id = v.person_id LEFT JOIN person c ON c.id = p.chief WHERE v.what <> 'other' ORDER BY 1, 2"
	if want, got := described(queryRows(t, s.db, rows)), described(g.rows(t, rows)); want != got {
		t.Errorf("the source has\n%sand the target\n%s", want, got)
	}
	if n := g.intOf(t, "SELECT COUNT(*) FROM visit v JOIN person p ON p.id = v.person_id AND p.name = 'other'"); n != 1 {
		t.Errorf("%d rows of others are there", n)
	}
}
