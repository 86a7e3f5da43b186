package main

import (
	"context"
	"database/sql"
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strings"

	_ "github.com/jackc/pgx/v5/stdlib" // registers "pgx"
)

// postgresSide reads PostgreSQL. Every value is selected as text.
type postgresSide struct {
	sqlSide
	schemas []string // nil: all that have tables
	known   []table  // of a load
}

// postgresSession fixes how values print. The first statement after BEGIN takes
// the snapshot.
var postgresSession = []string{
	"SET TimeZone = 'UTC'", "SET DateStyle = 'ISO, YMD'", "SET IntervalStyle = 'postgres'",
	"SET extra_float_digits = 1", "SET search_path = ''",
	"BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY", "SELECT COUNT(*) FROM pg_catalog.pg_class",
}

func openPostgres(ctx context.Context, raw string) (*postgresSide, error) {
	u, err := url.Parse(raw)
	if err != nil {
		return nil, err
	}
	s := &postgresSide{schemas: u.Query()["schema"]}
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
	err = s.query(ctx, `SELECT attname::text, pg_catalog.format_type(atttypid, atttypmod)
		FROM pg_catalog.pg_attribute WHERE attrelid = `+oid+` AND attnum > 0 AND NOT attisdropped`, func(raw [][]byte) error {
		c, err := postgresColumn(string(raw[0]), string(raw[1]))
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

// postgresTypes are the types that targets have.
var postgresTypes = []struct {
	pattern *regexp.Regexp
	form    form
	expr    string // of the column, as text
	byValue bool   // is ordered by its value
}{
	{regexp.MustCompile(`^(smallint|integer|bigint)$`), integerForm, "%s::text", true},
	{regexp.MustCompile(`^numeric(\(\d+,-?\d+\))?$`), textForm, "%s::text", true},
	{regexp.MustCompile(`^real$`), singleForm, "%s::text", true},
	{regexp.MustCompile(`^double precision$`), realForm, "%s::text", true},
	{regexp.MustCompile(`^(text|(var)?char(\(\d+\))?)$`), textForm, "%s::text", false},
	{regexp.MustCompile(`^bytea$`), hexForm, "encode(%s, 'hex')", false},
	{regexp.MustCompile(`^(date|json|uuid|boolean|bit\(\d+\))$`), textForm, "%s::text", false},
	{regexp.MustCompile(`^timestamp(\(\d\))?$`), momentForm, "%s::text", false},
	{regexp.MustCompile(`^timestamptz(\(\d\))?$`), momentForm, "(%s AT TIME ZONE 'UTC')::text", false},
	{regexp.MustCompile(`^interval(\(\d\))?$`), momentForm, "%s::text", false},
	{regexp.MustCompile(`^inet$`), addressForm, "abbrev(%s)", false},
}

// shortTypes makes the names of format_type those that people write.
var shortTypes = strings.NewReplacer("character varying", "varchar", "character", "char", " without time zone", "")

var zoned = regexp.MustCompile(`^timestamp(\(\d\))? with time zone$`)

func postgresColumn(name, declared string) (column, error) {
	short := zoned.ReplaceAllString(shortTypes.Replace(declared), "timestamptz$1")
	c := column{name: name, family: family(short)}
	for _, t := range postgresTypes {
		if !t.pattern.MatchString(short) {
			continue
		}
		quoted := postgresName(name)
		c.form, c.expr = t.form, fmt.Sprintf(t.expr, quoted)
		c.order = c.expr + ` COLLATE "C"`
		if t.byValue {
			c.order = quoted
		}
		return c, nil
	}
	return c, fmt.Errorf("column %q has type %s, which nothing becomes", name, declared)
}

func postgresName(s string) string { return `"` + strings.ReplaceAll(s, `"`, `""`) + `"` }
