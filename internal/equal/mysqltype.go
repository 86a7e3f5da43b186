package main

import (
	"fmt"
	"strings"
)

// mysqlColumn says which type the column has on the target and how to select
// it. An unknown type is an error: a dump that guesses proves nothing.
func mysqlColumn(name, dataType, columnType string) (column, error) {
	c := column{name: name}
	quoted := mysqlName(name)
	switch strings.ToLower(dataType) {
	case "tinyint", "smallint", "mediumint", "int", "bigint":
		// The cast drops the zeros ZEROFILL prints.
		c.family, c.expr = integerFamily, "CAST("+quoted+" AS SIGNED)"
		if strings.Contains(strings.ToLower(columnType), "unsigned") {
			c.expr = "CAST(" + quoted + " AS UNSIGNED)"
		}
	case "year":
		c.family, c.expr = integerFamily, "CAST("+quoted+" AS UNSIGNED)"
	case "bit":
		c.family, c.expr = integerFamily, "CAST("+quoted+" AS UNSIGNED)"
		if strings.EqualFold(columnType, "bit(64)") {
			c.family, c.expr = blobFamily, quoted
		}
	case "float", "double":
		// A FLOAT prints six digits; the cast gives its exact value.
		c.family, c.expr = realFamily, "CAST("+quoted+" AS DOUBLE)"
	case "decimal", "date", "time", "datetime", "timestamp",
		"char", "varchar", "tinytext", "text", "mediumtext", "longtext", "enum", "set":
		c.family, c.expr = textFamily, quoted
	case "json", "uuid", "inet4", "inet6":
		c.family, c.expr = textFamily, "CAST("+quoted+" AS CHAR)"
	case "binary", "varbinary", "tinyblob", "blob", "mediumblob", "longblob":
		c.family, c.expr = blobFamily, quoted
	default:
		return c, fmt.Errorf("column %q has type %s, which no target has", name, columnType)
	}
	c.order = mysqlOrder(c)
	return c, nil
}

// mysqlOrder orders as SQLite does: integers by value, all else by the bytes of
// its UTF-8 text.
func mysqlOrder(c column) string {
	switch c.family {
	case integerFamily, realFamily:
		return c.expr
	case blobFamily:
		return "HEX(" + c.expr + ")"
	default:
		return "HEX(CONVERT(" + c.expr + " USING utf8mb4))"
	}
}
