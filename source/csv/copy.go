package csv

import (
	"context"
	"encoding/json"
	"errors"
	"maps"
	"os"
	"slices"
	"unicode/utf8"

	"github.com/rowferry/rowferry"
	"github.com/rowferry/rowferry/internal/failpoint"
	"github.com/rowferry/rowferry/schema"
)

// copyBatchBytes is how much is given to each at once, as Row.Size counts it.
const copyBatchBytes = 512 << 10

// tableCopy is the files as they were when it was made. Nothing of it changes.
type tableCopy struct {
	source *Source
	files  map[*schema.Table]*file
	tables []rowferry.CopyTable
	marks  fingerprint
}

var (
	_ rowferry.Copy        = (*tableCopy)(nil)
	_ rowferry.Recognizer  = (*tableCopy)(nil)
	_ rowferry.ChunkReader = (*fileReader)(nil)
)

// Copy finds the files. See rowferry.Copier.
func (s *Source) Copy(_ context.Context, from rowferry.Position) (rowferry.Copy, error) {
	if err := checkPosition(from); err != nil {
		return nil, err
	}
	files, err := s.find()
	if err != nil {
		return nil, err
	}
	k := &tableCopy{source: s, files: map[*schema.Table]*file{}, marks: fingerprint{Format: s.opt.Format.describe(), Files: map[string]mark{}}}
	for _, f := range files {
		k.files[f.shape] = f
		k.tables = append(k.tables, f.table())
		k.marks.Files[f.shape.Name.String()] = mark{f.size, f.stamp}
	}
	return k, nil
}

// table is how the file is copied.
func (f *file) table() rowferry.CopyTable {
	return rowferry.CopyTable{Shape: f.shape, Bytes: f.size, Whole: true, Unordered: true}
}

// fingerprint is what a copy is of: it differs where the rows may.
type fingerprint struct {
	Format string          `json:"format"`
	Files  map[string]mark `json:"files"` // by table
}

// mark is a file's size and when it was changed last, in nanoseconds. A digest of
// what is in it would have to be read twice for.
type mark struct {
	Size  int64 `json:"size"`
	Stamp int64 `json:"changed"`
}

// From is the one place there is. See rowferry.Copy.
func (k *tableCopy) From() (rowferry.Position, string) { return Position, "" }

// Server is the fingerprint of the files. See rowferry.Copy.
func (k *tableCopy) Server() string {
	text, _ := json.Marshal(k.marks) // of strings and numbers
	return string(text)
}

// Recognize refuses files that are not those that a copy began with. See
// rowferry.Recognizer.
func (k *tableCopy) Recognize(began string) error {
	if began == k.Server() || failpoint.On("mix-files") {
		return nil
	}
	e := rowferry.Errorf(rowferry.CodeCSVChanged, "the CSV files are not as they were when the copy began")
	var was fingerprint
	if err := json.Unmarshal([]byte(began), &was); err != nil || was.Files == nil {
		e.Fact("began with", "%s", began)
	}
	if was.Format != k.marks.Format {
		e.Fact("format then", "%s", was.Format).Fact("format now", "%s", k.marks.Format)
	}
	for _, table := range slices.Sorted(maps.Keys(k.marks.Files)) {
		if then, ok := was.Files[table]; !ok {
			e.Fact("new", "%s", table)
		} else if then != k.marks.Files[table] {
			e.Fact("changed", "%s (%d bytes then, %d now)", table, then.Size, k.marks.Files[table].Size)
		}
	}
	for _, table := range slices.Sorted(maps.Keys(was.Files)) {
		if _, ok := k.marks.Files[table]; !ok {
			e.Fact("gone", "%s", table)
		}
	}
	return e.Remedy("go on", "put the files back as they were, with the time they were changed last (cp -p)").
		Remedy("start over", "rowferry destroy, then run again into empty tables")
}

// Tables returns those that have a file.
func (k *tableCopy) Tables() []rowferry.CopyTable { return slices.Clone(k.tables) }

// Open returns a reader of files. See rowferry.Copy.
func (k *tableCopy) Open(context.Context) (rowferry.ChunkReader, error) { return &fileReader{k}, nil }

// End is the one place there is. See rowferry.Copy.
func (k *tableCopy) End(context.Context) (rowferry.Mark, error) { return Position, nil }

// Close has nothing to end.
func (k *tableCopy) Close() error { return nil }

// fileReader reads files one after the other.
type fileReader struct{ copy *tableCopy }

// Split, Read and Fetch are for rows in the order of their key, which files do not
// have.
func (*fileReader) Split(_ context.Context, t *rowferry.CopyTable, _ []rowferry.Value, _ int) ([]rowferry.Value, error) {
	return nil, unordered(t)
}

// Read is refused. See Split.
func (*fileReader) Read(_ context.Context, t *rowferry.CopyTable, _, _ []rowferry.Value, _ func([]rowferry.Row) error) (rowferry.Snapshot, error) {
	return "", unordered(t)
}

// Fetch is refused. See Split.
func (*fileReader) Fetch(_ context.Context, t *rowferry.CopyTable, _ [][]rowferry.Value, _ func([]rowferry.Row) error) error {
	return unordered(t)
}

func unordered(t *rowferry.CopyTable) error {
	return rowferry.Errorf(rowferry.CodeInternal, "the file of table %s is read by key, and has no order", t.Shape.Name)
}

// Close has nothing to close: each file is closed when it was read.
func (*fileReader) Close() error { return nil }

// ReadWhole reads a file. See rowferry.ChunkReader. A file that is another one than
// when the copy was made, or changes while it is read, is refused.
func (r *fileReader) ReadWhole(ctx context.Context, t *rowferry.CopyTable, each func([]rowferry.Row) error) (_ rowferry.Snapshot, err error) {
	f := r.copy.files[t.Shape]
	if f == nil {
		return "", rowferry.Errorf(rowferry.CodeInternal, "table %s has no file", t.Shape.Name)
	}
	in, err := f.open()
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, in.Close()) }()
	if err := f.unchanged(in); err != nil {
		return "", err
	}
	s := r.copy.source
	rows, err := newReader(in, f.path, s.opt.Format)
	if err != nil {
		return "", f.about(err)
	}
	if s.opt.Format.Header {
		if _, err := f.header(rows, true); err != nil {
			return "", err
		}
	}
	if err := f.read(ctx, rows, each); err != nil {
		return "", err
	}
	if rows.cut {
		s.notice("the last line of " + f.path + " has no end: if the export was cut off there, rows are missing, and its last field may be too short")
	}
	return Position, f.unchanged(in)
}

// unchanged refuses a file that is not as it was.
func (f *file) unchanged(in *os.File) error {
	size, stamp, err := f.stat(in)
	if err == nil && (size != f.size || stamp != f.stamp) {
		err = rowferry.Errorf(rowferry.CodeCSVChanged, "a CSV file changed while it was copied").Fact("file", "%s", f.path).Fact("table", "%s", f.shape.Name).
			Fact("size", "%d bytes then, %d now", f.size, size).
			Remedy("start over", "rowferry destroy, then run again into empty tables when the export is done")
	}
	return err
}

// read gives each the rows of a file, a part at a time.
func (f *file) read(ctx context.Context, r *reader, each func([]rowferry.Row) error) error {
	var part []rowferry.Row
	size := 0
	for {
		ok, err := r.next()
		if err != nil {
			return f.about(err)
		}
		if ok {
			row, err := f.row(r)
			if err != nil {
				return err
			}
			part = append(part, row)
			size += row.Size()
		}
		if len(part) > 0 && (!ok || size >= copyBatchBytes) {
			if err := ctx.Err(); err != nil {
				return err
			}
			if err := each(part); err != nil {
				return err
			}
			part, size = part[:0:0], 0
		}
		if !ok {
			return nil
		}
	}
}

// row makes a row of what the reader has.
func (f *file) row(r *reader) (rowferry.Row, error) {
	if r.count != len(f.order) {
		e := r.errorf(rowferry.CodeCSVFields, r.placeOf(r.fields[0]), "a row has %d fields, and the table has %d columns", r.count, len(f.order)).
			Fact("row", "%q", shorten(string(r.text)))
		return nil, f.about(e.Remedy("look", "whether delimiter and quote are those of the export, and whether an empty line is in the file").
			Remedy("mend", "the file, then start over: rowferry destroy, and run again into empty tables"))
	}
	row := make(rowferry.Row, len(f.order))
	text := string(r.text)
	for i, x := range r.fields {
		c := &f.columns[f.order[i]]
		s := text[x.start:x.end]
		if x.null {
			if !c.Nullable {
				return nil, f.refuse(r, x, c, "it is NULL, and the column is NOT NULL")
			}
			row[f.order[i]] = rowferry.NullValue()
			continue
		}
		if at := invalid(c, s); at >= 0 {
			return nil, f.about(r.errorf(rowferry.CodeCSVText, r.placeOf(x), "a field is not valid UTF-8").Fact("column", "%s", c.Name).
				Fact("bytes", "0x%X at offset %d of %d", s[at:min(at+4, len(s))], at, len(s)).
				Remedy("convert", "the file: iconv -f WINDOWS-1252 -t UTF-8, or whatever it is in").
				Remedy("export again", "with CHARACTER SET utf8mb4, or \\encoding UTF8"))
		}
		v, wrong := c.value(s)
		if wrong != "" {
			return nil, f.refuse(r, x, c, wrong)
		}
		row[f.order[i]] = v
	}
	return row, nil
}

// invalid returns where a text is not UTF-8, or -1.
func invalid(c *column, s string) int {
	switch c.Type.Kind {
	case schema.Char, schema.VarChar, schema.Text, schema.Enum, schema.Set, schema.JSON:
	default:
		return -1 // bytes, or read strictly
	}
	if utf8.ValidString(s) {
		return -1
	}
	for i, c := range s {
		if c == utf8.RuneError {
			if _, n := utf8.DecodeRuneInString(s[i:]); n == 1 {
				return i
			}
		}
	}
	return -1
}

// refuse is the error for a field that is none of its column.
func (f *file) refuse(r *reader, x field, c *column, wrong string) error {
	found := string(r.text[x.start:x.end])
	e := r.errorf(rowferry.CodeCSVValue, r.placeOf(x), "a field is not of its column's type").
		Fact("table", "%s", f.shape.Name).Fact("column", "%s %s", c.Name, c.Type).Fact("found", "%q", shorten(found)).Fact("reason", "%s", wrong)
	switch {
	case x.null && found == "":
		e.Remedy("if empty is an empty text", `source: {csv: {null_marker: '\N'}}, or another text that is no value`)
	case !x.quoted && (found == "NULL" || found == `\N`):
		e.Remedy("if it means NULL", "source: {csv: {null_marker: '%s'}}", found)
	}
	return e.Remedy("mend", "the file or the CREATE TABLE statement, then start over: rowferry destroy, and run again into empty tables")
}
