package mysql_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/rowferry/rowferry"
	"github.com/rowferry/rowferry/internal/testdb"
	"github.com/rowferry/rowferry/schema"
	"github.com/rowferry/rowferry/sink/mysql"
)

var (
	integer = schema.Type{Kind: schema.Int, Bits: 32}
	text    = schema.Type{Kind: schema.VarChar, Length: 20, Charset: "utf8mb4", Collation: "utf8mb4_general_ci"}
	stamp   = schema.Type{Kind: schema.Timestamp}
)

func col(name string, t schema.Type) schema.Column {
	return schema.Column{Name: name, Type: t, Nullable: name != "id"}
}

func keyed(name string, columns ...schema.Column) *schema.Table {
	return &schema.Table{Name: schema.Name{Table: name}, Columns: columns, PrimaryKey: []int{0}, ConstraintsKnown: true}
}

func child(name, parent string, onDelete schema.Action) *schema.Table {
	t := keyed(name, col("id", integer), col("p", integer))
	t.ForeignKeys = []schema.ForeignKey{{Columns: []int{1}, Parent: schema.Name{Table: parent}, Referenced: []string{"id"}, OnDelete: onDelete}}
	return t
}

func i(n int64) rowferry.Value  { return rowferry.IntValue(n) }
func s(x string) rowferry.Value { return rowferry.TextValue(x) }

var (
	null = rowferry.NullValue()
	gone = rowferry.Value{}
)

// wants an error of the code whose text has all the words, and that names a
// mutation.
func wants(t *testing.T, err error, code rowferry.Code, words ...string) {
	t.Helper()
	var e *rowferry.Error
	if !errors.As(err, &e) || e.Code != code {
		t.Fatalf("got %v, want %s", err, code)
	}
	for _, w := range words {
		if !strings.Contains(err.Error(), w) {
			t.Errorf("%v does not say %q", err, w)
		}
	}
	if e.Mutation == nil {
		t.Errorf("%v names no mutation", err)
	}
}

// TestExistingTables: what of an existing table is refused, and how it is said.
func TestExistingTables(t *testing.T) {
	all := keyed("t", col("id", integer), col("n", schema.Type{Kind: schema.Decimal, Precision: 10, Scale: 2}), col("s", text),
		col("e", schema.Type{Kind: schema.Enum, Charset: "utf8mb4", Collation: "utf8mb4_general_ci", Labels: []string{"a", "b"}}),
		col("f", schema.Type{Kind: schema.Float32}), col("d", schema.Type{Kind: schema.DateTime, Fsp: 3}), col("b", schema.Type{Kind: schema.Binary, Length: 4}))
	const good = "id INT PRIMARY KEY, n DECIMAL(12,3), s TEXT CHARACTER SET utf8mb4, e ENUM('b','a','c') CHARACTER SET utf8mb4, f DOUBLE, d DATETIME(6), b VARBINARY(9)"
	swap := func(from, to string) string { return strings.Replace(good, from, to, 1) }
	cases := []struct {
		name, definition string
		words            []string // none: accepted
	}{
		{"wider", good, nil},
		{"with columns of its own", good + ", own INT, filled INT NOT NULL DEFAULT 1, g INT AS (id) VIRTUAL", nil},
		{"everything wrong", "id INT PRIMARY KEY, n DECIMAL(10,1), s VARCHAR(19) CHARACTER SET utf8mb4, e ENUM('a') CHARACTER SET utf8mb4, f FLOAT(7,3), d DATETIME, b BINARY(5), own INT NOT NULL",
			[]string{"column n", "column s", "column e", "column f", "column d", "column b", "column own"}},
		{"missing", swap("n DECIMAL(12,3), ", ""), []string{"column n: is missing"}},
		{"another character set", swap("s TEXT CHARACTER SET utf8mb4", "s TEXT CHARACTER SET latin1"), []string{"column s", "latin1"}},
		{"not null", swap("DOUBLE", "DOUBLE NOT NULL"), []string{"column f: may be NULL"}},
		{"unsigned", swap("id INT", "id INT UNSIGNED"), []string{"column id"}},
		{"generated", swap("n DECIMAL(12,3)", "n DECIMAL(12,3) AS (1) VIRTUAL"), []string{"column n: is generated in the target"}},
		{"no key", swap(" PRIMARY KEY", ""), []string{"primary key"}},
		{"a key of its own", swap("id INT PRIMARY KEY", "id INT UNIQUE NOT NULL, own INT AUTO_INCREMENT PRIMARY KEY"), nil},
		{"another key", swap("id INT PRIMARY KEY", "id INT UNIQUE NOT NULL, own INT DEFAULT 1 PRIMARY KEY"), []string{"primary key: (own)"}},
		{"another engine", good + "; MyISAM", []string{"engine: MyISAM"}},
	}
	onEach(t, func(t *testing.T, server *testdb.Server) {
		for _, c := range cases {
			t.Run(c.name, func(t *testing.T) {
				name, db := testdb.NewDatabase(t, server)
				definition, engine, other := strings.Cut(c.definition, "; ")
				if !other {
					engine = "InnoDB"
				}
				mustExec(t, db, "CREATE TABLE t ("+definition+") ENGINE="+engine)
				sink := open(t, server, name, nil)
				defer sink.Close()
				err := begin(t, sink).try(shaped(all))
				if len(c.words) == 0 {
					if err != nil {
						t.Fatal(err)
					}
					return
				}
				wants(t, err, rowferry.CodeTableDiffers, c.words...)
			})
		}
	})
}

func mustExec(t *testing.T, db execer, statements ...string) {
	t.Helper()
	for _, q := range statements {
		if _, err := db.Exec(q); err != nil {
			t.Fatalf("%s: %v", q, err)
		}
	}
}

// TestOwnWays: what a target table would do by itself is refused or prevented.
func TestOwnWays(t *testing.T) {
	onEach(t, func(t *testing.T, server *testdb.Server) {
		name, db := testdb.NewDatabase(t, server)
		mustExec(t, db, "CREATE TABLE t (id INT PRIMARY KEY, at TIMESTAMP NULL DEFAULT CURRENT_TIMESTAMP ON UPDATE CURRENT_TIMESTAMP, s VARCHAR(20) CHARACTER SET utf8mb4)",
			"CREATE TABLE trig (id INT PRIMARY KEY)", "CREATE TRIGGER watch AFTER INSERT ON trig FOR EACH ROW SET @x = 1",
			"CREATE TABLE parent (id INT PRIMARY KEY)", "CREATE TABLE acts (id INT PRIMARY KEY, p INT, FOREIGN KEY (p) REFERENCES parent (id) ON DELETE CASCADE)",
			"CREATE VIEW v AS SELECT * FROM t", "CREATE TABLE plain (id INT PRIMARY KEY, p INT)")
		sink := open(t, server, name, nil)
		defer sink.Close()
		p := begin(t, sink)

		stamped := keyed("t", col("id", integer), col("at", stamp), col("s", text))
		old := rowferry.Row{i(1), s("2001-02-03 04:05:06"), s("a")}
		p.must(shaped(stamped), inserted(stamped, old...),
			updated(stamped, old, rowferry.Row{i(1), s("2001-02-03 04:05:06"), s("b")}),
			updated(stamped, rowferry.Row{i(1), gone, gone}, rowferry.Row{gone, gone, s("c")}))
		if got := one(t, db, "SELECT CONCAT(at, s) FROM t"); got != "2001-02-03 04:05:06c" {
			t.Errorf("the row is %q: its time changed by itself", got)
		}

		wants(t, p.try(shaped(keyed("trig", col("id", integer)))), rowferry.CodeTriggers, "watch")
		wants(t, p.try(shaped(keyed("v", col("id", integer)))), rowferry.CodeTableDiffers, "view")
		wants(t, p.try(shaped(child("acts", "parent", schema.NoAction))), rowferry.CodeCascades, "on delete cascade")
		wants(t, p.try(shaped(child("plain", "parent", schema.SetNull))), rowferry.CodeCascades, "on delete set null")
		p.must(shaped(child("plain", "parent", schema.NoAction)))
		if n := one(t, db, "SELECT COUNT(*) FROM information_schema.REFERENTIAL_CONSTRAINTS WHERE CONSTRAINT_SCHEMA = DATABASE() AND TABLE_NAME = 'plain'"); n != "0" {
			t.Error("a table that Rowferry did not make got a foreign key")
		}

		firing := open(t, server, name, func(o *mysql.Options) { o.Triggers = "fire" })
		defer firing.Close()
		if err := firing.Prepare(t.Context(), []rowferry.Mutation{shaped(keyed("trig", col("id", integer)))}); err != nil {
			t.Error(err)
		}
	})
}

// TestGeneratedInTarget: a column that the target computes is never written,
// and still finds its row.
func TestGeneratedInTarget(t *testing.T) {
	onEach(t, func(t *testing.T, server *testdb.Server) {
		name, db := testdb.NewDatabase(t, server)
		mustExec(t, db, "CREATE TABLE t (a INT, k INT AS (a * 10) STORED, UNIQUE KEY (k))")
		sink := open(t, server, name, nil)
		defer sink.Close()
		table := &schema.Table{Name: schema.Name{Table: "t"}, ConstraintsKnown: true, Uniques: []schema.Index{{Name: "k", Columns: []int{1}}},
			Columns: []schema.Column{col("a", integer), {Name: "k", Type: integer, Generated: schema.Stored}}}
		begin(t, sink).must(shaped(table), inserted(table, i(1), i(10)), inserted(table, i(2), i(20)),
			updated(table, rowferry.Row{i(1), i(10)}, rowferry.Row{i(3), i(30)}), deleted(table, i(2), i(20)))
		if got := one(t, db, "SELECT GROUP_CONCAT(k) FROM t"); got != "30" {
			t.Errorf("keys %s, want 30", got)
		}
	})
}

// TestForeignKeysCome: a key waits for its parent, across a restart, and is
// left out or refused where it cannot be had.
func TestForeignKeysCome(t *testing.T) {
	onEach(t, func(t *testing.T, server *testdb.Server) {
		name, db := testdb.NewDatabase(t, server)
		keys := func(table string) string {
			return one(t, db, "SELECT COUNT(*) FROM information_schema.REFERENTIAL_CONSTRAINTS WHERE CONSTRAINT_SCHEMA = DATABASE() AND TABLE_NAME = '"+table+"'")
		}
		c, parent := child("c", "parent", schema.Cascade), keyed("parent", col("id", integer))
		first := open(t, server, name, nil)
		p := begin(t, first)
		p.must(shaped(c))
		if keys("c") != "0" {
			t.Fatal("a key without a parent was made")
		}
		if err := first.Close(); err != nil {
			t.Fatal(err)
		}
		var notices []string
		p.sink = open(t, server, name, func(o *mysql.Options) {
			o.Notice = func(n string) { notices = append(notices, n) }
			o.InScope = func(n schema.Name) bool { return n.Table != "elsewhere" }
		})
		defer p.sink.Close()
		p.must(shaped(c), shaped(parent))
		if keys("c") != "1" {
			t.Error("the parent came, and the key did not")
		}
		p.must(shaped(c), inserted(parent, i(1)), inserted(c, i(1), i(1)), deleted(parent, i(1)))
		if n := one(t, db, "SELECT COUNT(*) FROM c"); n != "0" {
			t.Error("the key does not act")
		}

		// Rows came before the parent's table, as in a dump.
		early := child("early", "late", schema.NoAction)
		p.must(shaped(early), inserted(early, i(1), i(5)))
		late := keyed("late", col("id", integer))
		p.must(shaped(late))
		if keys("early") != "0" || len(notices) != 1 || !strings.Contains(notices[0], "without the foreign key (p) to "+name+".late (id)") {
			t.Errorf("keys %s, notices %q", keys("early"), notices)
		}
		p.must(inserted(late, i(5)))
		p.must(shaped(late))
		if keys("early") != "1" {
			t.Error("the key did not come with the rows")
		}
		wants(t, p.try(shaped(child("x", "elsewhere", schema.Cascade))), rowferry.CodeCascades, "not part of the pipeline")
		p.must(shaped(child("y", "elsewhere", schema.NoAction)))
		if !slices.ContainsFunc(notices, func(n string) bool { return strings.Contains(n, "elsewhere is not part of the pipeline") }) {
			t.Errorf("notices %q", notices)
		}
	})
}

// TestSeveralRows: an insert of several rows that is refused names the row, and
// what was before it can be kept.
func TestSeveralRows(t *testing.T) {
	onEach(t, func(t *testing.T, server *testdb.Server) {
		name, db := testdb.NewDatabase(t, server)
		var traced []string
		sink := open(t, server, name, func(o *mysql.Options) { o.Trace = func(sql string, _ []string) { traced = append(traced, sql) } })
		defer sink.Close()
		table := keyed("t", col("id", integer), col("s", text))
		p := begin(t, sink)
		p.must(shaped(table), inserted(table, i(50), s("foreign")))
		var ms []rowferry.Mutation
		for n := range 100 {
			m := inserted(table, i(int64(n)), s("mine"))
			m.Index = n
			ms = append(ms, m)
		}
		err := p.try(ms...)
		wants(t, err, rowferry.CodeForeignRow, "PRIMARY", "id=50")
		var e *rowferry.Error
		if errors.As(err, &e); e.Mutation.Index != 50 {
			t.Errorf("mutation %d is blamed, want 50", e.Mutation.Index)
		}
		traced = nil
		p.must(ms[:50]...)
		if !slices.ContainsFunc(traced, func(q string) bool { return strings.Count(q, "(?, ?)") == 16 }) {
			t.Errorf("no statement inserts several rows: %q", traced)
		}
		if got := one(t, db, "SELECT CONCAT(COUNT(*), MAX(s = 'foreign')) FROM t"); got != "511" {
			t.Errorf("count and foreign row: %s", got)
		}
		long := inserted(table, i(1000), s(strings.Repeat("x", 21)))
		wants(t, p.try(inserted(table, i(1001), null), long), rowferry.CodeOutOfRange, "id=1000")
	})
}

// TestInvalidLabel: the ENUM that is none arrives, and nothing else passes with
// it.
func TestInvalidLabel(t *testing.T) {
	onEach(t, func(t *testing.T, server *testdb.Server) {
		name, db := testdb.NewDatabase(t, server)
		sink := open(t, server, name, nil)
		defer sink.Close()
		table := keyed("t", col("id", integer), col("e", schema.Type{Kind: schema.Enum, Charset: "utf8mb4", Collation: "utf8mb4_general_ci", Labels: []string{"a"}}), col("s", text))
		p := begin(t, sink)
		p.must(shaped(table), inserted(table, i(1), s(""), s("x")), inserted(table, i(2), s("a"), null),
			updated(table, rowferry.Row{i(2), s("a"), null}, rowferry.Row{i(2), s(""), null}))
		if got := one(t, db, "SELECT GROUP_CONCAT(e + 0) FROM t"); got != "0,0" {
			t.Errorf("labels %s, want 0,0", got)
		}
		wants(t, p.try(inserted(table, i(3), s(""), s(strings.Repeat("x", 21)))), rowferry.CodeRowRefused, "column 's'")
		wants(t, p.try(inserted(table, i(3), s("b"), s("x"))), rowferry.CodeRowRefused, "column 'e'")
		if n := one(t, db, "SELECT COUNT(*) FROM t"); n != "2" {
			t.Errorf("%s rows, want 2", n)
		}
	})
}
