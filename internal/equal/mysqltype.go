package main

import (
	"cmp"
	"fmt"
	"regexp"
	"strings"
)

// mysqlType is a column's type as MySQL or MariaDB describes it.
type mysqlType struct {
	column string
	data   string // in lower case, without sizes: bigint
	full   string // bigint(20) unsigned
	json   bool   // MariaDB: LONGTEXT that was declared as JSON
}

// on says which type the column has on the target and how to select it. An
// unknown type is an error: a dump that guesses proves nothing.
func (m mysqlType) on(target string) (column, error) {
	var c column
	var err error
	switch target {
	case sqliteDialect:
		c, err = m.onSQLite()
	case postgresDialect:
		c, err = m.onPostgres()
	case mysqlDialect:
		c, err = m.onMySQL()
	default:
		err = fmt.Errorf("what MySQL becomes on %q is not known", target)
	}
	c.name = m.column
	if err == nil && c.order == "" {
		c.order = mysqlOrder(c)
	}
	return c, err
}

func (m mysqlType) quoted() string { return mysqlName(m.column) }

func (m mysqlType) unsigned() bool { return strings.Contains(strings.ToLower(m.full), "unsigned") }

// integer casts, which drops the zeros ZEROFILL prints.
func (m mysqlType) integer() string {
	if m.unsigned() || m.data == "year" || m.data == "bit" {
		return "CAST(" + m.quoted() + " AS UNSIGNED)"
	}
	return "CAST(" + m.quoted() + " AS SIGNED)"
}

func (m mysqlType) unknown() error {
	return fmt.Errorf("column %q has type %s, which no target has", m.column, m.full)
}

func (m mysqlType) onSQLite() (c column, err error) {
	c.expr = m.quoted()
	switch m.data {
	case "tinyint", "smallint", "mediumint", "int", "bigint", "year":
		c.family, c.form, c.expr = integerFamily, integerForm, m.integer()
	case "bit":
		c.family, c.form, c.expr = integerFamily, integerForm, m.integer()
		if strings.EqualFold(m.full, "bit(64)") {
			c.family, c.form, c.expr = blobFamily, blobForm, m.quoted()
		}
	case "float", "double":
		// A FLOAT prints six digits; the cast gives its exact value.
		c.family, c.form, c.expr = realFamily, realForm, "CAST("+m.quoted()+" AS DOUBLE)"
	case "decimal", "date", "time", "datetime", "timestamp",
		"char", "varchar", "tinytext", "text", "mediumtext", "longtext", "enum", "set":
		c.family, c.form = textFamily, textForm
	case "json", "uuid", "inet4", "inet6":
		c.family, c.form, c.expr = textFamily, textForm, "CAST("+m.quoted()+" AS CHAR)"
	case "binary", "varbinary", "tinyblob", "blob", "mediumblob", "longblob":
		c.family, c.form = blobFamily, blobForm
	default:
		err = m.unknown()
	}
	return c, err
}

// postgresInteger is the smallest type of PostgreSQL that holds every value.
var postgresInteger = map[string]family{
	"tinyint": "smallint", "tinyint unsigned": "smallint", "smallint": "smallint", "smallint unsigned": "integer",
	"mediumint": "integer", "mediumint unsigned": "integer", "int": "integer", "int unsigned": "bigint",
	"bigint": "bigint", "bigint unsigned": "numeric(20,0)", "year": "smallint",
}

func (m mysqlType) onPostgres() (c column, err error) {
	c.expr = m.quoted()
	switch m.data {
	case "tinyint", "smallint", "mediumint", "int", "bigint", "year":
		sign := ""
		if m.unsigned() && m.data != "year" {
			sign = " unsigned"
		}
		c.family, c.form, c.expr = postgresInteger[m.data+sign], integerForm, m.integer()
		if m.data == "bigint" && m.unsigned() {
			c.form, c.order = textForm, c.expr // as every numeric
		}
	case "bit":
		n := m.size()
		c.family, c.form = family("bit("+n+")"), textForm
		c.expr = "LPAD(BIN(" + m.integer() + "), " + n + ", '0')"
	case "float":
		c.family, c.form, c.expr = "real", singleForm, "CAST("+m.quoted()+" AS DOUBLE)"
	case "double":
		c.family, c.form, c.expr = "double precision", realForm, "CAST("+m.quoted()+" AS DOUBLE)"
	case "decimal":
		c.family, c.form, c.order = family("numeric("+m.size()+")"), textForm, m.quoted()
	case "date":
		c.family, c.form = "date", textForm
	case "datetime", "timestamp", "time":
		name := map[string]string{"datetime": "timestamp", "timestamp": "timestamptz", "time": "interval"}[m.data]
		c.family, c.form = family(name+"("+cmp.Or(m.size(), "0")+")"), momentForm
	case "char", "varchar":
		c.family, c.form = family("varchar("+m.size()+")"), textForm
		if m.size() == "0" {
			c.family = "text"
		}
	case "tinytext", "text", "mediumtext", "longtext", "enum", "set":
		c.family, c.form = "text", textForm
		if m.json {
			c.family = "json|text"
		}
	case "json":
		c.family, c.form, c.expr = "json", textForm, "CAST("+m.quoted()+" AS CHAR)"
	case "uuid":
		c.family, c.form, c.expr = "uuid", textForm, "CAST("+m.quoted()+" AS CHAR)"
	case "inet4", "inet6":
		c.family, c.form, c.expr = "inet", addressForm, "CAST("+m.quoted()+" AS CHAR)"
	case "binary", "varbinary", "tinyblob", "blob", "mediumblob", "longblob":
		c.family, c.form = "bytea", blobForm
	default:
		err = m.unknown()
	}
	return c, err
}

// onMySQL says which types are all right on MySQL or MariaDB. A shape in the log
// does not tell how long the longest text or blob may be, so their sizes are not
// compared.
func (m mysqlType) onMySQL() (c column, err error) {
	c.expr = m.quoted()
	sign := ""
	if m.unsigned() {
		sign = " unsigned"
	}
	switch m.data {
	case "tinyint", "smallint", "mediumint", "int", "bigint":
		c.family, c.form, c.expr = family(m.data+sign), integerForm, m.integer()
	case "year":
		c.family, c.form, c.expr = "year", integerForm, m.integer()
	case "bit":
		c.family, c.form, c.expr = family("bit("+m.size()+")"), integerForm, m.integer()
	case "float", "double":
		c.family, c.form, c.expr = family(m.data+sign), realForm, "CAST("+m.quoted()+" AS DOUBLE)"
	case "decimal":
		c.family, c.form, c.order = family("decimal("+m.size()+")"+sign), textForm, m.quoted()
	case "date", "time", "datetime", "timestamp", "char", "varchar", "enum", "set":
		// Their sizes, fractions and labels are in the full type.
		c.family, c.form = m.declared(), textForm
	case "tinytext", "text", "mediumtext", "longtext":
		c.family, c.form = "text", textForm
		if m.json {
			c.family = "json|text"
		}
	case "json":
		c.family, c.form, c.expr = "json", textForm, "CAST("+m.quoted()+" AS CHAR)"
	case "uuid", "inet4", "inet6":
		text := map[string]string{"uuid": "varchar(36)", "inet4": "varchar(15)", "inet6": "varchar(45)"}[m.data]
		c.family, c.form, c.expr = family(m.data+"|"+text), textForm, "CAST("+m.quoted()+" AS CHAR)"
	case "binary", "varbinary":
		c.family, c.form = m.declared(), blobForm
	case "tinyblob", "blob", "mediumblob", "longblob":
		c.family, c.form = "blob", blobForm
	default:
		err = m.unknown()
	}
	return c, err
}

var parenthesised = regexp.MustCompile(`\(([0-9,]+)\)`)

// size is what stands in the type's parentheses, "" if nothing does.
func (m mysqlType) size() string {
	if found := parenthesised.FindStringSubmatch(m.full); found != nil {
		return found[1]
	}
	return ""
}

var comment = regexp.MustCompile(` */\*.*\*/`)

// declared is the full type without MariaDB's remark that it is compressed.
func (m mysqlType) declared() family { return family(comment.ReplaceAllString(m.full, "")) }

// mysqlOrder orders as the targets do: numbers by value, all else by the bytes
// of its UTF-8 text.
func mysqlOrder(c column) string {
	switch c.form {
	case integerForm, realForm, singleForm:
		return c.expr
	case blobForm:
		return "HEX(" + c.expr + ")"
	default:
		return "HEX(CONVERT(" + c.expr + " USING utf8mb4))"
	}
}
