package load

import (
	"context"
	"database/sql"
	"fmt"
	"strings"
)

// mySQLTriggers makes the triggers that keep a table's digest. They read the
// session's @writer; the writer's row is there already, so writers never wait
// for each other here.
func mySQLTriggers(ctx context.Context, db *sql.DB, table string) error {
	columns, err := digestColumns(ctx, db, table)
	if err != nil {
		return err
	}
	var statements []string
	for _, e := range []struct{ event, count, digest string }{
		{"INSERT", "+ 1", "+ " + checksum("NEW", columns)},
		{"DELETE", "- 1", "- " + checksum("OLD", columns)},
		{"UPDATE", "+ 0", "+ " + checksum("NEW", columns) + " - " + checksum("OLD", columns)},
	} {
		statements = append(statements, fmt.Sprintf(`CREATE TRIGGER %s_%s AFTER %s ON %s FOR EACH ROW
			UPDATE digests SET cnt = cnt %s, digest = digest %s WHERE writer = @writer AND tbl = '%s'`,
			table, strings.ToLower(e.event), e.event, table, e.count, e.digest, table))
	}
	for _, q := range statements {
		if _, err := db.ExecContext(ctx, q); err != nil {
			return err
		}
	}
	return nil
}

// mySQLCover records which columns a table's digest covers.
func mySQLCover(ctx context.Context, db *sql.DB, table string) error {
	columns, err := digestColumns(ctx, db, table)
	if err != nil {
		return err
	}
	var values []string
	for i, c := range columns {
		values = append(values, fmt.Sprintf("('%s', %d, '%s', %s)", table, i+1, c.name, c.fsp))
	}
	_, err = db.ExecContext(ctx, "INSERT INTO digest_columns (tbl, pos, col, fsp) VALUES "+strings.Join(values, ", "))
	return err
}

// digestColumn is a column in a checksum: its name, its text as a format of the
// qualified name, and a time's digits of a second, NULL for what is no time.
type digestColumn struct{ name, text, fsp string }

func digestColumns(ctx context.Context, db *sql.DB, table string) ([]digestColumn, error) {
	rows, err := db.QueryContext(ctx, `SELECT COLUMN_NAME, DATA_TYPE, COALESCE(DATETIME_PRECISION, 'NULL') FROM information_schema.COLUMNS
		WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME = ? ORDER BY ORDINAL_POSITION`, table)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var columns []digestColumn
	for rows.Next() {
		c := digestColumn{text: "CONVERT(%s USING utf8mb4)"}
		var dataType string
		if err := rows.Scan(&c.name, &dataType, &c.fsp); err != nil {
			return nil, err
		}
		switch dataType {
		case "json", "float", "double":
			continue
		case "bit", "year":
			c.text = "CONVERT(CAST(%s AS UNSIGNED) USING utf8mb4)"
		case "binary", "varbinary", "tinyblob", "blob", "mediumblob", "longblob":
			c.text = "HEX(%s)"
		}
		columns = append(columns, c)
	}
	return columns, rows.Err()
}

// checksum is the SQL of a row's checksum. All parts are cast to bytes: columns
// of several collations cannot be joined otherwise.
func checksum(row string, columns []digestColumn) string {
	var parts []string
	for _, c := range columns {
		text := fmt.Sprintf(c.text, row+".`"+c.name+"`")
		parts = append(parts, "IFNULL(CONCAT('=', CAST("+text+" AS BINARY), '|'), '~|')")
	}
	return "CAST(CRC32(CONCAT(" + strings.Join(parts, ", ") + ")) AS SIGNED)"
}
