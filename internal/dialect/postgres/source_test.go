package postgres_test

import (
	"fmt"
	"reflect"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/rowferry/rowferry/internal/connect"
	dialect "github.com/rowferry/rowferry/internal/dialect/postgres"
	"github.com/rowferry/rowferry/internal/testdb"
	"github.com/rowferry/rowferry/schema"
)

func TestMain(m *testing.M) { testdb.Main(m) }

// sources are the servers that are read from.
func sources() []testdb.Kind {
	if testdb.Soak() {
		return []testdb.Kind{testdb.Postgres15, testdb.PostgresNew}
	}
	return []testdb.Kind{testdb.Postgres15}
}

// on runs a test in a database of its own on each of the servers.
func on(t *testing.T, test func(t *testing.T, conn *pgconn.PgConn, version int)) {
	for _, k := range sources() {
		t.Run(string(k), func(t *testing.T) {
			server := testdb.Start(t, k)
			name, _ := testdb.NewDatabase(t, server)
			e, err := connect.Parse(server.URL(name))
			if err != nil {
				t.Fatal(err)
			}
			conn, err := dialect.Connect(t.Context(), e, nil)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { conn.Close(t.Context()) })
			version := 0
			if _, err := fmt.Sscan(conn.ParameterStatus("server_version"), &version); err != nil && version == 0 {
				t.Fatal(err)
			}
			test(t, conn, version)
		})
	}
}

func run(t *testing.T, conn *pgconn.PgConn, statements string) {
	t.Helper()
	if _, err := conn.Exec(t.Context(), statements).ReadAll(); err != nil {
		t.Fatal(err)
	}
}

// read returns the tables of a database by name.
func read(t *testing.T, conn *pgconn.PgConn, o dialect.SourceOptions) map[string]*dialect.SourceTable {
	t.Helper()
	all, err := dialect.ReadSource(t.Context(), conn, nil, o)
	if err != nil {
		t.Fatal(err)
	}
	named := map[string]*dialect.SourceTable{}
	for _, s := range all {
		if err := s.Table.Validate(); err != nil {
			t.Error(err)
		}
		if len(s.Columns) != len(s.Table.Columns) {
			t.Errorf("%s has %d columns and %d", s.Table.Name, len(s.Columns), len(s.Table.Columns))
		}
		named[s.Table.Name.Table] = s
	}
	return named
}

func is(t *testing.T, what string, got, want any) {
	t.Helper()
	if !reflect.DeepEqual(got, want) {
		t.Errorf("%s: got %#v, want %#v", what, got, want)
	}
}

// TestSourceKeys: which keys of a table stand, which identify its rows, and what
// of it cannot be carried.
func TestSourceKeys(t *testing.T) {
	on(t, func(t *testing.T, conn *pgconn.PgConn, version int) {
		run(t, conn, `CREATE SCHEMA shop; SET search_path = shop;
CREATE TABLE plain (a int, b text NOT NULL, gone int, c serial, d int GENERATED ALWAYS AS IDENTITY, PRIMARY KEY (c, a), UNIQUE (d), UNIQUE (b) INCLUDE (d));
ALTER TABLE plain DROP COLUMN gone;
CREATE TABLE late (a int PRIMARY KEY DEFERRABLE, b int UNIQUE DEFERRABLE INITIALLY DEFERRED);
CREATE TABLE odd (a int, b int, CHECK (b > 0), EXCLUDE (b WITH =));
CREATE UNIQUE INDEX part ON odd (a) WHERE b > 1;
CREATE UNIQUE INDEX added ON odd ((a + b));
CREATE UNIQUE INDEX whole2 ON odd (b, a);
CREATE TABLE byindex (x int NOT NULL UNIQUE, a int NOT NULL, b int NOT NULL);
CREATE UNIQUE INDEX byab ON byindex (b, a);
ALTER TABLE byindex REPLICA IDENTITY USING INDEX byab;
CREATE TABLE whole (a int PRIMARY KEY, b int); ALTER TABLE whole REPLICA IDENTITY FULL;
CREATE TABLE nothing (a int PRIMARY KEY, b int); ALTER TABLE nothing REPLICA IDENTITY NOTHING;
CREATE TABLE generated (a int PRIMARY KEY, g int GENERATED ALWAYS AS (a + 1) STORED UNIQUE, z int);
CREATE UNLOGGED TABLE fleeting (a int);
CREATE TEMPORARY TABLE passing (a int);
CREATE VIEW seen AS SELECT 1 AS a`)
		got := read(t, conn, dialect.SourceOptions{})
		is(t, "tables", len(got), 8)
		p := got["plain"]
		is(t, "key", p.Table.PrimaryKey, []int{2, 0})
		is(t, "identity", []any{p.Identity, p.IdentityColumns}, []any{byte('d'), []int{0, 2}})
		is(t, "numbers", []int{p.Columns[0].Number, p.Columns[1].Number, p.Columns[2].Number, p.Columns[3].Number}, []int{1, 2, 4, 5})
		is(t, "unique keys", uniques(p.Table), "d; b")
		is(t, "counting", []bool{p.Table.Columns[0].AutoIncrement, p.Table.Columns[2].AutoIncrement, p.Table.Columns[3].AutoIncrement}, []bool{false, true, true})
		is(t, "nullable", []bool{p.Table.Columns[0].Nullable, p.Table.Columns[3].Nullable}, []bool{false, false})
		is(t, "keys put off", []any{got["late"].Table.PrimaryKey, uniques(got["late"].Table), len(got["late"].Table.Unsupported), got["late"].IdentityColumns},
			[]any{[]int(nil), "", 2, []int(nil)})
		is(t, "odd keys", []any{uniques(got["odd"].Table), len(got["odd"].Table.Unsupported)}, []any{"b,a", 3})
		b := got["byindex"]
		is(t, "by index", []any{b.Identity, b.IdentityColumns, uniques(b.Table), b.Table.Identity()}, []any{byte('i'), []int{1, 2}, "b,a; x", []int{2, 1}})
		is(t, "full", []any{got["whole"].Identity, got["whole"].IdentityColumns}, []any{byte('f'), []int{0, 1}})
		is(t, "none", []any{got["nothing"].Identity, got["nothing"].IdentityColumns}, []any{byte('n'), []int(nil)})
		is(t, "unlogged", len(got["fleeting"].Odd), 1)
		g := got["generated"]
		is(t, "without generated columns", []any{len(g.Columns), len(g.Table.Unsupported), uniques(g.Table)}, []any{2, 2, ""})
		g = read(t, conn, dialect.SourceOptions{PublishGenerated: true})["generated"]
		is(t, "with generated columns", []any{len(g.Columns), len(g.Table.Unsupported), uniques(g.Table), g.Columns[1].Generated, g.Table.Columns[1].Generated},
			[]any{3, 0, "g", true, schema.Stored})
		if version >= 18 {
			run(t, conn, `CREATE TABLE shop.unreal (a int PRIMARY KEY, v int GENERATED ALWAYS AS (a) VIRTUAL, n int)`)
			v := read(t, conn, dialect.SourceOptions{PublishGenerated: true})["unreal"]
			is(t, "virtual", []any{len(v.Columns), len(v.Table.Unsupported)}, []any{2, 1})
		}
	})
}

// TestSourceIndexes: of the indexes that refuse no row, those that any target can
// have are told as they are, and all others by name.
func TestSourceIndexes(t *testing.T) {
	on(t, func(t *testing.T, conn *pgconn.PgConn, _ int) {
		run(t, conn, `CREATE SCHEMA shop; SET search_path = shop;
CREATE TABLE t (id int PRIMARY KEY, gone int, a int, b text, c text COLLATE "C", d tsvector, e int[], g int GENERATED ALWAYS AS (a) STORED, UNIQUE (b));
ALTER TABLE t DROP COLUMN gone;
CREATE INDEX plain ON t (a);
CREATE INDEX several ON t (c, a DESC, b);
CREATE INDEX "Last""one" ON t (b DESC NULLS FIRST) WITH (fillfactor = 70);
CREATE INDEX "n nulls" ON t (a NULLS FIRST);
CREATE INDEX n_desc ON t (a DESC NULLS LAST);
CREATE INDEX n_hash ON t USING hash (a);
CREATE INDEX n_gin ON t USING gin (d);
CREATE INDEX n_brin ON t USING brin (a);
CREATE INDEX n_part ON t (a) WHERE a > 1;
CREATE INDEX n_expr ON t (lower(b));
CREATE INDEX n_with ON t (a) INCLUDE (b);
CREATE INDEX n_class ON t (b text_pattern_ops);
CREATE INDEX n_coll ON t (b COLLATE "C");
CREATE INDEX n_gen ON t (g);
CREATE TABLE parted (id int, a int) PARTITION BY RANGE (id);
CREATE TABLE part1 PARTITION OF parted FOR VALUES FROM (0) TO (10);
CREATE INDEX on_parts ON parted (a)`)
		got := read(t, conn, dialect.SourceOptions{})
		is(t, "indexes", got["t"].Table.Indexes, []schema.Index{
			{Name: `Last"one`, Columns: []int{2}, Descending: []bool{true}}, {Name: "plain", Columns: []int{1}},
			{Name: "several", Columns: []int{3, 1, 2}, Descending: []bool{false, true, false}},
		})
		is(t, "others", strings.Join(got["t"].Table.OtherIndexes, "\n"), strings.Join([]string{
			"index n nulls, which sorts NULLs in another order", "index n_brin, which is a brin index", "index n_class, which has an operator class",
			"index n_coll, which has a collation of its own", "index n_desc, which sorts NULLs in another order", "index n_expr, which is over an expression",
			"index n_gen, which has the column g, which is not published", "index n_gin, which is a gin index", "index n_hash, which is a hash index",
			"index n_part, which is over some of the rows", "index n_with, which has an INCLUDE list"}, "\n"))
		is(t, "of partitions", []any{got["parted"].Table.Indexes, len(got["part1"].Table.Indexes)}, []any{[]schema.Index{{Name: "on_parts", Columns: []int{1}}}, 1})
	})
}

func uniques(t *schema.Table) string {
	var keys []string
	for _, u := range t.Uniques {
		keys = append(keys, strings.Join(t.ColumnNames(u.Columns), ","))
	}
	return strings.Join(keys, "; ")
}

// TestSourceForeignKeys: actions are not told, partitions have their parent's
// keys once, and a key that may be put off marks both ends.
func TestSourceForeignKeys(t *testing.T) {
	on(t, func(t *testing.T, conn *pgconn.PgConn, version int) {
		run(t, conn, `CREATE SCHEMA shop; SET search_path = shop;
CREATE TABLE parent (a int, b int, PRIMARY KEY (a, b)) PARTITION BY RANGE (a);
CREATE TABLE parent1 PARTITION OF parent FOR VALUES FROM (0) TO (10);
CREATE TABLE parent2 PARTITION OF parent FOR VALUES FROM (10) TO (20) PARTITION BY RANGE (b);
CREATE TABLE parent21 PARTITION OF parent2 DEFAULT;
CREATE TABLE child (id int PRIMARY KEY, x int, y int, FOREIGN KEY (y, x) REFERENCES parent (a, b) ON DELETE CASCADE ON UPDATE SET NULL) PARTITION BY RANGE (id);
CREATE TABLE child1 PARTITION OF child DEFAULT;
CREATE TABLE late (id int PRIMARY KEY, up int REFERENCES late DEFERRABLE);
CREATE TABLE top (id int PRIMARY KEY);
CREATE TABLE below (id int PRIMARY KEY REFERENCES top DEFERRABLE INITIALLY DEFERRED);
CREATE TABLE once (id int REFERENCES top);
ALTER TABLE once ADD CONSTRAINT loose FOREIGN KEY (id) REFERENCES below NOT VALID;
CREATE TABLE base (a int); CREATE TABLE heir () INHERITS (base);
CREATE UNLOGGED TABLE parent3 PARTITION OF parent DEFAULT`)
		got := read(t, conn, dialect.SourceOptions{})
		for _, name := range []string{"child", "child1"} {
			keys := got[name].Table.ForeignKeys
			if len(keys) != 1 {
				t.Fatalf("%s has the foreign keys %v", name, keys)
			}
			is(t, name, []any{keys[0].Columns, keys[0].Parent, keys[0].Referenced, keys[0].Acts()},
				[]any{[]int{2, 1}, schema.Name{Schema: "shop", Table: "parent"}, []string{"a", "b"}, false})
		}
		is(t, "roots", []uint32{got["parent"].Root, got["parent1"].Root, got["parent21"].Root, got["parent2"].Root},
			[]uint32{0, got["parent"].OID, got["parent"].OID, got["parent"].OID})
		is(t, "kinds", []string{got["parent"].Kind, got["parent1"].Kind, got["parent2"].Kind}, []string{"partitioned table", "table", "partitioned table"})
		is(t, "not valid", []int{len(got["once"].Table.ForeignKeys), len(got["once"].Table.Unsupported)}, []int{1, 1})
		is(t, "odd", []int{len(got["base"].Odd), len(got["heir"].Odd), len(got["parent"].Odd), len(got["parent1"].Odd), len(got["parent3"].Odd)}, []int{1, 1, 1, 0, 1})
		if version >= 18 {
			run(t, conn, `CREATE EXTENSION btree_gist SCHEMA pg_catalog; SET search_path = shop;
CREATE TABLE spans (id int, at tsrange, PRIMARY KEY (id, at WITHOUT OVERLAPS), v tsrange, UNIQUE (id, v WITHOUT OVERLAPS));
CREATE TABLE inside (id int, at tsrange, FOREIGN KEY (id, PERIOD at) REFERENCES spans (id, PERIOD at));
CREATE TABLE unheeded (id int REFERENCES top NOT ENFORCED)`)
			got = read(t, conn, dialect.SourceOptions{})
			is(t, "spans", []any{got["spans"].Table.PrimaryKey, len(got["spans"].Table.Uniques), len(got["spans"].Table.Unsupported)}, []any{[]int{0, 1}, 0, 1})
			for _, name := range []string{"inside", "unheeded"} {
				is(t, name, []int{len(got[name].Table.ForeignKeys), len(got[name].Table.Unsupported)}, []int{0, 1})
			}
		}
	})
}

// TestSourceAsked: tables by oid, and no others.
func TestSourceAsked(t *testing.T) {
	on(t, func(t *testing.T, conn *pgconn.PgConn, _ int) {
		run(t, conn, `CREATE TABLE public.one (a int); CREATE TABLE public.two (a int)`)
		all := read(t, conn, dialect.SourceOptions{})
		got, err := dialect.ReadSource(t.Context(), conn, []uint32{all["two"].OID, 1 << 31}, dialect.SourceOptions{})
		if err != nil || len(got) != 1 || got[0].Table.Name.Table != "two" {
			t.Errorf("got %v, %v", got, err)
		}
		if got, err = dialect.ReadSource(t.Context(), conn, []uint32{}, dialect.SourceOptions{}); err != nil || len(got) != 0 {
			t.Errorf("of no oids: %v, %v", got, err)
		}
	})
}
