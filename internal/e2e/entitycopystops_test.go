package e2e

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rowferry/rowferry"
	"github.com/rowferry/rowferry/internal/testdb"
)

// copyStop is a pipeline that begins with a copy in which keys are given, from a
// MariaDB into a SQLite file.
type copyStop struct {
	t             *testing.T
	s             *stream
	config, state string
}

const copyStopConfig = `name: stops
source: {url: '%[1]s'}
target: {url: '%[2]s'}
tables: ['%[3]s.*']
state: %[4]s
copy: {chunk_rows: 100}
%[5]s
entities:
  %[3]s.p: {key: allocate}
`

// newCopyStop makes tables with rows: a parent whose keys are given, and tables that
// keep theirs, one of which refers to itself, and two to each other.
func newCopyStop(t *testing.T, more string) *copyStop {
	t.Helper()
	f := &copyStop{t: t, s: newStream(t, testdb.MariaDB1011, sqliteKind), state: filepath.Join(t.TempDir(), "state"), config: filepath.Join(t.TempDir(), "stops.yaml")}
	execNewSQLite(t, f.s.goal.path, "")
	f.s.exec(t,
		"CREATE TABLE p (id BIGINT AUTO_INCREMENT PRIMARY KEY, uid VARCHAR(40) NOT NULL)",
		"CREATE TABLE own (id BIGINT PRIMARY KEY, own_id BIGINT, p_id BIGINT NOT NULL, FOREIGN KEY (own_id) REFERENCES own (id), FOREIGN KEY (p_id) REFERENCES p (id))",
		"CREATE TABLE x (id BIGINT PRIMARY KEY, y_id BIGINT)", "CREATE TABLE y (id BIGINT PRIMARY KEY, x_id BIGINT NOT NULL, FOREIGN KEY (x_id) REFERENCES x (id))",
		"ALTER TABLE x ADD FOREIGN KEY (y_id) REFERENCES y (id)",
		"INSERT INTO p SELECT seq, CONCAT('p', seq) FROM seq_1_to_1000",
		"SET foreign_key_checks = 0",
		"INSERT INTO own SELECT seq, NULLIF(1001 - seq, seq), 1 + seq % 1000 FROM seq_1_to_1000",
		"INSERT INTO x SELECT seq, seq FROM seq_1_to_500", "INSERT INTO y SELECT seq, 501 - seq FROM seq_1_to_500")
	url := fmt.Sprintf("mysql://root@127.0.0.1:%d/%s", f.s.source.Port, f.s.database)
	if err := os.WriteFile(f.config, fmt.Appendf(nil, copyStopConfig, url, f.s.goal.url, f.s.database, f.state, more), 0o600); err != nil {
		t.Fatal(err)
	}
	return f
}

func (f *copyStop) args() []string { return []string{"-c", f.config, "run", "--once"} }

// struck has an engine killed.
func (f *copyStop) struck(failpoint string) {
	f.t.Helper()
	struck(f.t, failpoint, f.args())
}

func (f *copyStop) refused(code rowferry.Code) {
	f.t.Helper()
	requireRefusal(f.t, run(f.t, f.args()...), code)
}

// requireEqual compares what leads where, by names.
func (f *copyStop) requireEqual() {
	f.t.Helper()
	for _, q := range []string{
		"SELECT own.id, own.own_id, p.uid FROM own JOIN p ON p.id = own.p_id ORDER BY own.id",
		"SELECT x.id, y.x_id FROM x LEFT JOIN y ON y.id = x.y_id ORDER BY x.id", "SELECT uid FROM p ORDER BY uid",
	} {
		if want, got := queryRows(f.t, f.s.db, q), f.s.goal.rows(f.t, q); described(want) != described(got) {
			f.t.Errorf("%s: the target has\n%.500swant\n%.500s", q, described(got), described(want))
		}
	}
}

// TestEntityCopyStops: a copy in which keys are given comes through circles of tables
// that keep theirs, begins again where nothing is lost by that, and else stops by name.
func TestEntityCopyStops(t *testing.T) {
	t.Run("circles", func(t *testing.T) {
		f := newCopyStop(t, "waiting_rows: 10") // of which a copy may need more
		must(t, f.args()...)
		f.requireEqual()
		if _, err := os.Stat(filepath.Join(f.state, "stage")); !os.IsNotExist(err) {
			t.Errorf("the rows of the copy are still in the state directory: %v", err)
		}
		f.s.exec(t, "UPDATE own SET own_id = 7 WHERE id IN (1, 9)", "DELETE FROM own WHERE id = 1000")
		must(t, f.args()...)
		f.requireEqual()
		for key, want := range map[string]string{"7": "applied", "1000": "unknown"} {
			o := run(t, "map", "lookup", "-c", f.config, f.s.database+".own", key)
			if !strings.Contains(o.stdout, want) {
				t.Errorf("row %s of a circle is not %s: exit %d\n%s%s", key, want, o.code, o.stdout, o.stderr)
			}
		}
	})
	t.Run("circles that are copied later", func(t *testing.T) {
		f := newCopyStop(t, "waiting_rows: 10")
		whole, err := os.ReadFile(f.config)
		if err != nil {
			t.Fatal(err)
		}
		tables := func(text []byte) {
			t.Helper()
			if err := os.WriteFile(f.config, text, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		tables(bytes.ReplaceAll(whole, []byte(f.s.database+".*"), []byte(f.s.database+".p")))
		must(t, f.args()...)
		tables(whole)
		must(t, append(f.args(), "--resnapshot", f.s.database+".*")...)
		f.requireEqual()
	})
	t.Run("the state deleted while loading", func(t *testing.T) {
		f := newCopyStop(t, "")
		f.struck("copy.committed:kill@4")
		f.removeState()
		must(t, f.args()...)
		f.requireEqual()
	})
	t.Run("the state deleted while carrying", func(t *testing.T) {
		f := newCopyStop(t, "")
		f.struck("confirm:kill@1/carry")
		f.removeState()
		f.refused(rowferry.CodeStateNeeded)
	})
	t.Run("the rows of the copy deleted", func(t *testing.T) {
		f := newCopyStop(t, "")
		f.struck("copy.committed:kill@4")
		if err := os.RemoveAll(filepath.Join(f.state, "stage")); err != nil {
			t.Fatal(err)
		}
		f.refused(rowferry.CodeStateNeeded)
	})
	t.Run("a table without a key", func(t *testing.T) {
		f := newCopyStop(t, "")
		f.s.exec(t, "CREATE TABLE keyless (n INT)")
		f.refused(rowferry.CodeCopyRefused)
	})
	t.Run("orphans", func(t *testing.T) {
		newCopyStop(t, "orphans: skip").refused(rowferry.CodeCopyRefused)
	})
	t.Run("a row of the target's own under a key", func(t *testing.T) {
		f := newCopyStop(t, "")
		execSQLite(t, f.s.goal.path, "CREATE TABLE p (id INTEGER PRIMARY KEY AUTOINCREMENT, uid VARCHAR(40) NOT NULL); "+
			"CREATE TABLE x (id BIGINT NOT NULL PRIMARY KEY, y_id BIGINT); INSERT INTO x VALUES (5, NULL)")
		f.refused(rowferry.CodeForeignRow)
		if got := described(f.s.goal.rows(t, "SELECT id, y_id FROM x WHERE id = 5")); !strings.Contains(got, "NULL") {
			t.Errorf("the target's own row is %s", got)
		}
	})
}

func (f *copyStop) removeState() {
	f.t.Helper()
	if err := os.RemoveAll(f.state); err != nil {
		f.t.Fatal(err)
	}
}
