package cli

import (
	"os"
	"strings"
	"testing"

	"github.com/rowferry/rowferry/internal/testdb"
)

// TestDestroyRows: where it is not told whose rows are whose nothing goes; else the
// pipeline's rows go, those that wait with them, and no other.
func TestDestroyRows(t *testing.T) {
	o := newMapped(t)
	rowsOf := []string{"INSERT INTO person VALUES (1, 'one')", "INSERT INTO note VALUES (10, 1)", "INSERT INTO tag VALUES (10, 'early')", "INSERT INTO tag VALUES (20, 'waits')"}
	o.exec(t, rowsOf...)
	ok(t, "run", "-c", "shop.yaml", "--once", "--from", "earliest")
	got := run(t, []string{"destroy", "-c", "shop.yaml", "--rows", "--yes"})
	if got.code != 2 || !strings.Contains(got.err, "RF-5030") || !strings.Contains(got.err, o.name+".item") || strings.Contains(got.err, ".tag") {
		t.Errorf("with a table of which nothing is noted: %+v", got)
	}
	if n := rows(t, "shop.db", "person"); n != "2" {
		t.Errorf("%s persons", n)
	}
	ok(t, "destroy", "-c", "shop.yaml", "--yes")

	if err := os.WriteFile("shop.yaml", []byte(o.file+"tables: ['"+o.name+".*', '!"+o.name+".item']\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	o.exec(t, "DELETE FROM tag", "DELETE FROM note", "DELETE FROM person")
	ok(t, "run", "-c", "shop.yaml", "--once", "--from", "latest")
	o.exec(t, rowsOf...)
	if out := ok(t, "run", "-c", "shop.yaml", "--once"); !strings.Contains(out, "keys       3 rows mapped, waiting 1\n") {
		t.Error(out)
	}
	if err := os.Rename("state", "kept"); err != nil {
		t.Fatal(err)
	}
	if got := run(t, []string{"destroy", "-c", "shop.yaml", "--rows", "--yes"}); got.code != 6 || !strings.Contains(got.err, "RF-5031") {
		t.Errorf("without the state: %+v", got)
	}
	if err := os.Rename("kept", "state"); err != nil {
		t.Fatal(err)
	}
	if out := ok(t, "destroy", "-c", "shop.yaml", "--rows", "--yes"); !strings.Contains(out, "1 row of "+o.name+".note\n") || !strings.Contains(out, "is gone, with its rows") {
		t.Error(out)
	}
	// What the first pipeline brought, and the target's own, are still there.
	if p, n, g := rows(t, "shop.db", "person"), rows(t, "shop.db", "note"), rows(t, "shop.db", "tag"); p+n+g != "211" {
		t.Errorf("%s persons, %s notes, %s tags", p, n, g)
	}
	if out := ok(t, "destroy", "-c", "shop.yaml", "--rows", "--yes"); !strings.Contains(out, "nothing to remove") {
		t.Error(out)
	}
}

// TestDestroyRowsKept: of a pipeline whose keys are the source's nothing is noted.
func TestDestroyRowsKept(t *testing.T) {
	o := newOrigin(t, testdb.MariaDB1011, "sqlite:shop.db")
	o.exec(t, "INSERT INTO item VALUES (1, 'a')")
	ok(t, "run", "-c", "shop.yaml", "--once", "--from", "earliest")
	if got := run(t, []string{"destroy", "-c", "shop.yaml", "--rows", "--yes"}); got.code != 2 || !strings.Contains(got.err, "RF-5030") {
		t.Errorf("%+v", got)
	}
	if n := rows(t, "shop.db", "item"); n != "1" {
		t.Errorf("%s rows", n)
	}
}
