package mysql

import (
	"fmt"
	"strings"
	"testing"

	"github.com/rowferry/rowferry"
	"github.com/rowferry/rowferry/internal/connect"
	"github.com/rowferry/rowferry/internal/testdb"
)

// TestCopyOnlyReads: the documented privileges are enough, nothing is locked, and
// what the server's defaults do to others' queries is not done to a copy's.
func TestCopyOnlyReads(t *testing.T) {
	for _, k := range kinds() {
		t.Run(string(k), func(t *testing.T) {
			t.Parallel()
			s := testdb.Start(t, k, testdb.Private())
			name, db := testdb.NewDatabase(t, s)
			run(t, db, "CREATE TABLE t (id INT NOT NULL PRIMARY KEY, who INT, c CHAR(5), at TIMESTAMP NULL)",
				"INSERT INTO t "+strings.Replace(series(100), "n, 0, 0", "n, 0, 'a', '2024-02-29 12:00:00'", 1), "CREATE TABLE `no grant` (id INT PRIMARY KEY)")
			a := testdb.Account{User: "copier", Password: password, Plugin: k.Plugins()[0], Grants: []string{"REPLICATION SLAVE, REPLICATION CLIENT ON *.*", "SELECT ON `" + name + "`.*"}}
			limit := "max_execution_time=1000"
			if k.Flavor() == testdb.MariaDB {
				a.Grants[0] = "REPLICATION SLAVE, BINLOG MONITOR, SLAVE MONITOR ON *.*"
				limit = "max_statement_time=1"
			}
			must(t, s.CreateAccount(t.Context(), a))
			must(t, s.Exec(t.Context(), "SET GLOBAL sql_select_limit=7", "SET GLOBAL autocommit=0", "SET GLOBAL sql_mode='ANSI_QUOTES,PAD_CHAR_TO_FULL_LENGTH,NO_ZERO_DATE,STRICT_ALL_TABLES'",
				"SET GLOBAL time_zone='+05:30'", "SET GLOBAL "+limit, "SET GLOBAL log_output='TABLE'", "SET GLOBAL general_log=ON"))
			e := endpoint(t, s, "copier")
			e.Password = connect.NewSecret(password)
			src := Live(LiveOptions{Endpoint: e, Scope: inDatabase(name)}).(rowferry.Copier)
			copied, err := src.Copy(t.Context(), "")
			must(t, err)
			r, err := copied.Open(t.Context())
			must(t, err)
			table := copied.Tables()[1]
			for _, row := range rowsOf(t, r, &table, nil, nil) {
				if got := rowKey(row[1:]); got != `0 | "a" | "2024-02-29 12:00:00"` {
					t.Fatal(got)
				}
			}
			end, err := r.Split(t.Context(), &table, nil, 90)
			if rows := rowsOf(t, r, &table, nil, end); err != nil || len(rows) != 90 {
				t.Errorf("%d rows up to %v, %v", len(rows), end, err)
			}
			_, err = copied.End(t.Context())
			must(t, err)
			must(t, r.Close())
			must(t, s.Exec(t.Context(), "SET GLOBAL general_log=OFF"))
			rows, err := db.QueryContext(t.Context(), "SELECT CONVERT(argument USING utf8mb4) FROM mysql.general_log WHERE user_host LIKE '%copier%' AND command_type IN ('Query','Execute','Prepare')")
			must(t, err)
			defer rows.Close()
			n := 0
			for ; rows.Next(); n++ {
				var sql string
				must(t, rows.Scan(&sql))
				verb, _, _ := strings.Cut(sql, " ")
				if !strings.Contains("SELECT SET SHOW START COMMIT XA", verb) || strings.Contains(sql, "GLOBAL ") && verb == "SET" || strings.Contains(sql, "FOR UPDATE") {
					t.Errorf("the source was told: %s", sql)
				}
			}
			must(t, rows.Err())
			if n < 10 {
				t.Errorf("%d statements", n)
			}
		})
	}
}

// TestCopyGoesOn: a copy that goes on begins where it began, with the tables that
// were there.
func TestCopyGoesOn(t *testing.T) {
	for _, k := range kinds() {
		t.Run(string(k), func(t *testing.T) {
			s := testdb.Start(t, k, testdb.Private())
			name, db := testdb.NewDatabase(t, s)
			run(t, db, "CREATE TABLE t (id INT PRIMARY KEY)", "CREATE TABLE gone (id INT PRIMARY KEY)", "CREATE TABLE grows (id INT PRIMARY KEY, a INT)", "INSERT INTO grows VALUES (1, 1)")
			src, copied, r := copying(t, s, "", name)
			from, lineage := copied.From()
			run(t, db, "CREATE TABLE later (id INT PRIMARY KEY)", "INSERT INTO t VALUES (1)", "ALTER TABLE grows DROP COLUMN a", "DROP TABLE gone")
			_, again, _ := copying(t, s, from, name)
			if p, l := again.From(); p != from || l != lineage || l == "" {
				t.Errorf("began at %s (%s), goes on at %s (%s)", from, lineage, p, l)
			}
			names := ""
			for _, x := range again.Tables() {
				names += x.Shape.Name.Table + fmt.Sprint(len(x.Shape.Columns)) + " "
			}
			if names != "grows2 t1 " {
				t.Errorf("tables %s", names)
			}
			for _, x := range copied.Tables() {
				_, err := r.Read(t.Context(), &x, nil, nil, func([]rowferry.Row) error { return nil })
				if want := map[string]rowferry.Code{"t": "", "gone": rowferry.CodeShapeMismatch, "grows": rowferry.CodeShapeMismatch}[x.Shape.Name.Table]; rowferry.CodeOf(err) != want {
					t.Errorf("%s: %v, want %q", x.Shape.Name, err, want)
				}
			}
			must(t, s.ResetBinlog(t.Context()))
			if _, err := src.Copy(t.Context(), from); err == nil {
				t.Error("it goes on where the log no longer reaches back to its beginning")
			}
		})
	}
}

// TestCopyBadText: text that is not valid is found, as in the log, and a key that
// Unicode cannot tell from another is no bound.
func TestCopyBadText(t *testing.T) {
	s := testdb.Start(t, testdb.MariaDB1011)
	name, db := testdb.NewDatabase(t, s)
	run(t, db, "CREATE TABLE bad (id INT PRIMARY KEY, v VARCHAR(9) CHARACTER SET ucs2)", "INSERT INTO bad VALUES (1, 'x'), (2, _ucs2 x'D83D')",
		"CREATE TABLE twice (k VARCHAR(9) CHARACTER SET cp932 COLLATE cp932_bin NOT NULL PRIMARY KEY)", "INSERT INTO twice VALUES (_cp932 x'81CA'), (_cp932 x'EEF9'), (_cp932 x'FA54'), ('x'), ('y')")
	_, copied, r := copying(t, s, "", name)
	for _, table := range copied.Tables() {
		switch table.Shape.Name.Table {
		case "bad":
			_, err := r.Read(t.Context(), &table, nil, nil, func([]rowferry.Row) error { return nil })
			if rowferry.CodeOf(err) != rowferry.CodeBadText {
				t.Errorf("%v", err)
			}
		default:
			_, err := r.Split(t.Context(), &table, nil, 4)
			if rowferry.CodeOf(err) != rowferry.CodeCopyRefused {
				t.Errorf("%v", err)
			}
		}
	}
}
