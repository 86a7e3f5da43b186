package mysql

import (
	"encoding/binary"
	"encoding/hex"
	"strings"
	"testing"

	"github.com/go-mysql-org/go-mysql/replication"

	"github.com/rowferry/rowferry"
	"github.com/rowferry/rowferry/schema"
)

// emptyRowsEvent returns a rows event of a type, as the library's parser makes
// it: the type itself cannot be set from outside.
func emptyRowsEvent(t testing.TB, kind replication.EventType) *replication.RowsEvent {
	t.Helper()
	event := func(kind replication.EventType, body []byte) []byte {
		b := make([]byte, replication.EventHeaderSize, replication.EventHeaderSize+len(body))
		b[4] = byte(kind)
		binary.LittleEndian.PutUint32(b[9:], uint32(replication.EventHeaderSize+len(body)))
		return append(b, body...)
	}
	p := replication.NewBinlogParser()
	format := append([]byte{4, 0}, append([]byte("5.5.0"), make([]byte, 45)...)...)
	format = append(append(format, 0, 0, 0, 0, replication.EventHeaderSize), []byte(strings.Repeat("\x08", 170))...)
	if _, err := p.Parse(event(replication.FORMAT_DESCRIPTION_EVENT, format)); err != nil {
		t.Fatal(err)
	}
	var made *replication.RowsEvent
	p.SetRowsEventDecodeFunc(func(e *replication.RowsEvent, _ []byte) error {
		made = e
		return nil
	})
	if _, err := p.Parse(event(kind, nil)); err != nil {
		t.Fatal(err)
	}
	return made
}

// oneColumn describes a table map of a single nullable column.
func oneColumn(code byte, meta uint16) *replication.TableMapEvent {
	return &replication.TableMapEvent{
		Schema: []byte("s"), Table: []byte("t"), ColumnCount: 1, ColumnType: []byte{code}, ColumnMeta: []uint16{meta}, NullBitmap: []byte{1},
	}
}

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// decodeOne decodes one value of a column of type ty.
func decodeOne(t testing.TB, srv server, code byte, meta uint16, ty schema.Type, value []byte) (rowferry.Value, error) {
	t.Helper()
	tm := oneColumn(code, meta)
	known := &schema.Table{Name: schema.Name{Schema: "s", Table: "t"}, Columns: []schema.Column{{Name: "c", Type: ty, Nullable: true}}}
	shape, err := shapeFromMap(tm, known, srv)
	if err != nil {
		return rowferry.Value{}, err
	}
	d, err := newRowDecoder(tm, shape, srv)
	if err != nil {
		return rowferry.Value{}, err
	}
	hdr := emptyRowsEvent(t, replication.WRITE_ROWS_EVENTv2)
	hdr.ColumnCount, hdr.ColumnBitmap1 = 1, []byte{1}
	changes, err := d.decode(nil, hdr, append([]byte{0}, value...))
	if err != nil {
		return rowferry.Value{}, err
	}
	if len(changes) != 1 {
		t.Fatalf("%d changes", len(changes))
	}
	return changes[0].After[0], nil
}

var (
	mysql97   = parseServer("9.7.4")
	maria1011 = parseServer("10.11.19-MariaDB-log")
)

// valueCases are values as servers log them.
var valueCases = []struct {
	name  string
	srv   server
	code  byte
	meta  uint16
	ty    schema.Type
	bytes string
	want  rowferry.Value
}{
	{"tinyint", mysql97, wireTiny, 0, schema.Type{Kind: schema.Int, Bits: 8}, "80", rowferry.IntValue(-128)},
	{"tinyint unsigned", mysql97, wireTiny, 0, schema.Type{Kind: schema.Int, Bits: 8, Unsigned: true}, "ff", rowferry.UintValue(255)},
	{"smallint", mysql97, wireShort, 0, schema.Type{Kind: schema.Int, Bits: 16}, "0080", rowferry.IntValue(-32768)},
	{"mediumint", mysql97, wireInt24, 0, schema.Type{Kind: schema.Int, Bits: 24}, "ffffff", rowferry.IntValue(-1)},
	{"mediumint least", mysql97, wireInt24, 0, schema.Type{Kind: schema.Int, Bits: 24}, "000080", rowferry.IntValue(-8388608)},
	{"mediumint unsigned", mysql97, wireInt24, 0, schema.Type{Kind: schema.Int, Bits: 24, Unsigned: true}, "ffffff", rowferry.UintValue(16777215)},
	{"int", mysql97, wireLong, 0, schema.Type{Kind: schema.Int, Bits: 32}, "feffffff", rowferry.IntValue(-2)},
	{"bigint unsigned", mysql97, wireLongLong, 0, schema.Type{Kind: schema.Int, Bits: 64, Unsigned: true}, "ffffffffffffffff", rowferry.UintValue(1<<64 - 1)},
	{"float", mysql97, wireFloat, 4, schema.Type{Kind: schema.Float32}, "cdcc8c3f", rowferry.FloatValue(float64(float32(1.1)))},
	{"double", mysql97, wireDouble, 8, schema.Type{Kind: schema.Float64}, "000000000000f0bf", rowferry.FloatValue(-1)},
	{"bit(9)", mysql97, wireBit, 0x0101, schema.Type{Kind: schema.Bit, Length: 9}, "0101", rowferry.UintValue(257)},
	{"bit(64)", mysql97, wireBit, 0x0800, schema.Type{Kind: schema.Bit, Length: 64}, "8000000000000001", rowferry.UintValue(1<<63 + 1)},
	{"year", mysql97, wireYear, 0, schema.Type{Kind: schema.Year}, "ff", rowferry.IntValue(2155)},
	{"year zero", mysql97, wireYear, 0, schema.Type{Kind: schema.Year}, "00", rowferry.IntValue(0)},
	{"decimal", mysql97, wireDecimal, 0x0302, schema.Type{Kind: schema.Decimal, Precision: 3, Scale: 2}, "7fcd", rowferry.TextValue("-0.50")},
	{"decimal zero", mysql97, wireDecimal, 0x0302, schema.Type{Kind: schema.Decimal, Precision: 3, Scale: 2}, "8000", rowferry.TextValue("0.00")},
	{"decimal minus zero", mysql97, wireDecimal, 0x0302, schema.Type{Kind: schema.Decimal, Precision: 3, Scale: 2}, "7fff", rowferry.TextValue("0.00")},
	{"decimal groups", mysql97, wireDecimal, 0x0e04, schema.Type{Kind: schema.Decimal, Precision: 14, Scale: 4}, "810dfb38d204d2", rowferry.TextValue("1234567890.1234")},
	{"date", mysql97, wireDate, 0, schema.Type{Kind: schema.Date}, "5dd00f", rowferry.TextValue("2024-02-29")},
	{"date zero", mysql97, wireDate, 0, schema.Type{Kind: schema.Date}, "000000", rowferry.TextValue("0000-00-00")},
	{"time", mysql97, wireTime2, 0, schema.Type{Kind: schema.Time}, "800000", rowferry.TextValue("00:00:00")},
	{"time minus a fraction", mysql97, wireTime2, 2, schema.Type{Kind: schema.Time, Fsp: 2}, "7fffffce", rowferry.TextValue("-00:00:00.50")},
	{"time minus a second and a half", mysql97, wireTime2, 1, schema.Type{Kind: schema.Time, Fsp: 1}, "7ffffece", rowferry.TextValue("-00:00:01.5")},
	{"time(6) least", mysql97, wireTime2, 6, schema.Type{Kind: schema.Time, Fsp: 6}, "7fffffffffff", rowferry.TextValue("-00:00:00.000001")},
	{"time most", mysql97, wireTime2, 0, schema.Type{Kind: schema.Time}, "b46efb", rowferry.TextValue("838:59:59")},
	{"datetime(3)", mysql97, wireDateTime2, 3, schema.Type{Kind: schema.DateTime, Fsp: 3}, "99b2bb7bad04ce", rowferry.TextValue("2024-02-29 23:46:45.123")},
	{"datetime zero", mysql97, wireDateTime2, 0, schema.Type{Kind: schema.DateTime}, "8000000000", rowferry.TextValue("0000-00-00 00:00:00")},
	{"timestamp", mysql97, wireTimestamp2, 0, schema.Type{Kind: schema.Timestamp}, "7fffffff", rowferry.TextValue("2038-01-19 03:14:07")},
	{"timestamp beyond 2038", maria1011, wireTimestamp2, 6, schema.Type{Kind: schema.Timestamp, Fsp: 6}, "ffffffff0f423f", rowferry.TextValue("2106-02-07 06:28:15.999999")},
	{"timestamp zero", mysql97, wireTimestamp2, 2, schema.Type{Kind: schema.Timestamp, Fsp: 2}, "0000000000", rowferry.TextValue("0000-00-00 00:00:00.00")},
	{"old time", mysql97, wireTime, 0, schema.Type{Kind: schema.Time}, "ffffff", rowferry.TextValue("-00:00:01")},
	{"old datetime", mysql97, wireDateTime, 0, schema.Type{Kind: schema.DateTime}, "457c178468120000", rowferry.TextValue("2024-01-02 03:04:05")},
	{"old timestamp", mysql97, wireTimestamp, 0, schema.Type{Kind: schema.Timestamp}, "257d9365", rowferry.TextValue("2024-01-02 03:04:05")},
	{"hires time", maria1011, wireTime, 0, schema.Type{Kind: schema.Time, Fsp: 3}, "00b3ced684", rowferry.TextValue("-01:02:03.004")},
	{"hires datetime", maria1011, wireDateTime, 0, schema.Type{Kind: schema.DateTime, Fsp: 6}, "0102761299 51f580", rowferry.TextValue("2024-01-02 03:04:05.123456")},
	{"hires timestamp", maria1011, wireTimestamp, 0, schema.Type{Kind: schema.Timestamp, Fsp: 2}, "65937d250c", rowferry.TextValue("2024-01-02 03:04:05.12")},
	{"varchar", mysql97, wireVarChar, 40, schema.Type{Kind: schema.VarChar, Length: 10, Charset: "utf8mb4"}, "02c3a4", rowferry.TextValue("ä")},
	{"varchar of two length bytes", mysql97, wireVarChar, 300, schema.Type{Kind: schema.VarChar, Length: 300, Charset: "latin1"}, "0200e480", rowferry.TextValue("ä€")},
	{"char of more than 255 bytes", mysql97, wireString, 0xeefc, schema.Type{Kind: schema.Char, Length: 127, Charset: "utf8mb4"}, "020061 62", rowferry.TextValue("ab")},
	{"binary", mysql97, wireString, 0xfe04, schema.Type{Kind: schema.Binary, Length: 4}, "0161", rowferry.BytesValue("a\x00\x00\x00")},
	{"binary in full", mysql97, wireString, 0xfe02, schema.Type{Kind: schema.Binary, Length: 2}, "026162", rowferry.BytesValue("ab")},
	{"varbinary", mysql97, wireVarChar, 4, schema.Type{Kind: schema.VarBinary, Length: 4}, "02ff00", rowferry.BytesValue("\xff\x00")},
	{"blob", mysql97, wireBlob, 3, schema.Type{Kind: schema.Blob}, "02000000ff", rowferry.BytesValue("\x00\xff")},
	{"text in utf16", mysql97, wireBlob, 1, schema.Type{Kind: schema.Text, Charset: "utf16"}, "04d83dde00", rowferry.TextValue("😀")},
	{"enum", mysql97, wireString, 0xf701, schema.Type{Kind: schema.Enum, Labels: []string{"a", "b"}}, "02", rowferry.TextValue("b")},
	{"enum invalid", mysql97, wireString, 0xf701, schema.Type{Kind: schema.Enum, Labels: []string{"a", "b"}}, "00", rowferry.TextValue("")},
	{"set", mysql97, wireString, 0xf801, schema.Type{Kind: schema.Set, Labels: []string{"a", "b", "c"}}, "05", rowferry.TextValue("a,c")},
	{"uuid", maria1011, wireString, 0xfe10, schema.Type{Kind: schema.UUID}, "0f6ba7b8109dad11d180b400c04fd430", rowferry.TextValue("6ba7b810-9dad-11d1-80b4-00c04fd43000")},
	{"inet4", maria1011, wireString, 0xfe04, schema.Type{Kind: schema.Inet4}, "02ff01", rowferry.TextValue("255.1.0.0")},
	{"inet6", maria1011, wireString, 0xfe10, schema.Type{Kind: schema.Inet6}, "0c0000000000000000 0000ffff", rowferry.TextValue("::ffff:0.0.0.0")},
	{"json", mysql97, wireJSON, 4, schema.Type{Kind: schema.JSON}, "0d000000 00 0100 0c00 0b00 0100 0501 00 61", rowferry.TextValue(`{"a": 1}`)},
	{"compressed", maria1011, wireBlobZ, 2, schema.Type{Kind: schema.Blob}, "0a008a012cabac1c05c40200", rowferry.BytesValue(strings.Repeat("y", 300))},
}

func TestValues(t *testing.T) {
	for _, tc := range valueCases {
		t.Run(tc.name, func(t *testing.T) {
			b := unhex(t, tc.bytes)
			got, err := decodeOne(t, tc.srv, tc.code, tc.meta, tc.ty, b)
			if err != nil {
				t.Fatal(err)
			}
			if got != tc.want {
				t.Errorf("got %s %q, want %s %q", got.String(), got.Str(), tc.want.String(), tc.want.Str())
			}
			for cut := range b { // every prefix is damaged, and says so
				if _, err := decodeOne(t, tc.srv, tc.code, tc.meta, tc.ty, b[:cut]); rowferry.CodeOf(err) != rowferry.CodeCorruptLog {
					t.Errorf("cut to %d bytes: %v", cut, err)
				}
			}
		})
	}
}

func TestBadValues(t *testing.T) {
	for _, tc := range []struct {
		name  string
		code  byte
		meta  uint16
		ty    schema.Type
		bytes string
		want  rowferry.Code
	}{
		{"utf8", wireVarChar, 40, schema.Type{Kind: schema.VarChar, Length: 10, Charset: "utf8mb4"}, "02c328", rowferry.CodeBadText},
		{"ascii", wireVarChar, 10, schema.Type{Kind: schema.VarChar, Length: 10, Charset: "ascii"}, "0180", rowferry.CodeBadText},
		{"gbk without a second byte", wireVarChar, 20, schema.Type{Kind: schema.VarChar, Length: 10, Charset: "gbk"}, "0181", rowferry.CodeBadText},
		{"lone surrogate", wireVarChar, 40, schema.Type{Kind: schema.VarChar, Length: 10, Charset: "utf16"}, "02d83d", rowferry.CodeBadText},
		{"pair in ucs2", wireVarChar, 40, schema.Type{Kind: schema.VarChar, Length: 20, Charset: "ucs2"}, "04d83dde00", rowferry.CodeBadText},
		{"enum", wireString, 0xf701, schema.Type{Kind: schema.Enum, Labels: []string{"a"}}, "02", rowferry.CodeShapeMismatch},
		{"set", wireString, 0xf801, schema.Type{Kind: schema.Set, Labels: []string{"a"}}, "02", rowferry.CodeShapeMismatch},
		{"NaN", wireDouble, 8, schema.Type{Kind: schema.Float64}, "000000000000f87f", rowferry.CodeCorruptLog},
		{"month 13", wireDate, 0, schema.Type{Kind: schema.Date}, "a1d10f", rowferry.CodeCorruptLog},
		{"minute 60", wireTime2, 0, schema.Type{Kind: schema.Time}, "800f00", rowferry.CodeCorruptLog},
		{"second 61", wireDateTime2, 0, schema.Type{Kind: schema.DateTime}, "99b2bb7bbd", rowferry.CodeCorruptLog},
		{"decimal digits", wireDecimal, 0x0900, schema.Type{Kind: schema.Decimal, Precision: 9}, "ffffffff", rowferry.CodeCorruptLog},
		{"binary too long", wireString, 0xfe02, schema.Type{Kind: schema.Binary, Length: 2}, "03616263", rowferry.CodeCorruptLog},
		{"json of itself", wireJSON, 1, schema.Type{Kind: schema.JSON}, "08 02 0100 0700 02 0000", rowferry.CodeCorruptLog},
		{"json type", wireJSON, 1, schema.Type{Kind: schema.JSON}, "02 0d00", rowferry.CodeCorruptLog},
		{"geometry", wireGeometry, 4, schema.Type{Kind: schema.Geometry}, "00", rowferry.CodeTypeRefused},
		{"unknown type", 0, 0, schema.Type{Kind: schema.Decimal}, "00", rowferry.CodeTypeRefused},
		{"another type", wireLong, 0, schema.Type{Kind: schema.Int, Bits: 64}, "00", rowferry.CodeShapeMismatch},
		{"another length", wireVarChar, 40, schema.Type{Kind: schema.VarChar, Length: 11, Charset: "utf8mb4"}, "00", rowferry.CodeShapeMismatch},
		{"no charset", wireVarChar, 40, schema.Type{Kind: schema.VarChar, Length: 10}, "00", rowferry.CodeShapeUnknown},
		{"no labels", wireString, 0xf701, schema.Type{Kind: schema.Enum}, "00", rowferry.CodeShapeUnknown},
		{"unknown charset", wireVarChar, 40, schema.Type{Kind: schema.VarChar, Length: 10, Charset: "ebcdic"}, "00", rowferry.CodeTypeRefused},
	} {
		t.Run(tc.name, func(t *testing.T) {
			v, err := decodeOne(t, mysql97, tc.code, tc.meta, tc.ty, unhex(t, tc.bytes))
			if rowferry.CodeOf(err) != tc.want {
				t.Errorf("got %v, %v; want %s", v, err, tc.want)
			}
		})
	}
}

// TestJSONBomb: a document whose members all point at the same place, level by
// level, is as long as two to the number of levels.
func TestJSONBomb(t *testing.T) {
	const levels = 60
	var b []byte
	for i := range levels { // each level is an array of two, both the next level
		next := byte(10)
		kind := byte(jsonSmallArray)
		if i == levels-1 {
			kind, next = jsonLiteral, 0
		}
		rest := 10 * (levels - i)
		b = append(b, 2, 0, byte(rest), byte(rest>>8), kind, next, 0, kind, next, 0)
	}
	if text, ok := appendJSON(nil, append([]byte{jsonSmallArray}, b...)); ok {
		t.Errorf("%d bytes became %d", len(b), len(text))
	}
}

// TestJSONKeyBomb: members whose keys are all the same long bytes.
func TestJSONKeyBomb(t *testing.T) {
	const members, key = 1000, 60_000
	b := make([]byte, 8)
	header := 8 + members*(6+5)
	for range members {
		b = append(b, byte(header), byte(header>>8), 0, 0, key&0xff, key>>8)
	}
	for range members {
		b = append(b, jsonLiteral, 0, 0, 0, 0)
	}
	binary.LittleEndian.PutUint32(b, members)
	binary.LittleEndian.PutUint32(b[4:], uint32(header+key))
	b = append(b, strings.Repeat("k", key)...)
	if text, ok := appendJSON(nil, append([]byte{jsonLargeObject}, b...)); ok || len(text) > 16*len(b) {
		t.Errorf("%d bytes became %d", len(b), len(text))
	}
}

func TestParseServer(t *testing.T) {
	for _, tc := range []struct {
		version string
		want    server
	}{
		{"9.7.1", server{major: 9, minor: 7, patch: 1}},
		{"8.0.36-0ubuntu0.22.04.1-log", server{major: 8, patch: 36}},
		{"10.11.19-MariaDB-0+deb12u1-log", server{mariadb: true, major: 10, minor: 11, patch: 19}},
		{"5.5.5-10.6.1-MariaDB", server{mariadb: true, major: 10, minor: 6, patch: 1}},
		{"5.5.5-log", server{major: 5, minor: 5, patch: 5}},
		{"5.5.68-MariaDB", server{mariadb: true, major: 5, minor: 5, patch: 68}},
		{"", server{}},
		{"strange", server{}},
	} {
		tc.want.version = tc.version
		if got := parseServer(tc.version); got != tc.want {
			t.Errorf("%q: %+v, want %+v", tc.version, got, tc.want)
		}
	}
}
