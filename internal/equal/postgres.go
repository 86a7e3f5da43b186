package main

import (
	"context"
	"database/sql"
	"fmt"
	"net/url"
	"slices"
	"strings"

	_ "github.com/jackc/pgx/v5/stdlib" // registers "pgx"
)

// postgresSide reads PostgreSQL. Every value is selected as text.
type postgresSide struct {
	sqlSide
	target  string   // whose types are asserted
	schemas []string // nil: all that have tables
	known   []table  // of a load
}

// postgresSession fixes how values print. The first statement after BEGIN takes
// the snapshot.
var postgresSession = []string{
	"SET TimeZone = 'UTC'", "SET DateStyle = 'ISO, YMD'", "SET IntervalStyle = 'postgres'",
	"SET extra_float_digits = 1", "SET search_path = ''", "SET jit = off",
	"BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY", "SELECT COUNT(*) FROM pg_catalog.pg_class",
}

func openPostgres(ctx context.Context, raw, target string) (*postgresSide, error) {
	u, err := url.Parse(raw)
	if err != nil {
		return nil, err
	}
	s := &postgresSide{target: target, schemas: u.Query()["schema"]}
	q := u.Query()
	q.Del("schema")
	u.RawQuery = q.Encode()
	db, err := sql.Open("pgx", u.String())
	if err != nil {
		return nil, fmt.Errorf("%s: %w", u.Redacted(), err)
	}
	if s.sqlSide, err = openSQL(ctx, db, postgresSession); err != nil {
		return nil, fmt.Errorf("%s: %w", u.Host, err)
	}
	return s, nil
}

// tables reads the catalog; partitions are parts of their table.
func (s *postgresSide) tables(ctx context.Context, want func(string) bool) ([]table, error) {
	type named struct{ oid, schema, name string }
	var found []named
	schemas := map[string]bool{}
	err := s.query(ctx, `SELECT c.oid::text, n.nspname::text, c.relname::text
		FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
		WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition
		AND n.nspname <> 'information_schema' AND n.nspname NOT LIKE 'pg\_%'`, func(raw [][]byte) error {
		n := named{string(raw[0]), string(raw[1]), string(raw[2])}
		if want(n.name) && (s.schemas == nil || slices.Contains(s.schemas, n.schema)) {
			found = append(found, n)
			schemas[n.schema] = true
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	var tables []table
	for _, n := range found {
		t, err := s.table(ctx, n.oid)
		if err != nil {
			return nil, fmt.Errorf("table %q: %w", n.name, err)
		}
		t.name, t.from = n.name, postgresName(n.schema)+"."+postgresName(n.name)
		if max(len(s.schemas), len(schemas)) > 1 {
			t.name = n.schema + "." + n.name
		}
		tables = append(tables, t)
	}
	return tables, nil
}

// table reads a table's columns, generated ones too, and its key.
func (s *postgresSide) table(ctx context.Context, oid string) (t table, err error) {
	err = s.query(ctx, strings.ReplaceAll(postgresColumns, "TABLE", oid), func(raw [][]byte) error {
		p := postgresType{
			column: string(raw[0]), declared: string(raw[1]), name: string(raw[2]), kind: string(raw[3]), parts: string(raw[4]), output: string(raw[5]), keyed: string(raw[6]) == "true",
		}
		c, err := p.on(s.target)
		t.columns = append(t.columns, c)
		return err
	})
	if err != nil {
		return t, err
	}
	key, err := s.strings(ctx, `SELECT a.attname::text FROM pg_catalog.pg_index i
		CROSS JOIN LATERAL unnest(i.indkey) WITH ORDINALITY AS k (attnum, pos)
		JOIN pg_catalog.pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.attnum
		WHERE i.indrelid = `+oid+` AND i.indisprimary ORDER BY k.pos`)
	t.key = positions(byName(t.columns), key)
	return t, err
}

// postgresColumns lists the columns of a table: name, type, the type's name,
// kind, what a made type consists of, what prints it, and whether the column is in a key. A type
// of the catalog's own is not looked into.
const postgresColumns = `SELECT a.attname::text, pg_catalog.format_type(b.typ, b.mod), t.typname::text, t.typtype::text,
	CASE t.typtype
	WHEN 'e' THEN (SELECT '(' || string_agg(quote_literal(e.enumlabel), ',' ORDER BY e.enumsortorder) || ')'
		FROM pg_catalog.pg_enum e WHERE e.enumtypid = t.oid)
	WHEN 'c' THEN (SELECT '(' || string_agg(quote_ident(f.attname) || ' ' || pg_catalog.format_type(f.atttypid, f.atttypmod), ',' ORDER BY f.attnum) || ')'
		FROM pg_catalog.pg_attribute f WHERE f.attrelid = t.typrelid AND f.attnum > 0 AND NOT f.attisdropped)
	END, t.typoutput::text,
	(EXISTS (SELECT 1 FROM pg_catalog.pg_index i WHERE i.indrelid = a.attrelid AND i.indisunique AND a.attnum = ANY (i.indkey))
	OR EXISTS (SELECT 1 FROM pg_catalog.pg_constraint f WHERE f.conrelid = a.attrelid AND f.contype = 'f' AND a.attnum = ANY (f.conkey)))::text
	FROM pg_catalog.pg_attribute a
	CROSS JOIN LATERAL (WITH RECURSIVE base (typ, mod) AS (SELECT a.atttypid, a.atttypmod
		UNION ALL SELECT d.typbasetype, d.typtypmod FROM base JOIN pg_catalog.pg_type d ON d.oid = base.typ WHERE d.typtype = 'd')
		SELECT base.typ, base.mod FROM base JOIN pg_catalog.pg_type d ON d.oid = base.typ WHERE d.typtype <> 'd') b
	JOIN pg_catalog.pg_type t ON t.oid = b.typ
	WHERE a.attrelid = TABLE AND a.attnum > 0 AND NOT a.attisdropped`

func postgresName(s string) string { return `"` + strings.ReplaceAll(s, `"`, `""`) + `"` }
