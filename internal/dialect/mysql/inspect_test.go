package mysql

import (
	"context"
	"database/sql"
	"fmt"
	"regexp"
	"sort"
	"strings"
)

// among is the condition for tables of given names; nil means all.
func among(only map[string]bool) string {
	if only == nil {
		return "table_name IS NOT NULL"
	}
	list := "''"
	for name := range only {
		list += ", '" + strings.ReplaceAll(name, "'", "''") + "'"
	}
	return "table_name IN (" + list + ")"
}

// serverShapes renders the server's own idea of its tables, from
// information_schema alone.
func (l *logged) serverShapes(only map[string]bool) map[string]string {
	l.t.Helper()
	among := among(only)
	shapes, json := map[string]string{}, l.jsonColumns(among)
	l.query(`SELECT t.table_schema, t.table_name, c.column_name, c.ordinal_position, c.column_type, c.data_type, c.is_nullable,
		IFNULL(c.character_maximum_length, -1), IFNULL(c.numeric_precision, -1), IFNULL(c.numeric_scale, -1), IFNULL(c.datetime_precision, 0),
		IFNULL(c.character_set_name, ''), IFNULL(c.collation_name, ''), c.extra
		FROM information_schema.tables t JOIN information_schema.columns c ON c.table_schema = t.table_schema AND c.table_name = t.table_name
		WHERE t.table_type IN ('BASE TABLE', 'SYSTEM VERSIONED', 'SEQUENCE') AND t.table_schema NOT IN ('mysql', 'sys', 'information_schema', 'performance_schema')
		AND t.`+among+` ORDER BY 1, 2, 4`, func(rows *sql.Rows) error {
		var c serverColumn
		err := rows.Scan(&c.db, &c.table, &c.name, &c.ordinal, &c.full, &c.data, &c.nullable, &c.length, &c.precision, &c.scale, &c.fsp, &c.charset, &c.collation, &c.extra)
		shapes[c.db+"."+c.table] += c.render(json) + "\n"
		return err
	})
	keys := l.serverKeys(among)
	for name := range shapes {
		sort.Strings(keys[name])
		shapes[name] += strings.Join(keys[name], "\n")
	}
	return shapes
}

func (l *logged) query(q string, row func(*sql.Rows) error) {
	l.t.Helper()
	rows, err := l.s.DB().QueryContext(context.Background(), q)
	if err != nil {
		l.t.Fatalf("%s: %v", q, err)
	}
	defer rows.Close()
	for rows.Next() {
		if err := row(rows); err != nil {
			l.t.Fatalf("%s: %v", q, err)
		}
	}
	if err := rows.Err(); err != nil {
		l.t.Fatal(err)
	}
}

// jsonColumns says, for MariaDB, which columns have the constraint that makes
// their type JSON, by the server's own word.
func (l *logged) jsonColumns(among string) map[string]bool {
	if l.cat.flavor != MariaDB {
		return nil
	}
	m := map[string]bool{}
	l.query(`SELECT constraint_schema, table_name, constraint_name, check_clause FROM information_schema.check_constraints WHERE level = 'Column' AND constraint_schema = 'corpus' AND `+among, func(rows *sql.Rows) error {
		var db, table, name, clause string
		err := rows.Scan(&db, &table, &name, &clause)
		m[db+"."+table+"."+name] = clause == "json_valid(`"+name+"`)"
		return err
	})
	return m
}

type serverColumn struct {
	db, table, name, full, data, nullable, charset, collation, extra string
	ordinal, length, precision, scale, fsp                           int
}

// render says what renderShape says of a column.
func (c *serverColumn) render(json map[string]bool) string {
	s := fmt.Sprintf("%d %s %s", c.ordinal, c.name, c.typeName(json[c.db+"."+c.table+"."+c.name]))
	for _, f := range []struct {
		on   bool
		name string
	}{
		{c.nullable == "YES", "null"},
		{strings.Contains(c.extra, "auto_increment"), "auto"},
		{strings.Contains(c.extra, "INVISIBLE"), "invisible"},
		{strings.Contains(c.extra, "VIRTUAL GENERATED"), "virtual"},
		// MariaDB says so of system time columns too; those are written like others.
		{strings.Contains(c.extra, "STORED GENERATED") && !c.systemTime(), "stored"},
	} {
		if f.on {
			s += " " + f.name
		}
	}
	return s
}

func (c *serverColumn) systemTime() bool {
	return c.name == "rs" || c.name == "re" || c.table == "a_versioned3" && (c.name == "s" || c.name == "e")
}

// unescapeLabel undoes what the servers escape in SHOW CREATE TABLE.
var unescapeLabel = strings.NewReplacer("''", "'", `\\`, `\`, `\n`, "\n", `\r`, "\r", `\0`, "\x00")

var labelsOf = regexp.MustCompile(`'((?:[^']|'')*)'`)

func (c *serverColumn) typeName(json bool) string {
	sign := ""
	if strings.Contains(c.full, "unsigned") {
		sign = " unsigned"
	}
	text := " " + c.charset + "/" + c.collation
	switch c.data {
	case "tinyint", "smallint", "mediumint", "int", "bigint", "float", "double":
		return c.data + sign
	case "decimal":
		return fmt.Sprintf("decimal(%d,%d)%s", c.precision, c.scale, sign)
	case "bit":
		return fmt.Sprintf("bit(%d)", c.precision)
	case "char", "varchar":
		return fmt.Sprintf("%s(%d)%s", c.data, c.length, text)
	case "binary", "varbinary":
		return fmt.Sprintf("%s(%d)", c.data, c.length)
	case "longtext":
		if json {
			return "jsontext" + text
		}
		return "text" + text
	case "tinytext", "text", "mediumtext":
		return "text" + text
	case "tinyblob", "blob", "mediumblob", "longblob":
		return "blob"
	case "time", "datetime", "timestamp":
		if c.fsp > 0 {
			return fmt.Sprintf("%s(%d)", c.data, c.fsp)
		}
		return c.data
	case "enum", "set":
		var labels []string
		for _, m := range labelsOf.FindAllStringSubmatch(c.full, -1) {
			labels = append(labels, unescapeLabel.Replace(m[1]))
		}
		if c.charset == "" { // MySQL says nothing of the binary character set
			text = " binary/binary"
		}
		return fmt.Sprintf("%s%q%s", c.data, labels, text)
	case "vector":
		return c.full
	case "geometry", "point", "linestring", "polygon", "multipoint", "multilinestring", "multipolygon", "geometrycollection", "geomcollection":
		return "geometry"
	default: // date, year, json, uuid, inet4, inet6 are called that
		return c.data
	}
}

// serverKeys renders all keys and foreign keys.
func (l *logged) serverKeys(among string) map[string][]string {
	expression := "''"
	if l.cat.flavor == MySQL {
		expression = "IFNULL(expression, '')"
	}
	type index struct{ unique, parts, expression string }
	indexes, order := map[[2]string]*index{}, [][2]string{}
	l.query(`SELECT table_schema, table_name, index_name, non_unique, IFNULL(column_name, ''), IFNULL(sub_part, 0), `+expression+`, index_type
		FROM information_schema.statistics WHERE table_schema NOT IN ('mysql', 'sys') AND `+among+` ORDER BY 1, 2, 3, seq_in_index`, func(rows *sql.Rows) error {
		var db, table, name, column, expr, kind string
		var nonUnique, sub int
		err := rows.Scan(&db, &table, &name, &nonUnique, &column, &sub, &expr, &kind)
		k := [2]string{db + "." + table, name}
		if indexes[k] == nil {
			indexes[k] = &index{}
			order = append(order, k)
		}
		x := indexes[k]
		if nonUnique == 0 {
			x.unique = "unique"
		}
		x.expression += expr
		if sub > 0 && kind != "SPATIAL" {
			column += fmt.Sprintf("(%d)", sub)
		}
		x.parts = strings.TrimSpace(x.parts + " " + column)
		return err
	})
	keys := map[string][]string{}
	for _, k := range order {
		x := indexes[k]
		line := fmt.Sprintf("%s %s [%s]", x.unique, k[1], x.parts)
		if x.expression != "" {
			line = fmt.Sprintf("%s %s over an expression", x.unique, k[1])
		}
		keys[k[0]] = append(keys[k[0]], line)
	}
	l.serverForeignKeys(keys, among)
	return keys
}

func (l *logged) serverForeignKeys(keys map[string][]string, among string) {
	l.query(`SELECT k.table_schema, k.table_name, k.constraint_name, GROUP_CONCAT(k.column_name ORDER BY k.ordinal_position SEPARATOR ' '),
		k.referenced_table_schema, k.referenced_table_name, GROUP_CONCAT(k.referenced_column_name ORDER BY k.ordinal_position SEPARATOR ' '),
		MAX(r.delete_rule), MAX(r.update_rule)
		FROM information_schema.key_column_usage k JOIN information_schema.referential_constraints r
		ON r.constraint_schema = k.constraint_schema AND r.constraint_name = k.constraint_name AND r.table_name = k.table_name
		WHERE k.referenced_table_name IS NOT NULL AND k.`+among+` GROUP BY 1, 2, 3, 5, 6`, func(rows *sql.Rows) error {
		var db, table, name, columns, pdb, ptable, referenced, onDelete, onUpdate string
		err := rows.Scan(&db, &table, &name, &columns, &pdb, &ptable, &referenced, &onDelete, &onUpdate)
		if onDelete == "NO ACTION" {
			onDelete = "RESTRICT"
		}
		if onUpdate == "NO ACTION" {
			onUpdate = "RESTRICT"
		}
		keys[db+"."+table] = append(keys[db+"."+table], fmt.Sprintf("foreign %s [%s] %s.%s [%s] delete %s update %s",
			strings.ToLower(name), columns, pdb, ptable, referenced, strings.ToLower(onDelete), strings.ToLower(onUpdate)))
		return err
	})
}
