package e2e

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rowferry/rowferry"
	"github.com/rowferry/rowferry/internal/testdb"
)

// TestResnapshotStops: tables that are being copied again are gone on with, or all of
// them and more begun with again; what cannot be right stops by name.
func TestResnapshotStops(t *testing.T) {
	besideOthers(t)
	p := pair{testdb.MySQL97, sqliteKind, ""}
	all := []string{"region", "orders", "item", "tree", "word", "visit"}
	begun := func(t *testing.T, failpoint string, tables ...string) (*recopyRig, []string) {
		t.Helper()
		r := newRecopyRig(t, p, 5)
		var again []string
		for _, table := range tables {
			again = append(again, "--resnapshot", r.scope+"."+table)
		}
		r.damage(tables...)
		for range 20 {
			r.transaction()
		}
		struck(t, failpoint, r.args(again...))
		return r, again
	}
	t.Run("other tables, and more of them", func(t *testing.T) {
		besideOthers(t)
		r, again := begun(t, "copy.committed:kill@2", "orders", "item")
		requireRefusal(t, run(t, r.args("--resnapshot", r.scope+".tree")...), rowferry.CodeRecopyRefused)
		again = append(again, "--resnapshot", r.scope+".tree", "--resnapshot", r.scope+".word")
		struck(t, "recorded:kill@1/carry", r.args(again...))
		requireRefusal(t, run(t, r.args("--resnapshot", r.scope+".*")...), rowferry.CodeRecopyRefused)
		must(t, r.args(again...)...)
		r.requireEqual(all...)
	})
	t.Run("another shape", func(t *testing.T) {
		besideOthers(t)
		r, _ := begun(t, "copy.committed:kill@2", "orders", "item", "tree", "word")
		r.execute("ALTER TABLE item ADD COLUMN more INT")
		requireRefusal(t, run(t, r.args()...), rowferry.CodeShapeChanged)
	})
	t.Run("values that rows exchange", func(t *testing.T) {
		besideOthers(t)
		r := newRecopyRig(t, p, 6)
		for _, q := range []string{"NULL WHERE id < 3", "'c2' WHERE id = 1", "'c1' WHERE id = 2"} {
			r.goal.exec(t, "UPDATE orders SET code = "+q)
		}
		again := []string{"--resnapshot", r.scope + ".orders"}
		requireRefusal(t, run(t, r.args(again...)...), rowferry.CodeForeignRow)
		r.goal.exec(t, "UPDATE orders SET code = NULL WHERE id = 2")
		must(t, r.args()...)
		r.requireEqual(all...)
	})
	t.Run("no stage", func(t *testing.T) {
		besideOthers(t)
		r, _ := begun(t, "recorded:kill@1/carry", "orders", "item", "tree", "word")
		if err := os.RemoveAll(filepath.Join(r.state, "stage")); err != nil {
			t.Fatal(err)
		}
		requireRefusal(t, run(t, r.args()...), rowferry.CodeStateNeeded)
	})
	t.Run("no checkpoint", func(t *testing.T) {
		besideOthers(t)
		s := newStream(t, testdb.MySQL97, sqliteKind)
		s.exec(t, "CREATE TABLE a (id INT PRIMARY KEY)", "CREATE TABLE k (n INT)")
		o := run(t, s.command("run", "--once", "--resnapshot", s.database+".a")...)
		requireRefusal(t, o, rowferry.CodeRecopyRefused)
		if !strings.Contains(o.stderr, "no checkpoint") {
			t.Error(o.stderr)
		}
	})
}
