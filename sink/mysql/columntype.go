package mysql

import (
	"database/sql"
	"strings"

	"github.com/rowferry/rowferry/schema"
)

// columnRow is what information_schema.COLUMNS says of a type.
type columnRow struct {
	dataType, columnType  string
	charset, collation    sql.NullString
	length, bytes         sql.NullInt64
	precision, scale, fsp sql.NullInt64
}

var intBits = map[string]int{"tinyint": 8, "smallint": 16, "mediumint": 24, "int": 32, "bigint": 64}

var plainKinds = map[string]schema.Kind{
	"decimal": schema.Decimal, "float": schema.Float32, "double": schema.Float64, "bit": schema.Bit, "year": schema.Year,
	"char": schema.Char, "varchar": schema.VarChar, "tinytext": schema.Text, "text": schema.Text, "mediumtext": schema.Text, "longtext": schema.Text,
	"binary": schema.Binary, "varbinary": schema.VarBinary, "tinyblob": schema.Blob, "blob": schema.Blob, "mediumblob": schema.Blob, "longblob": schema.Blob,
	"date": schema.Date, "time": schema.Time, "datetime": schema.DateTime, "timestamp": schema.Timestamp,
	"enum": schema.Enum, "set": schema.Set, "json": schema.JSON, "uuid": schema.UUID, "inet4": schema.Inet4, "inet6": schema.Inet6, "vector": schema.Vector,
}

// typ returns the column's type. What is not known is Geometry, into which no
// row goes.
func (r *columnRow) typ() schema.Type {
	t := schema.Type{Unsigned: strings.Contains(r.columnType, "unsigned"), Charset: r.charset.String, Collation: r.collation.String}
	name := strings.ToLower(r.dataType)
	if bits, ok := intBits[name]; ok {
		t.Kind, t.Bits = schema.Int, bits
		return t
	}
	kind, ok := plainKinds[name]
	if !ok {
		kind = schema.Geometry
	}
	t.Kind = kind
	switch kind {
	case schema.Decimal:
		t.Precision, t.Scale = int(r.precision.Int64), int(r.scale.Int64)
	case schema.Bit:
		t.Length = int(r.precision.Int64)
	case schema.Char, schema.VarChar, schema.Binary, schema.VarBinary:
		t.Length = int(r.length.Int64)
	case schema.Time, schema.DateTime, schema.Timestamp:
		t.Fsp = int(r.fsp.Int64)
	case schema.Enum, schema.Set:
		t.Labels = labels(r.columnType)
	default: // nothing more to tell
	}
	if !kind.Textual() {
		t.Charset, t.Collation = "", ""
	}
	return t
}

// labels reads the labels of enum('a','it”s'), in which the server doubles
// quotes and writes backslash, zero, newline and return with a backslash.
func labels(columnType string) []string {
	var all []string
	_, rest, _ := strings.Cut(columnType, "(")
	for strings.HasPrefix(rest, "'") {
		var b strings.Builder
		i := 1
		for i < len(rest) {
			switch c := rest[i]; {
			case c == '\'' && i+1 < len(rest) && rest[i+1] == '\'':
				b.WriteByte('\'')
				i++
			case c == '\'':
				goto end
			case c == '\\' && i+1 < len(rest):
				i++
				b.WriteByte(unescape(rest[i]))
			default:
				b.WriteByte(c)
			}
			i++
		}
	end:
		all = append(all, b.String())
		rest = strings.TrimPrefix(rest[min(i+1, len(rest)):], ",")
	}
	return all
}

func unescape(c byte) byte {
	switch c {
	case '0':
		return 0
	case 'n':
		return '\n'
	case 'r':
		return '\r'
	default:
		return c
	}
}
