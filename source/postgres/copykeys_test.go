package postgres

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/rowferry/rowferry"
	dialect "github.com/rowferry/rowferry/internal/dialect/postgres"
	"github.com/rowferry/rowferry/internal/testdb"
	"github.com/rowferry/rowferry/internal/testdb/pgtypes"
)

// keyed are tables whose keys are compared in ways of their own, and 30 rows each.
const keyed = `
CREATE COLLATION public.nocase (provider = icu, locale = 'und-u-ks-level2', deterministic = false)
CREATE COLLATION public.swedish (provider = icu, locale = 'sv')
CREATE TABLE k_loose (a text COLLATE public.nocase PRIMARY KEY, v int); INSERT INTO k_loose SELECT chr(65 + g % 2 * 32) || g, g FROM generate_series(0, 29) g
CREATE TABLE k_swedish (a varchar(9) COLLATE public.swedish, b "char", PRIMARY KEY (a, b)); INSERT INTO k_swedish SELECT (ARRAY['ä','z','å','a','ö','o'])[1 + g % 6], chr(97 + g / 6)::"char" FROM generate_series(0, 29) g
CREATE TABLE k_other (a text NOT NULL, v int); CREATE UNIQUE INDEX ON k_other (a COLLATE public.swedish); INSERT INTO k_other SELECT (ARRAY['ä','z','å','a','ö','o'])[1 + g % 6] || g, g FROM generate_series(0, 29) g; ALTER TABLE k_other REPLICA IDENTITY FULL
CREATE TABLE k_ci (a public.citext, n int, PRIMARY KEY (a, n)); INSERT INTO k_ci SELECT chr(65 + g % 2 * 32 + g % 5), g FROM generate_series(0, 29) g
CREATE TABLE k_ci1 (a public.citext PRIMARY KEY); INSERT INTO k_ci1 SELECT chr(65 + g % 2 * 32) || g FROM generate_series(0, 29) g
CREATE TABLE k_pattern (a text NOT NULL, b int NOT NULL); CREATE UNIQUE INDEX kp ON k_pattern (a text_pattern_ops, b); ALTER TABLE k_pattern REPLICA IDENTITY USING INDEX kp; INSERT INTO k_pattern SELECT 'a' || g % 3, g FROM generate_series(0, 29) g
CREATE TABLE k_desc (a int NOT NULL, b int NOT NULL); CREATE UNIQUE INDEX kd ON k_desc (a DESC, b); ALTER TABLE k_desc REPLICA IDENTITY USING INDEX kd; INSERT INTO k_desc SELECT g % 4, g FROM generate_series(0, 29) g
CREATE TABLE k_price (v int, p app.price, l app.list, n numeric, PRIMARY KEY (n, p, l)); INSERT INTO k_price SELECT g, g % 3, ARRAY[g % 2, g], (ARRAY['1.0', '1.00', '-Infinity', 'NaN', '1e40'])[1 + g % 5]::numeric FROM generate_series(0, 29) g
CREATE TABLE k_padded (c char(4), b bpchar, bits bit(7), y bytea, PRIMARY KEY (bits, c, b, y)); INSERT INTO k_padded SELECT 'a', 'b', (g % 3)::bit(7), decode(lpad(to_hex(g), 2, '0'), 'hex') FROM generate_series(0, 29) g
CREATE TABLE k_times (z timestamptz, d date, t timestamp, i interval, b boolean, PRIMARY KEY (b, z, d, t, i)); INSERT INTO k_times SELECT (ARRAY['infinity', '0044-03-15 12:00:00 BC', '2024-01-01 00:00:00.5'])[1 + g % 3]::timestamptz, '-infinity', 'infinity', g * interval '1 hour', g % 2 = 0 FROM generate_series(0, 29) g
CREATE TABLE k_row (o app."Odd Name" PRIMARY KEY); INSERT INTO k_row SELECT (g % 3, g, 'ok')::app."Odd Name" FROM generate_series(0, 29) g
CREATE TABLE k_parts (a int, b text, PRIMARY KEY (a, b)) PARTITION BY HASH (a); CREATE TABLE k_p1 PARTITION OF k_parts FOR VALUES WITH (MODULUS 2, REMAINDER 0); CREATE TABLE k_p2 PARTITION OF k_parts FOR VALUES WITH (MODULUS 2, REMAINDER 1); INSERT INTO k_parts SELECT g % 7, g FROM generate_series(0, 29) g
CREATE TABLE "k odd" ("A ""b""" int, "select" text, PRIMARY KEY ("select", "A ""b""")); INSERT INTO "k odd" SELECT g, E'it''s \\ ' || g % 3 FROM generate_series(0, 29) g`

// Chunks have every row once, whatever the key is made of.
func TestCopyChunks(t *testing.T) {
	eachServer(t, func(t *testing.T, k testdb.Kind) {
		t.Parallel()
		p := newPlace(t, k)
		p.exec(pgtypes.Setup)
		p.run(keyed)
		for i, c := range pgtypes.Cases(major(t, p.server)) {
			_, err := p.db.Exec(fmt.Sprintf("CREATE TABLE t%d (k %s PRIMARY KEY)", i, c.Declared))
			if err != nil {
				if !strings.Contains(err.Error(), "no default operator class") {
					t.Errorf("%s: %v", c.Declared, err)
				}
				continue // no key is of this type
			}
			for _, v := range c.Values {
				p.exec(fmt.Sprintf("INSERT INTO t%d VALUES (%s) ON CONFLICT DO NOTHING", i, dialect.Literal(v)))
			}
		}
		c := p.copies()
		split := 0
		for _, table := range c.copy.Tables() {
			name := table.Shape.Name.Table
			if table.Shape.Identity() == nil {
				continue // floating point does not identify
			}
			want := c.read(&table, nil, nil)
			if strings.HasPrefix(name, "k") && len(want) != 30 {
				t.Fatalf("%s has %d rows", name, len(want))
			}
			for _, n := range []int{1, 2, 7} {
				got := c.whole(&table, n)
				if !slices.EqualFunc(got, want, slices.Equal[rowferry.Row]) {
					t.Errorf("%s in chunks of %d: %v, want %v", name, n, got, want)
				}
			}
			split++
		}
		if split < 60 {
			t.Errorf("only %d tables were read in chunks", split)
		}
	})
}

// The rows of a chunk are found by the index, in its order.
func TestCopyUsesTheIndex(t *testing.T) {
	eachServer(t, func(t *testing.T, k testdb.Kind) {
		t.Parallel()
		p := newPlace(t, k)
		p.exec(pgtypes.Setup)
		p.run(keyed)
		p.run("CREATE TABLE t (lang text, word text, n int, PRIMARY KEY (lang, word)); INSERT INTO t SELECT 'en', g::text, g FROM generate_series(1, 50000) g; ANALYZE t")
		c := p.copies()
		s, err := openSession(t.Context(), p.endpoint())
		if err != nil {
			t.Fatal(err)
		}
		defer s.close()
		if err := s.exec(t.Context(), "SET enable_seqscan = off"); err != nil {
			t.Fatal(err)
		}
		inner, _ := c.copy.(*copying)
		for _, table := range inner.tables {
			name := table.Shape.Name.Table
			rows := c.read(&table.CopyTable, nil, nil)
			first, last := keyOf(table.Shape, rows[len(rows)/3]), keyOf(table.Shape, rows[len(rows)/2])
			read, err := table.readQuery(first, last)
			if err != nil {
				t.Fatal(err)
			}
			split, err := table.splitQuery(first, 5)
			if err != nil {
				t.Fatal(err)
			}
			fetch, err := table.fetchQuery([][]rowferry.Value{first, last})
			if err != nil {
				t.Fatal(err)
			}
			for what, q := range map[string]*copyQuery{"read": read, "split": split, "fetch": fetch} {
				plan := explain(t, s, q)
				if !strings.Contains(plan, "Index Cond") || strings.Contains(plan, "Seq Scan") {
					t.Errorf("%s %s: %s\n%s", what, name, q.sql.String(), plan)
				}
				if what == "split" && name != "k_desc" && strings.Contains(plan, "Sort") && !strings.Contains(plan, "Merge Append") {
					t.Errorf("the keys of %s are sorted: %s\n%s", name, q.sql.String(), plan)
				}
			}
		}
	})
}

func explain(t testing.TB, s *session, q *copyQuery) string {
	t.Helper()
	var plan []string
	result := s.conn.ExecParams(t.Context(), "EXPLAIN "+q.sql.String(), q.args, nil, nil, nil)
	for result.NextRow() {
		plan = append(plan, string(result.Values()[0]))
	}
	if _, err := result.Close(); err != nil {
		t.Fatal(err)
	}
	return strings.Join(plan, "\n")
}
