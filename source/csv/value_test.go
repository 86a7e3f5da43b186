package csv

import (
	"strings"
	"testing"

	"github.com/rowferry/rowferry"
	"github.com/rowferry/rowferry/schema"
)

// The types of the tests.
var (
	tiny    = schema.Type{Kind: schema.Int, Bits: 8}
	big     = schema.Type{Kind: schema.Int, Bits: 64}
	utiny   = schema.Type{Kind: schema.Int, Bits: 8, Unsigned: true}
	ubig    = schema.Type{Kind: schema.Int, Bits: 64, Unsigned: true}
	money   = schema.Type{Kind: schema.Decimal, Precision: 5, Scale: 2}
	umoney  = schema.Type{Kind: schema.Decimal, Precision: 5, Scale: 2, Unsigned: true}
	wholes  = schema.Type{Kind: schema.Decimal, Precision: 3}
	parts   = schema.Type{Kind: schema.Decimal, Precision: 2, Scale: 2}
	single  = schema.Type{Kind: schema.Float32}
	double  = schema.Type{Kind: schema.Float64}
	bit4    = schema.Type{Kind: schema.Bit, Length: 4}
	bit64   = schema.Type{Kind: schema.Bit, Length: 64}
	annual  = schema.Type{Kind: schema.Year}
	char3   = schema.Type{Kind: schema.Char, Length: 3}
	vchar3  = schema.Type{Kind: schema.VarChar, Length: 3}
	binary3 = schema.Type{Kind: schema.Binary, Length: 3}
	vbin3   = schema.Type{Kind: schema.VarBinary, Length: 3}
	blob    = schema.Type{Kind: schema.Blob}
	day     = schema.Type{Kind: schema.Date}
	span0   = schema.Type{Kind: schema.Time}
	span3   = schema.Type{Kind: schema.Time, Fsp: 3}
	dt0     = schema.Type{Kind: schema.DateTime}
	dt6     = schema.Type{Kind: schema.DateTime, Fsp: 6}
	ts0     = schema.Type{Kind: schema.Timestamp}
	ts3     = schema.Type{Kind: schema.Timestamp, Fsp: 3}
	labels  = schema.Type{Kind: schema.Enum, Labels: []string{"a", "été"}}
	members = schema.Type{Kind: schema.Set, Labels: []string{"a", "b", "c"}}
	doc     = schema.Type{Kind: schema.JSON}
	id      = schema.Type{Kind: schema.UUID}
	v4      = schema.Type{Kind: schema.Inet4}
	v6      = schema.Type{Kind: schema.Inet6}
)

// TestValues: what fields become, in the form that MySQL prints.
func TestValues(t *testing.T) {
	text := rowferry.TextValue
	for _, c := range []struct {
		typ   schema.Type
		field string
		want  rowferry.Value
	}{
		{tiny, "-128", rowferry.IntValue(-128)}, {tiny, "127", rowferry.IntValue(127)}, {tiny, "007", rowferry.IntValue(7)}, {tiny, "-0", rowferry.IntValue(0)},
		{big, "-9223372036854775808", rowferry.IntValue(-1 << 63)}, {big, "9223372036854775807", rowferry.IntValue(1<<63 - 1)},
		{utiny, "255", rowferry.UintValue(255)}, {ubig, "18446744073709551615", rowferry.UintValue(1<<64 - 1)},
		{money, "1", text("1.00")}, {money, "-1.5", text("-1.50")}, {money, "999.99", text("999.99")}, {money, "0001.230", text("1.23")},
		{money, ".5", text("0.50")}, {money, "5.", text("5.00")}, {money, "-0.00", text("0.00")}, {umoney, "-0", text("0.00")},
		{wholes, "-12", text("-12")}, {wholes, "12.0", text("12")}, {parts, "0.12", text("0.12")}, {parts, "-.12", text("-0.12")},
		{single, "0.1", rowferry.FloatValue(float64(float32(0.1)))}, {double, "0.1", rowferry.FloatValue(0.1)}, {double, "-1e-300", rowferry.FloatValue(-1e-300)},
		{bit4, "0101", rowferry.UintValue(5)}, {bit4, "0xF", rowferry.UintValue(15)}, {bit4, `\x0f`, rowferry.UintValue(15)},
		{bit64, "0xFFFFFFFFFFFFFFFF", rowferry.UintValue(1<<64 - 1)}, {bit64, strings.Repeat("1", 64), rowferry.UintValue(1<<64 - 1)},
		{annual, "0000", rowferry.IntValue(0)}, {annual, "2155", rowferry.IntValue(2155)},
		{char3, "a  ", text("a")}, {char3, "été  ", text("été")}, {vchar3, "a  ", text("a  ")}, {vchar3, "", text("")},
		{binary3, "0x41", rowferry.BytesValue("A\x00\x00")}, {vbin3, `\x41`, rowferry.BytesValue("A")}, {vbin3, "", rowferry.BytesValue("")}, {blob, "0x", rowferry.BytesValue("")},
		{day, "2026-11-18", text("2026-11-18")}, {day, "0000-00-00", text("0000-00-00")}, {day, "2024-02-29", text("2024-02-29")}, {day, "2026-02-00", text("2026-02-00")},
		{span0, "1:02:03", text("01:02:03")}, {span0, "-838:59:59", text("-838:59:59")}, {span0, "-00:00:00", text("00:00:00")}, {span3, "12:00:00.5", text("12:00:00.500")},
		{span3, "0838:59:59.000000", text("838:59:59.000")}, {span3, "-00:00:00.001", text("-00:00:00.001")},
		{dt0, "2026-11-18 13:05:00", text("2026-11-18 13:05:00")}, {dt0, "2026-11-18T13:05:00.000", text("2026-11-18 13:05:00")},
		{dt6, "2026-11-18 13:05:00.1", text("2026-11-18 13:05:00.100000")}, {dt0, "0000-00-00 00:00:00", text("0000-00-00 00:00:00")},
		{ts0, "2026-11-18 13:05:00", text("2026-11-18 13:05:00")}, {ts0, "2026-11-18 13:05:00+00", text("2026-11-18 13:05:00")},
		{ts3, "2026-12-31 23:05:00.25-03:30", text("2027-01-01 02:35:00.250")}, {ts0, "2026-03-01T00:30:00+0530", text("2026-02-28 19:00:00")},
		{ts3, "2026-11-18 13:05:00.5Z", text("2026-11-18 13:05:00.500")}, {ts0, "0000-00-00 00:00:00", text("0000-00-00 00:00:00")},
		{ts0, "1900-01-01 00:00:00+00:19:32", text("1899-12-31 23:40:28")},
		{labels, "été", text("été")}, {labels, "", text("")}, {members, "c,a,c", text("a,c")}, {members, "", text("")},
		{doc, `{"a": [1, "é"]}`, text(`{"a": [1, "é"]}`)}, {doc, "null", text("null")},
		{id, "550E8400-E29B-41D4-A716-446655440000", text("550e8400-e29b-41d4-a716-446655440000")},
		{v4, "10.0.0.1", text("10.0.0.1")}, {v6, "2001:DB8:0:0::1", text("2001:db8::1")}, {v6, "::ffff:192.0.2.1", text("::ffff:192.0.2.1")}, {v6, "1:0:2:3:4:5:6:7", text("1::2:3:4:5:6:7")},
	} {
		col := column{Column: schema.Column{Name: "v", Type: c.typ}}
		if got, wrong := col.value(c.field); got != c.want || wrong != "" {
			t.Errorf("%q as %s is %v (kind %d), %s, want %v", c.field, c.typ, got, got.Kind(), wrong, c.want)
		}
	}
	raw := column{Column: schema.Column{Type: binary3}, raw: true}
	if got, wrong := raw.value("0x"); got != rowferry.BytesValue("0x\x00") || wrong != "" {
		t.Errorf("raw bytes are %v, %s", got, wrong)
	}
}

// TestValuesRefused: what is no value of its column is refused, and never made one.
func TestValuesRefused(t *testing.T) {
	for _, c := range []struct {
		typ    schema.Type
		fields string // with | between
	}{
		{tiny, "|128|-129|1.0|1e1|+1| 1|1 |x|0x1|1_0|--1|-"}, {big, "9223372036854775808|-9223372036854775809"},
		{utiny, "256|-1|-0|+1"}, {ubig, "18446744073709551616"},
		{money, "|1000|1.234|1e2|+1|1,5|.|-|1.2.3|NaN| 1|--1"}, {umoney, "-1|-0.01"}, {wholes, "1000|1.5"}, {parts, "1|1.00"},
		{single, "|NaN|inf|Infinity|1e39|0x1p3|1_0|x"}, {double, "1e400|-inf|1e|--1|1 "}, {schema.Type{Kind: schema.Float64, Unsigned: true}, "-1"},
		{bit4, "|1|01|11111|0x10|16|0x|\\x|0x-1|b'1'|x"}, {bit64, "0x1FFFFFFFFFFFFFFFF"},
		{annual, "|26|0|1900|2156|20266|-001|+202"}, {char3, "abcd"}, {vchar3, "a   "},
		{binary3, "A|0x4|0xGG|41|0x41414141|0X41"}, {vbin3, "0x41414141|x"}, {blob, "plain|\\x4"},
		{day, "|2026-13-01|2026-02-29|2026-04-31|2026-1-1|2026-11-18 00:00:00|18.11.2026|infinity|12026-01-01|2026-11-18 BC"},
		{span0, "|12:00|839:00:00|12:60:00|12:00:60|1:2:3|12:00:00.5|1 12:00:00|+12:00:00|12:00:00+02|1 day|838:59:59.5|:00:00|12:00:00."},
		{dt0, "|2026-11-18|2026-11-18 24:00:00|2026-11-18 13:05|2026-11-18 13:05:00.5|2026-11-18 13:05:00+00|2026-11-18  13:05:00|2026-02-30 00:00:00|2026-11-18 13:05:60"},
		{ts0, "|2026-11-18 13:05:00+16|2026-11-18 13:05:00+2|2026-11-18 13:05:00+02:60|2026-11-18 13:05:00z|0000-00-00 00:00:00+02|2026-11-18 13:05:00 UTC|infinity|2026-11-18 13:05:00.5+00|9999-12-31 23:59:59-01|2026-11-18 13:05:00+"},
		{labels, "b|A|ETE| a"}, {members, "d|a,d|a, b|,|a,"}, {doc, "|{|{'a':1}|a|{}{}"},
		{id, "|550e8400e29b41d4a716446655440000|550e8400-e29b-41d4-a716-44665544000g|{550e8400-e29b-41d4-a716-446655440000}"},
		{v4, "|10.0.0|10.0.0.256|::1|10.0.0.1/8"}, {v6, "10.0.0.1|fe80::1%eth0|::g|2001:db8::/32"},
	} {
		col := column{Column: schema.Column{Name: "v", Type: c.typ}}
		for field := range strings.SplitSeq(c.fields, "|") {
			if field == "" && strings.HasPrefix(c.fields, "|") == false {
				continue
			}
			if got, wrong := col.value(field); wrong == "" {
				t.Errorf("%q as %s is %v", field, c.typ, got)
			}
		}
	}
}
