package main

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
)

// postgresType is a column's type as PostgreSQL describes it, a domain's being
// that of its base.
type postgresType struct {
	column   string
	declared string // format_type's: character varying(20), public.mood
	name     string // in the catalog: varchar, mood
	kind     string // pg_type.typtype
	parts    string // an enum's labels or a composite's attributes, as SQL
	output   string // the function that prints a value, as SQL
	keyed    bool   // the column is in a key, and so in an index
}

// on says which type the column has on the target and how to select it.
func (p postgresType) on(target string) (column, error) {
	var c column
	switch target {
	case postgresDialect:
		c = p.onPostgres()
	case mysqlDialect:
		c = p.onMySQL()
	case sqliteDialect:
		c = p.onSQLite()
	default:
		return c, fmt.Errorf("what PostgreSQL becomes on %q is not known", target)
	}
	c.name = p.column
	c.order = c.expr + ` COLLATE "C"`
	switch p.name {
	case "int2", "int4", "int8", "numeric", "float4", "float8":
		c.order = p.quoted()
	}
	return c, nil
}

func (p postgresType) quoted() string { return postgresName(p.column) }

// text is the SQL of a value as its own type prints it, which a cast to text does
// not always do: it cuts the spaces off a char(n), and adds the width to an inet.
func (p postgresType) text() string { return "textin(" + p.output + "(" + p.quoted() + "))" }

// utc is the SQL of an instant or a time without zone.
func (p postgresType) utc() string {
	if p.name == "timestamptz" {
		return "(" + p.quoted() + " AT TIME ZONE 'UTC')"
	}
	return p.quoted()
}

// shortTypes makes the names of format_type those that people write.
var shortTypes = strings.NewReplacer("character varying", "varchar", "character", "char", " without time zone", "")

var zoned = regexp.MustCompile(`^timestamp(\(\d\))? with time zone$`)

// onPostgres is exactly the type, its labels or attributes too. Every value is
// compared as the text of its type.
func (p postgresType) onPostgres() (c column) {
	c.family = family(zoned.ReplaceAllString(shortTypes.Replace(p.declared), "timestamptz$1") + p.parts)
	c.form, c.expr = textForm, p.text()
	switch p.name {
	case "int2", "int4", "int8":
		c.form = integerForm
	case "float4":
		c.form = singleForm
	case "float8":
		c.form = realForm
	case "bytea":
		c.form, c.expr = hexForm, "encode("+p.quoted()+", 'hex')"
	case "timestamp", "timestamptz":
		c.form, c.expr = momentForm, p.utc()+"::text"
	case "interval":
		c.form = momentForm
	case "inet":
		c.form = networkForm // MySQL and MariaDB print addresses in another way
	}
	return c
}

// sizes are the numbers in the parentheses of a type, -1 where there are none.
func (p postgresType) sizes() (first, second int) {
	all := strings.Split(sizePattern.FindString(p.declared), ",")
	number := func(s string) int {
		n, err := strconv.Atoi(strings.Trim(s, "()"))
		if err != nil {
			return -1
		}
		return n
	}
	if len(all) == 2 {
		return number(all[0]), number(all[1])
	}
	return number(all[0]), -1
}

var sizePattern = regexp.MustCompile(`\(\d+(,-?\d+)?\)`)

// digits are those of a second that a time may have.
func (p postgresType) digits() int {
	if n, _ := p.sizes(); n >= 0 {
		return n
	}
	return 6
}

// bits is the SQL of a bit string's number.
func (p postgresType) bits(n int) string {
	number := p.quoted() + "::bigint"
	if n < 64 {
		return number + "::text"
	}
	return "(" + number + " + CASE WHEN " + number + " < 0 THEN 18446744073709551616 ELSE 0 END)::text"
}

// MySQL's limits: of a DECIMAL, and of a VARCHAR of four bytes a character.
const (
	mostDigits   = 65
	mostScale    = 30
	mostVarchars = 16383
)

// onMySQL says which types are all right on MySQL or MariaDB. What has no
// counterpart is exact text; in a key it is a text that an index can hold, of
// whatever length.
func (p postgresType) onMySQL() (c column) {
	c.family, c.form, c.expr = "text", textForm, p.text()
	if p.keyed {
		c.family = "text|varchar(*)"
	}
	n, scale := p.sizes()
	switch p.name {
	case "bool":
		c.family, c.form, c.expr = "tinyint", integerForm, p.quoted()+"::int::text"
	case "int2", "int4", "int8":
		c.family, c.form = map[string]family{"int2": "smallint", "int4": "int", "int8": "bigint"}[p.name], integerForm
	case "float4", "float8":
		c.family, c.form, c.expr = map[string]family{"float4": "float", "float8": "double"}[p.name], realForm, p.quoted()+"::float8::text"
	case "numeric":
		if n >= 0 && n <= mostDigits && scale >= 0 && scale <= min(n, mostScale) {
			c.family = family(fmt.Sprintf("decimal(%d,%d)", n, scale))
		}
	case "varchar", "bpchar":
		if n >= 0 && n <= mostVarchars {
			c.family = family(fmt.Sprintf("varchar(%d)", n))
		}
	case "bytea":
		c.family, c.form, c.expr = "blob", hexForm, "encode("+p.quoted()+", 'hex')"
		if p.keyed {
			c.family = "blob|varbinary(*)"
		}
	case "date":
		c.family = "date"
	case "timestamp", "timestamptz":
		c.family, c.expr = p.timed("datetime"), "to_char("+p.utc()+", 'YYYY-MM-DD HH24:MI:SS"+p.fraction()+"')"
	case "time":
		c.family, c.expr = p.timed("time"), "to_char("+p.quoted()+"::interval, 'HH24:MI:SS"+p.fraction()+"')"
	case "uuid":
		c.family = "uuid|varchar(36)"
	case "bit":
		if n = max(n, 1); n <= 64 {
			c.family, c.form, c.expr = family(fmt.Sprintf("bit(%d)", n)), integerForm, p.bits(n)
		}
	}
	if p.kind == "e" {
		c.family = family("enum" + p.parts)
	}
	return c
}

// timed is a type of MySQL with as many digits of a second as p.
func (p postgresType) timed(name string) family {
	if p.digits() == 0 {
		return family(name)
	}
	return family(fmt.Sprintf("%s(%d)", name, p.digits()))
}

// fraction is the format of as many digits of a second.
func (p postgresType) fraction() string {
	if p.digits() == 0 {
		return ""
	}
	return fmt.Sprintf(".FF%d", p.digits())
}

// onSQLite is one of four types; what is no number and no bytes is the text of
// its own type, instants in UTC.
func (p postgresType) onSQLite() (c column) {
	c.family, c.form, c.expr = textFamily, textForm, p.text()
	switch p.name {
	case "bool":
		c.family, c.form, c.expr = integerFamily, integerForm, p.quoted()+"::int::text"
	case "int2", "int4", "int8":
		c.family, c.form = integerFamily, integerForm
	case "float4", "float8":
		c.family, c.form, c.expr = realFamily, realForm, p.quoted()+"::float8::text"
	case "bytea":
		c.family, c.form, c.expr = blobFamily, hexForm, "encode("+p.quoted()+", 'hex')"
	case "timestamptz":
		c.expr = p.utc() + "::text"
	case "bit":
		switch n, _ := p.sizes(); {
		case n < 64:
			c.family, c.form, c.expr = integerFamily, integerForm, p.bits(max(n, 1))
		case n == 64:
			c.family, c.form, c.expr = blobFamily, hexForm, "encode(int8send("+p.quoted()+"::bigint), 'hex')"
		}
	}
	return c
}
