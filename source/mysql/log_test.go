package mysql

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/rowferry/rowferry"
	"github.com/rowferry/rowferry/internal/testdb"
	"github.com/rowferry/rowferry/schema"
	"github.com/rowferry/rowferry/source/sourcetest"
)

// record runs statements in one session of a server of its own and returns its
// log, by file name. Statements end in a semicolon at the end of a line.
func record(t testing.TB, k testdb.Kind, script string, opts ...testdb.Option) logFiles {
	t.Helper()
	ctx := context.Background()
	s, err := testdb.Launch(ctx, k, opts...)
	must(t, err)
	defer s.Close()
	must(t, s.ResetBinlog(ctx))
	must(t, inSession(ctx, s, script))
	must(t, s.Stop())
	paths, err := s.BinlogFiles()
	must(t, err)
	var files logFiles
	for _, p := range paths {
		b, err := os.ReadFile(p)
		must(t, err)
		files = append(files, content{filepath.Base(p), b})
	}
	return files
}

// inSession runs statements in one session.
func inSession(ctx context.Context, s *testdb.Server, script string) error {
	conn, err := s.DB().Conn(ctx)
	if err != nil {
		return err
	}
	for q := range strings.SplitSeq(script, ";\n") {
		if q = strings.TrimSpace(q); q == "" {
			continue
		}
		if _, err := conn.ExecContext(ctx, q); err != nil {
			return fmt.Errorf("%s: %s: %w", s.Kind, q, errors.Join(err, conn.Close()))
		}
	}
	return conn.Close()
}

// logFiles is a log in memory.
type logFiles []content

type content struct {
	name string
	data []byte
}

// write puts the log into files of a directory of the test's own.
func (l logFiles) write(t testing.TB) []string {
	t.Helper()
	dir := t.TempDir()
	var paths []string
	for _, f := range l {
		paths = append(paths, filepath.Join(dir, f.name))
		must(t, os.WriteFile(paths[len(paths)-1], f.data, 0o600))
	}
	return paths
}

// source reads the log where it is.
func (l logFiles) source(opt Options) *Source {
	for _, f := range l {
		opt.Paths = append(opt.Paths, f.name)
	}
	s := Files(opt).(*Source)
	s.open = func(_ context.Context, path string) (logBytes, error) {
		for _, f := range l {
			if f.name == path {
				return memoryFile{bytes.NewReader(f.data)}, nil
			}
		}
		return nil, unreadable(path, os.ErrNotExist)
	}
	return s
}

// with returns a copy of the log in which one file has other content.
func (l logFiles) with(i int, data []byte) logFiles {
	c := slices.Clone(l)
	c[i].data = data
	return c
}

type memoryFile struct{ *bytes.Reader }

func (memoryFile) Close() error   { return nil }
func (f memoryFile) Size() uint64 { return uint64(f.Reader.Size()) }

// recordings are made once for all tests.
var recordings struct {
	sync.Mutex
	logs map[string]*recording
}

type recording struct {
	once  sync.Once
	files logFiles
}

// recorded returns the log of everyKind, written in one of the ways of
// logKinds.
func recorded(t testing.TB, name string) logFiles {
	t.Helper()
	recordings.Lock()
	if recordings.logs == nil {
		recordings.logs = map[string]*recording{}
	}
	r := recordings.logs[name]
	if r == nil {
		r = &recording{}
		recordings.logs[name] = r
	}
	recordings.Unlock()
	r.once.Do(func() {
		k := logKinds()[name]
		r.files = record(t, k.kind, script(k.kind, k.script), k.opts...)
	})
	if r.files == nil {
		t.Fatalf("%s was not recorded", name)
	}
	return r.files
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// result is all that a reader gave.
type result struct {
	begin   rowferry.Position
	txs     []*rowferry.Tx
	notices []string
	err     error // nil for io.EOF
}

func (l logFiles) read(opt Options) result { return readFrom(l.source(opt), rowferry.Start{}) }

func readFrom(src rowferry.Source, start rowferry.Start) result {
	ctx := context.Background()
	r, err := src.Open(ctx, start)
	if err != nil {
		return result{err: err}
	}
	return drain(ctx, r)
}

// drain reads to the end and closes.
func drain(ctx context.Context, r rowferry.Reader) (res result) {
	res.begin = r.Begin()
	for {
		tx, err := r.Next(ctx)
		if err != nil {
			if err != io.EOF {
				res.err = err
			}
			break
		}
		res.txs = append(res.txs, tx)
	}
	res.notices = r.Notices()
	res.err = errors.Join(res.err, r.Close())
	return res
}

// text shows transactions without their shapes, which come where a reader first
// needs them.
func text(chunks []*rowferry.Tx) string {
	txs := sourcetest.Join(chunks, nil)
	for i := range txs {
		txs[i].Changes = slices.DeleteFunc(txs[i].Changes, func(c rowferry.Change) bool { return c.Op == rowferry.Shape })
	}
	return sourcetest.Text(txs)
}

type logKind struct {
	kind   testdb.Kind
	script string
	opts   []testdb.Option
}

// logKinds are the ways in which a server may write the log of everyKind.
func logKinds() map[string]logKind {
	// Without GTIDs only transactions without XA.
	plain := regexp.MustCompile(`(?m)^\?MSET gtid_next.*\n|^(\?.)?XA .*\n`)
	kinds := map[string]logKind{
		"mysql":              {testdb.MySQL97, everyKind, nil},
		"mysql compressed":   {testdb.MySQL97, everyKind, []testdb.Option{testdb.Compressed()}},
		"mysql full":         {testdb.MySQL97, everyKind, []testdb.Option{testdb.RowMetadata("FULL"), testdb.Arg("binlog_checksum=NONE")}},
		"mysql anonymous":    {testdb.MySQL97, plain.ReplaceAllString(everyKind, ""), []testdb.Option{testdb.Arg("gtid_mode=OFF"), testdb.Arg("enforce_gtid_consistency=OFF")}},
		"mariadb":            {testdb.MariaDB1011, everyKind, nil},
		"mariadb compressed": {testdb.MariaDB1011, everyKind, []testdb.Option{testdb.Compressed(), testdb.RowMetadata("FULL")}},
		"mariadb unsummed":   {testdb.MariaDB1011, everyKind, []testdb.Option{testdb.Arg("binlog_checksum=NONE"), testdb.Arg("binlog_alter_two_phase=ON")}},
	}
	if testdb.Soak() {
		kinds["mariadb newest"] = logKind{testdb.MariaDB11, everyKind, nil}
		kinds["mariadb newest compressed"] = logKind{testdb.MariaDB11, everyKind, []testdb.Option{testdb.Compressed(), testdb.Arg("binlog_legacy_event_pos=OFF")}}
	}
	return kinds
}

func notOther(n schema.Name) bool { return n.Schema != "other" }

func memoryContent(b []byte) logBytes { return memoryFile{bytes.NewReader(b)} }

// TestSameFormat compares format descriptions: not with those parts that a
// server changes when it sends one from the middle of its file.
func TestSameFormat(t *testing.T) {
	files := recorded(t, "mysql")
	whole := files[0].data[magicSize:]
	format := whole[:parseHeader(whole).size]
	for at, same := range map[int]bool{0: false, 5: false, 13: true, 17: true, headerSize + 2: false, headerSize + 52: true, headerSize + 60: false, len(format) - 5: true} {
		other := bytes.Clone(format)
		other[at] ^= 1
		if got := sameFormat(format, other); got != same {
			t.Errorf("with another byte %d, same is %v", at, got)
		}
	}
	if !sameFormat(format, format[:len(format)-checksumSize]) {
		t.Error("without its checksum it is not the same")
	}
}
