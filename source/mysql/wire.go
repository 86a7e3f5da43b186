package mysql

import (
	"fmt"

	"github.com/rowferry/rowferry"
)

// The column types of a table map: enum_field_types of MySQL's
// field_types.h, and MariaDB's two of compressed columns.
const (
	wireTiny       byte = 1
	wireShort      byte = 2
	wireLong       byte = 3
	wireFloat      byte = 4
	wireDouble     byte = 5
	wireTimestamp  byte = 7
	wireLongLong   byte = 8
	wireInt24      byte = 9
	wireDate       byte = 10
	wireTime       byte = 11
	wireDateTime   byte = 12
	wireYear       byte = 13
	wireVarChar    byte = 15
	wireBit        byte = 16
	wireTimestamp2 byte = 17
	wireDateTime2  byte = 18
	wireTime2      byte = 19
	wireBlobZ      byte = 140 // MariaDB: BLOB or TEXT … COMPRESSED
	wireVarCharZ   byte = 141 // MariaDB: VARCHAR … COMPRESSED
	wireVector     byte = 242 // MySQL; MariaDB's vectors look like VARBINARY
	wireJSON       byte = 245
	wireDecimal    byte = 246
	wireEnum       byte = 247 // inside a wireString
	wireSet        byte = 248 // inside a wireString
	wireBlob       byte = 252
	wireVarString  byte = 253 // VARCHAR of a table made before 5.0
	wireString     byte = 254
	wireGeometry   byte = 255
)

// collationBinary is the collation of byte strings, in every version.
const collationBinary = 63

// wireColumn is one column as its table map describes it.
type wireColumn struct {
	code      byte // one of the wire types; Enum and Set are told from String
	length    int  // bytes for strings, bits for Bit, of the length for blobs, of the value for Enum and Set
	precision int
	scale     int
	fsp       int
	nullable  bool

	name         string // "" where the map names no columns
	unsigned     bool
	signKnown    bool
	collation    uint64
	hasCollation bool
	labels       [][]byte // nil where the map has none; in the column's character set
	hidden       bool     // with showKnown: declared INVISIBLE
	showKnown    bool
}

// numeric reports whether the type has a bit in the signedness bitmap.
func (w *wireColumn) numeric() bool {
	switch w.code {
	case wireTiny, wireShort, wireInt24, wireLong, wireLongLong, wireDecimal, wireFloat, wireDouble, wireYear:
		return true
	default:
		return false
	}
}

// character reports whether the type has a place in the list of collations.
// MariaDB gives geometries one, MySQL vectors.
func (w *wireColumn) character(srv server) bool {
	switch w.code {
	case wireString, wireVarString, wireVarChar, wireBlob, wireBlobZ, wireVarCharZ:
		return true
	case wireGeometry:
		return srv.mariadb
	case wireVector:
		return !srv.mariadb
	default:
		return false
	}
}

func (w *wireColumn) labelled() bool { return w.code == wireEnum || w.code == wireSet }

// String names the type for people, in the words of CREATE TABLE as far as the
// wire tells them.
func (w *wireColumn) String() string {
	switch w.code {
	case wireTiny:
		return "tinyint"
	case wireShort:
		return "smallint"
	case wireInt24:
		return "mediumint"
	case wireLong:
		return "int"
	case wireLongLong:
		return "bigint"
	case wireFloat:
		return "float"
	case wireDouble:
		return "double"
	case wireDecimal:
		return fmt.Sprintf("decimal(%d,%d)", w.precision, w.scale)
	case wireYear:
		return "year"
	case wireDate:
		return "date"
	case wireTime, wireTime2:
		return fmt.Sprintf("time(%d)", w.fsp)
	case wireDateTime, wireDateTime2:
		return fmt.Sprintf("datetime(%d)", w.fsp)
	case wireTimestamp, wireTimestamp2:
		return fmt.Sprintf("timestamp(%d)", w.fsp)
	case wireBit:
		return fmt.Sprintf("bit(%d)", w.length)
	case wireString:
		return fmt.Sprintf("char or binary of %d bytes", w.length)
	case wireVarChar, wireVarString, wireVarCharZ:
		return fmt.Sprintf("varchar or varbinary of %d bytes", w.length)
	case wireBlob, wireBlobZ:
		names := [5]string{1: "tinytext or tinyblob", 2: "text or blob", 3: "mediumtext or mediumblob", 4: "longtext or longblob"}
		return names[w.length]
	case wireEnum:
		return "enum"
	case wireSet:
		return "set"
	case wireJSON:
		return "json"
	case wireGeometry:
		return "geometry"
	case wireVector:
		return "vector"
	default:
		return fmt.Sprintf("wire type %d", w.code)
	}
}

// corrupt returns the error for bytes that cannot be what they should be.
func corrupt(format string, args ...any) *rowferry.Error {
	return rowferry.Errorf(rowferry.CodeCorruptLog, format, args...)
}
