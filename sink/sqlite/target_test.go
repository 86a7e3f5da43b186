package sqlite

import (
	"context"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	driver "zombiezen.com/go/sqlite"

	"github.com/rowferry/rowferry"
	dialect "github.com/rowferry/rowferry/internal/dialect/sqlite"
	"github.com/rowferry/rowferry/schema"
)

func col(name string, t schema.Type, nullable bool) schema.Column {
	return schema.Column{Name: name, Type: t, Nullable: nullable}
}

func keyed(name string, columns ...schema.Column) *schema.Table {
	return &schema.Table{Name: schema.Name{Table: name}, PrimaryKey: []int{0}, Columns: columns, ConstraintsKnown: true}
}

func shaped(t *schema.Table) rowferry.Mutation {
	return rowferry.Mutation{Op: rowferry.Shape, Table: t}
}

func inserted(t *schema.Table, v ...rowferry.Value) rowferry.Mutation {
	return rowferry.Mutation{Op: rowferry.Insert, Table: t, After: v}
}

func sql(t *testing.T, sink *Sink, statements ...string) {
	t.Helper()
	for _, q := range statements {
		if err := dialect.Exec(sink.conn, q); err != nil {
			t.Fatalf("%s: %v", q, err)
		}
	}
}

func one(t *testing.T, sink *Sink, q string) string {
	t.Helper()
	got := "(no row)"
	if err := dialect.Query(sink.conn, q, func(r row) error { got = r.ColumnText(0); return nil }); err != nil {
		t.Fatalf("%s: %v", q, err)
	}
	return got
}

func wants(t *testing.T, err error, code rowferry.Code, facts ...string) {
	t.Helper()
	if rowferry.CodeOf(err) != code {
		t.Errorf("got %v, want %s", err, code)
		return
	}
	for _, f := range facts {
		if !strings.Contains(err.Error(), f) {
			t.Errorf("%v does not say %q", err, f)
		}
	}
}

func TestOptionsRefused(t *testing.T) {
	dir := t.TempDir()
	text := filepath.Join(dir, "text")
	if err := os.WriteFile(text, []byte(strings.Repeat("this is no database\n", 100)), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		path    string
		options Options
		code    rowferry.Code
	}{
		{filepath.Join(dir, "a"), Options{Triggers: "suppress"}, rowferry.CodeBadValue},
		{filepath.Join(dir, "a"), Options{Triggers: "maybe"}, rowferry.CodeBadValue},
		{filepath.Join(dir, "a"), Options{BusyTimeout: -1}, rowferry.CodeBadValue},
		{"", Options{}, rowferry.CodeBadValue},
		{":memory:", Options{}, rowferry.CodeBadValue},
		{"a\x00b", Options{}, rowferry.CodeBadValue},
		{dir, Options{}, rowferry.CodeTarget},
		{filepath.Join(dir, "missing", "a"), Options{}, rowferry.CodeTarget},
		{filepath.Join(dir, "missing"), Options{ReadOnly: true}, rowferry.CodeTarget},
		{text, Options{}, rowferry.CodeTarget},
	} {
		sink, err := Open(context.Background(), c.path, c.options)
		if err == nil {
			t.Errorf("%q %+v was opened", c.path, c.options)
			_ = sink.Close()
			continue
		}
		wants(t, err, c.code)
	}
	left, err := os.ReadDir(dir)
	if err != nil || len(left) != 1 {
		t.Errorf("opening left %v behind (%v)", left, err)
	}
}

func TestDurability(t *testing.T) {
	sink, _ := openTraced(t, DefaultOptions())
	for pragma, want := range map[string]string{"journal_mode": "wal", "synchronous": "2", "foreign_keys": "1"} {
		if got := one(t, sink, "PRAGMA "+pragma); got != want {
			t.Errorf("%s is %s, want %s", pragma, got, want)
		}
	}
}

// TestExistingTables offers tables that somebody else made to one shape.
func TestExistingTables(t *testing.T) {
	want := keyed("t", col("id", integer, false), col("name", text, true),
		col("price", schema.Type{Kind: schema.Decimal}, true), col("at", schema.Type{Kind: schema.DateTime}, true))
	good := "CREATE TABLE t (id INTEGER PRIMARY KEY, name VARCHAR(50), price TEXT, at DATETIME"
	for _, c := range []struct {
		name, sql string
		code      rowferry.Code
		facts     []string
	}{
		{"the same", good + ")", "", nil},
		{"more columns", good + ", x TEXT, y INTEGER NOT NULL DEFAULT 5, z AS (id + 1))", "", nil},
		{"a key of its own", "CREATE TABLE t (own INTEGER PRIMARY KEY, id INTEGER NOT NULL UNIQUE, name TEXT, price TEXT, at TEXT)", "", nil},
		{"other case", "CREATE TABLE t (ID INTEGER PRIMARY KEY, Name TEXT, PRICE TEXT, At TEXT)", "", nil},
		{"a column missing", "CREATE TABLE t (id INTEGER PRIMARY KEY, name TEXT, price TEXT)", rowferry.CodeTableDiffers, []string{"column at"}},
		{"decimals as numbers", "CREATE TABLE t (id INTEGER PRIMARY KEY, name TEXT, price DECIMAL(9,2), at TEXT)", rowferry.CodeTableDiffers, []string{"column price", "DECIMAL(9,2)"}},
		{"stricter", "CREATE TABLE t (id INTEGER PRIMARY KEY, name TEXT NOT NULL, price TEXT, at TEXT)", rowferry.CodeTableDiffers, []string{"column name"}},
		{"a column nobody fills", good + ", x TEXT NOT NULL)", rowferry.CodeTableDiffers, []string{"column x"}},
		{"no key", "CREATE TABLE t (id INTEGER, name TEXT, price TEXT, at TEXT)", rowferry.CodeTableDiffers, []string{"primary key"}},
		{"another key", "CREATE TABLE t (id INTEGER, name TEXT PRIMARY KEY, price TEXT, at TEXT)", rowferry.CodeTableDiffers, []string{"primary key"}},
		{"several", "CREATE TABLE t (id TEXT PRIMARY KEY, name BLOB)", rowferry.CodeTableDiffers, []string{"column id", "column price", "column at"}},
		{"a view", "CREATE VIEW t AS SELECT 1 AS id", rowferry.CodeTableDiffers, []string{"view"}},
		{"another case of its name", "CREATE TABLE T (id INTEGER PRIMARY KEY)", rowferry.CodeNameCollision, []string{"exists: T"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			sink, _ := openTraced(t, DefaultOptions())
			sql(t, sink, c.sql)
			row := []rowferry.Value{i(1), s("n"), s("12.50"), s("2026-01-01 00:00:00")}
			err := apply(sink, 1, shaped(want), inserted(want, row...))
			if c.code != "" {
				wants(t, err, c.code, c.facts...)
				if !isRefusal(err) {
					t.Errorf("%v names no mutation", err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if got := one(t, sink, "SELECT id || name || price || at || typeof(price) FROM t"); got != "1n12.502026-01-01 00:00:00text" {
				t.Errorf("got %s", got)
			}
		})
	}
}

// TestDefaultsAndGenerated: an absent column is not left to the target's own
// default, which need not be the source's, and what the target computes is not
// written.
func TestDefaultsAndGenerated(t *testing.T) {
	sink, _ := openTraced(t, DefaultOptions())
	sql(t, sink, "CREATE TABLE t (id INTEGER PRIMARY KEY, a TEXT DEFAULT 'd', twice INTEGER AS (id * 2) STORED)")
	want := keyed("t", col("id", integer, false), col("a", text, true), schema.Column{Name: "twice", Type: integer, Nullable: true, Generated: schema.Stored})
	if err := apply(sink, 1, shaped(want), inserted(want, i(1), s("d"), i(2)), inserted(want, i(2), null, gone),
		rowferry.Mutation{Op: rowferry.Update, Table: want, Before: rowferry.Row{i(2), null, i(4)}, After: rowferry.Row{i(3), null, i(6)}}); err != nil {
		t.Fatal(err)
	}
	if got := one(t, sink, "SELECT group_concat(id || ':' || coalesce(a, 'NULL') || ':' || twice, ' ') FROM t"); got != "1:d:2 3:NULL:6" {
		t.Errorf("got %s", got)
	}
	err := apply(sink, 2, inserted(want, i(4), gone, gone))
	wants(t, err, rowferry.CodeAbsentColumn, "column: a", "id=4")
	if !isRefusal(err) {
		t.Errorf("%v names no mutation", err)
	}
}

// TestGeneratedOnlyAtTheSource: a plain column takes what the source computed,
// so it has to be in the image.
func TestGeneratedOnlyAtTheSource(t *testing.T) {
	sink, _ := openTraced(t, DefaultOptions())
	want := keyed("t", col("id", integer, false), schema.Column{Name: "twice", Type: integer, Nullable: true, Generated: schema.Stored})
	if err := apply(sink, 1, shaped(want), inserted(want, i(1), i(2))); err != nil {
		t.Fatal(err)
	}
	wants(t, apply(sink, 2, inserted(want, i(2), gone)), rowferry.CodeAbsentColumn, "column: twice")
}

func TestTriggers(t *testing.T) {
	want := keyed("t", col("id", integer, false))
	for triggers, code := range map[string]rowferry.Code{"": rowferry.CodeTriggers, "fire": ""} {
		o := DefaultOptions()
		o.Triggers = triggers
		sink, _ := openTraced(t, o)
		sql(t, sink, "CREATE TABLE t (id INTEGER PRIMARY KEY)", "CREATE TABLE log (id)", "CREATE TRIGGER tr AFTER INSERT ON t BEGIN INSERT INTO log VALUES (new.id); END")
		err := apply(sink, 1, shaped(want), inserted(want, i(7)))
		if code != "" {
			wants(t, err, code, "tr")
		} else if err != nil || one(t, sink, "SELECT id FROM log") != "7" {
			t.Errorf("triggers %q: %v, log %s", triggers, err, one(t, sink, "SELECT id FROM log"))
		}
	}
}

func TestTriggerThatRefuses(t *testing.T) {
	o := DefaultOptions()
	o.Triggers = "fire"
	sink, _ := openTraced(t, o)
	sql(t, sink, "CREATE TABLE t (id INTEGER PRIMARY KEY)", "CREATE TRIGGER tr BEFORE INSERT ON t WHEN new.id > 5 BEGIN SELECT raise(ABORT, 'too many'); END")
	want := keyed("t", col("id", integer, false))
	err := apply(sink, 1, inserted(want, i(1)), inserted(want, i(6)))
	wants(t, err, rowferry.CodeRowRefused, "too many", "id=6")
	if !isRefusal(err) {
		t.Errorf("%v names no mutation", err)
	}
}

func TestNames(t *testing.T) {
	sink, _ := openTraced(t, DefaultOptions())
	if err := apply(sink, 1, shaped(keyed("Aa", col("id", integer, false)))); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"aA", "sqlite_a", "rowferry_checkpoint", "Rowferry_Checkpoint", "a\x00"} {
		wants(t, apply(sink, 2, shaped(keyed(name, col("id", integer, false)))), rowferry.CodeNameCollision)
	}
	wants(t, apply(sink, 2, shaped(keyed("t", col("id", integer, false), col("X", text, true), col("x", text, true)))), rowferry.CodeNameCollision)
	spaced := keyed("t", col("id", integer, false))
	spaced.Name.Schema = "shop"
	wants(t, apply(sink, 2, shaped(spaced)), rowferry.CodeNameCollision)
}

func TestValuesOutOfRange(t *testing.T) {
	sink, _ := openTraced(t, DefaultOptions())
	unsigned := schema.Type{Kind: schema.Int, Bits: 64, Unsigned: true}
	want := keyed("t", col("id", unsigned, false), col("r", schema.Type{Kind: schema.Float64}, true))
	if err := apply(sink, 1, shaped(want)); err != nil {
		t.Fatal(err)
	}
	wants(t, apply(sink, 2, inserted(want, rowferry.UintValue(math.MaxInt64+1), null)), rowferry.CodeOutOfRange, "9223372036854775808", "column: id")
	wants(t, apply(sink, 2, inserted(want, i(1), rowferry.FloatValue(math.NaN()))), rowferry.CodeOutOfRange)
	wants(t, apply(sink, 2, inserted(want, null, null)), rowferry.CodeRowRefused, "NULL")
	geometry := keyed("g", col("id", integer, false), col("g", schema.Type{Kind: schema.Geometry}, true))
	wants(t, apply(sink, 2, shaped(geometry)), rowferry.CodeTypeRefused, "column: g")
	if err := apply(sink, 2, inserted(want, i(1), rowferry.FloatValue(math.Inf(1)))); err != nil {
		t.Fatal(err)
	}
	if got := one(t, sink, "SELECT group_concat(r, ' ') FROM t"); got != "Inf" {
		t.Errorf("got %s", got)
	}
	// SQLite stores -0.0 in a REAL column as 0.0.
	wants(t, apply(sink, 3, inserted(want, i(2), rowferry.FloatValue(math.Copysign(0, -1)))), rowferry.CodeOutOfRange, "column: r")
}

func TestCreateTablesOff(t *testing.T) {
	o := DefaultOptions()
	o.CreateTables = false
	sink, _ := openTraced(t, o)
	wants(t, apply(sink, 1, shaped(keyed("t", col("id", integer, false)))), rowferry.CodeTableDiffers, "t")
}

func TestBusy(t *testing.T) {
	o := DefaultOptions()
	o.BusyTimeout = 20 * time.Millisecond
	sink, _ := openTraced(t, o)
	other, err := driver.OpenConn(sink.path, driver.OpenReadWrite)
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	if err := dialect.Exec(other, "BEGIN IMMEDIATE"); err != nil {
		t.Fatal(err)
	}
	wants(t, apply(sink, 1), rowferry.CodeTargetBusy)
	if err := dialect.Exec(other, "COMMIT"); err != nil {
		t.Fatal(err)
	}
	if err := apply(sink, 1); err != nil {
		t.Error(err)
	}
}

// TestFull lets the database grow by only a few pages.
func TestFull(t *testing.T) {
	sink, _ := openTraced(t, DefaultOptions())
	want := keyed("t", col("id", integer, false), col("b", schema.Type{Kind: schema.Blob}, true))
	if err := apply(sink, 1, shaped(want)); err != nil {
		t.Fatal(err)
	}
	sql(t, sink, "PRAGMA max_page_count = 20")
	big := rowferry.BytesValue(strings.Repeat("x", 1<<20))
	err := apply(sink, 2, inserted(want, i(1), null), inserted(want, i(2), big))
	wants(t, err, rowferry.CodeTargetFull)
	if isRefusal(err) {
		t.Error("a full disk is not about a row")
	}
	sql(t, sink, "PRAGMA max_page_count = 100000")
	if err := apply(sink, 2, inserted(want, i(1), big)); err != nil {
		t.Error(err)
	}
	if got := one(t, sink, "SELECT count(*) FROM t"); got != "1" {
		t.Errorf("%s rows, want 1", got)
	}
}

// TestInterrupt cancels the context in the middle of a batch.
func TestInterrupt(t *testing.T) {
	sink, _ := openTraced(t, DefaultOptions())
	want := keyed("t", col("id", integer, false))
	if err := apply(sink, 1, shaped(want)); err != nil {
		t.Fatal(err)
	}
	tx, err := sink.Begin(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	if err := tx.Write(ctx, []rowferry.Mutation{inserted(want, i(1))}); err != nil {
		t.Fatal(err)
	}
	cancel()
	if err := tx.Write(ctx, []rowferry.Mutation{inserted(want, i(2))}); err != context.Canceled {
		t.Errorf("got %v, want %v", err, context.Canceled)
	}
	if err := tx.Rollback(); err != nil {
		t.Fatal(err)
	}
	if err := apply(sink, 2, inserted(want, i(3))); err != nil {
		t.Fatal(err)
	}
	if got := one(t, sink, "SELECT group_concat(id) FROM t"); got != "3" {
		t.Errorf("rows %s, want 3", got)
	}
}

// TestSchemaChangedByOthers: what is remembered of a table ends when somebody
// else changes it.
func TestSchemaChangedByOthers(t *testing.T) {
	sink, _ := openTraced(t, DefaultOptions())
	want := keyed("t", col("id", integer, false), col("a", text, true))
	if err := apply(sink, 1, shaped(want), inserted(want, i(1), null)); err != nil {
		t.Fatal(err)
	}
	other, err := driver.OpenConn(sink.path, driver.OpenReadWrite)
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	if err := dialect.Exec(other, "ALTER TABLE t DROP COLUMN a"); err != nil {
		t.Fatal(err)
	}
	wants(t, apply(sink, 2, inserted(want, i(2), null)), rowferry.CodeTableDiffers, "column a")
}

func TestReadOnly(t *testing.T) {
	sink, _ := openTraced(t, DefaultOptions())
	if err := apply(sink, 1); err != nil {
		t.Fatal(err)
	}
	reader, err := Open(context.Background(), sink.path, Options{ReadOnly: true})
	if err != nil {
		t.Fatal(err)
	}
	all, err := reader.ListCheckpoints(context.Background())
	if err != nil || len(all) != 1 || all[0].Sequence != 1 {
		t.Errorf("got %+v, %v", all, err)
	}
	if _, err := reader.Begin(context.Background()); err == nil {
		t.Error("a read-only target took a batch")
	}
	if err := reader.Close(); err != nil {
		t.Error(err)
	}
}

func TestNotices(t *testing.T) {
	o := DefaultOptions()
	var notices []string
	o.Notice = func(n string) { notices = append(notices, n) }
	o.InScope = func(n schema.Name) bool { return n.Table != "elsewhere" }
	sink, _ := openTraced(t, o)
	child := keyed("child", col("id", integer, false), col("p", integer, true))
	child.ForeignKeys = []schema.ForeignKey{{Columns: []int{1}, Parent: schema.Name{Table: "elsewhere"}, Referenced: []string{"id"}}}
	if err := apply(sink, 1, shaped(child), inserted(child, i(1), i(5))); err != nil {
		t.Fatal(err)
	}
	if !slices.ContainsFunc(notices, func(n string) bool { return strings.Contains(n, "elsewhere") }) {
		t.Errorf("notices %v", notices)
	}
	child = child.WithName(schema.Name{Table: "other"})
	child.ForeignKeys = []schema.ForeignKey{{Columns: []int{1}, Parent: schema.Name{Table: "elsewhere"}, Referenced: []string{"id"}, OnDelete: schema.Cascade}}
	wants(t, apply(sink, 2, shaped(child)), rowferry.CodeCascades, "on delete cascade")
}
