package csv

import (
	"errors"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/rowferry/rowferry"
	"github.com/rowferry/rowferry/internal/dialect/mysql"
	"github.com/rowferry/rowferry/schema"
)

// extension is that of the files of a directory that are read.
const extension = ".csv"

// file is a table's file.
type file struct {
	path  string
	shape *schema.Table
	size  int64
	stamp int64 // when it was changed last, in nanoseconds
	// columns are those of the table, and order which of them each field is.
	columns []column
	order   []int
}

// find returns the files of the tables in scope, in order of name, as they are now.
func (s *Source) find() ([]*file, error) {
	catalog, err := s.loadSchema()
	if err != nil {
		return nil, err
	}
	paths, err := s.list()
	if err != nil {
		return nil, err
	}
	byName := map[schema.Name]*file{}
	var passed []string
	for _, p := range paths {
		f, err := s.take(catalog, p.table, p.path)
		if err != nil {
			return nil, err
		}
		if f == nil {
			passed = append(passed, p.path)
			continue
		}
		if first := byName[f.shape.Name]; first != nil {
			return nil, rowferry.Errorf(rowferry.CodeBadValue, "table %s has two files, and one is read", f.shape.Name).
				Fact("files", "%s and %s", first.path, f.path).Remedy("join them", "into one, with one header")
		}
		byName[f.shape.Name] = f
	}
	if len(byName) == 0 {
		return nil, rowferry.Errorf(rowferry.CodeCSVFile, "there is no CSV file of a table in scope").Fact("looked at", "%d files", len(paths)).
			Remedy("look", "at source.csv.path, source.csv.files and tables")
	}
	if len(passed) > 0 {
		s.notice("not in scope, and not copied: " + list(passed))
	}
	names := slices.SortedFunc(maps.Keys(byName), schema.Name.Compare)
	files := make([]*file, len(names))
	for i, n := range names {
		files[i] = byName[n]
	}
	return files, nil
}

// listed is a file and the name of its table.
type listed struct{ table, path string }

// list returns the files that were named, and those that the path stands for.
func (s *Source) list() ([]listed, error) {
	var all []listed
	for _, t := range slices.Sorted(maps.Keys(s.opt.Files)) {
		all = append(all, listed{t, s.opt.Files[t]})
	}
	if s.opt.Path == "" {
		return all, nil
	}
	pattern := s.opt.Path
	info, err := os.Stat(pattern)
	var found []string
	switch {
	case err == nil && info.IsDir():
		entries, err := os.ReadDir(pattern)
		if err != nil {
			return nil, rowferry.Errorf(rowferry.CodeCSVFile, "the folder of CSV files cannot be read: %w", err)
		}
		for _, e := range entries {
			if strings.EqualFold(filepath.Ext(e.Name()), extension) {
				found = append(found, filepath.Join(pattern, e.Name()))
			}
		}
	case err == nil:
		found = []string{pattern} // a name with brackets is a name first
	default:
		if found, err = filepath.Glob(pattern); err != nil {
			return nil, rowferry.Errorf(rowferry.CodeBadValue, "%q is not a file pattern: %w", pattern, err)
		}
	}
	if len(found) == 0 {
		return nil, rowferry.Errorf(rowferry.CodeCSVFile, "no CSV file is at %q", pattern).
			Remedy("look", "ls -l %s", filepath.Dir(pattern)).Remedy("a folder", "is read for its files that end in %s", extension)
	}
	for _, p := range found {
		base := filepath.Base(p)
		all = append(all, listed{strings.TrimSuffix(base, filepath.Ext(base)), p})
	}
	return all, nil
}

// take looks at one file; nil where its table is not in scope.
func (s *Source) take(catalog *mysql.Catalog, table, path string) (*file, error) {
	shape, name, err := s.tableOf(catalog, table)
	switch {
	case err != nil:
		return nil, err
	case shape == nil && (name.Schema == "" || s.inScope(name)):
		return nil, rowferry.Errorf(rowferry.CodeShapeUnknown, "the schema has no table %s, for which there is a file", name).
			Fact("file", "%s", path).Fact("schema", "%s", s.opt.Schema).
			Remedy("add", "its CREATE TABLE statement to the schema").
			Remedy("name the table", "in source.csv.files, where the file is for another one").
			Remedy("leave it out", "in source.csv.path, or with '!%s' in tables", name)
	case shape == nil:
		return nil, nil
	case shape.Name.Schema == "":
		return nil, rowferry.Errorf(rowferry.CodeBadDump, "the schema does not say which database table %s is of", name).
			Fact("schema", "%s", s.opt.Schema).Remedy("say it", "source: {csv: {database: shop}}, or a USE statement before the tables")
	case !s.inScope(shape.Name):
		return nil, nil
	case shape.Versioned:
		return nil, rowferry.Errorf(rowferry.CodeTypeRefused, "table %s is system-versioned", shape.Name).Fact("table", "%s", shape.Name).
			Remedy("take it out", "of the statement: WITH SYSTEM VERSIONING, and its columns")
	}
	f := &file{path: path, shape: shape}
	if f.columns, err = newColumns(shape, s.opt.Format); err != nil {
		return nil, err
	}
	return f, s.look(f)
}

func (s *Source) inScope(n schema.Name) bool { return s.opt.Scope == nil || s.opt.Scope(n) }

// look notes how the file is now, and what its fields are.
func (s *Source) look(f *file) (err error) {
	in, err := f.open()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, in.Close()) }()
	if f.size, f.stamp, err = f.stat(in); err != nil {
		return err
	}
	r, err := newReader(in, f.path, s.opt.Format)
	if err != nil {
		return err
	}
	f.order, err = f.header(r, s.opt.Format.Header)
	return err
}

func (f *file) open() (*os.File, error) {
	in, err := os.Open(f.path)
	if err != nil {
		return nil, f.unreadable(err)
	}
	return in, nil
}

func (f *file) unreadable(err error) error {
	return rowferry.Errorf(rowferry.CodeCSVFile, "a CSV file cannot be read: %w", err).Fact("file", "%s", f.path).Fact("table", "%s", f.shape.Name)
}

// stat returns what changes when the file does. What is no plain file cannot be
// read twice.
func (f *file) stat(in *os.File) (size, stamp int64, err error) {
	info, err := in.Stat()
	if err != nil {
		return 0, 0, f.unreadable(err)
	}
	if !info.Mode().IsRegular() {
		return 0, 0, rowferry.Errorf(rowferry.CodeCSVFile, "%s is no plain file", f.path).Fact("table", "%s", f.shape.Name)
	}
	return info.Size(), info.ModTime().UnixNano(), nil
}

// about adds the table to an error.
func (f *file) about(err error) error {
	var e *rowferry.Error
	if errors.As(err, &e) {
		e.Fact("table", "%s", f.shape.Name)
	}
	return err
}

// list names a few.
func list(names []string) string {
	const most = 12
	if len(names) > most {
		names = append(slices.Clone(names[:most]), "…")
	}
	return strings.Join(names, ", ")
}

// shorten cuts a text for messages.
func shorten(s string) string {
	const most = 60
	if len(s) > most {
		return strings.ToValidUTF8(s[:most], "") + "…"
	}
	return s
}
