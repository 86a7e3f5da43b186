package mysqlwire

import (
	"encoding/binary"
	"fmt"
	"math"
	"strconv"
	"strings"
)

// value is a value of a row, as text; nil is NULL. It is valid until the next
// row.
type value []byte

// parseTextRow reads a row of a query without parameters:
// https://dev.mysql.com/doc/dev/mysql-server/latest/page_protocol_com_query_response_text_resultset_row.html
func parseTextRow(b []byte, row []value) error {
	for i := range row {
		if len(b) > 0 && b[0] == 0xfb {
			row[i], b = nil, b[1:]
			continue
		}
		text, rest, ok := lenText(b)
		if !ok {
			return nonsense("a row ends within column %d", i)
		}
		row[i], b = text, rest
		if row[i] == nil {
			row[i] = value{}
		}
	}
	if len(b) > 0 {
		return nonsense("%d bytes follow a row", len(b))
	}
	return nil
}

// The types of values, enum_field_types of MySQL's field_types.h.
const (
	typeTiny      = 1
	typeShort     = 2
	typeLong      = 3
	typeFloat     = 4
	typeDouble    = 5
	typeNull      = 6
	typeTimestamp = 7
	typeLongLong  = 8
	typeInt24     = 9
	typeDate      = 10
	typeTime      = 11
	typeDateTime  = 12
	typeYear      = 13
	typeVarChar   = 15
	typeBit       = 16
	typeJSON      = 245
	typeDecimal   = 246
	typeEnum      = 247
	typeSet       = 248
	typeTinyBlob  = 249
	typeMedBlob   = 250
	typeLongBlob  = 251
	typeBlob      = 252
	typeVarString = 253
	typeString    = 254
)

// parseBinaryRow reads a row of a prepared query and makes text of it:
// https://dev.mysql.com/doc/dev/mysql-server/latest/page_protocol_binary_resultset.html
func parseBinaryRow(b []byte, columns []column, row []value) error {
	const offset = 2 // of the bitmap of NULLs
	nulls := (len(columns) + 7 + offset) / 8
	if b[0] != headerOK || len(b) < 1+nulls {
		return nonsense("a row of %d bytes begins with %#x", len(b), b[0])
	}
	bitmap, rest := b[1:1+nulls], b[1+nulls:]
	for i, c := range columns {
		if bit := i + offset; bitmap[bit/8]&(1<<(bit%8)) != 0 {
			row[i] = nil
			continue
		}
		var err error
		if row[i], rest, err = c.parse(rest); err != nil {
			return err
		}
	}
	if len(rest) > 0 {
		return nonsense("%d bytes follow a row", len(rest))
	}
	return nil
}

// parse reads one value that is not NULL.
func (c column) parse(b []byte) (v value, rest []byte, err error) {
	short := func(n int) (value, []byte, error) {
		return nil, nil, nonsense("a value of type %d ends after %d of %d bytes", c.typ, len(b), n)
	}
	switch c.typ {
	case typeTiny, typeShort, typeYear, typeLong, typeInt24, typeLongLong:
		n := map[byte]int{typeTiny: 1, typeShort: 2, typeYear: 2, typeLong: 4, typeInt24: 4, typeLongLong: 8}[c.typ]
		if len(b) < n {
			return short(n)
		}
		var wide [8]byte
		copy(wide[:], b[:n])
		u := binary.LittleEndian.Uint64(wide[:])
		if c.unsigned {
			return strconv.AppendUint(nil, u, 10), b[n:], nil
		}
		shift := 64 - 8*n
		return strconv.AppendInt(nil, int64(u<<shift)>>shift, 10), b[n:], nil
	case typeFloat:
		if len(b) < 4 {
			return short(4)
		}
		return strconv.AppendFloat(nil, float64(math.Float32frombits(binary.LittleEndian.Uint32(b))), 'g', -1, 32), b[4:], nil
	case typeDouble:
		if len(b) < 8 {
			return short(8)
		}
		return strconv.AppendFloat(nil, math.Float64frombits(binary.LittleEndian.Uint64(b)), 'g', -1, 64), b[8:], nil
	case typeNull:
		return nil, b, nil
	case typeVarChar, typeBit, typeJSON, typeDecimal, typeEnum, typeSet, typeTinyBlob, typeMedBlob, typeLongBlob, typeBlob, typeVarString, typeString:
		text, rest, ok := lenText(b)
		if !ok {
			return nil, nil, nonsense("a value ends within its text")
		}
		return append(value{}, text...), rest, nil
	case typeDate, typeDateTime, typeTimestamp:
		return c.parseDate(b)
	default: // TIME and what comes: nobody asks for it
		return nil, nil, nonsense("a value of type %d", c.typ)
	}
}

// parseDate reads a DATE, DATETIME or TIMESTAMP, of which zeros at the end are
// left out.
func (c column) parseDate(b []byte) (value, []byte, error) {
	text, rest, ok := lenText(b)
	if !ok || len(text) > 11 {
		return nil, nil, nonsense("a date of %d bytes", len(b))
	}
	var d [11]byte
	copy(d[:], text)
	s := fmt.Sprintf("%04d-%02d-%02d", binary.LittleEndian.Uint16(d[:]), d[2], d[3])
	if c.typ != typeDate {
		s += fmt.Sprintf(" %02d:%02d:%02d", d[4], d[5], d[6])
		if micros := binary.LittleEndian.Uint32(d[7:]); micros != 0 {
			s += strings.TrimRight(fmt.Sprintf(".%06d", micros), "0")
		}
	}
	return value(s), rest, nil
}

// scanner is the part of sql.Scanner that nullable destinations have.
type scanner interface{ Scan(src any) error }

// scan copies a row into destinations, one a column: pointers to strings,
// integers, bools and bytes, which take no NULL, and what scans by itself.
func scan(row []value, into []any) error {
	if len(row) != len(into) {
		return fmt.Errorf("%d columns for %d destinations", len(row), len(into))
	}
	for i, to := range into {
		if err := row[i].scan(to); err != nil {
			return fmt.Errorf("column %d: %w", i+1, err)
		}
	}
	return nil
}

func (v value) scan(to any) (err error) {
	if s, ok := to.(scanner); ok {
		if v == nil {
			return s.Scan(nil)
		}
		return s.Scan(string(v))
	}
	if v == nil {
		return fmt.Errorf("NULL for a %T", to)
	}
	switch to := to.(type) {
	case *string:
		*to = string(v)
	case *[]byte:
		*to = append([]byte{}, v...)
	case *int:
		*to, err = strconv.Atoi(string(v))
	case *int64:
		*to, err = strconv.ParseInt(string(v), 10, 64)
	case *uint64:
		*to, err = strconv.ParseUint(string(v), 10, 64)
	case *bool:
		*to, err = strconv.ParseBool(string(v))
	default:
		return fmt.Errorf("a value cannot be read into a %T", to)
	}
	return err
}
