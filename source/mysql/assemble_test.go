package mysql

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/rowferry/rowferry"
	"github.com/rowferry/rowferry/internal/testdb"
	"github.com/rowferry/rowferry/schema"
	"github.com/rowferry/rowferry/source/sourcetest"
)

// keysOf lists the first values of what is inserted into a table, in
// transactions that were not rolled back.
func keysOf(txs []*rowferry.Tx, table string) []string {
	var keys []string
	for _, tx := range sourcetest.Join(txs, nil) {
		for _, c := range tx.Changes {
			if c.Op == rowferry.Insert && c.Table.Name.Table == table {
				keys = append(keys, c.After[0].String())
			}
		}
	}
	return keys
}

// Whatever the size of chunks, a rollback to a savepoint undoes what it undid
// at the source, and a logged ROLLBACK everything (M13).
func TestRollbacks(t *testing.T) {
	for _, name := range []string{"mariadb", "mariadb compressed"} {
		log := recorded(t, name)
		want := []string{"1", "2", "10", "11", "20", "30", "33", "50", "60"}
		whole := ""
		drops, discards := 0, 0
		for _, size := range []int{0, 1, 500, 2000} {
			got := log.read(Options{Scope: notOther, ChunkBytes: size})
			must(t, got.err)
			if keys := keysOf(got.txs, "p"); !slices.Equal(keys, want) {
				t.Errorf("%s in chunks of %d: keys %v, want %v", name, size, keys, want)
			}
			if whole == "" {
				whole = text(got.txs)
			}
			if text(got.txs) != whole {
				t.Errorf("%s in chunks of %d: other transactions than in one piece", name, size)
			}
			for _, tx := range got.txs {
				if tx.DropFrom != nil {
					drops++
				}
				if tx.Discard {
					discards++
				}
			}
		}
		if drops == 0 || discards != 4 {
			t.Errorf("%s: %d drops and %d discards: the test does not test", name, drops, discards)
		}
	}
}

// A transaction's lineage is the same whether its log is compressed or not.
func TestLineageWithoutCompression(t *testing.T) {
	hash := func(txs []*rowferry.Tx, named bool) []string {
		var all []string
		for _, tx := range txs {
			id, h, _ := strings.Cut(tx.Lineage, " ")
			if named {
				h = id + " " + h
			}
			all = append(all, h)
		}
		return all
	}
	for _, pair := range [][2]string{{"mysql", "mysql compressed"}, {"mariadb", "mariadb compressed"}} {
		a, b := recorded(t, pair[0]).read(Options{Scope: notOther}), recorded(t, pair[1]).read(Options{Scope: notOther})
		must(t, a.err)
		must(t, b.err)
		named := pair[0] == "mariadb" // where servers do not have names of their own
		x, y := hash(a.txs, named), hash(b.txs, named)
		if !slices.Equal(x, y) || len(x) == 0 {
			t.Errorf("%s:\n%q\n%q", pair[0], x, y)
		}
		scoped := recorded(t, pair[0]).read(Options{Scope: func(schema.Name) bool { return false }})
		if z := hash(scoped.txs, named); !slices.Equal(x, z) {
			t.Errorf("%s: the lineage depends on what is in scope", pair[0])
		}
	}
}

const shapeScript = `
CREATE DATABASE d CHARACTER SET latin1;
USE d;
CREATE TABLE t (id INT UNSIGNED PRIMARY KEY, name VARCHAR(10), u INT, UNIQUE (u));
INSERT INTO t VALUES (1,'é',1);
FLUSH BINARY LOGS;
INSERT INTO t VALUES (2,'ü',2)`

// Where a shape comes from when the log does not tell it.
func TestShapeSources(t *testing.T) {
	for _, k := range []testdb.Kind{testdb.MySQL97, testdb.MariaDB1011} {
		t.Run(string(k), func(t *testing.T) {
			t.Parallel()
			minimal := record(t, k, shapeScript, testdb.RowMetadata("MINIMAL"))
			full := record(t, k, shapeScript, testdb.RowMetadata("FULL"))
			name := schema.Name{Schema: "d", Table: "t"}
			hint := &schema.Table{Name: name, PrimaryKey: []int{0}, ConstraintsKnown: true, Uniques: []schema.Index{{Columns: []int{2}}}}
			integer, words := schema.Type{Kind: schema.Int, Bits: 64}, schema.Type{Kind: schema.Text}
			hint.Columns = []schema.Column{{Name: "id", Type: integer}, {Name: "name", Type: words}, {Name: "u", Type: integer}}
			swapped := hint.WithName(name)
			swapped.Columns = []schema.Column{{Name: "name", Type: words}, {Name: "id", Type: integer}, {Name: "u", Type: integer}}
			dump := filepath.Join(t.TempDir(), "dump.sql")
			must(t, os.WriteFile(dump, []byte("CREATE TABLE `t` (`id` int unsigned NOT NULL, `name` varchar(10) DEFAULT NULL, `u` int DEFAULT NULL, PRIMARY KEY (`id`), UNIQUE KEY `u` (`u`)) DEFAULT CHARSET=latin1;\n"), 0o600))
			whole := minimal.read(Options{})
			must(t, whole.err)
			first := whole.txs[2].Position
			for what, c := range map[string]struct {
				log     logFiles
				opt     Options
				start   rowferry.Start
				code    rowferry.Code
				uniques bool
				notice  string
			}{
				"its own statements":           {log: minimal, uniques: true},
				"statements before the start":  {log: minimal, opt: Options{From: minimal[1].name + ":4"}, uniques: true},
				"statements before a position": {log: minimal, start: rowferry.Start{Position: first}, uniques: true},
				"nothing":                      {log: minimal[1:], code: rowferry.CodeShapeUnknown},
				"a dump":                       {log: minimal[1:], opt: Options{Dump: dump, DefaultDB: "d"}, uniques: true},
				"a hint":                       {log: minimal[1:], start: rowferry.Start{Hint: hinting(hint)}, uniques: true, notice: "d.t"},
				"a hint in another order":      {log: minimal[1:], start: rowferry.Start{Hint: hinting(swapped)}, code: rowferry.CodeShapeUnknown},
				"metadata":                     {log: full[1:], notice: "d.t"},
				"metadata and a hint":          {log: full[1:], start: rowferry.Start{Hint: hinting(hint)}, uniques: true, notice: "d.t"},
				"metadata and a dump":          {log: full[1:], opt: Options{Dump: dump, DefaultDB: "d"}, uniques: true},
			} {
				got := readFrom(c.log.source(c.opt), c.start)
				if rowferry.CodeOf(got.err) != c.code || c.code == "" && got.err != nil {
					t.Errorf("%s: %v, want %q", what, got.err, c.code)
					continue
				}
				if c.code != "" {
					continue
				}
				last := got.txs[len(got.txs)-1].Changes
				row := last[len(last)-1]
				if fmt.Sprintf("%q", row.After) != `["2" "ü" "2"]` {
					t.Errorf("%s: the row is %q", what, row.After)
				}
				x := row.Table
				if x.Name != name || !slices.Equal(columnNames(x), []string{"id", "name", "u"}) || !slices.Equal(x.PrimaryKey, []int{0}) ||
					!x.Columns[0].Type.Unsigned || x.Columns[1].Type.Charset != "latin1" || (len(x.Uniques) == 1) != c.uniques || x.ConstraintsKnown != c.uniques {
					t.Errorf("%s: the shape is %+v", what, x)
				}
				if notices := strings.Join(got.notices, "\n"); (c.notice == "") != (notices == "") || !strings.Contains(notices, c.notice) {
					t.Errorf("%s: notices %q", what, notices)
				}
			}
		})
	}
}

func columnNames(x *schema.Table) []string { return x.ColumnNames([]int{0, 1, 2}) }

// A transaction many times larger than memory, compressed to almost nothing,
// goes through in chunks.
func TestLargeCompressedTransaction(t *testing.T) {
	const rows, width = 60_000, 1000
	for _, k := range []testdb.Kind{testdb.MySQL97, testdb.MariaDB1011} {
		t.Run(string(k), func(t *testing.T) {
			t.Parallel()
			sql := fmt.Sprintf("CREATE DATABASE d;\nCREATE TABLE d.t (id INT PRIMARY KEY, v TEXT);\n"+
				"INSERT INTO d.t SELECT /*+ SET_VAR(cte_max_recursion_depth=1000000) */ n, REPEAT(CHAR(65+n%%26), %d) FROM "+
				"(WITH RECURSIVE s (n) AS (SELECT 1 UNION ALL SELECT n+1 FROM s WHERE n<%d) SELECT n FROM s) x", width, rows)
			opts := []testdb.Option{testdb.Compressed()}
			if k.Flavor() == testdb.MariaDB {
				opts = append(opts, testdb.Arg("max_recursive_iterations=1000000"))
			}
			log := record(t, k, sql, opts...)
			if size := len(log[0].data); size > rows*width/4 {
				t.Fatalf("the log has %d bytes: it is not compressed", size)
			}
			r, err := log.source(Options{ChunkBytes: 1 << 20}).Open(t.Context(), rowferry.Start{})
			must(t, err)
			defer r.Close()
			var m runtime.MemStats
			runtime.GC()
			runtime.ReadMemStats(&m)
			before, peak, count := m.HeapAlloc, uint64(0), 0
			for {
				tx, err := r.Next(t.Context())
				if err != nil {
					break
				}
				count += len(tx.Changes)
				runtime.GC()
				runtime.ReadMemStats(&m)
				peak = max(peak, m.HeapAlloc)
			}
			if count != rows+1 { // and the shape
				t.Errorf("%d changes, want %d", count, rows+1)
			}
			if held := int64(peak) - int64(before); held > 24<<20 {
				t.Errorf("%d MiB were held for a transaction of %d MiB", held>>20, rows*width>>20)
			}
		})
	}
}
