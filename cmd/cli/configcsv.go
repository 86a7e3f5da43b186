package cli

import (
	"maps"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/rowferry/rowferry"
	"github.com/rowferry/rowferry/mapping"
	"github.com/rowferry/rowferry/source/csv"
)

// csvSettings are CSV files as the source. Empty texts are the defaults.
type csvSettings struct {
	path, schema, database                 string
	files                                  map[string]string
	delimiter, quote, escape, null, binary string
	noHeader                               bool
}

// given reports whether there are any.
func (c *csvSettings) given() bool { return c.path != "" || len(c.files) > 0 }

// text names the files in messages.
func (c *csvSettings) text() string {
	texts := slices.Sorted(maps.Values(c.files))
	if c.path != "" {
		texts = append([]string{c.path}, texts...)
	}
	const most = 3
	if len(texts) > most {
		texts = append(texts[:most:most], "…")
	}
	return "CSV files " + strings.Join(texts, ", ")
}

// fromCSV reports whether the source is CSV files.
func (s *settings) fromCSV() bool { return s.csv.given() }

// The names of what has no good one as text.
const (
	tabName  = "tab"
	noQuotes = "none"
)

func csvKeys() []*key {
	return []*key{
		{
			name: "path", example: "export/*.csv",
			doc: "The files, one a table: a folder, whose files that end in `.csv` are read, a path with `*`, `?` and `[0-9]` in it, or one file. A file's name without its last ending is the table's: `orders.csv`, or `shop.orders.csv`.",
			set: func(s *settings, _ []string, v string) { s.csv.path = s.beside(v) },
		},
		{
			name: "files", kind: namedKey, named: checkFileTable, example: "{shop.orders: export/2026-orders.txt}",
			doc: "Files by table, as `database.table` or `table`, where their names do not say it; beside `path`, or in its place.",
			each: &key{name: "table", example: "export/2026-orders.txt", doc: "The file of one table.", set: func(s *settings, under []string, v string) {
				if s.csv.files == nil {
					s.csv.files = map[string]string{}
				}
				s.csv.files[under[0]] = s.beside(v)
			}},
		},
		{
			name: "schema", required: true, example: "shop-schema.sql",
			doc: "A file with the tables' CREATE statements, as `mysqldump --no-data` or `SHOW CREATE TABLE` print them. A file without a statement for its table is refused.",
			set: func(s *settings, _ []string, v string) { s.csv.schema = s.beside(v) },
		},
		{
			name: "database", example: "shop",
			doc: "The database of tables that name none, in `schema` and in the files' names.",
			set: func(s *settings, _ []string, v string) { s.csv.database = v },
		},
		{
			name: "delimiter", def: ",", example: ";", check: checkDelimiter,
			doc: "What stands between fields: one character of ASCII, or `tab`.",
			set: func(s *settings, _ []string, v string) { s.csv.delimiter = v },
		},
		{
			name: "quote", def: `"`, example: "'", check: checkQuote,
			doc: "What stands around fields that have delimiters or ends of lines in them: one character of ASCII, or `none`.",
			set: func(s *settings, _ []string, v string) { s.csv.quote = v },
		},
		{
			name: "escape", values: []string{string(csv.EscapeDouble), string(csv.EscapeMySQL), string(csv.EscapePostgres)}, def: string(csv.EscapeDouble),
			doc: "How a quote stands in a quoted field. `double`: twice, and a backslash is a character like others, as in most exports. `mysql`: behind a backslash, which escapes outside quotes too, as `SELECT … INTO OUTFILE … ESCAPED BY '\\\\'` writes. `postgres`: behind a backslash, in quoted fields alone, as `\\copy … CSV ESCAPE '\\'` writes.",
			set: func(s *settings, _ []string, v string) { s.csv.escape = v },
		},
		{
			name: "null_marker", example: `"NULL"`,
			doc: "The unquoted text that means NULL. Without the key, a field that is empty and not quoted; with `escape: mysql`, `\\N`, which always does there. A quoted field is never NULL.",
			set: func(s *settings, _ []string, v string) { s.csv.null = v },
		},
		{
			name: "header", kind: switchKey, def: "true",
			doc: "Whether the first row of each file has the names of the table's columns, each once and in any order. With `false`, fields are the table's columns in their order.",
			set: func(s *settings, _ []string, v string) { s.csv.noHeader = v == "false" },
		},
		{
			name: "binary", values: []string{string(csv.BinaryHex), string(csv.BinaryRaw)}, def: string(csv.BinaryHex),
			doc: "How bytes of BINARY, VARBINARY and BLOB columns are written. `hex`: in hexadecimal behind `\\x` or `0x` (with `escape: mysql`, behind `0x`). `raw`: as they are. A BIT(n) is always hexadecimal, or its n digits.",
			set: func(s *settings, _ []string, v string) { s.csv.binary = v },
		},
	}
}

func checkFileTable(text string) error {
	db, table, two := strings.Cut(text, ".")
	if db == "" || two && table == "" {
		return rowferry.Errorf(rowferry.CodeBadValue, "%q is not a table", text).Remedy("write", "shop.orders, or orders")
	}
	return nil
}

func checkDelimiter(text string) error {
	_, err := separator(text, tabName, '\t')
	return err
}

func checkQuote(text string) error {
	_, err := separator(text, noQuotes, 0)
	return err
}

// separator reads one character, or the name of another one.
func separator(text, name string, named byte) (byte, error) {
	if text == name {
		return named, nil
	}
	if _, n := utf8.DecodeRuneInString(text); n != len(text) || n != 1 || csv.CheckSeparator(text[0]) != nil {
		return 0, rowferry.Errorf(rowferry.CodeBadValue, "%q cannot stand between or around fields", text).
			Remedy("write", "one character of ASCII that is no letter or digit, or %s", name)
	}
	return text[0], nil
}

// format is how the files are written, by settings that were checked.
func (c *csvSettings) format() csv.Format {
	f := csv.DefaultFormat()
	if c.delimiter != "" {
		f.Delimiter, _ = separator(c.delimiter, tabName, '\t')
	}
	if c.quote != "" {
		f.Quote, _ = separator(c.quote, noQuotes, 0)
	}
	if c.escape != "" {
		f.Escape = csv.Escape(c.escape)
	}
	if c.binary != "" {
		f.Binary = csv.Binary(c.binary)
	}
	f.Null, f.Header = c.null, !c.noHeader
	return f
}

// openCSV is the files that the settings name. Nothing of them is looked at.
func (s *settings) openCSV(rules *mapping.Rules) (*csv.Source, error) {
	return csv.New(csv.Options{
		Files: s.csv.files, Path: s.csv.path, Schema: s.csv.schema, Database: s.csv.database, Format: s.csv.format(), Scope: rules.InScope,
	})
}

// agreeCSV checks what stands beside CSV files.
func (l *loader) agreeCSV() {
	at := l.places["source.csv"]
	if at == nil {
		return
	}
	for _, k := range sourceKeys() {
		if other := l.places["source."+k.name]; other != nil && k.name != "csv" {
			l.fail(l.problem(rowferry.CodeBadValue, other, "source.%s stands beside source.csv, and files have no server", k.name).Remedy("leave out", "%s", k.name))
		}
	}
	if !l.s.csv.given() && len(l.errs) == 0 {
		l.fail(l.problem(rowferry.CodeMissingKey, at, "source.csv names no files").Remedy("add", "path: export/*.csv"))
	}
}

// fitsCSV refuses what is not for files.
func (s *settings) fitsCSV(refuse func(what, kind string)) {
	for _, x := range []struct {
		what, kind string
		given      bool
	}{
		{"--from", "a log", s.from != ""}, {"--until", "a log", s.until != ""},
		{"--schema", "a binlog (source.csv.schema has the tables' statements)", s.schema != ""},
		{"--server-id", "a MySQL or MariaDB server", s.serverID != 0},
		{"copy.chunk_rows", "a server (a file is read whole)", s.copies.rows != 0},
	} {
		if x.given {
			refuse(x.what, x.kind)
		}
	}
}

// needLog refuses CSV files for a command that reads a log.
func (s *settings) needLog(command string) error {
	if !s.fromCSV() {
		return nil
	}
	return rowferry.Errorf(rowferry.CodeUsage, "%s reads a log, and CSV files have none", command).
		Remedy("copy the files", "%s", s.goOn())
}
