package cli

import (
	"encoding/json"
	"os"
	"strings"
	"testing"

	"github.com/rowferry/rowferry"
	"github.com/rowferry/rowferry/internal/testdb"
)

// TestOrphans: a copy that stopped at rows without a parent goes on with another
// policy, lists them, and a later change to one of them says why it stops.
func TestOrphans(t *testing.T) {
	o := newOrigin(t, testdb.MariaDB1011, "sqlite:shop.db")
	o.exec(t, "CREATE TABLE part (id INT PRIMARY KEY, item BIGINT, note TEXT, FOREIGN KEY (item) REFERENCES item (id))")
	conn, err := o.db.Conn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, q := range []string{"SET foreign_key_checks = 0", "INSERT INTO part VALUES (1, NULL, ''), (2, 77, '')", "SET foreign_key_checks = 1"} {
		if _, err := conn.ExecContext(t.Context(), q); err != nil {
			t.Fatal(err)
		}
	}
	if err := conn.Close(); err != nil {
		t.Fatal(err)
	}
	with := func(policy string) ran {
		if err := os.WriteFile("shop.yaml", []byte(o.file+policy), 0o600); err != nil {
			t.Fatal(err)
		}
		return run(t, []string{"run", "-c", "shop.yaml", "--once", "-o", "json", "--log-format", "json"})
	}
	if got := with(""); got.code != 1 || !strings.Contains(got.out, "RF-3002") {
		t.Fatalf("stop: %+v", got)
	}
	got := with("orphans: skip\n")
	var said struct{ Result summary }
	if err := json.Unmarshal([]byte(got.out), &said); err != nil || got.code != 0 {
		t.Fatalf("skip: %v, %+v", err, got)
	}
	if list := said.Result.Orphans; len(list) != 1 || list[0].Rows != 1 || strings.Join(list[0].First, ";") != "id=2" || list[0].Table != "part" {
		t.Errorf("the summary lists %+v", list)
	}
	if !strings.Contains(got.err, `"orphans":"skip","rows":1,"first":["id=2"]`) {
		t.Errorf("the log lists nothing:\n%s", got.err)
	}
	if got := with("orphans: null\n"); got.code != 2 || !strings.Contains(got.out, string(rowferry.CodeConfigChanged)) {
		t.Errorf("another policy behind the copy: %+v", got)
	}
	o.exec(t, "UPDATE part SET note = 'x' WHERE id = 2")
	if got := with("orphans: skip\n"); got.code == 0 || !strings.Contains(got.out, string(rowferry.CodeRowMissing)) || !strings.Contains(got.out, "orphans: skip") {
		t.Errorf("a change to a row that was left out: %+v", got)
	}
}
