package mysql

import (
	"context"
	"database/sql"
	"fmt"
	"strings"
	"testing"

	"github.com/rowferry/rowferry"
	"github.com/rowferry/rowferry/internal/testdb"
	"github.com/rowferry/rowferry/internal/testdb/types"
	"github.com/rowferry/rowferry/schema"
)

// kinds are the servers the special cases run on; the newest MariaDB in soak.
func kinds() []testdb.Kind {
	all := []testdb.Kind{testdb.MySQL97, testdb.MariaDB1011}
	if testdb.Soak() {
		all = append(all, testdb.MariaDB11)
	}
	return all
}

func run(t *testing.T, db *sql.DB, statements ...string) {
	t.Helper()
	c := types.Case{Name: t.Name(), Statements: statements}
	if err := c.Run(context.Background(), db); err != nil {
		t.Fatal(err)
	}
}

// everyLevel runs the statements on each kind of server that takes them, at
// each level of metadata, with the shapes of the server's catalogue at hand,
// and compares what the log leads to with what the server has.
func everyLevel(t *testing.T, c types.Case) {
	t.Helper()
	for _, k := range kinds() {
		if c.Flavor != "" && k.Flavor() != c.Flavor {
			continue
		}
		for _, level := range []string{"FULL", "MINIMAL", "NO_LOG"} {
			if level == "NO_LOG" && k.Flavor() == testdb.MySQL {
				continue
			}
			t.Run(string(k)+"/"+level, func(t *testing.T) {
				s := testdb.Start(t, k, testdb.RowMetadata(level))
				name, db := testdb.NewDatabase(t, s)
				if err := c.Run(context.Background(), db); err != nil {
					t.Fatal(err)
				}
				known := knownShapes(t, db, name, k.Flavor())
				models := replay(t, s, name, known)
				for table, m := range models {
					compareTypes(t, known[table], m.shape)
					compareWithSelect(t, db, m)
				}
				if len(models) == 0 {
					t.Error("nothing was logged")
				}
			})
		}
	}
}

func TestBigUnsigned(t *testing.T)  { everyLevel(t, types.BigUnsigned()) }
func TestNegativeZero(t *testing.T) { everyLevel(t, types.NegativeZero()) }
func TestCompressedColumns(t *testing.T) {
	c := types.CompressedColumns()
	c.Statements = append(c.Statements,
		"CREATE TABLE compressed_latin1 (id INT PRIMARY KEY, a INT, t TEXT COMPRESSED CHARACTER SET latin1, n DECIMAL(10,2), u VARCHAR(20) COMPRESSED CHARACTER SET utf16)",
		"INSERT INTO compressed_latin1 VALUES (1, 7, REPEAT('ä', 500), 1.5, 'ä😀'), (2, 8, 'ä', -1.5, '')")
	everyLevel(t, c)
}

// TestUUID: each version, and bytes at the end that the log leaves out.
func TestUUID(t *testing.T) {
	var values []string
	for _, u := range []string{
		"00000000-0000-0000-0000-000000000000", "ffffffff-ffff-ffff-ffff-ffffffffffff",
		"6ba7b810-9dad-11d1-80b4-00c04fd430c8", "6ba7b810-9dad-21d1-80b4-00c04fd430c8", "6ba7b810-9dad-31d1-80b4-00c04fd430c8",
		"6ba7b810-9dad-41d1-80b4-00c04fd430c8", "6ba7b810-9dad-51d1-80b4-00c04fd430c8", "1ec9414c-232a-6b00-b3c8-9e6bdeced846",
		"017f22e2-79b0-7cc3-98c4-dc0c0c07398f", "6ba7b810-9dad-41d1-70b4-00c04fd430c8", "6ba7b810-9dad-01d1-80b4-00c04fd430c8",
		"6ba7b810-9dad-11d1-80b4-00c04fd43000", "6ba7b810-9dad-11d1-8000-000000000000",
	} {
		values = append(values, "('"+u+"')")
	}
	everyLevel(t, types.Case{Flavor: testdb.MariaDB, Statements: []string{
		"CREATE TABLE u (k UUID PRIMARY KEY, n INT)", "INSERT INTO u (k) VALUES " + strings.Join(values, ", "), "UPDATE u SET n = 1",
		"DELETE FROM u WHERE k = '6ba7b810-9dad-11d1-80b4-00c04fd43000'",
	}})
}

// TestInet: every pattern of groups of zeros, and every last one.
func TestInet(t *testing.T) {
	var values []string
	for mask := range 256 {
		groups := make([]string, 8)
		for i := range groups {
			groups[i] = "0"
			if mask&(1<<i) != 0 {
				groups[i] = fmt.Sprintf("%x", 1<<(2*i)+i)
			}
		}
		values = append(values, fmt.Sprintf("(%d, '%d.%d.0.%d', '%s')", mask, mask, 255-mask, mask%3, strings.Join(groups, ":")))
	}
	values = append(values, "(300, '0.0.0.0', '::ffff:1.2.3.4')", "(301, '1.0.0.0', '::ffff:0:0')", "(302, NULL, '::fffe:1.2.3.4')", "(303, NULL, NULL)", "(304, NULL, '::ffff:ffff:0:0')")
	everyLevel(t, types.Case{Flavor: testdb.MariaDB, Statements: []string{
		"CREATE TABLE i (id INT PRIMARY KEY, a INET4, b INET6)", "INSERT INTO i VALUES " + strings.Join(values, ", "),
	}})
}

// TestHiddenHash: MariaDB's unique keys over long values add columns to the log
// that no statement sees.
func TestHiddenHash(t *testing.T) {
	for _, level := range []string{"FULL", "MINIMAL", "NO_LOG"} {
		t.Run(level, func(t *testing.T) {
			s := testdb.Start(t, testdb.MariaDB1011, testdb.RowMetadata(level))
			name, db := testdb.NewDatabase(t, s)
			run(t, db, "CREATE TABLE h (id INT PRIMARY KEY, a VARCHAR(3000) UNIQUE, b BLOB, c TEXT, u BIGINT UNSIGNED, UNIQUE (b), UNIQUE (c, a), UNIQUE (u), UNIQUE (b(10)))",
				"INSERT INTO h VALUES (1, 'a', 'b', 'c', 1), (2, NULL, NULL, NULL, NULL)", "UPDATE h SET c = 'd' WHERE id = 1")
			known := knownShapes(t, db, name, testdb.MariaDB)
			known["h"].Uniques = []schema.Index{{Columns: []int{1}}, {Columns: []int{2}}, {Columns: []int{3, 1}}, {Columns: []int{4}}, {Columns: []int{2}, Prefix: []int{10}}}
			known["h"].PrimaryKey = []int{0}
			for _, m := range replay(t, s, name, known) {
				compareTypes(t, known["h"], m.shape)
				compareWithSelect(t, db, m)
			}
			// A column that known does not have is not taken for a hidden one.
			stale := known["h"].WithName(known["h"].Name)
			stale.Columns = stale.Columns[:4]
			stale.Uniques = stale.Uniques[:3]
			readLog(t, s, name, func(ev loggedEvent) {
				shape, err := shapeFromMap(ev.tm, stale, ev.srv)
				if level == "FULL" {
					if err != nil || len(shape.Columns) != 5 {
						t.Errorf("with full metadata: %v", err)
					}
				} else if rowferry.CodeOf(err) != rowferry.CodeShapeMismatch {
					t.Errorf("a shape without a column: %v", err)
				}
			})
		})
	}
}

// TestOldTemporal: MariaDB's formats from before 10.1, which need the declared
// precision.
func TestOldTemporal(t *testing.T) {
	s := testdb.Start(t, testdb.MariaDB1011, testdb.RowMetadata("FULL"), testdb.Private())
	name, db := testdb.NewDatabase(t, s)
	if err := types.OldTemporal(context.Background(), db); err != nil {
		t.Fatal(err)
	}
	run(t, db, "SET GLOBAL mysql56_temporal_format=OFF",
		"CREATE TABLE hires (id INT PRIMARY KEY, t1 TIME(1), t2 TIME(2), t3 TIME(3), t4 TIME(4), t5 TIME(5), t6 TIME(6), "+
			"d1 DATETIME(1), d2 DATETIME(2), d3 DATETIME(3), d4 DATETIME(4), d5 DATETIME(5), d6 DATETIME(6), "+
			"s1 TIMESTAMP(1) NULL, s2 TIMESTAMP(2) NULL, s3 TIMESTAMP(3) NULL, s4 TIMESTAMP(4) NULL, s5 TIMESTAMP(5) NULL, s6 TIMESTAMP(6) NULL)",
		"INSERT INTO hires VALUES (1"+strings.Repeat(",'-00:00:00.987654'", 6)+strings.Repeat(",'2024-02-29 23:59:58.987654'", 6)+strings.Repeat(",'2024-02-29 23:59:58.987654'", 6)+"),"+
			"(2"+strings.Repeat(",'838:59:59.9'", 6)+strings.Repeat(",'0000-00-00 00:00:00'", 6)+strings.Repeat(",'0000-00-00 00:00:00'", 6)+"),"+
			"(3"+strings.Repeat(",'-838:59:59.9'", 6)+strings.Repeat(",'9999-12-31 23:59:59.9'", 6)+strings.Repeat(",'2038-01-19 03:14:07.9'", 6)+")",
		"SET GLOBAL mysql56_temporal_format=ON")
	known := knownShapes(t, db, name, testdb.MariaDB)
	for _, m := range replay(t, s, name, known) {
		compareWithSelect(t, db, m)
	}
	readLog(t, s, name, func(ev loggedEvent) {
		if _, err := shapeFromMap(ev.tm, nil, ev.srv); rowferry.CodeOf(err) != rowferry.CodeTypeRefused {
			t.Errorf("%s without a known shape: %v", ev.tm.Table, err)
		}
	})
}

// TestRefused: what cannot be carried, or not be told, stops by name.
func TestRefused(t *testing.T) {
	for _, k := range kinds() {
		t.Run(string(k), func(t *testing.T) {
			s := testdb.Start(t, k, testdb.RowMetadata("FULL"))
			name, db := testdb.NewDatabase(t, s)
			run(t, db, types.Geometry().Statements...)
			if k.Flavor() == testdb.MySQL {
				run(t, db, types.Vector(testdb.MySQL).Statements...)
			} else {
				run(t, db, types.Versioned().Statements[0], types.Versioned().Statements[2])
				run(t, db, "CREATE TABLE b16 (id INT PRIMARY KEY, b BINARY(16))", "INSERT INTO b16 VALUES (1, 'x')",
					"CREATE TABLE b4 (id INT PRIMARY KEY, b BINARY(4))", "INSERT INTO b4 VALUES (1, 'x')")
			}
			seen := map[string]bool{}
			readLog(t, s, name, func(ev loggedEvent) {
				shape, err := shapeFromMap(ev.tm, nil, ev.srv)
				if err == nil {
					_, err = newRowDecoder(ev.tm, shape, ev.srv)
				}
				if rowferry.CodeOf(err) != rowferry.CodeTypeRefused {
					t.Errorf("%s: %v", ev.tm.Table, err)
				}
				seen[string(ev.tm.Table)] = true
			})
			want := 2
			if k.Flavor() == testdb.MariaDB {
				want = 4
			}
			if len(seen) != want {
				t.Errorf("logged: %v", seen)
			}
		})
	}
}

// TestPhysicalVersions: with named period columns a versioned table is decoded
// as it is stored, history included, under the key that the log gives it.
func TestPhysicalVersions(t *testing.T) {
	s := testdb.Start(t, testdb.MariaDB1011, testdb.RowMetadata("FULL"))
	name, db := testdb.NewDatabase(t, s)
	c := types.Versioned().Statements
	run(t, db, c[1], c[5], c[6], c[7])
	for _, m := range replay(t, s, name, nil) {
		if len(m.shape.PrimaryKey) != 2 || len(m.rows) != 4 {
			t.Errorf("key %v, rows %v", m.shape.PrimaryKey, m.rows)
		}
	}
}

// TestReordered: labels as of each write. Rows are told by their key alone,
// since reordering the labels of a SET changes how its rows are printed, in
// before images too.
func TestReordered(t *testing.T) {
	for _, k := range kinds() {
		s := testdb.Start(t, k, testdb.RowMetadata("FULL"))
		name, db := testdb.NewDatabase(t, s)
		run(t, db, types.Reordered().Statements...)
		m := &model{rows: map[string]int{}}
		byKey := map[rowferry.Value]rowferry.Row{}
		readLog(t, s, name, func(ev loggedEvent) {
			for _, c := range decodeAlone(t, ev) {
				m.shape = c.Table
				if c.Before != nil {
					delete(byKey, c.Before[0])
				}
				if c.After != nil {
					byKey[c.After[0]] = c.After
				}
			}
		})
		for _, r := range byKey {
			m.rows[rowKey(r)]++
		}
		compareWithSelect(t, db, m)
	}
}

// decodeAlone decodes an event with its table map's own shape.
func decodeAlone(t *testing.T, ev loggedEvent) []rowferry.Change {
	t.Helper()
	shape, err := shapeFromMap(ev.tm, nil, ev.srv)
	if err != nil {
		t.Fatal(err)
	}
	d, err := newRowDecoder(ev.tm, shape, ev.srv)
	if err != nil {
		t.Fatal(err)
	}
	changes, err := d.decode(nil, ev.hdr, ev.rows)
	if err != nil {
		t.Fatal(err)
	}
	return changes
}
