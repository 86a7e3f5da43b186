package mysql

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/rowferry/rowferry"
	"github.com/rowferry/rowferry/internal/testdb"
	"github.com/rowferry/rowferry/schema"
)

// opsOf lists what changed which table, in the order of the log: "drop d.t".
// Rows are told by their first value, shapes by their foreign keys.
func opsOf(txs []*rowferry.Tx) []string {
	var all []string
	for _, tx := range txs {
		for _, c := range tx.Changes {
			s := c.Op.String() + " " + c.Table.Name.Table
			if c.After != nil {
				s += " " + c.After[0].String()
			}
			if len(c.Table.ForeignKeys) > 0 && c.Op == rowferry.Shape {
				s += " to " + c.Table.ForeignKeys[0].Parent.Table
			}
			all = append(all, s)
		}
	}
	return all
}

const familyScript = `
CREATE DATABASE d;
USE d;
CREATE TABLE p (id INT PRIMARY KEY, v VARCHAR(10), UNIQUE (v));
CREATE TABLE c (id INT PRIMARY KEY, pid INT, FOREIGN KEY (pid) REFERENCES p (id) ON DELETE CASCADE);
CREATE TABLE quiet (id INT PRIMARY KEY);
FLUSH BINARY LOGS;
INSERT INTO p VALUES (1,'one');
INSERT INTO c VALUES (1,1)`

// A reader that is opened at a position without shapes tells all that it knows
// in its first transaction: whether nothing was committed before a kill, the
// first batch was refused, the target was lost (all of which open at the
// pipeline's start), a checkpoint was set by hand, or the state directory was.
func TestToldWithoutTables(t *testing.T) {
	for _, k := range []testdb.Kind{testdb.MySQL97, testdb.MariaDB1011} {
		t.Run(string(k), func(t *testing.T) {
			t.Parallel()
			log := record(t, k, familyScript, testdb.RowMetadata("MINIMAL"))
			at := log[1].name + ":4"
			from := log.read(Options{From: at})
			must(t, from.err)
			want := []string{"shape c to p", "shape p", "shape quiet", "insert p 1", "insert c 1"}
			earliest := log.read(Options{}).begin
			for what, got := range map[string]result{
				"fresh":             from,
				"its start again":   readFrom(log.source(Options{From: at}), rowferry.Start{Position: from.begin}),
				"as file and place": readFrom(log.source(Options{}), rowferry.Start{Position: rowferry.Position(at)}),
				"rebuilt":           readFrom(log.source(Options{}), rowferry.Start{Position: from.begin, ShapesFrom: earliest}),
			} {
				if ops := opsOf(got.txs); got.err != nil || !slices.Equal(ops, want) {
					t.Errorf("%s: %q, %v; want %q", what, ops, got.err, want)
				}
			}
			resumed := readFrom(log.source(Options{}), rowferry.Start{Position: from.begin, Tables: shapesOf(from.txs)})
			if ops := opsOf(resumed.txs); resumed.err != nil || !slices.Equal(ops, want[3:]) {
				t.Errorf("with the shapes: %q, %v", ops, resumed.err)
			}
		})
	}
}

func shapesOf(txs []*rowferry.Tx) []*schema.Table {
	var all []*schema.Table
	for _, tx := range txs {
		for _, c := range tx.Changes {
			if c.Op == rowferry.Shape {
				all = append(all, c.Table)
			}
		}
	}
	return all
}

// unmade returns a log that does not say how its tables were made: of the
// script only what follows the first FLUSH is in it.
func unmade(l logFiles) logFiles { return l[1:] }

const goneScript = `
CREATE DATABASE d;
USE d;
CREATE TABLE t (id INT PRIMARY KEY, v VARCHAR(10));
CREATE TABLE e (id INT PRIMARY KEY, v VARCHAR(10));
CREATE TABLE r (id INT PRIMARY KEY, v VARCHAR(10));
FLUSH BINARY LOGS;
INSERT INTO t VALUES (1,'one');
INSERT INTO e VALUES (1,'one');
INSERT INTO r VALUES (1,'one');
FLUSH BINARY LOGS;
DROP TABLE IF EXISTS never;
TRUNCATE t;
DROP TABLE e;
CREATE TABLE e (id INT PRIMARY KEY, w INT);
?ACREATE OR REPLACE TABLE r (id INT PRIMARY KEY, w INT);
?MDROP TABLE r;
?MCREATE TABLE r (id INT PRIMARY KEY, w INT);
INSERT INTO r VALUES (2,2)`

// What goes before its shape was told again, goes: after a rebuild the rows
// before it tell the shape, else the table in the target does, else it stops.
func TestGoneBeforeRows(t *testing.T) {
	hint := func(table string) *schema.Table {
		return &schema.Table{Name: schema.Name{Schema: "d", Table: table}, PrimaryKey: []int{0}, Columns: []schema.Column{
			{Name: "id", Type: schema.Type{Kind: schema.Int, Bits: 64}}, {Name: "v", Type: schema.Type{Kind: schema.Text}},
		}}
	}
	hints := []*schema.Table{hint("t"), hint("e"), hint("r")}
	gone := []string{"truncate t", "drop e", "shape e", "drop r", "shape r", "insert r 2"}
	told := append([]string{"shape e", "shape r", "shape t"}, gone...)
	dump := filepath.Join(t.TempDir(), "dump.sql")
	must(t, os.WriteFile(dump, []byte("CREATE TABLE t (id INT PRIMARY KEY, v VARCHAR(10)) CHARSET utf8mb4;\nCREATE TABLE e LIKE t;\nCREATE TABLE r LIKE t;\n"), 0o600))
	for _, k := range []testdb.Kind{testdb.MySQL97, testdb.MariaDB1011} {
		for _, c := range []struct {
			metadata   string
			compressed bool
			dump       string
			hints      []*schema.Table
			alone      bool // the file with the rows is not there
			want       []string
			code       rowferry.Code
		}{
			{metadata: "FULL", want: told},
			{metadata: "FULL", compressed: true, want: told},
			{metadata: "MINIMAL", hints: hints, want: told},
			{metadata: "MINIMAL", dump: dump, want: told},
			{metadata: "MINIMAL", code: rowferry.CodeShapeUnknown},
			{metadata: "FULL", alone: true, hints: hints, want: gone},
			{metadata: "FULL", alone: true, want: []string{"shape e", "shape r", "insert r 2"}},
		} {
			name := strings.Join([]string{string(k), c.metadata, filepath.Base(c.dump)}, " ")
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				opts := []testdb.Option{testdb.RowMetadata(c.metadata)}
				if c.compressed {
					opts = append(opts, testdb.Compressed())
				}
				log := unmade(record(t, k, script(k, goneScript), opts...))
				opt := Options{Dump: c.dump, DefaultDB: "d", From: log[1].name + ":4"}
				if c.alone {
					log = log[1:]
				}
				got := readFrom(log.source(opt), rowferry.Start{Hint: hinting(c.hints...)})
				if ops := opsOf(got.txs); rowferry.CodeOf(got.err) != c.code || c.code == "" && (got.err != nil || !slices.Equal(ops, c.want)) {
					t.Errorf("%q, %v;\nwant %q, %q", ops, got.err, c.want, c.code)
				}
				for _, x := range shapesOf(got.txs) {
					if i := x.Column("v"); i >= 0 && x.Columns[i].Type.Kind != schema.VarChar {
						t.Errorf("%s was told with the target's types: %v", x.Name, x.Columns[i].Type)
					}
				}
			})
		}
	}
}

// A database that is dropped takes tables with it that only the target has:
// they go when they are made anew.
func TestDatabaseGone(t *testing.T) {
	const sql = "CREATE DATABASE d;\nFLUSH BINARY LOGS;\nDROP DATABASE d;\nCREATE DATABASE d;\nCREATE TABLE d.t (id INT PRIMARY KEY);\nCREATE TABLE d.n (id INT PRIMARY KEY)"
	hint := &schema.Table{Name: schema.Name{Schema: "d", Table: "t"}, Columns: []schema.Column{{Name: "id", Type: schema.Type{Kind: schema.Int, Bits: 64}}}}
	log := unmade(record(t, testdb.MariaDB1011, sql))
	got := readFrom(log.source(Options{}), rowferry.Start{Hint: hinting(hint)})
	if ops := opsOf(got.txs); got.err != nil || !slices.Equal(ops, []string{"drop t", "shape t", "shape n"}) {
		t.Errorf("%q, %v", ops, got.err)
	}
}

// A table that is made while its database's default character set is not in
// the log gets it from its rows, and that is no change of its shape.
func TestCharsetFromRows(t *testing.T) {
	const sql = "CREATE DATABASE d CHARACTER SET latin1;\nFLUSH BINARY LOGS;\nCREATE TABLE d.t (id INT PRIMARY KEY, v VARCHAR(10), UNIQUE (v));\nINSERT INTO d.t VALUES (1,'é')"
	for _, k := range []testdb.Kind{testdb.MySQL97, testdb.MariaDB1011} {
		for _, metadata := range []string{"FULL", "MINIMAL"} {
			log := unmade(record(t, k, sql, testdb.RowMetadata(metadata)))
			got := log.read(Options{})
			must(t, got.err)
			shapes := shapesOf(got.txs)
			if len(shapes) != 2 || shapes[0].Columns[1].Type.Charset != "" || shapes[1].Columns[1].Type.Charset != "latin1" || !shapes[1].ConstraintsKnown {
				t.Fatalf("%s %s: shapes %+v", k, metadata, shapes)
			}
			if d := schema.Diff(shapes[0], shapes[1]); len(d) > 0 {
				t.Errorf("%s %s: %q", k, metadata, d)
			}
			// What is recorded is the second one; the first one heals.
			for i, x := range shapes {
				again := readFrom(log.source(Options{}), rowferry.Start{Position: got.txs[0].Position, Tables: []*schema.Table{x}})
				if ops := opsOf(again.txs); again.err != nil || !slices.Equal(ops, [][]string{{"shape t", "insert t 1"}, {"insert t 1"}}[i]) {
					t.Errorf("%s %s, with shape %d recorded: %q, %v", k, metadata, i, ops, again.err)
				}
			}
			last := got.txs[1].Changes
			if v := last[len(last)-1].After[1].Str(); v != "é" {
				t.Errorf("%s %s: %q", k, metadata, v)
			}
		}
	}
	log := unmade(record(t, testdb.MariaDB1011, sql, testdb.RowMetadata("NO_LOG")))
	if got := log.read(Options{}); rowferry.CodeOf(got.err) != rowferry.CodeShapeUnknown {
		t.Errorf("without metadata: %v", got.err)
	}
}

// hinting returns what looks up the given target tables by source name.
func hinting(tables ...*schema.Table) func(schema.Name) *schema.Table {
	return func(n schema.Name) *schema.Table {
		for _, t := range tables {
			if t.Name == n {
				return t
			}
		}
		return nil
	}
}
