package load

import (
	"context"
	"database/sql"
	"fmt"
	"strings"
)

// postgresTriggers makes the triggers that keep a table's digest, once a
// statement. They read the session's setting load.writer; the writer's row is
// there already, so writers never wait for each other here.
func postgresTriggers(ctx context.Context, db *sql.DB, table string) error {
	columns, err := postgresColumns(ctx, db, table)
	if err != nil {
		return err
	}
	sum := func(rows string) string {
		return "(SELECT COALESCE(SUM(" + postgresChecksum(columns) + "), 0)::bigint FROM " + rows + ")"
	}
	var statements []string
	for _, e := range []struct{ event, rows, count, digest string }{
		{"insert", "NEW TABLE AS added", "+ (SELECT COUNT(*) FROM added)", "+ " + sum("added")},
		{"delete", "OLD TABLE AS gone", "- (SELECT COUNT(*) FROM gone)", "- " + sum("gone")},
		{"update", "OLD TABLE AS gone NEW TABLE AS added", "+ 0", "+ " + sum("added") + " - " + sum("gone")},
	} {
		_, changed, _ := strings.Cut(e.rows, " AS ")
		changed, _, _ = strings.Cut(changed, " ")
		function := "digest_" + table + "_" + e.event
		statements = append(statements,
			fmt.Sprintf(`CREATE FUNCTION %s() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
				UPDATE digests SET cnt = cnt %s, digest = digest %s
				WHERE writer = current_setting('load.writer')::int AND tbl = '%s' AND EXISTS (SELECT 1 FROM %s);
				RETURN NULL; END $$`, function, e.count, e.digest, table, changed),
			fmt.Sprintf("CREATE TRIGGER %s AFTER %s ON %s REFERENCING %s FOR EACH STATEMENT EXECUTE FUNCTION %[1]s()", function, e.event, table, e.rows))
	}
	for _, q := range statements {
		if _, err := db.ExecContext(ctx, q); err != nil {
			return err
		}
	}
	return nil
}

// postgresCover records which columns a table's digest covers. The checksum is
// MD5's first 32 bits: PostgreSQL has no CRC before its version 18.
func postgresCover(ctx context.Context, db *sql.DB, table string) error {
	columns, err := postgresColumns(ctx, db, table)
	if err != nil {
		return err
	}
	var values []string
	for i, c := range columns {
		values = append(values, fmt.Sprintf("('%s', %d, '%s', %s, 'md5')", table, i+1, c.name, c.fsp))
	}
	_, err = db.ExecContext(ctx, "INSERT INTO digest_columns (tbl, pos, col, fsp, hash) VALUES "+strings.Join(values, ", "))
	return err
}

// postgresColumns lists the columns of a checksum. A domain counts as what it
// is of.
func postgresColumns(ctx context.Context, db *sql.DB, table string) ([]digestColumn, error) {
	rows, err := db.QueryContext(ctx, `SELECT a.attname::text, COALESCE(b.typname, t.typname)::text, COALESCE(b.typoutput, t.typoutput)::text
		FROM pg_catalog.pg_attribute a JOIN pg_catalog.pg_type t ON t.oid = a.atttypid
		LEFT JOIN pg_catalog.pg_type b ON b.oid = t.typbasetype
		WHERE a.attrelid = $1::text::regclass AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum`, table)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var columns []digestColumn
	for rows.Next() {
		c := digestColumn{fsp: "NULL"}
		var name, output string
		if err := rows.Scan(&c.name, &name, &output); err != nil {
			return nil, err
		}
		// As the log has it, which a cast to text does not always print.
		c.text = "textin(" + output + "(%s))"
		switch name {
		case "float4", "float8":
			continue
		case "bool":
			c.text = "%s::int::text"
		case "bit":
			c.text = "%s::bigint::text"
		case "bytea":
			c.text = "upper(encode(%s, 'hex'))"
		case "timestamp":
			c.text, c.fsp = "to_char(%s, 'YYYY-MM-DD HH24:MI:SS.US')", "6"
		case "timestamptz":
			c.text, c.fsp = "to_char(%s AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS.US')", "6"
		case "time":
			c.text, c.fsp = "to_char(%s::interval, 'HH24:MI:SS.US')", "6"
		}
		columns = append(columns, c)
	}
	return columns, rows.Err()
}

// postgresChecksum is the SQL of a row's checksum.
func postgresChecksum(columns []digestColumn) string {
	var parts []string
	for _, c := range columns {
		parts = append(parts, "COALESCE('=' || "+fmt.Sprintf(c.text, c.name)+" || '|', '~|')")
	}
	return "('x' || left(md5(" + strings.Join(parts, " || ") + "), 8))::bit(32)::bigint"
}
