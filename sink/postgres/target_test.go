package postgres_test

import (
	"context"
	"math"
	"strings"
	"testing"

	"github.com/rowferry/rowferry"
	"github.com/rowferry/rowferry/schema"
	"github.com/rowferry/rowferry/sink/postgres"
)

func TestTablesAsMade(t *testing.T) {
	x := newTarget(t, nil)
	unsigned := schema.Type{Kind: schema.Int, Bits: 64, Unsigned: true}
	parent := keyed("parent", schema.Column{Name: "id", Type: unsigned, AutoIncrement: true}, col("name", schema.Type{Kind: schema.VarChar, Length: 20, Collation: "utf8mb4_general_ci"}, true))
	parent.Uniques = []schema.Index{{Name: "name", Columns: []int{1}}, {Name: "pre", Columns: []int{1}, Prefix: []int{3}}}
	child := keyed("child", schema.Column{Name: "id", Type: integer, AutoIncrement: true}, col("p", unsigned, true))
	child.ForeignKeys = []schema.ForeignKey{{Columns: []int{1}, Parent: parent.Name, Referenced: []string{"id"}, OnDelete: schema.Cascade, OnUpdate: schema.Restrict}}
	x.must(x.apply(shaped(parent), shaped(child)))
	x.is("id numeric(20,0) t, name character varying(20) f", `SELECT string_agg(format('%s %s %s', attname, format_type(atttypid, atttypmod), attnotnull), ', ' ORDER BY attnum)
		FROM pg_attribute WHERE attrelid = 'shop.parent'::regclass AND attnum > 0`)
	x.is("FOREIGN KEY (p) REFERENCES shop.parent(id) ON DELETE CASCADE DEFERRABLE", "SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE contype = 'f'")
	x.is("2", "SELECT count(*) FROM pg_index WHERE indrelid = 'shop.child'::regclass")
	x.must(x.apply(inserted(parent, rowferry.UintValue(math.MaxUint64), txt("Ab")), inserted(parent, rowferry.UintValue(7), txt("ab")), inserted(child, i(3), rowferry.UintValue(7))))
	x.is("18446744073709551615", "SELECT max(id) FROM shop.parent")
	// Both count by themselves once nobody gives them a value.
	x.exec("INSERT INTO shop.parent (name) VALUES ('own')", "INSERT INTO shop.child (p) VALUES (1)")
	wants(t, x.apply(inserted(parent, rowferry.UintValue(8), txt("ab"))), rowferry.CodeForeignRow, "parent_uq_", "name")
	if got := strings.Join(x.notices, "\n"); strings.Count(got, "byte by byte") != 1 || !strings.Contains(got, "unique key (name)") {
		t.Errorf("notices %q", x.notices)
	}
}

// TestExistingTables checks tables of somebody else's making, all of whose
// differences are told at once.
func TestExistingTables(t *testing.T) {
	want := keyed("t", col("id", integer, false), col("s", text, true), col("d", schema.Type{Kind: schema.Decimal, Precision: 10, Scale: 2}, true),
		col("at", schema.Type{Kind: schema.DateTime, Fsp: 3}, true), col("j", schema.Type{Kind: schema.JSON}, true))
	for _, c := range []struct {
		name, sql string
		parts     []string // of the refusal; none means accepted
	}{
		{"wider", "id bigint PRIMARY KEY, s text, d numeric, at timestamp, j jsonb, own int DEFAULT 5, other text", nil},
		{"same", "id integer PRIMARY KEY, s varchar(40), d numeric(10,2), at timestamp(3), j json", nil},
		{"text for all", "id integer PRIMARY KEY, s varchar, d text, at text, j text", nil},
		{"narrower", "id smallint PRIMARY KEY, s varchar(39), d numeric(9,2), at timestamp(2), j json",
			[]string{"column id: is int in the source, which needs integer, and is smallint", "column s", "character varying(39)", "column d", "column at"}},
		{"coarser", "id integer PRIMARY KEY, s char(40), d double precision, at timestamptz, j json", []string{"column s", "column d", "column at"}},
		{"less", "id integer PRIMARY KEY, s text", []string{"column d: is missing", "column at: is missing", "column j: is missing"}},
		{"stricter", "id integer PRIMARY KEY, s text NOT NULL, d numeric, at timestamp, j json, more int NOT NULL", []string{"column s: may be NULL", "column more: is not in the source"}},
		{"another key", "id integer UNIQUE, s text, d numeric, at timestamp, j json, own serial PRIMARY KEY", nil},
		{"no key", "id integer, s text, d numeric, at timestamp, j json", []string{"primary key"}},
		{"late key", "id integer PRIMARY KEY DEFERRABLE, s text, d numeric, at timestamp, j json", []string{"primary key"}},
		{"domain", "id integer PRIMARY KEY, s shop.short, d numeric, at timestamp, j json", []string{"column s", "short"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			x := newTarget(t, nil)
			x.exec("CREATE SCHEMA shop", "CREATE DOMAIN shop.short AS text CHECK (length(VALUE) < 5)", "CREATE TABLE shop.t ("+c.sql+")")
			err := x.apply(shaped(want), inserted(want, i(1), txt("x "), txt("1.50"), txt("2026-01-02 03:04:05.600"), txt(`{"a": 1}`)))
			if c.parts != nil {
				wants(t, err, rowferry.CodeTableDiffers, c.parts...)
				refusal(t, err)
				x.is("0", "SELECT count(*) FROM shop.t")
				return
			}
			x.must(err)
			x.must(x.apply(updated(want, rowferry.Row{i(1), txt("x "), gone, gone, gone}, rowferry.Row{gone, txt("y"), gone, gone, gone})))
			x.is("y", "SELECT s FROM shop.t WHERE id = 1")
		})
	}
}

// TestOddTables are those that would lose a row or hide one.
func TestOddTables(t *testing.T) {
	want := keyed("t", col("id", integer, false))
	for _, c := range []struct{ name, sql, part string }{
		{"view", "CREATE TABLE shop.x (id integer PRIMARY KEY); CREATE VIEW shop.t AS TABLE shop.x", "a view of"},
		{"materialized view", "CREATE MATERIALIZED VIEW shop.t AS SELECT 1 AS id", "a materialized view of"},
		{"rule", "CREATE TABLE shop.t (id integer PRIMARY KEY); CREATE RULE r AS ON INSERT TO shop.t DO INSTEAD NOTHING", "it has rules"},
		{"unlogged", "CREATE UNLOGGED TABLE shop.t (id integer PRIMARY KEY)", "UNLOGGED"},
		{"inherited", "CREATE TABLE shop.t (id integer PRIMARY KEY); CREATE TABLE shop.u () INHERITS (shop.t)", "inherit"},
		{"heir", "CREATE TABLE shop.u (id integer); CREATE TABLE shop.t (PRIMARY KEY (id)) INHERITS (shop.u)", "inherits"},
		{"partition", "CREATE TABLE shop.u (id integer PRIMARY KEY) PARTITION BY RANGE (id); CREATE TABLE shop.t PARTITION OF shop.u DEFAULT", "is a partition"},
		{"bad partition", "CREATE TABLE shop.t (id integer PRIMARY KEY) PARTITION BY RANGE (id); CREATE TABLE shop.u PARTITION OF shop.t DEFAULT; " +
			"CREATE RULE r AS ON INSERT TO shop.u DO INSTEAD NOTHING", "its partition u"},
	} {
		t.Run(c.name, func(t *testing.T) {
			x := newTarget(t, nil)
			x.exec("CREATE SCHEMA shop", c.sql)
			err := x.apply(shaped(want))
			wants(t, err, rowferry.CodeTableDiffers, c.part)
			refusal(t, err)
		})
	}
}

func TestPartitionedTable(t *testing.T) {
	x := newTarget(t, nil)
	x.exec("CREATE SCHEMA shop", "CREATE TABLE shop.t (id integer PRIMARY KEY, s text) PARTITION BY RANGE (id)", "CREATE TABLE shop.low PARTITION OF shop.t FOR VALUES FROM (0) TO (10)",
		"CREATE TABLE shop.high PARTITION OF shop.t FOR VALUES FROM (10) TO (20)")
	want := keyed("t", col("id", integer, false), col("s", text, true))
	x.must(x.apply(shaped(want), inserted(want, i(1), null), inserted(want, i(11), txt("a"))))
	x.must(x.apply(updated(want, rowferry.Row{i(1), null}, rowferry.Row{i(12), txt("b")}), deleted(want, i(11), txt("a"))))
	x.is("12 b", "SELECT string_agg(id || ' ' || s, ',') FROM shop.high")
	wants(t, x.apply(inserted(want, i(99), null)), rowferry.CodeRowRefused, "no partition")
}

func TestRowSecurity(t *testing.T) {
	x := newTarget(t, nil)
	x.exec("CREATE SCHEMA shop", "CREATE TABLE shop.t (id integer PRIMARY KEY)", "ALTER TABLE shop.t ENABLE ROW LEVEL SECURITY",
		"CREATE POLICY p ON shop.t USING (id > 5)", "DROP ROLE IF EXISTS rls_writer", "CREATE ROLE rls_writer LOGIN PASSWORD 'secret'",
		"GRANT ALL ON SCHEMA shop TO rls_writer", "GRANT ALL ON shop.t TO rls_writer")
	x.exec("GRANT ALL ON SCHEMA rowferry TO rls_writer", "GRANT ALL ON rowferry.rowferry_checkpoint TO rls_writer")
	t.Cleanup(func() {
		for _, q := range []string{"DROP OWNED BY rls_writer", "DROP ROLE rls_writer"} {
			if _, err := x.db.ExecContext(context.Background(), q); err != nil {
				t.Error(err)
			}
		}
	})
	x.sink = x.open(func(o *postgres.Options) {
		e := endpoint(t, strings.Replace(x.server.URL(x.name), "postgres@", "rls_writer:secret@", 1))
		o.Endpoint = e
	})
	want := keyed("t", col("id", integer, false))
	wants(t, x.apply(shaped(want), inserted(want, i(9))), rowferry.CodeTableDiffers, "row security")
}

// TestGenerated: what the target computes is never set, and finds rows all the
// same.
func TestGenerated(t *testing.T) {
	x := newTarget(t, nil)
	x.exec("CREATE SCHEMA shop", "CREATE TABLE shop.t (id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY, a text, twice integer GENERATED ALWAYS AS (id * 2) STORED)")
	want := keyed("t", col("id", integer, false), col("a", text, true), schema.Column{Name: "twice", Type: integer, Nullable: true, Generated: schema.Virtual})
	x.must(x.apply(shaped(want), inserted(want, i(5), txt("x"), i(10)), inserted(want, i(6), null, gone)))
	x.must(x.apply(updated(want, rowferry.Row{i(5), txt("x"), i(10)}, rowferry.Row{i(5), txt("y"), i(10)}), deleted(want, i(6), null, i(12))))
	x.is("5 y 10", "SELECT string_agg(id || ' ' || a || ' ' || twice, ',') FROM shop.t")
	err := x.apply(updated(want, rowferry.Row{i(5), txt("y"), i(10)}, rowferry.Row{i(7), txt("y"), i(14)}))
	wants(t, err, rowferry.CodeRowRefused, "ALWAYS")
	refusal(t, err)
}

// TestGeneratedOnlyAtTheSource: a plain column takes what the source computed,
// so it has to be in the image.
func TestGeneratedOnlyAtTheSource(t *testing.T) {
	x := newTarget(t, nil)
	want := keyed("t", col("id", integer, false), schema.Column{Name: "twice", Type: integer, Nullable: true, Generated: schema.Stored})
	x.must(x.apply(shaped(want), inserted(want, i(1), i(2))))
	wants(t, x.apply(inserted(want, i(2), gone)), rowferry.CodeAbsentColumn, "column: twice")
	x.is("", "SELECT attgenerated FROM pg_attribute WHERE attrelid = 'shop.t'::regclass AND attname = 'twice'")
}

// TestKeyless matches whole rows exactly, one of several equal ones.
func TestKeyless(t *testing.T) {
	x := newTarget(t, nil)
	want := keyless("t", col("n", integer, true), col("f", schema.Type{Kind: schema.Float64}, true), col("j", schema.Type{Kind: schema.JSON}, true),
		col("d", schema.Type{Kind: schema.Time, Fsp: 6}, true), col("r", schema.Type{Kind: schema.Float32}, true))
	f := rowferry.FloatValue
	same := []rowferry.Value{i(1), f(0.1), txt(`{"a":  1}`), txt("24:00:00.000000"), f(float64(float32(1.1)))}
	x.must(x.apply(shaped(want), inserted(want, same...), inserted(want, same...), inserted(want, same...), inserted(want, null, null, null, null, null),
		inserted(want, i(2), f(0), txt("1"), txt("00:00:00.000000"), f(0)), inserted(want, i(2), f(math.Copysign(0, -1)), txt("1"), txt("00:00:00.000000"), f(0))))
	x.exec("INSERT INTO shop.t VALUES (1, 0.1, '{\"a\":  1}', '1 day', 1.1), (1, 0.1, '{\"a\": 1}', '24:00:00', 1.1)")
	x.must(x.apply(deleted(want, same...), updated(want, same, append(rowferry.Row{i(9)}, same[1:]...)), deleted(want, null, null, null, null, null)))
	x.must(x.apply(deleted(want, i(2), f(math.Copysign(0, -1)), txt("1"), txt("00:00:00.000000"), f(0))))
	x.is("0", "SELECT f::text FROM shop.t WHERE n = 2")
	x.is("3", "SELECT count(*) FROM shop.t WHERE n = 1")
	x.must(x.apply(deleted(want, same...)))
	wants(t, x.apply(deleted(want, same...)), rowferry.CodeRowMissing, "found: 0")
	x.is(`1 day {"a":  1},24:00:00 {"a": 1}`, "SELECT string_agg(d || ' ' || j::text, ',' ORDER BY d::text) FROM shop.t WHERE n = 1")
}

// TestLooseCollation: a column whose collation ignores case finds rows exactly.
func TestLooseCollation(t *testing.T) {
	x := newTarget(t, nil)
	x.exec("CREATE SCHEMA shop", "CREATE COLLATION shop.ci (provider = icu, locale = 'und-u-ks-level2', deterministic = false)",
		"CREATE TABLE shop.t (id text COLLATE shop.ci PRIMARY KEY, a text)", "INSERT INTO shop.t VALUES ('KEY', 'mine')")
	want := keyed("t", col("id", text, false), col("a", text, true))
	wants(t, x.apply(shaped(want), deleted(want, txt("key"), txt("mine"))), rowferry.CodeRowMissing)
	x.must(x.apply(updated(want, rowferry.Row{txt("KEY"), gone}, rowferry.Row{txt("KEY"), txt("x")})))
	wants(t, x.apply(inserted(want, txt("Key"), null)), rowferry.CodeForeignRow)
}

func TestValuesOutOfRange(t *testing.T) {
	x := newTarget(t, nil)
	x.exec("CREATE SCHEMA shop", "CREATE TABLE shop.jb (id integer PRIMARY KEY, v jsonb)")
	for _, c := range []struct {
		name  string
		typ   schema.Type
		value rowferry.Value
		code  rowferry.Code
	}{
		{"tiny", schema.Type{Kind: schema.Int, Bits: 8}, i(40000), rowferry.CodeOutOfRange},
		{"uint", schema.Type{Kind: schema.Int, Bits: 32, Unsigned: true}, rowferry.UintValue(math.MaxUint64), rowferry.CodeOutOfRange},
		{"dec", schema.Type{Kind: schema.Decimal, Precision: 5, Scale: 2}, txt("1234.5"), rowferry.CodeOutOfRange},
		{"frac", schema.Type{Kind: schema.Decimal, Precision: 5, Scale: 2}, txt("1.234"), rowferry.CodeOutOfRange},
		{"exp", schema.Type{Kind: schema.Decimal, Precision: 5, Scale: 2}, txt("1e5"), rowferry.CodeInternal},
		{"float", schema.Type{Kind: schema.Float32}, rowferry.FloatValue(0.1), rowferry.CodeOutOfRange},
		{"bit", schema.Type{Kind: schema.Bit, Length: 3}, rowferry.UintValue(8), rowferry.CodeOutOfRange},
		{"spaces", schema.Type{Kind: schema.VarChar, Length: 2}, txt("a   "), rowferry.CodeOutOfRange},
		{"zero", schema.Type{Kind: schema.Date}, txt("0000-00-00"), rowferry.CodeOutOfRange},
		{"year0", schema.Type{Kind: schema.Date}, txt("0000-01-01"), rowferry.CodeOutOfRange},
		{"feb", schema.Type{Kind: schema.DateTime}, txt("2025-02-30 00:00:00"), rowferry.CodeOutOfRange},
		{"partial", schema.Type{Kind: schema.DateTime}, txt("2025-00-15 00:00:00"), rowferry.CodeOutOfRange},
		{"digits", schema.Type{Kind: schema.DateTime, Fsp: 3}, txt("2025-01-15 00:00:00.1234"), rowferry.CodeOutOfRange},
		{"long", schema.Type{Kind: schema.Time}, txt("839:00:00"), rowferry.CodeOutOfRange},
		{"json", schema.Type{Kind: schema.JSON}, txt("{"), rowferry.CodeRowRefused},
		{"jb", schema.Type{Kind: schema.JSON}, txt(`"\u0000"`), rowferry.CodeRowRefused},
		{"uuid", schema.Type{Kind: schema.UUID}, txt("x"), rowferry.CodeRowRefused},
	} {
		want := keyed(c.name, col("id", integer, false), col("v", c.typ, true))
		x.must(x.apply(shaped(want)))
		err := x.apply(inserted(want, i(1), c.value))
		if rowferry.CodeOf(err) != c.code {
			t.Errorf("%s: got %v, want %s", c.name, err, c.code)
			continue
		}
		refusal(t, err)
		if c.code == rowferry.CodeOutOfRange && !strings.Contains(err.Error(), "column: v") {
			t.Errorf("%s: %v names no column", c.name, err)
		}
		x.is("0", `SELECT count(*) FROM shop."`+c.name+`"`)
	}
	geometry := keyed("g", col("id", integer, false), col("g", schema.Type{Kind: schema.Geometry}, true))
	wants(t, x.apply(shaped(geometry)), rowferry.CodeTypeRefused, "column: g")
	floats := keyed("floats", col("id", integer, false), col("f", schema.Type{Kind: schema.Float64}, true))
	x.must(x.apply(shaped(floats), inserted(floats, i(1), rowferry.FloatValue(math.Inf(-1))), inserted(floats, i(2), rowferry.FloatValue(math.Copysign(0, -1))),
		inserted(floats, i(3), rowferry.FloatValue(math.NaN()))))
	x.is("-Infinity -0 NaN", "SELECT string_agg(f::text, ' ' ORDER BY id) FROM shop.floats")
}

// TestRefusedRows: constraints of the target that are not about keys.
func TestRefusedRows(t *testing.T) {
	x := newTarget(t, nil)
	x.exec("CREATE SCHEMA shop", "CREATE TABLE shop.t (id integer PRIMARY KEY, a text CHECK (a <> 'bad'), own integer NOT NULL DEFAULT 1, EXCLUDE (own WITH =) WHERE (own > 5))")
	want := keyed("t", col("id", integer, false), col("a", text, true))
	err := x.apply(shaped(want), inserted(want, i(1), txt("good")), inserted(want, i(2), txt("bad")))
	wants(t, err, rowferry.CodeRowRefused, "t_a_check", "id=2")
	refusal(t, err)
	x.is("0", "SELECT count(*) FROM shop.t")
}

// TestErrorNamesItsMutation: of a long pipeline the first refused one is named.
func TestErrorNamesItsMutation(t *testing.T) {
	x := newTarget(t, nil)
	want := keyed("t", col("id", integer, false), col("a", text, true))
	x.must(x.apply(shaped(want), inserted(want, i(150), null)))
	var ms []rowferry.Mutation
	for n := range int64(600) {
		ms = append(ms, inserted(want, i(n), null))
	}
	ms[400] = deleted(want, i(9999), null)
	err := x.apply(ms...)
	wants(t, err, rowferry.CodeForeignRow, "id=150", "t_pk_")
	ms[150] = inserted(want, i(10150), null)
	wants(t, x.apply(ms...), rowferry.CodeRowMissing, "id=9999")
	for range 20 {
		wants(t, x.apply(inserted(want, i(150), null)), rowferry.CodeForeignRow)
	}
	// What was prepared and let go of works again, in the same session, and is
	// not left behind there.
	ms[400] = inserted(want, i(400), null)
	x.must(x.apply(ms...))
	x.is("601", "SELECT count(*) FROM shop.t")
	if n := postgres.Prepared(t, x.sink); n > 5 {
		t.Errorf("%d statements are prepared at the server", n)
	}
}
