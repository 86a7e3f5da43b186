package postgres

import (
	"encoding/hex"
	"math"
	"strconv"
	"strings"
	"unicode/utf8"
	"unsafe"

	"github.com/rowferry/rowferry"
	"github.com/rowferry/rowferry/schema"
)

// carry returns the value that PostgreSQL printed as text for a column of type
// t, in a session with the settings of internal/dialect/postgres. rowferry.Value
// and schema.Type say how each kind is carried. Of the kinds whose values are
// carried as they are printed:
//
//   - Decimal may be "NaN", "Infinity" or "-Infinity".
//   - Date, DateTime and Timestamp may be "infinity" or "-infinity", have a year
//     of more than four digits, or end in " BC". Timestamp has lost its "+00".
//   - Time may be "24:00:00".
//   - Enum may have a label that the shape does not know: one may be added
//     without the log telling it before the first row.
//   - JSON and Other are not parsed: what the server printed is what it holds.
//
// The value may lie in text's memory: text must not be changed from then on, and
// is kept as long as the value is. Text that is no value of the type is an error
// with CodeCorruptLog.
func carry(t *schema.Type, text []byte) (rowferry.Value, *rowferry.Error) {
	s := unsafe.String(unsafe.SliceData(text), len(text))
	var v rowferry.Value
	ok := false
	switch t.Kind {
	case schema.Int:
		v, ok = carryInt(s, t.Bits)
	case schema.Bool:
		v, ok = rowferry.IntValue(1), s == "t"
		if s == "f" {
			v, ok = rowferry.IntValue(0), true
		}
	case schema.Float32:
		v, ok = carryFloat(s, 32)
	case schema.Float64:
		v, ok = carryFloat(s, 64)
	case schema.Bit:
		v, ok = carryBits(s, t.Length)
	case schema.Blob:
		v, ok = carryBytes(text)
	case schema.Decimal:
		v, ok = rowferry.TextValue(s), isDecimal(s)
	case schema.VarChar, schema.Text, schema.Enum, schema.JSON, schema.Other:
		v, ok = rowferry.TextValue(s), utf8.ValidString(s) && strings.IndexByte(s, 0) < 0
	case schema.UUID:
		v, ok = rowferry.TextValue(s), isUUID(s)
	case schema.Date:
		v, ok = rowferry.TextValue(s), isInfinity(s) || isDate(strings.TrimSuffix(s, " BC"), strings.HasSuffix(s, " BC"))
	case schema.DateTime:
		v, ok = rowferry.TextValue(s), isInfinity(s) || isMoment(s)
	case schema.Timestamp:
		if isInfinity(s) {
			v, ok = rowferry.TextValue(s), true
		} else if plain, zoned := cutZone(s); zoned {
			v, ok = rowferry.TextValue(plain), isMoment(plain)
		}
	case schema.Time:
		v, ok = rowferry.TextValue(s), isClock(s)
	default:
		return v, rowferry.Errorf(rowferry.CodeInternal, "the PostgreSQL source has no type that is carried as %s", t.Kind)
	}
	if !ok {
		return rowferry.Value{}, rowferry.Errorf(rowferry.CodeCorruptLog, "the source sent a value that its type does not have").
			Fact("type", "%s", t).Fact("value", "%.80q", s)
	}
	return v, nil
}

// carryInt reads a signed integer of so many bits, written without any leading
// zero or plus.
func carryInt(s string, bits int) (rowferry.Value, bool) {
	digits := strings.TrimPrefix(s, "-")
	if !onlyDigits(digits) || digits[0] == '0' && len(s) > 1 {
		return rowferry.Value{}, false
	}
	n, err := strconv.ParseInt(s, 10, bits)
	return rowferry.IntValue(n), err == nil
}

// carryFloat reads the shortest text that tells a number from its neighbours. A
// single is carried as the double of the same value.
func carryFloat(s string, bits int) (rowferry.Value, bool) {
	switch s {
	case "NaN":
		return rowferry.FloatValue(math.NaN()), true
	case "Infinity":
		return rowferry.FloatValue(math.Inf(1)), true
	case "-Infinity":
		return rowferry.FloatValue(math.Inf(-1)), true
	}
	// The parser knows more spellings than the server.
	for i := range len(s) {
		if c := s[i]; (c < '0' || c > '9') && c != '-' && c != '+' && c != '.' && c != 'e' {
			return rowferry.Value{}, false
		}
	}
	f, err := strconv.ParseFloat(s, bits)
	return rowferry.FloatValue(f), err == nil
}

func carryBits(s string, length int) (rowferry.Value, bool) {
	if len(s) != length || length > 64 {
		return rowferry.Value{}, false
	}
	var n uint64
	for i := range len(s) {
		if s[i] != '0' && s[i] != '1' {
			return rowferry.Value{}, false
		}
		n = n<<1 | uint64(s[i]-'0')
	}
	return rowferry.UintValue(n), true
}

// carryBytes reads bytea_output = hex.
func carryBytes(text []byte) (rowferry.Value, bool) {
	if len(text) < 2 || text[0] != '\\' || text[1] != 'x' {
		return rowferry.Value{}, false
	}
	b := make([]byte, hex.DecodedLen(len(text)-2))
	_, err := hex.Decode(b, text[2:])
	return rowferry.BytesValue(unsafe.String(unsafe.SliceData(b), len(b))), err == nil
}

// isDecimal reports whether s is what numeric prints.
func isDecimal(s string) bool {
	switch s {
	case "NaN", "Infinity", "-Infinity":
		return true
	}
	whole, fraction, dotted := strings.Cut(strings.TrimPrefix(s, "-"), ".")
	return onlyDigits(whole) && (!dotted || onlyDigits(fraction))
}

func isUUID(s string) bool {
	if len(s) != 36 {
		return false
	}
	for i := range len(s) {
		c := s[i]
		if i == 8 || i == 13 || i == 18 || i == 23 {
			if c != '-' {
				return false
			}
		} else if (c < '0' || c > '9') && (c < 'a' || c > 'f') {
			return false
		}
	}
	return true
}

func onlyDigits(s string) bool {
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return s != ""
}
