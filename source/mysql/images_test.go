package mysql

import (
	"strings"
	"testing"

	"github.com/rowferry/rowferry"
	"github.com/rowferry/rowferry/internal/testdb"
)

// logged returns the changes of a database's log, each as one line.
func logged(t *testing.T, s *testdb.Server, database string) []string {
	t.Helper()
	var lines []string
	readLog(t, s, database, func(ev loggedEvent) {
		for _, c := range decodeAlone(t, ev) {
			line := c.Op.String()
			for _, image := range []rowferry.Row{c.Before, c.After} {
				if image != nil {
					line += " " + rowKey(image)
				}
				line += ";"
			}
			if c.ChecksOff {
				line += " checks off"
			}
			lines = append(lines, line)
		}
	})
	return lines
}

// TestImages: what an image lacks is absent, which is not NULL.
func TestImages(t *testing.T) {
	for _, k := range kinds() {
		t.Run(string(k), func(t *testing.T) {
			s := testdb.Start(t, k, testdb.RowMetadata("FULL"))
			name, db := testdb.NewDatabase(t, s)
			run(t, db, "SET SESSION binlog_row_image=MINIMAL",
				"CREATE TABLE t (id INT PRIMARY KEY, a INT, b BLOB, c VARCHAR(5))",
				"INSERT INTO t (id, a) VALUES (1, 7)", "UPDATE t SET c = NULL, a = 8", "UPDATE t SET id = 2", "DELETE FROM t",
				"SET SESSION binlog_row_image=NOBLOB",
				"INSERT INTO t VALUES (3, 1, 'b', 'c')", "UPDATE t SET a = NULL", "UPDATE t SET b = 'd'", "DELETE FROM t",
				"SET SESSION binlog_row_image=FULL, foreign_key_checks=0", "INSERT INTO t VALUES (4, NULL, NULL, NULL)",
				"SET SESSION foreign_key_checks=1")
			want := []string{
				"insert; 1 | 7 | (absent) | (absent);",
				"update 1 | (absent) | (absent) | (absent); (absent) | 8 | (absent) | NULL;",
				"update 1 | (absent) | (absent) | (absent); 2 | (absent) | (absent) | (absent);",
				"delete 2 | (absent) | (absent) | (absent);;",
				`insert; 3 | 1 | x62 | "c";`,
				`update 3 | 1 | (absent) | "c"; 3 | NULL | (absent) | "c";`,
				`update 3 | NULL | (absent) | "c"; 3 | NULL | x64 | "c";`,
				`delete 3 | NULL | (absent) | "c";;`,
				"insert; 4 | NULL | NULL | NULL; checks off",
			}
			if got := logged(t, s, name); strings.Join(got, "\n") != strings.Join(want, "\n") {
				t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
			}
		})
	}
}

// TestNoImage: a row of which the log has no value at all stops by name.
func TestNoImage(t *testing.T) {
	for _, k := range kinds() {
		s := testdb.Start(t, k, testdb.RowMetadata("FULL"))
		name, db := testdb.NewDatabase(t, s)
		run(t, db, "SET SESSION binlog_row_image=MINIMAL", "CREATE TABLE t (a INT PRIMARY KEY DEFAULT 5, b INT DEFAULT 6)", "INSERT INTO t VALUES ()",
			"SET SESSION binlog_row_image=FULL")
		requireCode(t, s, name, rowferry.CodeAbsentColumn)
	}
}

// TestPartialJSON stops by name.
func TestPartialJSON(t *testing.T) {
	s := testdb.Start(t, testdb.MySQL97, testdb.RowMetadata("FULL"))
	name, db := testdb.NewDatabase(t, s)
	run(t, db, "CREATE TABLE t (id INT PRIMARY KEY, j JSON)", `INSERT INTO t VALUES (1, '{"a": "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "b": 1}')`)
	if n := len(logged(t, s, name)); n != 1 {
		t.Fatalf("%d changes", n)
	}
	name, db = testdb.NewDatabase(t, s)
	run(t, db, "CREATE TABLE t (id INT PRIMARY KEY, j JSON)", "SET SESSION sql_log_bin=0", `INSERT INTO t VALUES (1, '{"a": "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "b": 1}')`,
		"SET SESSION sql_log_bin=1, binlog_row_value_options=PARTIAL_JSON", "UPDATE t SET j = JSON_SET(j, '$.a', 'z')", "SET SESSION binlog_row_value_options=''")
	requireCode(t, s, name, rowferry.CodePartialJSON)
}

// requireCode decodes the only rows event of a database, which must fail.
func requireCode(t *testing.T, s *testdb.Server, database string, want rowferry.Code) {
	t.Helper()
	n := 0
	readLog(t, s, database, func(ev loggedEvent) {
		n++
		shape, err := shapeFromMap(ev.tm, nil, ev.srv)
		if err != nil {
			t.Fatal(err)
		}
		d, err := newRowDecoder(ev.tm, shape, ev.srv)
		if err != nil {
			t.Fatal(err)
		}
		if changes, err := d.decode(nil, ev.hdr, ev.rows); rowferry.CodeOf(err) != want || len(changes) != 0 {
			t.Errorf("%d changes, %v", len(changes), err)
		}
	})
	if n != 1 {
		t.Errorf("%d events", n)
	}
}

// TestCompressedRows: MariaDB's compressed events decode like others.
func TestCompressedRows(t *testing.T) {
	s := testdb.Start(t, testdb.MariaDB1011, testdb.RowMetadata("FULL"), testdb.Compressed())
	name, db := testdb.NewDatabase(t, s)
	run(t, db, "CREATE TABLE t (id INT PRIMARY KEY, v TEXT)", "INSERT INTO t SELECT seq, REPEAT('ä', seq) FROM seq_1_to_500", "UPDATE t SET v = CONCAT(v, 'x')", "DELETE FROM t WHERE id % 2 = 0")
	for _, m := range replay(t, s, name, nil) {
		compareWithSelect(t, db, m)
		if len(m.rows) != 250 {
			t.Errorf("%d rows", len(m.rows))
		}
	}
}

func TestInflateRows(t *testing.T) {
	good := unhex(t, "81 03 789c4b4c4a06 00024d0127") // zlib of "abc"
	rows, err := inflateRows(good, 100)
	if err != nil || string(rows) != "abc" {
		t.Errorf("%q, %v", rows, err)
	}
	if _, err := inflateRows(good, 2); rowferry.CodeOf(err) != rowferry.CodeEventTooLarge {
		t.Errorf("beyond the limit: %v", err)
	}
	for name, b := range map[string]string{
		"empty": "", "no mark": "01", "no length": "81", "no stream": "8103", "wrong length": "8102789c4b4c4a0600024d0127",
		"too long": "8104789c4b4c4a0600024d0127", "cut": "8103789c4b4c4a",
	} {
		if _, err := inflateRows(unhex(t, b), 100); rowferry.CodeOf(err) != rowferry.CodeCorruptLog {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := inflateRows([]byte{0x91, 1, 0}, 100); rowferry.CodeOf(err) != rowferry.CodeUnknownEvent {
		t.Errorf("unknown method: %v", err)
	}
}
