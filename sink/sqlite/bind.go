package sqlite

import (
	"encoding/binary"
	"math"
	"unicode/utf8"
	"unsafe"

	"zombiezen.com/go/sqlite"

	"github.com/rowferry/rowferry"
	"github.com/rowferry/rowferry/internal/sqlsink"
)

// maxLength is the size beyond which SQLite takes no text or blob
// (SQLITE_MAX_LENGTH).
const maxLength = 1_000_000_000

// bind binds the row's values of the given columns to the parameters from
// first on.
func (t *target) bind(stmt *sqlite.Stmt, first int, columns []int, values rowferry.Row, m *rowferry.Mutation) error {
	for i, o := range columns {
		if err := bindValue(stmt, first+i, t.carry[o], values[o]); err != nil {
			return t.About(err, m).Fact("column", "%s", t.Shape.Columns[o].Name)
		}
	}
	return nil
}

// bindOld binds the old values of the given columns to the parameters from first
// on.
func (t *target) bindOld(stmt *sqlite.Stmt, first int, columns []int, m *rowferry.Mutation) error {
	for i, o := range columns {
		if err := bindValue(stmt, first+i, t.carry[o], m.Before[o]); err != nil {
			return t.Unheld(err, m, o)
		}
	}
	return nil
}

// bindValue binds one value exactly, or says why it cannot be.
func bindValue(stmt *sqlite.Stmt, param int, c carrier, v rowferry.Value) *rowferry.Error {
	kind := v.Kind()
	switch {
	case kind == rowferry.Null:
		stmt.BindNull(param)
	case c == carryInteger && kind == rowferry.Int:
		stmt.BindInt64(param, v.Int())
	case c == carryInteger && kind == rowferry.Uint:
		if v.Uint() > math.MaxInt64 {
			return rowferry.Errorf(rowferry.CodeOutOfRange, "an unsigned number is beyond what a SQLite integer can hold").
				Fact("value", "%d", v.Uint()).Fact("largest", "%d", int64(math.MaxInt64))
		}
		stmt.BindInt64(param, int64(v.Uint()))
	case c == carryReal && kind == rowferry.Float:
		if math.IsNaN(v.Float()) {
			return rowferry.Errorf(rowferry.CodeOutOfRange, "SQLite cannot hold NaN: it would become NULL")
		}
		if v.Float() == 0 && math.Signbit(v.Float()) {
			return rowferry.Errorf(rowferry.CodeOutOfRange, "SQLite cannot hold -0.0: it would become 0.0")
		}
		stmt.BindFloat(param, v.Float())
	case c == carryText && kind == rowferry.Text:
		return bindText(stmt, param, v.Str())
	case c == carryBlob && kind == rowferry.Bytes:
		return bindBytes(stmt, param, v.Str())
	case c == carryBits && kind == rowferry.Uint:
		var b [8]byte
		binary.BigEndian.PutUint64(b[:], v.Uint())
		stmt.BindBytes(param, b[:])
	default:
		return sqlsink.Miscarried(v, c.String())
	}
	return nil
}

func bindText(stmt *sqlite.Stmt, param int, s string) *rowferry.Error {
	if len(s) > maxLength {
		return tooLong(len(s))
	}
	if !utf8.ValidString(s) {
		return sqlsink.NotUTF8(s)
	}
	stmt.BindText(param, s)
	return nil
}

// bindBytes lends the string's bytes to the driver, which only copies them.
func bindBytes(stmt *sqlite.Stmt, param int, s string) *rowferry.Error {
	if len(s) > maxLength {
		return tooLong(len(s))
	}
	stmt.BindBytes(param, unsafe.Slice(unsafe.StringData(s), len(s)))
	return nil
}

func tooLong(n int) *rowferry.Error {
	return rowferry.Errorf(rowferry.CodeOutOfRange, "a value is larger than SQLite can hold").
		Fact("bytes", "%d", n).Fact("largest", "%d", maxLength)
}

func (c carrier) String() string {
	switch c {
	case carryInteger:
		return "INTEGER"
	case carryReal:
		return "REAL"
	case carryText:
		return "TEXT"
	case carryBlob, carryBits:
		return "BLOB"
	default:
		return "?"
	}
}
