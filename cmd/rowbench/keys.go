package main

import (
	"context"
	"database/sql"
	"errors"

	"github.com/rowferry/rowferry/internal/testdb"
)

// mysqlIndexes is a query of a bench's indexes: table, then columns and whether
// unique.
const mysqlIndexes = `SELECT DISTINCT table_name, columns FROM (
	SELECT table_name, CONCAT(GROUP_CONCAT(column_name ORDER BY seq_in_index), IF(MAX(non_unique) = 0, ' unique', '')) AS columns
	FROM information_schema.statistics WHERE table_schema = '` + database + `' AND table_name NOT LIKE 'rowferry%'
	GROUP BY table_name, index_name) i ORDER BY 1, 2`

// mysqlForeignKeys is a query of a bench's foreign keys: table, then columns and
// what they refer to.
const mysqlForeignKeys = `SELECT table_name, CONCAT(GROUP_CONCAT(column_name ORDER BY ordinal_position), ' to ', referenced_table_name, ' ',
		GROUP_CONCAT(referenced_column_name ORDER BY ordinal_position))
	FROM information_schema.key_column_usage WHERE table_schema = '` + database + `' AND referenced_table_name IS NOT NULL
	GROUP BY table_name, constraint_name, referenced_table_name ORDER BY 1, 2`

// postgresIndexes and postgresForeignKeys are the same of PostgreSQL.
const postgresIndexes = `SELECT c.relname::text, string_agg(a.attname, ',' ORDER BY k.at) || CASE WHEN i.indisunique THEN ' unique' ELSE '' END
	FROM pg_index i JOIN pg_class c ON c.oid = i.indrelid CROSS JOIN LATERAL unnest(i.indkey) WITH ORDINALITY k (number, at)
	JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = k.number
	WHERE c.relnamespace = '` + database + `'::regnamespace AND c.relname NOT LIKE 'rowferry%'
	GROUP BY c.relname, i.indexrelid, i.indisunique ORDER BY 1, 2`

const postgresForeignKeys = `SELECT conrelid::regclass::text, pg_get_constraintdef(oid) FROM pg_constraint
	WHERE contype = 'f' AND connamespace = '` + database + `'::regnamespace ORDER BY 1, 2`

// keysOf are a server's indexes and foreign keys.
func keysOf(ctx context.Context, s *testdb.Server) (keys [][2]string, err error) {
	queries := []string{mysqlIndexes, mysqlForeignKeys}
	if s.Kind.Flavor() == testdb.Postgres {
		queries = []string{postgresIndexes, postgresForeignKeys}
	}
	for _, q := range queries {
		some, err := pairsOf(ctx, s.DB(), q)
		if err != nil {
			return nil, err
		}
		keys = append(keys, some...)
	}
	return keys, nil
}

// pairsOf returns a query's lines of two columns.
func pairsOf(ctx context.Context, db *sql.DB, query string) (all [][2]string, err error) {
	rows, err := db.QueryContext(ctx, query)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		var p [2]string
		if err := rows.Scan(&p[0], &p[1]); err != nil {
			return nil, err
		}
		all = append(all, p)
	}
	return all, rows.Err()
}
