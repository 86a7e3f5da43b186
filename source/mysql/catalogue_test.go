package mysql

import (
	"context"
	"database/sql"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/rowferry/rowferry/internal/testdb"
	"github.com/rowferry/rowferry/internal/testdb/types"
	"github.com/rowferry/rowferry/schema"
)

var columnTypeArgs = regexp.MustCompile(`^[a-z0-9]+\(([0-9]+)(?:,([0-9]+))?\)`)

// knownShapes describes a database's tables from the server's own catalogue.
func knownShapes(t *testing.T, db *sql.DB, database string, f testdb.Flavor) map[string]*schema.Table {
	t.Helper()
	labels := declaredLabels(f)
	rows, err := db.QueryContext(context.Background(), `SELECT TABLE_NAME, COLUMN_NAME, DATA_TYPE, COLUMN_TYPE, IS_NULLABLE='YES', EXTRA,
		COALESCE(CHARACTER_SET_NAME,''), COALESCE(COLLATION_NAME,''), COALESCE(DATETIME_PRECISION,0), COLUMN_KEY
		FROM information_schema.COLUMNS WHERE TABLE_SCHEMA=? ORDER BY TABLE_NAME, ORDINAL_POSITION`, database)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	all := map[string]*schema.Table{}
	for rows.Next() {
		var table, dataType, columnType, extra, key string
		var c schema.Column
		if err := rows.Scan(&table, &c.Name, &dataType, &columnType, &c.Nullable, &extra, &c.Type.Charset, &c.Type.Collation, &c.Type.Fsp, &key); err != nil {
			t.Fatal(err)
		}
		if all[table] == nil {
			all[table] = &schema.Table{Name: schema.Name{Schema: database, Table: table}}
		}
		describe(t, &c, dataType, columnType)
		c.Type.Labels = labels[table+"."+c.Name]
		c.Invisible = strings.Contains(extra, "INVISIBLE")
		c.AutoIncrement = strings.Contains(extra, "auto_increment")
		if strings.Contains(extra, "VIRTUAL") {
			c.Generated = schema.Virtual
		} else if strings.Contains(extra, "STORED") {
			c.Generated = schema.Stored
		}
		all[table].Columns = append(all[table].Columns, c)
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return all
}

func describe(t *testing.T, c *schema.Column, dataType, columnType string) {
	t.Helper()
	ty := &c.Type
	ty.Unsigned = strings.Contains(columnType, "unsigned")
	a, b := 0, 0
	if m := columnTypeArgs.FindStringSubmatch(columnType); m != nil {
		a, _ = strconv.Atoi(m[1])
		b, _ = strconv.Atoi(m[2])
	}
	kinds := map[string]schema.Kind{
		"decimal": schema.Decimal, "float": schema.Float32, "double": schema.Float64, "bit": schema.Bit, "year": schema.Year,
		"char": schema.Char, "varchar": schema.VarChar, "tinytext": schema.Text, "text": schema.Text, "mediumtext": schema.Text, "longtext": schema.Text,
		"binary": schema.Binary, "varbinary": schema.VarBinary, "tinyblob": schema.Blob, "blob": schema.Blob, "mediumblob": schema.Blob, "longblob": schema.Blob,
		"date": schema.Date, "time": schema.Time, "datetime": schema.DateTime, "timestamp": schema.Timestamp, "enum": schema.Enum, "set": schema.Set,
		"json": schema.JSON, "uuid": schema.UUID, "inet4": schema.Inet4, "inet6": schema.Inet6, "point": schema.Geometry, "geometry": schema.Geometry, "vector": schema.Vector,
	}
	if bits, ok := map[string]int{"tinyint": 8, "smallint": 16, "mediumint": 24, "int": 32, "bigint": 64}[dataType]; ok {
		ty.Kind, ty.Bits = schema.Int, bits
		return
	}
	k, ok := kinds[dataType]
	if !ok {
		t.Fatalf("the test does not know the type %s", columnType)
	}
	ty.Kind = k
	switch k {
	case schema.Decimal:
		ty.Precision, ty.Scale = a, b
	case schema.Bit, schema.Char, schema.VarChar, schema.Binary, schema.VarBinary, schema.Vector:
		ty.Length = a
	}
}

var (
	createTable = regexp.MustCompile("^CREATE TABLE `?([a-zA-Z0-9_]+)`? ")
	labelColumn = regexp.MustCompile(`(\w+) (?:ENUM|SET)\(`)
)

// declaredLabels returns the labels of the corpus's columns as its CREATE
// statements have them, by table and column: information_schema shows "?" for
// characters beyond utf8mb3.
func declaredLabels(f testdb.Flavor) map[string][]string {
	all := map[string][]string{}
	for _, c := range types.Cases(f) {
		for _, q := range c.Statements {
			table := createTable.FindStringSubmatch(q)
			if table == nil {
				continue
			}
			for _, m := range labelColumn.FindAllStringSubmatchIndex(q, -1) {
				all[table[1]+"."+q[m[2]:m[3]]] = parseLabels(q[m[1]:])
			}
		}
	}
	return all
}

// parseLabels reads 'a','b”c','d\e') up to the parenthesis.
func parseLabels(list string) []string {
	var labels []string
	for list = strings.TrimLeft(list, ", "); strings.HasPrefix(list, "'"); list = strings.TrimLeft(list, ", ") {
		var one strings.Builder
		i := 1
		for ; i < len(list); i++ {
			if list[i] == '\'' {
				if i+1 == len(list) || list[i+1] != '\'' {
					break
				}
				i++
			} else if list[i] == '\\' {
				i++
			}
			one.WriteByte(list[i])
		}
		labels, list = append(labels, one.String()), list[i+1:]
	}
	return labels
}
