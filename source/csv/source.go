package csv

import (
	"context"
	"io"
	"slices"
	"sync"

	"github.com/rowferry/rowferry"
	"github.com/rowferry/rowferry/schema"
)

// Options are what a Source reads.
type Options struct {
	// Files are paths by table, as database.table, or table where that says enough.
	Files map[string]string
	// Path is a folder, whose files that end in .csv are read, a pattern, or one
	// file. A file's table is its name without the folder and the last ending.
	Path string
	// Schema is a file of the tables' CREATE statements, as mysqldump --no-data
	// writes them.
	Schema string
	// Database is that of tables, in Schema and Files, that name none.
	Database string
	Format   Format
	Scope    func(schema.Name) bool // nil: all
}

// Source is CSV files. Nothing is looked at before Copy. It is safe for concurrent
// use.
type Source struct {
	opt Options

	mu      sync.Mutex
	notices []string
}

var (
	_ rowferry.Surveyor = (*Source)(nil)
	_ rowferry.Reader   = (*reading)(nil)
)

// New returns the source that the options name. The error is about the format.
func New(opt Options) (*Source, error) {
	if err := opt.Format.Validate(); err != nil {
		return nil, rowferry.Errorf(rowferry.CodeBadValue, "the format of the CSV files makes no sense: %w", err)
	}
	return &Source{opt: opt}, nil
}

// Position is the one place in a log that is empty.
const Position = "csv"

// checkPosition refuses the place of another kind of source.
func checkPosition(p rowferry.Position) error {
	if p == "" || p == Position {
		return nil
	}
	return rowferry.Errorf(rowferry.CodeLineageBroken, "the pipeline followed a log, and its source is CSV files now").Fact("checkpoint", "%s", p).
		Remedy("go on", "with the former source").Remedy("start over", "with another --name and another target")
}

// Open returns a Reader that ends at once. See rowferry.Source.
func (s *Source) Open(_ context.Context, start rowferry.Start) (rowferry.Reader, error) {
	if err := checkPosition(start.Position); err != nil {
		return nil, err
	}
	return &reading{s}, nil
}

// Passed reports that nothing is missing. See rowferry.Copier.
func (s *Source) Passed(rowferry.Position, string, rowferry.Mark) (bool, error) { return true, nil }

// Saw reports that everything was seen. See rowferry.Copier.
func (s *Source) Saw(string, string, rowferry.Snapshot) (bool, error) { return true, nil }

// Expect has no log to expect anything of. See rowferry.Copier.
func (s *Source) Expect([]rowferry.Snapshot) error { return nil }

func (s *Source) notice(text string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !slices.Contains(s.notices, text) {
		s.notices = append(s.notices, text)
	}
}

// reading reads the log that files do not have.
type reading struct{ source *Source }

func (*reading) Begin() rowferry.Position { return Position }

// Next ends. See rowferry.Reader.
func (*reading) Next(context.Context) (*rowferry.Tx, error) { return nil, io.EOF }

func (*reading) Progress() (done, total int64) { return 0, 0 }

// Notices tells of files that may be cut off. See rowferry.Reader.
func (r *reading) Notices() []string {
	r.source.mu.Lock()
	defer r.source.mu.Unlock()
	return slices.Clone(r.source.notices)
}

func (*reading) Close() error { return nil }

// Look finds the files and reads their headers, and returns how many there are and
// their bytes. The error is what Copy would say.
func (s *Source) Look() (tables int, bytes int64, err error) {
	files, err := s.find()
	for _, f := range files {
		bytes += f.size
	}
	return len(files), bytes, err
}

// Survey finds the tables of the files. See rowferry.Surveyor.
func (s *Source) Survey(context.Context) (*rowferry.Survey, error) {
	files, refused := s.find()
	survey := &rowferry.Survey{Refused: refused}
	for _, f := range files {
		survey.Tables = append(survey.Tables, rowferry.SurveyTable{CopyTable: f.table(), Name: f.shape.Name})
	}
	return survey, nil
}
