package mysql

import (
	"fmt"
	"maps"
	"slices"
	"testing"

	"github.com/rowferry/rowferry"
	"github.com/rowferry/rowferry/internal/testdb"
	"github.com/rowferry/rowferry/internal/testdb/load"
	"github.com/rowferry/rowferry/internal/testdb/types"
	"github.com/rowferry/rowferry/schema"
	"github.com/rowferry/rowferry/source/sourcetest"
)

// copying opens a copy of the databases of one server, and a reader of chunks.
func copying(t testing.TB, s *testdb.Server, from rowferry.Position, databases ...string) (*liveSource, rowferry.Copy, rowferry.ChunkReader) {
	t.Helper()
	src := Live(LiveOptions{Endpoint: endpoint(t, s, "root"), Scope: func(n schema.Name) bool { return slices.Contains(databases, n.Schema) }}).(*liveSource)
	k, err := src.Copy(t.Context(), from)
	must(t, err)
	r, err := k.Open(t.Context())
	must(t, err)
	t.Cleanup(func() {
		must(t, r.Close())
		must(t, k.Close())
	})
	return src, k, r
}

// rowsOf reads a part of a table.
func rowsOf(t testing.TB, r rowferry.ChunkReader, table *rowferry.CopyTable, after, upto []rowferry.Value) []rowferry.Row {
	t.Helper()
	var all []rowferry.Row
	_, err := r.Read(t.Context(), table, after, upto, func(rows []rowferry.Row) error {
		for _, row := range rows {
			all = append(all, slices.Clone(row))
		}
		return nil
	})
	if err != nil {
		t.Fatalf("%s: %v", table.Shape.Name, err)
	}
	return all
}

// counted is how often each row is there.
func counted(rows []rowferry.Row) map[string]int {
	n := map[string]int{}
	for _, row := range rows {
		n[rowKey(row)]++
	}
	return n
}

// told is what the log of some databases leads to, by table, as a live reader
// tells it from the log's beginning.
func told(t testing.TB, src *liveSource) map[schema.Name]*model {
	t.Helper()
	opt := src.opt
	opt.From, opt.Once = "earliest", true
	res := readFrom(Live(opt), rowferry.Start{})
	must(t, res.err)
	models := map[schema.Name]*model{}
	for _, tx := range sourcetest.Join(res.txs, nil) {
		for _, c := range tx.Changes {
			m := models[c.Table.Name]
			if m == nil {
				m = &model{rows: map[string]int{}}
				models[c.Table.Name] = m
			}
			m.shape = c.Table
			switch c.Op {
			case rowferry.Shape:
			case rowferry.Truncate, rowferry.Drop:
				clear(m.rows)
			default:
				m.apply(t.(*testing.T), c)
			}
		}
	}
	return models
}

// everyType is what the case of every type leaves out: what a target need not
// hold, and what only a SELECT makes different.
func everyType(f testdb.Flavor) []types.Case {
	cases := append(types.Cases(f), types.BigUnsigned(), types.NegativeZero(), types.Case{Name: "copied", Statements: []string{
		`CREATE TABLE copied (id INT(9) ZEROFILL NOT NULL PRIMARY KEY, d DECIMAL(12,3) ZEROFILL, dz DECIMAL(5,5), f FLOAT(9,3), f2 FLOAT, dd DOUBLE(20,5),
			e ENUM('','a','ö','?') NOT NULL, s SET('a','ö'), y YEAR, c CHAR(5), v VARCHAR(5), b BINARY(5), vb VARBINARY(5), i TINYINT ZEROFILL, t TIME(3), n NUMERIC(30,10))`,
		"INSERT INTO copied VALUES (1, 12.5, 0.12345, 123.456, 16777217, 123456789.12345, 'nonsense', 'a,ö', 0, 'a  ', 'a  ', 'a', 'a\\0', 7, '-00:00:00.001', -0.0)",
		"INSERT INTO copied VALUES (2, 0, 0, 0.1, 3.4028234e38, 0.1, 'ö', '', 1901, '', '', '', '', 0, '838:59:59', -1.5)",
		"INSERT INTO copied VALUES (3, NULL, -0.5, -1e-3, 1.17549435e-38, -0.00001, '', NULL, 2155, ' a', ' a', '\\0a', '\\0\\0', 255, NULL, 1)",
	}})
	if f == testdb.MariaDB {
		cases = append(cases, types.CompressedColumns())
	}
	return cases
}

// untoldLabels are tables with labels that no server tells: SHOW CREATE TABLE has
// question marks.
var untoldLabels = []string{"enum_utf8mb4", "enum_utf16", "enum_utf16le", "enum_utf32"}

// TestCopyTellsWhatTheLogTells: a row that is read is the row that the log told,
// of every type, and its table has the same shape.
func TestCopyTellsWhatTheLogTells(t *testing.T) {
	for _, k := range kinds() {
		for _, metadata := range []string{"FULL", "MINIMAL"} {
			t.Run(string(k)+"/"+metadata, func(t *testing.T) {
				t.Parallel()
				s := testdb.Start(t, k, testdb.Private(), testdb.RowMetadata(metadata))
				name, db := testdb.NewDatabase(t, s)
				for _, c := range everyType(k.Flavor()) {
					must(t, c.Run(t.Context(), db))
				}
				busy, db := testdb.NewDatabase(t, s)
				_, err := load.Run(t.Context(), db, load.Options{Seed: 6, Flavor: k.Flavor(), Transactions: 400})
				must(t, err)
				src, copied, r := copying(t, s, "", name, busy)
				models := told(t, src)
				for _, table := range copied.Tables() {
					if slices.Contains(untoldLabels, table.Shape.Name.Table) {
						_, err := r.Read(t.Context(), &table, nil, nil, func([]rowferry.Row) error { return nil })
						if rowferry.CodeOf(err) != rowferry.CodeTypeRefused {
							t.Errorf("%s: %v", table.Shape.Name, err)
						}
						continue
					}
					compareWithModel(t, models[table.Shape.Name], &table, rowsOf(t, r, &table, nil, nil))
				}
				if n := len(copied.Tables()); n < 120 || n != len(models) {
					t.Errorf("%d tables are copied, the log tells of %d", n, len(models))
				}
			})
		}
	}
}

func compareWithModel(t *testing.T, m *model, table *rowferry.CopyTable, rows []rowferry.Row) {
	t.Helper()
	if m == nil {
		t.Errorf("%s is not in the log", table.Shape.Name)
		return
	}
	if !sameShape(m.shape, table.Shape) {
		t.Errorf("%s: %+v, the log tells %+v", table.Shape.Name, table.Shape, m.shape)
	}
	if got := counted(rows); !maps.Equal(got, m.rows) {
		for row, n := range got {
			if m.rows[row] != n {
				t.Errorf("%s: read %d times, told %d times: %.500s", table.Shape.Name, n, m.rows[row], row)
			}
		}
		for row, n := range m.rows {
			if got[row] == 0 {
				t.Errorf("%s: not read, told %d times: %.500s", table.Shape.Name, n, row)
			}
		}
	}
}

// keys are tables whose keys are hard to divide: each row has a value of its own
// in v.
func keys(f testdb.Flavor) []string {
	collation := "utf8mb4_unicode_ci"
	nopad := "utf8mb4_nopad_bin"
	if f == testdb.MySQL {
		collation, nopad = "utf8mb4_0900_ai_ci", "utf8mb4_0900_bin"
	}
	return []string{
		"CREATE TABLE accents (k VARCHAR(20) COLLATE " + collation + " NOT NULL PRIMARY KEY, v INT)",
		"INSERT INTO accents VALUES ('a',1),('B',2),('é',3),('f',4),('ß',5),('st',6),('z',7),('Ω',8),('日本',9),('😀',10),('',11),('a b',12),('ab',13)",
		"CREATE TABLE spaces (k VARCHAR(20) COLLATE " + nopad + " NOT NULL PRIMARY KEY, v INT)",
		"INSERT INTO spaces VALUES ('a',1),('a ',2),('a  ',3),('a\\t',4),('A',5),(' ',6),('',7),('a\\0',8),('é',9),('e\u0301',10)",
		"CREATE TABLE padded (k CHAR(20) CHARACTER SET latin1 COLLATE latin1_german1_ci NOT NULL PRIMARY KEY, v INT)",
		"INSERT INTO padded VALUES ('a',1),('a\\t',2),('ä!',3),('ä\\n',4),('ß',5),('z',6)",
		"CREATE TABLE zeros (k VARBINARY(20) NOT NULL PRIMARY KEY, v INT)",
		"INSERT INTO zeros VALUES ('',1),('\\0',2),('\\0\\0',3),('a',4),('a\\0',5),('a\\0\\0',6),(x'ff',7),(x'ff00',8)",
		"CREATE TABLE filled (k BINARY(4) NOT NULL PRIMARY KEY, v INT)",
		"INSERT INTO filled VALUES ('',1),('a',2),('a\\0b',3),('abc',4),('abcd',5),(x'ffffffff',6)",
		"CREATE TABLE years (k YEAR NOT NULL PRIMARY KEY, v INT)",
		"INSERT INTO years VALUES (0,1),(1901,2),(1969,3),(1970,4),(2000,5),(2155,6)",
		"CREATE TABLE dates (k DATE NOT NULL PRIMARY KEY, v INT)",
		"INSERT INTO dates VALUES ('0000-00-00',1),('2024-00-00',2),('2024-02-00',3),('2024-02-29',4),('9999-12-31',5)",
		"CREATE TABLE moments (k DATETIME(6) NOT NULL PRIMARY KEY, v INT)",
		"INSERT INTO moments VALUES ('0000-00-00',1),('2024-00-00 00:00:00.000001',2),('2024-02-29 23:59:59.999999',3),('2024-03-01',4)",
		"CREATE TABLE instants (k TIMESTAMP(2) NOT NULL PRIMARY KEY, v INT)",
		"INSERT INTO instants VALUES ('0000-00-00',1),('1970-01-01 00:00:01',2),('2025-10-26 01:30:00.01',3),('2025-10-26 01:30:00.02',4),('2038-01-19 03:14:07.99',5)",
		"CREATE TABLE times (k TIME(1) NOT NULL PRIMARY KEY, v INT)",
		"INSERT INTO times VALUES ('-838:59:59',1),('-00:00:00.1',2),('0',3),('00:00:00.1',4),('100:00:00',5),('838:59:59',6)",
		"CREATE TABLE exact (k DECIMAL(40,10) NOT NULL PRIMARY KEY, v INT)",
		"INSERT INTO exact VALUES (-123456789012345678901234567890.0000000001,1),(-123456789012345678901234567890,2),(0,3),(0.0000000001,4),(123456789012345678901234567890.5,5)",
		"CREATE TABLE bits (k BIT(64) NOT NULL PRIMARY KEY, v INT)",
		"INSERT INTO bits VALUES (0,1),(9007199254740993,2),(9007199254740992,3),(9223372036854775808,4),(18446744073709551614,5),(18446744073709551615,6)",
		"CREATE TABLE big (k BIGINT UNSIGNED NOT NULL PRIMARY KEY, v INT)",
		"INSERT INTO big VALUES (0,1),(9223372036854775807,2),(9223372036854775808,3),(18446744073709551614,4),(18446744073709551615,5)",
		"CREATE TABLE small (k BIGINT NOT NULL PRIMARY KEY, v INT)",
		"INSERT INTO small VALUES (-9223372036854775808,1),(-9223372036854775807,2),(-1,3),(0,4),(9223372036854775806,5),(9223372036854775807,6)",
		"CREATE TABLE labels (k ENUM('z','a','m','ß') NOT NULL, n INT NOT NULL, v INT, PRIMARY KEY (k, n))",
		"INSERT INTO labels VALUES (0,1,1),(0,2,2),(1,1,3),(1,5,4),(2,1,5),(2,9,6),(4,0,7),(4,1,8),(4,2,9)",
		"CREATE TABLE empties (k ENUM('z','','m') NOT NULL PRIMARY KEY, v INT)",
		"INSERT INTO empties VALUES (0,1),(1,2),(2,3),(3,4)",
		"CREATE TABLE many (k ENUM('" + numbered(300, "','") + "') NOT NULL, n INT NOT NULL, v INT, PRIMARY KEY (k, n))",
		"INSERT INTO many VALUES (0,1,1),(1,1,2),(1,2,3),(299,1,4),(300,1,5),(300,2,6)",
		"CREATE TABLE sets (k SET('" + numbered(64, "','") + "') NOT NULL, n INT NOT NULL, v INT, PRIMARY KEY (k, n))",
		"INSERT INTO sets VALUES (0,1,1),(1,1,2),(1,2,3),(9007199254740993,1,4),(9007199254740992,1,5),(9223372036854775809,1,6),(9223372036854775808,1,7),(18446744073709551615,1,8)",
		"CREATE TABLE few (k SET('c','b','a') NOT NULL PRIMARY KEY, v INT)",
		"INSERT INTO few VALUES (0,1),(1,2),(2,3),(3,4),(7,5)",
		"CREATE TABLE several (a INT NOT NULL, b VARCHAR(10) COLLATE " + collation + " NOT NULL, c DATE NOT NULL, v INT, PRIMARY KEY (b, a, c))",
		"INSERT INTO several VALUES (1,'a','2024-01-01',1),(1,'A','2024-01-02',2),(2,'á','2024-01-01',3),(2,'b','0000-00-00',4),(3,'B','2024-01-01',5),(3,'b','2024-01-02',6),(3,'',DATE'2024-01-02',7)",
		"CREATE TABLE `another``one` (v INT, `k``1` INT NOT NULL, k2 VARCHAR(9) NOT NULL, nothing INT NULL, UNIQUE KEY n (nothing), UNIQUE KEY `the``key` (k2, `k``1`))",
		"INSERT INTO `another``one` VALUES (1,1,'a',NULL),(2,2,'a',NULL),(3,1,'b',NULL),(4,1,'c',1),(5,2,'c',2)",
		"CREATE TABLE alone (v INT, note TEXT)",
		"INSERT INTO alone VALUES (1,'x'),(1,'x'),(2,NULL)",
		"CREATE TABLE nothing (k INT NOT NULL PRIMARY KEY)",
	}
}

func numbered(n int, separator string) string {
	text := ""
	for i := range n {
		if i > 0 {
			text += separator
		}
		text += fmt.Sprint("l", i)
	}
	return text
}

// TestCopySplit: chunks of any size have every row once, in the order of the
// whole, and as many as were asked for.
func TestCopySplit(t *testing.T) {
	for _, k := range kinds() {
		t.Run(string(k), func(t *testing.T) {
			t.Parallel()
			s := testdb.Start(t, k, testdb.Private())
			name, db := testdb.NewDatabase(t, s)
			run(t, db, keys(k.Flavor())...)
			for _, c := range types.Cases(k.Flavor()) {
				must(t, c.Run(t.Context(), db))
			}
			_, copied, r := copying(t, s, "", name)
			for _, table := range copied.Tables() {
				if slices.Contains(untoldLabels, table.Shape.Name.Table) {
					continue
				}
				whole := rowsOf(t, r, &table, nil, nil)
				for _, n := range []int{1, 2, 7} {
					if n == 1 && len(whole) > 300 {
						continue
					}
					split(t, r, &table, whole, n)
				}
			}
			if n := len(copied.Tables()); n < 150 {
				t.Errorf("only %d tables", n)
			}
		})
	}
}

func split(t *testing.T, r rowferry.ChunkReader, table *rowferry.CopyTable, whole []rowferry.Row, n int) {
	t.Helper()
	var got []rowferry.Row
	var after []rowferry.Value
	for chunks := 0; ; chunks++ {
		end, err := r.Split(t.Context(), table, after, n)
		if err != nil {
			t.Errorf("%s in chunks of %d: %v", table.Shape.Name, n, err)
			return
		}
		rows := rowsOf(t, r, table, after, end)
		got = append(got, rows...)
		if last := table.Shape.Identity() == nil; !last && len(rows) > n && table.Shape.Name.Table != "empties" {
			t.Errorf("%s: a chunk of %d rows, not %d, behind %v", table.Shape.Name, len(rows), n, after)
		}
		if end == nil {
			break
		}
		if len(rows) < n || chunks > len(whole) {
			t.Errorf("%s: a chunk of %d rows, not %d, behind %v to %v", table.Shape.Name, len(rows), n, after, end)
			return
		}
		after = end
	}
	if a, b := fmt.Sprint(got), fmt.Sprint(whole); a != b {
		t.Errorf("%s in chunks of %d:\n%.1000s\nwhole:\n%.1000s", table.Shape.Name, n, a, b)
	}
}
