package mysql

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/rowferry/rowferry"
	"github.com/rowferry/rowferry/internal/connect"
	"github.com/rowferry/rowferry/internal/testdb"
	"github.com/rowferry/rowferry/schema"
)

// examined returns the findings by name, as a user sees them.
func examined(t *testing.T, s *testdb.Server, user string, serverID uint32, scope func(schema.Name) bool) map[string]rowferry.Finding {
	t.Helper()
	e, err := connect.Parse(fmt.Sprintf("mysql://%s@127.0.0.1:%d", user, s.Port))
	if err != nil {
		t.Fatal(err)
	}
	c, err := dial(t.Context(), t.Context(), e)
	if err != nil {
		t.Fatal(err)
	}
	defer c.close()
	found, err := examine(t.Context(), c, &Source{opt: Options{Scope: scope}}, serverID)
	if err != nil {
		t.Fatal(err)
	}
	byName := map[string]rowferry.Finding{}
	for _, f := range found {
		if _, twice := byName[f.Name]; twice || f.What == "" || (f.Level == rowferry.Failed) != (f.Code != "") || f.Level != rowferry.Passed && f.Name != "version" && f.Name != "cascades" && len(f.Remedies) == 0 {
			t.Errorf("a finding that is twice, says nothing, or has no code or remedy: %+v", f)
		}
		byName[f.Name] = f
	}
	return byName
}

func all(schema.Name) bool { return true }

// requireLevels compares the findings that are not passed.
func requireLevels(t *testing.T, got map[string]rowferry.Finding, want map[string]rowferry.Level) {
	t.Helper()
	for name, f := range got {
		expected := want[name]
		if expected == "" {
			expected = rowferry.Passed
		}
		if f.Level != expected {
			t.Errorf("%s is %s, want %s: %s %v", name, f.Level, expected, f.What, f.Remedies)
		}
	}
	for name := range want {
		if _, ok := got[name]; !ok {
			t.Errorf("nothing was found about %s", name)
		}
	}
}

// TestExamine changes one thing after the other on a server and wants each
// found, and nothing else.
func TestExamine(t *testing.T) {
	for _, k := range testdb.Kinds() {
		t.Run(string(k), func(t *testing.T) {
			s := testdb.Start(t, k, testdb.Private(), testdb.RowMetadata("FULL"))
			mysql := k.Flavor() == testdb.MySQL
			_, db := testdb.NewDatabase(t, s)
			prepareSound(t, s, db, mysql)
			sound := map[string]rowferry.Level{}
			if retention := examined(t, s, "root", 0, all)["retention"]; retention.Level != rowferry.Passed {
				t.Errorf("retention: %+v", retention)
			}
			requireLevels(t, examined(t, s, "root", 0, all), sound)
			for _, c := range examineCases(mysql) {
				if err := s.Exec(t.Context(), c.set); err != nil {
					t.Fatal(err)
				}
				requireLevels(t, examined(t, s, "root", c.id, all), map[string]rowferry.Level{c.name: c.level})
				if err := s.Exec(t.Context(), c.undo); err != nil {
					t.Fatal(err)
				}
			}
			requireLevels(t, examined(t, s, "root", 4_000_000_000, all), sound)
			testExamineTables(t, s, db)
		})
	}
}

// prepareSound makes the server one about which there is nothing to say.
func prepareSound(t *testing.T, s *testdb.Server, db *sql.DB, mysql bool) {
	t.Helper()
	settings := []string{"SET GLOBAL sync_binlog=1", "SET GLOBAL innodb_flush_log_at_trx_commit=1", "SET GLOBAL binlog_checksum=CRC32"}
	if mysql {
		settings = append(settings, "SET GLOBAL binlog_expire_logs_seconds=604800")
	} else {
		settings = append(settings, "SET GLOBAL expire_logs_days=7")
	}
	if err := s.Exec(t.Context(), settings...); err != nil {
		t.Fatal(err)
	}
	if _, err := db.Exec("CREATE TABLE sound (id INT PRIMARY KEY)"); err != nil {
		t.Fatal(err)
	}
}

type examineCase struct {
	name      string
	level     rowferry.Level
	set, undo string
	id        uint32
}

func examineCases(mysql bool) []examineCase {
	cases := []examineCase{
		{"row format", rowferry.Failed, "SET GLOBAL binlog_format=MIXED", "SET GLOBAL binlog_format=ROW", 0},
		{"row image", rowferry.Warning, "SET GLOBAL binlog_row_image=MINIMAL", "SET GLOBAL binlog_row_image=FULL", 0},
		{"row metadata", rowferry.Warning, "SET GLOBAL binlog_row_metadata=MINIMAL", "SET GLOBAL binlog_row_metadata=FULL", 0},
		{"checksums", rowferry.Warning, "SET GLOBAL binlog_checksum=NONE", "SET GLOBAL binlog_checksum=CRC32", 0},
		{"durable log", rowferry.Warning, "SET GLOBAL sync_binlog=0", "SET GLOBAL sync_binlog=1", 0},
		{"durable log", rowferry.Warning, "SET GLOBAL innodb_flush_log_at_trx_commit=2", "SET GLOBAL innodb_flush_log_at_trx_commit=1", 0},
		{"server id", rowferry.Failed, "SET GLOBAL server_id=77", "SET GLOBAL server_id=1", 77},
	}
	if mysql {
		return append(cases, examineCase{"JSON", rowferry.Failed, "SET GLOBAL binlog_row_value_options=PARTIAL_JSON", "SET GLOBAL binlog_row_value_options=''", 0},
			examineCase{"retention", rowferry.Warning, "SET GLOBAL binlog_expire_logs_seconds=86400", "SET GLOBAL binlog_expire_logs_seconds=604800", 0},
			examineCase{"GTIDs", rowferry.Warning, "SET GLOBAL gtid_mode=ON_PERMISSIVE", "SET GLOBAL gtid_mode=ON", 0})
	}
	return append(cases, examineCase{"retention", rowferry.Warning, "SET GLOBAL expire_logs_days=1", "SET GLOBAL expire_logs_days=7", 0})
}

// testExamineTables wants keys, engines and cascades of tables in scope found,
// and those of others not.
func testExamineTables(t *testing.T, s *testdb.Server, db *sql.DB) {
	for _, q := range []string{
		"CREATE TABLE keyless (a INT, b INT UNIQUE)", "CREATE TABLE kept_whole (id INT PRIMARY KEY) ENGINE=MyISAM",
		"CREATE TABLE child (id INT PRIMARY KEY, p INT, FOREIGN KEY (p) REFERENCES sound (id) ON DELETE CASCADE)",
	} {
		if _, err := db.Exec(q); err != nil {
			t.Fatal(err)
		}
	}
	found := examined(t, s, "root", 0, all)
	requireLevels(t, found, map[string]rowferry.Level{"keys": rowferry.Warning, "engines": rowferry.Warning})
	for name, part := range map[string]string{"keys": ".keyless", "engines": ".kept_whole (MyISAM)", "cascades": "1 foreign keys", "tables": "4 in scope"} {
		if !strings.Contains(found[name].What, part) {
			t.Errorf("%s does not tell of %s: %s", name, part, found[name].What)
		}
	}
	some := func(n schema.Name) bool { return n.Table == "sound" }
	requireLevels(t, examined(t, s, "root", 0, some), nil)
	requireLevels(t, examined(t, s, "root", 0, func(schema.Name) bool { return false }), map[string]rowferry.Level{"tables": rowferry.Warning})
}

// TestExaminePrivileges: what is missing is named with a GRANT that mends it,
// run as it is printed, and no more than that is needed.
func TestExaminePrivileges(t *testing.T) {
	for _, k := range testdb.Kinds() {
		t.Run(string(k), func(t *testing.T) {
			s := testdb.Start(t, k)
			if err := s.Exec(t.Context(), "CREATE USER `less'er`@`127.0.0.1`"); err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() {
				if err := s.Exec(context.Background(), "DROP USER `less'er`@`127.0.0.1`"); err != nil {
					t.Error(err)
				}
			})
			f := examined(t, s, "less%27er", 0, all)["privileges"]
			if f.Level != rowferry.Failed || f.Code != rowferry.CodeSourceDenied {
				t.Fatalf("%+v", f)
			}
			i := slices.IndexFunc(f.Remedies, func(r rowferry.Remedy) bool { return r.Label == "grant" })
			if err := s.Exec(t.Context(), f.Remedies[i].Do); err != nil {
				t.Fatal(err)
			}
			if f := examined(t, s, "less%27er", 0, all)["privileges"]; f.Level != rowferry.Passed {
				t.Errorf("after %s: %+v", f.Remedies, f)
			}
		})
	}
}
