package csv

import (
	stdcsv "encoding/csv"
	"errors"
	"fmt"
	"io"
	"reflect"
	"slices"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/rowferry/rowferry"
)

// format is a Format with changes.
func format(change func(*Format)) Format {
	f := DefaultFormat()
	if change != nil {
		change(&f)
	}
	return f
}

var (
	mysqlFormat = format(func(f *Format) { f.Escape = EscapeMySQL })
	pgFormat    = format(func(f *Format) { f.Escape = EscapePostgres })
	tsvFormat   = format(func(f *Format) { f.Delimiter, f.Quote, f.Escape = '\t', 0, EscapeMySQL })
	wordFormat  = format(func(f *Format) { f.Null = "NULL" })
)

// null stands for NULL where the rows of a test are written as text.
const null = "\x00NULL"

// readAll reads rows through a source that gives as little as it likes.
func readAll(src io.Reader, f Format) (rows [][]string, err error) {
	r, err := newReader(src, "t.csv", f)
	for err == nil {
		var ok bool
		if ok, err = r.next(); err != nil || !ok {
			break
		}
		row := []string{}
		for _, x := range r.fields {
			if x.null {
				row = append(row, null)
				continue
			}
			row = append(row, string(r.text[x.start:x.end]))
		}
		if len(row) != r.count {
			return rows, fmt.Errorf("%d of %d fields", len(row), r.count)
		}
		rows = append(rows, row)
	}
	return rows, err
}

// TestReader: what each format makes of a text, however it comes.
func TestReader(t *testing.T) {
	for _, c := range []struct {
		text   string
		format Format
		want   [][]string
	}{
		{"", DefaultFormat(), nil},
		{"a,b\n1,2\n", DefaultFormat(), [][]string{{"a", "b"}, {"1", "2"}}},
		{"a,b\r\n1,2\r\n", DefaultFormat(), [][]string{{"a", "b"}, {"1", "2"}}},
		{"a,b\n1,2", DefaultFormat(), [][]string{{"a", "b"}, {"1", "2"}}},
		{"a,\"\"", DefaultFormat(), [][]string{{"a", ""}}},
		{"a,", DefaultFormat(), [][]string{{"a", null}}},
		{"\xef\xbb\xbfa\n", DefaultFormat(), [][]string{{"a"}}},
		{"\n\n", DefaultFormat(), [][]string{{null}, {null}}},
		{",\"\",x\n", DefaultFormat(), [][]string{{null, "", "x"}}},
		{"\"a\"\"b\",\"\"\"\",\"x,\ny\r\nz\"\n", DefaultFormat(), [][]string{{`a"b`, `"`, "x,\ny\r\nz"}}},
		{`\N,a\"b` + "\n", format(func(f *Format) { f.Quote = '\'' }), [][]string{{`\N`, `a\"b`}}},
		{`a\,"b\"` + "\n", DefaultFormat(), [][]string{{`a\`, `b\`}}},
		{"NULL,\"NULL\",,null\n", wordFormat, [][]string{{null, "NULL", "", "null"}}},
		{`\N,"\N"` + "\n", format(func(f *Format) { f.Null = `\N` }), [][]string{{null, `\N`}}},
		{`\N,"\N",,\Nx,x\N` + "\n", mysqlFormat, [][]string{{null, "N", "", "Nx", "xN"}}},
		{`"a\"b\\c\` + "\n" + `d\0\n\t\r\b\Z\x","e""f"` + "\n", mysqlFormat, [][]string{{"a\"b\\c\nd\x00\n\t\r\b\x1ax", `e"f`}}},
		{"a\\\tb\t\"c\t\\N\t\\\\N\n", tsvFormat, [][]string{{"a\tb", `"c`, null, `\N`}}},
		{"a\rb\tc\n", tsvFormat, [][]string{{"a\rb", "c"}}},
		{"NULL,\\NULL\n", format(func(f *Format) { f.Escape, f.Null = EscapeMySQL, "NULL" }), [][]string{{null, "NULL"}}},
		{`"a\"b\\c\d",a\d,\N` + "\n", pgFormat, [][]string{{`a"b\c\d`, `a\d`, `\N`}}},
		{`"ends\\"` + "\n", pgFormat, [][]string{{`ends\`}}},
		{"é;ü\n", format(func(f *Format) { f.Delimiter = ';' }), [][]string{{"é", "ü"}}},
		{"a\xff,b\n", DefaultFormat(), [][]string{{"a\xff", "b"}}},
		{"a\\b\n", format(func(f *Format) { f.Quote = '\\' }), nil},
	} {
		for name, src := range map[string]io.Reader{
			"at once": strings.NewReader(c.text), "byte by byte": iotest.OneByteReader(strings.NewReader(c.text)),
			"with the end": iotest.DataErrReader(strings.NewReader(c.text)),
		} {
			got, err := readAll(src, c.format)
			if want := c.want; !reflect.DeepEqual(got, want) || (err != nil) != (c.want == nil && c.text != "") {
				t.Errorf("%q %s is %q, %v, want %q", c.text, name, got, err, want)
			}
		}
	}
}

// TestReaderRefuses: what is not in the format is refused, by place.
func TestReaderRefuses(t *testing.T) {
	long := format(nil)
	for _, c := range []struct {
		text   string
		format Format
		code   rowferry.Code
		at     string
	}{
		{"a,b\n1,\"x\n\ny", long, rowferry.CodeCSVSyntax, "t.csv:2:3"},
		{"a\nb\"c\n", long, rowferry.CodeCSVSyntax, "t.csv:2:2"},
		{"a\n\"b\"c\n", long, rowferry.CodeCSVSyntax, "t.csv:2:4"},
		{"\"a\"\rb\n", long, rowferry.CodeCSVSyntax, "t.csv:1:5"},
		{"a\rb\n", long, rowferry.CodeCSVSyntax, "t.csv:1:3"},
		{"a\nb\r\n", long, rowferry.CodeCSVSyntax, "t.csv:2:4"},
		{"a\r\nb\n", long, rowferry.CodeCSVSyntax, "t.csv:2:3"},
		{"a\r\nb\rc\r\n", mysqlFormat, rowferry.CodeCSVSyntax, "t.csv:2:3"},
		{"a\n\"b\"\"c\"\n", pgFormat, rowferry.CodeCSVSyntax, "t.csv:2:4"},
		{"a\nb\\", mysqlFormat, rowferry.CodeCSVSyntax, "t.csv:2:3"},
		{"a\n\"b\\", mysqlFormat, rowferry.CodeCSVSyntax, "t.csv:2:4"},
		{"a\n\"b\\\"", pgFormat, rowferry.CodeCSVSyntax, "t.csv:2:1"},
		{"\xff\xfea\x00", long, rowferry.CodeCSVText, ""},
		{"\xfe\xff\x00a", long, rowferry.CodeCSVText, ""},
		{"a\x00,\x00", long, rowferry.CodeCSVText, ""},
	} {
		for _, src := range []io.Reader{strings.NewReader(c.text), iotest.OneByteReader(strings.NewReader(c.text))} {
			_, err := readAll(src, c.format)
			if rowferry.CodeOf(err) != c.code || c.at != "" && !strings.Contains(err.Error(), c.at+")") {
				t.Errorf("%q: %v, want %s at %s", c.text, err, c.code, c.at)
			}
		}
	}
}

// endless is the same text again and again.
type endless string

func (e endless) Read(p []byte) (int, error) {
	n := 0
	for n+len(e) <= len(p) {
		n += copy(p[n:], e)
	}
	return n, nil
}

// TestReaderLimit: a row that does not end is refused, whatever it is made of, and
// in bounded memory.
func TestReaderLimit(t *testing.T) {
	for _, text := range []string{"aaaa", ",", `""`, "\"a\n", `\a`} {
		f := mysqlFormat
		src := io.MultiReader(strings.NewReader("a\n\""), endless(text))
		if text == "," || text == `\a` {
			src = io.MultiReader(strings.NewReader("a\n"), endless(text))
		}
		if text == "\"a\n" {
			f, src = DefaultFormat(), io.MultiReader(strings.NewReader("a\n\""), endless("\"\"a\n"))
		}
		r, err := newReader(src, "t.csv", f)
		if err != nil {
			t.Fatal(err)
		}
		r.limit = 1 << 20
		for err == nil {
			_, err = r.next()
		}
		if rowferry.CodeOf(err) != rowferry.CodeCSVTooLong || !strings.Contains(err.Error(), "t.csv:2:") {
			t.Errorf("%q without end: %v", text, err)
		}
		if len(r.text) > 2<<20 || len(r.fields) > mostFields {
			t.Errorf("%q without end: %d bytes and %d fields are held", text, len(r.text), len(r.fields))
		}
	}
}

// TestReaderFails: what keeps a file from being read is said, and not taken for its
// end.
func TestReaderFails(t *testing.T) {
	broken := errors.New("the disk is gone")
	for _, text := range []string{"", "a", "a,", "a,\"b", "a\n", "\"a\"", "\"a\"\r"} {
		_, err := readAll(io.MultiReader(strings.NewReader(text), iotest.ErrReader(broken)), DefaultFormat())
		if !errors.Is(err, broken) || rowferry.CodeOf(err) != rowferry.CodeCSVFile {
			t.Errorf("after %q: %v", text, err)
		}
	}
}

// TestReaderPlaces: each field knows where it begins.
func TestReaderPlaces(t *testing.T) {
	r, err := newReader(strings.NewReader("\xef\xbb\xbfa,b\n\"x\ny\",é,z\nq,\n"), "t.csv", DefaultFormat())
	var got []string
	for err == nil {
		var ok bool
		if ok, err = r.next(); !ok {
			break
		}
		for _, f := range r.fields {
			got = append(got, r.placeOf(f))
		}
	}
	want := []string{"t.csv:1:1", "t.csv:1:3", "t.csv:2:1", "t.csv:3:4", "t.csv:3:7", "t.csv:4:1", "t.csv:4:3"}
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("%v, %v", got, err)
	}
}

// write is an export of one row, each field as mode says: quoted, or as plain as it
// can be.
func write(b *strings.Builder, f Format, fields []string, quoted bool) {
	for i, s := range fields {
		if i > 0 {
			b.WriteByte(f.Delimiter)
		}
		if s == null {
			b.WriteString(map[Escape]string{EscapeDouble: "", EscapePostgres: "", EscapeMySQL: `\N`}[f.Escape])
			continue
		}
		switch f.Escape {
		case EscapeMySQL:
			s = strings.NewReplacer(`\`, `\\`, "\n", "\\\n", "\r", `\r`, "\x00", `\0`, string(f.Delimiter), `\`+string(f.Delimiter), `"`, `\"`).Replace(s)
		case EscapePostgres:
			quoted = quoted || s == "" || strings.ContainsAny(s, "\",\r\n")
			if quoted {
				s = strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(s)
			}
		case EscapeDouble:
			quoted = quoted || s == "" || strings.ContainsAny(s, "\",\r\n")
			s = strings.ReplaceAll(s, `"`, `""`)
		}
		if quoted && f.Quote != 0 {
			s = `"` + s + `"`
		}
		b.WriteString(s)
	}
	b.WriteByte('\n')
}

// FuzzRoundTrip: what is written in a format is read again, in all of them.
func FuzzRoundTrip(f *testing.F) {
	f.Add("a", "b\"c\\\n", null, uint8(0))
	f.Add("", "\\N", "\r\n,\t'", uint8(1))
	f.Add("\\", "\"\"", "\xef\xbb\xbf", uint8(2))
	f.Add("é\x00", "\\\"", "N", uint8(3))
	f.Fuzz(func(t *testing.T, a, b, c string, mode uint8) {
		for _, format := range []Format{DefaultFormat(), mysqlFormat, pgFormat, tsvFormat} {
			var text strings.Builder
			want := [][]string{{"h", "i", "j"}, {a, b, c}, {c, a, null}}
			for i, row := range want {
				write(&text, format, row, int(mode)>>i&1 != 0)
			}
			got, err := readAll(iotest.HalfReader(strings.NewReader(text.String())), format)
			if err != nil || !reflect.DeepEqual(got, want) {
				t.Fatalf("%+v: %q is read as %q, %v, and is %q", format, text.String(), got, err, want)
			}
		}
	})
}

// FuzzReader: nothing brings the reader down, it reads the same whatever comes at
// once, and it agrees with the standard library where both take a text.
func FuzzReader(f *testing.F) {
	for _, s := range []string{"a,b\n1,2\n", "\"a\"\"\n\",\r\n", "\\N,\"\\\"\"\n", "a\rb", "\xef\xbb\xbf\"", "\xff\xfe", "a\n\n"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		for _, format := range []Format{DefaultFormat(), mysqlFormat, pgFormat, tsvFormat, wordFormat} {
			whole, err := readAll(strings.NewReader(text), format)
			bytes, second := readAll(iotest.OneByteReader(strings.NewReader(text)), format)
			if !reflect.DeepEqual(whole, bytes) || (err == nil) != (second == nil) || err != nil && err.Error() != second.Error() {
				t.Fatalf("%+v: %q is %q, %v at once, and %q, %v byte by byte", format, text, whole, err, bytes, second)
			}
			if err != nil && rowferry.CodeOf(err) == "" {
				t.Fatalf("%q: %v", text, err)
			}
		}
		agree(t, text)
	})
}

// agree compares with encoding/csv, which passes over empty lines, reads \r\n in
// quotes as \n and knows no NULL.
func agree(t *testing.T, text string) {
	t.Helper()
	const marker = "\x01\x02\x01"
	ours, err := readAll(strings.NewReader(text), format(func(f *Format) { f.Null = marker }))
	if err != nil || strings.Contains(text, marker) {
		return
	}
	theirs := stdcsv.NewReader(strings.NewReader(strings.TrimPrefix(text, "\xef\xbb\xbf")))
	theirs.FieldsPerRecord = -1
	want, err := theirs.ReadAll()
	if err != nil {
		t.Fatalf("%q is %q, and the standard library says %v", text, ours, err)
	}
	var got [][]string
	for _, row := range ours {
		if len(row) == 1 && row[0] == "" {
			continue
		}
		for i := range row {
			row[i] = strings.ReplaceAll(row[i], "\r\n", "\n")
		}
		got = append(got, row)
	}
	want = slices.DeleteFunc(want, func(r []string) bool { return len(r) == 1 && r[0] == "" })
	if !reflect.DeepEqual(got, want) && len(got)+len(want) > 0 {
		t.Fatalf("%q is %q, and to the standard library %q", text, got, want)
	}
}
