package csv

import (
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/rowferry/rowferry"
	"github.com/rowferry/rowferry/internal/dialect/mysql"
	"github.com/rowferry/rowferry/schema"
)

// column makes values of what fields of one column say. It is immutable.
type column struct {
	schema.Column
	raw bool // bytes are as they are
}

// newColumns compiles the columns of a table. It fails with CodeTypeRefused, naming
// the column, where values of a type cannot be carried.
func newColumns(t *schema.Table, f Format) ([]column, error) {
	columns := make([]column, len(t.Columns))
	for i, c := range t.Columns {
		switch c.Type.Kind {
		case schema.Int, schema.Decimal, schema.Float32, schema.Float64, schema.Bit, schema.Year, schema.Char, schema.VarChar, schema.Text,
			schema.Binary, schema.VarBinary, schema.Blob, schema.Date, schema.Time, schema.DateTime, schema.Timestamp,
			schema.Enum, schema.Set, schema.JSON, schema.UUID, schema.Inet4, schema.Inet6:
			columns[i] = column{Column: c, raw: f.Binary == BinaryRaw}
		default:
			return nil, rowferry.Errorf(rowferry.CodeTypeRefused, "table %s has a column whose type cannot be carried", t.Name).
				Fact("table", "%s", t.Name).Fact("column", "%s", c.Name).Fact("type", "%s", c.Type).
				Fact("reason", "%s columns are not carried by this version", c.Type.Kind).
				Remedy("leave it out", "take the table out of 'tables'")
		}
	}
	return columns, nil
}

// value returns the value of a field that is not NULL, which shares its memory, or
// says why it is none of the column.
func (c *column) value(s string) (v rowferry.Value, wrong string) {
	t := c.Type
	switch t.Kind {
	case schema.Int:
		return integer(s, t)
	case schema.Year:
		return year(s)
	case schema.Bit:
		return bits(s, t.Length)
	case schema.Float32, schema.Float64:
		return float(s, t)
	case schema.Decimal:
		return texted(decimal(s, t))
	case schema.Binary, schema.VarBinary, schema.Blob:
		return c.bytes(s)
	case schema.Date:
		return texted(date(s))
	case schema.Time:
		return texted(duration(s, t.Fsp))
	case schema.DateTime:
		return texted(dateTime(s, t.Fsp))
	case schema.Timestamp:
		return texted(instant(s, t.Fsp))
	case schema.Char, schema.VarChar:
		if t.Kind == schema.Char {
			s = strings.TrimRight(s, " ") // as the server does
		}
		if n := utf8.RuneCountInString(s); n > t.Length {
			return v, fmt.Sprintf("it has %d characters", n)
		}
		return rowferry.TextValue(s), ""
	case schema.Text:
		return rowferry.TextValue(s), ""
	case schema.JSON:
		if !json.Valid([]byte(s)) {
			return v, "it is not JSON"
		}
		return rowferry.TextValue(s), ""
	case schema.Enum:
		return enum(s, t.Labels)
	case schema.Set:
		return texted(set(s, t.Labels))
	case schema.UUID:
		return texted(uuid(s))
	case schema.Inet4, schema.Inet6:
		return texted(address(s, t.Kind))
	default:
		return v, "its type is not carried"
	}
}

func texted(s, wrong string) (rowferry.Value, string) { return rowferry.TextValue(s), wrong }

// digits reports whether s has nothing but digits, and at least one.
func digits(s string) bool {
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return s != ""
}

func integer(s string, t schema.Type) (v rowferry.Value, wrong string) {
	if !digits(strings.TrimPrefix(s, "-")) {
		return v, "it is not a whole number"
	}
	if t.Unsigned {
		if n, err := strconv.ParseUint(s, 10, t.Bits); err == nil {
			return rowferry.UintValue(n), ""
		}
		return v, fmt.Sprintf("it is not from 0 to %d", uint64(math.MaxUint64)>>(64-t.Bits))
	}
	n, err := strconv.ParseInt(s, 10, 64)
	if least := int64(math.MinInt64) >> (64 - t.Bits); err != nil || n < least || n > -(least+1) {
		return v, fmt.Sprintf("it is not from %d to %d", least, -(least + 1))
	}
	return rowferry.IntValue(n), ""
}

func year(s string) (v rowferry.Value, wrong string) {
	n, err := strconv.Atoi(s)
	if len(s) != 4 || !digits(s) || err != nil || n != 0 && (n < 1901 || n > 2155) {
		return v, "it is not 0000 or a year from 1901 to 2155"
	}
	return rowferry.IntValue(int64(n)), ""
}

func float(s string, t schema.Type) (v rowferry.Value, wrong string) {
	if strings.Trim(s, "0123456789+-.eE") != "" { // ParseFloat knows more
		return v, "it is not a number"
	}
	bits := 64
	if t.Kind == schema.Float32 {
		bits = 32
	}
	n, err := strconv.ParseFloat(s, bits)
	switch {
	case err != nil && math.IsInf(n, 0):
		return v, "it is too large"
	case err != nil:
		return v, "it is not a number"
	case t.Unsigned && n < 0:
		return v, "it is negative"
	default:
		return rowferry.FloatValue(n), ""
	}
}

// decimal returns a number with as many decimals as the column has, and without
// what MySQL does not print: zeros before it, and the sign of zero.
func decimal(s string, t schema.Type) (text, wrong string) {
	body, negative := strings.CutPrefix(s, "-")
	whole, fraction, point := strings.Cut(body, ".")
	if !digits(whole+fraction) || point && fraction == "" && whole == "" {
		return "", "it is not a decimal number"
	}
	whole = strings.TrimLeft(whole, "0")
	if len(whole) > t.Precision-t.Scale {
		return "", fmt.Sprintf("it has %d digits before the point, and there is room for %d", len(whole), t.Precision-t.Scale)
	}
	if len(fraction) > t.Scale {
		if strings.Trim(fraction[t.Scale:], "0") != "" {
			return "", fmt.Sprintf("it has more than %d decimals", t.Scale)
		}
		fraction = fraction[:t.Scale]
	}
	if whole == "" {
		whole = "0"
	}
	fraction += strings.Repeat("0", t.Scale-len(fraction))
	negative = negative && strings.Trim(whole+fraction, "0") != ""
	if negative && t.Unsigned {
		return "", "it is negative"
	}
	text = whole
	if t.Scale > 0 {
		text += "." + fraction
	}
	if negative {
		text = "-" + text
	}
	return text, ""
}

// bits reads a BIT of that many bits: so many digits, as PostgreSQL writes them, or
// a number in hexadecimal. SELECT … INTO OUTFILE writes it as bytes that it does not
// escape, so that a comma among them cannot be told from a delimiter.
func bits(s string, length int) (v rowferry.Value, wrong string) {
	base, body := 16, ""
	if len(s) == length && strings.Trim(s, "01") == "" {
		base, body = 2, s
	} else if prefix := min(len(s), 2); s[:prefix] == `\x` || s[:prefix] == "0x" {
		body = s[prefix:]
	}
	n, err := strconv.ParseUint(body, base, length)
	if err != nil {
		return v, fmt.Sprintf(`it is neither %d digits 0 and 1 nor a number of as many bits in hexadecimal behind \x or 0x`, length)
	}
	return rowferry.UintValue(n), ""
}

func (c *column) bytes(s string) (v rowferry.Value, wrong string) {
	if !c.raw {
		var ok bool
		if s, ok = unhex(s); !ok {
			return v, `it is not hexadecimal behind \x or 0x`
		}
	}
	t := c.Type
	if t.Kind != schema.Blob && len(s) > t.Length {
		return v, fmt.Sprintf("it has %d bytes", len(s))
	}
	if t.Kind == schema.Binary && len(s) < t.Length {
		s += strings.Repeat("\x00", t.Length-len(s)) // as the server does
	}
	return rowferry.BytesValue(s), ""
}

// unhex returns the bytes written in hexadecimal. Nothing is no bytes.
func unhex(s string) (string, bool) {
	if s == "" {
		return "", true
	}
	body, ok := strings.CutPrefix(s, `\x`)
	if !ok {
		body, ok = strings.CutPrefix(s, "0x")
	}
	b, err := hex.DecodeString(body)
	return string(b), ok && err == nil
}

// enum takes a label, or what the server prints for a value that is none.
func enum(s string, labels []string) (v rowferry.Value, wrong string) {
	if s != "" && !slices.Contains(labels, s) {
		return v, "it is none of the labels"
	}
	return rowferry.TextValue(s), ""
}

// set returns members in the order of the labels, each once.
func set(s string, labels []string) (text, wrong string) {
	if s == "" {
		return "", ""
	}
	var bits uint64
	for part := range strings.SplitSeq(s, ",") {
		i := slices.Index(labels, part)
		if i < 0 {
			return "", fmt.Sprintf("%.60q is none of the labels", part)
		}
		bits |= 1 << i
	}
	var members []string
	for i, l := range labels {
		if bits>>i&1 != 0 {
			members = append(members, l)
		}
	}
	return strings.Join(members, ","), ""
}

func uuid(s string) (text, wrong string) {
	text = strings.ToLower(s)
	ok := len(s) == 36
	for i := range len(text) {
		if dash := i == 8 || i == 13 || i == 18 || i == 23; dash {
			ok = ok && text[i] == '-'
		} else {
			ok = ok && strings.IndexByte("0123456789abcdef", text[i]) >= 0
		}
	}
	if !ok {
		return "", "it is not a UUID of 36 characters"
	}
	return text, ""
}

func address(s string, kind schema.Kind) (text, wrong string) {
	a, err := netip.ParseAddr(s)
	switch {
	case err != nil || a.Zone() != "":
		return "", "it is not an address"
	case kind == schema.Inet4 && a.Is4():
		return a.String(), ""
	case kind == schema.Inet6 && a.Is6():
		return string(mysql.AppendInet6(nil, a.As16())), ""
	default:
		return "", "it is an address of the other kind"
	}
}
