package csv

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/rowferry/rowferry"
	"github.com/rowferry/rowferry/schema"
)

// goods is the statement of the tests' table.
const goods = "CREATE TABLE goods (id INT NOT NULL PRIMARY KEY, name VARCHAR(5) NOT NULL, price DECIMAL(4,2), data BLOB, made DATE);\n"

// files writes files and the statements, and returns their folder.
func files(t *testing.T, statements string, texts map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	texts["schema.sql"] = statements
	for name, text := range texts {
		must(t, os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600))
	}
	return dir
}

// open is the source of a folder.
func open(t *testing.T, dir string, change func(*Options)) *Source {
	t.Helper()
	o := Options{Path: dir, Schema: filepath.Join(dir, "schema.sql"), Database: "shop", Format: DefaultFormat()}
	if change != nil {
		change(&o)
	}
	s, err := New(o)
	must(t, err)
	return s
}

// readTables copies all files, and returns the number of rows.
func readTables(t *testing.T, s *Source) (n int, err error) {
	t.Helper()
	c, err := s.Copy(t.Context(), "")
	if err != nil {
		return 0, err
	}
	r, err := c.Open(t.Context())
	must(t, err)
	for _, table := range c.Tables() {
		if _, err := r.ReadWhole(t.Context(), &table, func(part []rowferry.Row) error { n += len(part); return nil }); err != nil {
			return n, err
		}
	}
	must(t, r.Close())
	return n, c.Close()
}

const goodsHeader = "id,name,price,data,made\n"

// TestMalformed: each way in which a file is wrong is refused by its own code, and
// the error says where it is and what was found.
func TestMalformed(t *testing.T) {
	for _, c := range []struct {
		what, text string
		code       rowferry.Code
		says       []string // of the error, with its remedies
	}{
		{"an unclosed quote", goodsHeader + "1,\"a,1,,\n2,b,1,,\n", rowferry.CodeCSVSyntax, []string{"goods.csv:2:3", "not closed"}},
		{"text behind a quote", goodsHeader + "1,\"a\"b,1,,\n", rowferry.CodeCSVSyntax, []string{"goods.csv:2:6", "behind a closing quote"}},
		{"a quote in a field", goodsHeader + "1,a\"b,1,,\n", rowferry.CodeCSVSyntax, []string{"goods.csv:2:4", "inside a field"}},
		{"two ends of lines", goodsHeader + "1,a,1,,\r\n", rowferry.CodeCSVSyntax, []string{"goods.csv:2", "CR LF"}},
		{"too few fields", goodsHeader + "1,a,1,,\n2,b\n", rowferry.CodeCSVFields, []string{"goods.csv:3:1", "2 fields", "5 columns"}},
		{"too many fields", goodsHeader + "1,a,1,,,\n", rowferry.CodeCSVFields, []string{"goods.csv:2:1", "6 fields"}},
		{"an empty line", goodsHeader + "1,a,1,,\n\n", rowferry.CodeCSVFields, []string{"goods.csv:3:1", "1 fields", "empty line"}},
		{"another delimiter", strings.ReplaceAll(goodsHeader, ",", ";"), rowferry.CodeCSVHeader, []string{"goods.csv:1:1", "delimiter"}},
		{"a missing column", "id,name,price,data\n", rowferry.CodeCSVHeader, []string{"missing: made"}},
		{"an unknown column", "id,name,price,data,made,colour\n", rowferry.CodeCSVHeader, []string{"not in the table: colour"}},
		{"a column twice", "id,name,price,data,made,ID\n", rowferry.CodeCSVHeader, []string{"twice: ID"}},
		{"no header", "1,a,1,0x,2026-11-18\n", rowferry.CodeCSVHeader, []string{"header: false"}},
		{"nothing", "", rowferry.CodeCSVHeader, []string{"empty"}},
		{"no number", goodsHeader + "1,a,1,,\nx,b,1,,\n", rowferry.CodeCSVValue, []string{"goods.csv:3:1", "column: id int", `found: "x"`}},
		{"a number too large", goodsHeader + "1,a,100,,\n", rowferry.CodeCSVValue, []string{"goods.csv:2:5", "column: price", "room for 2"}},
		{"a number to be rounded", goodsHeader + "1,a,1.005,,\n", rowferry.CodeCSVValue, []string{"more than 2 decimals"}},
		{"a text too long", goodsHeader + "1,abcdef,1,,\n", rowferry.CodeCSVValue, []string{"column: name", "6 characters"}},
		{"bytes as text", goodsHeader + "1,a,1,plain,\n", rowferry.CodeCSVValue, []string{"column: data", "hexadecimal"}},
		{"no date", goodsHeader + "1,a,1,,18.11.2026\n", rowferry.CodeCSVValue, []string{"column: made", "18.11.2026"}},
		{"NULL where it cannot be", goodsHeader + "1,,1,,\n", rowferry.CodeCSVValue, []string{"goods.csv:2:3", "column: name", "NOT NULL", "null_marker"}},
		{"another NULL", goodsHeader + "1,a,NULL,,\n", rowferry.CodeCSVValue, []string{"null_marker: 'NULL'"}},
		{"Latin-1", goodsHeader + "1,caf\xe9,1,,\n", rowferry.CodeCSVText, []string{"goods.csv:2:3", "column: name", "0xE9 at offset 3 of 4", "iconv"}},
		{"UTF-16", "\xff\xfei\x00d\x00", rowferry.CodeCSVText, []string{"UTF-16", "0xFFFE"}},
	} {
		t.Run(c.what, func(t *testing.T) {
			dir := files(t, goods, map[string]string{"goods.csv": c.text})
			_, err := readTables(t, open(t, dir, nil))
			var e *rowferry.Error
			if !errors.As(err, &e) || e.Code != c.code {
				t.Fatalf("%v, want %s", err, c.code)
			}
			said := fmt.Sprint(e.Error(), e.Remedies)
			for _, s := range append(c.says, "goods") {
				if !strings.Contains(said, s) {
					t.Errorf("it does not say %q: %s", s, said)
				}
			}
			if len(e.Remedies) == 0 && c.code != rowferry.CodeCSVHeader {
				if info, _ := rowferry.Explain(c.code); len(info.Remedies) == 0 {
					t.Errorf("there is no remedy: %s", said)
				}
			}
		})
	}
}

// TestFiles: which files are whose, and what is refused before anything is read.
func TestFiles(t *testing.T) {
	two := "CREATE TABLE a (i INT);\nUSE other;\nCREATE TABLE a (i INT);\nCREATE TABLE b (i INT);\n"
	row := "i\n1\n"
	for _, c := range []struct {
		what, statements string
		files            map[string]string
		change           func(*Options)
		code             rowferry.Code
		rows             int
	}{
		{"a folder", goods, map[string]string{"goods.csv": goodsHeader, "notes.txt": "x"}, nil, "", 0},
		{"names with a database", two, map[string]string{"a.csv": row, "other.a.csv": row, "other.b.CSV": row}, nil, "", 3},
		{"no database needed", two, map[string]string{"b.csv": row}, func(o *Options) { o.Database = "" }, "", 1},
		{"named files", two, map[string]string{"x.txt": row, "a.csv": row}, func(o *Options) { o.Files = map[string]string{"other.b": o.Path + "/x.txt"} }, "", 2},
		{"a pattern", two, map[string]string{"a.csv": row, "z.csv": row}, func(o *Options) { o.Path += "/[a-b].csv" }, "", 1},
		{"one file", two, map[string]string{"a.csv": row, "z.csv": row}, func(o *Options) { o.Path += "/a.csv" }, "", 1},
		{"a MariaDB's statements", "CREATE TABLE a (i INET6);\n", map[string]string{"a.csv": "I\n::1\n"}, nil, "", 1},
		{"out of scope", two, map[string]string{"a.csv": row, "z.csv": "?"}, func(o *Options) {
			o.Scope = func(n schema.Name) bool { return n.Table != "z" }
		}, "", 1},
		{"two tables of a name", two, map[string]string{"a.csv": row}, func(o *Options) {
			o.Database = ""
			must(t, os.WriteFile(o.Schema, []byte("USE shop;\n"+two), 0o600))
		}, rowferry.CodeBadValue, 0},
		{"no statement", two, map[string]string{"a.csv": row, "z.csv": row}, nil, rowferry.CodeShapeUnknown, 0},
		{"no database", goods, map[string]string{"goods.csv": goodsHeader}, func(o *Options) { o.Database = "" }, rowferry.CodeBadDump, 0},
		{"two files", two, map[string]string{"a.csv": row, "shop.a.csv": row}, nil, rowferry.CodeBadValue, 0},
		{"no files", two, map[string]string{}, nil, rowferry.CodeCSVFile, 0},
		{"none in scope", two, map[string]string{"a.csv": row}, func(o *Options) { o.Scope = func(schema.Name) bool { return false } }, rowferry.CodeCSVFile, 0},
		{"a file that is not there", two, map[string]string{}, func(o *Options) { o.Files = map[string]string{"a": "/nowhere/a.csv"} }, rowferry.CodeCSVFile, 0},
		{"a folder as a file", two, map[string]string{}, func(o *Options) { o.Files, o.Path = map[string]string{"a": o.Path}, "" }, rowferry.CodeCSVFile, 0},
		{"no schema", two, map[string]string{"a.csv": row}, func(o *Options) { o.Schema = "/nowhere.sql" }, rowferry.CodeBadDump, 0},
		{"another schema", "hello;\n", map[string]string{"a.csv": row}, nil, rowferry.CodeBadDump, 0},
		{"a geometry", "CREATE TABLE a (i POINT);\n", map[string]string{"a.csv": row}, nil, rowferry.CodeTypeRefused, 0},
	} {
		t.Run(c.what, func(t *testing.T) {
			s := open(t, files(t, c.statements, c.files), c.change)
			if n, err := readTables(t, s); rowferry.CodeOf(err) != c.code || n != c.rows || err != nil && c.code == "" {
				t.Errorf("%d rows, %v; want %d and %s", n, err, c.rows, c.code)
			}
			if _, _, err := s.Look(); rowferry.CodeOf(err) != c.code {
				t.Errorf("doctor says %v, want %s", err, c.code)
			}
		})
	}
}

// TestRecognize: a copy goes on with the files and the format that it began with,
// and no others.
func TestRecognize(t *testing.T) {
	dir := files(t, "CREATE TABLE a (i INT);\nCREATE TABLE b (i INT);\n", map[string]string{"a.csv": "i\n1\n", "b.csv": "i\n1\n"})
	began := recognizer(t, open(t, dir, nil))
	must(t, recognizer(t, open(t, dir, nil)).Recognize(began.Server()))
	path := filepath.Join(dir, "a.csv")
	info, err := os.Stat(path)
	must(t, err)
	later := func() { must(t, os.Chtimes(path, time.Time{}, info.ModTime().Add(time.Millisecond))) }
	for what, c := range map[string]struct {
		says   string
		make   func()
		undo   func()
		change func(*Options)
	}{
		"a later time": {"changed: shop.a", later, func() { must(t, os.Chtimes(path, time.Time{}, info.ModTime())) }, nil},
		"another size": {"changed: shop.a (4 bytes then, 6 now)", func() { must(t, os.WriteFile(path, []byte("i\n1\n2\n"), 0o600)) }, func() {
			must(t, os.WriteFile(path, []byte("i\n1\n"), 0o600))
			must(t, os.Chtimes(path, time.Time{}, info.ModTime()))
		}, nil},
		"a new file":  {"new: shop.c", func() { must(t, addTable(dir, "c")) }, func() { must(t, os.Remove(filepath.Join(dir, "c.csv"))) }, nil},
		"a file gone": {"gone: shop.b", func() {}, func() {}, func(o *Options) { o.Path = path }},
		"a format":    {"format then", func() {}, func() {}, func(o *Options) { o.Format.Null = "NULL" }},
	} {
		c.make()
		err := recognizer(t, open(t, dir, c.change)).Recognize(began.Server())
		if rowferry.CodeOf(err) != rowferry.CodeCSVChanged || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v", what, err)
		}
		c.undo()
	}
	must(t, recognizer(t, open(t, dir, nil)).Recognize(began.Server()))
	if err := began.Recognize("server 4711"); rowferry.CodeOf(err) != rowferry.CodeCSVChanged {
		t.Errorf("a copy from a server: %v", err)
	}
}

func addTable(dir, name string) error {
	f, err := os.OpenFile(filepath.Join(dir, "schema.sql"), os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = f.WriteString("CREATE TABLE " + name + " (i INT);\n")
	return errors.Join(err, f.Close(), os.WriteFile(filepath.Join(dir, name+".csv"), []byte("i\n"), 0o600))
}

func recognizer(t *testing.T, s *Source) rowferry.Recognizer {
	t.Helper()
	c, err := s.Copy(t.Context(), Position)
	must(t, err)
	return c.(rowferry.Recognizer)
}

// TestChangedWhileRead: a file that changes under its reader, or before it, is
// refused, and so is another one in its place.
func TestChangedWhileRead(t *testing.T) {
	for what, when := range map[string]bool{"before": true, "while it is read": false} {
		dir := files(t, "CREATE TABLE a (i INT);\n", map[string]string{"a.csv": "i\n1\n"})
		c, err := open(t, dir, nil).Copy(t.Context(), "")
		must(t, err)
		r, err := c.Open(t.Context())
		must(t, err)
		change := func() { must(t, os.WriteFile(filepath.Join(dir, "a.csv"), []byte("i\n1\n2\n"), 0o600)) }
		if when {
			change()
		}
		_, err = r.ReadWhole(t.Context(), &c.Tables()[0], func([]rowferry.Row) error {
			if when {
				t.Error("rows of another file are given away")
			}
			change()
			return nil
		})
		if rowferry.CodeOf(err) != rowferry.CodeCSVChanged {
			t.Errorf("changed %s: %v", what, err)
		}
	}
}

// TestOrder: the header says which column a field is, in whatever order and case.
func TestOrder(t *testing.T) {
	dir := files(t, goods, map[string]string{"goods.csv": "Made, price ,DATA,name,id\r\n2026-11-18,1.5,0x41,\"\",7\r\n,,,b,8\r\n"})
	c, err := open(t, dir, nil).Copy(t.Context(), "")
	must(t, err)
	r, err := c.Open(t.Context())
	must(t, err)
	var got []rowferry.Row
	_, err = r.ReadWhole(t.Context(), &c.Tables()[0], func(part []rowferry.Row) error { got = append(got, part...); return nil })
	must(t, err)
	null, text := rowferry.NullValue(), rowferry.TextValue
	want := []rowferry.Row{
		{rowferry.IntValue(7), text(""), text("1.50"), rowferry.BytesValue("A"), text("2026-11-18")},
		{rowferry.IntValue(8), text("b"), null, null, null},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %v\nwant %v", got, want)
	}
}

// TestNoLog: the log ends where it begins, is of no other source, and says which
// files may be cut off or were passed over.
func TestNoLog(t *testing.T) {
	dir := files(t, "CREATE TABLE a (i INT);\n", map[string]string{"a.csv": "i\n1", "z.csv": "i\n"})
	s := open(t, dir, func(o *Options) { o.Scope = func(n schema.Name) bool { return n.Table == "a" } })
	if n, err := readTables(t, s); n != 1 || err != nil {
		t.Fatalf("%d rows, %v", n, err)
	}
	r, err := s.Open(t.Context(), rowferry.Start{})
	must(t, err)
	if tx, err := r.Next(t.Context()); tx != nil || !errors.Is(err, io.EOF) || r.Begin() != Position {
		t.Errorf("%v, %v behind %s", tx, err, r.Begin())
	}
	notices := strings.Join(r.Notices(), "\n")
	if !strings.Contains(notices, "a.csv has no end") || !strings.Contains(notices, "z.csv") {
		t.Errorf("notices: %s", notices)
	}
	if passed, err := s.Passed(Position, "", Position); !passed || err != nil {
		t.Errorf("%v, %v", passed, err)
	}
	for _, from := range []rowferry.Position{"mysql-bin.000001:4", "0-1-2"} {
		_, err := s.Open(t.Context(), rowferry.Start{Position: from})
		_, second := s.Copy(t.Context(), from)
		if rowferry.CodeOf(err) != rowferry.CodeLineageBroken || rowferry.CodeOf(second) != rowferry.CodeLineageBroken {
			t.Errorf("from %s: %v, %v", from, err, second)
		}
	}
}

// TestParts: rows come in parts of bounded size, and an interruption or an error of
// who takes them ends it.
func TestParts(t *testing.T) {
	var text strings.Builder
	text.WriteString("i\n")
	for range 3 * copyBatchBytes / 100 {
		text.WriteString("1\n")
	}
	dir := files(t, "CREATE TABLE a (i INT);\n", map[string]string{"a.csv": text.String()})
	c, err := open(t, dir, nil).Copy(t.Context(), "")
	must(t, err)
	r, err := c.Open(t.Context())
	must(t, err)
	parts, rows := 0, 0
	_, err = r.ReadWhole(t.Context(), &c.Tables()[0], func(part []rowferry.Row) error {
		parts, rows = parts+1, rows+len(part)
		size := 0
		for _, row := range part[1:] {
			size += row.Size()
		}
		if size > copyBatchBytes {
			t.Errorf("a part of %d bytes", size)
		}
		return nil
	})
	if want := 3 * copyBatchBytes / 100; err != nil || rows != want || parts < 2 {
		t.Errorf("%d rows in %d parts, %v, want %d", rows, parts, err, want)
	}
	refused := errors.New("no")
	if _, err := r.ReadWhole(t.Context(), &c.Tables()[0], func([]rowferry.Row) error { return refused }); !errors.Is(err, refused) {
		t.Errorf("%v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := r.ReadWhole(ctx, &c.Tables()[0], func([]rowferry.Row) error { return nil }); !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
}

// TestFormats: formats that contradict themselves are refused.
func TestFormats(t *testing.T) {
	for _, f := range []Format{
		format(func(f *Format) { f.Delimiter = '"' }), format(func(f *Format) { f.Delimiter = 'a' }), format(func(f *Format) { f.Delimiter = 0 }),
		format(func(f *Format) { f.Quote = '\n' }), format(func(f *Format) { f.Escape = "?" }), format(func(f *Format) { f.Binary = "" }),
		format(func(f *Format) { f.Null = "a,b" }), format(func(f *Format) { f.Null = `"` }), format(func(f *Format) { f.Null = "a\n" }),
		format(func(f *Format) { f.Escape, f.Null = EscapeMySQL, `\n` }), format(func(f *Format) { f.Escape, f.Delimiter = EscapeMySQL, '\\' }),
		format(func(f *Format) { f.Escape, f.Quote = EscapePostgres, 0 }), format(func(f *Format) { f.Delimiter = 0xe9 }), format(func(f *Format) { f.Delimiter = '-' }),
	} {
		if _, err := New(Options{Format: f}); rowferry.CodeOf(err) != rowferry.CodeBadValue {
			t.Errorf("%+v: %v", f, err)
		}
	}
}
