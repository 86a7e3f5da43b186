package cli

import (
	"path/filepath"
	"strings"
	"testing"

	"zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"
)

// TestMinimalImages replays logs of a server with binlog_row_image=MINIMAL,
//
//	CREATE TABLE t (id INT PRIMARY KEY, c INT DEFAULT 5, s VARCHAR(10) DEFAULT 'x', ts TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP);
//	INSERT INTO t (id) VALUES (1);
//
// into a table with other defaults: they are not taken for the source's.
func TestMinimalImages(t *testing.T) {
	logs, err := filepath.Abs("testdata/minimal")
	if err != nil {
		t.Fatal(err)
	}
	for _, log := range []string{"mysql.000001", "mariadb.000001"} {
		t.Run(log, func(t *testing.T) {
			t.Chdir(t.TempDir())
			conn, err := sqlite.OpenConn("s5.db")
			if err != nil {
				t.Fatal(err)
			}
			made := sqlitex.ExecuteScript(conn, "CREATE TABLE t (id INTEGER PRIMARY KEY, c INTEGER DEFAULT 0, s TEXT DEFAULT 'zz', ts TEXT NOT NULL DEFAULT CURRENT_TIMESTAMP)", nil)
			if err := conn.Close(); made != nil || err != nil {
				t.Fatal(made, err)
			}
			got := run(t, []string{"replay", "--files", filepath.Join(logs, log), "--target", "sqlite:s5.db"})
			if got.code != 1 || !strings.Contains(got.err, "RF-3012") {
				t.Errorf("%+v", got)
			}
			if n := rows(t, "s5.db", "t"); n != "0" {
				t.Errorf("%s rows, want none", n)
			}
		})
	}
}
